// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots: what policies and entities become, immutable once made. This file owns their life,
 * their names and what can be asked about them; loading and compiling have files of their own.
 */
#include "policy/snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/text.h"

/* --- entities by name ------------------------------------------------------------------------- */

uint32_t snapshot_find_entity(const struct cedar_snapshot *s, struct span type, struct span id)
{
	return snapshot_find_typed(s, intern_find(&s->names, type), id);
}

static void put_entity(struct cedar_snapshot *s, struct centity_slot *slot, uint32_t mask, uint32_t n)
{
	const struct centity *e = &s->entities.e.v[n];
	struct centity_slot to = { .type = e->type, .length = (uint32_t)e->id.n, .n = n + 1 };
	uint32_t i = uid_hash(s->seed, e->type, e->id, &to.last) & mask;

	while (slot[i].n)
		i = (i + 1) & mask;
	slot[i] = to;
}

/* A second look at the table is one that a processor does not foresee, so there is room while the
 * whole table is near anyway: 512 KiB. */
#define SPARSE_MAX (1u << 14)

static bool is_full(const struct centities *t)
{
	return !t->slot || t->e.n >= (t->mask < SPARSE_MAX ? t->mask / 4 : t->mask / 2);
}

static int grow_entities(struct cedar_snapshot *s)
{
	struct centities *t = &s->entities;
	uint32_t slots = t->slot ? (t->mask + 1) * 2 : 64;
	struct centity_slot *slot;

	if (t->mask >= UINT32_MAX / 4)
		return -ENOMEM;
	slot = calloc(slots, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t k = 0; k < t->e.n; k++)
		put_entity(s, slot, slots - 1, k);
	free(t->slot);
	t->slot = slot;
	t->mask = slots - 1;
	return 0;
}

int snapshot_symbol(struct cedar_snapshot *s, struct span name, uint32_t *ret)
{
	uint32_t sym = intern_find(&s->names, name);

	if (sym == SYM_NONE) {
		name = arena_copy(&s->mem, name);
		return name.p ? intern_add(&s->names, name, ret) : -ENOMEM;
	}
	*ret = sym;
	return 0;
}

int snapshot_add_entity(struct cedar_snapshot *s, struct span type, struct span id, uint32_t *ret)
{
	struct centities *t = &s->entities;
	struct centity e = { 0 };
	uint32_t n;
	int r = id.n <= UINT32_MAX ? snapshot_symbol(s, type, &e.type) : -ENOMEM;

	if (r < 0)
		return r;
	n = snapshot_find_typed(s, e.type, id);
	if (n != ENTITY_UNKNOWN) {
		*ret = n;
		return 0;
	}
	if (is_full(t)) {
		r = grow_entities(s);
		if (r < 0)
			return r;
	}
	e.id = arena_copy(&s->mem, id);
	if (!e.id.p)
		return -ENOMEM;
	r = vec_push(&t->e, e);
	if (r < 0)
		return r;
	put_entity(s, t->slot, t->mask, t->e.n - 1);
	*ret = t->e.n - 1;
	return 0;
}

/* --- values ----------------------------------------------------------------------------------- */

static int import_set(struct cedar_snapshot *s, const struct cset *from, struct cval *ret)
{
	struct cset *to = cset_new(&s->mem, from->n);

	if (!to)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->n; i++) {
		int r = snapshot_import(s, from->v[i], &to->v[i]);

		if (r < 0)
			return r;
	}
	cset_canonical(to);
	*ret = (struct cval){ .tag = V_SET, .set = to };
	return 0;
}

static int import_record(struct cedar_snapshot *s, const struct crecord *from, struct cval *ret)
{
	struct crecord *to = crecord_new(&s->mem, from->n);

	if (!to)
		return -ENOMEM;
	for (uint32_t i = 0; i < from->n; i++) {
		struct span name = { from->m[i].name, from->m[i].n };
		struct cmember *m = &to->m[i];
		int r = snapshot_symbol(s, name, &m->sym);

		if (r == 0)
			r = snapshot_import(s, from->m[i].v, &m->v);
		if (r < 0)
			return r;
		m->name = s->names.names.v[m->sym].p;
		m->n = (uint32_t)name.n;
	}
	heap_sort(to->m, to->n, sizeof(to->m[0]), cmember_cmp);
	*ret = (struct cval){ .tag = V_RECORD, .record = to };
	return 0;
}

