/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_HEAD_H
#define TOLLGATE_NET_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/net/net.h"

/* Why a message is refused: the status to answer with and a constant text. */
struct http_refusal {
	unsigned status;
	const char *why;
};

enum http_framing {
	HTTP_FRAMING_NONE = 0,
	HTTP_FRAMING_LENGTH,
	HTTP_FRAMING_CHUNKED,
	HTTP_FRAMING_EOF, /* responses only */
};

/* Part of a head by position, so it survives a move of the buffer. */
struct http_part {
	uint32_t at, n;
};

/* What this engine needs to know of a checked head (RFC 9112). */
struct http_head {
	size_t size; /* with the empty line */
	struct http_part method, target, host, content_type;
	struct http_part status_line; /* responses: without CRLF */
	unsigned status;
	enum http_framing framing;
	uint64_t length; /* HTTP_FRAMING_LENGTH */
	bool http10; /* responses only */
	bool close; /* Connection: close, or HTTP/1.0 without keep-alive */
	bool expect; /* Expect: 100-continue */
	bool encoded; /* Content-Encoding other than identity */
	bool strip; /* has an Accept-Encoding other than identity */
};

#define HTTP_FIELDS_MAX 128 /* real hosts send about 20 */

/* Looks for the empty line that ends a head, from *scan on, and moves *scan so that no byte is
 * looked at twice. Returns the head's size, 0 when more is needed, or -EBADMSG at an LF without CR.
 */
long http_head_find(struct span in, size_t *scan);

/* Checks and reads a head of exactly in.n bytes. -EBADMSG with *ret_no filled in when it is
 * refused. The rules are in head.c; they are stricter than RFC 9112 wherever two parsers could
 * disagree. */
int http_request_head(struct span in, struct http_head *ret, struct http_refusal *ret_no);
/* of_head: the request was HEAD, so there is no body. */
int http_response_head(struct span in, bool of_head, struct http_head *ret,
		       struct http_refusal *ret_no);

/* Steps over the fields of a checked head: *pos is 0 at first. line is the whole line with CRLF. */
struct http_field {
	struct span name, value, line;
};
bool http_field_next(struct span head, size_t *pos, struct http_field *ret);

/* The value of the field's first occurrence in a checked head; names compare without case. */
bool http_field(struct span head, const char *name, struct span *ret);

/* How a Host value relates to the steered destination. */
enum http_host {
	HTTP_HOST_BAD = 0, /* malformed, or another port or literal address */
	HTTP_HOST_SAME, /* dest's literal address and port */
	HTTP_HOST_NAME, /* dest's port and some name */
};
enum http_host http_host_match(struct span host, const struct net_dest *dest,
			       struct span *ret_name);

bool span_caseeq(struct span a, const char *lower);

static inline struct span http_part(struct span head, struct http_part p)
{
	return (struct span){ head.p + p.at, p.n };
}

#endif
