// SPDX-License-Identifier: Apache-2.0
/*
 * Policies from JSON: the object of a policy, its scope and conditions. Strict: a key that is not
 * known, or one that is missing, is an error, since it may have meant a restriction.
 */
#include "policy/est.h"
#include "policy/parse_node.h"
#include "policy/print.h"

#define SHOWN_MAX 60 /* bytes of a key in a message */

/* --- objects ---------------------------------------------------------------------------------- */

static bool is_known(struct span key, const char *const *names)
{
	for (; *names; names++) {
		if (span_is(key, *names))
			return true;
	}
	return false;
}

bool est_members(struct parser *ps, const struct json *v, const char *const *names)
{
	if (v->kind != JSON_OBJECT)
		return parser_fail(ps, v->pos, "expected an object");
	for (uint32_t i = 0; i < v->n; i++) {
		if (!is_known(v->key[i], names))
			return parser_fail(
				ps, v->kid[i].pos, "the key `%.*s` is not known here",
				(int)(v->key[i].n > SHOWN_MAX ? SHOWN_MAX : v->key[i].n),
				v->key[i].p);
	}
	return true;
}

const struct json *est_member(struct parser *ps, const struct json *v, const char *name)
{
	const struct json *m = json_get(v, name);

	if (!m)
		parser_fail(ps, v->pos, "the key `%s` is missing", name);
	return m;
}

bool est_string(struct parser *ps, const struct json *v, const char *what, struct span *ret)
{
	if (!v)
		return false;
	if (v->kind != JSON_STRING)
		return parser_fail(ps, v->pos, "%s is a string", what);
	*ret = arena_copy(ps->mem, v->str);
	return ret->p || parser_no_memory(ps);
}

bool est_type(struct parser *ps, const struct json *v, struct span *ret)
{
	if (!est_string(ps, v, "an entity type", ret))
		return false;
	return is_normal_name(*ret) ||
	       parser_fail(ps, v->pos, "an entity type is a name such as A::B");
}

bool est_uid(struct parser *ps, const struct json *v, struct cedar_uid *ret)
{
	if (v->kind == JSON_OBJECT && v->n == 1 && span_is(v->key[0], "__entity"))
		v = &v->kid[0];
	if (v->kind != JSON_OBJECT)
		return parser_fail(ps, v->pos, "an entity is {\"type\": T, \"id\": I}");
	return est_type(ps, est_member(ps, v, "type"), &ret->type) &&
	       est_string(ps, est_member(ps, v, "id"), "an id", &ret->id);
}

/* --- scope ------------------------------------------------------------------------------------ */

/* "entity" or "slot" of v. */
static bool read_ref(struct parser *ps, const struct json *v, const char *slot_name,
		     struct ast_scope *s)
{
	const struct json *entity = json_get(v, "entity"), *slot = json_get(v, "slot");

	if (!entity == !slot)
		return parser_fail(ps, v->pos, "expected either `entity` or `slot`");
	if (entity)
		return est_uid(ps, entity, &s->uid);
	if (!slot_name || !span_is(json_str(slot), slot_name))
		return parser_fail(ps, slot->pos, "this slot cannot stand here");
	s->slot = true;
	return true;
}

static bool read_scope_is(struct parser *ps, const struct json *v, const char *slot,
			  struct ast_scope *s)
{
	static const char *const names[] = { "op", "entity_type", "in", NULL };
	static const char *const in_names[] = { "entity", "slot", NULL };
	const struct json *in = json_get(v, "in");

	if (!est_members(ps, v, names) ||
	    !est_type(ps, est_member(ps, v, "entity_type"), &s->type))
		return false;
	s->op = in ? AST_SCOPE_IS_IN : AST_SCOPE_IS;
	return !in || (est_members(ps, in, in_names) && read_ref(ps, in, slot, s));
}

static bool read_scope(struct parser *ps, const struct json *v, const char *slot,
		       struct ast_scope *ret)
{
	static const char *const any_names[] = { "op", NULL };
	static const char *const names[] = { "op", "entity", "slot", NULL };
	const struct json *op = v ? est_member(ps, v, "op") : NULL;
	struct span word = json_str(op);

	if (!op)
		return false;
	*ret = (struct ast_scope){ .op = AST_ANY, .pos = v->pos };
	if (span_is(word, "All") || span_is(word, "all"))
		return est_members(ps, v, any_names);
	if (span_is(word, "is"))
		return read_scope_is(ps, v, slot, ret);
	if (!span_is(word, "==") && !span_is(word, "in"))
		return parser_fail(ps, op->pos, "`op` is one of All, ==, in, is");
	ret->op = span_is(word, "==") ? AST_SCOPE_EQ : AST_SCOPE_IN;
	return est_members(ps, v, names) && read_ref(ps, v, slot, ret);
}

