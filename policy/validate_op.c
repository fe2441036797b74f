// SPDX-License-Identifier: Apache-2.0
/* Types of conditions, second half: operators that need all their operands. */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

static const struct typing none = { NULL, CAPS_NONE };

static struct typing just(enum type_kind kind)
{
	return (struct typing){ type_simple(kind), CAPS_NONE };
}

static struct typing typed(struct checker *c, const struct type *t)
{
	if (!t)
		c->r = -ENOMEM;
	return (struct typing){ t, CAPS_NONE };
}

struct typing type_unexpected(struct checker *c, const struct occ *at, const char *expected,
			      const struct type *t)
{
	finding(c, CEDAR_UNEXPECTED_TYPE, at->pos, NULL, "expected %s, found %s", expected,
	     type_words(c, t));
	return none;
}

static struct typing incompatible(struct checker *c, const struct occ *e, const struct type *a,
				  const struct type *b)
{
	finding(c, CEDAR_INCOMPATIBLE_TYPES, e->pos, NULL, "the types %s and %s are not compatible",
	     type_words(c, a), type_words(c, b));
	return none;
}

/* --- comparisons ------------------------------------------------------------------------------ */

static bool is_literal(const struct core *x)
{
	return x->op == CORE_BOOL || x->op == CORE_LONG || x->op == CORE_STRING ||
	       x->op == CORE_ENTITY || (x->op == CORE_VAR && x->num == AST_ACTION);
}

/* The action a node stands for, `action` being the one of the request. */
static uint32_t action_of(const struct checker *c, const struct core *x)
{
	if (x->op == CORE_VAR && x->num == AST_ACTION)
		return c->action;
	return x->op == CORE_ENTITY ? x->action : SCHEMA_NONE;
}

static bool literals_equal(const struct checker *c, const struct core *a, const struct core *b)
{
	uint32_t x = action_of(c, a);

	return a == b || (x != SCHEMA_NONE && x == action_of(c, b));
}

static bool disjoint(const struct type *a, const struct type *b)
{
	for (uint32_t i = 0; i < a->n; i++) {
		if (numbers_have(b->etypes, b->n, a->etypes[i]))
			return false;
	}
	return true;
}

static struct typing type_eq(struct checker *c, const struct occ *e, const struct type *a,
			     const struct type *b)
{
	const struct core *x = e->node->kid[0], *y = e->node->kid[1];
	const struct type *lub = NULL;
	int r;

	if (is_literal(x) && is_literal(y))
		return just(literals_equal(c, x, y) ? TYPE_TRUE : TYPE_FALSE);
	if (a->kind == TYPE_ENTITY && b->kind == TYPE_ENTITY && disjoint(a, b))
		return just(TYPE_FALSE);
	if (!c->strict)
		return just(TYPE_BOOL);
	r = type_lub(&c->types, true, a, b, &lub);
	if (r < 0)
		c->r = r;
	return lub ? just(TYPE_BOOL) : r < 0 ? none : incompatible(c, e, a, b);
}

static struct typing type_less(struct checker *c, const struct occ *e, const struct type *a,
			       const struct type *b)
{
	if (a->kind != TYPE_LONG && a->kind != TYPE_DATETIME && a->kind != TYPE_DURATION)
		return type_unexpected(c, e->kid[0], "Long, datetime or duration", a);
	if (b->kind != TYPE_LONG && b->kind != TYPE_DATETIME && b->kind != TYPE_DURATION)
		return type_unexpected(c, e->kid[1], "Long, datetime or duration", b);
	return a == b ? just(TYPE_BOOL) : incompatible(c, e, a, b);
}

/* --- in --------------------------------------------------------------------------------------- */

static bool may_be_in(const struct checker *c, const struct type *a, const struct type *b)
{
	for (uint32_t i = 0; i < a->n; i++) {
		for (uint32_t k = 0; k < b->n; k++) {
			if (schema_type_in(c->s, a->etypes[i], b->etypes[k]))
				return true;
		}
	}
	return false;
}

static bool is_entity_literal(const struct core *x)
{
	return x->op == CORE_ENTITY || (x->op == CORE_VAR && x->num == AST_ACTION);
}

