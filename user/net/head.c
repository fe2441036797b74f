// SPDX-License-Identifier: Apache-2.0
/*
 * Checks and reads HTTP/1 heads on their raw bytes, in the proxy. The checks are stricter than RFC
 * 9112 wherever two parsers are known to disagree; llhttp reads the same bytes afterwards
 * (framing.c) and must come to the same result. Nothing here is repaired: a head passes as it is or
 * is refused.
 *
 * Refused in every head: a line end other than CRLF, CR or NUL or another control byte anywhere,
 * folded lines, an empty or malformed name, space before the colon; Content-Length repeated, as a
 * list, signed, or with a leading zero; Transfer-Encoding other than one "chunked"; both; a
 * repeated Content-Type, Content-Encoding or Host; a framing field's name with '_' for '-', which
 * gateways to CGI fold into one. In requests also: versions other than 1.1, CONNECT, targets that
 * are not in origin form, no Host, Upgrade, Connection options other than close, keep-alive and TE
 * (a proxy behind would drop the fields they name after they were judged), and expectations other
 * than 100-continue.
 */
#include "user/net/head.h"

#include <errno.h>
#include <strings.h>

#include "user/base/cleanup.h"

enum {
	CH_TOKEN = 1, /* RFC 9110 5.6.2 */
	CH_VALUE = 2, /* visible, obs-text, space and tab */
	CH_TARGET = 4, /* visible ASCII without '#' */
};

#define LENGTH_DIGITS_MAX 18 /* fits int64_t, no overflow to think about */
#define METHOD_MAX 24

#define TV (CH_TOKEN | CH_VALUE)
#define VT (CH_VALUE | CH_TARGET)
#define TVT (CH_TOKEN | CH_VALUE | CH_TARGET)

static const uint8_t classes[256] = {
	['\t'] = CH_VALUE,
	[' '] = CH_VALUE,
	['!'] = TVT,
	['"'] = VT,
	['#'] = TV,
	['$' ... '\''] = TVT,
	['(' ... ')'] = VT,
	['*' ... '+'] = TVT,
	[','] = VT,
	['-' ... '.'] = TVT,
	['/'] = VT,
	['0' ... '9'] = TVT,
	[':' ... '@'] = VT,
	['A' ... 'Z'] = TVT,
	['[' ... ']'] = VT,
	['^' ... 'z'] = TVT,
	['{'] = VT,
	['|'] = TVT,
	['}'] = VT,
	['~'] = TVT,
	[0x80 ... 0xff] = CH_VALUE,
};

static bool is(char ch, uint8_t mask)
{
	return classes[(unsigned char)ch] & mask;
}

bool span_caseeq(struct span a, const char *lower)
{
	return a.n == strlen(lower) && strncasecmp(a.p, lower, a.n) == 0;
}

long http_head_find(struct span in, size_t *scan)
{
	size_t at = *scan;

	while (at < in.n) {
		const char *lf = memchr(in.p + at, '\n', in.n - at);

		if (!lf) {
			at = in.n;
			break;
		}
		at = (size_t)(lf - in.p);
		if (at == 0 || in.p[at - 1] != '\r')
			return -EBADMSG;
		if (at == 1 || in.p[at - 2] == '\n')
			return (long)at + 1;
		at++;
	}
	*scan = at;
	return 0;
}

static int refuse(struct http_refusal *no, unsigned status, const char *why)
{
	*no = (struct http_refusal){ status, why };
	return -EBADMSG;
}

static struct span trim(const char *p, size_t n)
{
	while (n && (*p == ' ' || *p == '\t'))
		p++, n--;
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t'))
		n--;
	return (struct span){ p, n };
}

bool http_field_next(struct span head, size_t *pos, struct http_field *ret)
{
	const char *p, *colon, *cr;

	if (*pos == 0) {
		p = memchr(head.p, '\n', head.n);
		if (!p)
			return false;
		*pos = (size_t)(p - head.p) + 1;
	}
	if (*pos + 2 >= head.n)
		return false;
	p = head.p + *pos;
	cr = memchr(p, '\r', head.n - *pos);
	colon = cr ? memchr(p, ':', (size_t)(cr - p)) : NULL;
	if (!colon)
		return false;
	*ret = (struct http_field){ .name = { p, (size_t)(colon - p) },
				    .value = trim(colon + 1, (size_t)(cr - colon - 1)),
				    .line = { p, (size_t)(cr - p) + 2 } };
	*pos += ret->line.n;
	return true;
}

