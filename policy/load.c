// SPDX-License-Identifier: Apache-2.0
/*
 * Entities into a snapshot: duplicates, cycles, and for each entity the sorted list of all its
 * ancestors. Entities with the same single parent share one list.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/entity.h"
#include "policy/snapshot.h"
#include "policy/text.h"

/* Ancestors of all entities together; a chain of n entities has n*n/2 of them. */
#define ANCESTORS_MAX (16u << 20)
#define SHOWN_MAX 80 /* bytes of an id in a message */

struct list {
	const uint32_t *v;
	uint32_t n;
};

struct loader {
	struct cedar_snapshot *s;
	const struct cedar_entities *es;
	struct cedar_error *error;
	uint32_t *number; /* of each told entity; ENTITY_UNKNOWN for a repetition */
	uint32_t *told; /* for each number: which told entity it is, or UINT32_MAX */
	uint32_t *parents; /* numbers, for each of es->parents */
	uint32_t *waiting; /* for each number: parents without list yet */
	struct list *with_self; /* for each number: itself and its ancestors, when needed */
	uint32_t total;
};

static int entity_error(struct loader *l, int r, const struct cedar_uid *uid, const char *what)
{
	error_set(l->error, NULL, 0, "entity %.*s::\"%.*s\": %s",
		  (int)(uid->type.n > SHOWN_MAX ? SHOWN_MAX : uid->type.n), uid->type.p,
		  (int)(uid->id.n > SHOWN_MAX ? SHOWN_MAX : uid->id.n), uid->id.p, what);
	return r;
}

static bool same_record(const struct crecord *a, const struct crecord *b)
{
	bool a_empty = !a || a->n == 0, b_empty = !b || b->n == 0;

	if (a_empty || b_empty)
		return a_empty && b_empty;
	return cval_equal((struct cval){ .tag = V_RECORD, .record = a },
			  (struct cval){ .tag = V_RECORD, .record = b });
}

/* Sorted without repetitions; the new length. */
static uint32_t sort_numbers(uint32_t *v, uint32_t n)
{
	uint32_t k = 0;

	heap_sort(v, n, sizeof(*v), u32_cmp);
	for (uint32_t i = 0; i < n; i++) {
		if (k == 0 || v[k - 1] != v[i])
			v[k++] = v[i];
	}
	return k;
}

/* The parents of a told entity get sorted, without repetitions. */
static struct list parents_of(const struct loader *l, uint32_t told)
{
	const struct sentity *e = &l->es->e.v[told];

	return (struct list){ l->parents + e->parent, e->n_parents };
}

/* Numbers for all entities and parents. The same entity may be told twice if nothing differs. */
static int number_entities(struct loader *l, uint32_t *n_parents)
{
	const struct cedar_entities *es = l->es;

	for (uint32_t i = 0; i < es->e.n; i++) {
		const struct sentity *e = &es->e.v[i];
		uint32_t *first = l->parents + e->parent;
		int r = snapshot_add_entity(l->s, e->uid.type, e->uid.id, &l->number[i]);

		for (uint32_t k = 0; r == 0 && k < e->n_parents; k++) {
			const struct cedar_uid *p = &es->parents.v[e->parent + k];

			r = snapshot_add_entity(l->s, p->type, p->id, &first[k]);
		}
		if (r < 0)
			return r;
		n_parents[i] = sort_numbers(first, e->n_parents);
	}
	return 0;
}

static int check_repetitions(struct loader *l, uint32_t *n_parents)
{
	for (uint32_t i = 0; i < l->es->e.n; i++) {
		uint32_t first = l->told[l->number[i]];
		const struct sentity *e = &l->es->e.v[i], *f;

		if (first == UINT32_MAX) {
			l->told[l->number[i]] = i;
			l->s->entities.e.v[l->number[i]].present = true;
			continue;
		}
		f = &l->es->e.v[first];
		if (!same_record(e->attrs, f->attrs) || !same_record(e->tags, f->tags) ||
		    n_parents[i] != n_parents[first] ||
		    memcmp(parents_of(l, i).v, parents_of(l, first).v,
			   n_parents[i] * sizeof(uint32_t)) != 0)
			return entity_error(l, -EINVAL, &e->uid,
					    "given twice with different content");
		l->number[i] = ENTITY_UNKNOWN;
	}
	return 0;
}

