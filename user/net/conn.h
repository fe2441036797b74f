/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_CONN_H
#define TOLLGATE_NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/net/net.h"

struct net_conn;
struct net_exchange;
struct net_listener;
struct tls_hello;

/* What the gate decides. Zero denies. */
enum net_verdict {
	NET_DENY = 0,
	NET_FORWARD, /* the original bytes go on */
	NET_REPLACE, /* what net_exchange_replace() staged goes on instead */
	NET_DROP, /* an event is left out, the stream goes on */
	NET_REPLY, /* what net_exchange_reply() staged is the answer */
	NET_LATER, /* held until net_exchange_resume() or net_conn_resume() */
};

/* Spans in these are valid until the verdict on them is given, by return or by resume. */
struct net_request {
	struct span method, target, host, content_type;
	struct span head; /* as received, with the empty line; see http_field() in head.h */
	struct span body; /* without chunk framing */
	bool chunked;
	bool encoded; /* a Content-Encoding other than identity: the body is not what it seems */
};

enum net_mode {
	NET_COLLECT = 0, /* the body is whole and given to ops->response */
	NET_EVENTS, /* text/event-stream: ops->response sees the head, ops->event each event */
	NET_PASS, /* ops->response sees the head, the body is copied unseen */
};

struct net_response {
	unsigned status;
	struct span content_type;
	struct span head;
	struct span body; /* NET_COLLECT: without chunk framing; else empty */
	enum net_mode mode;
};

struct net_event {
	struct span raw; /* as received, with its blank line */
	size_t lead; /* bytes of raw before its first line: a BOM, or half a line end */
	struct span data; /* joined as WHATWG HTML 9.2.6 says */
	struct span type; /* empty: "message" */
	struct span id; /* empty when the event has none */
	bool incomplete; /* the stream ended before the blank line; clients ignore it */
};

enum net_first_kind {
	NET_FIRST_SILENT = 0, /* no byte within the limit: the server may be meant to speak first */
	NET_FIRST_TLS, /* a TLS record */
	NET_FIRST_OTHER,
};

struct net_first {
	enum net_first_kind kind;
	struct span bytes; /* what has arrived; forwarded first when allowed */
	const struct tls_hello *hello; /* NET_FIRST_TLS: what it says; NULL when it is not well-formed */
};

/*
 * The gate's side. Each member may be NULL; a missing question is answered with NET_DENY. A
 * callback may close the connection. Every verdict may be NET_LATER; one question at most is open
 * per connection.
 */
struct net_ops {
	/* The client does not speak HTTP/1. NET_FORWARD copies both ways unseen; NET_DENY
	 * resets. */
	enum net_verdict (*opaque)(struct net_conn *c, const struct net_first *first);

	/* Host names something else than dest's literal address (the port did match): NET_FORWARD
	 * accepts it, all else is answered 421. Not deferrable. */
	enum net_verdict (*host)(struct net_conn *c, struct span name);

	/* A whole request. NET_FORWARD, NET_REPLY, or NET_DENY (403). */
	enum net_verdict (*request)(struct net_exchange *x, const struct net_request *req);

	/* Connected to the server, no byte sent; x is NULL for an opaque connection. fd is
	 * borrowed. NET_FORWARD, NET_REPLY (x only), or NET_DENY (502). */
	enum net_verdict (*dialed)(struct net_conn *c, struct net_exchange *x, int fd);

	/* A response head whose media type is neither JSON nor an event stream: how its body is to
	 * be handled. Without this callback it is collected. NET_EVENTS counts as NET_COLLECT. */
	enum net_mode (*mode)(struct net_exchange *x, const struct net_response *resp);

	/* NET_FORWARD, NET_REPLACE (a collected body that is there: not for HEAD, 204 or length 0),
	 * NET_REPLY, or NET_DENY (502). */
	enum net_verdict (*response)(struct net_exchange *x, const struct net_response *resp);

	/* An event that has data. NET_FORWARD, NET_REPLACE (the data; other lines stay; an
	 * incomplete event is dropped instead), NET_DROP, or NET_DENY (cuts the stream). Events
	 * without data (comments, priming) pass unasked. */
	enum net_verdict (*event)(struct net_exchange *x, const struct net_event *ev);

	/* This room answers with an error of its own (status), or with status 0 cuts the
	 * connection, because of why. x is NULL before a request was whole. The gate may write a
	 * JSON body into body; left empty, {"error":why} is sent. */
	void (*failed)(struct net_conn *c, struct net_exchange *x, unsigned status, const char *why,
		       struct buf *body);

	/* Once for each exchange that was given to ->request: 0 when its answer is with the kernel,
	 * else -errno: this room answered with an error, or the answer did not get through. x is
	 * invalid afterwards. */
	void (*finished)(struct net_exchange *x, int error);

	/* Once, last; c is invalid afterwards. */
	void (*closed)(struct net_conn *c);
};

/* Runs a steered connection. Heads and bodies go on as received, with three exceptions: an
 * Accept-Encoding other than identity is left out, a replaced body has a new Content-Length, and
 * events are chunked anew. Requests: HTTP/1.1 only; Upgrade and CONNECT 501; bodies with trailers
 * 400. fd (connected, TCP) is owned from success on. dest and ops: dest is copied, ops is borrowed.
 * from may be NULL; else the connection counts against that listener. 0 or -errno. */
int net_conn_new(struct net *n, struct net_listener *from, int fd, const struct net_dest *dest,
		 const struct net_ops *ops, void *owner, struct net_conn **ret);

/* Ends it now: both sockets are closed, ->finished and ->closed are called before return, unless
 * called inside a callback: then after that callback. */
void net_conn_close(struct net_conn *c);

/* Answers the open question (->opaque, ->dialed). Without an open question it does nothing. May end
 * the connection before it returns. */
void net_conn_resume(struct net_conn *c, enum net_verdict v);

/* Has it dialed elsewhere than the client said: while ->opaque or ->request is open. 0, or -EBUSY. */
int net_conn_redirect(struct net_conn *c, const struct net_dest *to);

void *net_conn_owner(const struct net_conn *c);
const struct net_dest *net_conn_dest(const struct net_conn *c);
/* Bytes received from the client and from the server. */
uint64_t net_conn_bytes_client(const struct net_conn *c);
uint64_t net_conn_bytes_server(const struct net_conn *c);

/* Stages the answer for NET_REPLY: status 200 to 599, a media type (NULL: application/json) and a
 * body, copied. 0, -EINVAL, -ENOMEM or -EMSGSIZE; after a failure NET_REPLY acts as NET_DENY. */
int net_exchange_reply(struct net_exchange *x, unsigned status, const char *type, struct span body);

/* Stages the body or event data for NET_REPLACE, copied; errors as above. */
int net_exchange_replace(struct net_exchange *x, struct span data);

/* Puts an event of the gate's own into a running event stream, between two of the server's. type is
 * one line, or NULL. 0, or -ENOTCONN when no event stream is running on x. */
int net_exchange_send_event(struct net_exchange *x, const char *type, struct span data);

/* As net_conn_resume(), for the questions about an exchange. */
void net_exchange_resume(struct net_exchange *x, enum net_verdict v);

struct net_conn *net_exchange_conn(const struct net_exchange *x);
/* The gate's own pointer, NULL at first. */
void net_exchange_set_data(struct net_exchange *x, void *data);
void *net_exchange_data(const struct net_exchange *x);

#endif