bool http_field(struct span head, const char *name, struct span *ret)
{
	struct http_field f;
	size_t pos = 0, n = strlen(name);

	while (http_field_next(head, &pos, &f))
		if (f.name.n == n && strncasecmp(f.name.p, name, n) == 0) {
			*ret = f.value;
			return true;
		}
	return false;
}

enum field_id {
	F_OTHER = 0,
	F_HOST,
	F_CONTENT_LENGTH,
	F_TRANSFER_ENCODING,
	F_CONTENT_TYPE,
	F_CONTENT_ENCODING,
	F_CONNECTION,
	F_UPGRADE,
	F_EXPECT,
	F_ACCEPT_ENCODING,
};

static const struct {
	const char *name;
	enum field_id id;
	bool guarded; /* '_' for '-' is refused */
} known[] = {
	{ "host", F_HOST, false },
	{ "content-length", F_CONTENT_LENGTH, true },
	{ "transfer-encoding", F_TRANSFER_ENCODING, true },
	{ "content-type", F_CONTENT_TYPE, true },
	{ "content-encoding", F_CONTENT_ENCODING, true },
	{ "connection", F_CONNECTION, false },
	{ "upgrade", F_UPGRADE, false },
	{ "expect", F_EXPECT, false },
	{ "accept-encoding", F_ACCEPT_ENCODING, false },
};

/* Bit n is set when a known name has n characters: most fields are told apart by length alone. */
#define KNOWN_LENGTHS \
	(1u << 4 | 1u << 14 | 1u << 17 | 1u << 12 | 1u << 16 | 1u << 10 | 1u << 7 | 1u << 6 | \
	 1u << 15)

static bool folds_to(struct span name, const char *lower)
{
	for (size_t i = 0; i < name.n; i++) {
		char ch = name.p[i] == '_' ? '-' : name.p[i];

		if ((ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch) != lower[i])
			return false;
	}
	return lower[name.n] == '\0';
}

static enum field_id field_id(struct span name, bool *ret_disguised)
{
	if (name.n > 17 || !(KNOWN_LENGTHS >> name.n & 1))
		return F_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strlen(known[i].name) != name.n || !folds_to(name, known[i].name))
			continue;
		if (!memchr(name.p, '_', name.n))
			return known[i].id;
		*ret_disguised = known[i].guarded;
		return F_OTHER;
	}
	return F_OTHER;
}

/* What the fields of one head said, before it is known what they mean together. */
struct fields {
	unsigned seen[F_ACCEPT_ENCODING + 1];
	uint64_t length;
	bool chunked, close, keep_alive, option_other, option_upgrade;
};

static int read_length(struct span v, uint64_t *ret, struct http_refusal *no)
{
	uint64_t n = 0;

	if (v.n == 0 || v.n > LENGTH_DIGITS_MAX || (v.p[0] == '0' && v.n > 1))
		return refuse(no, 400, "malformed Content-Length");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return refuse(no, 400, "malformed Content-Length");
		n = n * 10 + (uint64_t)(v.p[i] - '0');
	}
	*ret = n;
	return 0;
}

static void read_connection(struct span v, struct fields *fs)
{
	while (v.n) {
		const char *comma = memchr(v.p, ',', v.n);
		size_t n = comma ? (size_t)(comma - v.p) : v.n;
		struct span option = trim(v.p, n);

		if (span_caseeq(option, "close"))
			fs->close = true;
		else if (span_caseeq(option, "keep-alive"))
			fs->keep_alive = true;
		else if (span_caseeq(option, "upgrade"))
			fs->option_upgrade = true;
		else if (option.n && !span_caseeq(option, "te"))
			fs->option_other = true;
		n += comma != NULL;
		v = (struct span){ v.p + n, v.n - n };
	}
}

static int note_field(const char *base, struct span name, struct span v, struct fields *fs,
		      struct http_head *h, struct http_refusal *no)
{
	bool disguised = false;
	enum field_id id = field_id(name, &disguised);
	struct http_part part = { (uint32_t)(v.p - base), (uint32_t)v.n };

