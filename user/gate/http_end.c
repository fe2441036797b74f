// SPDX-License-Identifier: Apache-2.0
/*
 * A steered connection behind the gate. The HTTP engine (user/net) asks, this file answers: which
 * conversation it is, what the message may do, and when the log holds it. Runs in the proxy.
 */
#include "user/gate/http_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/json_out.h"
#include "user/gate/connect.h"
#include "user/gate/http_session.h"
#include "user/gate/names.h"
#include "user/gate/snapshot.h"
#include "user/mcp/catalog.h"
#include "user/net/head.h"
#include "user/net/hello.h"
#include "user/net/media.h"
#include "user/net/resolver.h"

bool http_end_loopback(const struct gate_http *h)
{
	return net_dest_is_loopback(net_conn_dest(h->conn));
}

/* What the connection is for. */
static const char *host_of(const struct gate_http *h)
{
	return *h->named ? h->named : h->host;
}

static struct gate_peers peers_of(const struct gate_http *h, const char *transport, const char *path)
{
	return (struct gate_peers){
		.agent = h->origin.agent, .outer_agent = h->origin.outer,
		.agent_pid = (int32_t)h->origin.tgid, .agent_uid = h->origin.uid,
		.transport = transport, .server = h->owner, .host = host_of(h), .path = path,
		.port = h->origin.port, .loopback = http_end_loopback(h),
	};
}

/* --- waiting for the log -------------------------------------------------------------------------- */

void http_end_resume(struct gate_http *h, enum net_verdict v)
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

	http_end_resume(h, error < 0 ? NET_DENY : h->then);
}

