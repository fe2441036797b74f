// SPDX-License-Identifier: Apache-2.0
/*
 * Expressions into code. Operands are evaluated left to right and errors come in Cedar's order, so
 * code is never reordered here. Recursion is bounded by the parser's nesting limit.
 */
#include "policy/compile.h"

#include <errno.h>
#include <string.h>

static void expr(struct compiler *c, const struct ast *e);

static void fail(struct compiler *c, int r)
{
	if (c->r == 0)
		c->r = r;
}

/* Appends an instruction that leaves by values more (or less) on the stack; its index. */
static uint32_t emit(struct compiler *c, enum op op, unsigned a, uint32_t arg, uint32_t pos, int by)
{
	struct cedar_snapshot *s = c->s;
	struct insn in = { .op = (uint8_t)op, .a = (uint8_t)a, .c = arg };

	if (c->r == 0)
		c->r = vec_push(&s->code, in);
	if (c->r == 0)
		c->r = vec_push(&s->where, pos);
	if (c->r < 0)
		return 0;
	c->depth = (uint32_t)((int64_t)c->depth + by);
	if (c->depth > s->stack)
		s->stack = c->depth;
	return s->code.n - 1;
}

/* Lets an earlier jump end here. */
static void land(struct compiler *c, uint32_t at)
{
	if (c->r == 0)
		c->s->code.v[at].c = c->s->code.n;
}

uint32_t compile_symbol(struct compiler *c, struct span name)
{
	uint32_t sym = 0;

	if (c->r == 0)
		c->r = snapshot_symbol(c->s, name, &sym);
	return sym;
}

/* --- constants -------------------------------------------------------------------------------- */

static int fold_call(struct compiler *c, const struct ast *e, struct cval *ret)
{
	struct span text = e->kid[0]->str;
	struct cip *ip;
	int64_t v = 0;
	int r;

	switch (e->fn) {
	case EXT_DECIMAL:
		r = ext_decimal_parse(text, &v);
		*ret = cval_long(V_DECIMAL, v);
		return r;
	case EXT_DATETIME:
		r = ext_datetime_parse(text, &v);
		*ret = cval_long(V_DATETIME, v);
		return r;
	case EXT_DURATION:
		r = ext_duration_parse(text, &v);
		*ret = cval_long(V_DURATION, v);
		return r;
	default:
		ip = arena_alloc(&c->s->mem, sizeof(*ip));
		if (!ip)
			return -ENOMEM;
		*ret = (struct cval){ .tag = V_IP, .ip = ip };
		return ext_ip_parse(text, ip);
	}
}

static int fold(struct compiler *c, const struct ast *e, struct cval *ret);

static int fold_set(struct compiler *c, const struct ast *e, struct cval *ret)
{
	struct cset *set = cset_new(&c->s->mem, e->n);
	int r = set ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < e->n; i++)
		r = fold(c, e->kid[i], &set->v[i]);
	if (r < 0)
		return r;
	cset_canonical(set);
	*ret = (struct cval){ .tag = V_SET, .set = set };
	return 0;
}

static int fold_record(struct compiler *c, const struct ast *e, struct cval *ret)
{
	struct crecord *rec = crecord_new(&c->s->mem, e->n);
	int r = rec ? 0 : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < e->n; i++) {
		struct cmember *m = &rec->m[i];

		r = snapshot_symbol(c->s, e->names[i].s, &m->sym);
		if (r < 0)
			break;
		m->name = c->s->names.names.v[m->sym].p;
		m->n = (uint32_t)e->names[i].s.n;
		r = fold(c, e->kid[i], &m->v);
	}
	if (r < 0)
		return r;
	heap_sort(rec->m, rec->n, sizeof(rec->m[0]), cmember_cmp);
	*ret = (struct cval){ .tag = V_RECORD, .record = rec };
	return 0;
}

/* The value of a node whose constant flag is set. */
static int fold(struct compiler *c, const struct ast *e, struct cval *ret)
{
	struct cval v;

	switch (e->kind) {
	case AST_BOOL:
		*ret = cval_bool(e->num);
		return 0;
	case AST_LONG:
		*ret = cval_long(V_LONG, e->num);
		return 0;
	case AST_STRING:
		return snapshot_import(c->s, cval_string(e->str), ret);
	case AST_ENTITY:
		v = (struct cval){ .tag = V_ENTITY, .n = ENTITY_UNKNOWN, .uid = &e->uid };
		return snapshot_import(c->s, v, ret);
	case AST_SET:
		return fold_set(c, e, ret);
	case AST_RECORD:
		return fold_record(c, e, ret);
	case AST_CALL:
		return fold_call(c, e, ret);
	default:
		return -EINVAL;
	}
}

