/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_PARSER_H
#define TOLLGATE_POLICY_PARSER_H

#include "policy/ast.h"
#include "policy/lex.h"
#include "policy/text.h"

/* What the parts of the parser share: parse.c (policies, scopes), parse_expr.c and parse_primary.c
 * (conditions), parse_name.c (names, literals). Parse functions return false or NULL after
 * recording one error. */
struct parser {
	struct lexer lx;
	struct token tok; /* the one looked at */
	struct arena *mem;
	struct cedar_errors *errors;
	bool templates; /* slots may stand in scopes */
	unsigned depth;
	int r; /* -ENOMEM sticks; else 0 */
};

void parser_advance(struct parser *ps);
bool parser_accept(struct parser *ps, enum token_kind kind);
/* Takes a token of this kind or says that what was expected; what is in words: "`;`". */
bool parser_expect(struct parser *ps, enum token_kind kind, const char *what);
static inline bool parser_at_word(const struct parser *ps, const char *word)
{
	return ps->tok.kind == TOK_IDENT && span_is(ps->tok.text, word);
}

/* Records an error at an offset; always false. */
bool parser_fail(struct parser *ps, uint32_t pos, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "unexpected X, expected Y" at the current token. */
bool parser_unexpected(struct parser *ps, const char *expected);
bool parser_no_memory(struct parser *ps);

/* Copies a finished array into the set's memory; NULL without memory (recorded). */
void *parser_keep(struct parser *ps, const void *v, uint32_t n, size_t size);

/* --- parse_name.c ----------------------------------------------------------------------------- */
/* An identifier that may name something: not reserved. */
bool parse_identifier(struct parser *ps, const char *expected, struct ast_name *ret);
/* The string literal at the current token, unescaped. */
bool parse_string(struct parser *ps, struct span *ret);
bool parse_pattern(struct parser *ps, struct pattern *ret);
/* The rest of a name whose first identifier was taken: ("::" identifier)* and, when id is not NULL,
 * maybe "::" string, which makes it an entity (*ret_entity). The name is normalised. */
bool parse_path(struct parser *ps, struct ast_name first, struct span *ret_name, bool *ret_entity,
		struct span *ret_id);
bool parse_type_name(struct parser *ps, struct span *ret);
/* Whether the last part of a type is `Action`. */
bool type_is_action(struct span type);
/* Entity literal, maybe in parentheses. what: how a message calls it. */
bool parse_entity_ref(struct parser *ps, const char *what, struct cedar_uid *ret);
/* For the scope of `principal` or `resource`: also the slot of the same name. */
bool parse_entity_or_slot(struct parser *ps, const char *word, struct cedar_uid *ret_uid,
			  bool *ret_slot);

/* --- parse_expr.c ----------------------------------------------------------------------------- */
struct ast *parse_expr(struct parser *ps);

#endif
