// SPDX-License-Identifier: Apache-2.0
/*
 * A server's request on an event stream that policy denies is answered here, so that the server need not wait for its
 * own time limit. Runs in the proxy. The bytes are ours but for header lines of the host's own request to the same
 * server; nothing of the answer to them reaches the host.
 */
#include "user/gate/http_answer.h"

#include <errno.h>
#include <stdlib.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/gate/gate.h"
#include "user/gate/http_end.h"
#include "user/net/head.h"
#include "user/net/post.h"

struct http_answer {
	struct http_answer *next, **link;
	struct gate_http_side *side;
	struct net_post *post;
	struct tg_origin origin;
	struct net_dest dest;
	struct buf request;
	uint64_t token, owner_socket;
	bool ask_owner, had_owner;
};

static void answer_free(struct http_answer *a)
{
	if (!a)
		return;
	gate_forget(a->side->gate, a);
	net_post_free(a->post);
	if (a->link) {
		*a->link = a->next;
		if (a->next)
			a->next->link = a->link;
	}
	buf_done(&a->request);
	free(a);
}

DEFINE_CLEANUP(struct http_answer *, answer_free)

/* What describes the host's own message or connection, and not the host. */
static bool is_of_message(struct span name)
{
	static const char *const names[] = {
		"content-length", "transfer-encoding", "content-type", "content-encoding", "accept",
		"accept-encoding", "connection", "expect", "last-event-id", "te", "trailer", "range",
		"mcp-method", "mcp-name",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (span_caseeq(name, names[i]))
			return true;
	return false;
}

static int write_request(struct buf *out, struct span head, struct span body)
{
	const char *target = memchr(head.p, ' ', head.n), *lf = memchr(head.p, '\n', head.n);
	struct http_field f;
	struct span id;
	size_t pos = 0;
	int r;

	if (!target || !lf || target > lf)
		return -EINVAL;
	/* The stream of the legacy transport: it is opened by GET, and has no session's id. */
	if (!memcmp(head.p, "GET ", 4) && !http_field(head, "mcp-session-id", &id))
		return -EOPNOTSUPP;
	r = buf_append_str(out, "POST");
	if (r >= 0)
		r = buf_append(out, target, (size_t)(lf - target) + 1); /* " TARGET HTTP/1.1\r\n" */
	while (r >= 0 && http_field_next(head, &pos, &f))
		if (!is_of_message(f.name))
			r = buf_append(out, f.line.p, f.line.n);
	if (r >= 0)
		r = buf_printf(out, "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
			       "Content-Length: %zu\r\nConnection: close\r\n\r\n", body.n);
	return r < 0 ? r : buf_append(out, body.p, body.n);
}

/* Between the judgement and now another program may have taken the port over: it gets no session id of ours. */
static enum net_verdict on_dialed(struct net_post *p, void *arg)
{
	struct http_answer *a = arg;

	(void)p;
	if (!a->ask_owner)
		return NET_FORWARD;
	a->token = ++a->side->last_token;
	return a->side->ops->ask_owner(a->token, &a->origin, a->side->arg) < 0 ? NET_DENY : NET_LATER;
}

static void on_done(struct net_post *p, int error, void *arg)
{
	struct http_answer *a = arg;

	(void)p;
	(void)error; /* the server did not take the answer; it waits, or has gone */
	a->post = NULL; /* frees itself */
	answer_free(a);
}

static const struct net_post_ops post_ops = { .dialed = on_dialed, .done = on_done };

static void on_recorded(void *arg, int error)
{
	struct http_answer *a = arg;

	if (error < 0 || net_post_new(a->side->net, &a->dest, buf_span(&a->request), &post_ops, a, &a->post) < 0)
		answer_free(a);
}

int http_answer_send(struct gate_http_side *side, const struct http_answer_to *to, struct span body,
		     uint64_t pos)
{
	_cleanup_(answer_free_p) struct http_answer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->side = side;
	a->origin = *to->origin;
	a->dest = *to->dest;
	a->ask_owner = to->ask_owner;
	a->had_owner = to->had_owner;
	a->owner_socket = to->owner_socket;
	r = write_request(&a->request, to->head, body);
	if (r < 0)
		return r;
	a->next = side->answers;
	a->link = &side->answers;
	if (a->next)
		a->next->link = &a->next;
	side->answers = a;
	r = gate_when_recorded(side->gate, pos, on_recorded, a);
	if (r == 0)
		(void)take_ptr(a); /* gone already, or its own */
	return r;
}

bool http_answer_owner(struct gate_http_side *side, uint64_t token, const struct proc_identity *owner,
		       uint64_t socket)
{
	for (struct http_answer *a = side->answers; a; a = a->next)
		if (a->post && a->token == token) {
			net_post_resume(a->post, socket == a->owner_socket && (owner || !a->had_owner) ?
					NET_FORWARD : NET_DENY);
			return true;
		}
	return false;
}

void http_answers_free(struct gate_http_side *side)
{
	while (side->answers)
		answer_free(side->answers);
}
