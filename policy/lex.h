/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_LEX_H
#define TOLLGATE_POLICY_LEX_H

#include <stdint.h>

#include "user/base/span.h"

enum token_kind {
	TOK_END = 0,
	TOK_BAD, /* lexer.error says why */
	TOK_IDENT,
	TOK_NUMBER,
	TOK_STRING, /* text includes the quotes */
	TOK_SLOT, /* ?name */
	TOK_LPAREN,
	TOK_RPAREN,
	TOK_LBRACKET,
	TOK_RBRACKET,
	TOK_LBRACE,
	TOK_RBRACE,
	TOK_COMMA,
	TOK_SEMICOLON,
	TOK_COLON,
	TOK_PATH, /* :: */
	TOK_DOT,
	TOK_AT,
	TOK_ASSIGN, /* = : a token so that its message can be clear */
	TOK_EQ,
	TOK_NE,
	TOK_LT,
	TOK_LE,
	TOK_GT,
	TOK_GE,
	TOK_AND,
	TOK_OR,
	TOK_NOT,
	TOK_PLUS,
	TOK_MINUS,
	TOK_STAR,
	TOK_SLASH,
	TOK_PERCENT,
};

struct token {
	enum token_kind kind;
	uint32_t pos; /* offset in the text */
	struct span text;
};

/* Turns a text into tokens, one at a time. The text must be valid UTF-8 and shorter than 4 GiB. */
struct lexer {
	struct span text;
	uint32_t pos;
	const char *error; /* of the last TOK_BAD */
};

void lexer_init(struct lexer *lx, struct span text);

/* After TOK_BAD the next call goes on behind what was bad; after TOK_END it stays at the end. */
struct token lexer_next(struct lexer *lx);

#endif
