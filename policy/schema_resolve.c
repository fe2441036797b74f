// SPDX-License-Identifier: Apache-2.0
/*
 * What the names in a schema mean. A bare name is looked for in its own namespace, then outside all
 * of them, then among the builtin types; in each place a common type comes before an entity type. A
 * name with `::` is complete.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/schema.h"
#include "policy/text.h"
#include "policy/value.h"

#define SHOWN_MAX 80 /* bytes of a name in a message */

static const struct {
	const char *name;
	enum type_kind kind;
	bool extension;
} builtins[] = {
	{ "Bool", TYPE_BOOL, false },	      { "Long", TYPE_LONG, false },
	{ "String", TYPE_STRING, false },     { "ipaddr", TYPE_IPADDR, true },
	{ "decimal", TYPE_DECIMAL, true },    { "datetime", TYPE_DATETIME, true },
	{ "duration", TYPE_DURATION, true },
};

static const struct type *builtin(struct span name, bool extension_only)
{
	for (size_t i = 0; i < ARRAY_SIZE(builtins); i++) {
		if (span_is(name, builtins[i].name) &&
		    (builtins[i].extension || !extension_only))
			return type_simple(builtins[i].kind);
	}
	return NULL;
}

static bool is_qualified(struct span name)
{
	return memchr(name.p, ':', name.n) != NULL;
}

/* "SPACE::NAME" in the schema's memory. */
static struct span join(struct cedar_schema *s, struct span space, struct span name)
{
	char *p = arena_alloc(&s->mem, space.n + 2 + name.n);

	if (!p)
		return (struct span){ NULL, 0 };
	if (space.n == 0) {
		memcpy(p, name.p, name.n);
		return (struct span){ p, name.n };
	}
	memcpy(p, space.p, space.n);
	memcpy(p + space.n, "::", 2);
	memcpy(p + space.n + 2, name.p, name.n);
	return (struct span){ p, space.n + 2 + name.n };
}

uint32_t schema_find_in(const struct intern *in, struct span space, struct span name)
{
	char buf[256], *p = buf;
	size_t n = space.n + 2 + name.n;
	uint32_t found;

	if (space.n == 0)
		return intern_find(in, name);
	if (n > sizeof(buf) && !(p = malloc(n)))
		return SYM_NONE;
	memcpy(p, space.p, space.n);
	memcpy(p + space.n, "::", 2);
	memcpy(p + space.n + 2, name.p, name.n);
	found = intern_find(in, (struct span){ p, n });
	if (p != buf)
		free(p);
	return found;
}

uint32_t schema_entity_named(const struct cedar_schema *s, struct span space, struct span name)
{
	uint32_t found = SYM_NONE;

	if (!is_qualified(name))
		found = schema_find_in(&s->names, space, name);
	return found == SYM_NONE ? intern_find(&s->names, name) : found;
}

/* --- types ------------------------------------------------------------------------------------ */

static const struct type *fail(struct cedar_schema *s, struct cedar_errors *errors, uint32_t pos,
			       const char *what, struct span name)
{
	error_add(errors, &s->text, pos, "%s `%.*s`", what,
		  (int)(name.n > SHOWN_MAX ? SHOWN_MAX : name.n), name.p);
	return NULL;
}

static const struct type *no_memory(int *r)
{
	*r = -ENOMEM;
	return NULL;
}

static const struct type *common_type(struct cedar_schema *s, uint32_t i,
				      struct cedar_errors *errors, int *r)
{
	struct decl_common *c = s->commons.v[i].decl;

	if (c->busy)
		return fail(s, errors, c->name.pos, "the type is defined by itself:", c->name.s);
	if (!c->resolved) {
		c->busy = true;
		c->resolved = schema_type(s, s->commons.v[i].space, &c->type, errors, r);
		c->busy = false;
	}
	return c->resolved;
}

/* What a name without further word means. entities: entity types are meant too. */
static const struct type *named_type(struct cedar_schema *s, const struct decl_space *ds,
				     const struct decl_type *t, bool entities,
				     struct cedar_errors *errors, int *r)
{
	static const char own[] = "__cedar::";
	bool qualified = is_qualified(t->name);
	const struct type *b = NULL;
	uint32_t i;

