// SPDX-License-Identifier: Apache-2.0
/*
 * One verb per steering promise: does the named thing from inside a scope and says how it ended. A
 * listener that stands at the other end answers each connection with "<address> <port> <tid>\n" of
 * its record.
 *
 *   probe VERB ADDRESS PORT
 *
 * Exit status 0: steered, the record is right and the peer's name is the one asked for (not mptcp);
 * 1: refused with EPERM; 2: anything else (an errno other than EPERM is printed).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { PROBE_STEERED = 0, PROBE_REFUSED = 1, PROBE_OTHER = 2 };

struct target {
	struct sockaddr_storage a;
	socklen_t len;
	char expect[128];
};

/* address may be "::ffff:a.b.c.d"; the record then tells of a.b.c.d. */
static int probe_target(const char *address, uint16_t port, struct target *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->a;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret->a;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, address, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		ret->len = sizeof(*in);
		snprintf(ret->expect, sizeof(ret->expect), "%s %u %ld\n", address, port,
			 syscall(SYS_gettid));
		return 0;
	}
	if (inet_pton(AF_INET6, address, &in6->sin6_addr) != 1)
		return -EINVAL;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	ret->len = sizeof(*in6);
	snprintf(ret->expect, sizeof(ret->expect), "%s %u %ld\n",
		 IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? address + strlen("::ffff:") : address,
		 port, syscall(SYS_gettid));
	return 0;
}

static int probe_failed(const char *what)
{
	if (errno == EPERM)
		return PROBE_REFUSED;
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	return PROBE_OTHER;
}

/* Reads the answer on a connected socket and compares it. */
static int probe_record(int fd, const struct target *t)
{
	char line[128] = "";
	size_t have = 0;

	while (have < sizeof(line) - 1 && !strchr(line, '\n')) {
		ssize_t n = read(fd, line + have, sizeof(line) - 1 - have);

		if (n <= 0)
			break;
		have += (size_t)n;
		line[have] = 0;
	}
	if (strcmp(line, t->expect) == 0)
		return PROBE_STEERED;
	fprintf(stderr, "probe: answer '%s', not '%s'\n", line, t->expect);
	return PROBE_OTHER;
}

/* The same, and the peer's name is the one that was asked for. */
static int probe_answer(int fd, const struct target *t)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return probe_failed("getpeername");
	if (len != t->len || memcmp(&peer, &t->a, len) != 0) {
		fprintf(stderr, "probe: another peer name than asked for\n");
		return PROBE_OTHER;
	}
	return probe_record(fd, t);
}

