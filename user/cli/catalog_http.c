// SPDX-License-Identifier: Apache-2.0
/*
 * A Streamable HTTP server under scan: one POST per message, each on a connection of its own,
 * answered by JSON or by an event stream. Plain http only. The HTTP that is read here is a
 * server's, so every size has a limit.
 */
#include "user/cli/catalog_live.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/cli/catalog_http_body.h"
#include "user/mcp/catalog.h"
#include "user/proc/sock.h"

#define CONNECT_MS 10000
#define ANSWER_MS 10000 /* to a notification or an answer of ours */
#define READ_SIZE 65536

struct http_io {
	struct live_io io; /* first */
	char host[256], path[1024];
	uint16_t port;
	pid_t owner;
	struct in6_addr peer; /* of the last connection */
	char session[256];
	int fd; /* of the request whose answer is being read, or -1 */
	struct http_body body;
};

static int fail(struct http_io *h, int r, const char *what)
{
	snprintf(h->io.err, sizeof(h->io.err), "%s", what);
	return r;
}

static int wait_for(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = poll(&p, 1, timeout_ms);

	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static void note_peer(struct http_io *h, const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET6) {
		h->peer = ((const struct sockaddr_in6 *)sa)->sin6_addr;
		return;
	}
	memset(&h->peer, 0, sizeof(h->peer));
	h->peer.s6_addr[10] = h->peer.s6_addr[11] = 0xff;
	memcpy(h->peer.s6_addr + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
}

static int connect_one(struct http_io *h, const struct addrinfo *a)
{
	_cleanup_close_ int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	int e = 0, r;

	if (fd < 0)
		return -errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		r = wait_for(fd, POLLOUT, CONNECT_MS);
		if (r < 0)
			return r;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0 || e)
			return e ? -e : -errno;
	}
	/* the requests are small; a blocking socket keeps the writer simple */
	if (fcntl(fd, F_SETFL, 0) < 0)
		return -errno;
	note_peer(h, a->ai_addr);
	return take_fd(fd);
}

static int connect_host(struct http_io *h)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
	char port[8];
	int r;

	snprintf(port, sizeof(port), "%u", h->port);
	r = getaddrinfo(h->host, port, &hints, &list);
	if (r != 0)
		return fail(h, -EHOSTUNREACH, gai_strerror(r));
	r = -EHOSTUNREACH;
	for (struct addrinfo *a = list; a && r < 0; a = a->ai_next)
		r = connect_one(h, a);
	freeaddrinfo(list);
	return r;
}

