/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_FRAMING_H
#define TOLLGATE_NET_FRAMING_H

#include <llhttp/llhttp.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"
#include "user/net/head.h"

/*
 * Where a message's body begins and ends (RFC 9112 6 and 7). Two parsers read every byte, ours and
 * llhttp, and a message on which they disagree is refused, so no third is likely to see another
 * message. Trailers are refused: they are fields that nobody judged. Chunk extensions pass when
 * they are plain text.
 */
struct framing {
	llhttp_t ll;
	enum http_framing kind;
	bool bodyless; /* by our reading: llhttp is told, as it cannot know of HEAD */
	bool done, ll_headers, ll_done;
	uint8_t state; /* of the chunk parser */
	unsigned line; /* bytes of the chunk line so far */
	uint64_t left; /* of the body, or of the present chunk */
	uint64_t body, ll_body; /* payload bytes seen by each */
	uint64_t ll_length; /* Content-Length as llhttp read it */
};

/* Starts with a checked head. -EBADMSG with *ret_no when llhttp reads it differently. */
int framing_begin(struct framing *f, enum llhttp_type type, struct span head,
		  const struct http_head *h, struct http_refusal *ret_no);

/* Takes bytes from the front of in: *ret_used of them, among which at most one stretch of payload.
 * Stops at the end of the message. 0 or -EBADMSG with *ret_no. */
int framing_step(struct framing *f, struct span in, size_t *ret_used, struct span *ret_body,
		 struct http_refusal *ret_no);

/* The peer has closed: 0 when that ends the message, else -EBADMSG. */
int framing_eof(struct framing *f);

#endif
