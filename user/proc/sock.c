// SPDX-License-Identifier: Apache-2.0
/*
 * Who listens. Runs in the supervisor when a proxy asks who owns a loopback server.
 */
#include "user/proc/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"

#define TCP_TABLE_MAX (64u << 20) /* 150 bytes a line: 400,000 listening sockets of one namespace */
#define TCP_READ 16384
#define LISTENERS_MAX 16
#define STATE_LISTEN 0x0a

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

struct tcp_line {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	uint32_t uid;
	uint64_t ino;
};

/* n bytes of address: 32-bit words, each printed as a number of this machine's byte order. */
static bool parse_addr(struct span *s, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < n; i += 4) {
		struct span word = { s->p, 8 };
		uint64_t v;
		uint32_t w;

		if (s->n < 8 || !proc_number(&word, 16, &v) || word.n > 0)
			return false;
		w = (uint32_t)v;
		memcpy(ret + i, &w, 4);
		s->p += 8;
		s->n -= 8;
	}
	return true;
}

static bool skip(struct span *s, char c)
{
	if (s->n == 0 || *s->p != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

static void skip_words(struct span *s, unsigned n)
{
	proc_skip_blanks(s);
	while (n--) {
		const char *blank = memchr(s->p, ' ', s->n);
		size_t len = blank ? (size_t)(blank - s->p) : s->n;

		s->p += len;
		s->n -= len;
		proc_skip_blanks(s);
	}
}

/* "  SL: LOCAL:PORT REMOTE:PORT ST TX:RX TR:WHEN RETRANS UID TIMEOUT INODE ..."; listening ones only. */
static bool parse_line(struct span s, int family, struct tcp_line *ret)
{
	uint64_t port, state, uid;

	memcpy(ret->addr, mapped_prefix, sizeof(mapped_prefix));
	skip_words(&s, 1);
	if (!(family == AF_INET ? parse_addr(&s, 4, ret->addr + 12) : parse_addr(&s, 16, ret->addr)) ||
	    !skip(&s, ':') || !proc_number(&s, 16, &port) || port > UINT16_MAX)
		return false;
	skip_words(&s, 1);
	if (!proc_number(&s, 16, &state) || state != STATE_LISTEN)
		return false;
	skip_words(&s, 3);
	if (!proc_number(&s, 10, &uid) || uid > UINT32_MAX)
		return false;
	skip_words(&s, 1);
	ret->port = (uint16_t)port;
	ret->uid = (uint32_t)uid;
	return proc_number(&s, 10, &ret->ino) && ret->ino != 0;
}

static bool is_any(const uint8_t addr[16], int family)
{
	static const uint8_t zero[16];

	return family == AF_INET ? memcmp(addr + 12, zero, 4) == 0 : memcmp(addr, zero, 16) == 0;
}

/* As the kernel scores listeners (inet_lhash2_lookup); 0: does not accept for addr. */
static unsigned rank_of(const struct tcp_line *t, int family, const uint8_t addr[16])
{
	bool v4 = memcmp(addr, mapped_prefix, sizeof(mapped_prefix)) == 0;

	if (memcmp(t->addr, addr, 16) == 0)
		return family == AF_INET ? 4 : 3;
	if (!is_any(t->addr, family))
		return 0;
	if (family == AF_INET)
		return v4 ? 2 : 0;
	return 1;
}

/* A line of a socket that does not listen; the heading says nothing. */
static bool beyond_listeners(struct span s)
{
	uint64_t state;

	skip_words(&s, 3);
	return proc_number(&s, 16, &state) && state != STATE_LISTEN;
}

int proc_listener_scan(const char *text, size_t n, int family, const uint8_t addr[16], uint16_t port,
		       unsigned *rank, struct proc_listener *list, unsigned have, unsigned max)
{
	struct span s = { text, n };

	while (s.n > 0) {
		const char *nl = memchr(s.p, '\n', s.n);
		size_t len = nl ? (size_t)(nl - s.p) : s.n;
		struct tcp_line t;
		unsigned of;

		if (parse_line((struct span){ s.p, len }, family, &t) && t.port == port) {
			of = rank_of(&t, family, addr);
			if (of > *rank) {
				*rank = of;
				have = 0;
			}
			if (of == *rank && of > 0) {
				if (have == max)
					return -E2BIG;
				list[have++] = (struct proc_listener){ .ino = t.ino,
								       .uid = t.uid,
								       .family = family };
			}
		}
		if (!nl)
			break;
		s.p += len + 1;
		s.n -= len + 1;
	}
	return (int)have;
}

/* The kernel lists all listening sockets before the others, of which there may be very many: they are not read. */
static int read_listeners(int fd, struct buf *ret)
{
	for (;;) {
		struct span all = buf_span(ret), last;
		const char *end = all.n ? memrchr(all.p, '\n', all.n) : NULL, *begin;
		ssize_t n;
		char *to;
		int r;

		if (end) {
			begin = memrchr(all.p, '\n', (size_t)(end - all.p));
			begin = begin ? begin + 1 : all.p;
			last = (struct span){ begin, (size_t)(end - begin) };
			if (beyond_listeners(last))
				return 0;
		}
		if (all.n > TCP_TABLE_MAX)
			return -EFBIG;
		r = buf_reserve(ret, TCP_READ, &to);
		if (r < 0)
			return r;
		n = read(fd, to, TCP_READ);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			buf_commit(ret, (size_t)n);
	}
}

int proc_listener_find(pid_t ns_pid, const uint8_t addr[16], uint16_t port, struct proc_listener *ret)
{
	static const struct {
		const char *name;
		int family;
	} tables[] = { { "net/tcp", AF_INET }, { "net/tcp6", AF_INET6 } };
	struct proc_listener list[LISTENERS_MAX];
	unsigned rank = 0;
	int have = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tables) && have >= 0; i++) {
		_cleanup_close_ int fd = proc_open(ns_pid, tables[i].name, O_RDONLY);
		_cleanup_buf_ struct buf text = { 0 };
		int r;

		if (fd == -ESRCH && i > 0)
			break; /* no IPv6 */
		if (fd < 0)
			return fd;
		r = read_listeners(fd, &text);
		if (r < 0)
			return r;
		have = proc_listener_scan(buf_span(&text).p, buf_len(&text), tables[i].family, addr,
					  port, &rank, list, (unsigned)have, LISTENERS_MAX);
	}
	if (have < 0)
		return have == -E2BIG ? -ENOTUNIQ : have;
	if (have == 0)
		return -ENOENT;
	if (have > 1)
		return -ENOTUNIQ;
	*ret = list[0];
	return 0;
}

