// SPDX-License-Identifier: Apache-2.0
/*
 * Texts and names in policies that are not what they seem: characters that turn the direction of
 * writing around, letters of several scripts side by side, characters that no name needs.
 */
#include "policy/script.h"
#include "policy/text.h"
#include "policy/validate.h"

enum character_fault { FINE = 0, BIDI, CONFUSABLE, MIXED };

struct scan {
	uint64_t scripts[3]; /* those all characters so far are used in */
	bool identifier;
	enum character_fault fault;
	uint32_t c; /* the character that is wrong */
};

static uint32_t run_of(uint32_t c)
{
	uint32_t lo = 0, hi = script_runs_n;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (script_runs[mid] >> 9 <= c)
			lo = mid;
		else
			hi = mid;
	}
	return script_runs[lo];
}

static bool is_bidi(uint32_t c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void see(struct scan *s, uint32_t c)
{
	uint32_t run = run_of(c);
	const uint64_t *set = script_sets[run >> 1 & 0xff];

	for (unsigned i = 0; i < 3; i++)
		s->scripts[i] &= set[i];
	if (is_bidi(c)) {
		s->fault = BIDI;
		s->c = c;
	} else if (s->fault == FINE && s->identifier && !(run & 1) && (c < 0x20 || c > 0x7e)) {
		s->fault = CONFUSABLE;
		s->c = c;
	}
}

static void see_all(struct scan *s, struct span text)
{
	const char *p = text.p, *end = p + text.n;

	while (p && p < end && s->fault != BIDI) {
		uint32_t c = 0;
		unsigned n = utf8_decode(p, end, &c);

		if (n == 0)
			return;
		see(s, c);
		p += n;
	}
	if (s->fault == FINE && !(s->scripts[0] | s->scripts[1] | s->scripts[2]))
		s->fault = MIXED;
}

static void say(struct checker *c, const struct scan *s, uint32_t pos)
{
	const char *what = s->identifier ? "name" : "text";

	switch (s->fault) {
	case FINE:
		break;
	case BIDI:
		finding(c, CEDAR_BIDI, pos, "write the character as \\u{...}",
			"this %s holds U+%04X, which turns the direction of writing around", what, s->c);
		break;
	case CONFUSABLE:
		finding(c, CEDAR_CONFUSABLE, pos, NULL,
			"this name holds U+%04X, which is not in Unicode's profile for identifiers "
			"and may not be seen",
			s->c);
		break;
	case MIXED:
		finding(c, CEDAR_MIXED_SCRIPTS, pos, NULL,
			"this %s mixes letters of several scripts, which may look alike", what);
		break;
	}
}

static bool is_plain(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	}
	return true;
}

static void check(struct checker *c, bool identifier, struct span text, uint32_t pos)
{
	struct scan s = { { UINT64_MAX, UINT64_MAX, UINT64_MAX }, identifier, FINE, 0 };

	if (is_plain(text))
		return;
	see_all(&s, text);
	say(c, &s, pos);
}

static void check_pattern(struct checker *c, const struct ast *e)
{
	struct scan s = { { UINT64_MAX, UINT64_MAX, UINT64_MAX }, false, FINE, 0 };

	for (uint32_t i = 0; i < e->pattern.n; i++)
		see_all(&s, e->pattern.run[i]);
	say(c, &s, e->pos);
}

static void check_expr(struct checker *c, const struct ast *e);

static void check_step(struct checker *c, const struct ast_step *s)
{
	if (s->kind == AST_STEP_ATTR)
		check(c, true, s->name, s->pos);
	for (uint32_t i = 0; s->kind != AST_STEP_ATTR && i < s->n; i++)
		check_expr(c, s->arg[i]);
}

/* Recursion is bounded by the parser's nesting limit. */
static void check_expr(struct checker *c, const struct ast *e)
{
	if (e->kind == AST_STRING)
		check(c, false, e->str, e->pos);
	if (e->kind == AST_ENTITY)
		check(c, true, e->uid.id, e->pos);
	if (e->kind == AST_LIKE)
		check_pattern(c, e);
	for (uint32_t i = 0; e->kind == AST_RECORD && i < e->n; i++)
		check(c, true, e->names[i].s, e->names[i].pos);
	for (uint32_t i = 0; e->kind == AST_HAS && i < e->n_parts; i++)
		check(c, true, e->names[i].s, e->names[i].pos);
	for (uint32_t i = 0; i < e->n; i++)
		check_expr(c, e->kid[i]);
	for (uint32_t i = 0; e->kind == AST_ACCESS && i < e->n_parts; i++)
		check_step(c, &e->steps[i]);
}

void check_characters(struct checker *c, const struct ast_policy *p)
{
	check(c, true, p->principal.uid.id, p->principal.pos);
	check(c, true, p->resource.uid.id, p->resource.pos);
	check(c, true, p->action.uid.id, p->action.pos);
	for (uint32_t i = 0; i < p->action.n; i++)
		check(c, true, p->action.uids[i].id, p->action.pos);
	for (uint32_t i = 0; i < p->n_conditions; i++)
		check_expr(c, p->conditions[i].e);
}