/* Between actions the schema knows all groups. False when it cannot tell. */
static bool action_in(const struct checker *c, const struct core *a, const struct core *b,
		      bool *ret)
{
	uint32_t x = action_of(c, a), n = b->op == CORE_SET ? b->n : 1;

	if (x == SCHEMA_NONE)
		return false;
	*ret = false;
	for (uint32_t i = 0; i < n; i++) {
		const struct core *k = b->op == CORE_SET ? b->kid[i] : b;
		uint32_t y = action_of(c, k);

		if (!is_entity_literal(k))
			return false;
		if (y != SCHEMA_NONE && schema_action_in(c->s, x, y))
			*ret = true;
	}
	return true;
}

static struct typing type_in(struct checker *c, const struct occ *e, const struct type *a,
			     const struct type *b)
{
	const struct type *of = b->kind == TYPE_SET ? b->element : b;
	bool is;

	if (a->kind != TYPE_ENTITY)
		return type_unexpected(c, e->kid[0], "an entity", a);
	if (of->kind == TYPE_NEVER)
		return just(TYPE_FALSE);
	if (of->kind != TYPE_ENTITY)
		return type_unexpected(c, e->kid[1], "an entity or a set of entities", b);
	if (action_in(c, e->node->kid[0], e->node->kid[1], &is))
		return just(is ? TYPE_TRUE : TYPE_FALSE);
	return just(may_be_in(c, a, of) ? TYPE_BOOL : TYPE_FALSE);
}

static struct typing type_is(struct checker *c, const struct occ *e, const struct type *a)
{
	if (a->kind != TYPE_ENTITY)
		return type_unexpected(c, e->kid[0], "an entity", a);
	if (!numbers_have(a->etypes, a->n, e->node->etype))
		return just(TYPE_FALSE);
	return just(a->n == 1 ? TYPE_TRUE : TYPE_BOOL);
}

/* --- attributes ------------------------------------------------------------------------------- */

static cap_t attr_cap(struct checker *c, const struct core *of, struct span name)
{
	uint32_t sym = 0;

	if (c->r == 0)
		c->r = intern_add(&c->attrs, name, &sym);
	return (cap_t)of->id << 32 | (cap_t)sym << 1;
}

static cap_t tag_cap(const struct core *of, const struct core *tag)
{
	return (cap_t)of->id << 32 | (cap_t)tag->id << 1 | 1;
}

/* Bool, and where it is true, cap holds. */
static struct typing bool_with(struct checker *c, cap_t cap)
{
	uint32_t set = CAPS_NONE;

	if (!caps_done(c, caps_one(&c->caps, cap, &set)))
		return none;
	return (struct typing){ type_simple(TYPE_BOOL), set };
}

static bool has_fields(const struct type *t)
{
	return t->kind == TYPE_ENTITY || t->kind == TYPE_RECORD;
}

static const struct type *shape_of(const struct checker *c, const struct type *t, uint32_t i)
{
	return t->kind == TYPE_RECORD ? t : c->s->etypes.v[t->etypes[i]].shape;
}

static uint32_t shapes(const struct type *t)
{
	return t->kind == TYPE_RECORD ? 1 : t->n;
}

static struct typing type_has(struct checker *c, const struct occ *e, const struct type *a,
			      uint32_t caps)
{
	struct span name = e->node->str;
	const struct type_attr *attr = NULL;
	cap_t cap;

	if (!has_fields(a))
		return type_unexpected(c, e->kid[0], "an entity or a record", a);
	for (uint32_t i = 0; !attr && i < shapes(a); i++)
		attr = type_get(shape_of(c, a, i), name);
	if (!attr)
		return just(a->kind == TYPE_RECORD && a->open ? TYPE_BOOL : TYPE_FALSE);
	cap = attr_cap(c, e->node->kid[0], name);
	if ((a->kind == TYPE_RECORD && attr->required) || caps_have(&c->caps, caps, cap))
		return just(TYPE_TRUE);
	return bool_with(c, cap);
}

static struct typing no_attr(struct checker *c, const struct occ *e, const struct type *a)
{
	const struct type *shape = shape_of(c, a, 0);