	for (int outer = qualified; outer < 2; outer++) {
		struct span space = outer ? SPAN("") : ds->name.s;

		i = schema_find_in(&s->common_names, space, t->name);
		if (i != SYM_NONE)
			return common_type(s, i, errors, r);
		i = entities ? schema_find_in(&s->names, space, t->name) : SYM_NONE;
		if (i != SYM_NONE)
			return s->etypes.v[i].type;
	}
	if (!qualified)
		b = builtin(t->name, false);
	else if (t->name.n >= sizeof(own) && memcmp(t->name.p, own, sizeof(own) - 1) == 0)
		b = builtin((struct span){ t->name.p + sizeof(own) - 1,
					   t->name.n - (sizeof(own) - 1) }, false);
	return b ? b
		 : fail(s, errors, t->pos,
			entities ? "no entity type, type or builtin is called" : "no type is called",
			t->name);
}

static const struct type *record_type(struct cedar_schema *s, const struct decl_space *ds,
				      const struct decl_type *t, struct cedar_errors *errors,
				      int *r)
{
	struct type_attr *attrs = malloc((size_t)t->n * sizeof(*attrs) + 1);
	const struct type *rec = NULL;
	bool ok = true;

	if (!attrs)
		return no_memory(r);
	for (uint32_t i = 0; ok && i < t->n; i++) {
		attrs[i].name = t->attrs[i].name;
		attrs[i].required = !t->attrs[i].optional;
		attrs[i].type = schema_type(s, ds, &t->attrs[i].type, errors, r);
		ok = attrs[i].type != NULL;
	}
	if (ok) {
		heap_sort(attrs, t->n, sizeof(*attrs), type_attr_cmp);
		rec = type_record(&s->types, attrs, t->n, false);
		if (!rec)
			no_memory(r);
	}
	free(attrs);
	return rec;
}

static const struct type *type_of(struct cedar_schema *s, const struct decl_space *ds,
				  const struct decl_type *t, struct cedar_errors *errors, int *r)
{
	const struct type *x;
	uint32_t i;

	switch (t->kind) {
	case DECL_STRING:
		return type_simple(TYPE_STRING);
	case DECL_LONG:
		return type_simple(TYPE_LONG);
	case DECL_BOOL:
		return type_simple(TYPE_BOOL);
	case DECL_SET:
		x = schema_type(s, ds, t->element, errors, r);
		if (x) {
			x = type_set(&s->types, x);
			return x ? x : no_memory(r);
		}
		return NULL;
	case DECL_RECORD:
		return record_type(s, ds, t, errors, r);
	case DECL_EXTENSION:
		x = builtin(t->name, true);
		return x ? x : fail(s, errors, t->pos, "no extension type is called", t->name);
	case DECL_ENTITY:
		i = schema_entity_named(s, ds->name.s, t->name);
		return i == SYM_NONE ? fail(s, errors, t->pos, "no entity type is called", t->name)
				     : s->etypes.v[i].type;
	case DECL_COMMON:
		return named_type(s, ds, t, false, errors, r);
	case DECL_NAME:
		break;
	}
	return named_type(s, ds, t, true, errors, r);
}

const struct type *schema_type(struct cedar_schema *s, const struct decl_space *ds,
			       const struct decl_type *t, struct cedar_errors *errors, int *r)
{
	const struct type *x = NULL;

	if (s->depth < CEDAR_SCHEMA_NESTING_MAX) {
		s->depth++;
		x = type_of(s, ds, t, errors, r);
		s->depth--;
		if (!x || (x->depth < CEDAR_SCHEMA_NESTING_MAX && x->size <= CEDAR_SCHEMA_TYPES_MAX))
			return x;
	}
	error_add(errors, &s->text, t->pos, "the type is nested too deep or too large");
	return NULL;
}

/* --- entity types ----------------------------------------------------------------------------- */

static int name_commons(struct cedar_schema *s, struct decl_space *ds)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < ds->commons.n; i++) {
		struct span name = join(s, ds->name.s, ds->commons.v[i].name.s);
		struct schema_common c = { &ds->commons.v[i], ds };
		uint32_t sym;

		r = name.p ? intern_add(&s->common_names, name, &sym) : -ENOMEM;
		if (r == 0)
			r = vec_push(&s->commons, c);
	}
	return r;
}

/* Entity types are numbered in the order of declaration; those of actions come behind them all. */
static int name_entities(struct cedar_schema *s, struct decl_space *ds, bool actions)
{
	uint32_t n = actions ? ds->actions.n > 0 : ds->entities.n, sym;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		struct span name = actions ? SPAN("Action") : ds->entities.v[i].name.s;
		struct schema_etype t = { .name = join(s, ds->name.s, name), .action = actions };

		t.shape = type_record(&s->types, NULL, 0, false);
		t.type = type_entity(&s->types, s->etypes.n);
		r = t.name.p && t.shape && t.type ? intern_add(&s->names, t.name, &sym) : -ENOMEM;
		if (r == 0)
			r = vec_push(&s->etypes, t);
	}
	return r;
}

