// SPDX-License-Identifier: Apache-2.0
/*
 * Takes one HTTP answer apart. Strict where framing could be read in two ways; what it does not
 * know it refuses.
 */
#include "user/cli/catalog_http_body.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "user/cli/catalog_live.h"

#define READ_SIZE 65536
#define CHUNK_LINE_MAX 256

void http_body_init(struct http_body *b)
{
	*b = (struct http_body){
		.in = { .limit = LIVE_MESSAGE_MAX + 2 * HTTP_HEAD_MAX },
		.text = { .limit = LIVE_MESSAGE_MAX + HTTP_HEAD_MAX },
	};
}

void http_body_done(struct http_body *b)
{
	buf_done(&b->in);
	buf_done(&b->text);
}

static int bad(struct http_body *b, const char *why)
{
	b->fault = why;
	return -EBADMSG;
}

/* The line at the front of in, without its end; false when it is not complete. */
static bool line_at(const struct buf *in, struct span *ret, size_t *ret_taken)
{
	struct span s = buf_span(in);
	const char *nl = s.n ? memchr(s.p, '\n', s.n) : NULL;

	if (!nl)
		return false;
	*ret_taken = (size_t)(nl - s.p) + 1;
	*ret = (struct span){ s.p, *ret_taken - 1 };
	if (ret->n && ret->p[ret->n - 1] == '\r')
		ret->n--;
	return true;
}

static bool field(struct span line, const char *name, struct span *ret)
{
	size_t n = strlen(name);

	if (line.n <= n || strncasecmp(line.p, name, n) != 0 || line.p[n] != ':')
		return false;
	*ret = (struct span){ line.p + n + 1, line.n - n - 1 };
	while (ret->n && (*ret->p == ' ' || *ret->p == '\t')) {
		ret->p++;
		ret->n--;
	}
	while (ret->n && (ret->p[ret->n - 1] == ' ' || ret->p[ret->n - 1] == '\t'))
		ret->n--;
	return true;
}

static bool number(struct span s, unsigned base, size_t *ret)
{
	size_t v = 0;

	if (s.n == 0 || s.n > 9)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], l = (char)(c | 0x20);
		unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
			     l >= 'a' && l <= 'f' ? (unsigned)(l - 'a' + 10) : 99;

		if (d >= base)
			return false;
		v = v * base + d;
	}
	*ret = v;
	return true;
}

static bool begins(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && strncasecmp(s.p, with, n) == 0;
}

static int status_line(struct http_body *b, struct span line)
{
	size_t v;

	if (line.n < 12 || memcmp(line.p, "HTTP/1.", 7) != 0 || line.p[8] != ' ' ||
	    !number((struct span){ line.p + 9, 3 }, 10, &v))
		return bad(b, "not an HTTP/1 answer");
	b->status = (int)v;
	return 0;
}

static int header(struct http_body *b, struct span line)
{
	struct span v;

	if (field(line, "content-length", &v)) {
		if (b->has_length || !number(v, 10, &b->left))
			return bad(b, "malformed Content-Length");
		b->has_length = true;
	} else if (field(line, "transfer-encoding", &v)) {
		if (v.n != 7 || !begins(v, "chunked"))
			return bad(b, "unknown transfer encoding");
		b->chunked = true;
	} else if (field(line, "content-encoding", &v)) {
		if (!begins(v, "identity"))
			return bad(b, "compressed answer");
	} else if (field(line, "content-type", &v)) {
		b->json = begins(v, "application/json");
		b->events = begins(v, "text/event-stream");
	} else if (field(line, "mcp-session-id", &v) && v.n < sizeof(b->session)) {
		for (size_t i = 0; i < v.n; i++)
			if (v.p[i] < 0x21 || v.p[i] > 0x7e)
				return bad(b, "malformed Mcp-Session-Id");
		memcpy(b->session, v.p, v.n);
		b->session[v.n] = '\0';
	}
	return 0;
}

