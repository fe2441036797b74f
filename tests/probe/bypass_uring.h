/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_PROBE_BYPASS_URING_H
#define TOLLGATE_TESTS_PROBE_BYPASS_URING_H

/* The least of io_uring: one ring for one request. io_uring(7). */
#include <linux/io_uring.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/probe/bypass.h"

#ifndef IORING_OP_SOCKET
#define IORING_OP_SOCKET 45
#endif

/* Its result, or -ENOSYS where there is no io_uring. sqpoll: the kernel's thread submits it. */
static int uring_once(const struct io_uring_sqe *request, int sqpoll)
{
	struct io_uring_params p = { .flags = sqpoll ? IORING_SETUP_SQPOLL : 0, .sq_thread_idle = 1000 };
	int fd = (int)syscall(SYS_io_uring_setup, 2, &p), r = -EIO;
	size_t rings, other;
	struct io_uring_sqe *sqes;
	uint8_t *ring;

	if (fd < 0)
		return errno == EPERM ? -ENOSYS : -errno;
	/* One mapping holds both rings since 5.4. */
	rings = p.sq_off.array + p.sq_entries * sizeof(uint32_t);
	other = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
	rings = rings > other ? rings : other;
	ring = mmap(NULL, rings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd,
		    IORING_OFF_SQES);
	if (ring != MAP_FAILED && sqes != MAP_FAILED) {
		sqes[0] = *request;
		((uint32_t *)(ring + p.sq_off.array))[0] = 0;
		__atomic_store_n((uint32_t *)(ring + p.sq_off.tail), 1, __ATOMIC_RELEASE);
		if (syscall(SYS_io_uring_enter, fd, 1, 1,
			    IORING_ENTER_GETEVENTS | (sqpoll ? IORING_ENTER_SQ_WAKEUP : 0), NULL, 0) >= 0)
			r = ((struct io_uring_cqe *)(ring + p.cq_off.cqes))[0].res;
	}
	close(fd);
	return r;
}

static int uring_result(int r)
{
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

static int uring_connect(int fd, const void *a, socklen_t n, int sqpoll)
{
	struct io_uring_sqe q = { .opcode = IORING_OP_CONNECT, .fd = fd, .addr = (uintptr_t)a, .off = n };

	return uring_result(uring_once(&q, sqpoll));
}

static int uring_socket(int family, int type)
{
	struct io_uring_sqe q = { .opcode = IORING_OP_SOCKET, .fd = family, .off = (unsigned)type };

	/* Kernels before 5.19 do not know it. */
	return uring_result(uring_once(&q, 0));
}

static int uring_write(int fd, const void *p, unsigned n)
{
	struct io_uring_sqe q = { .opcode = IORING_OP_WRITE, .fd = fd, .addr = (uintptr_t)p, .len = n };

	return uring_result(uring_once(&q, 0));
}

static int uring_sendmsg(int fd, const struct msghdr *m)
{
	struct io_uring_sqe q = { .opcode = IORING_OP_SENDMSG, .fd = fd, .addr = (uintptr_t)m, .len = 1 };

	return uring_result(uring_once(&q, 0));
}

#endif
