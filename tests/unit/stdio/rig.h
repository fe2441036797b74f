/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_STDIO_RIG_H
#define TOLLGATE_TEST_STDIO_RIG_H

/* Shared by the takeover tests: a conversation whose relay forwards everything, and looking at processes. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/loop.h"
#include "user/proc/tree.h"
#include "user/stdio/relay.h"
#include "user/stdio/takeover.h"
#include "user/stdio/walk.h"

#define HANG_NS 60000000000ull /* generous: reached only by a test that hangs */
#define RELAYS_MAX 64

struct through {
	struct loop *loop;
	struct stdio_relay *relays[RELAYS_MAX];
	unsigned n, nclosed;
	unsigned long nlines;
	size_t nbytes[2];
};

static void through_line(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct through *t = arg;

	t->nlines++;
	t->nbytes[dir] += n;
	(void)stdio_relay_send(r, dir, p, n);
}

static void through_overlong(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	fail_msg("an over-long line");
}

static void through_eof(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	stdio_relay_finish(r, dir);
}

static void through_closed(struct stdio_relay *r, enum stdio_end end, void *arg)
{
	((struct through *)arg)->nclosed++;
}

static const struct stdio_relay_ops through_ops = { through_line, through_overlong, NULL, through_eof,
						    through_closed, NULL };

static inline void through_open(struct through *t)
{
	*t = (struct through){ 0 };
	assert_int_equal(loop_new(&t->loop), 0);
}

static inline void through_close(struct through *t)
{
	for (unsigned i = 0; i < t->n; i++)
		stdio_relay_free(t->relays[i]);
	loop_free(t->loop);
}

/* Puts a relay behind a takeover that was done; takes its descriptors. */
static inline void through_add(struct through *t, struct stdio_taken *o)
{
	struct stdio_relay_fds fds = { o->orig_in, o->orig_out, o->to_server, o->from_server };

	assert_true(t->n < RELAYS_MAX);
	assert_int_equal(stdio_relay_new(t->loop, &fds, 0, &through_ops, t, &t->relays[t->n]), 0);
	t->n++;
}

static inline char state_of(pid_t pid)
{
	struct proc_stat st;

	return proc_stat_read(pid, &st) == 0 ? st.state : '?';
}

static inline void wait_state(pid_t pid, char state)
{
	uint64_t end = clock_mono_ns() + HANG_NS;

	while (state_of(pid) != state) {
		assert_true(clock_mono_ns() < end);
		usleep(500);
	}
}

/* What the kernel's iterator would find, read from /proc. References that no descriptor stands for do not show here. */
static struct proc_object rig_sought[2]; /* of the last job_for() */

static inline int rig_walk_one(pid_t pid, const struct proc_object *o, struct walk *ret)
{
	_cleanup_pids_ struct proc_pids threads = { 0 };

	(void)proc_threads(pid, &threads);
	for (size_t i = 0; i < threads.n; i++) {
		pid_t tid = threads.v[i];
		struct proc_fd *fds;
		size_t n;

		if (tid != pid && syscall(SYS_kcmp, pid, tid, 2 /* KCMP_FILES */, 0, 0) == 0)
			continue;
		if (proc_fds_find(pid, tid, o, 2, &fds, &n) < 0)
			continue;
		for (size_t k = 0; k < n; k++) {
			assert_true(ret->n < WALK_MAX);
			ret->v[ret->n++] = (struct tg_holding){
				.tgid = (uint32_t)pid, .tid = (uint32_t)tid, .fd = (uint32_t)fds[k].fd,
				.which = fds[k].which, .flags = (uint32_t)fds[k].flags, .table = (uint64_t)tid,
				.file = 1 + fds[k].which + 2 * (uint64_t)(fds[k].flags & ~O_CLOEXEC),
			};
		}
		free(fds);
	}
	return 0;
}

static inline int rig_walk(void *arg, bool everywhere, struct walk *ret)
{
	const struct proc_object *o = rig_sought;
	_cleanup_pids_ struct proc_pids all = { 0 };
	int r = proc_holders(o, 2, &all);

	free(ret->v);
	*ret = (struct walk){ .v = calloc(WALK_MAX, sizeof(*ret->v)) };
	for (size_t i = 0; r >= 0 && i < all.n; i++)
		r = rig_walk_one(all.v[i], o, ret);
	for (size_t i = 0; i < ret->n; i++)
		for (size_t k = 0; k < ret->n; k++)
			ret->v[i].refs += ret->v[k].file == ret->v[i].file;
	return r;
}

/* The job for the server's present standard input and output. */
static inline struct stdio_job job_for(pid_t host, pid_t server)
{
	struct stdio_job j = { .host = host, .root = host, .server = server, .timeout_ms = 20000, .walk = rig_walk };
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)server);
	assert_int_equal(stat(path, &st), 0);
	j.mode0 = st.st_mode;
	j.ino0 = st.st_ino;
	snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)server);
	assert_int_equal(stat(path, &st), 0);
	j.mode1 = st.st_mode;
	j.ino1 = st.st_ino;
	rig_sought[0] = (struct proc_object){ .type = j.mode0 & S_IFMT, .ino = j.ino0, .access = O_RDONLY };
	rig_sought[1] = (struct proc_object){ .type = j.mode1 & S_IFMT, .ino = j.ino1, .access = O_WRONLY };
	return j;
}

/* Takes the server over, checks that it stands still, sets a relay behind it and lets it go. */
static inline void take_and_relay(struct through *t, pid_t host, pid_t server, struct stdio_taken *ret)
{
	struct stdio_job j = job_for(host, server);
	struct stdio_taken o;

	if (stdio_take(&j, &o) != STDIO_DONE)
		fail_msg("takeover: %s: %s", stdio_reason_name(o.reason), o.text);
	assert_false(o.dirty);
	wait_state(server, 'T');
	for (unsigned i = 0; i < o.nholders; i++)
		wait_state(o.holders[i], 'T');
	through_add(t, &o);
	stdio_resume(o.holders, o.nholders);
	if (ret)
		*ret = o;
}

/* Exit code for main() when these tests cannot run here, after saying why; 0 when they can. */
static inline int cannot_run(void)
{
	if (geteuid() != 0) {
		printf("SKIP: needs root (ptrace of other users' processes)\n");
		return 77;
	}
	return 0;
}

#endif
