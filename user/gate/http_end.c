// SPDX-License-Identifier: Apache-2.0
/*
 * A steered connection behind the gate. The HTTP engine (user/net) asks, this file answers: which
 * conversation it is, what the message may do, and when the log holds it. Runs in the proxy.
 */
#include "user/gate/http_end.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/json_out.h"
#include "user/gate/gate.h"
#include "user/gate/http_answer.h"
#include "user/gate/http_session.h"
#include "user/gate/judge.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"
#include "user/net/conn.h"
#include "user/net/head.h"
#include "user/net/media.h"
#include "user/proc/identity.h"

enum waiting {
	WAIT_NOTHING = 0,
	WAIT_OWNER_REQUEST, /* to judge the request */
	WAIT_OWNER_DIALED, /* to let the first byte out */
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
	};
	struct buf head; /* of the request: a stream that it opens may bring requests that must be answered */
	bool plain; /* the exchange is no MCP: a host that Action::"connect" allows */
};

static bool loopback(const struct gate_http *h)
{
	return net_dest_is_loopback(net_conn_dest(h->conn));
}

static struct gate_peers peers_of(const struct gate_http *h, const char *transport, const char *path)
{
	return (struct gate_peers){
		.agent = h->origin.agent, .outer_agent = h->origin.outer,
		.agent_pid = (int32_t)h->origin.tgid, .agent_uid = h->origin.uid,
		.transport = transport, .server = h->owner, .host = h->host, .path = path,
		.port = h->origin.port, .loopback = loopback(h),
	};
}

/* --- waiting for the log -------------------------------------------------------------------------- */

static void resume(struct gate_http *h, enum net_verdict v)
{
	struct net_exchange *x = h->x;

	h->waiting = WAIT_NOTHING;
	h->x = NULL;
	if (x)
		net_exchange_resume(x, v);
	else
		net_conn_resume(h->conn, v);
}

static void on_recorded(void *arg, int error)
{
	struct gate_http *h = arg;

	resume(h, error < 0 ? NET_DENY : h->then);
}

/* What was decided happens once the log holds it. */
static enum net_verdict after_log(struct gate_http *h, struct net_exchange *x, uint64_t pos,
				  enum net_verdict v)
{
	if (gate_recorded(h->side->gate, pos))
		return v;
	h->waiting = WAIT_LOG;
	h->then = v;
	h->x = x;
	return gate_when_recorded(h->side->gate, pos, on_recorded, h) < 0 ? NET_DENY : NET_LATER;
}

static void on_room(void *arg);

/* NET_LATER when the log has no room: on_room() takes it up again. NET_DENY without memory. */
static enum net_verdict wait_for_room(struct gate_http *h, struct net_exchange *x, enum waiting what)
{
	h->waiting = what;
	h->x = x;
	return gate_when_room(h->side->gate, on_room, h) < 0 ? NET_DENY : NET_LATER;
}

/* --- conversations -------------------------------------------------------------------------------- */

static void leave_conv(struct gate_http *h)
{
	if (h->conv)
		http_session_put(h->side->sessions, h->conv);
	h->conv = NULL;
}

static int lone_conv(struct gate_http *h, const char *transport)
{
	struct gate_peers p = peers_of(h, transport, "");

	return h->lone ? 0 : gate_conv_open(h->side->gate, &p, &h->lone);
}

static struct span path_of(struct span target)
{
	const char *q = memchr(target.p, '?', target.n);

	return (struct span){ target.p, q ? (size_t)(q - target.p) : target.n };
}

/* An address that the catalog does not know is one conversation whatever its paths, so that a host cannot
 * open sessions at will. */
static bool listed(struct gate_http *h, struct span path)
{
	struct catalog_http_target t = {
		.loopback = loopback(h), .host = span_of(h->host), .port = h->origin.port,
		.path = path, .owner = h->owner,
	};
	struct catalog_match m = { 0 };

	catalog_server_find_http(h->side->gate->current->catalog, &t, &m);
	return m.server;
}

