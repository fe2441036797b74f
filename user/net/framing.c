// SPDX-License-Identifier: Apache-2.0
/*
 * Message framing, in the proxy: our own strict reading of Content-Length and chunks, with llhttp
 * reading the same bytes as second opinion. Copies and stores nothing.
 */
#include "user/net/framing.h"

#include <errno.h>

#define CHUNK_LINE_MAX 256 /* size and extensions; real senders use under 10 */
#define CHUNK_DIGITS_MAX 8 /* 4 GiB is far above every body limit */

enum {
	CK_SIZE = 0, /* digits of a size */
	CK_EXT, /* extensions */
	CK_SIZE_LF,
	CK_DATA,
	CK_DATA_CR,
	CK_DATA_LF,
	CK_END_CR, /* after the last chunk, where trailers would stand */
	CK_END_LF,
};

static int refuse(struct http_refusal *no, const char *why)
{
	*no = (struct http_refusal){ 400, why };
	return -EBADMSG;
}

static int on_headers(llhttp_t *ll)
{
	struct framing *f = ll->data;

	f->ll_headers = true;
	f->ll_length = ll->flags & F_CONTENT_LENGTH ? ll->content_length : 0;
	return f->bodyless ? 1 : 0;
}

static int on_body(llhttp_t *ll, const char *at, size_t n)
{
	struct framing *f = ll->data;

	f->ll_body += n;
	return 0;
}

static int on_complete(llhttp_t *ll)
{
	struct framing *f = ll->data;

	f->ll_done = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

/* llhttp reads what we have read; it must not fail, nor see another end or amount of payload. */
static int agree(struct framing *f, struct span in, struct http_refusal *no)
{
	enum llhttp_errno e = llhttp_execute(&f->ll, in.p, in.n);

	if (e != HPE_OK && !(e == HPE_PAUSED && f->ll_done))
		return refuse(no, "malformed message");
	if (f->ll_done != f->done || f->ll_body != f->body)
		return refuse(no, "ambiguous message length");
	return 0;
}

int framing_begin(struct framing *f, enum llhttp_type type, struct span head,
		  const struct http_head *h, struct http_refusal *ret_no)
{
	bool response = type == HTTP_RESPONSE;
	int r;

	memset(f, 0, sizeof(*f));
	f->kind = h->framing;
	f->left = h->length;
	f->done = h->framing == HTTP_FRAMING_NONE;
	f->bodyless = response && f->done;
	llhttp_init(&f->ll, type, &settings);
	f->ll.data = f;
	r = agree(f, head, ret_no);
	if (r < 0)
		return r;
	if (!f->ll_headers || f->ll.http_major != 1 || f->ll.http_minor != (h->http10 ? 0 : 1))
		return refuse(ret_no, "ambiguous head");
	if (response ? f->ll.status_code != h->status
		     : !span_is(http_part(head, h->method),
				llhttp_method_name((enum llhttp_method)f->ll.method)))
		return refuse(ret_no, "ambiguous start line");
	if (h->framing == HTTP_FRAMING_LENGTH && f->ll_length != h->length)
		return refuse(ret_no, "ambiguous Content-Length");
	if (h->framing == HTTP_FRAMING_CHUNKED && !(f->ll.flags & F_CHUNKED))
		return refuse(ret_no, "ambiguous Transfer-Encoding");
	return 0;
}

static int hex_of(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static int chunk_size_byte(struct framing *f, char ch, struct http_refusal *no)
{
	int digit = hex_of(ch);

	if (digit >= 0 && f->line < CHUNK_DIGITS_MAX) {
		f->left = f->left << 4 | (unsigned)digit;
		f->line++;
		return 0;
	}
	if (f->line == 0 || digit >= 0)
		return refuse(no, "malformed chunk size");
	if (ch == '\r')
		f->state = CK_SIZE_LF;
	else if (ch == ';')
		f->state = CK_EXT;
	else
		return refuse(no, "malformed chunk size");
	f->line++;
	return 0;
}

/* One byte that is no payload. */
static int chunk_byte(struct framing *f, char ch, struct http_refusal *no)
{
	unsigned char byte = (unsigned char)ch;

	switch (f->state) {
	case CK_SIZE:
		return chunk_size_byte(f, ch, no);
	case CK_EXT:
		if (ch == '\r')
			f->state = CK_SIZE_LF;
		else if ((byte < 0x20 && ch != '\t') || byte >= 0x7f || ++f->line > CHUNK_LINE_MAX)
			return refuse(no, "malformed chunk extension");
		return 0;
	case CK_SIZE_LF:
		f->state = f->left ? CK_DATA : CK_END_CR;
		f->line = 0;
		return ch == '\n' ? 0 : refuse(no, "bare CR in chunk line");
	case CK_DATA_CR:
		f->state = CK_DATA_LF;
		return ch == '\r' ? 0 : refuse(no, "chunk longer than its size");
	case CK_DATA_LF:
		f->state = CK_SIZE;
		return ch == '\n' ? 0 : refuse(no, "bare CR after chunk");
	case CK_END_CR:
		f->state = CK_END_LF;
		return ch == '\r' ? 0 : refuse(no, "trailers are not accepted");
	default:
		f->done = true;
		return ch == '\n' ? 0 : refuse(no, "bare CR after last chunk");
	}
}

/* A run of framing bytes, or a run of payload. */
static int chunk_run(struct framing *f, struct span in, size_t *used, struct span *body,
		     struct http_refusal *no)
{
	size_t i = 0;

	while (i < in.n && f->state != CK_DATA && !f->done) {
		int r = chunk_byte(f, in.p[i++], no);

		if (r < 0)
			return r;
	}
	if (i < in.n && f->state == CK_DATA) {
		size_t n = in.n - i < f->left ? in.n - i : (size_t)f->left;

		*body = (struct span){ in.p + i, n };
		f->left -= n;
		if (f->left == 0)
			f->state = CK_DATA_CR;
		i += n;
	}
	*used = i;
	return 0;
}

int framing_step(struct framing *f, struct span in, size_t *ret_used, struct span *ret_body,
		 struct http_refusal *ret_no)
{
	struct span body = { 0 };
	size_t used = 0;
	int r = 0;

	if (!f->done && in.n) {
		if (f->kind == HTTP_FRAMING_CHUNKED) {
			r = chunk_run(f, in, &used, &body, ret_no);
			if (r < 0)
				return r;
		} else {
			used = f->kind == HTTP_FRAMING_LENGTH && in.n > f->left ? (size_t)f->left
										: in.n;
			body = (struct span){ in.p, used };
			f->left -= f->kind == HTTP_FRAMING_LENGTH ? used : 0;
			f->done = f->kind == HTTP_FRAMING_LENGTH && f->left == 0;
		}
		f->body += body.n;
		r = agree(f, (struct span){ in.p, used }, ret_no);
		if (r < 0)
			return r;
	}
	*ret_used = used;
	*ret_body = body;
	return 0;
}

int framing_eof(struct framing *f)
{
	if (f->done)
		return 0;
	if (f->kind != HTTP_FRAMING_EOF)
		return -EBADMSG;
	f->done = true;
	return 0;
}
