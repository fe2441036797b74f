/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_COMPILE_H
#define TOLLGATE_POLICY_COMPILE_H

#include "policy/pool.h"
#include "policy/snapshot.h"

/* What compiling policies needs besides the snapshot: how equal things are found again. */
struct compiler {
	struct cedar_snapshot *s;
	uint32_t depth; /* values on the stack */
	bool varies; /* the conjunct reads action or resource */
	int r; /* the first error */
	struct pool consts, patterns, chains, shapes, paths, conjuncts;
};

/* compile_expr.c: appends one conjunct of a policy (negated: its negation) to the parts. 0 or
 * -ENOMEM, -E2BIG. */
int compile_conjunct(struct compiler *c, const struct ast *e, bool negated);

/* compile_pool.c: the number of an equal thing that is there already, or of this one, added. The
 * value must be of the snapshot; chain and shape lie in its memory. On failure c->r is set. */
uint32_t compile_const(struct compiler *c, struct cval v);
uint32_t compile_pattern(struct compiler *c, const struct pattern *p);
uint32_t compile_chain(struct compiler *c, struct cchain *chain);
uint32_t compile_shape(struct compiler *c, struct cshape *shape);
uint32_t compile_path(struct compiler *c, uint32_t of, uint32_t sym, enum ast_var var);
/* Ends a conjunct whose code begins at pc: takes the code back when there is the same already. */
uint32_t compile_end(struct compiler *c, uint32_t pc);

/* compile_expr.c: the constant that a node with the flag `constant` is. */
uint32_t compile_literal(struct compiler *c, const struct ast *e);
uint32_t compile_symbol(struct compiler *c, struct span name);

/* compile_test.c: the simple form of a conjunct; TEST_CODE when it has none. */
struct ctest compile_test(struct compiler *c, const struct ast *e, bool negated);

#endif
