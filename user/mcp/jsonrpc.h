/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_JSONRPC_H
#define TOLLGATE_MCP_JSONRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/mcp/tape.h"

/* JSON-RPC 2.0 (jsonrpc.org/specification), narrowed by MCP: an id is a string or an integer,
 * params an object. */
#define JSONRPC_ID_MAX 512 /* raw bytes of an id; longer ids are invalid: they are kept per request */

enum {
	JSONRPC_E_PARSE = -32700,
	JSONRPC_E_REQUEST = -32600,
	JSONRPC_E_METHOD = -32601,
	JSONRPC_E_PARAMS = -32602,
	JSONRPC_E_INTERNAL = -32603,
};

enum jsonrpc_kind {
	JSONRPC_INVALID = 0,
	JSONRPC_REQUEST,
	JSONRPC_NOTIFICATION,
	JSONRPC_RESPONSE, /* carries result */
	JSONRPC_ERROR, /* carries error; its id may be absent or null */
	JSONRPC_BATCH, /* array (2025-03-26): classify each element on its own */
};

/* Token numbers are TAPE_NONE where a member is absent. */
struct jsonrpc_msg {
	enum jsonrpc_kind kind;
	uint32_t root;
	uint32_t id, method, params, result, error;
	struct span id_raw; /* as received, with quotes; empty when there is no usable id */
	struct span name; /* the method's unescaped name */
	/* JSONRPC_INVALID only: */
	int code; /* JSONRPC_E_REQUEST, or JSONRPC_E_PARSE from jsonrpc_read() */
	const char *reason; /* static */
	bool answer; /* to be answered with an error (id_raw or null): it is not a response */
};

/* Classifies the value at token root (0 for a whole message). Total. A member whose name is one of
 * JSON-RPC's in other letter case makes the message invalid (tape_has_lookalike). */
void jsonrpc_classify(const struct tape *t, uint32_t root, struct jsonrpc_msg *ret);

/* Parses and classifies. Bytes that do not parse give JSONRPC_INVALID with JSONRPC_E_PARSE (over
 * the limits: JSONRPC_E_REQUEST). 0, or -ENOMEM. */
int jsonrpc_read(struct tape *t, struct span bytes, const struct tape_limits *limits,
		 struct jsonrpc_msg *ret);

/* A raw id that may be used: a string, or an integer without fraction and exponent, at most
 * JSONRPC_ID_MAX bytes. */
bool jsonrpc_id_valid(struct span raw);
/* Two raw ids name the same request: equal integers, or strings equal after unescaping. */
bool jsonrpc_id_eq(struct span a, struct span b);
/* Hash that agrees with jsonrpc_id_eq(); not for untrusted bucket sizes beyond small limits. */
uint32_t jsonrpc_id_hash(struct span raw);

/* Appends {"jsonrpc":"2.0","id":<id_raw or null>,"error":{...}}; data is a JSON value or empty
 * (then left out). No newline: framing is the caller's. 0 or the error of buf_append(). */
int jsonrpc_error_write(struct buf *out, struct span id_raw, int code, const char *message,
			struct span data);
/* Appends {"jsonrpc":"2.0","id":<id_raw>,"result":<result>}. */
int jsonrpc_result_write(struct buf *out, struct span id_raw, struct span result);

/*
 * Looks at bytes as they come, without tape and without memory beyond this struct: for detection,
 * and for a line that is being discarded because it is over the limit. Lax on purpose: it must
 * recognise whatever some peer would take for JSON-RPC, so what it accepts is judged again by the
 * tape.
 */
struct jsonrpc_scan {
	uint8_t state, member, escape, hex_n, bom_n;
	uint8_t text_n; /* decoded bytes of the name or value being read */
	char text[12];
	uint16_t hex, id_n;
	bool id_bad, loose; /* loose: an element of a batch that is no object is passed over */
	uint32_t nest; /* brackets open inside the value being passed over */
	/* results */
	bool v2; /* a member "jsonrpc" is "2.0" */
	bool has_method, has_answer; /* top-level "method"; "result" or "error" */
	bool has_id; /* id[0..id_n) is a valid raw id */
	bool ended; /* the top-level value is complete */
	bool broken; /* cannot become one */
	bool batch; /* the top-level value is an array; ids of elements are not kept */
	char id[JSONRPC_ID_MAX];
};

void jsonrpc_scan_init(struct jsonrpc_scan *s);
/* Feeds bytes of one line. Stops early at the end of the top-level value or where it breaks;
 * returns the number of bytes taken. */
size_t jsonrpc_scan_feed(struct jsonrpc_scan *s, struct span bytes);
/* The raw id found, or empty. */
struct span jsonrpc_scan_id(const struct jsonrpc_scan *s);

enum jsonrpc_peek {
	JSONRPC_PEEK_UNDECIDED = 0, /* needs more bytes */
	JSONRPC_PEEK_YES, /* certainly JSON-RPC 2.0 */
	JSONRPC_PEEK_NO, /* certainly not */
};

/* Judges the first line of a stream from a prefix of it. Leading white space, a byte order mark and
 * a batch are seen through; "jsonrpc" may come last and may be spelt with escapes or in other
 * letter case; a newline inside the value ends the line and so decides. Never decides differently
 * when given more bytes.
 * LIMIT: a peer that goes on after a first line of rubbish is for the caller: look again after the
 * newline. */
enum jsonrpc_peek jsonrpc_peek(struct span prefix);

/* The same question about a whole body (HTTP), where a newline means nothing. */
bool jsonrpc_looks(struct span body);

#endif