static int enter_conv(struct gate_http *h, const struct net_request *rq)
{
	struct span path = path_of(rq->target), id = SPAN("");
	struct gate_peers p;

	if (!h->side->gate->current)
		return -EAGAIN;
	if (path.n >= sizeof(h->request_path) || memchr(path.p, '\0', path.n))
		return -ENAMETOOLONG;
	memcpy(h->request_path, path.p, path.n);
	h->request_path[path.n] = '\0';
	if (listed(h, path))
		(void)http_field(rq->head, "mcp-session-id", &id);
	else
		h->request_path[0] = '\0';
	p = peers_of(h, "http", h->request_path);
	return http_session_get(h->side->sessions, &p, id, &h->conv);
}

/* --- answers of our own --------------------------------------------------------------------------- */

static void write_error(struct buf *out, const char *why)
{
	struct json_out j;

	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "jsonrpc", "2.0");
	json_out_key(&j, "id");
	json_out_null(&j);
	json_out_key(&j, "error");
	json_out_object(&j);
	json_out_member_int(&j, "code", JSONRPC_E_REQUEST);
	json_out_key(&j, "message");
	json_out_string(&j, span_of(why));
	json_out_object_end(&j);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		buf_clear(out);
}

static enum net_verdict reply_error(struct net_exchange *x, unsigned status, const char *why)
{
	_cleanup_buf_ struct buf body = { 0 };
	_cleanup_buf_ struct buf text = { 0 };

	if (buf_printf(&text, "tollgate: %s", why) < 0 || !buf_cstr(&text))
		return NET_DENY;
	write_error(&body, buf_cstr(&text));
	return net_exchange_reply(x, status, NULL, buf_span(&body)) < 0 ? NET_DENY : NET_REPLY;
}

/* --- requests ------------------------------------------------------------------------------------- */

/* A message that cannot be read is the client's fault (400); a denial is an ordinary answer (200). */
static unsigned status_of(const struct gate_verdict *v)
{
	return v->code == JSONRPC_E_PARSE || v->code == JSONRPC_E_REQUEST ? 400 :
	       v->code == JSONRPC_E_INTERNAL ? 503 : 200;
}

static enum net_verdict judge_post(struct gate_http *h, struct net_exchange *x,
				   const struct net_request *rq)
{
	struct gate_context gx = { .dir = MCP_TO_SERVER, .call = &h->call };
	struct gate_verdict v;
	enum net_verdict nv = NET_FORWARD;

	h->call.open = false;
	gate_judge(h->conv, &gx, rq->body, &v);
	if (v.act == GATE_ANSWER)
		nv = net_exchange_reply(x, status_of(&v), NULL, v.bytes) < 0 ? NET_DENY : NET_REPLY;
	else if (v.act != GATE_FORWARD)
		nv = net_exchange_reply(x, 202, NULL, SPAN("")) < 0 ? NET_DENY : NET_REPLY;
	return after_log(h, x, v.pos, nv);
}

/* GET opens a stream of messages that are judged one by one, DELETE ends the session. */
static enum net_verdict judge_verb(struct gate_http *h, struct net_exchange *x,
				   const struct net_request *rq)
{
	bool delete = span_is(rq->method, "DELETE");
	struct gate_verdict v;

	if (!delete && !span_is(rq->method, "GET"))
		return reply_error(x, 405, "an MCP server takes POST, GET and DELETE");
	gate_judge_plain(h->conv, delete ? "http/DELETE" : "http/GET", &v);
	if (v.act != GATE_FORWARD)
		return after_log(h, x, v.pos, reply_error(x, 403, v.reason));
	if (delete)
		http_session_end(h->side->sessions, h->conv);
	return after_log(h, x, v.pos, NET_FORWARD);
}

/* The catalog knows no MCP server here. MCP is denied as such, so that its host understands the answer;
 * anything else is a connection to a host, which policy may allow. */
static enum net_verdict judge_unlisted(struct gate_http *h, struct net_exchange *x,
				       const struct net_request *rq)
{
	char target[CONV_ADDRESS_MAX + 16];
	struct gate_verdict v;

	if (rq->body.n && jsonrpc_looks(rq->body))
		return judge_post(h, x, rq);
	(void)snprintf(target, sizeof(target), strchr(h->host, ':') ? "[%s]:%u" : "%s:%u", h->host,
		       h->origin.port);
	gate_judge_connect(h->conv, target, &v);
	if (v.act != GATE_FORWARD)
		return after_log(h, x, v.pos, reply_error(x, 403, v.reason));
	h->plain = true;
	return after_log(h, x, v.pos, NET_FORWARD);
}

