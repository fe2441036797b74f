// SPDX-License-Identifier: Apache-2.0
/*
 * Requests: the memory of one thread in which questions are put, one after the other. Nothing here
 * outlives cedar_request_begin() but the memory itself.
 */
#include "policy/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/matcher.h"

int cedar_request_new(size_t limit, struct cedar_request **ret)
{
	struct cedar_request *rq = calloc(1, sizeof(*rq));

	if (!rq)
		return -ENOMEM;
	rq->mem.limit = limit ? limit : CEDAR_REQUEST_LIMIT_DEFAULT;
	rq->build.mem = &rq->mem;
	*ret = rq;
	return 0;
}

static void free_scratch(struct cedar_request *rq)
{
	free(rq->under[AST_PRINCIPAL]);
	free(rq->under[AST_RESOURCE]);
	free(rq->key_seen);
	free(rq->told_keys);
	free(rq->told_programs);
	free(rq->path);
	free(rq->memo);
	free(rq->match);
	free(rq->tried);
	free(rq->stack);
	free(rq->permits);
	free(rq->forbids);
	free(rq->depending);
	free(rq->failures);
}

void cedar_request_free(struct cedar_request *rq)
{
	if (!rq)
		return;
	build_done(&rq->build);
	arena_done(&rq->mem);
	free_scratch(rq);
	cedar_snapshot_unref(rq->snap);
	free(rq);
}

static int alloc_scratch(struct cedar_request *rq, const struct cedar_snapshot *s, size_t matches,
			 size_t most)
{
	size_t entities = (size_t)s->entities.e.n + 1, policies = (size_t)s->policies.n + 1;
	size_t keys = (size_t)s->index.keys.n + 1;

	rq->under[AST_PRINCIPAL] = calloc(entities, sizeof(uint32_t));
	rq->under[AST_RESOURCE] = calloc(entities, sizeof(uint32_t));
	rq->key_seen = calloc(keys, sizeof(uint32_t));
	rq->told_keys = calloc(keys, sizeof(uint32_t));
	rq->told_programs = calloc(keys, sizeof(*rq->told_programs));
	rq->path = calloc((size_t)s->paths.n + 1, sizeof(*rq->path));
	rq->memo = calloc((size_t)s->conjuncts.n + 1, sizeof(uint32_t));
	rq->match = calloc(matches + 1, sizeof(uint32_t));
	rq->tried = calloc(most / 64 + 1, sizeof(uint64_t));
	rq->stack = malloc(((size_t)s->stack + 1) * sizeof(*rq->stack));
	rq->permits = calloc(policies, sizeof(uint32_t));
	rq->forbids = calloc(policies, sizeof(uint32_t));
	rq->depending = calloc(policies, sizeof(uint32_t));
	rq->failures = calloc(policies, sizeof(*rq->failures));
	return rq->under[AST_PRINCIPAL] && rq->under[AST_RESOURCE] && rq->key_seen && rq->told_keys &&
			       rq->told_programs && rq->path &&
			       rq->memo && rq->match && rq->tried && rq->stack && rq->permits &&
			       rq->forbids && rq->depending && rq->failures
		       ? 0
		       : -ENOMEM;
}

/* Arrays as large as the snapshot wants them. */
static int bind(struct cedar_request *rq, struct cedar_snapshot *s)
{
	struct cedar_request fresh = { 0 };
	size_t matches = 0, most = 0;

	for (uint32_t i = 0; i < s->matchers.n; i++) {
		matches += matcher_count(s->matchers.v[i]);
		if (matcher_count(s->matchers.v[i]) > most)
			most = matcher_count(s->matchers.v[i]);
	}
	if (alloc_scratch(&fresh, s, matches, most) < 0) {
		free_scratch(&fresh);
		return -ENOMEM;
	}
	matches = 0;
	for (uint32_t i = 0; i < s->paths.n; i++) {
		if (!s->paths.v[i].matcher)
			continue;
		fresh.path[i].match = fresh.match + matches;
		matches += matcher_count(s->matchers.v[s->paths.v[i].matcher - 1]);
	}
	if (build_for(&rq->build, s) < 0) {
		free_scratch(&fresh);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fresh.type); i++)
		fresh.type[i].sym = SYM_NONE;
	fresh.mem = rq->mem;
	fresh.build = rq->build;
	fresh.build.mem = &rq->mem;
	fresh.flags = rq->flags;
	free_scratch(rq);
	cedar_snapshot_unref(rq->snap);
	*rq = fresh;
	rq->snap = cedar_snapshot_ref(s);
	return 0;
}

#define EPOCH_MAX (UINT32_MAX >> 2) /* two bits beside it hold an outcome */

