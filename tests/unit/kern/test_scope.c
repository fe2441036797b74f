// SPDX-License-Identifier: Apache-2.0
/* Labels: given, inherited, kept, listed. */
#include "tests/unit/kern/bed.h"

#include <bpf/bpf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "user/kern/internal.h"

static const struct tg_label label = { .agent = AGENT, .outer = 2, .flags = 5, .instance = 77 };

/* Reports a process id and waits until the test has looked. */
struct report {
	int to[2], go[2];
};

static void report_open(struct report *r)
{
	assert_int_equal(pipe2(r->to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(r->go, O_CLOEXEC), 0);
}

static int report(struct report *r)
{
	pid_t me = getpid();
	char c;

	if (write(r->to[1], &me, sizeof(me)) != sizeof(me))
		return 90;
	return read(r->go[0], &c, 1) == 1 ? 0 : 91;
}

static void expect_label(struct bed *b, struct report *r, const struct tg_label *want)
{
	struct tg_label is;
	pid_t pid;

	assert_int_equal(read(r->to[0], &pid, sizeof(pid)), sizeof(pid));
	if (want) {
		assert_int_equal(kern_scope_of(b->k, pid, &is), 0);
		assert_memory_equal(&is, want, sizeof(is));
	} else {
		assert_int_equal(kern_scope_of(b->k, pid, &is), -ENOENT);
	}
	assert_int_equal(write(r->go[1], "", 1), 1);
}

static int in_fork(void *arg)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(report(arg));
	return bed_wait(pid);
}

static int in_double_fork(void *arg)
{
	int st;
	pid_t pid;

	/* The daemon's trick: the middle one is gone, the last is init's child. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			(void)setsid();
			_exit(report(arg));
		}
		_exit(0);
	}
	(void)bed_wait(pid);
	return wait(&st) > 0 && WIFEXITED(st) ? WEXITSTATUS(st) : 92;
}

static int in_vfork_exec(void *arg)
{
	struct report *r = arg;
	char to[16], go[16];
	pid_t pid;

	snprintf(to, sizeof(to), "%d", r->to[1]);
	snprintf(go, sizeof(go), "%d", r->go[0]);
	(void)fcntl(r->to[1], F_SETFD, 0);
	(void)fcntl(r->go[0], F_SETFD, 0);
	pid = vfork();
	if (pid == 0) {
		execl("/proc/self/exe", "test_scope", "report", to, go, (char *)NULL);
		_exit(93);
	}
	return bed_wait(pid);
}

static void *exec_thread(void *arg)
{
	struct report *r = arg;
	char to[16], go[16];

	snprintf(to, sizeof(to), "%d", r->to[1]);
	snprintf(go, sizeof(go), "%d", r->go[0]);
	(void)fcntl(r->to[1], F_SETFD, 0);
	(void)fcntl(r->go[0], F_SETFD, 0);
	if (report(r) == 0)
		execl("/proc/self/exe", "test_scope", "report", to, go, (char *)NULL);
	return NULL;
}

static int exec_at_word(void *arg)
{
	(void)exec_thread(arg);
	return 96;
}

/* Another thread than the first executes: it becomes the leader and must have the label too. */
static int in_thread_exec(void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, exec_thread, arg))
		return 94;
	pause();
	return 95;
}

static void children_inherit(void **state)
{
	int (*const ways[])(void *) = { in_fork, in_double_fork, in_vfork_exec };
	struct report r;
	struct bed b;

	bed_open(&b);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		pid_t pid;

		report_open(&r);
		pid = bed_spawn(&b, &label, ways[i], &r);
		expect_label(&b, &r, &label);
		assert_int_equal(bed_wait(pid), 0);
		pid = bed_spawn(&b, NULL, ways[i], &r);
		expect_label(&b, &r, NULL);
		assert_int_equal(bed_wait(pid), 0);
	}
	assert_int_equal(bed_stat(&b, TG_STAT_LABEL_LOST), 0);
	bed_close(&b);
}

static void every_thread_is_labelled(void **state)
{
	struct tg_label is;
	struct report r;
	struct bed b;
	pid_t pid, told;

	bed_open(&b);
	report_open(&r);
	/* Labelled when the thread is there already; the label survives its exec. */
	pid = bed_spawn(&b, NULL, in_thread_exec, &r);
	assert_int_equal(read(r.to[0], &told, sizeof(told)), sizeof(told));
	assert_int_equal(told, pid);
	assert_int_equal(kern_scope_label(b.k, pid, &label), 0);
	assert_int_equal(write(r.go[1], "", 1), 1);
	expect_label(&b, &r, &label);
	assert_int_equal(bed_wait(pid), 0);
	assert_int_equal(kern_scope_of(b.k, pid, &is), -ESRCH);
	assert_int_equal(kern_scope_label(b.k, pid, &label), -ESRCH);
	bed_close(&b);
}

static int count_ours(const struct tg_scope_task *t, void *arg)
{
	unsigned *n = arg;

	assert_int_equal(t->label.agent, AGENT);
	assert_true(t->tgid && t->start);
	return ++*n == 100;
}

static int nap(void *arg)
{
	return report(arg);
}

