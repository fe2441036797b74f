/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_STDIO_RELAY_IO_H
#define TOLLGATE_STDIO_RELAY_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Non-blocking input and output on a descriptor whose flags are not ours to change. */
struct relay_io {
	int fd; /* -1 when closed */
	enum { RELAY_IO_SOCKET, RELAY_IO_NONBLOCK, RELAY_IO_NOWAIT } how;
};

/* Takes fd on success. -EOPNOTSUPP: a blocking pipe and no RWF_NOWAIT for pipes. -EINVAL: neither pipe
 * nor stream socket. */
int relay_io_init(struct relay_io *io, int fd);

/* Bytes read; 0 at end of input, which includes a connection that its peer broke off; -EAGAIN; -errno. */
ssize_t relay_io_read(struct relay_io *io, char *p, size_t n);

/* Bytes written, 0 when there is no room; -EPIPE the receiver is gone; -errno. */
ssize_t relay_io_write(struct relay_io *io, const char *p, size_t n);

/* For sockets: the receiver sees end of input, the descriptor stays. */
void relay_io_end_out(struct relay_io *io);

/* Closes so that the peer's next write fails as if the program behind us had closed: a socket is shut and
 * drained first, else its peer would meet a reset instead of a broken pipe. */
void relay_io_close_in(struct relay_io *io);
void relay_io_close_out(struct relay_io *io);

#endif
