/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_PRINT_H
#define TOLLGATE_POLICY_PRINT_H

#include "policy/ast.h"
#include "user/base/buf.h"

/*
 * Policies as text, in the plain layout of Cedar's SDK: every operand that is an operator's result
 * stands in parentheses. Where that would nest deeper than a text may, only those parentheses are
 * written that the grammar needs, so what was read can always be printed and read again.
 */

struct printer {
	struct buf *out; /* NULL: only measure */
	bool full; /* all parentheses */
	uint32_t depth, deepest;
	int r; /* the first error; then nothing is written any more */
};

void print_span(struct printer *pr, struct span s);
void print_str(struct printer *pr, const char *s);
void print_quoted(struct printer *pr, struct span s); /* escaped */
void print_uid(struct printer *pr, const struct cedar_uid *uid);
/* An expression where any may stand: as a condition, or within brackets of its own. */
void print_expr(struct printer *pr, const struct ast *e);

/* How deep the text of e nests; full: with all parentheses. */
uint32_t print_nesting(const struct ast *e, bool full);

/* Appends "permit(...) when { ... };\n". 0, -ENOMEM, -EMSGSIZE. */
int print_policy(struct buf *out, const struct ast_policy *p);

#endif
