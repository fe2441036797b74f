// SPDX-License-Identifier: Apache-2.0
/*
 * The machine that runs conditions. Allocates only sets and records that a policy builds, from the
 * request's arena; never recurses but in comparing values; has no state besides the request.
 */
#include <errno.h>
#include <string.h>

#include "policy/ext_call.h"
#include "policy/request.h"

#define COMPARABLE (V_BIT(V_LONG) | V_BIT(V_DATETIME) | V_BIT(V_DURATION))

static enum outcome fail(struct cedar_request *rq, enum fail_code code, uint32_t arg, struct cval v)
{
	rq->fail.code = code;
	rq->fail.arg = arg;
	rq->fail.v = v;
	return OUT_ERROR;
}

static enum outcome type_error(struct cedar_request *rq, struct cval v, uint32_t expected)
{
	return fail(rq, FAIL_TYPE, expected, v);
}

#define NEED(v, tag_bits) \
	do { \
		if (!(V_BIT((v).tag) & (tag_bits))) \
			return type_error(rq, (v), (tag_bits)); \
	} while (0)

/* --- attributes, tags ------------------------------------------------------------------------- */

static enum outcome eval_attr(struct cedar_request *rq, struct cval of, uint32_t sym, struct cval *ret)
{
	const struct crecord *rec = of.tag == V_RECORD ? of.record : NULL;
	const struct cval *v;

	NEED(of, V_BIT(V_RECORD) | V_BIT(V_ENTITY));
	if (of.tag == V_ENTITY) {
		struct entity_view view;

		if (!request_view(rq, of, &view))
			return fail(rq, FAIL_NO_ENTITY, 0, of);
		rec = view.attrs;
	}
	v = rec ? crecord_get(rec, sym) : NULL;
	if (!v)
		return fail(rq, FAIL_NO_ATTR, sym, of);
	if (v->tag == V_UNKNOWN)
		return OUT_UNKNOWN;
	*ret = *v;
	return OUT_TRUE;
}

/* e has a.b.c is e has a && e.a has b && e.a.b has c. */
static enum outcome has_chain(struct cedar_request *rq, struct cval of, const struct cchain *chain,
			      struct cval *ret)
{
	for (uint32_t i = 0;; i++) {
		struct entity_view view = { 0 };
		const struct crecord *rec;
		const struct cval *v;

		if (of.tag == V_UNKNOWN)
			return OUT_UNKNOWN;
		NEED(of, V_BIT(V_RECORD) | V_BIT(V_ENTITY));
		if (of.tag == V_ENTITY)
			request_view(rq, of, &view);
		rec = of.tag == V_RECORD ? of.record : view.attrs;
		v = rec ? crecord_get(rec, chain->sym[i]) : NULL;
		if (!v || i + 1 == chain->n) {
			*ret = cval_bool(v != NULL);
			return OUT_TRUE;
		}
		of = *v;
	}
}

static enum outcome tag_op(struct cedar_request *rq, enum op op, struct cval *a)
{
	struct entity_view view = { 0 };
	const struct cval *v = NULL;
	bool there;

	NEED(a[0], V_BIT(V_ENTITY));
	NEED(a[1], V_BIT(V_STRING));
	there = request_view(rq, a[0], &view);
	if (view.tags)
		v = crecord_get(view.tags, intern_find(&rq->snap->names, cval_span(a[1])));
	if (op == OP_HAS_TAG) {
		a[0] = cval_bool(v != NULL);
		return OUT_TRUE;
	}
	if (!there)
		return fail(rq, FAIL_NO_ENTITY, 0, a[0]);
	rq->fail.w = a[1];
	if (!v)
		return fail(rq, FAIL_NO_TAG, 0, a[0]);
	a[0] = *v;
	return OUT_TRUE;
}

/* --- comparison, arithmetic, sets ------------------------------------------------------------- */

static enum outcome order_op(struct cedar_request *rq, enum op op, struct cval *a)
{
	int64_t x, y;

	NEED(a[0], COMPARABLE);
	NEED(a[1], V_BIT(a[0].tag));
	x = a[0].i;
	y = a[1].i;
	a[0] = cval_bool(op == OP_LT ? x < y : op == OP_LE ? x <= y : op == OP_GT ? x > y : x >= y);
	return OUT_TRUE;
}

static enum outcome arith_op(struct cedar_request *rq, enum op op, struct cval *a)
{
	bool over;

	NEED(a[0], V_BIT(V_LONG));
	NEED(a[1], V_BIT(V_LONG));
	over = op == OP_ADD   ? __builtin_add_overflow(a[0].i, a[1].i, &a[0].i)
	       : op == OP_SUB ? __builtin_sub_overflow(a[0].i, a[1].i, &a[0].i)
			      : __builtin_mul_overflow(a[0].i, a[1].i, &a[0].i);
	return over ? fail(rq, FAIL_OVERFLOW, op, a[1]) : OUT_TRUE;
}

