// SPDX-License-Identifier: Apache-2.0
/*
 * A byte machine that watches the top level of one JSON text go by: for telling JSON-RPC from other
 * streams before anything is taken over, and for finding the id of a line that is too long to keep.
 * It allocates nothing and allows nothing: what it recognises is judged by the tape.
 */
#include "user/mcp/jsonrpc.h"

#include <string.h>

#include "user/mcp/tape_string.h"

enum state {
	S_START, /* before the top-level value */
	S_ELEMENT, /* in a batch, between its elements */
	S_NAME, /* in a message object, before a name */
	S_IN_NAME,
	S_COLON,
	S_VALUE,
	S_STRING, /* a member's value that is a string */
	S_SCALAR,
	S_NESTED, /* inside an array or object that is passed over */
	S_NESTED_STRING,
	S_AFTER, /* after a member's value */
};

enum member {
	M_OTHER,
	M_JSONRPC,
	M_ID,
	M_METHOD,
	M_ANSWER,
};

#define TEXT_LONG 255 /* text_n of a text that is none of ours */

void jsonrpc_scan_init(struct jsonrpc_scan *s)
{
	memset(s, 0, offsetof(struct jsonrpc_scan, id));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void text_put(struct jsonrpc_scan *s, char c)
{
	if (s->text_n < sizeof(s->text))
		s->text[s->text_n++] = c;
	else
		s->text_n = TEXT_LONG;
}

static struct span text_of(const struct jsonrpc_scan *s)
{
	return (struct span){ s->text, s->text_n == TEXT_LONG ? 0 : s->text_n };
}

/* Only what can spell one of our names is decoded; any other code point stands as a byte that none
 * has. */
static void text_put_code(struct jsonrpc_scan *s, unsigned c)
{
	if (c == 0x17f) {
		text_put(s, '\xc5');
		text_put(s, '\xbf');
	} else {
		text_put(s, c < 0x80 ? (char)c : '\xff');
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A byte inside a string; true at its closing quote. */
static bool in_string(struct jsonrpc_scan *s, char c)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at;

	if (s->hex_n) {
		s->hex = (uint16_t)(s->hex << 4 | (hex_digit(c) & 15));
		if (hex_digit(c) < 0)
			s->broken = true;
		if (--s->hex_n == 0)
			text_put_code(s, s->hex);
		return false;
	}
	if (s->escape) {
		s->escape = 0;
		if (c == 'u') {
			s->hex_n = 4;
			s->hex = 0;
		} else {
			at = c ? strchr(from, c) : NULL;
			text_put(s, at ? to[at - from] : c);
		}
		return false;
	}
	if (c == '\\')
		s->escape = 1;
	else if (c == '"')
		return true;
	else
		text_put(s, c);
	return false;
}

static void id_put(struct jsonrpc_scan *s, char c)
{
	if (s->member != M_ID || s->batch)
		return;
	if (s->id_n < sizeof(s->id))
		s->id[s->id_n++] = c;
	else
		s->id_bad = true;
}

static enum member member_of(const struct jsonrpc_scan *s)
{
	struct span t = text_of(s);

	if (tape_text_folds_to(t, "jsonrpc"))
		return M_JSONRPC;
	if (tape_text_folds_to(t, "id"))
		return M_ID;
	if (tape_text_folds_to(t, "method"))
		return M_METHOD;
	return tape_text_folds_to(t, "result") || tape_text_folds_to(t, "error") ? M_ANSWER : M_OTHER;
}

static void name_end(struct jsonrpc_scan *s)
{
	s->member = member_of(s);
	if (s->member == M_ID && s->id_n)
		s->id_bad = true; /* twice: neither can be trusted */
	s->has_method |= s->member == M_METHOD;
	s->has_answer |= s->member == M_ANSWER;
	s->state = S_COLON;
}

static void value_end(struct jsonrpc_scan *s)
{
	if (s->member == M_ID && !s->batch)
		s->has_id = !s->id_bad && jsonrpc_id_valid((struct span){ s->id, s->id_n });
	s->member = M_OTHER;
	s->state = s->loose ? S_ELEMENT : S_AFTER;
	s->loose = false;
}

static void message_end(struct jsonrpc_scan *s)
{
	if (s->batch)
		s->state = S_ELEMENT;
	else
		s->ended = true;
}

static void value_start(struct jsonrpc_scan *s, char c)
{
	if (c == '{' || c == '[') {
		s->id_bad |= s->member == M_ID;
		s->nest = 1;
		s->state = S_NESTED;
	} else if (c == '"') {
		id_put(s, c);
		s->text_n = 0;
		s->state = S_STRING;
	} else if (c == '}' || c == ']' || c == ',' || c == ':') {
		s->broken = true;
	} else {
		id_put(s, c);
		s->state = S_SCALAR;
	}
}

static void after_value(struct jsonrpc_scan *s, char c)
{
	if (c == ',')
		s->state = S_NAME;
	else if (c == '}')
		message_end(s);
	else if (!is_space(c))
		s->broken = true;
}

static void start(struct jsonrpc_scan *s, char c)
{
	static const char bom[] = "\xef\xbb\xbf";

	if (s->bom_n < 3 && c == bom[s->bom_n]) {
		s->bom_n++;
		return;
	}
	if (s->bom_n % 3)
		s->broken = true;
	if (c == '{') {
		s->state = S_NAME;
	} else if (c == '[') {
		s->batch = true;
		s->state = S_ELEMENT;
	} else if (!is_space(c)) {
		s->broken = true;
	}
}

static void element(struct jsonrpc_scan *s, char c)
{
	if (c == '{') {
		s->state = S_NAME;
	} else if (c == ']') {
		s->ended = true;
	} else if (c == '[' || c == '"') {
		s->loose = true;
		value_start(s, c);
	} else if (c == '}' || c == ':') {
		s->broken = true;
	}
}

static void nested(struct jsonrpc_scan *s, char c)
{
	if (c == '"') {
		s->text_n = 0;
		s->state = S_NESTED_STRING;
	} else if (c == '{' || c == '[') {
		s->nest++;
	} else if ((c == '}' || c == ']') && --s->nest == 0) {
		value_end(s);
	}
}

static void member_string(struct jsonrpc_scan *s, char c)
{
	id_put(s, c);
	if (!in_string(s, c))
		return;
	if (s->member == M_JSONRPC && span_is(text_of(s), "2.0"))
		s->v2 = true;
	value_end(s);
}

static void byte(struct jsonrpc_scan *s, char c)
{
	switch ((enum state)s->state) {
	case S_START:
		start(s, c);
		break;
	case S_ELEMENT:
		element(s, c);
		break;
	case S_NAME:
		s->text_n = 0;
		if (c == '"')
			s->state = S_IN_NAME;
		else if (c == '}')
			message_end(s);
		else if (!is_space(c))
			s->broken = true;
		break;
	case S_IN_NAME:
		if (in_string(s, c))
			name_end(s);
		break;
	case S_COLON:
		if (c == ':')
			s->state = S_VALUE;
		else if (!is_space(c))
			s->broken = true;
		break;
	case S_VALUE:
		if (!is_space(c))
			value_start(s, c);
		break;
	case S_STRING:
		member_string(s, c);
		break;
	case S_SCALAR:
		if (c == ',' || c == '}' || is_space(c)) {
			value_end(s);
			after_value(s, c);
		} else {
			id_put(s, c);
		}
		break;
	case S_NESTED:
		nested(s, c);
		break;
	case S_NESTED_STRING:
		if (in_string(s, c))
			s->state = S_NESTED;
		break;
	case S_AFTER:
		after_value(s, c);
		break;
	}
}

size_t jsonrpc_scan_feed(struct jsonrpc_scan *s, struct span bytes)
{
	size_t i = 0;

	while (i < bytes.n && !s->ended && !s->broken)
		byte(s, bytes.p[i++]);
	return i;
}

struct span jsonrpc_scan_id(const struct jsonrpc_scan *s)
{
	return (struct span){ s->id, s->has_id ? s->id_n : 0 };
}

enum jsonrpc_peek jsonrpc_peek(struct span prefix)
{
	struct jsonrpc_scan s;
	bool line_over = false;

	jsonrpc_scan_init(&s);
	for (size_t i = 0; i < prefix.n && !s.ended && !s.broken && !s.v2 && !line_over; i++) {
		line_over = prefix.p[i] == '\n' && s.state != S_START;
		byte(&s, prefix.p[i]);
	}
	if (s.v2)
		return JSONRPC_PEEK_YES;
	return s.ended || s.broken || line_over ? JSONRPC_PEEK_NO : JSONRPC_PEEK_UNDECIDED;
}

bool jsonrpc_looks(struct span body)
{
	struct jsonrpc_scan s;

	jsonrpc_scan_init(&s);
	jsonrpc_scan_feed(&s, body);
	return s.v2;
}
