// SPDX-License-Identifier: Apache-2.0
/*
 * What a server sends over HTTP: whole answers, and the events of a stream one by one. Runs in the proxy. A denied
 * answer is replaced by an error, a denied event dropped; nothing passes that was not judged.
 */
#include "user/gate/http_parts.h"

#include "user/gate/http_answer.h"
#include "user/gate/http_session.h"
#include "user/net/head.h"
#include "user/net/media.h"

enum net_mode http_response_mode(struct net_exchange *x, const struct net_response *resp)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	(void)resp;
	return h->plain ? NET_PASS : NET_COLLECT;
}

static void learn_session(struct gate_http *h, const struct net_response *resp)
{
	struct span id;

	if (h->call.open && h->call.method == MCP_INITIALIZE &&
	    http_field(resp->head, "mcp-session-id", &id))
		http_session_name(h->side->sessions, h->conv, id);
}

/* The body of an HTTP error that carries no JSON-RPC is not passed on: its status and headers are what
 * clients act on. */
static enum net_verdict bare_status(struct net_exchange *x, const struct net_response *resp)
{
	_cleanup_buf_ struct buf body = { 0 };

	http_end_error_body(&body, "tollgate: the server answered with an HTTP error");
	return net_exchange_replace(x, buf_span(&body)) < 0 ? NET_DENY : NET_REPLACE;
}

enum net_verdict http_response_judge(struct gate_http *h, struct net_exchange *x,
				     const struct net_response *resp)
{
	struct gate_context gx = { .dir = MCP_TO_HOST, .call = &h->call };
	struct gate_verdict v;

	if (resp->status >= 400 && !jsonrpc_looks(resp->body))
		return bare_status(x, resp);
	gate_judge(h->conv, &gx, resp->body, &v);
	if (v.act == GATE_FORWARD)
		return http_end_after_log(h, x, v.pos, NET_FORWARD);
	if (v.act == GATE_REPLACE && net_exchange_replace(x, v.bytes) == 0)
		return http_end_after_log(h, x, v.pos, NET_REPLACE);
	return http_end_after_log(h, x, v.pos,
				  http_end_reply_error(x, 502, v.reason ? v.reason : "the answer is denied"));
}

enum net_verdict http_response_whole(struct net_exchange *x, const struct net_response *resp)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	if (h->plain)
		return NET_FORWARD;
	if (!http_media_is_utf8(resp->content_type))
		return http_end_refuse(h, x, 502, "an answer in another charset than UTF-8 is not judged");
	learn_session(h, resp);
	if (resp->mode == NET_EVENTS || resp->body.n == 0)
		return NET_FORWARD;
	if (gate_room(h->side->gate))
		return http_response_judge(h, x, resp);
	h->response = *resp;
	return http_end_wait_for_room(h, x, WAIT_ROOM_RESPONSE);
}

/* A request of the server that does not go on is answered in the host's place. LIMIT: not on the two connections of
 * legacy HTTP+SSE, where a client answers at another address than the stream's; there the server waits for its own
 * time limit. */
static void answer_server(struct gate_http *h, const struct gate_verdict *v)
{
	const struct http_answer_to to = {
		.origin = &h->origin, .dest = net_conn_dest(h->conn), .head = buf_span(&h->head),
		.ask_owner = http_end_loopback(h), .had_owner = h->owner, .owner_socket = h->owner_socket,
	};

	/* Whether it arrives changes nothing here: the request is denied and recorded. */
	(void)http_answer_send(h->side, &to, v->bytes, v->pos);
}

enum net_verdict http_response_judge_event(struct gate_http *h, struct net_exchange *x,
					   const struct net_event *ev)
{
	struct gate_context gx = { .dir = MCP_TO_HOST, .call = &h->call };
	struct gate_verdict v;

	gate_judge(h->conv, &gx, ev->data, &v);
	if (v.act == GATE_FORWARD)
		return http_end_after_log(h, x, v.pos, NET_FORWARD);
	if (v.act == GATE_REPLACE && net_exchange_replace(x, v.bytes) == 0)
		return http_end_after_log(h, x, v.pos, NET_REPLACE);
	if (v.act == GATE_ANSWER)
		answer_server(h, &v);
	return http_end_after_log(h, x, v.pos, NET_DROP);
}

enum net_verdict http_response_event(struct net_exchange *x, const struct net_event *ev)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	if (h->plain)
		return NET_FORWARD;
	if (ev->incomplete || !h->conv)
		return NET_DROP;
	if (gate_room(h->side->gate))
		return http_response_judge_event(h, x, ev);
	h->event = *ev;
	return http_end_wait_for_room(h, x, WAIT_ROOM_EVENT);
}
