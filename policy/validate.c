// SPDX-License-Identifier: Apache-2.0
/*
 * Validation of a policy set against a schema: each policy is typed for every type of request the
 * schema allows. A first pass only tells whether it is valid; what is not is typed again to say
 * why.
 */
#include <errno.h>
#include <stdlib.h>

#include "policy/validate.h"

/* A scope as the schema knows it. */
struct side {
	enum ast_scope_op op;
	bool slot;
	uint32_t is, uid; /* entity types */
};

struct subject {
	const struct ast_policy *p;
	const struct cedar_check *check;
	struct side principal, resource;
	uint32_t *actions, n_actions; /* EQ, IN: of the schema */
	bool mixed; /* action in [...] of several types */
	bool bad_set; /* action in [...] that strict mode does not take */
	struct occ **conditions;
	uint8_t uses; /* variables in them */
};

/* --- what is named and not declared ----------------------------------------------------------- */

static void unknown_type(struct checker *c, uint32_t pos, struct span name)
{
	finding(c, CEDAR_UNKNOWN_TYPE, pos, suggest_type(c, name), "unknown entity type `%.*s`",
		(int)name.n, name.p);
}

static void unknown_entity(struct checker *c, uint32_t pos, struct span type, struct span id)
{
	uint32_t t = schema_find_type(c->s, type);

	if (t == SCHEMA_NONE && !name_is_action(type))
		unknown_type(c, pos, type);
	else if (t == SCHEMA_NONE || c->s->etypes.v[t].action)
		finding(c, CEDAR_UNKNOWN_ACTION, pos, suggest_action(c, type, id),
			"unknown action `%.*s::\"%.*s\"`", (int)type.n, type.p, (int)id.n, id.p);
	else
		finding(c, CEDAR_UNKNOWN_ENUM_ID, pos, suggest_id(c, &c->s->etypes.v[t], id),
			"`%.*s` is not among the ids of `%.*s`", (int)id.n, id.p, (int)type.n,
			type.p);
}

static bool uid_is_known(const struct checker *c, const struct cedar_uid *u, uint32_t *ret_type)
{
	uint32_t t = schema_find_type(c->s, u->type);

	*ret_type = t;
	if (t == SCHEMA_NONE)
		return false;
	if (c->s->etypes.v[t].action)
		return schema_find_action(c->s, u->type, u->id) != SCHEMA_NONE;
	return !c->s->etypes.v[t].enumerated || schema_enum_has(&c->s->etypes.v[t], u->id);
}

/* Recursion is bounded by CORE_DEPTH_MAX. */
static void unknown_below(struct checker *c, struct occ *e)
{
	const struct core *x = e->node;

	if (!x->unknown || e->searched)
		return;
	e->searched = true;
	if (x->op == CORE_IS && x->etype == SCHEMA_NONE)
		unknown_type(c, e->pos, x->str);
	else if (x->op == CORE_ENTITY)
		unknown_entity(c, e->pos, x->str2, x->str);
	for (uint32_t i = 0; i < x->n; i++)
		unknown_below(c, e->kid[i]);
}

/* --- scopes ----------------------------------------------------------------------------------- */

static bool side_of(struct checker *c, const struct ast_scope *s, struct side *ret)
{
	bool ok = true;

	*ret = (struct side){ s->op, s->slot, SCHEMA_NONE, SCHEMA_NONE };
	if (s->op == AST_SCOPE_IS || s->op == AST_SCOPE_IS_IN) {
		ret->is = schema_find_type(c->s, s->type);
		if (ret->is == SCHEMA_NONE) {
			unknown_type(c, s->pos, s->type);
			ok = false;
		}
	}
	if (s->op != AST_ANY && s->op != AST_SCOPE_IS && !s->slot &&
	    !uid_is_known(c, &s->uid, &ret->uid)) {
		unknown_entity(c, s->pos, s->uid.type, s->uid.id);
		ok = false;
	}
	return ok;
}

