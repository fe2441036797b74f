// SPDX-License-Identifier: Apache-2.0
/*
 * Who must not go on with a conversation that is not guarded. Runs in the supervisor.
 *
 * Servers that stand still and are nobody's any more: a supervisor before this one died after it had handed their
 * conversation over and before it heard the verdict. What they had read may be denied, and who else was stopped with
 * them died with it, so they are killed, and the wrappers that hold the same descriptors with them.
 *
 * And, where a takeover failed, whoever else has the server's input: a child that it waits for in vfork() would read
 * in its place.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/kern/guard.h"
#include "user/kern/stdio.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"
#include "user/role/sup.h"

#define STRAYS_MAX 256 /* as many takeovers as there may be at once; the next look finds the rest */

struct strays {
	struct supervisor *s;
	pid_t all[STRAYS_MAX];
	unsigned n;
};

/* A new process may have come between two passes; whoever a signal waits for forks no more. */
#define READER_PASSES 8

/* Looked at again once its name cannot pass to another. */
static bool kill_reader(pid_t pid, const struct proc_object *in)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool split;

	return fd >= 0 && proc_holds(pid, in, 1, &split) > 0 &&
	       syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

void sup_stray_kill_readers(struct supervisor *s, mode_t type, uint64_t ino, pid_t host)
{
	struct proc_object in = { .type = type, .ino = ino, .access = O_RDONLY };
	_cleanup_pids_ struct proc_pids killed = { 0 };
	size_t before;
	int pass = 0;

	do {
		_cleanup_pids_ struct proc_pids holders = { 0 };

		before = killed.n;
		if (proc_holders(&in, 1, &holders) < 0)
			return;
		for (size_t i = 0; i < holders.n; i++)
			if (holders.v[i] != host && !proc_pids_has(&killed, holders.v[i]) &&
			    sup_in_scope(s, holders.v[i]) && kill_reader(holders.v[i], &in))
				(void)proc_pids_add(&killed, holders.v[i]);
	} while (killed.n > before && ++pass < READER_PASSES);
}

/* The kernel's list is not changed while it is walked. */
static int collect(pid_t pid, const struct tg_stopped *st, void *arg)
{
	struct strays *found = arg;
	struct tg_stream stream;

	if (st->kind != TG_STOP_STDIO || sup_stdio_accounts_for(found->s, pid) ||
	    kern_stdio_read(found->s->kern, st->stream, &stream) == 0)
		return 0;
	found->all[found->n++] = pid;
	return found->n == STRAYS_MAX;
}

static void kill_stopped(pid_t pid)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct proc_stat st;

	if (fd >= 0 && proc_stat_read(pid, &st) == 0 && st.state == 'T')
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* Whoever stands still with the same input was stopped for the same takeover. */
static void kill_wrappers(pid_t server)
{
	_cleanup_pids_ struct proc_pids holders = { 0 };
	struct proc_object in = { .access = O_RDONLY };
	struct stat st;

	if (proc_fd_stat(server, 0, &st) < 0)
		return;
	in.type = st.st_mode & S_IFMT;
	in.ino = st.st_ino;
	if ((in.type != S_IFIFO && in.type != S_IFSOCK) || proc_holders(&in, 1, &holders) < 0)
		return;
	for (size_t i = 0; i < holders.n; i++)
		if (holders.v[i] != server)
			kill_stopped(holders.v[i]);
}

void sup_stray_kill(struct supervisor *s)
{
	struct strays found = { .s = s };

	(void)kern_stopped_each(s->kern, collect, &found);
	for (unsigned i = 0; i < found.n; i++) {
		pid_t pid = found.all[i];

		if (s->conf.enforcement == CONF_OBSERVE) {
			(void)kern_stopped_continue(s->kern, pid);
			continue;
		}
		log_warn("stdio server pid %d: killed: its takeover was cut short", (int)pid);
		sup_record_node(s, "takeover_lost",
				"a server was killed: the supervisor ended before it heard the verdict");
		kill_wrappers(pid);
		(void)kern_stopped_kill(s->kern, pid);
	}
}