static void lists_and_takes_back(void **state)
{
	struct tg_label is;
	struct report r;
	unsigned n = 0;
	struct bed b;
	pid_t pid[3];

	bed_open(&b);
	report_open(&r);
	for (int i = 0; i < 3; i++)
		pid[i] = bed_spawn(&b, &label, nap, &r);
	assert_int_equal(kern_scope_each(b.k, count_ours, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(kern_scope_label(b.k, pid[0], &(struct tg_label){ 0 }), 0);
	assert_int_equal(kern_scope_of(b.k, pid[0], &is), -ENOENT);
	n = 0;
	assert_int_equal(kern_scope_each(b.k, count_ours, &n), 0);
	assert_int_equal(n, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write(r.go[1], "", 1), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(bed_wait(pid[i]), 0);
	bed_close(&b);
}

/* A unit's task is labelled by its cgroup when it executes, and stays so elsewhere. */
static void units_are_labelled_at_exec(void **state)
{
	struct report r;
	struct bed b;
	pid_t pid;

	bed_open(&b);
	report_open(&r);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &label), 0);
	pid = bed_spawn(&b, NULL, in_vfork_exec, &r);
	expect_label(&b, &r, &label);
	assert_int_equal(bed_wait(pid), 0);
	assert_int_equal(kern_scope_cgroup(b.k, b.agent_id, &(struct tg_label){ 0 }), 0);
	pid = bed_spawn(&b, NULL, in_vfork_exec, &r);
	expect_label(&b, &r, NULL);
	assert_int_equal(bed_wait(pid), 0);
	bed_close(&b);
}

/* A fork that could not store the label leaves it beside; the child takes it up at its exec. */
static void late_labels_are_taken_up(void **state)
{
	struct tg_label kept;
	struct tg_state st;
	struct report r;
	struct bed b;
	uint32_t tid;
	pid_t pid;

#ifdef __SANITIZE_THREAD__
	print_message("skip: the thread sanitizer starts a thread in a forked child, which takes the label up\n");
	skip();
#endif
	bed_open(&b);
	report_open(&r);
	pid = bed_spawn(&b, NULL, exec_at_word, &r);
	tid = (uint32_t)pid;
	assert_int_equal(bpf_map_update_elem(b.k->map[KM_LATE_LABELS], &tid, &label, BPF_ANY), 0);
	__atomic_fetch_add(&b.k->state->unlabelled, 1, __ATOMIC_ACQ_REL);
	expect_label(&b, &r, NULL);
	expect_label(&b, &r, &label);
	assert_int_equal(bed_wait(pid), 0);
	assert_int_equal(kern_state_read(b.k, &st), 0);
	assert_int_equal(st.unlabelled, 0);
	assert_true(bpf_map_lookup_elem(b.k->map[KM_LATE_LABELS], &tid, &kept) < 0);
	/* A thread id that dies without taking it up leaves nothing for the next of that number. */
	pid = bed_spawn(&b, NULL, nap, &r);
	tid = (uint32_t)pid;
	assert_int_equal(bpf_map_update_elem(b.k->map[KM_LATE_LABELS], &tid, &label, BPF_ANY), 0);
	__atomic_fetch_add(&b.k->state->unlabelled, 1, __ATOMIC_ACQ_REL);
	expect_label(&b, &r, NULL);
	assert_int_equal(bed_wait(pid), 0);
	assert_int_equal(kern_state_read(b.k, &st), 0);
	assert_int_equal(st.unlabelled, 0);
	bed_close(&b);
}

/* It has what an agent's scope has, and is none; one whose cgroup went leaves nothing. */
static void canary(void **state)
{
	char dir[PATH_MAX], path[PATH_MAX];
	const char *what = "";
	uint64_t first, second;
	struct tg_label l;
	struct bed b;
	unsigned n;

	bed_open(&b);
	assert_int_equal(cgroup_create(b.agent, "canary", dir), 0);
	assert_int_equal(cgroup_id(dir, &first), 0);
	assert_int_equal(kern_canary_attach(b.k, dir), 0);
	assert_int_equal(kern_canary_attach(b.k, dir), 0);
	assert_int_equal(kern_scope_attached(b.k, NULL, 0, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(kern_verify(b.k, &what), 0);
	assert_int_equal(cgroup_remove(dir), 0);
	/* The kernel lets go of a cgroup some time after its folder. */
	while (kern_verify(b.k, &what) == 0)
		usleep(1000);
	assert_non_null(strstr(what, "connect4_steer of cgroup"));
	assert_int_equal(cgroup_create(b.agent, "canary", dir), 0);
	assert_int_equal(cgroup_id(dir, &second), 0);
	assert_int_not_equal(first, second);
	assert_int_equal(kern_canary_attach(b.k, dir), 0);
	assert_int_equal(kern_verify(b.k, &what), 0);
	assert_true(bpf_map_lookup_elem(b.k->map[KM_SCOPE_CGROUPS], &first, &l) < 0);
	assert_int_equal(bpf_map_lookup_elem(b.k->map[KM_SCOPE_CGROUPS], &second, &l), 0);
	assert_int_equal(l.agent, TG_AGENT_CANARY);
	assert_int_equal(pin_path(path, "%s/canary/%llx/egress_fence", b.k->dir, (unsigned long long)second), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(kern_verify(b.k, &what), -ENOLINK);
	assert_int_equal(cgroup_remove(dir), 0);
	bed_close(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_inherit),
		cmocka_unit_test(every_thread_is_labelled),
		cmocka_unit_test(lists_and_takes_back),
		cmocka_unit_test(units_are_labelled_at_exec),
		cmocka_unit_test(late_labels_are_taken_up),
		cmocka_unit_test(canary),
	};

	if (argc == 4 && !strcmp(argv[1], "report")) {
		struct report r = { .to = { -1, atoi(argv[2]) }, .go = { atoi(argv[3]), -1 } };

		return report(&r);
	}
	bed_skip();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