static bool actions_of(struct checker *c, struct subject *sub)
{
	const struct ast_scope *s = &sub->p->action;
	const struct cedar_uid *uids = s->list ? s->uids : &s->uid;
	uint32_t n = s->op == AST_ANY ? 0 : s->list ? s->n : 1;
	bool ok = true;

	sub->actions = arena_array(&c->policy_mem, n, sizeof(*sub->actions));
	if (!sub->actions) {
		c->r = -ENOMEM;
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t a = schema_find_action(c->s, uids[i].type, uids[i].id);

		if (a == SCHEMA_NONE) {
			unknown_entity(c, s->pos, uids[i].type, uids[i].id);
			ok = false;
			continue;
		}
		sub->actions[sub->n_actions++] = a;
		if (c->s->actions.v[a].etype != c->s->actions.v[sub->actions[0]].etype)
			sub->mixed = true;
	}
	return ok;
}

/* Whether the scope can hold for a variable of the type. */
static bool side_holds(const struct checker *c, const struct side *s, uint32_t type)
{
	if (s->is != SCHEMA_NONE && s->is != type)
		return false;
	if (s->uid == SCHEMA_NONE)
		return true;
	return s->op == AST_SCOPE_EQ ? s->uid == type : schema_type_in(c->s, type, s->uid);
}

static bool action_holds(const struct checker *c, const struct subject *sub, uint32_t action)
{
	enum ast_scope_op op = sub->p->action.op;

	if (op == AST_ANY)
		return true;
	for (uint32_t i = 0; i < sub->n_actions; i++) {
		if (op == AST_SCOPE_EQ ? sub->actions[i] == action
				       : schema_action_in(c->s, action, sub->actions[i]))
			return true;
	}
	return false;
}

/* What strict mode asks of `action in [...]`, as of any set. */
static void say_bad_set(struct checker *c, const struct subject *sub)
{
	if (sub->p->action.n == 0)
		finding(c, CEDAR_EMPTY_SET, sub->p->action.pos, NULL,
			"`action in []` lists no action");
	else
		finding(c, CEDAR_INCOMPATIBLE_TYPES, sub->p->action.pos, NULL,
			"`action in [...]` lists actions of different types");
}

/* --- one policy in one type of request --------------------------------------------------------- */

enum outcome {
	NEVER = 0, /* the scope cannot hold */
	FALSE, /* the conditions cannot */
	MAYBE,
	WRONG,
};

static void set_env(struct checker *c, uint32_t env)
{
	const struct schema_env *e = &c->s->envs.v[env];

	c->env = env;
	c->action = e->action;
	c->var[AST_PRINCIPAL] = c->s->etypes.v[e->principal].type;
	c->var[AST_ACTION] = c->s->etypes.v[c->s->actions.v[e->action].etype].type;
	c->var[AST_RESOURCE] = c->s->etypes.v[e->resource].type;
	c->var[AST_CONTEXT] = c->s->actions.v[e->action].context;
}

static enum outcome type_condition(struct checker *c, const struct subject *sub, uint32_t i,
				   uint32_t *caps)
{
	const struct occ *e = sub->conditions[i];
	struct typing t = type_of(c, e, *caps);

	if (!t.type)
		return WRONG;
	if (!type_is_bool(t.type)) {
		finding(c, CEDAR_UNEXPECTED_TYPE, e->pos, NULL, "expected Bool, found %s",
			type_words(c, t.type));
		return WRONG;
	}
	if (sub->check->level_checked && !check_level(c, e, *caps, sub->check->level))
		return WRONG;
	if (sub->p->conditions[i].unless)
		return t.type->kind == TYPE_TRUE ? FALSE : MAYBE;
	if (!caps_done(c, caps_union(&c->caps, *caps, t.caps, caps)))
		return WRONG;
	return t.type->kind == TYPE_FALSE ? FALSE : MAYBE;
}

