/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_PROBE_BYPASS_H
#define TOLLGATE_TESTS_PROBE_BYPASS_H

/* What the verbs of the ways out share. Each tries one row of tests/probe/rows and says how it ended. */
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BYPASS_WIRE "wire0"
#define BYPASS_WIRE_ADDRESS "10.77.0.1"
#define BYPASS_WIRE_PEER "10.77.0.2"
#define BYPASS_WIRE_BEHIND "10.77.0.3"
#define BYPASS_WIRE_PORT 7703 /* the peer connects to it on our side of the wire, again and again */

enum bypass {
	BYPASS_THROUGH = 10, /* it got out */
	BYPASS_REFUSED,
	BYPASS_ABSENT, /* this kernel or machine has no such way */
	BYPASS_ODD, /* something else went wrong, printed */
};

/* What stands outside of the scope, made by an outsider before; the verbs are run in a child of who made it. */
struct bypass_stage {
	uint16_t port; /* the outsider's TCP and UDP sinks, on 127.0.0.1 and ::1: a connection is sent "sink\n" */
	uint16_t barred; /* a listener's port that nobody has bound */
	int early_tcp; /* connected to the sink */
	int early_fresh; /* TCP, not connected */
	int early_udp; /* not connected */
	int udp_seen; /* outsiders write a byte here for each datagram, and packet with a route; not blocking */
	pid_t outsider; /* of the user that the verb is run as */
	char path[108], abstract[107], dgram[108]; /* its UNIX sockets; path hands out a connection to the sink */
	char cgroup[4096]; /* outside, where it lives */
	char pin[4096]; /* of a map that only the test needs */
	char below[4096]; /* a cgroup below the scope's */
	int ask; /* socket to the outsider, older than the scope; see bypass_ask() */
	int wire; /* whether there is an interface BYPASS_WIRE with a peer behind it */
	const void *word; /* an address that the outsider has as well */
};

struct bypass_verb {
	const char *id;
	enum bypass (*fn)(const struct bypass_stage *s);
	int root; /* without the fence, root alone can */
};

/* What errno means for a call that should get out. */
static inline enum bypass bypass_failed(const char *what)
{
	switch (errno) {
	case EPERM:
	case EACCES:
		return BYPASS_REFUSED;
	case EAFNOSUPPORT:
	case EPROTONOSUPPORT:
	case ESOCKTNOSUPPORT:
	case ENOSYS:
	case ENODEV:
	case ENOENT:
	case ENXIO:
	case EOPNOTSUPP:
		return BYPASS_ABSENT;
	}
	printf("  %s: %s\n", what, strerror(errno));
	return BYPASS_ODD;
}

static inline struct sockaddr_in bypass_in(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static inline struct sockaddr_in6 bypass_in6(uint16_t port, int mapped)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port),
				  .sin6_addr = in6addr_loopback };

	if (mapped) {
		memset(&a.sin6_addr, 0, 16);
		a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
		a.sin6_addr.s6_addr[12] = 127;
		a.sin6_addr.s6_addr[15] = 1;
	}
	return a;
}

/* Whether the other end of a connection is the sink. */
static inline enum bypass bypass_sink(int fd)
{
	char line[6] = "";
	ssize_t n = recv(fd, line, 5, MSG_WAITALL);

	return n == 5 && memcmp(line, "sink\n", 5) == 0 ? BYPASS_THROUGH : bypass_failed("read the sink");
}

/* Asks the outsider, which is root: to move the process with that id to its cgroup, or with BYPASS_SEND to send a
 * connection of its own. It answers with a byte. */
#define BYPASS_SEND (-1)

static inline int bypass_ask(const struct bypass_stage *s, int what)
{
	return write(s->ask, &what, sizeof(what)) == sizeof(what) ? 0 : -1;
}

#endif
