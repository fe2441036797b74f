// SPDX-License-Identifier: Apache-2.0
/*
 * A stdio conversation behind the gate: lines from the relay are judged and, once recorded, sent on. Runs in
 * the proxy. The server is held until what it may have read early has been judged from the kernel's copy.
 */
#include "user/gate/stdio_end.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/hasher.h"
#include "user/gate/gate.h"
#include "user/gate/judge.h"

/* A line that is longer than this when a read has not ended it is hashed as it comes, while its sender writes more. */
#define AHEAD_MIN 32768u

struct gate_stdio {
	struct gate *gate;
	struct gate_conv *conv;
	struct stdio_relay *relay;
	uint64_t held, released; /* messages that waited for the log, and that no longer do */
	struct waiting_line {
		struct gate_stdio *owner;
		struct buf text; /* waits for room in the log; its direction stands still */
	} line[2];
	gate_stdio_decided decided;
	void *arg;
	bool refused; /* the server stands still until the host has its answer, and then dies */
	struct buf begun; /* the server has it: the beginning of a message whose end is still to come */
	struct jsonrpc_scan *discard[2]; /* while an over-long line is thrown away */
	uint64_t discarded[2];
	struct ahead {
		struct hasher *hasher; /* of the line under way; NULL: none is hashed ahead */
		size_t n; /* bytes of it that are */
	} ahead[2];
};

/* --- the digest of a long line, made while it comes ----------------------------------------------- */

static void ahead_forget(struct ahead *a)
{
	hasher_free(a->hasher);
	*a = (struct ahead){ 0 };
}

/* Without memory the line is hashed when it is there, as shorter ones are. */
static void on_partial(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct gate_stdio *s = arg;
	struct ahead *a = &s->ahead[dir];

	(void)r;
	if (!a->hasher) {
		if (n < AHEAD_MIN || hasher_new(&a->hasher) < 0)
			return;
		hasher_begin(a->hasher);
	}
	hasher_add(a->hasher, (struct span){ p + a->n, n - a->n });
	a->n = n;
}

/* The digest of a line's text, when its beginning was hashed ahead; ret holds it. Else NULL. */
static const uint8_t *ahead_end(struct gate_stdio *s, enum stdio_dir dir, struct span text, uint8_t ret[SHA256_SIZE])
{
	struct ahead *a = &s->ahead[dir];
	bool known = a->hasher && a->n <= text.n;

	if (known) {
		hasher_add(a->hasher, (struct span){ text.p + a->n, text.n - a->n });
		hasher_end(a->hasher, ret);
	}
	ahead_forget(a);
	return known ? ret : NULL;
}

static void decide(struct gate_stdio *s, bool go, const char *reason)
{
	gate_stdio_decided fn = s->decided;

	s->decided = NULL;
	if (fn)
		fn(s->arg, go, reason);
}

static void end(struct gate_stdio *s, const char *why)
{
	decide(s, false, why);
	gate_forget(s->gate, s);
	gate_forget(s->gate, &s->line[0]);
	gate_forget(s->gate, &s->line[1]);
	stdio_relay_free(s->relay);
	gate_conv_close(s->conv, why);
	buf_done(&s->begun);
	for (int dir = 0; dir < 2; dir++) {
		free(s->discard[dir]);
		buf_done(&s->line[dir].text);
		ahead_forget(&s->ahead[dir]);
	}
	free(s);
}

static enum stdio_dir back(enum stdio_dir d)
{
	return d == STDIO_TO_SERVER ? STDIO_TO_HOST : STDIO_TO_SERVER;
}

static void on_recorded(void *arg, int error)
{
	struct gate_stdio *s = arg;

	if (error < 0) {
		end(s, "the log failed");
		return;
	}
	s->released++;
	stdio_relay_release(s->relay, STDIO_TO_SERVER, s->released);
	stdio_relay_release(s->relay, STDIO_TO_HOST, s->released);
}

/* Sends bytes and a line end once the log holds what allowed them. 0 or why the conversation must end. */
static int send_on(struct gate_stdio *s, enum stdio_dir dir, struct span bytes, bool newline, uint64_t pos)
{
	int r;

	if (gate_recorded(s->gate, pos)) {
		r = stdio_relay_send(s->relay, dir, bytes.p, bytes.n);
		if (r >= 0 && newline)
			r = stdio_relay_send(s->relay, dir, "\n", 1);
		return r == -EPIPE ? 0 : r; /* the receiver left: its direction ends by itself */
	}
	s->held++;
	r = stdio_relay_send_held(s->relay, dir, bytes.p, bytes.n, s->held);
	if (r >= 0 && newline)
		r = stdio_relay_send_held(s->relay, dir, "\n", 1, s->held);
	if (r == -EPIPE)
		r = 0;
	return r < 0 ? r : gate_when_recorded(s->gate, pos, on_recorded, s);
}

