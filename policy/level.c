// SPDX-License-Identifier: Apache-2.0
/*
 * Level validation (RFC 76): how far a policy may go from the request's own entities, so that who
 * calls knows which entities to tell. An access to an entity counts one; literals, other than the
 * action, are not reached at all. Branches that typing shows dead do not count.
 */
#include "policy/validate.h"

static bool too_far(struct checker *c, const struct occ *e, uint32_t level)
{
	finding(c, CEDAR_LEVEL, e->pos, NULL,
		"this looks further than %u entit%s away from those of the request", level,
		level == 1 ? "y" : "ies");
	return false;
}

static bool reached(struct checker *c, const struct occ *e, uint32_t caps, uint32_t left,
		    uint32_t all, struct span member);

/* A record literal: only the member that is looked into is reached. */
static bool reached_record(struct checker *c, const struct occ *e, uint32_t caps, uint32_t left,
			   uint32_t all, struct span member)
{
	bool ok = true;

	for (uint32_t i = 0; ok && i < e->node->n; i++)
		ok = member.p && span_eq(e->node->names[i], member)
			     ? reached(c, e->kid[i], caps, left, all, (struct span){ NULL, 0 })
			     : check_level(c, e->kid[i], caps, all);
	return ok;
}

/* Whether the entity (or record holding it) that e gives is there with left accesses. */
static bool reached(struct checker *c, const struct occ *e, uint32_t caps, uint32_t left,
		    uint32_t all, struct span member)
{
	const struct core *x = e->node;
	struct typing test;
	uint32_t known = caps;

	if (!may_step(c))
		return false;
	switch (x->op) {
	case CORE_VAR:
		return true;
	case CORE_ENTITY:
		return x->action == c->action && x->action != SCHEMA_NONE ? true : too_far(c, e, all);
	case CORE_IF:
		test = type_of(c, e->kid[0], caps);
		if (!test.type || !caps_done(c, caps_union(&c->caps, caps, test.caps, &known)) ||
		    !check_level(c, e->kid[0], caps, all))
			return false;
		return (test.type->kind == TYPE_FALSE ||
			reached(c, e->kid[1], known, left, all, member)) &&
		       (test.type->kind == TYPE_TRUE ||
			reached(c, e->kid[2], caps, left, all, member));
	case CORE_GET:
	case CORE_GET_TAG:
		test = type_of(c, e->kid[0], caps);
		if (!test.type)
			return false;
		if (test.type->kind != TYPE_ENTITY)
			return reached(c, e->kid[0], caps, left, all, x->str);
		if (left == 0)
			return too_far(c, e, all);
		return reached(c, e->kid[0], caps, left - 1, all, (struct span){ NULL, 0 }) &&
		       (x->op == CORE_GET || check_level(c, e->kid[1], caps, all));
	case CORE_RECORD:
		return reached_record(c, e, caps, left, all, member);
	default:
		return too_far(c, e, all);
	}
}

/* What looks into an entity: in, has, `.a`, tags. */
static bool access_level(struct checker *c, const struct occ *e, uint32_t caps, uint32_t level)
{
	const struct type *t = type_of(c, e->kid[0], caps).type;

	if (!t)
		return false;
	if (t->kind != TYPE_ENTITY)
		return check_level(c, e->kid[0], caps, level);
	if (level == 0)
		return too_far(c, e, level);
	return reached(c, e->kid[0], caps, level - 1, level, (struct span){ NULL, 0 }) &&
	       (e->node->n < 2 || check_level(c, e->kid[1], caps, level));
}

static bool logic_level(struct checker *c, const struct occ *e, uint32_t caps, uint32_t level)
{
	bool and = e->node->op == CORE_AND;
	uint32_t known = caps;

	for (uint32_t i = 0; i < e->node->n; i++) {
		struct typing t = type_of(c, e->kid[i], known);

		if (!t.type || !check_level(c, e->kid[i], known, level))
			return false;
		if (t.type->kind == (and ? TYPE_FALSE : TYPE_TRUE))
			break;
		if (and && !caps_done(c, caps_union(&c->caps, known, t.caps, &known)))
			return false;
	}
	return true;
}

static bool if_level(struct checker *c, const struct occ *e, uint32_t caps, uint32_t level)
{
	struct typing test = type_of(c, e->kid[0], caps);
	uint32_t known = caps;

	if (!test.type || !check_level(c, e->kid[0], caps, level) ||
	    !caps_done(c, caps_union(&c->caps, caps, test.caps, &known)))
		return false;
	return (test.type->kind == TYPE_FALSE || check_level(c, e->kid[1], known, level)) &&
	       (test.type->kind == TYPE_TRUE || check_level(c, e->kid[2], caps, level));
}

bool check_level(struct checker *c, const struct occ *e, uint32_t caps, uint32_t level)
{
	if (!may_step(c))
		return false;
	switch (e->node->op) {
	case CORE_AND:
	case CORE_OR:
		return logic_level(c, e, caps, level);
	case CORE_IF:
		return if_level(c, e, caps, level);
	case CORE_IN:
	case CORE_HAS:
	case CORE_GET:
	case CORE_HAS_TAG:
	case CORE_GET_TAG:
		return access_level(c, e, caps, level);
	default:
		for (uint32_t i = 0; i < e->node->n; i++) {
			if (!check_level(c, e->kid[i], caps, level))
				return false;
		}
		return true;
	}
}