static int import_attributes(struct loader *l)
{
	for (uint32_t i = 0; i < l->es->e.n; i++) {
		const struct sentity *e = &l->es->e.v[i];
		const struct crecord *from[2] = { e->attrs, e->tags }, *to[2] = { NULL, NULL };
		struct cval v;

		if (l->number[i] == ENTITY_UNKNOWN)
			continue;
		for (unsigned k = 0; k < 2; k++) {
			int r = from[k] ? snapshot_import(l->s,
							  (struct cval){ .tag = V_RECORD,
									 .record = from[k] },
							  &v)
					: 0;
			if (r < 0)
				return r;
			if (from[k])
				to[k] = v.record;
		}
		l->s->entities.e.v[l->number[i]].attrs = to[0];
		l->s->entities.e.v[l->number[i]].tags = to[1];
	}
	return 0;
}

/* --- ancestors -------------------------------------------------------------------------------- */

static int too_many(struct loader *l)
{
	error_set(l->error, NULL, 0, "the entities have more than %u ancestors together",
		  ANCESTORS_MAX);
	return -E2BIG;
}

/* The list that all entities with this one parent share. */
static int list_with_self(struct loader *l, uint32_t parent, struct list *ret)
{
	const struct centity *p = &l->s->entities.e.v[parent];
	uint32_t n = p->n_ancestors + 1, *v;

	if (!l->with_self[parent].v) {
		if (n > ANCESTORS_MAX - l->total)
			return too_many(l);
		v = arena_array(&l->s->mem, n, sizeof(*v));
		if (!v)
			return -ENOMEM;
		if (p->n_ancestors)
			memcpy(v, p->ancestors, p->n_ancestors * sizeof(*v));
		v[p->n_ancestors] = parent;
		l->total += n;
		l->with_self[parent] = (struct list){ v, sort_numbers(v, n) };
	}
	*ret = l->with_self[parent];
	return 0;
}

static int list_of_many(struct loader *l, struct list parents, struct list *ret)
{
	uint64_t n = 0;
	uint32_t *v, k = 0;

	for (uint32_t i = 0; i < parents.n; i++)
		n += 1 + l->s->entities.e.v[parents.v[i]].n_ancestors;
	if (n > ANCESTORS_MAX - l->total)
		return too_many(l);
	v = arena_array(&l->s->mem, n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < parents.n; i++) {
		const struct centity *p = &l->s->entities.e.v[parents.v[i]];

		v[k++] = parents.v[i];
		if (p->n_ancestors)
			memcpy(v + k, p->ancestors, p->n_ancestors * sizeof(*v));
		k += p->n_ancestors;
	}
	l->total += k;
	*ret = (struct list){ v, sort_numbers(v, k) };
	return 0;
}

static int set_ancestors(struct loader *l, uint32_t number, struct list parents)
{
	struct list all = { 0 };
	int r = parents.n == 0   ? 0
		: parents.n == 1 ? list_with_self(l, parents.v[0], &all)
				 : list_of_many(l, parents, &all);

	if (r < 0)
		return r;
	l->s->entities.e.v[number].ancestors = all.v;
	l->s->entities.e.v[number].n_ancestors = all.n;
	return 0;
}

struct child_table {
	uint32_t *first; /* for each number, in kid; one more at the end */
	uint32_t *kid;
};