static int carry_out(struct gate_stdio *s, enum stdio_dir dir, const struct gate_verdict *v,
		     struct span received)
{
	switch (v->act) {
	case GATE_FORWARD:
		return send_on(s, dir, received, false, v->pos);
	case GATE_REPLACE:
		return send_on(s, dir, v->bytes, true, v->pos);
	case GATE_ANSWER:
		return send_on(s, back(dir), v->bytes, true, v->pos);
	default:
		return 0;
	}
}

static bool blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!memchr(" \t\r\n", s.p[i], 4))
			return false;
	return true;
}

static struct span without_newline(struct span s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	return s;
}

/* The end of a message that the server has begun to read. It is judged whole; only what the server lacks can be
 * sent, so nothing else than "as it is" leaves the conversation intact. -EPERM otherwise. */
static int judge_rest(struct gate_stdio *s, struct span rest)
{
	struct gate_context x = { .dir = MCP_TO_SERVER, .late = true };
	struct gate_verdict v;
	int r = buf_append(&s->begun, rest.p, rest.n);

	if (r < 0)
		return r;
	gate_judge(s->conv, &x, without_newline(buf_span(&s->begun)), &v);
	buf_clear(&s->begun);
	if (v.act == GATE_FORWARD)
		return send_on(s, STDIO_TO_SERVER, rest, false, v.pos);
	if (v.act == GATE_ANSWER && stdio_relay_send(s->relay, STDIO_TO_HOST, v.bytes.p, v.bytes.n) >= 0)
		(void)stdio_relay_send(s->relay, STDIO_TO_HOST, "\n", 1);
	return -EPERM;
}

/* digest: of the line without its newline, or NULL. */
static int judge_line(struct gate_stdio *s, enum stdio_dir dir, struct span line, const uint8_t *digest)
{
	struct gate_context x = { .dir = dir == STDIO_TO_SERVER ? MCP_TO_SERVER : MCP_TO_HOST, .digest = digest };
	struct gate_verdict v = { .act = GATE_FORWARD, .pos = s->conv->pos };

	if (dir == STDIO_TO_SERVER && buf_len(&s->begun) > 0)
		return judge_rest(s, line);
	if (!blank(line))
		gate_judge(s->conv, &x, without_newline(line), &v);
	return carry_out(s, dir, &v, line);
}

static const char *why_ended(int r)
{
	return r == -EPERM ? "the server had begun to read a message that is denied"
			   : "a side does not take what is sent to it, or memory ran out";
}

/* The host's message was answered: with the answer out, both sides see the end, and the server is killed. */
static void finish_refused(struct gate_stdio *s, enum stdio_dir dir)
{
	if (!s->refused || dir != STDIO_TO_SERVER || buf_len(&s->line[dir].text) > 0)
		return;
	stdio_relay_finish(s->relay, STDIO_TO_HOST);
	stdio_relay_finish(s->relay, STDIO_TO_SERVER);
}

static void on_room(void *arg)
{
	struct waiting_line *w = arg;
	struct gate_stdio *s = w->owner;
	enum stdio_dir dir = w == &s->line[STDIO_TO_HOST] ? STDIO_TO_HOST : STDIO_TO_SERVER;
	_cleanup_buf_ struct buf text = w->text;
	int r;

	w->text = (struct buf){ 0 };
	r = judge_line(s, dir, buf_span(&text), NULL);
	if (r < 0) {
		end(s, why_ended(r));
		return;
	}
	stdio_relay_pause(s->relay, dir, false);
	finish_refused(s, dir);
}

/* Keeps a line until the log has room for its record. 0 or why the conversation must end. */
static int wait_for_room(struct gate_stdio *s, enum stdio_dir dir, struct span line)
{
	struct waiting_line *w = &s->line[dir];
	int r;

	w->owner = s;
	w->text.limit = line.n;
	r = buf_append(&w->text, line.p, line.n);
	if (r >= 0)
		r = gate_when_room(s->gate, on_room, w);
	if (r >= 0)
		stdio_relay_pause(s->relay, dir, true);
	return r;
}

static void on_line(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, void *arg)
{
	struct gate_stdio *s = arg;
	struct span line = { p, n };
	uint8_t digest[SHA256_SIZE];
	const uint8_t *known = ahead_end(s, dir, without_newline(line), digest);
	int res = gate_room(s->gate) ? judge_line(s, dir, line, known) : wait_for_room(s, dir, line);

	(void)r;
	if (res < 0)
		end(s, why_ended(res));
	else
		finish_refused(s, dir);
}

static void on_overlong(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	struct gate_stdio *s = arg;

	(void)r;
	ahead_forget(&s->ahead[dir]);
	if (!s->discard[dir])
		s->discard[dir] = malloc(sizeof(*s->discard[dir]));
	if (s->discard[dir])
		jsonrpc_scan_init(s->discard[dir]);
	s->discarded[dir] = 0;
}