static enum outcome in_op(struct cedar_request *rq, struct cval *a)
{
	bool found = false;

	NEED(a[0], V_BIT(V_ENTITY));
	NEED(a[1], V_BIT(V_ENTITY) | V_BIT(V_SET));
	if (a[1].tag == V_ENTITY) {
		a[0] = cval_bool(request_is_in(rq, a[0], a[1]));
		return OUT_TRUE;
	}
	/* An element that is no entity is an error even where another one would match. */
	for (uint32_t i = 0; i < a[1].set->n; i++)
		NEED(a[1].set->v[i], V_BIT(V_ENTITY));
	for (uint32_t i = 0; !found && i < a[1].set->n; i++)
		found = request_is_in(rq, a[0], a[1].set->v[i]);
	a[0] = cval_bool(found);
	return OUT_TRUE;
}

static enum outcome set_op(struct cedar_request *rq, enum op op, struct cval *a)
{
	NEED(a[0], V_BIT(V_SET));
	if (op != OP_CONTAINS)
		NEED(a[1], V_BIT(V_SET));
	a[0] = cval_bool(op == OP_CONTAINS       ? cset_contains(a[0].set, a[1])
			 : op == OP_CONTAINS_ALL ? cset_contains_all(a[0].set, a[1].set)
						 : cset_contains_any(a[0].set, a[1].set));
	return OUT_TRUE;
}

static enum outcome binary_op(struct cedar_request *rq, enum op op, struct cval *a)
{
	switch (op) {
	case OP_EQ:
		a[0] = cval_bool(cval_equal(a[0], a[1]));
		return OUT_TRUE;
	case OP_NE:
		a[0] = cval_bool(!cval_equal(a[0], a[1]));
		return OUT_TRUE;
	case OP_LT:
	case OP_LE:
	case OP_GT:
	case OP_GE:
		return order_op(rq, op, a);
	case OP_ADD:
	case OP_SUB:
	case OP_MUL:
		return arith_op(rq, op, a);
	case OP_IN:
		return in_op(rq, a);
	case OP_HAS_TAG:
	case OP_GET_TAG:
		return tag_op(rq, op, a);
	default:
		return set_op(rq, op, a);
	}
}

/* --- one value -------------------------------------------------------------------------------- */

static enum outcome unary_op(struct cedar_request *rq, const struct insn *in, struct cval *a)
{
	switch ((enum op)in->op) {
	case OP_ATTR:
		return eval_attr(rq, *a, in->c, a);
	case OP_HAS:
		return has_chain(rq, *a, rq->snap->chains.v[in->c], a);
	case OP_IS:
		NEED(*a, V_BIT(V_ENTITY));
		*a = cval_bool(request_type(rq, *a) == in->c);
		return OUT_TRUE;
	case OP_LIKE:
		NEED(*a, V_BIT(V_STRING));
		*a = cval_bool(pattern_match(&rq->snap->patterns.v[in->c], cval_span(*a)));
		return OUT_TRUE;
	case OP_NOT:
		NEED(*a, V_BIT(V_BOOL));
		a->i = !a->i;
		return OUT_TRUE;
	case OP_NEG:
		NEED(*a, V_BIT(V_LONG));
		if (__builtin_sub_overflow(0, a->i, &a->i))
			return fail(rq, FAIL_OVERFLOW, OP_NEG, *a);
		return OUT_TRUE;
	case OP_IS_EMPTY:
		NEED(*a, V_BIT(V_SET));
		*a = cval_bool(a->set->n == 0);
		return OUT_TRUE;
	default: /* OP_BOOL */
		NEED(*a, V_BIT(V_BOOL));
		return OUT_TRUE;
	}
}

/* --- building --------------------------------------------------------------------------------- */

static enum outcome make_set(struct cedar_request *rq, uint32_t n, struct cval *a)
{
	struct cset *set = cset_new(&rq->mem, n);

	if (!set)
		return OUT_NO_MEMORY;
	if (n)
		memcpy(set->v, a, n * sizeof(*a));
	a[0] = (struct cval){ .tag = V_SET, .set = set };
	return OUT_TRUE;
}

static enum outcome make_record(struct cedar_request *rq, const struct cshape *shape,
				struct cval *a)
{
	struct crecord *rec = crecord_new(&rq->mem, shape->n);

