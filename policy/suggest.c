// SPDX-License-Identifier: Apache-2.0
/* What the author of a policy may have meant: the name nearest to one that is not there. */
#include <stdio.h>
#include <stdlib.h>

#include "policy/validate.h"

#define NAME_MAX_COMPARED 64 /* bytes; longer ones are not compared */
#define CANDIDATES_MAX 4096 /* names looked at for one suggestion */
#define SUGGESTIONS_MAX 64 /* looked for in one policy */
#define FAR 1000u

/* Edits (insert, delete, replace, swap of neighbours) that lead from a to b, FAR when too long. */
static unsigned distance(struct span a, struct span b)
{
	unsigned row[3][NAME_MAX_COMPARED + 1];
	unsigned *before = row[0], *last = row[1], *now = row[2];

	if (a.n > NAME_MAX_COMPARED || b.n > NAME_MAX_COMPARED)
		return FAR;
	for (unsigned k = 0; k <= b.n; k++)
		last[k] = k;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *t = before;

		now[0] = i;
		for (unsigned k = 1; k <= b.n; k++) {
			unsigned d = last[k - 1] + (a.p[i - 1] != b.p[k - 1]);

			if (d > last[k] + 1)
				d = last[k] + 1;
			if (d > now[k - 1] + 1)
				d = now[k - 1] + 1;
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] &&
			    a.p[i - 2] == b.p[k - 1] && d > before[k - 2] + 1)
				d = before[k - 2] + 1;
			now[k] = d;
		}
		before = last;
		last = now;
		now = t;
	}
	return last[b.n];
}

struct nearest {
	struct span name;
	unsigned distance, limit, seen;
	struct span best, prefix;
};

static struct nearest start(struct span name)
{
	/* A third of the name may differ, but one letter is not a likeness. */
	return (struct nearest){ .name = name, .distance = FAR, .limit = (unsigned)(name.n + 2) / 3 };
}

static void offer(struct nearest *n, struct span prefix, struct span candidate)
{
	unsigned d;

	if (n->seen++ >= CANDIDATES_MAX || n->name.n > NAME_MAX_COMPARED)
		return;
	d = distance(n->name, candidate);
	if (d <= n->limit && d < n->distance && d < candidate.n) {
		n->distance = d;
		n->best = candidate;
		n->prefix = prefix;
	}
}

static const char *words(struct checker *c, const struct nearest *n)
{
	bool uid = n->prefix.p != NULL;
	size_t size = n->prefix.n + n->best.n + 40;
	char *p;

	if (n->distance == FAR)
		return NULL;
	p = arena_alloc(&c->policy_mem, size);
	if (p)
		snprintf(p, size, "did you mean `%.*s%s%.*s%s`?", (int)n->prefix.n,
			 uid ? n->prefix.p : "", uid ? "::\"" : "", (int)n->best.n, n->best.p,
			 uid ? "\"" : "");
	return p;
}

static bool may_suggest(struct checker *c)
{
	return c->loud && c->suggested++ < SUGGESTIONS_MAX;
}

const char *suggest_type(struct checker *c, struct span name)
{
	struct nearest n = start(name);

	if (!may_suggest(c))
		return NULL;
	for (uint32_t i = 0; i < c->s->etypes.n; i++) {
		struct span full = c->s->etypes.v[i].name;
		const char *last = memrchr(full.p, ':', full.n);

		offer(&n, (struct span){ NULL, 0 }, full);
		/* The namespace left out is the commonest slip. */
		if (last && span_eq((struct span){ last + 1, full.n - (size_t)(last + 1 - full.p) },
				    name)) {
			n.best = full;
			n.distance = 0;
		}
	}
	return words(c, &n);
}

const char *suggest_action(struct checker *c, struct span type, struct span id)
{
	struct nearest n = start(id);

	if (!may_suggest(c))
		return NULL;
	for (uint32_t i = 0; i < c->s->actions.n; i++) {
		const struct schema_action *a = &c->s->actions.v[i];

		offer(&n, c->s->etypes.v[a->etype].name, a->id);
	}
	return words(c, &n);
}

const char *suggest_attr(struct checker *c, const struct type *record, struct span name)
{
	struct nearest n = start(name);

	if (!may_suggest(c))
		return NULL;
	for (uint32_t i = 0; i < record->n; i++)
		offer(&n, (struct span){ NULL, 0 }, record->attrs[i].name);
	return words(c, &n);
}

const char *suggest_id(struct checker *c, const struct schema_etype *t, struct span id)
{
	struct nearest n = start(id);

	if (!may_suggest(c))
		return NULL;
	for (uint32_t i = 0; i < t->n_ids; i++)
		offer(&n, t->name, t->ids[i]);
	return words(c, &n);
}