void request_next_epoch(struct cedar_request *rq, bool all)
{
	const struct cedar_snapshot *s = rq->snap;

	if (rq->epoch == EPOCH_MAX) {
		memset(rq->under[AST_PRINCIPAL], 0, s->entities.e.n * sizeof(uint32_t));
		memset(rq->under[AST_RESOURCE], 0, s->entities.e.n * sizeof(uint32_t));
		memset(rq->key_seen, 0, s->index.keys.n * sizeof(uint32_t));
		memset(rq->memo, 0, s->conjuncts.n * sizeof(uint32_t));
		for (uint32_t i = 0; i < s->paths.n; i++)
			rq->path[i].epoch = 0;
		memset(rq->marked, 0, sizeof(rq->marked));
		rq->epoch = 0;
		all = true;
	}
	rq->epoch++;
	for (uint32_t i = 0; !all && i < s->paths.n; i++) {
		uint8_t var = s->paths.v[i].var;

		if (rq->path[i].epoch == rq->epoch - 1 &&
		    (var == AST_PRINCIPAL || var == AST_CONTEXT))
			rq->path[i].epoch = rq->epoch;
	}
	rq->since[AST_ACTION] = rq->since[AST_RESOURCE] = rq->epoch;
	if (all)
		rq->since[AST_PRINCIPAL] = rq->since[AST_CONTEXT] = rq->epoch;
}

int cedar_request_begin(struct cedar_request *rq, struct cedar_snapshot *s)
{
	int r = rq->snap == s ? 0 : bind(rq, s);

	if (r < 0)
		return r;
	arena_reset(&rq->mem);
	build_start(&rq->build);
	for (unsigned i = 0; i < ARRAY_SIZE(rq->var); i++)
		rq->var[i] = (struct cval){ .n = ENTITY_UNKNOWN };
	rq->context = (struct cval){ 0 };
	rq->context_unknown = false;
	rq->n_told = 0;
	rq->shaky = false;
	rq->n_permits = rq->n_forbids = rq->n_depending = rq->n_failures = 0;
	return 0;
}

/* Of another type than the last time, or not known to the snapshot. */
static __attribute__((noinline)) int set_other(struct cedar_request *rq, enum ast_var var,
					       struct span type, struct span id)
{
	struct known_type *known = &rq->type[var];
	uint32_t sym = known->sym;
	int r = rq->snap ? build_entity(&rq->build, type, id, &sym, &rq->var[var]) : -EINVAL;

	if (r < 0)
		return r;
	*known = (struct known_type){ .sym = sym };
	if (sym != SYM_NONE) {
		known->name = rq->snap->names.names.v[sym];
		hash_words(0, known->name, &known->last);
	}
	return 0;
}

/* The words of what is short are read once, to be compared. */
static inline bool is_type(const struct known_type *known, struct span type)
{
	if (type.n != known->name.n || !known->name.p)
		return false;
	return type.n <= SHORT_MAX ? words_equal(known->last, words_of(type.p, type.n))
				   : bytes_equal(known->name.p, type.p, type.n);
}

static inline __attribute__((always_inline)) int set_var(struct cedar_request *rq, enum ast_var var,
							 struct span type, struct span id)
{
	const struct cedar_snapshot *s = rq->snap;
	uint32_t n;

	if (!is_type(&rq->type[var], type)) /* nor is there any without a snapshot */
		return set_other(rq, var, type, id);
	n = snapshot_find_typed(s, rq->type[var].sym, id);
	if (n == ENTITY_UNKNOWN)
		return set_other(rq, var, type, id);
	rq->var[var].tag = V_ENTITY;
	rq->var[var].n = n;
	__builtin_prefetch(&s->entities.hot[n]); /* by the time of the decision it is there */
	return 0;
}

int cedar_request_principal(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_PRINCIPAL, type, id);
}

int cedar_request_action(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_ACTION, type, id);
}

int cedar_request_resource(struct cedar_request *rq, struct span type, struct span id)
{
	return set_var(rq, AST_RESOURCE, type, id);
}

struct cedar_build *cedar_request_build(struct cedar_request *rq)
{
	build_start(&rq->build);
	if (!rq->snap)
		cedar_build_fail(&rq->build, -EINVAL);
	return &rq->build;
}

int cedar_request_context(struct cedar_request *rq)
{
	struct cval v;
	int r = build_take(&rq->build, &v);

	if (r == 0 && v.tag != V_RECORD)
		r = -EINVAL;
	if (r < 0)
		return r;
	rq->context = v;
	rq->context_unknown = rq->build.unknown;
	return 0;
}

/* --- entities told with the request ----------------------------------------------------------- */

