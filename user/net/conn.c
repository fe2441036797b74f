// SPDX-License-Identifier: Apache-2.0
/*
 * A steered connection, in the proxy: its life, its turns, and the questions to the gate. One
 * exchange at a time; nothing received is sent on before the gate's verdict on it. A connection is
 * freed at the end of its own turn only, so no step and no callback finds it gone.
 */
#include "user/net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "user/base/cleanup.h"
#include "user/net/conn_int.h"

int net_conn_new(struct net *n, struct net_listener *from, int fd, const struct net_dest *dest,
		 const struct net_ops *ops, void *owner, struct net_conn **ret)
{
	_cleanup_free_ struct net_conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->net = n;
	c->ops = ops;
	c->owner = owner;
	c->dest = *dest;
	c->x.conn = c;
	leg_init(&c->client, c);
	leg_init(&c->server, c);
	c->x.body.limit = c->client.in.limit + n->limits.event_max;
	c->x.staged.limit = c->x.body.limit;
	c->x.sse.joined.limit = c->x.body.limit;
	r = leg_watch(&c->client, fd, EPOLLIN);
	if (r < 0)
		return r;
	c->link = &n->conns;
	c->next = n->conns;
	if (c->next)
		c->next->link = &c->next;
	n->conns = c;
	n->count++;
	c->from = from;
	if (from)
		net_listener_joined(from);
	conn_state(c, ST_FIRST, n->limits.first_ms);
	*ret = take_ptr(c);
	return 0;
}

void conn_destroy(struct net_conn *c)
{
	struct net *n = c->net;

	c->dead = c->running = true; /* callbacks below change nothing any more */
	if (n->visit == c)
		n->visit = c->next;
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	n->count--;
	leg_close(&c->server, c->reset);
	leg_close(&c->client, c->reset);
	if (c->from)
		net_listener_left(c->from);
	if (c->x.live && !c->x.error)
		c->x.error = -ECONNRESET;
	exchange_end(c);
	if (c->ops->closed)
		c->ops->closed(c);
	net_buf_release(n, &c->client.in);
	net_buf_release(n, &c->client.out);
	net_buf_release(n, &c->server.in);
	net_buf_release(n, &c->server.out);
	buf_done(&c->x.body);
	buf_done(&c->x.staged);
	sse_done(&c->x.sse);
	n->buffered -= c->accounted;
	free(c);
}

void conn_kill(struct net_conn *c, int error)
{
	c->dead = true;
	if (error && !c->x.error)
		c->x.error = error;
}

void net_conn_close(struct net_conn *c)
{
	conn_kill(c, -ECANCELED);
	if (!c->running)
		conn_destroy(c);
}

void conn_state(struct net_conn *c, enum conn_state st, unsigned ms)
{
	c->state = st;
	net_deadline(c, ms);
}

/* Opens a question; the callback's return is handed to conn_asked(). */
void conn_ask(struct net_conn *c, enum conn_state st)
{
	c->answer = NET_LATER;
	c->x.reply_status = 0;
	c->x.replace_ok = false;
	conn_state(c, st, 0);
}

void conn_asked(struct net_conn *c, enum net_verdict v)
{
	if (v != NET_LATER)
		c->answer = v;
}

void net_conn_resume(struct net_conn *c, enum net_verdict v)
{
	bool open = c->state == ST_ASK_OPAQUE || c->state == ST_ASK_REQUEST ||
		    c->state == ST_ASK_DIALED || c->state == ST_ASK_RESPONSE ||
		    c->state == ST_ASK_EVENT;

	if (!open || c->answer != NET_LATER || v == NET_LATER || c->dead)
		return;
	c->answer = v;
	conn_run(c);
}

void net_exchange_resume(struct net_exchange *x, enum net_verdict v)
{
	net_conn_resume(x->conn, v);
}

void exchange_reset(struct net_conn *c)
{
	struct net_exchange *x = &c->x;

	x->data = NULL;
	x->begun = x->live = x->committed = x->last = x->is_head = false;
	x->chunk_out = x->end = x->replace_ok = false;
	x->interim = x->reply_status = 0;
	x->error = 0;
	x->scan = x->seen = x->held = x->piece = 0;
	buf_clear(&x->body);
	net_buf_release(c->net, &x->body);
	buf_clear(&x->staged);
	net_buf_release(c->net, &x->staged);
	sse_done(&x->sse);
}