static int write_head(struct http_io *h, const char *verb, size_t length, const char *method, struct buf *b)
{
	const char *bracket = strchr(h->host, ':') ? "[" : "", *end = bracket[0] ? "]" : "";
	int r = buf_printf(b, "%s %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nConnection: close\r\n"
			   "Accept: application/json, text/event-stream\r\nAccept-Encoding: identity\r\n",
			   verb, h->path, bracket, h->host, end, h->port);

	if (r == 0 && strcmp(verb, "POST") == 0)
		r = buf_printf(b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", length);
	if (r == 0 && h->session[0])
		r = buf_printf(b, "Mcp-Session-Id: %s\r\n", h->session);
	if (r == 0 && h->io.version[0])
		r = buf_printf(b, "MCP-Protocol-Version: %s\r\n", h->io.version);
	if (r == 0 && h->io.modern && method)
		r = buf_printf(b, "Mcp-Method: %s\r\n", method);
	return r < 0 ? r : buf_append_str(b, "\r\n");
}

/* Sends one request on a new connection and reads the answer's head. */
static int exchange(struct http_io *h, const char *verb, struct span message, const char *method,
		    int timeout_ms, int *ret_fd, struct http_body *body)
{
	_cleanup_buf_ struct buf out = { 0 };
	uint64_t start = clock_mono_ns();
	_cleanup_close_ int fd = -1;
	int r;

	r = write_head(h, verb, message.n, method, &out);
	if (r == 0)
		r = buf_append(&out, message.p, message.n);
	if (r < 0)
		return r;
	fd = connect_host(h);
	if (fd < 0)
		return fd;
	r = fd_write_all(fd, out.data, buf_len(&out));
	if (r < 0)
		return r;
	http_body_init(body);
	while (!body->head_done) {
		r = wait_for(fd, POLLIN, live_left(start, timeout_ms));
		if (r == 0)
			r = http_body_read(body, fd);
		if (r < 0)
			return fail(h, r, body->fault ? body->fault : strerror(-r));
	}
	*ret_fd = take_fd(fd);
	return 0;
}

static void learn_session(struct http_io *h, const struct http_body *body)
{
	if (body->session[0])
		snprintf(h->session, sizeof(h->session), "%s", body->session);
}

static void drop(struct http_io *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
	http_body_done(&h->body);
}

static int io_send(struct live_io *io, struct span message, const char *method, bool request)
{
	struct http_io *h = (struct http_io *)io;
	struct http_body other = { 0 };
	int fd = -1, r;

	h->io.err[0] = '\0';
	if (request)
		drop(h);
	r = exchange(h, "POST", message, method, request ? h->io.timeout_ms : ANSWER_MS, &fd,
		     request ? &h->body : &other);
	if (r == 0 && request) {
		h->fd = fd;
		learn_session(h, &h->body);
		/* an error status may carry the JSON-RPC error that tells the eras apart */
		if (h->body.status >= 300 && !h->body.json) {
			snprintf(h->io.err, sizeof(h->io.err), "HTTP status %d", h->body.status);
			return -EPROTO;
		}
		return 0;
	}
	if (r == 0 && other.status >= 300) {
		snprintf(h->io.err, sizeof(h->io.err), "HTTP status %d", other.status);
		r = -EPROTO;
	}
	if (fd >= 0)
		close(fd);
	http_body_done(&other);
	return r;
}

static int io_recv(struct live_io *io, int timeout_ms, struct buf *message)
{
	struct http_io *h = (struct http_io *)io;
	uint64_t start = clock_mono_ns();
	int r;

	if (h->fd < 0)
		return -EPIPE;
	for (;;) {
		r = http_body_message(&h->body, message);
		if (r != 0)
			return r < 0 ? r : 0;
		if (h->body.ended)
			return -EPIPE;
		r = wait_for(h->fd, POLLIN, live_left(start, timeout_ms));
		if (r == 0)
			r = http_body_read(&h->body, h->fd);
		if (r == -ETIMEDOUT)
			return r;
		if (r < 0)
			return fail(h, r, h->body.fault ? h->body.fault : strerror(-r));
	}
}

static bool is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_V4MAPPED(a) && a->s6_addr[12] == 127);
}

/* -ENOENT: another machine's server has no identity here. */
static int io_identify(struct live_io *io, struct proc_identity *ret)
{
	struct http_io *h = (struct http_io *)io;
	struct proc_listener l;

	if (h->owner)
		return proc_identity_read(h->owner, ret);
	if (!is_loopback(&h->peer))
		return -ENOENT;
	return proc_listener_owner(getpid(), h->peer.s6_addr, h->port, &l, ret) < 0 ?
		fail(h, -ESRCH, "the owner of the listening socket is not clear; name it with --pid") : 0;
}

static void io_close(struct live_io *io)
{
	struct http_io *h = (struct http_io *)io;
	struct http_body body = { 0 };
	int fd = -1;

	drop(h);
	if (h->session[0] && exchange(h, "DELETE", (struct span){ NULL, 0 }, NULL, ANSWER_MS, &fd, &body) == 0)
		close(fd);
	http_body_done(&body);
	free(h);
}

int live_http_open(const char *url, pid_t owner, struct live_io **ret, char err[LIVE_ERROR_MAX])
{
	_cleanup_free_ struct http_io *h = calloc(1, sizeof(*h));
	struct catalog_server s = { 0 };
	const char *fault;

	if (!h)
		return -ENOMEM;
	fault = catalog_url_parse(span_of(url), &s);
	if (!fault && s.tls)
		fault = "https is not supported here";
	if (!fault && (s.host.n >= sizeof(h->host) || s.path.n >= sizeof(h->path)))
		fault = "url is too long";
	if (fault) {
		snprintf(err, LIVE_ERROR_MAX, "%s", fault);
		return -EINVAL;
	}
	memcpy(h->host, s.host.p, s.host.n);
	memcpy(h->path, s.path.p, s.path.n);
	h->port = s.port;
	h->owner = owner;
	h->fd = -1;
	h->io = (struct live_io){ .send = io_send, .recv = io_recv, .identify = io_identify, .close = io_close };
	*ret = &take_ptr(h)->io;
	return 0;
}