static bool level_of_scope(struct checker *c, const struct subject *sub)
{
	bool far = sub->check->level_checked && sub->check->level == 0 &&
		   (sub->p->principal.op == AST_SCOPE_IN || sub->p->principal.op == AST_SCOPE_IS_IN ||
		    sub->p->resource.op == AST_SCOPE_IN || sub->p->resource.op == AST_SCOPE_IS_IN ||
		    sub->p->action.op == AST_SCOPE_IN);

	if (far)
		finding(c, CEDAR_LEVEL, sub->p->pos, NULL,
			"`in` looks at the ancestors of an entity of the request, which level 0 "
			"does not allow");
	return !far;
}

static enum outcome type_conditions(struct checker *c, const struct subject *sub)
{
	struct class_outcome *seen = &c->seen[class_of(c, sub->uses)];
	uint32_t caps = CAPS_NONE;
	enum outcome out = MAYBE;

	if (c->r < 0)
		return WRONG;
	if (seen->pass == c->pass)
		return (enum outcome)seen->outcome;
	for (uint32_t i = 0; out == MAYBE && i < sub->p->n_conditions; i++)
		out = type_condition(c, sub, i, &caps);
	*seen = (struct class_outcome){ c->pass, (uint8_t)out };
	return out;
}

/* The principal's scope comes first: when it cannot hold, nothing behind it is looked at. */
static enum outcome type_in_env(struct checker *c, const struct subject *sub, uint32_t env,
				bool action)
{
	const struct schema_env *e = &c->s->envs.v[env];

	if (!side_holds(c, &sub->principal, e->principal))
		return NEVER;
	if (sub->bad_set) {
		say_bad_set(c, sub);
		return WRONG;
	}
	if (!action || !side_holds(c, &sub->resource, e->resource))
		return NEVER;
	if (!level_of_scope(c, sub))
		return WRONG;
	set_env(c, env);
	return type_conditions(c, sub);
}

/* --- one policy ------------------------------------------------------------------------------- */

static bool lower_conditions(struct checker *c, struct subject *sub)
{
	const struct ast_policy *p = sub->p;

	sub->conditions = arena_array(&c->policy_mem, p->n_conditions, sizeof(*sub->conditions));
	if (!sub->conditions) {
		c->r = -ENOMEM;
		return false;
	}
	for (uint32_t i = 0; i < p->n_conditions; i++) {
		sub->conditions[i] = lower(c, p->conditions[i].e);
		if (!sub->conditions[i])
			return false;
		sub->uses |= sub->conditions[i]->node->uses;
	}
	/* Of all literals only the action of the request is reached. */
	if (sub->check->level_checked)
		sub->uses |= 1u << AST_ACTION;
	return true;
}

static void say_too_deep(struct checker *c, const struct ast_policy *p)
{
	finding(c, CEDAR_TOO_DEEP, p->pos, "split it into several policies",
		"the policy is nested too deep, or too large, to be checked");
}

/* Whether what the policy names is declared, and can be brought into core operators. */
static bool prepare(struct checker *c, struct subject *sub)
{
	bool ok = side_of(c, &sub->p->principal, &sub->principal);

	ok = actions_of(c, sub) && ok;
	sub->bad_set = c->strict && sub->p->action.list && (sub->p->action.n == 0 || sub->mixed);
	ok = side_of(c, &sub->p->resource, &sub->resource) && ok;
	if (!lower_conditions(c, sub)) {
		say_too_deep(c, sub->p);
		return false;
	}
	for (uint32_t i = 0; i < sub->p->n_conditions; i++) {
		ok = ok && !sub->conditions[i]->node->unknown;
		unknown_below(c, sub->conditions[i]);
	}
	return ok;
}

struct verdict {
	bool wrong, applies, possible;
};

static void type_for_action(struct checker *c, const struct subject *sub, uint32_t action,
			    struct verdict *v)
{
	const struct schema_action *a = &c->s->actions.v[action];
	bool holds = action_holds(c, sub, action);