	finding(c, CEDAR_UNKNOWN_ATTRIBUTE, e->pos, suggest_attr(c, shape, e->node->str),
	     "no attribute `%.*s` in %s", (int)e->node->str.n, e->node->str.p, type_words(c, a));
	return none;
}

static struct typing type_get_attr(struct checker *c, const struct occ *e, const struct type *a,
				   uint32_t caps)
{
	struct span name = e->node->str;
	const struct type *t = type_simple(TYPE_NEVER);
	bool required = true;

	if (!has_fields(a))
		return type_unexpected(c, e->kid[0], "an entity or a record", a);
	for (uint32_t i = 0; i < shapes(a); i++) {
		const struct type_attr *attr = type_get(shape_of(c, a, i), name);
		int r;

		if (!attr)
			return no_attr(c, e, a);
		r = type_lub(&c->types, c->strict, t, attr->type, &t);
		if (r < 0)
			c->r = r;
		if (r < 0 || !t)
			return r < 0 ? none : no_attr(c, e, a);
		required = required && attr->required;
	}
	if (!required && !caps_have(&c->caps, caps, attr_cap(c, e->node->kid[0], name))) {
		finding(c, CEDAR_OPTIONAL_ATTRIBUTE, e->pos, "test it with `has` before",
		     "the attribute `%.*s` of %s is optional and may not be there", (int)name.n,
		     name.p, type_words(c, a));
		return none;
	}
	return typed(c, t);
}

/* --- tags ------------------------------------------------------------------------------------- */

/* The type of tags; NULL when there are none, or (permissive) no common type. */
static const struct type *tags_of(struct checker *c, const struct type *a)
{
	const struct type *t = type_simple(TYPE_NEVER);

	for (uint32_t i = 0; t && i < a->n; i++) {
		const struct type *tags = c->s->etypes.v[a->etypes[i]].tags;
		int r = 0;

		if (!tags)
			return NULL;
		r = type_lub(&c->types, c->strict, t, tags, &t);
		if (r < 0)
			c->r = r;
		if (r < 0)
			return NULL;
	}
	return t;
}

static struct typing type_tag(struct checker *c, const struct occ *e, const struct type *a,
			      const struct type *b, uint32_t caps)
{
	cap_t cap = tag_cap(e->node->kid[0], e->node->kid[1]);
	bool known = caps_have(&c->caps, caps, cap);
	const struct type *tags;

	if (a->kind != TYPE_ENTITY)
		return type_unexpected(c, e->kid[0], "an entity", a);
	if (b->kind != TYPE_STRING)
		return type_unexpected(c, e->kid[1], "String", b);
	tags = tags_of(c, a);
	if (e->node->op == CORE_HAS_TAG && !tags)
		return just(TYPE_FALSE);
	if (e->node->op == CORE_HAS_TAG)
		return known ? just(TYPE_TRUE) : bool_with(c, cap);
	if (tags && known)
		return typed(c, tags);
	if (tags)
		finding(c, CEDAR_UNSAFE_TAG, e->pos, "test it with `hasTag` before",
		     "the tag may not be there, of %s", type_words(c, a));
	else
		finding(c, CEDAR_UNSAFE_TAG, e->pos, NULL, "%s has no tags", type_words(c, a));
	return none;
}

/* --- sets and records ------------------------------------------------------------------------- */

static struct typing type_contains(struct checker *c, const struct occ *e, const struct type *a,
				   const struct type *b)
{
	const struct type *lub = NULL;
	bool sets = e->node->op != CORE_CONTAINS;
	int r;

	if (a->kind != TYPE_SET)
		return type_unexpected(c, e->kid[0], "a set", a);
	if (sets && b->kind != TYPE_SET)
		return type_unexpected(c, e->kid[1], "a set", b);
	if (!c->strict)
		return just(TYPE_BOOL);
	r = type_lub(&c->types, true, a->element, sets ? b->element : b, &lub);
	if (r < 0)
		c->r = r;
	if (r < 0 || lub)
		return r < 0 ? none : just(TYPE_BOOL);
	return incompatible(c, e, sets ? a : a->element, b);
}