	if (disguised)
		return refuse(no, 400, "framing field spelled with '_'");
	if (fs->seen[id]++ && id != F_OTHER && id != F_CONNECTION && id != F_UPGRADE &&
	    id != F_ACCEPT_ENCODING)
		return refuse(no, 400, "repeated field that must be single");
	switch (id) {
	case F_HOST:
		h->host = part;
		break;
	case F_CONTENT_LENGTH:
		return read_length(v, &fs->length, no);
	case F_TRANSFER_ENCODING:
		if (!span_is(v, "chunked"))
			return refuse(no, 400, "Transfer-Encoding other than chunked");
		break;
	case F_CONTENT_TYPE:
		h->content_type = part;
		break;
	case F_CONTENT_ENCODING:
		h->encoded = !span_caseeq(v, "identity");
		break;
	case F_CONNECTION:
		read_connection(v, fs);
		break;
	case F_EXPECT:
		if (!span_caseeq(v, "100-continue"))
			return refuse(no, 417, "unknown expectation");
		h->expect = true;
		break;
	case F_ACCEPT_ENCODING:
		h->strip |= !span_caseeq(v, "identity");
		break;
	case F_UPGRADE:
	case F_OTHER:
		break;
	}
	return 0;
}

/* p stands after the start line. */
static int read_fields(struct span in, size_t p, struct fields *fs, struct http_head *h,
		       struct http_refusal *no)
{
	for (unsigned count = 0; p + 2 < in.n; count++) {
		size_t name = p, value;
		int r;

		if (count == HTTP_FIELDS_MAX)
			return refuse(no, 431, "too many header fields");
		if (in.p[p] == ' ' || in.p[p] == '\t')
			return refuse(no, 400, "folded header line");
		while (is(in.p[p], CH_TOKEN)) /* the head ends in CRLF, which is no token */
			p++;
		if (p == name || in.p[p] != ':')
			return refuse(no, 400, "malformed header name");
		value = p + 1;
		for (p++; is(in.p[p], CH_VALUE); p++)
			;
		if (in.p[p] != '\r' || in.p[p + 1] != '\n')
			return refuse(no, 400, "control byte in header value");
		r = note_field(in.p, (struct span){ in.p + name, value - 1 - name },
			       trim(in.p + value, p - value), fs, h, no);
		if (r < 0)
			return r;
		p += 2;
	}
	if (p + 2 != in.n || in.p[p] != '\r' || in.p[p + 1] != '\n')
		return refuse(no, 400, "malformed end of head");
	if (fs->seen[F_CONTENT_LENGTH] && fs->seen[F_TRANSFER_ENCODING])
		return refuse(no, 400, "both Content-Length and Transfer-Encoding");
	return 0;
}

/* "METHOD SP target SP HTTP/1.1 CRLF"; moves *pos behind it. */
static int read_request_line(struct span in, struct http_head *h, size_t *pos,
			     struct http_refusal *no)
{
	size_t p = 0, n;

	while (is(in.p[p], CH_TOKEN))
		p++;
	if (p == 0 || p > METHOD_MAX || in.p[p] != ' ')
		return refuse(no, 400, "malformed request line");
	h->method = (struct http_part){ 0, (uint32_t)p };
	n = ++p;
	while (is(in.p[p], CH_TARGET))
		p++;
	if (in.p[p] != ' ')
		return refuse(no, 400, "malformed request target");
	h->target = (struct http_part){ (uint32_t)n, (uint32_t)(p - n) };
	p++;
	if (in.n - p < 12 || memcmp(in.p + p, "HTTP/", 5) != 0)
		return refuse(no, 400, "malformed request line");
	if (memcmp(in.p + p, "HTTP/1.1\r\n", 10) != 0)
		return refuse(no, 505, "only HTTP/1.1 is accepted");
	if (span_is(http_part(in, h->method), "CONNECT"))
		return refuse(no, 501, "CONNECT is not accepted");
	if (h->target.n == 0 || in.p[h->target.at] != '/')
		return refuse(no, 400, "request target is not in origin form");
	*pos = p + 10;
	return 0;
}

