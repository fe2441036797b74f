// SPDX-License-Identifier: Apache-2.0
/* A schema as written, in Cedar's syntax. What only JSON can say is refused, not approximated. */
#include <errno.h>

#include "policy/schema.h"
#include "policy/text.h"

struct printer {
	const struct cedar_schema *s;
	const struct decl_space *space;
	struct cedar_error *error;
	struct buf *out;
	unsigned indent;
	int r;
};

static void put(struct printer *p, const char *s)
{
	if (p->r == 0)
		p->r = buf_append_str(p->out, s);
}

static void put_span(struct printer *p, struct span s)
{
	if (p->r == 0)
		p->r = buf_append(p->out, s.p, s.n);
}

static void put_line(struct printer *p)
{
	put(p, "\n");
	for (unsigned i = 0; i < p->indent; i++)
		put(p, "  ");
}

static void put_string(struct printer *p, struct span s)
{
	put(p, "\"");
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\') {
			put(p, "\\");
			put_span(p, (struct span){ s.p + i, 1 });
		} else if (c >= 0x20 && c != 0x7f) {
			put_span(p, (struct span){ s.p + i, 1 });
		} else if (p->r == 0) {
			p->r = buf_printf(p->out, "\\u{%x}", c);
		}
	}
	put(p, "\"");
}

/* A name where an identifier or a string may stand. */
static void put_word(struct printer *p, struct span s)
{
	if (is_identifier(s) && !is_reserved(s))
		put_span(p, s);
	else
		put_string(p, s);
}

static void put_annotations(struct printer *p, const struct schema_annotations *notes)
{
	for (uint32_t i = 0; i < notes->n; i++) {
		put(p, "@");
		put_span(p, notes->v[i].key);
		if (notes->v[i].value.p) {
			put(p, "(");
			put_string(p, notes->v[i].value);
			put(p, ")");
		}
		put_line(p);
	}
}

/* --- types ------------------------------------------------------------------------------------ */

/* Whether a name would be read as a common type though an entity type is meant. */
static bool hides_entity(const struct printer *p, struct span name)
{
	if (!memchr(name.p, ':', name.n)) {
		if (schema_find_in(&p->s->common_names, p->space->name.s, name) != SYM_NONE)
			return true;
		if (schema_find_in(&p->s->names, p->space->name.s, name) != SYM_NONE)
			return false;
	}
	return intern_find(&p->s->common_names, name) != SYM_NONE;
}

static void put_builtin(struct printer *p, struct span name)
{
	put(p, "__cedar::");
	put_span(p, name);
}

static void put_type(struct printer *p, const struct decl_type *t);

static void put_record(struct printer *p, const struct decl_type *t)
{
	put(p, "{");
	p->indent++;
	for (uint32_t i = 0; i < t->n; i++) {
		put_line(p);
		put_annotations(p, &t->attrs[i].annotations);
		put_word(p, t->attrs[i].name);
		put(p, t->attrs[i].optional ? "?: " : ": ");
		put_type(p, &t->attrs[i].type);
		if (i + 1 < t->n)
			put(p, ",");
	}
	p->indent--;
	if (t->n)
		put_line(p);
	put(p, "}");
}

static void put_type(struct printer *p, const struct decl_type *t)
{
	switch (t->kind) {
	case DECL_STRING:
		put_builtin(p, SPAN("String"));
		break;
	case DECL_LONG:
		put_builtin(p, SPAN("Long"));
		break;
	case DECL_BOOL:
		put_builtin(p, SPAN("Bool"));
		break;
	case DECL_EXTENSION:
		put_builtin(p, t->name);
		break;
	case DECL_SET:
		put(p, "Set<");
		put_type(p, t->element);
		put(p, ">");
		break;
	case DECL_RECORD:
		put_record(p, t);
		break;
	case DECL_ENTITY:
		if (hides_entity(p, t->name) && p->r == 0)
			p->r = error_set(p->error, &p->s->text, t->pos,
					 "the Cedar syntax cannot name this entity type: a common "
					 "type is called the same");
		put_span(p, t->name);
		break;
	case DECL_NAME:
	case DECL_COMMON:
		put_span(p, t->name);
		break;
	}
}