/* The parents and all that is above them, by number where they have one. */
static int told_ancestors(struct cedar_request *rq, struct cval self,
			  const struct cedar_uid *parents, size_t n, struct entity_view *ret)
{
	uint32_t total = 0, others = 0, *all, k = 0;
	struct cval *parent = arena_array(&rq->mem, n, sizeof(*parent)), *other;
	struct entity_view v;

	if (!parent)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++) {
		int r = build_entity(&rq->build, parents[i].type, parents[i].id,
				     &rq->build.type, &parent[i]);

		if (r < 0)
			return r;
		v = (struct entity_view){ 0 };
		request_view(rq, parent[i], &v);
		total += 1 + v.n_ancestors;
		others += 1 + v.n_others;
	}
	all = arena_array(&rq->mem, total, sizeof(*all));
	other = arena_array(&rq->mem, others, sizeof(*other));
	if (!all || !other)
		return -ENOSPC;
	total = others = 0;
	for (size_t i = 0; i < n; i++) {
		v = (struct entity_view){ 0 };
		request_view(rq, parent[i], &v);
		if (parent[i].n == ENTITY_UNKNOWN)
			other[others++] = parent[i];
		else
			all[total++] = parent[i].n;
		for (uint32_t j = 0; j < v.n_ancestors; j++)
			all[total++] = v.ancestors[j];
		for (uint32_t j = 0; j < v.n_others; j++)
			other[others++] = v.others[j];
	}
	heap_sort(all, total, sizeof(*all), u32_cmp);
	for (uint32_t i = 0; i < total; i++) {
		if (self.n != ENTITY_UNKNOWN && all[i] == self.n)
			return -ELOOP;
		if (k == 0 || all[k - 1] != all[i])
			all[k++] = all[i];
	}
	for (uint32_t i = 0; i < others; i++) {
		if (cval_equal(other[i], self))
			return -ELOOP;
	}
	*ret = (struct entity_view){
		.ancestors = all, .n_ancestors = k, .others = other, .n_others = others
	};
	return 0;
}

int cedar_request_entity(struct cedar_request *rq, struct cedar_uid uid, bool attrs,
			 const struct cedar_uid *parents, size_t n_parents)
{
	struct told_entity t = { 0 };
	struct entity_view there;
	struct cval rec = { 0 };
	int r = rq->snap ? 0 : -EINVAL;

	if (r == 0 && attrs)
		r = build_take(&rq->build, &rec);
	if (r == 0 && attrs && (rec.tag != V_RECORD || rq->build.unknown))
		r = -EINVAL;
	build_start(&rq->build);
	if (r == 0 && rq->n_told == CEDAR_REQUEST_ENTITIES_MAX)
		r = -ENOSPC;
	if (r == 0 && n_parents > UINT32_MAX / 2)
		r = -EINVAL;
	if (r == 0)
		r = build_entity(&rq->build, uid.type, uid.id, &rq->build.type, &t.uid);
	if (r == 0 && request_view(rq, t.uid, &there))
		r = -EEXIST;
	if (r == 0)
		r = told_ancestors(rq, t.uid, parents, n_parents, &t.view);
	if (r < 0)
		return r;
	t.view.attrs = attrs ? rec.record : NULL;
	rq->told[rq->n_told++] = t;
	return 0;
}

/* --- what operators ask ----------------------------------------------------------------------- */

bool request_view(struct cedar_request *rq, struct cval entity, struct entity_view *ret)
{
	if (entity.n != ENTITY_UNKNOWN && rq->snap->entities.e.v[entity.n].present) {
		const struct centity *e = &rq->snap->entities.e.v[entity.n];

		*ret = (struct entity_view){ e->attrs,       e->tags, e->ancestors,
					     e->n_ancestors, NULL,    0 };
		return true;
	}
	rq->outside++;
	for (uint32_t i = 0; i < rq->n_told; i++) {
		if (cval_equal(rq->told[i].uid, entity)) {
			*ret = rq->told[i].view;
			return true;
		}
	}
	return false;
}

void request_mark(struct cedar_request *rq, enum ast_var var)
{
	uint32_t epoch = rq->since[var], *under = rq->under[var];

	if (rq->var[var].n != ENTITY_UNKNOWN)
		under[rq->var[var].n] = epoch;
	for (uint32_t i = 0; i < rq->n_above[var]; i++)
		under[rq->above[var][i]] = epoch;
	rq->marked[var] = epoch;
}

bool has_number(const uint32_t *v, uint32_t n, uint32_t x)
{
	uint32_t lo = 0;

	while (lo < n) {
		uint32_t mid = lo + (n - lo) / 2;

		if (v[mid] == x)
			return true;
		if (v[mid] < x)
			lo = mid + 1;
		else
			n = mid;
	}
	return false;
}

bool request_is_in(struct cedar_request *rq, struct cval a, struct cval b)
{
	struct entity_view v;

	if (cval_equal(a, b))
		return true;
	if (a.n != ENTITY_UNKNOWN && b.n != ENTITY_UNKNOWN) {
		if (a.n == rq->var[AST_PRINCIPAL].n)
			return request_under(rq, AST_PRINCIPAL, b.n);
		if (a.n == rq->var[AST_RESOURCE].n) {
			/* Named by its own name it is as good as looked for. */
			rq->outside += !rq->snap->entities.e.v[a.n].present;
			return request_under(rq, AST_RESOURCE, b.n);
		}
	}
	if (!request_view(rq, a, &v))
		return false;
	if (b.n != ENTITY_UNKNOWN)
		return has_number(v.ancestors, v.n_ancestors, b.n);
	for (uint32_t i = 0; i < v.n_others; i++) {
		if (cval_equal(v.others[i], b))
			return true;
	}
	return false;
}

uint32_t request_type(const struct cedar_request *rq, struct cval entity)
{
	if (entity.n != ENTITY_UNKNOWN)
		return rq->snap->entities.e.v[entity.n].type;
	return intern_find(&rq->snap->names, entity.uid->type);
}
