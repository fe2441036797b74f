// SPDX-License-Identifier: Apache-2.0
/*
 * The client's half of MCP, as much as a catalog needs: begin in the era that the server speaks,
 * list all tools, answer what the server asks meanwhile.
 */
#include "user/cli/catalog_live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/mcp/jsonrpc.h"
#include "user/mcp/message.h"

#define SETTLE_MS 300 /* servers that add tools after learning what the client can do say so at once */
#define LISTINGS_MAX 5 /* a list that changes all the time is not waited for */
#define TOTAL_MAX (64u << 20)
#define ERROR_TEXT_MAX 120

/* All that a client can offer: servers hide tools that need what is not offered. */
#define CAPABILITIES "{\"roots\":{\"listChanged\":true},\"sampling\":{},\"elicitation\":{}}"
#define CLIENT "{\"name\":\"tollgate\",\"version\":\"1\"}"
#define MODERN "2026-07-28"
#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" MODERN "\"," \
	"\"io.modelcontextprotocol/clientInfo\":" CLIENT "," \
	"\"io.modelcontextprotocol/clientCapabilities\":" CAPABILITIES "}"

struct client {
	struct live_io *io;
	int timeout_ms;
	int64_t next_id;
	bool list_changed;
	struct buf in, out; /* the message being read, being written */
	struct tape tape;
	struct jsonrpc_msg msg; /* the answer, after ask() */
	char *err;
};

int live_left(uint64_t start_ns, int timeout_ms)
{
	uint64_t gone = (clock_mono_ns() - start_ns) / 1000000;

	return gone >= (uint64_t)timeout_ms ? 0 : timeout_ms - (int)gone;
}

static int fail(struct client *c, int r, const char *doing)
{
	snprintf(c->err, LIVE_ERROR_MAX, "%s: %s", doing, c->io->err[0] ? c->io->err : strerror(-r));
	return r;
}

/* The server asks: whether we are there, where its roots are, or what only a host could answer. */
static int answer_request(struct client *c, const struct jsonrpc_msg *m)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (span_is(m->name, "ping"))
		r = jsonrpc_result_write(&b, m->id_raw, SPAN("{}"));
	else if (span_is(m->name, "roots/list"))
		r = jsonrpc_result_write(&b, m->id_raw, SPAN("{\"roots\":[]}"));
	else
		r = jsonrpc_error_write(&b, m->id_raw, JSONRPC_E_METHOD, "a catalog scan answers no requests",
					(struct span){ NULL, 0 });
	return r < 0 ? r : c->io->send(c->io, buf_span(&b), NULL, false);
}

/* One message; 1 when it is the answer to id. */
static int take_message(struct client *c, uint32_t root, struct span id)
{
	struct jsonrpc_msg m;
	int r;

	jsonrpc_classify(&c->tape, root, &m);
	switch (m.kind) {
	case JSONRPC_BATCH:
		if (root != 0)
			return 0;
		for (uint32_t i = tape_first(&c->tape, root); i != TAPE_NONE; i = tape_next(&c->tape, root, i)) {
			r = take_message(c, i, id);
			if (r != 0)
				return r;
		}
		return 0;
	case JSONRPC_REQUEST:
		return answer_request(c, &m);
	case JSONRPC_NOTIFICATION:
		c->list_changed |= span_is(m.name, "notifications/tools/list_changed");
		return 0;
	case JSONRPC_RESPONSE:
	case JSONRPC_ERROR:
		if (!jsonrpc_id_eq(m.id_raw, id))
			return 0;
		c->msg = m;
		return 1;
	default:
		return 0; /* rubbish on standard output is common, and hosts pass over it */
	}
}

/* Reads until the answer to id comes (1), or the time is over (-ETIMEDOUT). */
static int wait_answer(struct client *c, struct span id, int timeout_ms)
{
	uint64_t start = clock_mono_ns();
	int r;

	for (;;) {
		int left = live_left(start, timeout_ms);

		if (left == 0)
			return -ETIMEDOUT;
		buf_clear(&c->in);
		r = c->io->recv(c->io, left, &c->in);
		if (r < 0)
			return r;
		if (tape_parse(&c->tape, buf_span(&c->in), NULL) < 0)
			continue;
		r = take_message(c, 0, id);
		if (r != 0)
			return r;
	}
}

static int ask(struct client *c, const char *method, const char *params)
{
	_cleanup_buf_ struct buf b = { .limit = LIVE_MESSAGE_MAX };
	struct span id;
	char text[24];
	int r;

	id = (struct span){ text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)++c->next_id) };
	r = buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"%s\",\"params\":%s}", text, method, params);
	c->io->err[0] = '\0';
	if (r == 0)
		r = c->io->send(c->io, buf_span(&b), method, true);
	if (r == 0)
		r = wait_answer(c, id, c->timeout_ms);
	return r < 0 ? r : 0;
}

