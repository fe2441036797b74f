// SPDX-License-Identifier: Apache-2.0
/*
 * Policies taken apart. The evaluator stays as it is: what it is asked is a set of small permits, made of
 * the nodes of the real policies, so that their places and their errors are those of the real ones. A path
 * of attributes is a piece too: asked as a condition it is true, false, or an error that holds its value.
 */
#include "policy/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/ast.h"
#include "policy/explain_value.h"
#include "policy/print.h"
#include "policy/text.h"

enum state { NOT_TRUE = 0, TRUE, FAILED, DEPENDS };

struct piece {
	const struct ast *e; /* NULL: the scope alone */
	bool negated;
	uint32_t path, n_paths; /* pieces that are the paths of this one */
};

struct whole {
	const char *name;
	uint32_t first; /* piece: the scope; then the conjuncts */
	uint32_t n_conjuncts;
};

struct cedar_pieces {
	const struct cedar_policies *ps;
	struct arena mem;
	struct cedar_policies set; /* of the pieces; its texts are those of ps */
	VEC(struct piece) pieces; /* as policies of set */
	VEC(struct whole) wholes; /* as policies of ps */
	struct cedar_snapshot *snapshot;
	uint8_t *state; /* of each piece: enum state */
};

void cedar_why_done(struct cedar_why *w)
{
	buf_done(&w->conjunct);
	for (uint32_t i = 0; i < CEDAR_WHY_VALUES_MAX; i++) {
		buf_done(&w->values[i].path);
		buf_done(&w->values[i].value);
	}
}

void cedar_pieces_free(struct cedar_pieces *p)
{
	if (!p)
		return;
	cedar_snapshot_unref(p->snapshot);
	free(p->set.policies.v);
	free(p->pieces.v);
	free(p->wholes.v);
	free(p->state);
	arena_done(&p->mem);
	free(p);
}

struct cedar_snapshot *cedar_pieces_snapshot(const struct cedar_pieces *p)
{
	return p->snapshot;
}

/* --- taking apart -------------------------------------------------------------------------------- */

/* A piece of policy from: its scope and one condition at most. */
static int push(struct cedar_pieces *p, const struct ast_policy *from, const struct ast *e, bool negated)
{
	struct ast_policy policy = *from;
	struct piece piece = { .e = e, .negated = negated };
	int r;

	policy.effect = CEDAR_PERMIT;
	policy.n_annotations = 0;
	policy.n_conditions = e != NULL;
	policy.conditions = e ? arena_alloc(&p->mem, sizeof(*policy.conditions)) : NULL;
	if (e && !policy.conditions)
		return -ENOMEM;
	if (e)
		*policy.conditions = (struct ast_condition){ negated, (struct ast *)(uintptr_t)e };
	r = vec_push(&p->set.policies, policy);
	return r < 0 ? r : vec_push(&p->pieces, piece);
}

static int split(struct cedar_pieces *p, const struct ast_policy *from, const struct ast *e, bool negated)
{
	int r = 0;

	if (e->kind != (negated ? AST_OR : AST_AND))
		return push(p, from, e, negated);
	for (uint32_t i = 0; r == 0 && i < e->n; i++)
		r = split(p, from, e->kid[i], negated);
	return r;
}

static int print_alone(struct buf *out, const struct ast *e)
{
	struct printer pr = { .out = out };

	print_expr(&pr, e);
	return pr.r;
}

/* The paths of one conjunct. */
struct paths {
	struct cedar_pieces *p;
	const struct ast_policy *policy;
	uint32_t first, n;
	int r;
};

static bool have_path(struct paths *ps, const struct ast *path)
{
	_cleanup_buf_ struct buf text = { 0 };

	ps->r = print_alone(&text, path);
	for (uint32_t i = 0; ps->r == 0 && i < ps->n; i++) {
		_cleanup_buf_ struct buf other = { 0 };

		ps->r = print_alone(&other, ps->p->pieces.v[ps->first + i].e);
		if (span_eq(buf_span(&other), buf_span(&text)))
			return true;
	}
	return false;
}