	if (!holds && !sub->bad_set)
		return;
	for (uint32_t i = 0; i < a->n_envs && c->r == 0 && !c->too_deep; i++) {
		enum outcome out = type_in_env(c, sub, a->env + i, holds);

		v->wrong |= out == WRONG;
		v->applies |= out != NEVER;
		v->possible |= out == MAYBE;
	}
}

static struct verdict type_policy(struct checker *c, const struct subject *sub)
{
	struct verdict v = { 0 };

	c->pass++;
	c->steps = 0;
	if (sub->p->action.op == AST_SCOPE_EQ && !sub->p->action.list)
		type_for_action(c, sub, sub->actions[0], &v);
	else
		for (uint32_t i = 0; i < c->s->actions.n; i++)
			type_for_action(c, sub, i, &v);
	if (c->too_deep) {
		v.wrong = true;
		say_too_deep(c, sub->p);
	}
	return v;
}

/* Types a policy that is wrong again, to say why. It never goes without a word. */
static void explain(struct checker *c, const struct subject *sub)
{
	size_t before = c->out->errors;

	c->too_deep = false;
	type_policy(c, sub);
	if (c->out->errors == before)
		say_too_deep(c, sub->p);
}

static void warn(struct checker *c, const struct ast_policy *p, struct verdict v)
{
	if (!v.applies)
		finding(c, CEDAR_NO_APPLICABLE_ACTION, p->pos, NULL,
			"no action applies to what the scope asks for");
	if (!v.possible)
		finding(c, CEDAR_IMPOSSIBLE_POLICY, p->pos, NULL,
			"the policy is false for every request that the schema allows");
	check_characters(c, p);
}

static void check_policy(struct checker *c, const struct ast_policy *p, uint32_t number,
			 const struct cedar_check *check)
{
	struct subject sub = { .p = p, .check = check };
	struct verdict v = { .wrong = true };

	arena_reset(&c->policy_mem);
	c->policy = number;
	c->id = p->id;
	c->text_name = c->ps->texts.v[p->text].name;
	c->text = c->ps->texts.v[p->text].text;
	c->too_deep = false;
	c->suggested = 0;
	c->first_finding = c->out->v.n;
	c->loud = true;
	if (prepare(c, &sub)) {
		c->loud = false;
		v = type_policy(c, &sub);
		c->loud = true;
		if (v.wrong)
			explain(c, &sub);
	}
	c->out->invalid[number] = v.wrong;
	if (v.wrong)
		v.applies = v.possible = true;
	warn(c, p, v);
}

/* --- the set ---------------------------------------------------------------------------------- */

static int check_all(struct checker *c, const struct cedar_check *check)
{
	const struct cedar_policies *ps = c->ps;

	for (uint32_t i = 0; i < c->out->n_policies && c->r == 0; i++) {
		const struct ast_policy *p = i < ps->policies.n
						     ? &ps->policies.v[i]
						     : &ps->templates.v[i - ps->policies.n];

		check_policy(c, p, i, check);
		if (c->r == 0)
			c->r = checker_trim(c);
	}
	return c->r;
}

int cedar_validate(const struct cedar_schema *s, const struct cedar_policies *ps,
		   const struct cedar_check *check, struct cedar_findings **ret)
{
	static const struct cedar_check strict = { .mode = CEDAR_STRICT };
	_cleanup_(cedar_findings_free_p) struct cedar_findings *out = calloc(1, sizeof(*out));
	struct checker c = { .s = s, .ps = ps, .out = out };
	int r;

	if (!out)
		return -ENOMEM;
	if (!check)
		check = &strict;
	c.strict = check->mode == CEDAR_STRICT;
	types_init(&c.types, &s->types);
	out->n_policies = ps->policies.n + ps->templates.n;
	out->invalid = calloc(out->n_policies + 1, 1);
	r = out->invalid ? classes_init(&c) : -ENOMEM;
	if (r == 0)
		r = checker_init(&c);
	if (r == 0)
		r = check_all(&c, check);
	checker_done(&c);
	classes_done(&c);
	if (r == 0)
		*ret = take_ptr(out);
	return r;
}