static enum net_verdict refuse_recorded(struct gate_http *h, struct net_exchange *x, unsigned status,
					const char *why)
{
	struct gate_verdict v;

	gate_judge_refused(h->conv, why, &v);
	return after_log(h, x, v.pos, reply_error(x, status, why));
}

static enum net_verdict judge_request(struct gate_http *h, struct net_exchange *x,
				      const struct net_request *rq)
{
	int r = enter_conv(h, rq);

	if (r < 0)
		return reply_error(x, 503, r == -EAGAIN ? "there is no policy yet" :
				   r == -ENOSPC ? "too many conversations are open" :
				   "the conversation cannot be opened or recorded");
	h->plain = false;
	buf_clear(&h->head);
	if (buf_append(&h->head, rq->head.p, rq->head.n) < 0)
		return NET_DENY;
	if (!h->conv->server)
		return judge_unlisted(h, x, rq);
	/* What is judged must be what the server reads, and some codings decode any bytes at all. */
	if (rq->encoded)
		return refuse_recorded(h, x, 415, "a message with a Content-Encoding is not judged");
	if (!http_media_is_utf8(rq->content_type))
		return refuse_recorded(h, x, 415, "a message in another charset than UTF-8 is not judged");
	if (!span_is(rq->method, "POST"))
		return judge_verb(h, x, rq);
	return judge_post(h, x, rq);
}

static enum net_verdict begin_request(struct gate_http *h, struct net_exchange *x,
				      const struct net_request *rq)
{
	if (gate_room(h->side->gate))
		return judge_request(h, x, rq);
	h->request = *rq;
	return wait_for_room(h, x, WAIT_ROOM_REQUEST);
}

static enum net_verdict ask_owner(struct gate_http *h, struct net_exchange *x, enum waiting what)
{
	h->waiting = what;
	h->x = x;
	if (h->side->ops->ask_owner(h->token, &h->origin, h->side->arg) < 0) {
		h->waiting = WAIT_NOTHING;
		return reply_error(x, 503, "who owns the server's socket cannot be asked now");
	}
	return NET_LATER;
}

static enum net_verdict on_request(struct net_exchange *x, const struct net_request *rq)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	leave_conv(h);
	if (!loopback(h) || h->owner_known)
		return begin_request(h, x, rq);
	h->request = *rq;
	return ask_owner(h, x, WAIT_OWNER_REQUEST);
}

/* --- who owns the server -------------------------------------------------------------------------- */

static enum net_verdict on_dialed(struct net_conn *c, struct net_exchange *x, int fd)
{
	struct gate_http *h = net_conn_owner(c);

	(void)fd;
	if (!loopback(h) || !x)
		return NET_FORWARD;
	return ask_owner(h, x, WAIT_OWNER_DIALED);
}

static void owner_for_request(struct gate_http *h, const struct proc_identity *owner, uint64_t socket)
{
	struct net_exchange *x = h->x;
	struct net_request rq = h->request;
	enum net_verdict v;

	h->owner_known = true;
	h->owner_socket = socket;
	if (owner) {
		h->owner = malloc(sizeof(*h->owner));
		if (!h->owner) {
			resume(h, NET_DENY);
			return;
		}
		*h->owner = *owner;
	}
	h->waiting = WAIT_NOTHING;
	v = begin_request(h, x, &rq);
	if (v == NET_LATER)
		return;
	h->x = x;
	resume(h, v);
}

static void owner_for_dialed(struct gate_http *h, const struct proc_identity *owner, uint64_t socket)
{
	struct gate_verdict v;

	/* A plain connection needs no approved owner, only the same one that was judged. */
	if (socket == h->owner_socket && (owner || !h->owner)) {
		resume(h, NET_FORWARD);
		return;
	}
	gate_judge_refused(h->conv, "the owner of the server's socket changed while it was asked for", &v);
	if (h->x)
		resume(h, reply_error(h->x, 502, "the server's socket has another owner now"));
}

