/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_NAMES_PARTS_H
#define TOLLGATE_GATE_NAMES_PARTS_H

/*
 * The stub's parts and what they share; not for other rooms.
 *
 *	names       what becomes of a question
 *	names_io    sockets: datagrams and connections
 *	names_known which agent was given which address for which name
 */

#include <sys/socket.h>

#include "user/base/buf.h"
#include "user/gate/names.h"
#include "user/net/resolver.h"

struct gate_conv;
struct loop_io;
struct loop_timer;

#define NAMES_WIRE_MAX (255 + 4) /* bytes of a question: name, type, class */
#define NAMES_KNOWN_MAX 1024 /* pairs of address and name that are remembered of an agent */

struct known {
	uint8_t address[16]; /* IPv4 mapped */
	char name[NAME_SIZE]; /* "": unused */
};

/* An agent that has asked. */
struct names_agent {
	struct names_agent *next;
	uint32_t agent;
	struct gate_conv *conv; /* NULL: none could be opened yet */
	uint64_t full_at; /* ns; when its allowance is whole again */
	uint64_t told_at; /* ns; when it was last recorded that it asks too often */
	unsigned pending, streams;
	unsigned next_known;
	struct known known[NAMES_KNOWN_MAX];
};

struct name_stub {
	struct name_stub *next, **link;
	struct gate_names *names;
	struct loop_io *io;
	int fd;
	uint32_t agent;
};

/* A connection that asks. */
struct names_stream {
	struct names_stream *next, **link;
	struct gate_names *names;
	struct names_agent *agent;
	struct loop_io *io;
	struct loop_timer *timer; /* without a question for so long, it is closed */
	int fd;
	struct buf in, out;
	bool asking; /* one question at a time */
	bool busy, ended; /* inside a callback; to be freed at its end */
};

/* A question that is under way. */
struct names_ask {
	struct names_ask *next, **link;
	struct gate_names *names;
	struct names_agent *agent;
	struct name_stub *stub; /* or */
	struct names_stream *stream;
	struct sockaddr_storage from; /* of a datagram */
	socklen_t from_len;
	struct resolver_query *query;
	struct dns_question q;
	char wire[NAMES_WIRE_MAX];
};

struct gate_names {
	struct gate *gate;
	struct loop *loop;
	struct resolver *resolver;
	struct names_agent *agents;
	struct name_stub *stubs;
	struct names_stream *streams;
	struct names_ask *asks;
};

/* --- names.c */
/* NULL without memory. */
struct names_agent *names_agent_of(struct gate_names *n, uint32_t agent);
/* Takes a message up: answers it by names_send(), now or later. ask is a template with who asked. False: it is none
 * that has an answer. */
bool names_take(const struct names_ask *ask, struct span msg);
/* Whoever asked is gone: its questions are dropped. Either may be NULL. */
void names_drop(struct gate_names *n, const struct name_stub *stub, const struct names_stream *stream);

/* --- names_io.c */
void names_send(const struct names_ask *ask, const uint8_t *reply, size_t n);
void names_stream_end(struct names_stream *s);

/* --- names_known.c */
void names_remember(struct names_agent *a, const char *name, bool four, const struct dns_answer *answer);

#endif