static int list_children(const struct loader *l, const uint32_t *n_parents, struct child_table *ret)
{
	uint32_t n = l->s->entities.e.n, *first, *kid, *at;

	first = calloc((size_t)n + 2, sizeof(*first));
	kid = calloc((size_t)l->es->parents.n + 1, sizeof(*kid));
	if (!first || !kid) {
		free(first);
		free(kid);
		return -ENOMEM;
	}
	at = first + 1; /* filled one place ahead, so that in the end first[i] begins i */
	for (uint32_t i = 0; i < l->es->e.n; i++) {
		for (uint32_t k = 0; l->number[i] != ENTITY_UNKNOWN && k < n_parents[i]; k++)
			at[parents_of(l, i).v[k] + 1]++;
	}
	for (uint32_t i = 0; i < n; i++)
		at[i + 1] += at[i];
	for (uint32_t i = 0; i < l->es->e.n; i++) {
		for (uint32_t k = 0; l->number[i] != ENTITY_UNKNOWN && k < n_parents[i]; k++)
			kid[at[parents_of(l, i).v[k]]++] = l->number[i];
	}
	*ret = (struct child_table){ first, kid };
	return 0;
}

/* From the roots down (Kahn): an entity's turn comes when all its parents had theirs. */
static int close_over(struct loader *l, const uint32_t *n_parents,
		      const struct child_table *children, uint32_t *queue)
{
	uint32_t n = l->s->entities.e.n, head = 0, tail = 0;

	for (uint32_t i = 0; i < n; i++) {
		l->waiting[i] = l->told[i] == UINT32_MAX ? 0 : n_parents[l->told[i]];
		if (l->waiting[i] == 0)
			queue[tail++] = i;
	}
	while (head < tail) {
		uint32_t e = queue[head++], told = l->told[e];
		struct list parents = { NULL, 0 };
		int r;

		if (told != UINT32_MAX)
			parents = (struct list){ parents_of(l, told).v, n_parents[told] };
		r = set_ancestors(l, e, parents);
		if (r < 0)
			return r;
		for (uint32_t k = children->first[e]; k < children->first[e + 1]; k++) {
			if (--l->waiting[children->kid[k]] == 0)
				queue[tail++] = children->kid[k];
		}
	}
	for (uint32_t i = 0; i < n; i++) {
		if (l->waiting[i])
			return entity_error(l, -EINVAL, &l->es->e.v[l->told[i]].uid,
					    "is its own ancestor, or below an entity that is");
	}
	return 0;
}

static int load(struct loader *l, uint32_t *n_parents)
{
	struct child_table children = { 0 };
	uint32_t *queue = NULL, n;
	int r = number_entities(l, n_parents);

	if (r < 0)
		return r;
	n = l->s->entities.e.n;
	l->told = malloc(n * sizeof(*l->told) + 1);
	l->waiting = calloc((size_t)n + 1, sizeof(*l->waiting));
	l->with_self = calloc((size_t)n + 1, sizeof(*l->with_self));
	queue = calloc((size_t)n + 1, sizeof(*queue));
	r = l->told && l->waiting && l->with_self && queue ? 0 : -ENOMEM;
	if (r == 0) {
		memset(l->told, 0xff, n * sizeof(*l->told));
		r = check_repetitions(l, n_parents);
	}
	if (r == 0)
		r = list_children(l, n_parents, &children);
	if (r == 0)
		r = close_over(l, n_parents, &children, queue);
	if (r == 0)
		r = import_attributes(l);
	free(queue);
	free(children.first);
	free(children.kid);
	return r;
}

int load_entities(struct cedar_snapshot *s, const struct cedar_entities *es,
		  struct cedar_error *error)
{
	struct loader l = { .s = s, .es = es, .error = error };
	uint32_t *n_parents = calloc((size_t)es->e.n + 1, sizeof(*n_parents));
	int r = -ENOMEM;

	l.number = calloc((size_t)es->e.n + 1, sizeof(*l.number));
	l.parents = calloc((size_t)es->parents.n + 1, sizeof(*l.parents));
	if (l.number && l.parents && n_parents)
		r = load(&l, n_parents);
	free(n_parents);
	free(l.number);
	free(l.parents);
	free(l.told);
	free(l.waiting);
	free(l.with_self);
	return r;
}