static int read_cookie(pid_t pid, const struct proc_object *o, uint64_t *ret)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	_cleanup_free_ struct proc_fd *fds = NULL;
	_cleanup_close_ int fd = -1;
	socklen_t len = sizeof(*ret);
	size_t n;
	int r;

	if (pidfd < 0)
		return -errno;
	r = proc_fds_find(pid, pid, o, 1, &fds, &n);
	if (r < 0 || n == 0)
		return r < 0 ? r : -ESRCH;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, fds[0].fd, 0);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret, &len) < 0)
		return -errno;
	return 0;
}

static bool same_program(const struct proc_identity *a, const struct proc_identity *b)
{
	return a->uid == b->uid && a->exe_measured && b->exe_measured &&
	       memcmp(a->exe_digest, b->exe_digest, SHA256_SIZE) == 0 &&
	       a->script_measured == b->script_measured && strcmp(a->script, b->script) == 0 &&
	       memcmp(a->script_digest, b->script_digest, SHA256_SIZE) == 0;
}

int proc_listener_holder(struct proc_listener *l, struct proc_identity *ret_owner)
{
	_cleanup_free_ struct proc_identity *id = calloc(2, sizeof(*id));
	struct proc_object o = { .type = S_IFSOCK, .ino = l->ino, .access = -1 };
	_cleanup_pids_ struct proc_pids holders = { 0 };
	unsigned owners = 0;
	int r;

	if (!id)
		return -ENOMEM;
	r = proc_holders(&o, 1, &holders);
	for (size_t i = 0; r == 0 && i < holders.n; i++) {
		/* Socket activation: the service manager keeps a copy and never accepts on it. */
		if (holders.v[i] == 1 && holders.n > 1)
			continue;
		r = proc_identity_read(holders.v[i], owners ? &id[1] : &id[0]);
		if (r == -ESRCH) {
			r = 0;
			continue;
		}
		if (r == 0 && owners++ > 0 && !same_program(&id[0], &id[1]))
			r = -ENOTUNIQ;
	}
	if (r < 0)
		return r;
	if (owners == 0)
		return -ESRCH;
	r = read_cookie(id[0].pid, &o, &l->cookie);
	if (r == 0)
		*ret_owner = id[0];
	return r;
}

int proc_listener_held_by(struct proc_listener *l, pid_t pid, struct proc_identity *ret_owner)
{
	struct proc_object o = { .type = S_IFSOCK, .ino = l->ino, .access = -1 };
	int r = proc_identity_read(pid, ret_owner);

	return r < 0 ? r : read_cookie(pid, &o, &l->cookie);
}

int proc_listener_owner(pid_t ns_pid, const uint8_t addr[16], uint16_t port, struct proc_listener *ret,
			struct proc_identity *ret_owner)
{
	int r = proc_listener_find(ns_pid, addr, port, ret);

	return r < 0 ? r : proc_listener_holder(ret, ret_owner);
}