static struct typing type_set_of(struct checker *c, const struct occ *e,
				 const struct type *const *t)
{
	const struct type *all = type_simple(TYPE_NEVER), *lub;

	if (e->node->n == 0 && c->strict) {
		finding(c, CEDAR_EMPTY_SET, e->pos, "use `.isEmpty()` to ask whether a set is empty",
		     "an empty set has no type");
		return none;
	}
	for (uint32_t i = 0; i < e->node->n; i++) {
		int r = type_lub(&c->types, c->strict, all, t[i], &lub);

		if (r < 0)
			c->r = r;
		if (r < 0)
			return none;
		if (!lub)
			return incompatible(c, e->kid[i], all, t[i]);
		all = lub;
	}
	return typed(c, type_set(&c->types, all));
}

static struct typing type_record_of(struct checker *c, const struct occ *e,
				    const struct type *const *t)
{
	uint32_t n = e->node->n;
	struct type_attr *attrs = malloc((size_t)n * sizeof(*attrs) + 1);
	const struct type *rec;

	if (!attrs)
		return typed(c, NULL);
	for (uint32_t i = 0; i < n; i++)
		attrs[i] = (struct type_attr){ e->node->names[i], true, t[i] };
	rec = type_record(&c->types, attrs, n, false);
	free(attrs);
	return typed(c, rec);
}

/* --- all of them ------------------------------------------------------------------------------ */

static struct typing type_not(struct checker *c, const struct occ *e, const struct type *a)
{
	if (!type_is_bool(a))
		return type_unexpected(c, e->kid[0], "Bool", a);
	return just(a->kind == TYPE_TRUE    ? TYPE_FALSE
		    : a->kind == TYPE_FALSE ? TYPE_TRUE
					    : TYPE_BOOL);
}

/* All operands of one kind. */
static struct typing type_all(struct checker *c, const struct occ *e, const struct type *const *t,
			      enum type_kind want, enum type_kind ret)
{
	for (uint32_t i = 0; i < e->node->n; i++) {
		if (t[i]->kind != want)
			return type_unexpected(c, e->kid[i], type_words(c, type_simple(want)), t[i]);
	}
	return just(ret);
}

struct typing type_of_op(struct checker *c, const struct occ *e, const struct type *const *t,
			 uint32_t caps)
{
	switch (e->node->op) {
	case CORE_ENTITY: /* an unknown one was found before */
		return e->node->etype == SCHEMA_NONE
			       ? none
			       : typed(c, c->s->etypes.v[e->node->etype].type);
	case CORE_NOT:
		return type_not(c, e, t[0]);
	case CORE_NEG:
	case CORE_ADD:
	case CORE_SUB:
	case CORE_MUL:
		return type_all(c, e, t, TYPE_LONG, TYPE_LONG);
	case CORE_LIKE:
		return type_all(c, e, t, TYPE_STRING, TYPE_BOOL);
	case CORE_EQ:
		return type_eq(c, e, t[0], t[1]);
	case CORE_LT:
	case CORE_LE:
		return type_less(c, e, t[0], t[1]);
	case CORE_IN:
		return type_in(c, e, t[0], t[1]);
	case CORE_IS:
		return type_is(c, e, t[0]);
	case CORE_HAS:
		return type_has(c, e, t[0], caps);
	case CORE_GET:
		return type_get_attr(c, e, t[0], caps);
	case CORE_CONTAINS:
	case CORE_CONTAINS_ALL:
	case CORE_CONTAINS_ANY:
		return type_contains(c, e, t[0], t[1]);
	case CORE_IS_EMPTY:
		return t[0]->kind == TYPE_SET ? just(TYPE_BOOL)
					      : type_unexpected(c, e->kid[0], "a set", t[0]);
	case CORE_HAS_TAG:
	case CORE_GET_TAG:
		return type_tag(c, e, t[0], t[1], caps);
	case CORE_SET:
		return type_set_of(c, e, t);
	case CORE_RECORD:
		return type_record_of(c, e, t);
	case CORE_CALL:
		return type_call(c, e, t);
	default: /* logic and leaves are not typed here */
		return none;
	}
}