int snapshot_import(struct cedar_snapshot *s, struct cval v, struct cval *ret)
{
	struct cip *ip;
	struct span copy;
	int r;

	switch ((enum cval_tag)v.tag) {
	case V_STRING:
		copy = arena_copy(&s->mem, cval_span(v));
		if (!copy.p)
			return -ENOMEM;
		*ret = cval_string(copy);
		return 0;
	case V_ENTITY:
		r = v.n == ENTITY_UNKNOWN ? snapshot_add_entity(s, v.uid->type, v.uid->id, &v.n)
					  : 0;
		if (r == 0)
			*ret = (struct cval){ .tag = V_ENTITY, .n = v.n };
		return r;
	case V_SET:
		return import_set(s, v.set, ret);
	case V_RECORD:
		return import_record(s, v.record, ret);
	case V_IP:
		ip = arena_alloc(&s->mem, sizeof(*ip));
		if (!ip)
			return -ENOMEM;
		*ip = *v.ip;
		*ret = (struct cval){ .tag = V_IP, .ip = ip };
		return 0;
	default:
		*ret = v;
		return 0;
	}
}

/* --- life ------------------------------------------------------------------------------------- */

static void snapshot_free(struct cedar_snapshot *s)
{
	intern_done(&s->names);
	free(s->entities.e.v);
	free(s->entities.hot);
	free(s->entities.own);
	free(s->entities.slot);
	free(s->policies.v);
	free(s->cold.v);
	free(s->texts.v);
	free(s->parts.v);
	free(s->conjuncts.v);
	free(s->paths.v);
	free(s->matchers.v);
	free(s->code.v);
	free(s->where.v);
	free(s->consts.v);
	free(s->patterns.v);
	free(s->chains.v);
	free(s->shapes.v);
	free(s->index.keys.v);
	free(s->index.actions.v);
	free(s->index.action_keys.v);
	free(s->index.programs.v);
	free(s->index.literals.v);
	free(s->index.scopes.v);
	free(s->index.anchors.v);
	free(s->index.nodes.v);
	free(s->index.leaves.v);
	free(s->index.switches.v);
	free(s->alternatives.v);
	free(s->index.slots.v);
	free(s->index.pair_sets.v);
	free(s->index.pairs.v);
	free(s->index.pair_nodes.v);
	free(s->index.numbers.v);
	arena_done(&s->mem);
	free(s);
}

int cedar_snapshot_new(const struct cedar_policies *ps, const struct cedar_entities *es,
		       struct cedar_error *error, struct cedar_snapshot **ret)
{
	struct cedar_snapshot *s = calloc(1, sizeof(*s));
	int r = 0;

	*error = (struct cedar_error){ 0 };
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	s->seed = s->names.seed = hash_seed();
	if (es)
		r = load_entities(s, es, error);
	if (r == 0)
		r = compile_policies(s, ps, error);
	if (r == 0)
		r = index_build(s, ps);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

struct cedar_snapshot *cedar_snapshot_ref(struct cedar_snapshot *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void cedar_snapshot_unref(struct cedar_snapshot *s)
{
	if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		snapshot_free(s);
}

/* --- questions -------------------------------------------------------------------------------- */

void snapshot_place(const struct cedar_snapshot *s, uint32_t policy, uint32_t offset,
		    uint32_t *ret_line, uint32_t *ret_column)
{
	const struct cpolicy_cold *c = &s->cold.v[policy];
	struct span text = s->texts.v[c->text].text;
	uint32_t line, column;

	text_place((struct span){ text.p + c->pos, text.n - c->pos }, offset - c->pos, &line,
		   &column);
	*ret_line = c->line + line - 1;
	*ret_column = line == 1 ? c->column + column - 1 : column;
}

size_t cedar_snapshot_policies(const struct cedar_snapshot *s)
{
	return s->policies.n;
}

bool cedar_snapshot_has(const struct cedar_snapshot *s, struct cedar_uid uid)
{
	uint32_t n = snapshot_find_entity(s, uid.type, uid.id);

	return n != ENTITY_UNKNOWN && s->entities.e.v[n].present;
}

void cedar_snapshot_policy(const struct cedar_snapshot *s, uint32_t policy,
			   struct cedar_policy_info *ret)
{
	const struct cpolicy_cold *c;

	*ret = (struct cedar_policy_info){ .id = "", .text_name = "" };
	if (policy >= s->policies.n)
		return;
	c = &s->cold.v[policy];
	ret->id = c->id;
	ret->effect = (enum cedar_effect)s->policies.v[policy].effect;
	ret->text_name = s->texts.v[c->text].name.p;
	ret->line = c->line;
	ret->column = c->column;
}

const char *cedar_snapshot_annotation(const struct cedar_snapshot *s, uint32_t policy,
				      const char *key)
{
	const struct cpolicy_cold *c = policy < s->cold.n ? &s->cold.v[policy] : NULL;

	for (uint32_t i = 0; c && i < c->n_annotations; i++) {
		if (strcmp(c->annotations[i].key, key) == 0)
			return c->annotations[i].value;
	}
	return NULL;
}