static int span_order(const void *a, const void *b)
{
	return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static int resolve_ids(struct cedar_schema *s, const struct decl_entity *e, struct schema_etype *t)
{
	t->enumerated = true;
	t->n_ids = e->ids.n;
	t->ids = arena_array(&s->mem, e->ids.n, sizeof(*t->ids));
	if (!t->ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->ids.n; i++)
		t->ids[i] = e->ids.v[i].s;
	heap_sort(t->ids, t->n_ids, sizeof(*t->ids), span_order);
	return 0;
}

static int resolve_parents(struct cedar_schema *s, const struct decl_space *ds,
			   const struct decl_entity *e, struct schema_etype *t,
			   struct cedar_errors *errors)
{
	t->parents = arena_array(&s->mem, e->parents.n, sizeof(*t->parents));
	if (!t->parents)
		return -ENOMEM;
	for (uint32_t i = 0; i < e->parents.n; i++) {
		struct decl_name p = e->parents.v[i];
		uint32_t n = schema_entity_named(s, ds->name.s, p.s);

		if (n == SYM_NONE || s->etypes.v[n].action)
			fail(s, errors, p.pos, "no entity type is called", p.s);
		else
			t->parents[t->n_parents++] = n;
	}
	t->n_parents = numbers_sort(t->parents, t->n_parents);
	return 0;
}

static int resolve_entity(struct cedar_schema *s, const struct decl_space *ds,
			  const struct decl_entity *e, struct schema_etype *t,
			  struct cedar_errors *errors)
{
	const struct type *x;
	int r = 0;

	if (e->enumerated)
		return resolve_ids(s, e, t);
	if (e->has_shape) {
		x = schema_type(s, ds, &e->shape, errors, &r);
		if (x && x->kind != TYPE_RECORD)
			fail(s, errors, e->shape.pos, "the attributes must be a record, of entity type",
			     e->name.s);
		else if (x)
			t->shape = x;
	}
	if (r == 0 && e->has_tags)
		t->tags = schema_type(s, ds, &e->tags, errors, &r);
	return r < 0 ? r : resolve_parents(s, ds, e, t, errors);
}

static int close_types(struct cedar_schema *s, struct cedar_errors *errors)
{
	uint32_t n = s->etypes.n;
	struct closure_node *node = calloc((size_t)n + 1, sizeof(*node));
	int r;

	if (!node)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		node[i].parents = s->etypes.v[i].parents;
		node[i].n_parents = s->etypes.v[i].n_parents;
	}
	r = schema_closure(&s->mem, node, n);
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		s->etypes.v[i].ancestors = node[i].reach;
		s->etypes.v[i].n_ancestors = node[i].n_reach;
	}
	free(node);
	if (r == -E2BIG)
		error_add(errors, NULL, 0, "the entity types have too many ancestors");
	return r;
}

static int resolve_entities(struct cedar_schema *s, struct cedar_errors *errors)
{
	uint32_t at = 0;
	int r = 0;

	for (uint32_t k = 0; k < s->spaces.n; k++) {
		const struct decl_space *ds = &s->spaces.v[k];

		for (uint32_t i = 0; r == 0 && i < ds->entities.n; i++, at++)
			r = resolve_entity(s, ds, &ds->entities.v[i], &s->etypes.v[at], errors);
	}
	return r;
}

static int check_commons(struct cedar_schema *s, struct cedar_errors *errors)
{
	int r = 0;

	/* What is used nowhere must hold too. */
	for (uint32_t i = 0; r == 0 && i < s->commons.n && errors->n < CEDAR_ERRORS_MAX; i++)
		common_type(s, i, errors, &r);
	return r;
}

int schema_resolve(struct cedar_schema *s, struct cedar_errors *errors)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->spaces.n; i++)
		r = name_commons(s, &s->spaces.v[i]);
	for (uint32_t i = 0; r == 0 && i < s->spaces.n; i++)
		r = name_entities(s, &s->spaces.v[i], false);
	s->n_declared = s->etypes.n;
	for (uint32_t i = 0; r == 0 && i < s->spaces.n; i++)
		r = name_entities(s, &s->spaces.v[i], true);
	if (r == 0)
		r = check_commons(s, errors);
	if (r == 0 && errors->total == 0)
		r = resolve_entities(s, errors);
	if (r == 0 && errors->total == 0)
		r = close_types(s, errors);
	return r < 0 ? r : errors->total ? -EINVAL : 0;
}