void gate_http_owner(struct gate_http_side *side, uint64_t token, const struct proc_identity *owner,
		     uint64_t socket)
{
	if (http_answer_owner(side, token, owner, socket))
		return;
	for (struct gate_http *h = side->ends; h; h = h->next) {
		if (h->token != token)
			continue;
		if (h->waiting == WAIT_OWNER_REQUEST)
			owner_for_request(h, owner, socket);
		else if (h->waiting == WAIT_OWNER_DIALED)
			owner_for_dialed(h, owner, socket);
		return;
	}
}

/* --- responses ------------------------------------------------------------------------------------ */

static enum net_mode on_mode(struct net_exchange *x, const struct net_response *resp)
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

	write_error(&body, "tollgate: the server answered with an HTTP error");
	return net_exchange_replace(x, buf_span(&body)) < 0 ? NET_DENY : NET_REPLACE;
}

static enum net_verdict judge_response(struct gate_http *h, struct net_exchange *x,
				       const struct net_response *resp)
{
	struct gate_context gx = { .dir = MCP_TO_HOST, .call = &h->call };
	struct gate_verdict v;

	if (resp->status >= 400 && !jsonrpc_looks(resp->body))
		return bare_status(x, resp);
	gate_judge(h->conv, &gx, resp->body, &v);
	if (v.act == GATE_FORWARD)
		return after_log(h, x, v.pos, NET_FORWARD);
	if (v.act == GATE_REPLACE && net_exchange_replace(x, v.bytes) == 0)
		return after_log(h, x, v.pos, NET_REPLACE);
	return after_log(h, x, v.pos, reply_error(x, 502, v.reason ? v.reason : "the answer is denied"));
}

static enum net_verdict on_response(struct net_exchange *x, const struct net_response *resp)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	if (h->plain)
		return NET_FORWARD;
	if (!http_media_is_utf8(resp->content_type))
		return refuse_recorded(h, x, 502, "an answer in another charset than UTF-8 is not judged");
	learn_session(h, resp);
	if (resp->mode == NET_EVENTS || resp->body.n == 0)
		return NET_FORWARD;
	if (gate_room(h->side->gate))
		return judge_response(h, x, resp);
	h->response = *resp;
	return wait_for_room(h, x, WAIT_ROOM_RESPONSE);
}

/* A request of the server that does not go on is answered in the host's place. LIMIT: not on the two connections of
 * legacy HTTP+SSE, where a client answers at another address than the stream's; there the server waits for its own
 * time limit. */
static void answer_server(struct gate_http *h, const struct gate_verdict *v)
{
	const struct http_answer_to to = {
		.origin = &h->origin, .dest = net_conn_dest(h->conn), .head = buf_span(&h->head),
		.ask_owner = loopback(h), .had_owner = h->owner, .owner_socket = h->owner_socket,
	};

	/* Whether it arrives changes nothing here: the request is denied and recorded. */
	(void)http_answer_send(h->side, &to, v->bytes, v->pos);
}

static enum net_verdict judge_event(struct gate_http *h, struct net_exchange *x,
				    const struct net_event *ev)
{
	struct gate_context gx = { .dir = MCP_TO_HOST, .call = &h->call };
	struct gate_verdict v;

	gate_judge(h->conv, &gx, ev->data, &v);
	if (v.act == GATE_FORWARD)
		return after_log(h, x, v.pos, NET_FORWARD);
	if (v.act == GATE_REPLACE && net_exchange_replace(x, v.bytes) == 0)
		return after_log(h, x, v.pos, NET_REPLACE);
	if (v.act == GATE_ANSWER)
		answer_server(h, &v);
	return after_log(h, x, v.pos, NET_DROP);
}

static enum net_verdict on_event(struct net_exchange *x, const struct net_event *ev)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	if (h->plain)
		return NET_FORWARD;
	if (ev->incomplete || !h->conv)
		return NET_DROP;
	if (gate_room(h->side->gate))
		return judge_event(h, x, ev);
	h->event = *ev;
	return wait_for_room(h, x, WAIT_ROOM_EVENT);
}

static void on_room(void *arg)
{
	struct gate_http *h = arg;
	struct net_exchange *x = h->x;
	enum waiting what = h->waiting;
	enum net_verdict v;

	h->waiting = WAIT_NOTHING;
	h->x = NULL;
	if (what == WAIT_ROOM_REQUEST)
		v = judge_request(h, x, &h->request);
	else if (what == WAIT_ROOM_RESPONSE)
		v = judge_response(h, x, &h->response);
	else
		v = judge_event(h, x, &h->event);
	if (v == NET_LATER)
		return;
	h->x = x;
	resume(h, v);
}

