// SPDX-License-Identifier: Apache-2.0
/* Scopes on the real cgroup2 hierarchy, below a cgroup that this test makes and removes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/loop.h"
#include "user/enrol/place.h"
#include "user/kern/cgroup.h"

#define OTHER_UID 64001

static char base[PATH_MAX]; /* "<mount>/tollgate-unit-test.PID" */
static char root[PATH_MAX];
static struct loop *loop;
static struct places *ps;

static struct {
	unsigned n;
	unsigned agent;
	uint64_t id;
	bool dir_there;
} emptied;

static void on_empty(struct place *p, void *arg)
{
	emptied.n++;
	emptied.agent = p->agent;
	emptied.id = p->id;
	emptied.dir_there = access(p->dir, F_OK) == 0;
}

static const char *below(const char *name)
{
	static char path[4][PATH_MAX + 64];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s/%s", base, name);
	return path[i];
}

static const char *make(const char *name)
{
	const char *dir = below(name);

	assert_int_equal(mkdir(dir, 0755), 0);
	return dir;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

static void end(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void until_emptied(unsigned n)
{
	for (int i = 0; i < 300 && emptied.n < n; i++)
		(void)loop_once(loop, 10);
	assert_int_equal(emptied.n, n);
}

static void nothing_happens(void)
{
	unsigned n = emptied.n;

	while (loop_once(loop, 100) > 0)
		;
	assert_int_equal(emptied.n, n);
}

static bool there(const char *dir)
{
	return access(dir, F_OK) == 0;
}

static int set_up(void **state)
{
	memset(&emptied, 0, sizeof(emptied));
	(void)snprintf(base, sizeof(base), "%.*s/unit-test.%d", PATH_MAX - 64, root, (int)getpid());
	if (mkdir(base, 0755) < 0 || loop_new(&loop) < 0)
		return -1;
	return places_new(loop, on_empty, NULL, &ps);
}

static int tear_down(void **state)
{
	char cmd[PATH_MAX + 64];

	places_free(ps);
	loop_free(loop);
	(void)snprintf(cmd, sizeof(cmd), "find '%s' -depth -type d -exec rmdir {} +", base);
	return system(cmd) == 0 ? 0 : -1;
}

static void test_life(void **state)
{
	struct place *p, *again;
	char dir[PATH_MAX];
	pid_t pid = sleeper();
	uint64_t id;

	assert_int_equal(place_open(ps, base, "claude", 7, &p), 0);
	assert_string_equal(p->dir, below("tollgate-claude"));
	assert_int_equal(p->agent, 7);
	assert_true(p->made);
	assert_false(p->entered);
	assert_int_equal(p->outer, 0);
	assert_int_equal(cgroup_id(p->dir, &id), 0);
	assert_int_equal(p->id, id);
	assert_ptr_equal(places_by_id(ps, id), p);
	assert_ptr_equal(places_at(ps, 0), p);
	assert_null(places_at(ps, 1));
	assert_ptr_equal(places_find(ps, below("tollgate-claude/deeper")), p);
	assert_null(places_find(ps, below("tollgate-claude2")));
	assert_null(places_find(ps, base));
	/* It is empty, but somebody is about to enter. */
	nothing_happens();
	assert_int_equal(place_enter(p, pid), 0);
	assert_true(p->entered);
	assert_int_equal(cgroup_of_pid(pid, dir), 0);
	assert_string_equal(dir, p->dir);
	/* The same agent inside its scope, and beside it, is the same scope. */
	assert_int_equal(place_open(ps, dir, "claude", 7, &again), 0);
	assert_ptr_equal(again, p);
	place_drop(ps, again);
	assert_int_equal(place_open(ps, base, "claude", 7, &again), 0);
	assert_ptr_equal(again, p);
	place_drop(ps, again);
	assert_true(there(dir));
	nothing_happens();
	end(pid);
	until_emptied(1);
	assert_int_equal(emptied.agent, 7);
	assert_int_equal(emptied.id, id);
	assert_true(emptied.dir_there);
	assert_false(there(dir));
	assert_null(places_at(ps, 0));
}

/* Opened again while its last process ends: the scope must still be there to be entered. */
static void test_reopened(void **state)
{
	struct place *p, *again;
	pid_t a = sleeper(), b = sleeper();

	assert_int_equal(place_open(ps, base, "x", 1, &p), 0);
	assert_int_equal(place_enter(p, a), 0);
	assert_int_equal(place_open(ps, base, "x", 1, &again), 0);
	end(a);
	nothing_happens();
	assert_int_equal(place_enter(again, b), 0);
	nothing_happens();
	assert_int_equal(place_open(ps, base, "x", 1, &again), 0);
	end(b);
	nothing_happens();
	/* Who gives up entering tells of the end that was put off. */
	place_drop(ps, again);
	assert_int_equal(emptied.n, 1);
	assert_false(there(below("tollgate-x")));
}

static void test_dropped(void **state)
{
	struct place *p;
	pid_t gone = sleeper();

	end(gone);
	assert_int_equal(place_open(ps, base, "x", 1, &p), 0);
	assert_int_equal(place_enter(p, gone), -ESRCH);
	assert_true(there(below("tollgate-x")));
	place_drop(ps, p);
	assert_false(there(below("tollgate-x")));
	assert_int_equal(emptied.n, 0);
}

static void test_nested(void **state)
{
	struct place *outer, *inner;
	pid_t a = sleeper(), b = sleeper();
	uint64_t inner_id;

	assert_int_equal(place_open(ps, base, "outer", 1, &outer), 0);
	assert_int_equal(place_enter(outer, a), 0);
	/* From a cgroup that the outer agent made in its scope. */
	(void)make("tollgate-outer/own");
	assert_int_equal(place_open(ps, below("tollgate-outer/own"), "inner", 2, &inner), 0);
	assert_string_equal(inner->dir, below("tollgate-outer/tollgate-inner"));
	assert_int_equal(inner->outer, outer->id);
	assert_int_equal(place_enter(inner, b), 0);
	assert_ptr_equal(places_find(ps, inner->dir), inner);
	/* The outer lives as long as the inner. */
	inner_id = inner->id;
	end(a);
	nothing_happens();
	end(b);
	until_emptied(2);
	assert_int_equal(emptied.agent, 1);
	assert_null(places_by_id(ps, inner_id));
	/* With everything that was made in it. */
	assert_false(there(below("tollgate-outer")));
}

static void test_delegated(void **state)
{
	char slice[PATH_MAX];
	struct place *p;
	bool made;

	(void)snprintf(slice, sizeof(slice), "%.*s/%s", PATH_MAX - 64, root, PLACE_SLICE);
	made = !there(slice);
	(void)make("user");
	assert_int_equal(chown(below("user"), OTHER_UID, 0), 0);
	(void)make("user/app");
	assert_int_equal(place_open(ps, below("user/app"), "unit-test-x", 1, &p), 0);
	assert_memory_equal(p->dir, slice, strlen(slice));
	assert_string_equal(p->dir + strlen(slice), "/tollgate-unit-test-x");
	place_drop(ps, p);
	assert_int_equal(chown(below("user"), 0, 0), 0);
	assert_int_equal(chown(below("user/cgroup.procs"), OTHER_UID, 0), 0);
	assert_int_equal(place_open(ps, below("user/app"), "unit-test-x", 1, &p), 0);
	assert_memory_equal(p->dir, slice, strlen(slice));
	place_drop(ps, p);
	assert_int_equal(chown(below("user/cgroup.procs"), 0, 0), 0);
	assert_int_equal(place_open(ps, below("user/app"), "unit-test-x", 1, &p), 0);
	assert_string_equal(p->dir, below("user/app/tollgate-unit-test-x"));
	place_drop(ps, p);
	if (made)
		assert_int_equal(rmdir(slice), 0);
}

static void test_refused(void **state)
{
	struct place *p = NULL;

	/* Somebody made it first. */
	(void)make("tollgate-x");
	assert_int_equal(chown(below("tollgate-x"), OTHER_UID, 0), 0);
	assert_int_equal(place_open(ps, base, "x", 1, &p), -EPERM);
	assert_int_equal(chown(below("tollgate-x"), 0, 0), 0);
	assert_int_equal(chown(below("tollgate-x/cgroup.procs"), OTHER_UID, 0), 0);
	assert_int_equal(place_open(ps, base, "x", 1, &p), -EPERM);
	assert_int_equal(chown(below("tollgate-x/cgroup.procs"), 0, 0), 0);
	assert_int_equal(chmod(below("tollgate-x/cgroup.procs"), 0666), 0);
	assert_int_equal(place_open(ps, base, "x", 1, &p), -EPERM);
	assert_int_equal(place_open(ps, base, "a/b", 1, &p), -EINVAL);
	assert_int_equal(place_open(ps, "/tmp", "x", 1, &p), -EINVAL);
	assert_true(place_open(ps, below("gone"), "x", 1, &p) < 0);
	assert_int_equal(place_adopt(ps, root, 1, false, &p), -EINVAL);
	assert_int_equal(place_adopt(ps, "/tmp", 1, false, &p), -EINVAL);
	assert_true(place_adopt(ps, below("gone"), 1, false, &p) < 0);
	assert_null(p);
	assert_null(places_at(ps, 0));
}

static void test_adopt(void **state)
{
	struct place *unit, *again, *mine;
	pid_t pid = sleeper();

	(void)make("x.service");
	assert_int_equal(cgroup_move(below("x.service"), pid), 0);
	assert_int_equal(place_adopt(ps, below("x.service"), 3, false, &unit), 0);
	assert_int_equal(place_adopt(ps, below("x.service"), 3, false, &again), -EEXIST);
	nothing_happens();
	/* What runs in it already is in scope: nothing is moved. */
	assert_int_equal(place_open(ps, below("x.service"), "x", 3, &again), 0);
	assert_ptr_equal(again, unit);
	place_drop(ps, again);
	end(pid);
	until_emptied(1);
	assert_int_equal(emptied.agent, 3);
	assert_true(there(below("x.service"))); /* not ours to remove */
	/* Scopes that an earlier supervisor left, empty meanwhile. */
	(void)make("tollgate-old");
	(void)make("tollgate-older");
	assert_int_equal(place_adopt(ps, below("tollgate-old"), 4, true, &mine), 0);
	assert_int_equal(place_adopt(ps, below("tollgate-older"), 5, true, &mine), 0);
	assert_int_equal(emptied.n, 1);
	until_emptied(3);
	assert_false(there(below("tollgate-old")));
	assert_false(there(below("tollgate-older")));
}

struct found {
	unsigned n;
	char names[4][64];
	int stop;
};

static int on_found(const char *dir, const char *name, uint64_t id, void *arg)
{
	struct found *f = arg;
	uint64_t want;

	if (strncmp(dir, base, strlen(base)) != 0)
		return 0;
	assert_int_equal(cgroup_id(dir, &want), 0);
	assert_int_equal(id, want);
	if (f->n < 4)
		(void)snprintf(f->names[f->n++], sizeof(f->names[0]), "%s", name);
	return f->stop;
}

static void test_scan(void **state)
{
	struct found f = { 0 };

	(void)make("a.slice");
	(void)make("a.slice/tollgate-one");
	(void)make("a.slice/tollgate-one/sub");
	(void)make("a.slice/tollgate-one/sub/tollgate-two");
	(void)make("a.slice/tollgatex");
	(void)make("a.slice/tollgate-theirs");
	assert_int_equal(chown(below("a.slice/tollgate-theirs"), OTHER_UID, 0), 0);
	assert_int_equal(places_scan(on_found, &f), 0);
	assert_int_equal(f.n, 2);
	assert_string_equal(f.names[0], "one");
	assert_string_equal(f.names[1], "two");
	f = (struct found){ .stop = -ECANCELED };
	assert_int_equal(places_scan(on_found, &f), -ECANCELED);
	assert_int_equal(f.n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reopened, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nested, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_delegated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_adopt, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_scan, set_up, tear_down),
	};
	char probe[PATH_MAX];
	int r = cgroup_root(root);

	if (r == 0)
		r = cgroup_create(root, "unit-test-probe", probe);
	if (r < 0) {
		(void)printf("skip: cgroup2 hierarchy: %s\n", strerror(-r));
		return 77;
	}
	(void)cgroup_remove(probe);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
