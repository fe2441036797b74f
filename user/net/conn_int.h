/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_CONN_INT_H
#define TOLLGATE_NET_CONN_INT_H

/* Shared by the files of this room only. */

#include "user/base/loop.h"
#include "user/net/conn.h"
#include "user/net/framing.h"
#include "user/net/head.h"
#include "user/net/sse.h"

#define NET_BLOCK 65536u /* what one read takes, and what the pool holds */
#define NET_POOL_MAX 32u /* blocks kept for reuse: 2 MiB */
#define NET_OUT_HIGH (4 * NET_BLOCK) /* unsent bytes beyond which the other side is not read */

/* The engine: what connections share. */
struct net {
	struct loop *loop;
	struct net_limits limits;
	struct loop_timer *timer;
	uint64_t armed; /* ms at which the timer fires, 0: not armed */
	struct net_conn *conns;
	struct net_conn *visit; /* next one the timer looks at */
	size_t count, buffered;
	unsigned posts; /* post.c: open at once */
	char *pool[NET_POOL_MAX];
	unsigned pooled;
};

/* One side of a connection. */
struct leg {
	struct net_conn *conn;
	int fd; /* -1: none */
	struct loop_io *io; /* NULL while fd >= 0: hung up, reading does not wait */
	uint32_t events; /* reported, not yet looked at */
	struct buf in; /* received, not yet handled or passed on */
	struct buf out; /* made here, to be sent first */
	size_t pass; /* so many bytes at the front of the other leg's in may be sent after out */
	uint64_t received;
	bool eof; /* the peer will send no more */
	bool shut; /* we told the peer the same */
	bool broken; /* the server takes no more; it may still have answered */
};

enum conn_state {
	ST_FIRST = 0, /* what does the client speak? */
	ST_ASK_OPAQUE,
	ST_OPAQUE,
	ST_HEAD, /* waiting for a request, or for the rest of its head */
	ST_BODY,
	ST_ASK_REQUEST,
	ST_DIAL, /* connecting; x.live tells for what */
	ST_ASK_DIALED,
	ST_ANSWER, /* the request may be sent; waiting for the response head */
	ST_COLLECT,
	ST_ASK_RESPONSE,
	ST_EVENTS,
	ST_ASK_EVENT,
	ST_PASS,
	ST_FLUSH, /* the answer is decided; waiting until the kernel has it */
	ST_LINGER, /* closing: input is thrown away, so that no reset overtakes the answer */
	ST_COUNT,
};

struct net_exchange {
	struct net_conn *conn;
	void *data;
	bool begun; /* the first byte of the request has come */
	bool live; /* given to ops->request, ops->finished still to be called */
	bool committed; /* bytes of an answer have been queued for the client */
	bool last; /* the connection ends after this answer */
	bool is_head;
	bool chunk_out; /* events leave as chunks of our own */
	bool end; /* ST_EVENTS: the last payload has been seen */
	bool replace_ok;
	unsigned interim; /* 1xx answers so far */
	int error;
	enum net_mode mode;
	uint64_t begun_at; /* ms */
	struct http_head head; /* of the request, then of the response */
	struct framing framing;
	size_t scan; /* of http_head_find() */
	size_t seen; /* bytes of the message parsed, from the front of in */
	size_t held; /* bytes of the request at the front of client.in, not released yet */
	struct buf body; /* without chunk framing: request, response, or the event to come */
	size_t piece; /* ST_EVENTS: payload at the front of server.in, not handled yet */
	struct sse sse;
	struct net_event event;
	unsigned reply_status; /* staged reply, 0: none */
	char reply_type[64];
	struct buf staged; /* reply body, or replacement */
};

struct net_conn {
	struct net *net;
	struct net_conn *next, **link;
	struct net_listener *from;
	const struct net_ops *ops;
	void *owner;
	struct net_dest dest;
	struct leg client, server;
	enum conn_state state;
	enum net_verdict answer; /* to the open question; NET_LATER while it is open */
	bool running, dead;
	bool reset; /* close with RST */
	uint64_t deadline, stalled; /* ms; 0: none */
	size_t accounted;
	struct net_exchange x;
};

/* net.c */
uint64_t net_now_ms(void);
void net_deadline(struct net_conn *c, unsigned ms); /* 0: none */
void net_stalled(struct net_conn *c, bool is);
/* Room to read into: want bytes if the pool's block will not do. */
int net_buf_room(struct net *n, struct buf *b, size_t want, char **ret_p, size_t *ret_n);
/* Makes sure an empty buffer has a block of the pool before it is appended to. */
void net_buf_ready(struct net *n, struct buf *b);
void net_buf_release(struct net *n, struct buf *b); /* gives the memory back when empty */
bool net_account(struct net_conn *c); /* false: over the engine's limit, and this one is large */

/* listener.c */
void net_listener_joined(struct net_listener *ls);
void net_listener_left(struct net_listener *ls);

/* leg.c */
void leg_init(struct leg *l, struct net_conn *c);
int leg_watch(struct leg *l, int fd, uint32_t events);
void leg_close(struct leg *l, bool reset);
/* One read. want: how much is known to come. Errors mark the leg or kill the connection. */
void leg_read(struct leg *l, size_t want);
/* Sends what may be sent; true when a byte went. */
bool leg_flush(struct leg *l);
bool leg_idle(const struct leg *l); /* nothing left to send */
void leg_shut(struct leg *l);

/* conn.c */
void conn_run(struct net_conn *c);
void conn_kill(struct net_conn *c, int error);
void conn_destroy(struct net_conn *c);
void conn_expired(struct net_conn *c);
void conn_state(struct net_conn *c, enum conn_state st, unsigned ms);
void conn_ask(struct net_conn *c, enum conn_state st);
void conn_asked(struct net_conn *c, enum net_verdict v);
void exchange_reset(struct net_conn *c);
void exchange_end(struct net_conn *c);

/* Steps of the state machine: true when something changed and the next step is due. */
bool step_first(struct net_conn *c); /* first.c */
bool step_opaque_answer(struct net_conn *c);
bool step_opaque(struct net_conn *c);
void first_expired(struct net_conn *c);
bool step_head(struct net_conn *c); /* request.c */
bool step_body(struct net_conn *c);
bool step_request_answer(struct net_conn *c);
int net_dial(const struct net_dest *d, int *ret_fd); /* dial.c: begins to connect */
/* A port of the ephemeral range that nobody listens on can connect to itself (RFC 9293 3.5). */
bool net_is_self(int fd, const struct net_dest *d);
bool conn_dial(struct net_conn *c);
bool step_dial(struct net_conn *c);
bool step_dialed_answer(struct net_conn *c);
bool step_answer(struct net_conn *c); /* response.c */
bool step_collect(struct net_conn *c);
bool step_response_answer(struct net_conn *c);
bool step_pass(struct net_conn *c);
void stream_begin(struct net_conn *c); /* stream.c */
bool step_events(struct net_conn *c);
bool step_event_answer(struct net_conn *c);
bool step_flush(struct net_conn *c); /* reply.c */
bool step_linger(struct net_conn *c);

/* reply.c. Each ends in ST_FLUSH (or kills the connection) and gives true. */
bool reply_fail(struct net_conn *c, unsigned status, const char *why, int error);
bool reply_staged(struct net_conn *c);
bool reply_replaced(struct net_conn *c);
/* Queues a response head without its length fields, with add (whole lines) at its end. */
int reply_head(struct net_conn *c, struct span head, const char *add);

#endif