static bool read_actions(struct parser *ps, const struct json *v, struct ast_scope *s)
{
	static const char *const names[] = { "op", "entities", NULL };
	const struct json *list = json_get(v, "entities");

	if (!est_members(ps, v, names))
		return false;
	if (list->kind != JSON_ARRAY)
		return parser_fail(ps, list->pos, "the actions are an array");
	s->op = AST_SCOPE_IN;
	s->list = true;
	s->n = list->n;
	s->uids = arena_array(ps->mem, list->n, sizeof(*s->uids));
	if (!s->uids)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < list->n; i++) {
		if (!est_uid(ps, &list->kid[i], &s->uids[i]))
			return false;
	}
	return true;
}

static bool read_action(struct parser *ps, const struct json *v, struct ast_scope *ret)
{
	bool ok;

	if (v && json_get(v, "entities") && span_is(json_str(json_get(v, "op")), "in")) {
		*ret = (struct ast_scope){ .pos = v->pos };
		ok = read_actions(ps, v, ret);
	} else {
		ok = read_scope(ps, v, NULL, ret);
	}
	if (!ok)
		return false;
	if (ret->op == AST_SCOPE_IS || ret->op == AST_SCOPE_IS_IN)
		return parser_fail(ps, v->pos, "`is` cannot stand in the scope of the action");
	for (uint32_t i = 0; ret->list && i < ret->n; i++) {
		if (!type_is_action(ret->uids[i].type))
			return parser_fail(ps, v->pos, "the type of an action must be `Action`");
	}
	if (ret->op != AST_ANY && !ret->list && !type_is_action(ret->uid.type))
		return parser_fail(ps, v->pos, "the type of an action must be `Action`");
	return true;
}

/* --- policies --------------------------------------------------------------------------------- */

static bool read_annotations(struct parser *ps, const struct json *v, struct ast_policy *p)
{
	if (v->kind != JSON_OBJECT)
		return parser_fail(ps, v->pos, "the annotations are an object");
	p->n_annotations = v->n;
	p->annotations = arena_array(ps->mem, v->n, sizeof(*p->annotations));
	if (!p->annotations)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < v->n; i++) {
		struct ast_annotation *a = &p->annotations[i];

		*a = (struct ast_annotation){ .key = arena_copy(ps->mem, v->key[i]) };
		if (!a->key.p)
			return parser_no_memory(ps);
		if (!is_identifier(a->key))
			return parser_fail(ps, v->kid[i].pos,
					   "the name of an annotation is an identifier");
		if (v->kid[i].kind != JSON_NULL &&
		    !est_string(ps, &v->kid[i], "an annotation", &a->value))
			return false;
	}
	return true;
}

static bool read_condition(struct parser *ps, const struct json *v, struct ast_condition *ret)
{
	static const char *const names[] = { "kind", "body", NULL };
	const struct json *kind, *body;
	uint32_t nesting;

	if (!est_members(ps, v, names) || !(kind = est_member(ps, v, "kind")) ||
	    !(body = est_member(ps, v, "body")))
		return false;
	ret->unless = span_is(json_str(kind), "unless");
	if (!ret->unless && !span_is(json_str(kind), "when"))
		return parser_fail(ps, kind->pos, "`kind` is `when` or `unless`");
	ret->e = est_read_expr(ps, body);
	if (!ret->e)
		return false;
	nesting = print_nesting(ret->e, false);
	return nesting <= CEDAR_NESTING_MAX ||
	       parser_fail(ps, body->pos, "expressions are nested deeper than %d",
			   CEDAR_NESTING_MAX);
}

static bool read_conditions(struct parser *ps, const struct json *v, struct ast_policy *p)
{
	if (!v)
		return false;
	if (v->kind != JSON_ARRAY)
		return parser_fail(ps, v->pos, "the conditions are an array");
	p->n_conditions = v->n;
	p->conditions = arena_array(ps->mem, v->n, sizeof(*p->conditions));
	if (!p->conditions)
		return parser_no_memory(ps);
	for (uint32_t i = 0; i < v->n; i++) {
		if (!read_condition(ps, &v->kid[i], &p->conditions[i]))
			return false;
	}
	return true;
}

bool est_read_policy(struct parser *ps, const struct json *v, struct ast_policy *ret)
{
	static const char *const names[] = { "effect",	   "principal",	  "action", "resource",
					     "conditions", "annotations", NULL };
	const struct json *effect, *annotations = json_get(v, "annotations");
	struct ast_policy p = { .pos = v->pos };

	if (!est_members(ps, v, names) || !(effect = est_member(ps, v, "effect")))
		return false;
	p.effect = span_is(json_str(effect), "permit") ? CEDAR_PERMIT : CEDAR_FORBID;
	if (p.effect == CEDAR_FORBID && !span_is(json_str(effect), "forbid"))
		return parser_fail(ps, effect->pos, "`effect` is `permit` or `forbid`");
	if (!read_scope(ps, est_member(ps, v, "principal"), "?principal", &p.principal) ||
	    !read_action(ps, est_member(ps, v, "action"), &p.action) ||
	    !read_scope(ps, est_member(ps, v, "resource"), "?resource", &p.resource) ||
	    !read_conditions(ps, est_member(ps, v, "conditions"), &p) ||
	    (annotations && !read_annotations(ps, annotations, &p)))
		return false;
	*ret = p;
	return true;
}
