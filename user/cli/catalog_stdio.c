// SPDX-License-Identifier: Apache-2.0
/*
 * A stdio server under scan: started as a host starts one, with pipes, in a process group of its
 * own so that whatever it leaves behind can be ended with it.
 */
#include "user/cli/catalog_live.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/proc/tree.h"

#define END_MS 2000 /* after its input closed; then it is told, then made */
#define READ_SIZE 65536

struct stdio_io {
	struct live_io io; /* first */
	pid_t pid;
	int in, out; /* our ends: its standard input and output */
	struct buf buf;
	size_t seen; /* bytes of buf without newline */
};

static int io_send(struct live_io *io, struct span message, const char *method, bool request)
{
	struct stdio_io *s = (struct stdio_io *)io;
	int r = fd_write_all(s->in, message.p, message.n);

	return r < 0 ? r : fd_write_all(s->in, "\n", 1);
}

static int line_take(struct stdio_io *s, struct buf *message)
{
	struct span all = buf_span(&s->buf);
	const char *nl = all.n > s->seen ? memchr(all.p + s->seen, '\n', all.n - s->seen) : NULL;
	size_t n;
	int r;

	if (!nl) {
		s->seen = all.n;
		return 0;
	}
	n = (size_t)(nl - all.p);
	r = buf_append(message, all.p, n);
	buf_consume(&s->buf, n + 1);
	s->seen = 0;
	return r < 0 ? r : 1;
}

static int io_recv(struct live_io *io, int timeout_ms, struct buf *message)
{
	struct stdio_io *s = (struct stdio_io *)io;
	uint64_t start = clock_mono_ns();
	struct pollfd p = { .fd = s->out, .events = POLLIN };
	ssize_t n;
	char *dst;
	int r;

	for (;;) {
		r = line_take(s, message);
		if (r != 0)
			return r < 0 ? r : 0;
		r = poll(&p, 1, live_left(start, timeout_ms));
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		r = buf_reserve(&s->buf, READ_SIZE, &dst);
		if (r < 0)
			return r;
		n = read(s->out, dst, READ_SIZE);
		if (n == 0)
			return -EPIPE;
		if (n < 0 && errno != EINTR)
			return -errno;
		buf_commit(&s->buf, n > 0 ? (size_t)n : 0);
	}
}

/* The server is the last of the chain (npx, sh -c, node ...) that has our pipe as its input: of
 * those without such a child the one that began last. */
static int io_identify(struct live_io *io, struct proc_identity *ret)
{
	struct stdio_io *s = (struct stdio_io *)io;
	_cleanup_pids_ struct proc_pids all = { 0 };
	struct proc_stat best = { 0 }, st;
	char path[64], want[64], got[64];
	pid_t found = 0;
	struct stat ours;
	ssize_t n;
	int r;

	if (fstat(s->in, &ours) < 0)
		return -errno;
	snprintf(want, sizeof(want), "pipe:[%llu]", (unsigned long long)ours.st_ino);
	r = proc_descendants(s->pid, &all);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)all.v[i]);
		n = readlink(path, got, sizeof(got) - 1);
		got[n > 0 ? n : 0] = '\0';
		if (strcmp(got, want) != 0 || proc_stat_read(all.v[i], &st) < 0)
			continue;
		if (!found || proc_is_below(all.v[i], found) || st.start_ticks > best.start_ticks) {
			found = all.v[i];
			best = st;
		}
	}
	return found ? proc_identity_read(found, ret) : -ESRCH;
}

/* True when the process ended within the time. */
static bool ended(pid_t pid, int timeout_ms)
{
	uint64_t start = clock_mono_ns();

	for (;;) {
		pid_t r = waitpid(pid, NULL, WNOHANG);

		if (r == pid || (r < 0 && errno == ECHILD))
			return true;
		if (live_left(start, timeout_ms) == 0)
			return false;
		usleep(10000);
	}
}

static void io_close(struct live_io *io)
{
	struct stdio_io *s = (struct stdio_io *)io;

	close(s->in);
	close(s->out);
	if (!ended(s->pid, END_MS)) {
		kill(-s->pid, SIGTERM);
		if (!ended(s->pid, END_MS)) {
			kill(-s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
	}
	kill(-s->pid, SIGKILL); /* what it left behind in its group */
	buf_done(&s->buf);
	free(s);
}

static void become(char **argv, int in, int out)
{
	setpgid(0, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	close_range(3, ~0u, 0);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

int live_stdio_open(char **argv, struct live_io **ret)
{
	_cleanup_free_ struct stdio_io *s = calloc(1, sizeof(*s));
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, r;

	if (!s)
		return -ENOMEM;
	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		close(in[0]);
		close(in[1]);
		return r;
	}
	signal(SIGPIPE, SIG_IGN);
	s->pid = fork();
	if (s->pid == 0)
		become(argv, in[0], out[1]);
	r = s->pid < 0 ? -errno : 0;
	close(in[0]);
	close(out[1]);
	if (r < 0) {
		close(in[1]);
		close(out[0]);
		return r;
	}
	setpgid(s->pid, s->pid);
	s->in = in[1];
	s->out = out[0];
	s->buf.limit = LIVE_MESSAGE_MAX + READ_SIZE;
	s->io = (struct live_io){ .send = io_send, .recv = io_recv, .identify = io_identify, .close = io_close };
	*ret = &take_ptr(s)->io;
	return 0;
}