/* The answer is with the kernel, or never will be. */
void exchange_end(struct net_conn *c)
{
	if (!c->x.live)
		return;
	c->x.live = false;
	if (c->ops->finished)
		c->ops->finished(&c->x, c->x.error);
}

static bool step(struct net_conn *c)
{
	static bool (*const steps[ST_COUNT])(struct net_conn *c) = {
		[ST_FIRST] = step_first,
		[ST_ASK_OPAQUE] = step_opaque_answer,
		[ST_OPAQUE] = step_opaque,
		[ST_HEAD] = step_head,
		[ST_BODY] = step_body,
		[ST_ASK_REQUEST] = step_request_answer,
		[ST_DIAL] = step_dial,
		[ST_ASK_DIALED] = step_dialed_answer,
		[ST_ANSWER] = step_answer,
		[ST_COLLECT] = step_collect,
		[ST_ASK_RESPONSE] = step_response_answer,
		[ST_EVENTS] = step_events,
		[ST_ASK_EVENT] = step_event_answer,
		[ST_PASS] = step_pass,
		[ST_FLUSH] = step_flush,
		[ST_LINGER] = step_linger,
	};

	return steps[c->state](c);
}

/* The bytes an open question is about must stay where they are, so their leg is not read. */
static bool wants_client(const struct net_conn *c)
{
	const struct leg *l = &c->client;

	if (l->fd < 0 || l->eof)
		return false;
	switch (c->state) {
	case ST_FIRST:
	case ST_HEAD:
	case ST_BODY:
	case ST_LINGER:
		return true;
	case ST_ASK_OPAQUE:
	case ST_ASK_REQUEST:
		return false;
	case ST_OPAQUE:
		return buf_len(&l->in) < NET_OUT_HIGH;
	default: /* read ahead a little, to notice a client that leaves */
		return buf_len(&l->in) - c->server.pass - c->x.held < NET_BLOCK;
	}
}

static bool wants_server(const struct net_conn *c)
{
	const struct leg *l = &c->server;

	if (l->fd < 0 || l->eof)
		return false;
	switch (c->state) {
	case ST_DIAL:
	case ST_ASK_DIALED:
	case ST_ASK_RESPONSE:
	case ST_ASK_EVENT:
	case ST_FLUSH:
		return false;
	case ST_OPAQUE:
	case ST_PASS:
		return buf_len(&l->in) < NET_OUT_HIGH;
	case ST_EVENTS:
		return buf_len(&c->client.out) < NET_OUT_HIGH && buf_len(&l->in) < NET_OUT_HIGH;
	default:
		return true;
	}
}

/* What is known to come: so a large body needs few reads and no copies. */
static size_t expected(const struct net_conn *c, enum conn_state st)
{
	if (c->state != st || c->x.framing.kind != HTTP_FRAMING_LENGTH)
		return 0;
	return (size_t)c->x.framing.left;
}

/* One read per leg and turn. */
static bool take_input(struct net_conn *c)
{
	const uint32_t readable = EPOLLIN | EPOLLHUP | EPOLLERR;
	bool any = false;

	if ((c->client.events & readable) && wants_client(c)) {
		leg_read(&c->client, expected(c, ST_BODY));
		any = true;
	}
	if (!c->dead && (c->server.events & readable) && wants_server(c)) {
		leg_read(&c->server, expected(c, ST_COLLECT));
		any = true;
	}
	c->client.events &= ~EPOLLIN; /* a hang-up stays */
	c->server.events &= ~EPOLLIN;
	return any;
}

static bool may_send(const struct net_conn *c)
{
	return c->state != ST_DIAL && c->state != ST_ASK_DIALED;
}

/* epoll reports a hang-up until the descriptor leaves it, whatever we ask for. */
static void watch(struct net_conn *c, struct leg *l, bool in, bool out)
{
	if (l->fd < 0 || !l->io)
		return;
	if (c->state == ST_DIAL && l == &c->server) {
		(void)loop_io_set(l->io, EPOLLOUT);
		return;
	}
	if (l->events & (EPOLLHUP | EPOLLERR)) {
		loop_io_remove(l->io);
		l->io = NULL;
		return;
	}
	if (loop_io_set(l->io, (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0)) < 0)
		conn_kill(c, -EIO);
}

/* The server learns that the client will send no more just as it would without us; for some
 * protocols (MCP of 2026-07-28) that is how a call is cancelled. */
