// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens of policy texts. Identifiers and numbers are ASCII; white space is Unicode's; the only
 * comments are //. What a string's escapes mean is not decided here.
 */
#include "policy/lex.h"

#include "policy/text.h"

void lexer_init(struct lexer *lx, struct span text)
{
	*lx = (struct lexer){ .text = text.n ? text : SPAN("") };
}

/* What an ASCII character can begin or go on with. */
enum { SPACE = 1, LETTER = 2, DIGIT = 4 };

static const uint8_t classes[256] = {
	['\t' ... '\r'] = SPACE, [' '] = SPACE,
	['0' ... '9'] = DIGIT,	  ['A' ... 'Z'] = LETTER,
	['a' ... 'z'] = LETTER,	  ['_'] = LETTER,
};

static inline bool is(char c, unsigned class)
{
	return classes[(unsigned char)c] & class;
}

/* Behind characters of a class. */
static inline const char *skip(const char *p, const char *end, unsigned class)
{
	while (p < end && is(*p, class))
		p++;
	return p;
}

static const char *skip_space(const char *p, const char *end)
{
	for (;;) {
		uint32_t c;
		unsigned n;

		p = skip(p, end, SPACE);
		if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
			while (p < end && *p != '\n' && *p != '\r')
				p++;
			continue;
		}
		if (p == end || (unsigned char)*p < 0x80)
			return p;
		n = utf8_decode(p, end, &c);
		if (n == 0 || !char_is_space(c))
			return p;
		p += n;
	}
}

/* From the opening quote; *ret_end is behind the closing one, or where reading may go on. */
static bool scan_string(const char *p, const char *end, const char **ret_end,
			const char **ret_error)
{
	for (p++; p < end; p++) {
		if (*p == '"') {
			*ret_end = p + 1;
			return true;
		}
		if (*p == '\\' && ++p < end && *p == '\n') {
			*ret_end = p;
			*ret_error = "a backslash cannot stand before a line end";
			return false;
		}
	}
	*ret_end = end;
	*ret_error = "the string is not closed";
	return false;
}

/* What a character is by itself, and what together with the one that may follow it. */
static const struct punct {
	uint8_t alone; /* TOK_BAD: nothing */
	char second;
	uint8_t both;
} puncts[128] = {
	['('] = { TOK_LPAREN, 0, 0 },	 [')'] = { TOK_RPAREN, 0, 0 },
	['['] = { TOK_LBRACKET, 0, 0 },	 [']'] = { TOK_RBRACKET, 0, 0 },
	['{'] = { TOK_LBRACE, 0, 0 },	 ['}'] = { TOK_RBRACE, 0, 0 },
	[','] = { TOK_COMMA, 0, 0 },	 [';'] = { TOK_SEMICOLON, 0, 0 },
	['.'] = { TOK_DOT, 0, 0 },	 ['@'] = { TOK_AT, 0, 0 },
	['+'] = { TOK_PLUS, 0, 0 },	 ['-'] = { TOK_MINUS, 0, 0 },
	['*'] = { TOK_STAR, 0, 0 },	 ['/'] = { TOK_SLASH, 0, 0 },
	['%'] = { TOK_PERCENT, 0, 0 },	 [':'] = { TOK_COLON, ':', TOK_PATH },
	['='] = { TOK_ASSIGN, '=', TOK_EQ }, ['!'] = { TOK_NOT, '=', TOK_NE },
	['<'] = { TOK_LT, '=', TOK_LE }, ['>'] = { TOK_GT, '=', TOK_GE },
	['&'] = { TOK_BAD, '&', TOK_AND }, ['|'] = { TOK_BAD, '|', TOK_OR },
};

static enum token_kind scan_punct(const char *p, const char *end, const char **ret_end)
{
	const struct punct *c = &puncts[*p & 0x7f];

	if (*p & 0x80)
		return TOK_BAD;
	if (c->both && end - p >= 2 && p[1] == c->second) {
		*ret_end = p + 2;
		return (enum token_kind)c->both;
	}
	*ret_end = p + 1;
	return c->alone ? (enum token_kind)c->alone : TOK_BAD;
}

static const char *bad_character(struct lexer *lx, const char *p, const char *end)
{
	uint32_t c = 0;
	unsigned n = utf8_decode(p, end, &c);

	if (*p == '&')
		lx->error = "`&` is no operator: write `&&`";
	else if (*p == '|')
		lx->error = "`|` is no operator: write `||`";
	else if (*p == '\'')
		lx->error = "strings stand in double quotes";
	else if (c == 0xfeff)
		lx->error = "a byte order mark is not allowed";
	else
		lx->error = "this character is not allowed here";
	return p + (n ? n : 1);
}

struct token lexer_next(struct lexer *lx)
{
	const char *base = lx->text.p, *end = base + lx->text.n, *p, *start;
	struct token t = { 0 };

	start = p = skip_space(base + lx->pos, end);
	if (p == end) {
		t.kind = TOK_END;
	} else if (is(*p, LETTER) || (*p == '?' && p + 1 < end && is(p[1], LETTER))) {
		t.kind = *p == '?' ? TOK_SLOT : TOK_IDENT;
		p = skip(p + 1, end, LETTER | DIGIT);
	} else if (is(*p, DIGIT)) {
		t.kind = TOK_NUMBER;
		p = skip(p, end, DIGIT);
	} else if (*p == '"') {
		t.kind = scan_string(p, end, &p, &lx->error) ? TOK_STRING : TOK_BAD;
	} else {
		t.kind = scan_punct(p, end, &p);
		if (t.kind == TOK_BAD)
			p = bad_character(lx, start, end);
	}
	t.pos = (uint32_t)(start - base);
	t.text = (struct span){ start, (size_t)(p - start) };
	lx->pos = (uint32_t)(p - base);
	return t;
}