int http_request_head(struct span in, struct http_head *ret, struct http_refusal *ret_no)
{
	struct http_head h = { .size = in.n };
	struct fields fs = { 0 };
	size_t pos = 0;
	int r;

	if (in.n < 4 || memcmp(in.p + in.n - 4, "\r\n\r\n", 4) != 0)
		return refuse(ret_no, 400, "malformed head");
	r = read_request_line(in, &h, &pos, ret_no);
	if (r == 0)
		r = read_fields(in, pos, &fs, &h, ret_no);
	if (r < 0)
		return r;
	if (fs.seen[F_HOST] != 1 || h.host.n == 0)
		return refuse(ret_no, 400, "no Host");
	if (fs.seen[F_UPGRADE] || fs.option_upgrade)
		return refuse(ret_no, 501, "Upgrade is not accepted");
	if (fs.option_other)
		return refuse(ret_no, 400, "Connection names another field");
	h.close = fs.close;
	if (fs.seen[F_TRANSFER_ENCODING]) {
		h.framing = HTTP_FRAMING_CHUNKED;
	} else if (fs.length) {
		h.framing = HTTP_FRAMING_LENGTH;
		h.length = fs.length;
	}
	*ret = h;
	return 0;
}

/* "HTTP/1.x SP 3DIGIT [SP reason] CRLF"; moves *pos behind it. */
static int read_status_line(struct span in, struct http_head *h, size_t *pos,
			    struct http_refusal *no)
{
	size_t p = 12;

	if (in.n < 16 || memcmp(in.p, "HTTP/1.", 7) != 0 || (in.p[7] != '0' && in.p[7] != '1') ||
	    in.p[8] != ' ')
		return refuse(no, 502, "malformed status line");
	for (size_t i = 9; i < 12; i++) {
		if (in.p[i] < '0' || in.p[i] > '9')
			return refuse(no, 502, "malformed status line");
		h->status = h->status * 10 + (unsigned)(in.p[i] - '0');
	}
	if (h->status < 100 || h->status > 599 || (in.p[p] != ' ' && in.p[p] != '\r'))
		return refuse(no, 502, "malformed status line");
	while (is(in.p[p], CH_VALUE))
		p++;
	if (in.p[p] != '\r' || in.p[p + 1] != '\n')
		return refuse(no, 502, "malformed status line");
	h->status_line = (struct http_part){ 0, (uint32_t)p };
	h->http10 = in.p[7] == '0';
	*pos = p + 2;
	return 0;
}

static int response_framing(const struct fields *fs, bool of_head, struct http_head *h,
			    struct http_refusal *no)
{
	bool never = h->status < 200 || h->status == 204;

	if (fs->seen[F_TRANSFER_ENCODING] && (never || h->http10))
		return refuse(no, 502, "Transfer-Encoding where none may be");
	if (never && fs->length)
		return refuse(no, 502, "Content-Length where none may be");
	if (never || of_head || h->status == 304)
		h->framing = HTTP_FRAMING_NONE;
	else if (fs->seen[F_TRANSFER_ENCODING])
		h->framing = HTTP_FRAMING_CHUNKED;
	else if (!fs->seen[F_CONTENT_LENGTH])
		h->framing = HTTP_FRAMING_EOF;
	else if (fs->length)
		h->framing = HTTP_FRAMING_LENGTH;
	h->length = h->framing == HTTP_FRAMING_LENGTH ? fs->length : 0;
	return 0;
}

int http_response_head(struct span in, bool of_head, struct http_head *ret,
		       struct http_refusal *ret_no)
{
	struct http_head h = { .size = in.n };
	struct fields fs = { 0 };
	size_t pos = 0;
	int r;

	if (in.n < 4 || memcmp(in.p + in.n - 4, "\r\n\r\n", 4) != 0)
		return refuse(ret_no, 502, "malformed head");
	r = read_status_line(in, &h, &pos, ret_no);
	if (r == 0)
		r = read_fields(in, pos, &fs, &h, ret_no);
	if (r == 0)
		r = response_framing(&fs, of_head, &h, ret_no);
	if (r < 0) {
		ret_no->status = 502;
		return r;
	}
	h.close = fs.close || (h.http10 && !fs.keep_alive) || h.framing == HTTP_FRAMING_EOF;
	*ret = h;
	return 0;
}