	if (!rec)
		return OUT_NO_MEMORY;
	for (uint32_t i = 0; i < shape->n; i++) {
		rec->m[i].sym = shape->m[i].sym;
		rec->m[i].name = shape->m[i].name.p;
		rec->m[i].n = (uint32_t)shape->m[i].name.n;
		rec->m[i].v = a[shape->m[i].from];
	}
	a[0] = (struct cval){ .tag = V_RECORD, .record = rec };
	return OUT_TRUE;
}

static enum outcome call_op(struct cedar_request *rq, enum ext_fn fn, struct cval *a, uint32_t n)
{
	struct ext_fault fault = { 0 };

	switch (ext_call(&rq->mem, fn, a, n, &fault)) {
	case EXT_OK:
		return OUT_TRUE;
	case EXT_BAD_TYPE:
		return type_error(rq, a[fault.at], fault.expected);
	case EXT_BAD_ARITY:
		rq->fail.got = n;
		return fail(rq, FAIL_ARITY, fn, (struct cval){ 0 });
	case EXT_BAD_VALUE:
		return fail(rq, FAIL_EXT, fn, a[0]);
	case EXT_NO_MEMORY:
		break;
	}
	return OUT_NO_MEMORY;
}

/* --- the machine ------------------------------------------------------------------------------ */

/* What pushes a value: the variables and constants. */
static enum outcome push_op(struct cedar_request *rq, const struct insn *in, struct cval *top)
{
	switch ((enum op)in->op) {
	case OP_CONST:
		*top = rq->snap->consts.v[in->c];
		return OUT_TRUE;
	case OP_VAR:
		*top = rq->var[in->a];
		return OUT_TRUE;
	case OP_CONTEXT_ATTR:
		return eval_attr(rq, rq->context, in->c, top);
	case OP_CONTEXT_HAS:
		return has_chain(rq, rq->context, rq->snap->chains.v[in->c], top);
	default: /* OP_CONTEXT: as a whole it is not known when a member is not */
		*top = rq->context;
		return rq->context_unknown ? OUT_UNKNOWN : OUT_TRUE;
	}
}

/* Jumps: false when the jump is not taken; *ret_sp moves. The caller has checked for a bool. */
static bool takes_jump(enum op op, struct cval **sp)
{
	bool v = (*sp)[-1].i;

	if (op == OP_UNLESS || (op == OP_AND) == v) {
		(*sp)--; /* dropped: the right side, or a branch, gives the value */
		return op == OP_UNLESS && !v;
	}
	return true;
}

static enum outcome step(struct cedar_request *rq, const struct insn *in, struct cval **sp)
{
	enum op op = (enum op)in->op;
	enum outcome out;

	if (op <= OP_CONTEXT_HAS) {
		out = push_op(rq, in, *sp);
		(*sp)++;
		return out;
	}
	switch (op) {
	case OP_SET:
		*sp -= in->c;
		out = make_set(rq, in->c, *sp);
		break;
	case OP_RECORD:
		*sp -= rq->snap->shapes.v[in->c]->n;
		out = make_record(rq, rq->snap->shapes.v[in->c], *sp);
		break;
	case OP_EXT:
		*sp -= in->c;
		out = call_op(rq, (enum ext_fn)in->a, *sp, in->c);
		break;
	case OP_ATTR:
	case OP_HAS:
	case OP_IS:
	case OP_LIKE:
	case OP_NOT:
	case OP_NEG:
	case OP_IS_EMPTY:
	case OP_BOOL:
		(*sp)--;
		out = unary_op(rq, in, *sp);
		break;
	default:
		*sp -= 2;
		out = binary_op(rq, op, *sp);
	}
	(*sp)++;
	return out;
}

enum outcome eval_conjunct(struct cedar_request *rq, uint32_t pc)
{
	const struct insn *code = rq->snap->code.v;
	struct cval *sp = rq->stack;
	enum outcome out;

	for (;; pc++) {
		const struct insn *in = &code[pc];

		rq->fail.pc = pc;
		switch ((enum op)in->op) {
		case OP_END:
			NEED(sp[-1], V_BIT(V_BOOL));
			return sp[-1].i ? OUT_TRUE : OUT_FALSE;
		case OP_AND:
		case OP_OR:
		case OP_UNLESS:
			NEED(sp[-1], V_BIT(V_BOOL));
			if (takes_jump((enum op)in->op, &sp))
				pc = in->c - 1;
			break;
		case OP_IS_ELSE:
			NEED(sp[-1], V_BIT(V_ENTITY));
			if (request_type(rq, sp[-1]) == in->c)
				pc++;
			else
				sp[-1] = cval_bool(false);
			break;
		case OP_JUMP:
			pc = in->c - 1;
			break;
		default:
			out = step(rq, in, &sp);
			if (out != OUT_TRUE)
				return out;
		}
	}
}
