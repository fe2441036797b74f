// SPDX-License-Identifier: Apache-2.0
/*
 * System calls of the relay. O_NONBLOCK belongs to the description, and that may be shared with the host
 * or the server, so: MSG_DONTWAIT on sockets; pipes as they come when the takeover reopened them
 * non-blocking; else RWF_NOWAIT, which pipes know since Linux 6.4.
 */
#include "user/stdio/relay_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of one drain; a peer that keeps writing has been shut out by then. */
#define DRAIN_ROUNDS 64

static bool nowait_works(void)
{
	static int known = -1;
	struct iovec v;
	char byte;
	int fd[2];

	if (known >= 0)
		return known;
	if (pipe2(fd, O_CLOEXEC) < 0)
		return false;
	v = (struct iovec){ &byte, 1 };
	known = preadv2(fd[0], &v, 1, -1, RWF_NOWAIT) < 0 && errno == EAGAIN;
	close(fd[0]);
	close(fd[1]);
	return known;
}

int relay_io_init(struct relay_io *io, int fd)
{
	struct relay_io made = { .fd = fd };
	struct stat st;
	int flags;

	if (fstat(fd, &st) < 0)
		return -errno;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -errno;
	if (S_ISSOCK(st.st_mode))
		made.how = RELAY_IO_SOCKET;
	else if (!S_ISFIFO(st.st_mode))
		return -EINVAL;
	else if (flags & O_NONBLOCK)
		made.how = RELAY_IO_NONBLOCK;
	else if (nowait_works())
		made.how = RELAY_IO_NOWAIT;
	else
		return -EOPNOTSUPP;
	*io = made;
	return 0;
}

ssize_t relay_io_read(struct relay_io *io, char *p, size_t n)
{
	struct iovec v = { p, n };
	ssize_t got;

	do {
		switch (io->how) {
		case RELAY_IO_SOCKET:
			got = recv(io->fd, p, n, MSG_DONTWAIT);
			break;
		case RELAY_IO_NONBLOCK:
			got = read(io->fd, p, n);
			break;
		default:
			got = preadv2(io->fd, &v, 1, -1, RWF_NOWAIT);
		}
	} while (got < 0 && errno == EINTR);
	if (got >= 0)
		return got;
	return errno == ECONNRESET || errno == EPIPE ? 0 : -errno;
}

ssize_t relay_io_write(struct relay_io *io, const char *p, size_t n)
{
	struct iovec v = { (void *)(uintptr_t)p, n };
	ssize_t put;

	do {
		switch (io->how) {
		case RELAY_IO_SOCKET:
			put = send(io->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
			break;
		case RELAY_IO_NONBLOCK:
			put = write(io->fd, p, n);
			break;
		default:
			put = pwritev2(io->fd, &v, 1, -1, RWF_NOWAIT);
		}
	} while (put < 0 && errno == EINTR);
	if (put >= 0)
		return put;
	if (errno == EAGAIN)
		return 0;
	return errno == ECONNRESET ? -EPIPE : -errno;
}

void relay_io_end_out(struct relay_io *io)
{
	(void)shutdown(io->fd, SHUT_WR);
}

void relay_io_close_in(struct relay_io *io)
{
	char sink[4096];

	if (io->fd < 0)
		return;
	if (io->how == RELAY_IO_SOCKET) {
		(void)shutdown(io->fd, SHUT_RD);
		for (int i = 0; i < DRAIN_ROUNDS && recv(io->fd, sink, sizeof(sink), MSG_DONTWAIT) > 0; i++)
			;
	}
	close(io->fd);
	io->fd = -1;
}

void relay_io_close_out(struct relay_io *io)
{
	if (io->fd < 0)
		return;
	/* The description may live on in a second descriptor (one socket for both directions). */
	if (io->how == RELAY_IO_SOCKET)
		(void)shutdown(io->fd, SHUT_WR);
	close(io->fd);
	io->fd = -1;
}