static void on_discarded(struct stdio_relay *r, enum stdio_dir dir, const char *p, size_t n, bool last,
			 void *arg)
{
	struct gate_stdio *s = arg;
	struct gate_context x = { .dir = dir == STDIO_TO_SERVER ? MCP_TO_SERVER : MCP_TO_HOST };
	struct jsonrpc_scan *scan = s->discard[dir];
	struct gate_verdict v;

	(void)r;
	s->discarded[dir] += n;
	if (scan)
		(void)jsonrpc_scan_feed(scan, (struct span){ p, n });
	if (!last)
		return;
	gate_judge_overlong(s->conv, &x, scan ? jsonrpc_scan_id(scan) : SPAN(""), s->discarded[dir], &v);
	if (carry_out(s, dir, &v, SPAN("")) < 0)
		end(s, "a side does not take what is sent to it");
}

static void on_eof(struct stdio_relay *r, enum stdio_dir dir, void *arg)
{
	stdio_relay_finish(r, dir);
	finish_refused(arg, dir);
}

static void on_closed(struct stdio_relay *r, enum stdio_end how, void *arg)
{
	struct gate_stdio *s = arg;

	(void)r;
	end(s, s->refused	    ? s->conv->spawn.refused :
	       how == STDIO_END_EOF ? "both sides ended" :
				      "input or output failed");
}

static const struct stdio_relay_ops relay_ops = {
	.line = on_line, .overlong = on_overlong, .discarded = on_discarded, .eof = on_eof,
	.closed = on_closed, .partial = on_partial,
};

/* --- what the server may have read before the swap ------------------------------------------------ */

/* Answers the host directly: the relay does not exist yet, and the server will not live. */
static void answer_host(int fd, struct span bytes)
{
	if (write(fd, bytes.p, bytes.n) < 0 || write(fd, "\n", 1) < 0)
		return; /* the host does not listen; it will see the end of the conversation */
}

/* A value that lacks nothing but its newline may be acted upon, whatever the framing says. */
static bool is_complete(struct span s)
{
	struct jsonrpc_scan scan;

	jsonrpc_scan_init(&scan);
	(void)jsonrpc_scan_feed(&scan, s);
	return scan.ended;
}

/* 0: every message that the server read early is allowed. -EPERM: one is not. -ENODATA: not all known. */
static int judge_early(struct gate_stdio *s, const struct gate_stdio_spec *spec)
{
	struct gate_context x = { .dir = MCP_TO_SERVER, .late = true };
	struct span rest = spec->head;
	bool mcp = false; /* what stands before the first message was let through as no MCP */
	struct gate_verdict v;

	if (spec->taken != rest.n)
		return -ENODATA;
	while (rest.n) {
		const char *nl = memchr(rest.p, '\n', rest.n);
		struct span line = { rest.p, nl ? (size_t)(nl - rest.p) : rest.n };

		if (!nl && !is_complete(line))
			return buf_append(&s->begun, line.p, line.n);
		rest.p += line.n + (nl ? 1 : 0);
		rest.n -= line.n + (nl ? 1 : 0);
		mcp = mcp || jsonrpc_peek(line) != JSONRPC_PEEK_NO;
		if (blank(line) || !mcp)
			continue;
		gate_judge(s->conv, &x, line, &v);
		if (v.act == GATE_ANSWER)
			answer_host(spec->fds.orig_out, v.bytes);
		if (v.act != GATE_FORWARD)
			return -EPERM;
	}
	return 0;
}

static void on_early_recorded(void *arg, int error)
{
	struct gate_stdio *s = arg;

	if (error < 0)
		end(s, "the log failed");
	else
		decide(s, true, "");
}

static void close_fds(const struct stdio_relay_fds *f)
{
	close(f->orig_in);
	close(f->orig_out);
	close(f->to_server);
	close(f->from_server);
}

static int begin(struct gate_stdio *s, struct loop *l, const struct gate_stdio_spec *spec,
		 const char **ret_why)
{
	int r = judge_early(s, spec);

	if (r < 0) {
		*ret_why = r == -EPERM ? "a message that it had read already is denied" :
				 "it had read bytes that are not known";
		return r;
	}
	r = stdio_relay_new(l, &spec->fds, s->gate->limits.message_max, &relay_ops, s, &s->relay);
	*ret_why = "its descriptors cannot be used";
	return r;
}

int gate_stdio_open(struct gate *g, struct loop *l, const struct gate_stdio_spec *spec,
		    gate_stdio_decided decided, void *arg)
{
	struct gate_stdio *s = calloc(1, sizeof(*s));
	const char *why = "";
	int r = -ENOMEM;

	if (s) {
		*s = (struct gate_stdio){ .gate = g, .decided = decided, .arg = arg };
		r = gate_conv_open(g, &spec->peers, &s->conv);
	}
	if (r < 0) {
		close_fds(&spec->fds);
		free(s);
		return r;
	}
	r = begin(s, l, spec, &why);
	if (r < 0) {
		close_fds(&spec->fds);
		end(s, *s->conv->spawn.refused ? s->conv->spawn.refused : why);
		return 0;
	}
	s->refused = *s->conv->spawn.refused && g->mode == GATE_ENFORCING;
	if (!s->refused && gate_when_recorded(g, s->conv->pos, on_early_recorded, s) < 0)
		end(s, "not enough memory");
	return 0;
}
