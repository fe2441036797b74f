// SPDX-License-Identifier: Apache-2.0
/*
 * Tokens of policy texts. Identifiers and numbers are ASCII; white space is Unicode's; the only
 * comments are //. What a string's escapes mean is not decided here.
 */
#include "policy/lex.h"

#include <string.h>

#include "policy/text.h"

void lexer_init(struct lexer *lx, struct span text)
{
	*lx = (struct lexer){ .text = text.n ? text : SPAN("") };
}

static bool is_ident_start(char c)
{
	return c == '_' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *skip_space(const char *p, const char *end)
{
	while (p < end) {
		uint32_t c;
		unsigned n;

		if (end - p >= 2 && p[0] == '/' && p[1] == '/') {
			while (p < end && *p != '\n' && *p != '\r')
				p++;
			continue;
		}
		n = utf8_decode(p, end, &c);
		if (n == 0 || !char_is_space(c))
			break;
		p += n;
	}
	return p;
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

struct punct {
	char text[3];
	enum token_kind kind;
};

static const struct punct puncts[] = {
	/* longer ones first */
	{ "::", TOK_PATH },  { "==", TOK_EQ },      { "!=", TOK_NE },       { "<=", TOK_LE },
	{ ">=", TOK_GE },    { "&&", TOK_AND },     { "||", TOK_OR },       { "(", TOK_LPAREN },
	{ ")", TOK_RPAREN }, { "[", TOK_LBRACKET }, { "]", TOK_RBRACKET },  { "{", TOK_LBRACE },
	{ "}", TOK_RBRACE }, { ",", TOK_COMMA },    { ";", TOK_SEMICOLON }, { ":", TOK_COLON },
	{ ".", TOK_DOT },    { "@", TOK_AT },       { "=", TOK_ASSIGN },    { "<", TOK_LT },
	{ ">", TOK_GT },     { "!", TOK_NOT },      { "+", TOK_PLUS },      { "-", TOK_MINUS },
	{ "*", TOK_STAR },   { "/", TOK_SLASH },    { "%", TOK_PERCENT },
};

static enum token_kind scan_punct(const char *p, const char *end, const char **ret_end)
{
	for (size_t i = 0; i < ARRAY_SIZE(puncts); i++) {
		size_t n = strlen(puncts[i].text);

		if ((size_t)(end - p) >= n && memcmp(p, puncts[i].text, n) == 0) {
			*ret_end = p + n;
			return puncts[i].kind;
		}
	}
	return TOK_BAD;
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
	} else if (is_ident_start(*p) || (*p == '?' && p + 1 < end && is_ident_start(p[1]))) {
		t.kind = *p == '?' ? TOK_SLOT : TOK_IDENT;
		for (p++; p < end && (is_ident_start(*p) || is_digit(*p)); p++)
			;
	} else if (is_digit(*p)) {
		t.kind = TOK_NUMBER;
		for (; p < end && is_digit(*p); p++)
			;
	} else if (*p == '"') {
		t.kind = scan_string(p, end, &p, &lx->error) ? TOK_STRING : TOK_BAD;
	} else {
		t.kind = scan_punct(p, end, &p);
		if (t.kind == TOK_BAD)
			p = bad_character(lx, p, end);
	}
	t.pos = (uint32_t)(start - base);
	t.text = (struct span){ start, (size_t)(p - start) };
	lx->pos = (uint32_t)(p - base);
	return t;
}
