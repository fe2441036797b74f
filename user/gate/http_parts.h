/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_HTTP_PARTS_H
#define TOLLGATE_GATE_HTTP_PARTS_H

/*
 * A steered connection's parts and what they share; not for other rooms.
 *
 *	http_end       its life, its requests, and what waits for the log
 *	http_owner     who owns the socket that a loopback server listens on
 *	http_dial      the address that a name is dialed at
 *	http_response  what comes back: answers, and the events of a stream
 */

#include "user/gate/conv.h"
#include "user/gate/gate.h"
#include "user/gate/http_end.h"
#include "user/gate/judge.h"
#include "user/net/conn.h"
#include "user/net/name.h"

enum waiting {
	WAIT_NOTHING = 0,
	WAIT_OWNER_REQUEST, /* to judge the request */
	WAIT_OWNER_DIALED, /* to let the first byte out */
	WAIT_NAME, /* of the host, to be resolved */
	WAIT_LOG,
	WAIT_ROOM_REQUEST, /* in the log, for the record of what is to be judged */
	WAIT_ROOM_RESPONSE,
	WAIT_ROOM_EVENT,
};

struct gate_http {
	struct gate_http *next, **link;
	struct gate_http_side *side;
	struct net_conn *conn;
	struct net_exchange *x; /* the one that waits */
	struct tg_origin origin;
	uint64_t token;
	enum waiting waiting;
	enum net_verdict then; /* WAIT_LOG: what was decided */
	bool owner_known, no_owner;
	uint64_t owner_socket;
	struct proc_identity *owner;
	struct gate_conv *conv; /* of the exchange; held while it lasts */
	struct gate_conv *lone; /* opened for this connection alone: opaque, or refused by the transport */
	struct gate_call call;
	char host[CONV_ADDRESS_MAX];
	char request_path[CONV_PATH_MAX];
	union { /* what is to be judged, while it waits */
		struct net_request request;
		struct net_response response;
		struct net_event event;
		struct span first; /* a TLS hello */
	};
	struct resolver_query *query; /* WAIT_NAME */
	unsigned families; /* of addresses that the name was asked for */
	char named[NAME_SIZE]; /* host that the connection is for, all along; "": the address itself */
	bool by_address; /* a request named no host */
	bool resolved; /* requests go to an address that was found for the name */
	struct buf head; /* of the request: a stream that it opens may bring requests that must be answered */
	bool plain; /* the exchange is no MCP: a host that Action::"connect" allows */
};

/* --- http_end.c */
bool http_end_loopback(const struct gate_http *h);
/* What waited goes on, or does not. */
void http_end_resume(struct gate_http *h, enum net_verdict v);
/* What was decided happens once the log holds it: NET_LATER until then. */
enum net_verdict http_end_after_log(struct gate_http *h, struct net_exchange *x, uint64_t pos,
				    enum net_verdict v);
/* NET_LATER when the log has no room: what waits is taken up again then. NET_DENY without memory. */
enum net_verdict http_end_wait_for_room(struct gate_http *h, struct net_exchange *x, enum waiting what);
/* Opens the conversation that is the connection's own. 0 or gate_conv_open()'s error. */
int http_end_lone(struct gate_http *h, const char *transport);
/* Goes on with a request when it is known where the connection goes. */
enum net_verdict http_end_located(struct gate_http *h, struct net_exchange *x, const struct net_request *rq);
/* Judges a request whose server's owner is known, once there is room for the record. */
enum net_verdict http_end_begin(struct gate_http *h, struct net_exchange *x, const struct net_request *rq);
/* The body of an answer of our own; empty when there is no memory. */
void http_end_error_body(struct buf *out, const char *why);
enum net_verdict http_end_reply_error(struct net_exchange *x, unsigned status, const char *why);
/* The same for what is refused before it is judged, with its record. */
enum net_verdict http_end_refuse(struct gate_http *h, struct net_exchange *x, unsigned status,
				 const char *why);

/* --- http_owner.c */
/* NET_LATER, or an answer when nobody can be asked. what: for which of the two questions. */
enum net_verdict http_owner_ask(struct gate_http *h, struct net_exchange *x, enum waiting what);
enum net_verdict http_owner_dialed(struct net_conn *c, struct net_exchange *x, int fd);

/* --- http_dial.c */
/* Has an allowed TLS connection dialed at an address of the host that it names: NET_LATER until that is known.
 * NET_FORWARD when it goes where the agent said. */
enum net_verdict http_dial_tls(struct gate_http *h, const struct net_first *first);
/* The same for the first request of a connection that is for h->named, which is judged then. */
enum net_verdict http_dial_request(struct gate_http *h, struct net_exchange *x, const struct net_request *rq);
/* The address was steered as a literal; on this machine it has one name of its own. Elsewhere it may have the one that
 * the agent asked for to get it, which is then what the connection is for. */
enum net_verdict http_dial_host(struct net_conn *c, struct span text);
/* What goes no further, on record; x is NULL for what is no HTTP. */
enum net_verdict http_dial_refuse(struct gate_http *h, struct net_exchange *x, unsigned status, const char *why);
/* Whether a Host field means what the connection is for: the server is connected to once. */
bool http_dial_is_for(const struct gate_http *h, struct span host);

/* --- http_response.c */
enum net_mode http_response_mode(struct net_exchange *x, const struct net_response *resp);
enum net_verdict http_response_whole(struct net_exchange *x, const struct net_response *resp);
enum net_verdict http_response_event(struct net_exchange *x, const struct net_event *ev);
/* What the two above do once there is room in the log. */
enum net_verdict http_response_judge(struct gate_http *h, struct net_exchange *x,
				     const struct net_response *resp);
enum net_verdict http_response_judge_event(struct gate_http *h, struct net_exchange *x,
					   const struct net_event *ev);

#endif
