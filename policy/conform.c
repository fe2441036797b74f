// SPDX-License-Identifier: Apache-2.0
/* Values, entities and entity stores against a schema. Recursion is bounded by the depth of types. */
#include "policy/conform.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "policy/snapshot.h"
#include "policy/text.h"

/* Where in a value: of is what holds it; a set has no name. */
struct place {
	const struct place *of;
	struct span name;
};

static bool refuse(struct conform *cf, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static size_t put_place(char *out, size_t n, const struct place *at)
{
	size_t used = at->of ? put_place(out, n, at->of) : 0;
	int more;

	if (used >= n)
		return used;
	if (!at->of)
		more = snprintf(out + used, n - used, "%.*s", (int)at->name.n, at->name.p);
	else if (!at->name.p)
		more = snprintf(out + used, n - used, "[]");
	else
		more = snprintf(out + used, n - used, "%s%.*s", at->of->of ? "." : " ",
				(int)at->name.n, at->name.p);
	return used + (more > 0 ? (size_t)more : 0);
}

static bool refuse(struct conform *cf, const struct place *at, const char *fmt, ...)
{
	size_t n = sizeof(cf->fault), used = put_place(cf->fault, n / 2, at);
	va_list ap;

	if (used >= n / 2)
		used = n / 2 - 1;
	used += (size_t)snprintf(cf->fault + used, n - used, ": ");
	va_start(ap, fmt);
	vsnprintf(cf->fault + used, n - used, fmt, ap);
	va_end(ap);
	message_clean(cf->fault);
	return false;
}

/* --- names ------------------------------------------------------------------------------------ */

struct cedar_uid conform_name(const struct cedar_snapshot *snap, struct cval v)
{
	const struct centity *e;

	if (v.n == ENTITY_UNKNOWN)
		return *v.uid;
	e = &snap->entities.e.v[v.n];
	return (struct cedar_uid){ snap->names.names.v[e->type], e->id };
}

static bool check_uid(struct conform *cf, const struct place *at, struct cedar_uid uid)
{
	uint32_t t = schema_find_type(cf->s, uid.type);
	const struct schema_etype *type;

	if (t == SCHEMA_NONE)
		return refuse(cf, at, "the schema has no entity type `%.*s`", (int)uid.type.n,
			      uid.type.p);
	type = &cf->s->etypes.v[t];
	if (type->action && schema_find_action(cf->s, uid.type, uid.id) == SCHEMA_NONE)
		return refuse(cf, at, "the schema has no action `%.*s`", (int)uid.id.n, uid.id.p);
	if (type->enumerated && !schema_enum_has(type, uid.id))
		return refuse(cf, at, "`%.*s` is not among the ids of `%.*s`", (int)uid.id.n,
			      uid.id.p, (int)uid.type.n, uid.type.p);
	return true;
}

bool conform_uid(struct conform *cf, struct cedar_uid uid)
{
	struct place at = { NULL, uid.type };

	return check_uid(cf, &at, uid);
}

/* --- values ----------------------------------------------------------------------------------- */

static const enum cval_tag tags[] = {
	[TYPE_BOOL] = V_BOOL,	      [TYPE_LONG] = V_LONG,	    [TYPE_STRING] = V_STRING,
	[TYPE_DECIMAL] = V_DECIMAL,   [TYPE_IPADDR] = V_IP,	    [TYPE_DATETIME] = V_DATETIME,
	[TYPE_DURATION] = V_DURATION, [TYPE_SET] = V_SET,	    [TYPE_ENTITY] = V_ENTITY,
	[TYPE_RECORD] = V_RECORD,
};

static bool check_value(struct conform *cf, const struct place *at, struct cval v,
			const struct type *t);

/* Names the first attribute that is required and not there. */
static bool lacks(struct conform *cf, const struct place *at, const struct crecord *rec,
		  const struct type *t)
{
	for (uint32_t i = 0; i < t->n; i++) {
		bool there = !t->attrs[i].required;

		for (uint32_t k = 0; !there && k < rec->n; k++)
			there = span_eq((struct span){ rec->m[k].name, rec->m[k].n },
					t->attrs[i].name);
		if (!there)
			return refuse(cf, at, "lacks `%.*s`", (int)t->attrs[i].name.n,
				      t->attrs[i].name.p);
	}
	return true;
}

static bool check_record(struct conform *cf, const struct place *at, const struct crecord *rec,
			 const struct type *t)
{
	uint32_t required = 0, wanted = 0;

	for (uint32_t i = 0; i < rec->n; i++) {
		struct span name = { rec->m[i].name, rec->m[i].n };
		const struct type_attr *attr = type_get(t, name);
		struct place in = { at, name };

		if (!attr)
			return refuse(cf, &in, "the schema does not declare it");
		if (!check_value(cf, &in, rec->m[i].v, attr->type))
			return false;
		required += attr->required;
	}
	for (uint32_t i = 0; i < t->n; i++)
		wanted += t->attrs[i].required;
	return required == wanted || lacks(cf, at, rec, t);
}

static bool check_entity(struct conform *cf, const struct place *at, struct cval v,
			 const struct type *t)
{
	struct cedar_uid uid = conform_name(cf->snap, v);
	struct span want = cf->s->etypes.v[t->etypes[0]].name;

	if (!span_eq(uid.type, want))
		return refuse(cf, at, "expected an entity of type `%.*s`, found one of `%.*s`",
			      (int)want.n, want.p, (int)uid.type.n, uid.type.p);
	return check_uid(cf, at, uid);
}

static bool check_value(struct conform *cf, const struct place *at, struct cval v,
			const struct type *t)
{
	struct place in = { at, { NULL, 0 } };

	if (v.tag == V_UNKNOWN)
		return true;
	if (v.tag != tags[t->kind])
		return refuse(cf, at, "expected %s, found %s", cval_type_name(tags[t->kind]),
			      cval_type_name(v.tag));
	if (t->kind == TYPE_RECORD)
		return check_record(cf, at, v.record, t);
	if (t->kind == TYPE_ENTITY)
		return check_entity(cf, at, v, t);
	for (uint32_t i = 0; t->kind == TYPE_SET && i < v.set->n; i++) {
		if (!check_value(cf, &in, v.set->v[i], t->element))
			return false;
	}
	return true;
}

bool conform_value(struct conform *cf, const char *what, struct cval v, const struct type *t)
{
	struct place at = { NULL, span_of(what) };

	return check_value(cf, &at, v, t);
}

/* --- entities --------------------------------------------------------------------------------- */

static const struct crecord *or_empty(const struct crecord *rec)
{
	static const struct crecord empty = { 0 };

	return rec ? rec : &empty;
}

static bool check_parents(struct conform *cf, const struct place *at,
			  const struct cedar_entities *es, const struct sentity *e, uint32_t type)
{
	for (uint32_t i = 0; i < e->n_parents; i++) {
		struct cedar_uid p = es->parents.v[e->parent + i];
		uint32_t t = schema_find_type(cf->s, p.type);

		if (!check_uid(cf, at, p))
			return false;
		if (!numbers_have(cf->s->etypes.v[type].ancestors,
				  cf->s->etypes.v[type].n_ancestors, t))
			return refuse(cf, at, "the schema does not let it be in a `%.*s`",
				      (int)p.type.n, p.type.p);
	}
	return true;
}

static bool check_tags(struct conform *cf, const struct place *at, const struct crecord *given,
		       const struct type *t)
{
	for (uint32_t i = 0; i < given->n; i++) {
		struct place in = { at, { given->m[i].name, given->m[i].n } };

		if (!t)
			return refuse(cf, &in, "its type has no tags");
		if (!check_value(cf, &in, given->m[i].v, t))
			return false;
	}
	return true;
}

/* The groups it is told to be in must be, all together, those of the schema. */
static bool check_action(struct conform *cf, const struct place *at,
			 const struct cedar_entities *es, const struct sentity *e)
{
	uint32_t n = schema_find_action(cf->s, e->uid.type, e->uid.id), found = 0;
	const struct schema_action *a = &cf->s->actions.v[n];

	for (uint32_t i = 0; i < e->n_parents; i++) {
		struct cedar_uid p = es->parents.v[e->parent + i];
		uint32_t k = schema_find_action(cf->s, p.type, p.id);

		if (k == SCHEMA_NONE || !numbers_have(a->ancestors, a->n_ancestors, k))
			return refuse(cf, at, "the schema does not have it in `%.*s`", (int)p.id.n,
				      p.id.p);
	}
	for (uint32_t i = 0; i < a->n_parents; i++) {
		const struct schema_action *p = &cf->s->actions.v[a->parents[i]];
		struct span type = cf->s->etypes.v[p->etype].name;

		for (uint32_t k = 0; k < e->n_parents; k++) {
			struct cedar_uid x = es->parents.v[e->parent + k];

			if (span_eq(x.id, p->id) && span_eq(x.type, type)) {
				found++;
				break;
			}
		}
	}
	if (found < a->n_parents)
		return refuse(cf, at, "the schema has it in more groups");
	if (or_empty(e->attrs)->n || or_empty(e->tags)->n)
		return refuse(cf, at, "an action has neither attributes nor tags");
	return true;
}

bool conform_entity(struct conform *cf, const struct cedar_entities *es, const struct sentity *e)
{
	struct place at = { NULL, e->uid.id };
	const struct schema_etype *type;
	struct cval attrs = { .tag = V_RECORD, .record = or_empty(e->attrs) };
	uint32_t t;

	if (!check_uid(cf, &at, e->uid))
		return false;
	t = schema_find_type(cf->s, e->uid.type);
	type = &cf->s->etypes.v[t];
	if (type->action)
		return check_action(cf, &at, es, e);
	return check_value(cf, &at, attrs, type->shape) &&
	       check_tags(cf, &at, or_empty(e->tags), type->tags) &&
	       check_parents(cf, &at, es, e, t);
}

int cedar_entities_validate(const struct cedar_schema *s, const struct cedar_entities *es,
			    struct cedar_error *error)
{
	struct conform cf = { .s = s };

	*error = (struct cedar_error){ 0 };
	for (uint32_t i = 0; i < es->e.n; i++) {
		const struct sentity *e = &es->e.v[i];

		if (!conform_entity(&cf, es, e))
			return error_set(error, NULL, 0, "entity %.*s::%s",
					 (int)(e->uid.type.n > 80 ? 80 : e->uid.type.n),
					 e->uid.type.p, cf.fault);
	}
	return 0;
}

/* --- the action entities ---------------------------------------------------------------------- */

static int add_action(const struct cedar_schema *s, struct cedar_entities *es,
		      const struct schema_action *a)
{
	int r = cedar_entities_begin(es, s->etypes.v[a->etype].name, a->id);

	for (uint32_t i = 0; r == 0 && i < a->n_parents; i++) {
		const struct schema_action *p = &s->actions.v[a->parents[i]];

		r = cedar_entities_parent(es, s->etypes.v[p->etype].name, p->id);
	}
	return r;
}

int cedar_schema_entities(const struct cedar_schema *s, struct cedar_entities *es)
{
	bool *told = calloc((size_t)s->actions.n + 1, sizeof(*told));
	int r = told ? 0 : -ENOMEM;

	for (uint32_t i = 0; told && i < es->e.n; i++) {
		uint32_t a = name_is_action(es->e.v[i].uid.type)
				     ? schema_find_action(s, es->e.v[i].uid.type, es->e.v[i].uid.id)
				     : SCHEMA_NONE;

		if (a != SCHEMA_NONE)
			told[a] = true;
	}
	for (uint32_t i = 0; r == 0 && i < s->actions.n; i++) {
		if (!told[i])
			r = add_action(s, es, &s->actions.v[i]);
	}
	free(told);
	return r;
}