static void mirror_half_close(struct net_conn *c)
{
	bool in_flight = c->state == ST_ANSWER || c->state == ST_COLLECT || c->state == ST_PASS ||
			 c->state == ST_ASK_RESPONSE || c->state == ST_EVENTS ||
			 c->state == ST_ASK_EVENT;

	if (in_flight && c->client.eof && leg_idle(&c->server) && buf_len(&c->client.in) == 0)
		leg_shut(&c->server);
}

/* Empty memory goes back. False when the engine holds too much, and a good part of it is here. */
static bool tidy(struct net_conn *c)
{
	net_buf_release(c->net, &c->client.in);
	net_buf_release(c->net, &c->client.out);
	net_buf_release(c->net, &c->server.in);
	net_buf_release(c->net, &c->server.out);
	return net_account(c);
}

/* After a turn: watch for what is needed next. */
static void settle(struct net_conn *c, bool moved)
{
	bool client_out = !leg_idle(&c->client);
	bool server_out = may_send(c) && !leg_idle(&c->server);

	mirror_half_close(c);
	if (!client_out && !server_out)
		c->stalled = 0;
	else if (moved || !c->stalled)
		net_stalled(c, true);
	watch(c, &c->client, wants_client(c), client_out);
	watch(c, &c->server, wants_server(c), server_out);
}

/* Reads, steps and sends until nothing moves. */
static bool turn(struct net_conn *c)
{
	bool moved = false, more = true;

	while (more && !c->dead) {
		more = take_input(c);
		while (!c->dead && step(c))
			more = true;
		if (!c->dead && leg_flush(&c->client))
			moved = more = true;
		if (!c->dead && may_send(c) && leg_flush(&c->server))
			moved = more = true;
	}
	return moved;
}

void conn_run(struct net_conn *c)
{
	bool moved;

	if (c->running)
		return;
	c->running = true;
	if (c->client.events & EPOLLERR)
		conn_kill(c, -ECONNRESET);
	moved = turn(c);
	if (!c->dead && !tidy(c)) {
		if (!c->x.committed && c->state != ST_OPAQUE)
			reply_fail(c, 503, "too many bytes are held", -ENOBUFS);
		moved |= turn(c);
		if (!c->dead && !tidy(c))
			conn_kill(c, -ENOBUFS);
	}
	if (!c->dead)
		settle(c, moved);
	c->running = false;
	if (c->dead)
		conn_destroy(c);
}

void conn_expired(struct net_conn *c)
{
	if (c->stalled && c->stalled <= net_now_ms()) {
		c->reset = true;
		conn_kill(c, -ETIMEDOUT);
		conn_destroy(c);
		return;
	}
	c->deadline = 0;
	c->running = true;
	switch (c->state) {
	case ST_FIRST:
		first_expired(c);
		break;
	case ST_HEAD:
		if (!c->x.begun)
			conn_kill(c, 0);
		else
			reply_fail(c, 408, "request took too long", -ETIMEDOUT);
		break;
	case ST_BODY:
		reply_fail(c, 408, "request took too long", -ETIMEDOUT);
		break;
	case ST_DIAL:
		reply_fail(c, 504, "server did not accept in time", -ETIMEDOUT);
		break;
	case ST_ANSWER:
	case ST_COLLECT:
	case ST_PASS:
		reply_fail(c, 504, "server did not answer in time", -ETIMEDOUT);
		break;
	default:
		conn_kill(c, -ETIMEDOUT);
		break;
	}
	c->running = false;
	if (c->dead)
		conn_destroy(c);
	else
		conn_run(c);
}

int net_conn_redirect(struct net_conn *c, const struct net_dest *to)
{
	if (c->server.fd >= 0 || (c->state != ST_ASK_OPAQUE && c->state != ST_ASK_REQUEST))
		return -EBUSY;
	c->dest = *to;
	return 0;
}

void *net_conn_owner(const struct net_conn *c)
{
	return c->owner;
}

const struct net_dest *net_conn_dest(const struct net_conn *c)
{
	return &c->dest;
}

uint64_t net_conn_bytes_client(const struct net_conn *c)
{
	return c->client.received;
}

uint64_t net_conn_bytes_server(const struct net_conn *c)
{
	return c->server.received;
}

struct net_conn *net_exchange_conn(const struct net_exchange *x)
{
	return x->conn;
}

void net_exchange_set_data(struct net_exchange *x, void *data)
{
	x->data = data;
}

void *net_exchange_data(const struct net_exchange *x)
{
	return x->data;
}
