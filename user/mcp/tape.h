/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_TAPE_H
#define TOLLGATE_MCP_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * The tape: one JSON text (RFC 8259, strict) as a flat array of tokens that point into the received
 * bytes. Refused beyond the grammar: names that occur twice in one object (compared after
 * unescaping), invalid UTF-8, lone surrogates, a byte order mark, and anything over the limits.
 * What passes means the same to every parser that follows the standard.
 *
 * Tokens are numbered from 0 (the root) in document order. An object's children are name, value,
 * name, value...; `next` of any token is the number of the token after its whole value, so a
 * sibling is found without visiting children.
 */
#define TAPE_BYTES_DEFAULT (16u << 20) /* the size limit of one message in the architecture's table */
#define TAPE_BYTES_MAX (1u << 30) /* offsets are 32 bits */
#define TAPE_TOKENS_DEFAULT (1u << 20) /* 16 MiB of tokens */
#define TAPE_TOKENS_MAX ((1u << 24) - 1) /* the width of count */
#define TAPE_DEPTH_DEFAULT 64 /* no MCP message or JSON schema in use comes near it */
#define TAPE_DEPTH_MAX 256
#define TAPE_NONE UINT32_MAX /* "no such token" */

enum tape_type {
	TAPE_NULL,
	TAPE_FALSE,
	TAPE_TRUE,
	TAPE_NUMBER,
	TAPE_STRING,
	TAPE_ARRAY,
	TAPE_OBJECT,
};

struct tape_tok {
	uint32_t off; /* first byte; a string's is the one after its opening quote */
	uint32_t len; /* bytes; a string's without its quotes, a container's with its brackets */
	uint32_t next;
	uint32_t count : 24; /* elements of an array, members of an object */
	uint32_t type : 4;
	uint32_t escaped : 1; /* a string with at least one backslash */
	uint32_t name : 1; /* a string that is a member's name */
};

enum tape_error {
	TAPE_OK = 0,
	TAPE_E_SYNTAX,
	TAPE_E_INCOMPLETE, /* the text ends inside a value */
	TAPE_E_TRAILING, /* something follows the value */
	TAPE_E_CONTROL, /* unescaped control character in a string */
	TAPE_E_ESCAPE,
	TAPE_E_SURROGATE,
	TAPE_E_UTF8,
	TAPE_E_NUMBER,
	TAPE_E_DUPLICATE,
	TAPE_E_DEPTH,
	TAPE_E_TOKENS,
	TAPE_E_BYTES,
	TAPE_E_MEMORY,
};

/* 0 in a field means its default. */
struct tape_limits {
	size_t bytes;
	uint32_t tokens;
	uint32_t depth;
};

struct tape_key;

/* Zero-initialised is valid. Memory is kept from message to message. Fields up to `offset` are read
 * by anyone; tok[0..count) is valid after a successful parse and while the bytes stay where they
 * are. */
struct tape {
	struct span bytes;
	struct tape_tok *tok;
	uint32_t count;
	enum tape_error error; /* of the last parse */
	size_t offset; /* where it was noticed */
	/* private */
	uint32_t cap, limit;
	struct tape_keys {
		struct tape_key *key;
		uint32_t n, cap;
		uint32_t *set;
		uint32_t set_cap;
	} keys;
	char *shadow;
	size_t shadow_cap;
};

/* Parses the whole of bytes. limits may be NULL. 0, -EBADMSG (not acceptable JSON), -EMSGSIZE
 * (bytes, tokens or depth over the limit), -ENOMEM; t->error and t->offset say more, and t->count
 * is 0. */
int tape_parse(struct tape *t, struct span bytes, const struct tape_limits *limits);
void tape_done(struct tape *t);

/* Gives memory back when more than keep bytes are held; the tape is empty afterwards. */
void tape_shrink(struct tape *t, size_t keep);

/* Static text for an error, fit for a message: "name occurs twice in an object". */
const char *tape_error_text(enum tape_error e);

/* Accessors. They take any number: TAPE_NONE or one out of range is no value. */
bool tape_is(const struct tape *t, uint32_t i, enum tape_type type);
/* The bytes of the whole value as received, a string's with its quotes. */
struct span tape_raw(const struct tape *t, uint32_t i);
/* A string's text after unescaping (may hold NUL); empty for another type. Valid as long as the
 * tokens; cannot fail: the place for it is made while parsing. */
struct span tape_text(const struct tape *t, uint32_t i);
bool tape_text_is(const struct tape *t, uint32_t i, const char *s);

/* The value of the member so named, or TAPE_NONE. */
uint32_t tape_get(const struct tape *t, uint32_t object, const char *name);
/* True when the object has a member whose name differs from `name` only in letter case, as parsers
 * that match names without case (Go's) fold it. Such a message means different things to different
 * peers. */
bool tape_has_lookalike(const struct tape *t, uint32_t object, const char *name);

/* Several members in one pass: values[k] is that of names[k], or TAPE_NONE. False when another member is
 * a look-alike of one of the names. Not an object: all TAPE_NONE, true. */
bool tape_members(const struct tape *t, uint32_t object, const struct span *names, unsigned n,
		  uint32_t *values);

/* Iteration. For an array: for (i = tape_first(t, a); i != TAPE_NONE; i = tape_next(t, a, i)).
 * For an object i runs over names and the value is i + 1. */
uint32_t tape_first(const struct tape *t, uint32_t container);
uint32_t tape_next(const struct tape *t, uint32_t container, uint32_t i);

/* A number written as an integer (no fraction, no exponent). 0, -EINVAL for anything else,
 * -ERANGE. */
int tape_int64(const struct tape *t, uint32_t i, int64_t *ret);

/* Line number, from 1, of a byte offset; for messages about files. */
unsigned tape_line(struct span bytes, size_t offset);

#endif
