/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_CATALOG_HTTP_BODY_H
#define TOLLGATE_CLI_CATALOG_HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/buf.h"

#define HTTP_HEAD_MAX 65536

/* One HTTP/1.1 answer being read (RFC 9112), and the JSON-RPC messages in it: the whole body, or
 * the data of each event of a text/event-stream. */
struct http_body {
	struct buf in; /* received, not yet taken apart */
	struct buf text; /* body without chunk framing */
	int status;
	char session[256]; /* Mcp-Session-Id, or "" */
	bool head_done, json, events;
	bool ended; /* nothing more will come */
	bool given; /* json: the one message was handed out */
	bool chunked, has_length, last_chunk;
	size_t left; /* of the body or of the present chunk */
	const char *fault; /* static, after -EBADMSG */
};

void http_body_init(struct http_body *b);
void http_body_done(struct http_body *b);

/* Reads once from fd. 0, -EBADMSG (b->fault), -EMSGSIZE, -EPIPE (ended before its end) or
 * -errno. */
int http_body_read(struct http_body *b, int fd);

/* The same from memory; n 0: the connection ended. For http_body_read() and the tests. */
int http_body_feed(struct http_body *b, const char *p, size_t n);

/* 1: a message was appended to out; 0: none yet; -EMSGSIZE, -ENOMEM. */
int http_body_message(struct http_body *b, struct buf *out);

#endif