static void add_path(struct paths *ps, const struct ast *path)
{
	if (ps->n == CEDAR_WHY_VALUES_MAX || have_path(ps, path) || ps->r < 0)
		return;
	ps->r = push(ps->p, ps->policy, path, false);
	ps->n += ps->r == 0;
}

/* The variable and as many attributes as follow it at once; NULL: none, so that it is context itself. */
static const struct ast *leading_path(struct paths *ps, const struct ast *e)
{
	uint32_t n = 0;
	struct ast *path;

	while (n < e->n_parts && e->steps[n].kind == AST_STEP_ATTR)
		n++;
	if (n == 0)
		return e->kid[0]->num == AST_CONTEXT ? NULL : e->kid[0];
	path = arena_alloc(&ps->p->mem, sizeof(*path));
	if (!path) {
		ps->r = -ENOMEM;
		return NULL;
	}
	*path = *e;
	path->n_parts = n;
	return path;
}

/* Nesting is bounded by the parser. */
static void find_paths(struct paths *ps, const struct ast *e)
{
	const struct ast *path;

	if (ps->r < 0)
		return;
	if (e->kind == AST_VAR && e->num != AST_CONTEXT) {
		add_path(ps, e);
	} else if (e->kind == AST_ACCESS && e->kid[0]->kind == AST_VAR) {
		path = leading_path(ps, e);
		if (path)
			add_path(ps, path);
	} else {
		for (uint32_t i = 0; i < e->n; i++)
			find_paths(ps, e->kid[i]);
	}
	for (uint32_t i = 0; e->kind == AST_ACCESS && i < e->n_parts; i++)
		for (uint32_t k = 0; e->steps[i].kind != AST_STEP_ATTR && k < e->steps[i].n; k++)
			find_paths(ps, e->steps[i].arg[k]);
}

static const char *name_of(struct cedar_pieces *p, const struct ast_policy *from)
{
	struct span name = from->id;

	for (uint32_t i = 0; i < from->n_annotations; i++)
		if (span_is(from->annotations[i].key, "id") && from->annotations[i].value.n)
			name = from->annotations[i].value;
	return arena_copy(&p->mem, name).p;
}

static int take_apart(struct cedar_pieces *p, const struct ast_policy *from)
{
	struct whole w = { .name = name_of(p, from), .first = p->pieces.n };
	int r = w.name ? push(p, from, NULL, false) : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < from->n_conditions; i++)
		r = split(p, from, from->conditions[i].e, from->conditions[i].unless);
	w.n_conjuncts = p->pieces.n - w.first - 1;
	for (uint32_t i = 1; r == 0 && i <= w.n_conjuncts; i++) {
		struct paths ps = { .p = p, .policy = from, .first = p->pieces.n };

		find_paths(&ps, p->pieces.v[w.first + i].e);
		r = ps.r;
		p->pieces.v[w.first + i].path = ps.first;
		p->pieces.v[w.first + i].n_paths = ps.n;
	}
	return r < 0 ? r : vec_push(&p->wholes, w);
}

int cedar_pieces_new(const struct cedar_policies *ps, const struct cedar_entities *es, struct cedar_error *error,
		     struct cedar_pieces **ret)
{
	_cleanup_(cedar_pieces_free_p) struct cedar_pieces *p = calloc(1, sizeof(*p));
	int r = p ? 0 : -ENOMEM;

	*error = (struct cedar_error){ 0 };
	if (r < 0)
		return r;
	p->ps = ps;
	for (uint32_t i = 0; r == 0 && i < ps->policies.n; i++)
		r = take_apart(p, &ps->policies.v[i]);
	if (r < 0)
		return r;
	p->set.texts.v = ps->texts.v;
	p->set.texts.n = ps->texts.n;
	p->state = calloc((size_t)p->pieces.n + 1, 1);
	r = p->state ? cedar_snapshot_new(&p->set, es, error, &p->snapshot) : -ENOMEM;
	if (r == 0)
		*ret = take_ptr(p);
	return r;
}

/* --- asking -------------------------------------------------------------------------------------- */