enum net_verdict http_end_after_log(struct gate_http *h, struct net_exchange *x, uint64_t pos,
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

enum net_verdict http_end_wait_for_room(struct gate_http *h, struct net_exchange *x, enum waiting what)
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

int http_end_lone(struct gate_http *h, const char *transport)
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
		.loopback = http_end_loopback(h), .host = span_of(host_of(h)), .port = h->origin.port,
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

void http_end_error_body(struct buf *out, const char *why)
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

enum net_verdict http_end_reply_error(struct net_exchange *x, unsigned status, const char *why)
{
	_cleanup_buf_ struct buf body = { 0 };
	_cleanup_buf_ struct buf text = { 0 };

	if (buf_printf(&text, "tollgate: %s", why) < 0 || !buf_cstr(&text))
		return NET_DENY;
	http_end_error_body(&body, buf_cstr(&text));
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
	return http_end_after_log(h, x, v.pos, nv);
}

/* GET opens a stream of messages that are judged one by one, DELETE ends the session. */
static enum net_verdict judge_verb(struct gate_http *h, struct net_exchange *x,
				   const struct net_request *rq)
{
	bool delete = span_is(rq->method, "DELETE");
	struct gate_verdict v;

	if (!delete && !span_is(rq->method, "GET"))
		return http_end_reply_error(x, 405, "an MCP server takes POST, GET and DELETE");
	gate_judge_plain(h->conv, delete ? "http/DELETE" : "http/GET", &v);
	if (v.act != GATE_FORWARD)
		return http_end_after_log(h, x, v.pos, http_end_reply_error(x, 403, v.reason));
	if (delete)
		http_session_end(h->side->sessions, h->conv);
	return http_end_after_log(h, x, v.pos, NET_FORWARD);
}

/* The catalog knows no MCP server here. MCP is denied as such, so that its host understands the answer;
 * anything else is a connection to a host, which policy may allow. */
static enum net_verdict judge_unlisted(struct gate_http *h, struct net_exchange *x,
				       const struct net_request *rq)
{
	struct gate_connect to = { .dest = net_conn_dest(h->conn), .name = h->named };
	struct gate_verdict v;

	if (rq->body.n && jsonrpc_looks(rq->body))
		return judge_post(h, x, rq);
	gate_judge_connect(h->conv, &to, &v);
	if (v.act != GATE_FORWARD)
		return http_end_after_log(h, x, v.pos, http_end_reply_error(x, 403, v.reason));
	h->plain = true;
	return http_end_after_log(h, x, v.pos, NET_FORWARD);
}

enum net_verdict http_end_refuse(struct gate_http *h, struct net_exchange *x, unsigned status,
				 const char *why)
{
	struct gate_verdict v;

	gate_judge_refused(h->conv, why, &v);
	return http_end_after_log(h, x, v.pos, http_end_reply_error(x, status, why));
}

static enum net_verdict judge_request(struct gate_http *h, struct net_exchange *x,
				      const struct net_request *rq)
{
	int r = enter_conv(h, rq);

	if (r < 0)
		return http_end_reply_error(x, 503, r == -EAGAIN ? "there is no policy yet" :
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
		return http_end_refuse(h, x, 415, "a message with a Content-Encoding is not judged");
	if (!http_media_is_utf8(rq->content_type))
		return http_end_refuse(h, x, 415, "a message in another charset than UTF-8 is not judged");
	if (!span_is(rq->method, "POST"))
		return judge_verb(h, x, rq);
	return judge_post(h, x, rq);
}

enum net_verdict http_end_begin(struct gate_http *h, struct net_exchange *x, const struct net_request *rq)
{
	if (gate_room(h->side->gate))
		return judge_request(h, x, rq);
	h->request = *rq;
	return http_end_wait_for_room(h, x, WAIT_ROOM_REQUEST);
}

enum net_verdict http_end_located(struct gate_http *h, struct net_exchange *x, const struct net_request *rq)
{
	if (!http_end_loopback(h) || h->owner_known)
		return http_end_begin(h, x, rq);
	h->request = *rq;
	return http_owner_ask(h, x, WAIT_OWNER_REQUEST);
}

static enum net_verdict on_request(struct net_exchange *x, const struct net_request *rq)
{
	struct gate_http *h = net_conn_owner(net_exchange_conn(x));

	leave_conv(h);
	if (*h->named && !http_dial_is_for(h, rq->host))
		return http_dial_refuse(h, x, 421, "the connection is for another host");
	h->by_address = !*h->named;
	if (*h->named && !h->resolved)
		return http_dial_request(h, x, rq);
	return http_end_located(h, x, rq);
}

/* --- the log has room again ------------------------------------------------------------------------ */

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
		v = http_response_judge(h, x, &h->response);
	else
		v = http_response_judge_event(h, x, &h->event);
	if (v == NET_LATER)
		return;
	h->x = x;
	http_end_resume(h, v);
}

/* --- what is no HTTP, and ends -------------------------------------------------------------------- */

static enum net_verdict on_opaque(struct net_conn *c, const struct net_first *first)
{
	struct gate_http *h = net_conn_owner(c);
	struct gate_connect to = { .dest = net_conn_dest(c), .name = first->hello ? first->hello->name : "",
				   .hello = first->hello };
	struct gate_verdict v;

	if (http_end_lone(h, "opaque") < 0)
		return NET_DENY;
	to.disagrees = h->side->names && *to.name &&
		       !gate_names_agree(h->side->names, h->origin.agent, to.dest, to.name);
	if (first->kind == NET_FIRST_TLS && !first->hello)
		gate_judge_refused(h->lone, "the TLS hello is not well-formed", &v);
	else
		gate_judge_connect(h->lone, &to, &v);
	if (v.act == GATE_FORWARD && first->hello) {
		enum net_verdict nv = http_dial_tls(h, first);

		if (nv != NET_FORWARD)
			return nv;
	}
	return http_end_after_log(h, NULL, v.pos, v.act == GATE_FORWARD ? NET_FORWARD : NET_DENY);
}

static void on_failed(struct net_conn *c, struct net_exchange *x, unsigned status, const char *why,
		      struct buf *body)
{
	struct gate_http *h = net_conn_owner(c);
	struct gate_verdict v;

	(void)x;
	if (h->conv || http_end_lone(h, "http") == 0)
		gate_judge_refused(h->conv ? h->conv : h->lone, why, &v);
	if (status)
		http_end_error_body(body, why);
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
	resolver_cancel(h->query);
	h->query = NULL;
	h->waiting = WAIT_NOTHING;
	h->x = NULL;
	keep_call(h);
	leave_conv(h);
}

static void on_closed(struct net_conn *c)
{
	struct gate_http *h = net_conn_owner(c);

	gate_forget(h->side->gate, h);
	resolver_cancel(h->query);
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
	.opaque = on_opaque, .host = http_dial_host, .request = on_request, .dialed = http_owner_dialed,
	.mode = http_response_mode, .response = http_response_whole, .event = http_response_event, .failed = on_failed,
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
