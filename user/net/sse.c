// SPDX-License-Identifier: Apache-2.0
/*
 * Server-sent events, in the proxy: finds event boundaries, reads the fields, writes events. Bytes
 * that form no event yet stay with the caller.
 */
#include "user/net/sse.h"

#include <errno.h>

void sse_done(struct sse *s)
{
	buf_done(&s->joined);
	*s = (struct sse){ 0 };
}

/* Bytes before the event's first line: a BOM at the start of the stream, or the LF of a CRLF whose
 * CR ended the event before. */
static size_t lead_of(const struct sse *s, struct span in)
{
	if (!s->started && in.n >= 3 && memcmp(in.p, "\xef\xbb\xbf", 3) == 0)
		return 3;
	return s->after_cr && in.n && in.p[0] == '\n' ? 1 : 0;
}

/* The bytes of the first event of in with its empty line, or 0. */
static size_t find_end(struct sse *s, struct span in)
{
	size_t lead = lead_of(s, in), i = s->scan > lead ? s->scan : lead;
	bool open = s->scan > lead && s->line_open;

	for (; i < in.n; i++) {
		char ch = in.p[i];

		if (ch != '\n' && ch != '\r') {
			open = true;
			continue;
		}
		if (ch == '\n' && i > lead && in.p[i - 1] == '\r')
			continue; /* second half of a line end that was counted at its CR */
		if (!open) {
			if (ch == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
				i++;
			return i + 1;
		}
		open = false;
	}
	s->scan = in.n;
	s->line_open = open;
	return 0;
}

/* The next line of in from *pos, without its end. */
static bool next_line(struct span in, size_t *pos, struct span *ret)
{
	size_t from = *pos, i = from;

	if (from >= in.n)
		return false;
	while (i < in.n && in.p[i] != '\n' && in.p[i] != '\r')
		i++;
	*ret = (struct span){ in.p + from, i - from };
	if (i < in.n && in.p[i] == '\r' && i + 1 < in.n && in.p[i + 1] == '\n')
		i++;
	*pos = i + 1;
	return true;
}

static struct span split_field(struct span line, struct span *ret_value)
{
	const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
	size_t n = colon ? (size_t)(colon - line.p) : line.n;
	struct span v = { line.p + n, line.n - n };

	if (colon)
		v = (struct span){ v.p + 1, v.n - 1 };
	if (v.n && v.p[0] == ' ')
		v = (struct span){ v.p + 1, v.n - 1 };
	*ret_value = v;
	return (struct span){ line.p, n };
}

static int add_data(struct sse *s, unsigned *lines, struct span v, struct net_event *ev)
{
	int r = 0;

	if ((*lines)++ == 0) {
		ev->data = v;
		return 0;
	}
	if (*lines == 2) {
		buf_clear(&s->joined);
		r = buf_append(&s->joined, ev->data.p, ev->data.n);
	}
	if (r == 0)
		r = buf_append(&s->joined, "\n", 1);
	if (r == 0)
		r = buf_append(&s->joined, v.p, v.n);
	ev->data = buf_span(&s->joined);
	return r;
}

static int read_event(struct sse *s, struct span raw, struct net_event *ret)
{
	struct net_event ev = { .raw = raw, .lead = lead_of(s, raw) };
	struct span line, name, value;
	size_t pos = ev.lead;
	unsigned lines = 0;
	int r;

	while (next_line(raw, &pos, &line)) {
		name = split_field(line, &value);
		if (span_is(name, "data")) {
			r = add_data(s, &lines, value, &ev);
			if (r < 0)
				return r;
		} else if (span_is(name, "event")) {
			ev.type = value;
		} else if (span_is(name, "id") &&
			   (value.n == 0 || !memchr(value.p, '\0', value.n))) {
			ev.id = value;
		}
	}
	*ret = ev;
	return 0;
}

int sse_next(struct sse *s, struct span in, struct net_event *ret)
{
	size_t n;
	int r;

	/* A BOM may still be on its way. */
	if (!s->started && in.n < 3 && memcmp(in.p ? in.p : "", "\xef\xbb\xbf", in.n) == 0)
		return 0;
	n = find_end(s, in);
	if (n == 0)
		return 0;
	r = read_event(s, (struct span){ in.p, n }, ret);
	if (r < 0)
		return r;
	s->started = true;
	s->scan = 0;
	s->line_open = false;
	s->after_cr = in.p[n - 1] == '\r';
	return 1;
}

int sse_last(struct sse *s, struct span in, struct net_event *ret)
{
	int r;

	if (in.n == 0)
		return 0;
	r = read_event(s, in, ret);
	if (r < 0)
		return r;
	ret->incomplete = true;
	s->started = true;
	s->scan = 0;
	s->after_cr = false;
	return 1;
}

/* One data line for each line of data: a line end inside would end the field, or the event. */
static int write_data(struct span data, struct buf *out)
{
	size_t pos = 0;
	struct span line;
	int r = 0;

	if (data.n == 0)
		return buf_append_str(out, "data:\n");
	while (r == 0 && next_line(data, &pos, &line)) {
		r = buf_append_str(out, "data: ");
		if (r == 0)
			r = buf_append(out, line.p, line.n);
		if (r == 0)
			r = buf_append_str(out, "\n");
	}
	return r;
}

int sse_render(const struct net_event *ev, struct span data, struct buf *out)
{
	struct span line, name, value;
	size_t pos = ev->lead;
	int r = 0;

	while (r == 0 && next_line(ev->raw, &pos, &line)) {
		name = split_field(line, &value);
		if (line.n == 0 || span_is(name, "data"))
			continue;
		r = buf_append(out, line.p, line.n);
		if (r == 0)
			r = buf_append_str(out, "\n");
	}
	if (r == 0)
		r = write_data(data, out);
	if (r == 0)
		r = buf_append_str(out, "\n");
	return r;
}

int sse_write(const char *type, struct span data, struct buf *out)
{
	int r = 0;

	if (type)
		r = buf_printf(out, "event: %s\n", type);
	if (r == 0)
		r = write_data(data, out);
	if (r == 0)
		r = buf_append_str(out, "\n");
	return r;
}
