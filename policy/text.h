/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_TEXT_H
#define TOLLGATE_POLICY_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "policy/cedar.h"
#include "policy/mem.h"
#include "policy/pattern.h"
#include "user/base/span.h"

/* Decodes one character of UTF-8 at p (at least one byte before end). Its length, or 0 when it is
 * not well-formed (overlong, surrogate, above U+10FFFF, cut off). */
unsigned utf8_decode(const char *p, const char *end, uint32_t *ret);
/* Offset of the first byte that is not UTF-8; n when all is. */
size_t utf8_check(struct span s);
/* Appends a code point to out (room for 4 bytes); the number of bytes. */
unsigned utf8_encode(uint32_t c, char *out);

/* White_Space of Unicode, which is what separates Cedar's tokens. */
bool char_is_space(uint32_t c);

/* Line and column, both from 1, of an offset in a text. */
void text_place(struct span text, size_t offset, uint32_t *ret_line, uint32_t *ret_column);

/* Records an error at an offset of text (text NULL: no place). Returns -EINVAL. */
int error_set(struct cedar_error *e, const struct span *text, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
int error_add(struct cedar_errors *es, const struct span *text, size_t offset, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Cuts what does not fit at a character boundary and replaces control characters, so that a message
 * stays one line of UTF-8 whatever a text quoted in it holds. */
void message_clean(char *s);

/* Unescapes the inside of a string literal. 0; -EINVAL with the offending offset and length within
 * raw; -ENOMEM. */
int text_unescape(struct arena *a, struct span raw, struct span *ret, size_t *ret_at,
		  size_t *ret_len);
/* The same for the literal after `like`, where \* is a star and any other star a wildcard. */
int text_unescape_pattern(struct arena *a, struct span raw, struct pattern *ret, size_t *ret_at,
			  size_t *ret_len);

/* [_a-zA-Z][_a-zA-Z0-9]* */
bool is_identifier(struct span s);
/* true false if then else in is like has, and __cedar */
bool is_reserved(struct span s);
/* Identifiers joined by "::", none reserved, nothing else between: how a type is named outside
 * policy texts. */
bool is_normal_name(struct span s);

#endif