static int refused(struct client *c, const char *doing)
{
	struct span s = tape_text(&c->tape, tape_get(&c->tape, c->msg.error, "message"));
	char text[ERROR_TEXT_MAX + 1];
	size_t n = s.n < ERROR_TEXT_MAX ? s.n : ERROR_TEXT_MAX;

	for (size_t i = 0; i < n; i++)
		text[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	text[n] = '\0';
	snprintf(c->err, LIVE_ERROR_MAX, "%s: the server refuses: %s", doing, text);
	return -EPROTO;
}

static void copy_text(char *to, size_t size, struct span s)
{
	size_t n = s.n < size - 1 ? s.n : size - 1;

	for (size_t i = 0; i < n; i++)
		to[i] = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f ? '?' : s.p[i];
	to[n] = '\0';
}

static void learn(struct client *c, enum mcp_method asked, struct live *ret)
{
	struct mcp_server_info info;

	mcp_server_info(&c->tape, c->msg.result, asked, &info);
	copy_text(ret->name, sizeof(ret->name), info.name);
	copy_text(ret->version, sizeof(ret->version),
		  asked == MCP_SERVER_DISCOVER ? SPAN(MODERN) : info.version_text);
	copy_text(c->io->version, sizeof(c->io->version), span_of(ret->version));
}

static int begin_modern(struct client *c, struct live *ret)
{
	int r;

	c->io->modern = true;
	copy_text(c->io->version, sizeof(c->io->version), SPAN(MODERN));
	r = ask(c, "server/discover", "{" META "}");
	if (r < 0)
		return fail(c, r, "server/discover");
	if (c->msg.kind != JSONRPC_RESPONSE)
		return refused(c, "server/discover");
	learn(c, MCP_SERVER_DISCOVER, ret);
	return 0;
}

/* 0, or 1: the server does not know initialize, try the modern era. */
static int begin_legacy(struct client *c, struct live *ret)
{
	int r = ask(c, "initialize", "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":" CAPABILITIES
				     ",\"clientInfo\":" CLIENT "}");

	if (r == -EPIPE || r == -EPROTO)
		return 1;
	if (r < 0)
		return fail(c, r, "initialize");
	if (c->msg.kind != JSONRPC_RESPONSE)
		return 1;
	learn(c, MCP_INITIALIZE, ret);
	r = c->io->send(c->io, SPAN("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}"),
			"notifications/initialized", false);
	return r < 0 ? fail(c, r, "notifications/initialized") : 0;
}

static int add_page(struct client *c, uint32_t array, struct buf *out, unsigned *count)
{
	int r = 0;

	for (uint32_t i = tape_first(&c->tape, array); i != TAPE_NONE && r == 0; i = tape_next(&c->tape, array, i)) {
		struct span raw = tape_raw(&c->tape, i);

		if (++*count > LIVE_TOOLS_MAX)
			return -EMSGSIZE;
		r = buf_append_str(out, *count > 1 ? "," : "");
		if (r == 0)
			r = buf_append(out, raw.p, raw.n);
	}
	return r;
}

/* The params of tools/list for a cursor (a token of the present tape, or TAPE_NONE). */
static int list_params(struct client *c, uint32_t cursor, struct buf *out)
{
	const char *meta = c->io->modern ? META : "";
	struct span raw = tape_raw(&c->tape, cursor);

	buf_clear(out);
	if (cursor == TAPE_NONE)
		return buf_printf(out, "{%s}", meta);
	return buf_printf(out, "{%s%s\"cursor\":%.*s}", meta, meta[0] ? "," : "", (int)raw.n, raw.p);
}

static int list_tools(struct client *c, struct buf *out)
{
	_cleanup_buf_ struct buf params = { .limit = LIVE_MESSAGE_MAX };
	uint32_t cursor = TAPE_NONE, array;
	unsigned count = 0;
	int r;

	c->list_changed = false;
	buf_clear(out);
	r = buf_append_str(out, "[");
	for (unsigned page = 0; r == 0; page++) {
		if (page == LIVE_PAGES_MAX)
			return fail(c, -EMSGSIZE, "tools/list");
		r = list_params(c, cursor, &params);
		if (r == 0 && !buf_cstr(&params))
			r = -ENOMEM;
		if (r == 0)
			r = ask(c, "tools/list", buf_cstr(&params));
		if (r < 0)
			return fail(c, r, "tools/list");
		if (c->msg.kind != JSONRPC_RESPONSE)
			return refused(c, "tools/list");
		array = mcp_list_array(&c->tape, c->msg.result, MCP_TOOLS_LIST);
		if (array == TAPE_NONE) {
			snprintf(c->err, LIVE_ERROR_MAX, "tools/list: the result carries no list");
			return -EPROTO;
		}
		r = add_page(c, array, out, &count);
		cursor = mcp_list_cursor(&c->tape, c->msg.result);
		if (r == 0 && cursor == TAPE_NONE)
			break;
	}
	r = r < 0 ? r : buf_append_str(out, "]");
	return r < 0 ? fail(c, r, "tools/list") : 0;
}

static int list_until_settled(struct client *c, struct live *ret)
{
	int r;

	for (unsigned i = 0; i < LISTINGS_MAX; i++) {
		r = list_tools(c, &ret->text);
		if (r < 0)
			return r;
		if (!c->io->modern && !c->list_changed) {
			r = wait_answer(c, SPAN("\"none\""), SETTLE_MS);
			if (r < 0 && r != -ETIMEDOUT && r != -EPIPE)
				return fail(c, r, "tools/list");
		}
		if (!c->list_changed)
			return 0;
	}
	snprintf(c->err, LIVE_ERROR_MAX, "tools/list: the list keeps changing");
	return -EAGAIN;
}

static int check_tools(struct client *c, struct live *ret)
{
	static const struct tape_limits limits = { .bytes = TOTAL_MAX, .tokens = TAPE_TOKENS_MAX };
	const struct tape *t = &ret->tools;
	int r = tape_parse(&ret->tools, buf_span(&ret->text), &limits);

	if (r < 0)
		return fail(c, r, "tools/list");
	for (uint32_t i = tape_first(t, 0); i != TAPE_NONE; i = tape_next(t, 0, i)) {
		uint32_t name = tape_get(t, i, "name");

		if (!tape_is(t, name, TAPE_STRING)) {
			snprintf(c->err, LIVE_ERROR_MAX, "tools/list: a tool has no name");
			return -EPROTO;
		}
		for (uint32_t k = tape_first(t, 0); k != i; k = tape_next(t, 0, k))
			if (span_eq(tape_text(t, tape_get(t, k, "name")), tape_text(t, name))) {
				snprintf(c->err, LIVE_ERROR_MAX, "tools/list: tool %.*s is listed twice",
					 (int)(tape_text(t, name).n < 64 ? tape_text(t, name).n : 64),
					 tape_text(t, name).p);
				return -EPROTO;
			}
	}
	return 0;
}

static int open_io(const struct live_target *target, struct client *c)
{
	int r;

	if (target->argv) {
		r = live_stdio_open(target->argv, &c->io);
		if (r < 0)
			snprintf(c->err, LIVE_ERROR_MAX, "start %.100s: %s", target->argv[0], strerror(-r));
	} else {
		r = live_http_open(target->url, target->pid, &c->io, c->err);
	}
	if (r == 0)
		c->io->timeout_ms = c->timeout_ms;
	return r;
}

static int scan(const struct live_target *target, struct client *c, struct live *ret)
{
	int r = open_io(target, c);

	if (r < 0)
		return r;
	r = begin_legacy(c, ret);
	if (r == 1) { /* it may have ended over the question, so it is started anew */
		c->io->close(c->io);
		c->io = NULL;
		r = open_io(target, c);
		if (r == 0)
			r = begin_modern(c, ret);
	}
	if (r == 0)
		r = list_until_settled(c, ret);
	if (r == 0)
		r = check_tools(c, ret);
	if (r < 0)
		return r;
	r = c->io->identify(c->io, &ret->identity);
	ret->has_identity = r == 0;
	return r < 0 && r != -ENOENT ? fail(c, r, "identify the server") : 0;
}

int live_scan(const struct live_target *target, struct live *ret, char err[LIVE_ERROR_MAX])
{
	struct client c = { .err = err, .timeout_ms = (int)target->timeout_s * 1000 };
	int r;

	*ret = (struct live){ .text = { .limit = TOTAL_MAX } };
	c.in.limit = LIVE_MESSAGE_MAX;
	err[0] = '\0';
	r = scan(target, &c, ret);
	if (c.io)
		c.io->close(c.io);
	buf_done(&c.in);
	buf_done(&c.out);
	tape_done(&c.tape);
	if (r < 0)
		live_done(ret);
	return r;
}

uint32_t live_find(const struct live *l, struct span name)
{
	const struct tape *t = &l->tools;

	for (uint32_t i = tape_first(t, 0); i != TAPE_NONE; i = tape_next(t, 0, i))
		if (span_eq(tape_text(t, tape_get(t, i, "name")), name))
			return i;
	return TAPE_NONE;
}

void live_done(struct live *l)
{
	tape_done(&l->tools);
	buf_done(&l->text);
}
