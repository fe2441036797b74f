// SPDX-License-Identifier: Apache-2.0
#include "user/proc/package.c" /* for the race: the tree changes between listing and reading */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <limits.h>
#include <ftw.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/file.h"

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static const char *path_of(const char *name)
{
	static char path[4][PATH_MAX];
	static unsigned i;

	i = (i + 1) % 4;
	(void)snprintf(path[i], sizeof(path[i]), "%s%s%s", dir, *name ? "/" : "", name);
	return path[i];
}

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = open(path_of(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int setup(void **state)
{
	(void)state;
	(void)strcpy(dir, "/tmp/package-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, 0755), 0);
	put("b.js", "two", 0644);
	assert_int_equal(mkdir(path_of("a"), 0750), 0);
	put("a/one", "1", 0755);
	assert_int_equal(symlink("../b.js", path_of("a/link")), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void link_again(const char *target)
{
	assert_int_equal(unlink(path_of("a/link")), 0);
	assert_int_equal(symlink(target, path_of("a/link")), 0);
}

static int measure_at(const char *name, bool cached, struct package *p)
{
	int fd = open(path_of(name), O_PATH | O_NOFOLLOW | O_CLOEXEC), r;

	assert_true(fd >= 0);
	r = package_measure(fd, cached, p);
	close(fd);
	return r;
}

static void must(const char *name, struct package *p)
{
	int r = measure_at(name, false, p);

	if (r < 0)
		fail_msg("%s: %s at %s", name, strerror(-r), p->at);
}

static void hex_of(const char *text, char ret[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256(text, strlen(text), digest);
	hex_encode(digest, sizeof(digest), ret);
}

/* The form is what the header says, worked out here without the code under test. */
static void form_is_the_documented_one(void **state)
{
	char one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE], text[1024];
	uint8_t want[SHA256_SIZE];
	struct package p;

	hex_of("1", one);
	hex_of("two", two);
	snprintf(text, sizeof(text),
		 "tollgate-package-1\nd 0755 0:\nd 0750 1:a\nl 0777 6:a/link 7:../b.js\nf 0755 5:a/one 1 %s\n"
		 "f 0644 4:b.js 3 %s\n", one, two);
	sha256(text, strlen(text), want);
	must("", &p);
	assert_memory_equal(p.digest, want, sizeof(want));
	assert_int_equal(p.entries, 5);
	assert_int_equal(p.bytes, 4);
	snprintf(text, sizeof(text), "tollgate-package-1\nf 0644 0: 3 %s\n", two);
	sha256(text, strlen(text), want);
	must("b.js", &p);
	assert_memory_equal(p.digest, want, sizeof(want));
}

static void changes_show(void **state)
{
	struct package before, after;

	must("", &before);
#define DIFFERS(change, back) \
	do { \
		change; \
		must("", &after); \
		assert_memory_not_equal(before.digest, after.digest, SHA256_SIZE); \
		back; \
		must("", &after); \
		assert_memory_equal(before.digest, after.digest, SHA256_SIZE); \
	} while (0)
	DIFFERS(put("b.js", "owt", 0644), put("b.js", "two", 0644));
	DIFFERS(put("b.js", "two", 0664), put("b.js", "two", 0644));
	DIFFERS(put("new", "", 0644), unlink(path_of("new")));
	DIFFERS(rename(path_of("b.js"), path_of("c.js")), rename(path_of("c.js"), path_of("b.js")));
	DIFFERS(link_again("../c.js"), link_again("../b.js"));
	DIFFERS(chmod(path_of("a"), 0755), chmod(path_of("a"), 0750));
	DIFFERS(mkdir(path_of("empty"), 0755), rmdir(path_of("empty")));
#undef DIFFERS
}

/* A link to itself, to the tree above and to nothing is a link, not a way. */
static void links_are_not_followed(void **state)
{
	struct package p;

	assert_int_equal(symlink(".", path_of("a/self")), 0);
	assert_int_equal(symlink("..", path_of("a/up")), 0);
	assert_int_equal(symlink("/", path_of("root")), 0);
	assert_int_equal(symlink("nothing", path_of("dangling")), 0);
	must("", &p);
	assert_int_equal(p.entries, 9);
	assert_int_equal(measure_at("root", false, &p), -EINVAL); /* a link alone */
}

static void special_files_are_refused(void **state)
{
	struct package p;

	assert_int_equal(mkfifo(path_of("a/fifo"), 0644), 0);
	assert_int_equal(measure_at("", false, &p), -EINVAL);
	assert_string_equal(p.at, "a/fifo");
	assert_int_equal(measure_at("a/fifo", false, &p), -EINVAL);
	assert_string_equal(p.at, "");
}

static void limits_are_kept(void **state)
{
	char name[PATH_MAX] = "";
	struct package p;

	put("big", "", 0644);
	assert_int_equal(truncate(path_of("big"), (off_t)PACKAGE_BYTES_MAX + 1), 0);
	assert_int_equal(measure_at("", false, &p), -EFBIG);
	assert_string_equal(p.at, "big");
	assert_int_equal(unlink(path_of("big")), 0);
	for (unsigned i = 0; i < PACKAGE_DEPTH_MAX + 1; i++) {
		(void)strcat(name, i ? "/d" : "d");
		assert_int_equal(mkdir(path_of(name), 0755), 0);
		assert_int_equal(measure_at("", false, &p), i < PACKAGE_DEPTH_MAX ? 0 : -E2BIG);
	}
	assert_string_equal(p.at, name);
}

static void too_many_entries_are_refused(void **state)
{
	char name[32];
	struct package p;

	for (unsigned i = 0; i < PACKAGE_ENTRIES_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(symlink("x", path_of(name)), 0);
	}
	assert_int_equal(measure_at("", false, &p), -E2BIG);
}

static void long_paths_are_refused(void **state)
{
	char part[NAME_MAX + 1] = "", name[PATH_MAX] = "";
	struct package p;

	memset(part, 'x', 250);
	for (unsigned i = 0; i < 5; i++) {
		(void)strcat(strcat(name, i ? "/" : ""), part);
		assert_int_equal(mkdir(path_of(name), 0755), 0);
	}
	assert_int_equal(measure_at("", false, &p), -ENAMETOOLONG);
}

/* Before Linux 6.13 a file's times are those of the last tick: two changes in one show as one. */
static void next_tick(void)
{
	struct timespec then, now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &then), 0);
	do
		assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &now), 0);
	while (now.tv_sec == then.tv_sec && now.tv_nsec == then.tv_nsec);
}

static void walk_done(struct walk *w)
{
	for (unsigned k = 0; k < w->n; k++)
		free(w->v[k].path);
	free(w->v);
	close(w->root);
}

/* Every change between the listing and the end is noticed, whatever changes, and before or after it was read. */
static void races_are_refused(void **state)
{
	static const char *const what[] = { "content", "mode", "new", "gone", "link", "becomes a link" };
	struct walk late = { .root = open(dir, O_PATH | O_CLOEXEC), .roots = true };
	struct package p;

	late.out = &p;
	assert_int_equal(list_all(&late), 0);
	assert_int_equal(digest_all(&late), 0);
	next_tick();
	put("a/one", "2", 0755);
	assert_int_equal(look_again(&late), -EBUSY);
	assert_string_equal(p.at, "a/one");
	walk_done(&late);

	for (unsigned i = 0; i < ARRAY_SIZE(what); i++) {
		struct walk w = { .root = open(dir, O_PATH | O_CLOEXEC), .roots = true, .out = &p };

		assert_int_equal(list_all(&w), 0);
		next_tick();
		switch (i) {
		case 0:
			put("a/one", "3", 0755);
			break;
		case 1:
			assert_int_equal(chmod(path_of("a/one"), 0700), 0);
			break;
		case 2:
			put("a/two", "", 0755);
			break;
		case 3:
			assert_int_equal(unlink(path_of("a/two")), 0);
			break;
		case 4:
			link_again("/etc/shadow");
			break;
		case 5:
			assert_int_equal(rename(path_of("a"), path_of("z")), 0);
			assert_int_equal(symlink("z", path_of("a")), 0);
			break;
		}
		if (digest_all(&w) != -EBUSY)
			fail_msg("%s was not noticed", what[i]);
		walk_done(&w);
	}
}

static void mounts_inside_are_refused(void **state)
{
	struct package p;
	int fd = open("/", O_PATH | O_CLOEXEC);
	struct walk w = { .root = fd, .out = &p };

	assert_int_equal(add(&w, "proc"), -EXDEV);
	assert_int_equal(add(&w, "proc/version"), -EXDEV);
	close(fd);
}

/* What others may write is read each time: a mapping can change it without a trace. */
static void only_roots_trees_are_cached(void **state)
{
	struct stat st = { .st_mode = S_IFREG | 0644, .st_uid = 0, .st_ctim.tv_sec = 1000 };
	struct walk w = { .roots = true };

	assert_int_equal(check_kind(&w, &st), 0);
	assert_true(w.roots);
	st.st_ctim.tv_sec = time(NULL);
	assert_int_equal(check_kind(&w, &st), 0);
	assert_false(w.roots);
	for (unsigned i = 0; i < 3; i++) {
		w.roots = true;
		st = (struct stat){ .st_mode = S_IFREG | (i == 0 ? 0664 : i == 1 ? 0646 : 0644), .st_uid = i == 2 };
		assert_int_equal(check_kind(&w, &st), 0);
		assert_false(w.roots);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(form_is_the_documented_one, setup, teardown),
		cmocka_unit_test_setup_teardown(changes_show, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(special_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_entries_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(long_paths_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(races_are_refused, setup, teardown),
		cmocka_unit_test(mounts_inside_are_refused),
		cmocka_unit_test(only_roots_trees_are_cached),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