/* --- what is no HTTP, and ends -------------------------------------------------------------------- */

static enum net_verdict on_opaque(struct net_conn *c, const struct net_first *first)
{
	struct gate_http *h = net_conn_owner(c);
	char target[300];
	struct gate_verdict v;

	if (lone_conv(h, "opaque") < 0 || (first->kind == NET_FIRST_TLS && first->malformed))
		return NET_DENY;
	(void)snprintf(target, sizeof(target), first->sni ? "%s:%u" :
		       strchr(h->host, ':') ? "[%s]:%u" : "%s:%u", first->sni ? first->sni : h->host,
		       h->origin.port);
	gate_judge_connect(h->lone, target, &v);
	return after_log(h, NULL, v.pos, v.act == GATE_FORWARD ? NET_FORWARD : NET_DENY);
}

/* The address was steered as a literal; on this machine it has one name of its own. */
static enum net_verdict on_host(struct net_conn *c, struct span name)
{
	struct gate_http *h = net_conn_owner(c);

	return loopback(h) && span_is(name, "localhost") ? NET_FORWARD : NET_DENY;
}

static void on_failed(struct net_conn *c, struct net_exchange *x, unsigned status, const char *why,
		      struct buf *body)
{
	struct gate_http *h = net_conn_owner(c);
	struct gate_verdict v;

	(void)x;
	if (h->conv || lone_conv(h, "http") == 0)
		gate_judge_refused(h->conv ? h->conv : h->lone, why, &v);
	if (status)
		write_error(body, why);
}

/* A stream may break before its answer came; the answer may then arrive on another one. */
static void keep_call(struct gate_http *h)
{
	struct pending_req *p;

	if (h->call.open && h->conv)
		(void)pending_add(&h->conv->pending, MCP_TO_SERVER,
				  (struct span){ h->call.id, h->call.id_n }, h->call.method,
				  (struct span){ h->call.item, h->call.item_n },
				  h->conv->snap->epoch, h->call.started_ns, &p);
	h->call.open = false;
}

static void on_finished(struct net_exchange *x, int error)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	(void)error;
	gate_forget(h->side->gate, h);
	h->waiting = WAIT_NOTHING;
	h->x = NULL;
	keep_call(h);
	leave_conv(h);
}

static void on_closed(struct net_conn *c)
{
	struct gate_http *h = net_conn_owner(c);

	gate_forget(h->side->gate, h);
	leave_conv(h);
	gate_conv_close(h->lone, "the connection ended");
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	buf_done(&h->head);
	free(h->owner);
	free(h);
}

static const struct net_ops ops = {
	.opaque = on_opaque, .host = on_host, .request = on_request, .dialed = on_dialed,
	.mode = on_mode, .response = on_response, .event = on_event, .failed = on_failed,
	.finished = on_finished, .closed = on_closed,
};

static int dest_of(const struct tg_origin *o, struct net_dest *ret, char *text, size_t size)
{
	int family = o->family == 4 ? AF_INET : AF_INET6;
	const void *addr = o->family == 4 ? o->dst + 12 : o->dst;

	if (!inet_ntop(family, addr, text, (socklen_t)size))
		return -EINVAL;
	return net_dest_set(ret, family, addr, o->port);
}

int gate_http_open(struct gate_http_side *side, struct net_listener *from, int fd,
		   const struct tg_origin *o)
{
	struct gate_http *h = calloc(1, sizeof(*h));
	struct net_dest dest;
	int r = h ? dest_of(o, &dest, h->host, sizeof(h->host)) : -ENOMEM;

	if (r >= 0) {
		h->side = side;
		h->origin = *o;
		h->token = ++side->last_token;
		h->next = side->ends;
		h->link = &side->ends;
		r = net_conn_new(side->net, from, fd, &dest, &ops, h, &h->conn);
	}
	if (r < 0) {
		free(h);
		close(fd);
		return r;
	}
	if (h->next)
		h->next->link = &h->next;
	side->ends = h;
	return 0;
}