/* 1: the head is complete. */
static int take_head(struct http_body *b)
{
	struct span line;
	size_t taken;
	int r;

	while (line_at(&b->in, &line, &taken)) {
		if (line.n == 0 && b->status) {
			buf_consume(&b->in, taken);
			if (b->status / 100 == 1) { /* another head follows */
				b->status = 0;
				continue;
			}
			if (b->chunked && b->has_length)
				return bad(b, "both lengths");
			b->head_done = true;
			b->ended = b->status == 204 || b->status == 202 || (b->has_length && b->left == 0);
			return 1;
		}
		r = b->status ? header(b, line) : status_line(b, line);
		if (r < 0)
			return r;
		buf_consume(&b->in, taken);
	}
	return buf_len(&b->in) > HTTP_HEAD_MAX ? bad(b, "the head is too long") : 0;
}

static int move(struct http_body *b, size_t n)
{
	struct span s = buf_span(&b->in);
	int r = buf_append(&b->text, s.p, n);

	buf_consume(&b->in, n);
	return r;
}

static int take_chunks(struct http_body *b)
{
	struct span line, size;
	size_t taken, n;
	int r;

	for (;;) {
		if (b->left) {
			n = buf_len(&b->in) < b->left ? buf_len(&b->in) : b->left;
			if (n == 0)
				return 0;
			r = move(b, n);
			if (r < 0)
				return r;
			b->left -= n;
			continue;
		}
		if (!line_at(&b->in, &line, &taken))
			return buf_len(&b->in) > CHUNK_LINE_MAX ? bad(b, "malformed chunk") : 0;
		if (b->last_chunk) { /* trailers, up to an empty line */
			b->ended |= line.n == 0;
			buf_consume(&b->in, taken);
			if (b->ended)
				return 0;
			continue;
		}
		if (line.n) { /* the line end behind a chunk's data is empty */
			const char *semi = memchr(line.p, ';', line.n);

			size = (struct span){ line.p, semi ? (size_t)(semi - line.p) : line.n };
			if (!number(size, 16, &b->left))
				return bad(b, "malformed chunk");
			b->last_chunk = b->left == 0;
		}
		buf_consume(&b->in, taken);
	}
}

int http_body_feed(struct http_body *b, const char *p, size_t n)
{
	size_t have;
	int r;

	if (n == 0) {
		if (b->ended)
			return 0;
		if (!b->head_done || b->has_length || b->chunked)
			return -EPIPE;
		b->ended = true;
		return 0;
	}
	r = buf_append(&b->in, p, n);
	if (r == 0 && !b->head_done)
		r = take_head(b);
	if (r < 0 || !b->head_done || b->ended)
		return r < 0 ? r : 0;
	if (b->chunked)
		return take_chunks(b);
	have = buf_len(&b->in);
	if (b->has_length && have > b->left)
		have = b->left;
	r = move(b, have);
	if (b->has_length) {
		b->left -= have;
		b->ended = b->left == 0;
	}
	return r;
}

int http_body_read(struct http_body *b, int fd)
{
	char p[READ_SIZE];
	ssize_t n = read(fd, p, sizeof(p));

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return http_body_feed(b, p, (size_t)n);
}

/* The data lines of the first complete event that has any, joined (WHATWG HTML, server-sent
 * events). 1, 0 or -errno. */
static int take_event(struct http_body *b, struct buf *out)
{
	size_t from = buf_len(out), at = 0;
	bool data = false;
	int r;

	for (;;) {
		struct span s = buf_span(&b->text), line, v;
		const char *nl = at < s.n ? memchr(s.p + at, '\n', s.n - at) : NULL;

		if (!nl) {
			/* not complete: it is read again from its first line when more has come */
			out->end = out->start + from;
			return 0;
		}
		line = (struct span){ s.p + at, (size_t)(nl - (s.p + at)) };
		at += line.n + 1;
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0) {
			buf_consume(&b->text, at);
			at = 0;
			if (buf_len(out) > from)
				return 1;
			data = false;
		} else if (field(line, "data", &v)) {
			r = data ? buf_append(out, "\n", 1) : 0;
			if (r == 0)
				r = buf_append(out, v.p, v.n);
			if (r < 0)
				return r;
			data = true;
		}
	}
}

int http_body_message(struct http_body *b, struct buf *out)
{
	struct span s = buf_span(&b->text);
	int r;

	if (b->events)
		return take_event(b, out);
	if (!b->ended || b->given || s.n == 0)
		return 0;
	b->given = true;
	r = buf_append(out, s.p, s.n);
	return r < 0 ? r : 1;
}
