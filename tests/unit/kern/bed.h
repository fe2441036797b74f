/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_KERN_BED_H
#define TOLLGATE_TESTS_KERN_BED_H

/*
 * What the tests that load programs share: a cgroup with the children "agent" and "daemon", and a
 * private bpffs, made by bed_open() and removed by bed_close(). Skips (exit 77) where programs
 * cannot be loaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/kern/cgroup.h"
#include "user/kern/events.h"
#include "user/kern/guard.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"

#define AGENT 7

struct bed {
	struct kern *k;
	char pins[64]; /* with the process id: scripts/sweep knows by it whose it was */
	char home[PATH_MAX]; /* cgroup the test came from */
	char top[PATH_MAX], agent[PATH_MAX], daemon[PATH_MAX];
	uint64_t agent_id, daemon_id;
};

static inline void bed_skip(void)
{
	const char *why = "needs root";

	if (geteuid() == 0 && kern_supported(&why) == 0)
		return;
	printf("skip: %s\n", why);
	exit(77);
}

static struct bed bed_left; /* what a failed test leaves behind */
static pid_t bed_owner;

static inline void bed_sweep(void)
{
	char path[PATH_MAX];
	int fd;

	if (getpid() != bed_owner || !bed_left.pins[0])
		return;
	(void)kern_release_pins(bed_left.pins);
	(void)rmdir(bed_left.pins);
	(void)cgroup_move(bed_left.home, 0);
	if (snprintf(path, sizeof(path), "%s/cgroup.kill", bed_left.top) < (int)sizeof(path) &&
	    (fd = open(path, O_WRONLY | O_CLOEXEC)) >= 0) {
		(void)!write(fd, "1", 1);
		close(fd);
	}
	for (int i = 0; i < 100 && cgroup_populated(bed_left.top) == 1; i++)
		usleep(20000);
	(void)cgroup_remove(bed_left.agent);
	(void)cgroup_remove(bed_left.daemon);
	(void)cgroup_remove(bed_left.top);
}

static inline void bed_open_with(struct bed *b, struct kern_config cfg)
{
	char root[PATH_MAX], name[64];

	if (!bed_owner) {
		bed_owner = getpid();
		atexit(bed_sweep);
	}
	bed_sweep();
	memset(b, 0, sizeof(*b));
	snprintf(b->pins, sizeof(b->pins), "/tmp/tollgate-kern-%d-XXXXXX", (int)getpid());
	assert_non_null(mkdtemp(b->pins));
	assert_int_equal(cgroup_of_pid(getpid(), b->home), 0);
	assert_int_equal(cgroup_root(root), 0);
	snprintf(name, sizeof(name), "tollgate-kern-%d", (int)getpid());
	assert_int_equal(cgroup_create(root, name, b->top), 0);
	assert_int_equal(cgroup_create(b->top, "agent", b->agent), 0);
	assert_int_equal(cgroup_create(b->top, "daemon", b->daemon), 0);
	assert_int_equal(cgroup_id(b->agent, &b->agent_id), 0);
	assert_int_equal(cgroup_id(b->daemon, &b->daemon_id), 0);
	bed_left = *b;
	assert_int_equal(cgroup_move(b->daemon, 0), 0);
	cfg.pin_dir = b->pins;
	assert_int_equal(kern_open(&cfg, &b->k), 0);
	assert_int_equal(kern_heartbeat(b->k), 0);
	assert_int_equal(kern_daemon_attach(b->k, b->daemon), 0);
}

static inline void bed_open_stale(struct bed *b, uint64_t stale_ns)
{
	bed_open_with(b, (struct kern_config){ .stale_ns = stale_ns });
}

/* A minute: no test depends on how fast the machine is. */
static inline void bed_open(struct bed *b)
{
	bed_open_stale(b, 60ull * 1000 * 1000 * 1000);
}

static inline void bed_close(struct bed *b)
{
	if (b->k)
		assert_int_equal(kern_release(b->k), 0);
	assert_int_equal(cgroup_move(b->home, 0), 0);
	for (int i = 0; i < 100 && cgroup_populated(b->agent) == 1; i++)
		usleep(20000);
	assert_int_equal(cgroup_remove(b->agent), 0);
	assert_int_equal(cgroup_remove(b->daemon), 0);
	assert_int_equal(cgroup_remove(b->top), 0);
	assert_int_equal(rmdir(b->pins), 0);
	bed_left.pins[0] = 0;
}

static inline uint64_t bed_stat(struct bed *b, enum tg_stat s)
{
	uint64_t all[TG_STAT_MAX_];

	assert_int_equal(kern_stats(b->k, all), 0);
	return all[s];
}

/* Runs fn in a child inside the agent's cgroup, with the label when it is not NULL; gives its exit
 * status, or 256 + signal. */
static inline pid_t bed_spawn(struct bed *b, const struct tg_label *label, int (*fn)(void *),
			      void *arg)
{
	int go[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		/* Held until placed and labelled. */
		if (read(go[0], &c, 1) != 1)
			_exit(99);
		_exit(fn(arg));
	}
	close(go[0]);
	assert_int_equal(cgroup_move(b->agent, pid), 0);
	if (label)
		assert_int_equal(kern_scope_label(b->k, pid, label), 0);
	assert_int_equal(write(go[1], "", 1), 1);
	close(go[1]);
	return pid;
}

static inline int bed_wait(pid_t pid)
{
	int st;

	assert_int_equal(waitpid(pid, &st, 0), pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 256 + WTERMSIG(st);
}

static inline int bed_run(struct bed *b, const struct tg_label *label, int (*fn)(void *), void *arg)
{
	return bed_wait(bed_spawn(b, label, fn, arg));
}

/* Waits until the process is stopped (true) or is gone or a zombie (false). */
static inline bool bed_stopped(pid_t pid)
{
	for (int i = 0; i < 500; i++) {
		siginfo_t si = { 0 };

		if (waitid(P_PID, (id_t)pid, &si, WSTOPPED | WEXITED | WNOHANG | WNOWAIT) < 0)
			return false;
		if (si.si_pid)
			return si.si_code == CLD_STOPPED;
		usleep(10000);
	}
	return false;
}

#endif