/* --- declarations ----------------------------------------------------------------------------- */

static void put_names(struct printer *p, const struct decl_names *names)
{
	put(p, "[");
	for (uint32_t i = 0; i < names->n; i++) {
		put(p, i ? ", " : "");
		put_span(p, names->v[i].s);
	}
	put(p, "]");
}

static void put_entity(struct printer *p, const struct decl_entity *e)
{
	put_annotations(p, &e->annotations);
	put(p, "entity ");
	put_span(p, e->name.s);
	if (e->enumerated) {
		put(p, " enum [");
		for (uint32_t i = 0; i < e->ids.n; i++) {
			put(p, i ? ", " : "");
			put_string(p, e->ids.v[i].s);
		}
		put(p, "]");
	}
	if (e->parents.n) {
		put(p, " in ");
		put_names(p, &e->parents);
	}
	if (e->has_shape) {
		if (e->shape.kind != DECL_RECORD && p->r == 0)
			p->r = error_set(p->error, &p->s->text, e->shape.pos,
					 "the Cedar syntax needs the attributes of an entity type in "
					 "place, not the name of a type");
		put(p, " = ");
		put_type(p, &e->shape);
	}
	if (e->has_tags) {
		put(p, " tags ");
		put_type(p, &e->tags);
	}
	put(p, ";");
}

static void put_applies(struct printer *p, const struct decl_action *a)
{
	put(p, " appliesTo {");
	p->indent++;
	put_line(p);
	put(p, "principal: ");
	put_names(p, &a->principals);
	put(p, ",");
	put_line(p);
	put(p, "resource: ");
	put_names(p, &a->resources);
	if (a->has_context) {
		put(p, ",");
		put_line(p);
		put(p, "context: ");
		put_type(p, &a->context);
	}
	p->indent--;
	put_line(p);
	put(p, "}");
}

static void put_action(struct printer *p, const struct decl_action *a)
{
	put_annotations(p, &a->annotations);
	put(p, "action ");
	put_word(p, a->name.s);
	for (uint32_t i = 0; i < a->n_parents; i++) {
		put(p, i ? ", " : " in [");
		if (a->parents[i].type.p) {
			put_span(p, a->parents[i].type);
			put(p, "::");
			put_string(p, a->parents[i].id);
		} else {
			put_word(p, a->parents[i].id);
		}
	}
	put(p, a->n_parents ? "]" : "");
	/* One without the other applies to nothing either, and cannot be said. */
	if (a->principals.n && a->resources.n)
		put_applies(p, a);
	put(p, ";");
}

static void put_common(struct printer *p, const struct decl_common *c)
{
	put_annotations(p, &c->annotations);
	put(p, "type ");
	put_span(p, c->name.s);
	put(p, " = ");
	put_type(p, &c->type);
	put(p, ";");
}

static void put_space(struct printer *p, const struct decl_space *ds)
{
	bool named = ds->name.s.n > 0;

	p->space = ds;
	if (named) {
		put_annotations(p, &ds->annotations);
		put(p, "namespace ");
		put_span(p, ds->name.s);
		put(p, " {");
		p->indent++;
		put_line(p);
	}
	for (uint32_t i = 0; i < ds->commons.n; i++) {
		put_common(p, &ds->commons.v[i]);
		put_line(p);
	}
	for (uint32_t i = 0; i < ds->entities.n; i++) {
		put_entity(p, &ds->entities.v[i]);
		put_line(p);
	}
	for (uint32_t i = 0; i < ds->actions.n; i++) {
		put_action(p, &ds->actions.v[i]);
		put_line(p);
	}
	if (named) {
		p->indent--;
		put(p, "}\n");
	}
}

int schema_print(const struct cedar_schema *s, struct cedar_error *error, struct buf *out)
{
	struct printer p = { .s = s, .error = error, .out = out };

	for (uint32_t i = 0; i < s->spaces.n; i++)
		put_space(&p, &s->spaces.v[i]);
	return p.r;
}