static int probe_stream(const struct target *t, int protocol,
			int (*check)(int fd, const struct target *t))
{
	int r, fd = socket(t->a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return probe_failed("socket");
	if (connect(fd, (const struct sockaddr *)&t->a, t->len) < 0)
		r = probe_failed("connect");
	else
		r = check(fd, t);
	close(fd);
	return r;
}

static int verb_connect(const struct target *t)
{
	return probe_stream(t, 0, probe_answer);
}

/* The programs see the subflow, so the peer's name stays the real one. */
static int verb_mptcp(const struct target *t)
{
	return probe_stream(t, IPPROTO_MPTCP, probe_record);
}

static int verb_nonblock(const struct target *t)
{
	int r, fd = socket(t->a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t len = sizeof(error);

	if (connect(fd, (const struct sockaddr *)&t->a, t->len) < 0 && errno != EINPROGRESS) {
		r = probe_failed("connect");
	} else {
		(void)poll(&p, 1, 5000);
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		(void)fcntl(fd, F_SETFL, 0);
		errno = error;
		r = error ? probe_failed("connect") : probe_answer(fd, t);
	}
	close(fd);
	return r;
}

/* Fast open: the connection is made by sendto(). */
static int verb_fastopen(const struct target *t)
{
	int r, fd = socket(t->a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (sendto(fd, "x", 1, MSG_FASTOPEN, (const struct sockaddr *)&t->a, t->len) < 0)
		r = probe_failed("sendto");
	else
		r = probe_answer(fd, t);
	close(fd);
	return r;
}

/* A socket that is connected, dissolved, and connected elsewhere has the second record. */
static int verb_reconnect(const struct target *t)
{
	struct sockaddr_storage other = t->a;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int r, fd = socket(t->a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* The port lies at the same place in both families' addresses. */
	((struct sockaddr_in *)&other)->sin_port = htons(1);
	if (connect(fd, (struct sockaddr *)&other, t->len) < 0 ||
	    connect(fd, &none, sizeof(none)) < 0 ||
	    connect(fd, (const struct sockaddr *)&t->a, t->len) < 0)
		r = probe_failed("connect");
	else
		r = probe_answer(fd, t);
	close(fd);
	return r;
}

/* Connected datagrams; 0 means that connect() passed. */
static int verb_udp(const struct target *t)
{
	int fd = socket(t->a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = PROBE_STEERED;

	if (connect(fd, (const struct sockaddr *)&t->a, t->len) < 0)
		r = probe_failed("connect");
	close(fd);
	return r;
}

/* Reads an answer to a datagram, which must come from where it was sent. */
static int probe_reply(int fd, const struct target *t)
{
	struct timeval wait = { 5, 0 };
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	char text[8];

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &len) != 5 || memcmp(text, "reply", 5) != 0)
		return probe_failed("recvfrom");
	if (len == t->len && memcmp(&from, &t->a, len) == 0)
		return PROBE_STEERED;
	fprintf(stderr, "probe: the answer came from another address\n");
	return PROBE_OTHER;
}

/* A question to a name server by sendto(). */
static int verb_ask(const struct target *t)
{
	int r, fd = socket(t->a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (sendto(fd, "ask", 3, 0, (const struct sockaddr *)&t->a, t->len) < 0)
		r = probe_failed("sendto");
	else
		r = probe_reply(fd, t);
	close(fd);
	return r;
}

/* The same on a connected socket, whose peer has its name too. */
static int verb_ask_connected(const struct target *t)
{
	struct sockaddr_storage peer = { 0 };
	socklen_t len = sizeof(peer);
	int r, fd = socket(t->a.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)&t->a, t->len) < 0 || send(fd, "ask", 3, 0) < 0)
		r = probe_failed("connect");
	else if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || memcmp(&peer, &t->a, len) != 0)
		r = PROBE_OTHER;
	else
		r = probe_reply(fd, t);
	close(fd);
	return r;
}

static const struct {
	const char *name;
	int (*fn)(const struct target *t);
} probe_verbs[] = {
	{ "connect", verb_connect },
	{ "nonblock", verb_nonblock },
	{ "fastopen", verb_fastopen },
	{ "mptcp", verb_mptcp },
	{ "reconnect", verb_reconnect },
	{ "udp", verb_udp },
	{ "ask", verb_ask },
	{ "ask-connected", verb_ask_connected },
};

static int probe_run(const char *verb, const char *address, unsigned port)
{
	struct target t;

	if (port > 65535 || probe_target(address, (uint16_t)port, &t) < 0) {
		fprintf(stderr, "probe: no such address or port\n");
		return PROBE_OTHER;
	}
	for (size_t i = 0; i < sizeof(probe_verbs) / sizeof(probe_verbs[0]); i++)
		if (strcmp(verb, probe_verbs[i].name) == 0)
			return probe_verbs[i].fn(&t);
	fprintf(stderr, "probe: no verb '%s'\n", verb);
	return PROBE_OTHER;
}

#ifndef PROBE_NO_MAIN
int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: probe VERB ADDRESS PORT\n");
		return PROBE_OTHER;
	}
	return probe_run(argv[1], argv[2], (unsigned)strtoul(argv[3], NULL, 10));
}
#endif
