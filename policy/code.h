/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CODE_H
#define TOLLGATE_POLICY_CODE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Compiled conditions: code for a stack of values. Each expression leaves one value more. "test"
 * operators refuse anything but a bool. c is an index or a jump target, unless said otherwise.
 */
enum op {
	OP_CONST, /* constant c */
	OP_VAR, /* a: enum ast_var, not the context */
	OP_CONTEXT,
	OP_CONTEXT_ATTR, /* symbol c; the context need not be wholly known for it */
	OP_CONTEXT_HAS, /* chain c */
	OP_ATTR, /* symbol c */
	OP_HAS, /* chain c */
	OP_EQ,
	OP_NE,
	OP_LT,
	OP_LE,
	OP_GT,
	OP_GE,
	OP_IN,
	OP_IS, /* type symbol c */
	OP_IS_ELSE, /* type symbol c; of it: skip the OP_JUMP that follows; else put false, jump */
	OP_LIKE, /* pattern c */
	OP_NOT,
	OP_NEG,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_AND, /* test; false: keep it and jump to c, else drop it */
	OP_OR, /* test; true: keep it and jump to c, else drop it */
	OP_BOOL, /* test, keep */
	OP_UNLESS, /* test and drop; false: jump to c */
	OP_JUMP,
	OP_SET, /* the c topmost */
	OP_RECORD, /* shape c */
	OP_CONTAINS,
	OP_CONTAINS_ALL,
	OP_CONTAINS_ANY,
	OP_IS_EMPTY,
	OP_HAS_TAG,
	OP_GET_TAG,
	OP_EXT, /* a: enum ext_fn; c: arguments on the stack */
	OP_END, /* test; the outcome of the conjunct */
};

struct insn {
	uint8_t op, a;
	uint16_t pad;
	uint32_t c;
};

static inline bool op_jumps(enum op op)
{
	return op == OP_AND || op == OP_OR || op == OP_UNLESS || op == OP_JUMP;
}

/*
 * What most conjuncts are: a question about one path (principal.team, context.input.path), asked
 * without the machine above. negated turns true and false, never an error. Whatever has another
 * form is TEST_CODE.
 */
enum test_kind {
	TEST_CODE, /* arg: conjunct */
	TEST_ANY, /* num tests, the first is alternative arg: asked in order until one holds */
	TEST_FALSE,
	TEST_BOOL, /* the path itself */
	TEST_EQ, /* constant arg */
	TEST_LT, /* below num, both of type tag */
	TEST_LIKE, /* pattern arg */
	TEST_CONTAINS, /* the path holds constant arg */
	TEST_CONTAINS_ANY, /* of the set arg */
	TEST_CONTAINS_ALL,
	TEST_MEMBER, /* the set arg holds the path */
	TEST_IN_RANGE, /* of the address arg; tag: IPv4, then num is it << 8 | its prefix */
	TEST_HAS, /* symbol arg */
	TEST_IS, /* type symbol arg */
	TEST_IN, /* entity arg */
	TEST_IN_PATH, /* path arg */
	TEST_EQ_PATH, /* path arg */
	TEST_CONTAINS_PATH, /* the path holds path arg */
	/* What stands in a program besides tests; see struct cnode. */
	NODE_EMIT,
	NODE_SWITCH_EQ,
	NODE_SWITCH_LT,
	NODE_SWITCH_LIKE,
	NODE_SWITCH_CONTAINS,
	NODE_SWITCH_IN,
	NODE_PAIRS, /* see struct cpairs */
};

#endif