uint32_t compile_literal(struct compiler *c, const struct ast *e)
{
	struct cval v = { 0 };

	if (c->r == 0)
		c->r = fold(c, e, &v);
	return c->r < 0 ? 0 : compile_const(c, v);
}

/* --- records, chains -------------------------------------------------------------------------- */

static int by_sym(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void record(struct compiler *c, const struct ast *e)
{
	struct cshape *shape = arena_alloc(&c->s->mem, sizeof(*shape) + e->n * sizeof(shape->m[0]));

	if (!shape) {
		fail(c, -ENOMEM);
		return;
	}
	shape->n = e->n;
	for (uint32_t i = 0; i < e->n; i++) {
		shape->m[i].sym = compile_symbol(c, e->names[i].s);
		shape->m[i].from = i;
		if (c->r == 0)
			shape->m[i].name = c->s->names.names.v[shape->m[i].sym];
		expr(c, e->kid[i]);
	}
	if (c->r < 0)
		return;
	heap_sort(shape->m, shape->n, sizeof(shape->m[0]), by_sym);
	emit(c, OP_RECORD, 0, compile_shape(c, shape), e->pos, 1 - (int)e->n);
}

static void has(struct compiler *c, const struct ast *e)
{
	struct cchain *chain =
		arena_alloc(&c->s->mem, sizeof(*chain) + e->n_parts * sizeof(uint32_t));
	const struct ast *of = e->kid[0];
	bool context = of->kind == AST_VAR && of->num == AST_CONTEXT;

	if (!chain) {
		fail(c, -ENOMEM);
		return;
	}
	chain->n = e->n_parts;
	for (uint32_t i = 0; i < e->n_parts; i++)
		chain->sym[i] = compile_symbol(c, e->names[i].s);
	if (!context)
		expr(c, of);
	if (c->r == 0)
		emit(c, context ? OP_CONTEXT_HAS : OP_HAS, 0, compile_chain(c, chain), e->pos,
		     context ? 1 : 0);
}

static void step(struct compiler *c, const struct ast_step *st)
{
	static const enum op ops[] = { OP_CONTAINS, OP_CONTAINS_ALL, OP_CONTAINS_ANY,
				       OP_IS_EMPTY, OP_HAS_TAG,      OP_GET_TAG };

	if (st->kind == AST_STEP_ATTR) {
		emit(c, OP_ATTR, 0, compile_symbol(c, st->name), st->pos, 0);
		return;
	}
	for (uint32_t i = 0; i < st->n; i++)
		expr(c, st->arg[i]);
	if (st->kind == AST_STEP_METHOD)
		emit(c, ops[st->method], 0, 0, st->pos, -(int)st->n);
	else
		emit(c, OP_EXT, st->fn, st->n + 1, st->pos, -(int)st->n);
}

static void member(struct compiler *c, const struct ast *e)
{
	const struct ast *of = e->kid[0];
	uint32_t i = 0;

	if (of->kind == AST_VAR && of->num == AST_CONTEXT && e->steps[0].kind == AST_STEP_ATTR)
		emit(c, OP_CONTEXT_ATTR, 0, compile_symbol(c, e->steps[i++].name), of->pos, 1);
	else
		expr(c, of);
	for (; i < e->n_parts; i++)
		step(c, &e->steps[i]);
}

/* --- operators -------------------------------------------------------------------------------- */

static void variable(struct compiler *c, const struct ast *e)
{
	if (e->num == AST_CONTEXT)
		emit(c, OP_CONTEXT, 0, 0, e->pos, 1);
	else
		emit(c, OP_VAR, (unsigned)e->num, 0, e->pos, 1);
	c->varies |= e->num == AST_ACTION || e->num == AST_RESOURCE;
}

static void unary(struct compiler *c, const struct ast *e)
{
	expr(c, e->kid[0]);
	emit(c, e->kind == AST_NOT ? OP_NOT : OP_NEG, 0, 0, e->pos, 0);
}

static void binary(struct compiler *c, const struct ast *e)
{
	static const enum op ops[] = {
		[AST_EQ] = OP_EQ, [AST_NE] = OP_NE, [AST_LT] = OP_LT, [AST_LE] = OP_LE,
		[AST_GT] = OP_GT, [AST_GE] = OP_GE, [AST_IN] = OP_IN
	};

	expr(c, e->kid[0]);
	expr(c, e->kid[1]);
	emit(c, ops[e->kind], 0, 0, e->pos, -1);
}

static void arithmetic(struct compiler *c, const struct ast *e)
{
	expr(c, e->kid[0]);
	for (uint32_t i = 1; i < e->n; i++) {
		enum op op = e->kind == AST_PRODUCT ? OP_MUL : e->places[i].minus ? OP_SUB : OP_ADD;

		expr(c, e->kid[i]);
		emit(c, op, 0, 0, e->places[i].pos, -1);
	}
}

/* The jumps of a chain all lead to its end; until it is known each holds the one before it. */
static void logic(struct compiler *c, const struct ast *e)
{
	uint32_t last = UINT32_MAX;

	for (uint32_t i = 0; i + 1 < e->n; i++) {
		expr(c, e->kid[i]);
		last = emit(c, e->kind == AST_AND ? OP_AND : OP_OR, 0, last, e->kid[i]->pos, -1);
	}
	expr(c, e->kid[e->n - 1]);
	emit(c, OP_BOOL, 0, 0, e->kid[e->n - 1]->pos, 0);
	while (c->r == 0 && last != UINT32_MAX) {
		uint32_t before = c->s->code.v[last].c;

		land(c, last);
		last = before;
	}
}

static void choice(struct compiler *c, const struct ast *e)
{
	uint32_t to_else, to_end;

	expr(c, e->kid[0]);
	to_else = emit(c, OP_UNLESS, 0, 0, e->kid[0]->pos, -1);
	expr(c, e->kid[1]);
	to_end = emit(c, OP_JUMP, 0, 0, e->pos, -1);
	land(c, to_else);
	expr(c, e->kid[2]);
	land(c, to_end);
}

static void is(struct compiler *c, const struct ast *e)
{
	uint32_t type = compile_symbol(c, e->str), jump;

	expr(c, e->kid[0]);
	if (e->n == 1) {
		emit(c, OP_IS, 0, type, e->pos, 0);
		return;
	}
	emit(c, OP_IS_ELSE, 0, type, e->pos, 0);
	jump = emit(c, OP_JUMP, 0, 0, e->pos, 0);
	expr(c, e->kid[1]);
	emit(c, OP_IN, 0, 0, e->pos, -1);
	land(c, jump);
}

static void like(struct compiler *c, const struct ast *e)
{
	expr(c, e->kid[0]);
	emit(c, OP_LIKE, 0, compile_pattern(c, &e->pattern), e->pos, 0);
}

static void list(struct compiler *c, const struct ast *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		expr(c, e->kid[i]);
	if (e->kind == AST_SET)
		emit(c, OP_SET, 0, e->n, e->pos, 1 - (int)e->n);
	else
		emit(c, OP_EXT, e->fn, e->n, e->pos, 1 - (int)e->n);
}

static void expr(struct compiler *c, const struct ast *e)
{
	if (c->r < 0)
		return;
	if (e->constant) {
		emit(c, OP_CONST, 0, compile_literal(c, e), e->pos, 1);
		return;
	}
	switch (e->kind) {
	case AST_VAR:
		variable(c, e);
		break;
	case AST_SET:
	case AST_CALL:
		list(c, e);
		break;
	case AST_RECORD:
		record(c, e);
		break;
	case AST_ACCESS:
		member(c, e);
		break;
	case AST_NOT:
	case AST_NEG:
		unary(c, e);
		break;
	case AST_PRODUCT:
	case AST_SUM:
		arithmetic(c, e);
		break;
	case AST_EQ:
	case AST_NE:
	case AST_LT:
	case AST_LE:
	case AST_GT:
	case AST_GE:
	case AST_IN:
		binary(c, e);
		break;
	case AST_HAS:
		has(c, e);
		break;
	case AST_LIKE:
		like(c, e);
		break;
	case AST_IS:
		is(c, e);
		break;
	case AST_AND:
	case AST_OR:
		logic(c, e);
		break;
	case AST_IF:
		choice(c, e);
		break;
	default: /* literals are constant */
		fail(c, -EINVAL);
	}
}

int compile_conjunct(struct compiler *c, const struct ast *e, bool negated)
{
	struct cedar_snapshot *s = c->s;
	uint32_t pc = s->code.n, conjuncts = s->conjuncts.n;
	struct cpart part = { .where = s->where.n };

	c->depth = 0;
	c->varies = false;
	expr(c, e);
	if (negated)
		emit(c, OP_NOT, 0, 0, e->pos, 0);
	emit(c, OP_END, 0, 0, e->pos, -1);
	part.conjunct = compile_end(c, pc);
	if (c->r == 0 && s->conjuncts.n > conjuncts) {
		struct ctest t = compile_test(c, e, negated);

		if (t.kind == TEST_CODE)
			t.arg = part.conjunct;
		s->conjuncts.v[part.conjunct].test = t;
	}
	if (c->r == 0)
		c->r = vec_push(&s->parts, part);
	return c->r;
}