int cedar_pieces_ask(struct cedar_pieces *p, struct cedar_request *rq)
{
	struct cedar_answer a;
	int r = cedar_authorize(rq, &a);

	if (r < 0)
		return r;
	memset(p->state, NOT_TRUE, p->pieces.n);
	for (size_t i = 0; i < a.n_reasons; i++)
		p->state[a.reasons[i]] = TRUE;
	for (size_t i = 0; i < a.n_failures; i++)
		p->state[a.failures[i].policy] = FAILED;
	for (size_t i = 0; i < a.n_depending; i++)
		p->state[a.depending[i]] = DEPENDS;
	return 0;
}

static int put_value(const struct cedar_pieces *p, struct cedar_request *rq, uint32_t path, struct buf *out)
{
	struct cedar_failure f = { path };
	struct cedar_error e;
	int r;

	if (p->state[path] != FAILED)
		return buf_append_str(out, p->state[path] == TRUE	 ? "true" :
					   p->state[path] == DEPENDS ? "not known yet" :
								       "false");
	r = cedar_explain(rq, &f, &e);
	if (r < 0)
		return r;
	/* Not a Bool where one was wanted: anything else went wrong on the way to the value. */
	if (rq->fail.code != FAIL_TYPE || rq->fail.arg != V_BIT(V_BOOL))
		return buf_append_str(out, "absent");
	return explain_value(out, rq, rq->fail.v, CEDAR_WHY_VALUE_MAX);
}

static int describe(const struct cedar_pieces *p, struct cedar_request *rq, uint32_t conjunct, struct cedar_why *ret)
{
	const struct piece *piece = &p->pieces.v[conjunct];
	struct cedar_failure f = { conjunct };
	struct cedar_error e;
	int r = print_alone(&ret->conjunct, piece->e);

	ret->unless = piece->negated;
	if (r == 0 && p->state[conjunct] == FAILED) {
		r = cedar_explain(rq, &f, &e);
		if (r == 0)
			memcpy(ret->error, e.message, sizeof(ret->error));
	}
	for (uint32_t i = 0; r == 0 && i < piece->n_paths; i++) {
		r = print_alone(&ret->values[i].path, p->pieces.v[piece->path + i].e);
		if (r == 0)
			r = put_value(p, rq, piece->path + i, &ret->values[i].value);
		ret->n_values += r == 0;
	}
	return r;
}

static void describe_policy(const struct cedar_pieces *p, size_t policy, struct cedar_why *ret)
{
	const struct ast_policy *a = &p->ps->policies.v[policy];
	const struct ast_text *t = &p->ps->texts.v[a->text];

	*ret = (struct cedar_why){ .name = p->wholes.v[policy].name, .effect = a->effect, .text_name = t->name.p };
	text_place(t->text, a->pos, &ret->line, &ret->column);
}

/* The conjunct that decides, as in decide_policy(): the first that is not true, or, where that one depends, the first
 * behind it that ends the matter, whatever becomes known. 0: all are true. */
static uint32_t deciding(const struct cedar_pieces *p, const struct whole *w, enum cedar_effect effect)
{
	uint32_t depends = 0;

	for (uint32_t i = w->first + 1; i <= w->first + w->n_conjuncts; i++) {
		if (p->state[i] == NOT_TRUE || (p->state[i] == FAILED && (!depends || effect == CEDAR_PERMIT)))
			return i;
		if (p->state[i] == DEPENDS && !depends)
			depends = i;
	}
	return depends;
}

int cedar_pieces_why(const struct cedar_pieces *p, struct cedar_request *rq, size_t policy, struct cedar_why *ret)
{
	static const enum cedar_standing standing[] = { [NOT_TRUE] = CEDAR_CONJUNCT_FALSE,
							[FAILED] = CEDAR_CONJUNCT_FAILED,
							[DEPENDS] = CEDAR_CONJUNCT_DEPENDS };
	const struct whole *w;
	uint32_t conjunct;

	if (policy >= p->wholes.n)
		return -ENOENT;
	w = &p->wholes.v[policy];
	describe_policy(p, policy, ret);
	if (p->state[w->first] != TRUE)
		return 0;
	ret->standing = CEDAR_HOLDS;
	conjunct = deciding(p, w, ret->effect);
	if (!conjunct)
		return 0;
	ret->standing = standing[p->state[conjunct]];
	return describe(p, rq, conjunct, ret);
}
