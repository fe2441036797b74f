// SPDX-License-Identifier: Apache-2.0
/* One walk over a string instead of a search for each pattern. Built with a snapshot, read only
 * afterwards. */
#include "policy/matcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Entries of an automaton's table, 4 bytes each: beyond, patterns are tried one by one. */
#define TABLE_MAX (4u << 20)

struct found {
	uint32_t i, next; /* of ids; next + 1 in outs, 0: the last */
};

/* Bytes that occur in no part share class 0, so a state takes a word for each of the others. */
struct automaton {
	uint8_t class_of[256];
	uint32_t classes, states;
	uint32_t *next; /* [state][class]; 0: back to the root, or dead in a trie */
	uint32_t *hit; /* the state itself or the longest suffix of it that ends a part; 0: none */
	uint32_t *suffix; /* for a state that ends a part: the next shorter one */
	uint32_t *out; /* index in outs + 1 */
	struct found *outs;
	uint32_t n_outs;
};

struct cmatcher {
	uint32_t n;
	uint32_t *ids; /* the parts know the patterns by their place here */
	struct automaton front, anywhere;
	uint32_t *rest; /* patterns without a literal part */
	uint32_t n_rest;
};

static struct span longest(const struct pattern *p)
{
	struct span s = p->run[0];

	for (uint32_t i = 1; i < p->n; i++) {
		if (p->run[i].n > s.n)
			s = p->run[i];
	}
	return s;
}

/* What is sought for a pattern, and where: its first run at the front, else its longest. */
static struct span part_of(const struct pattern *p, bool *ret_front)
{
	*ret_front = p->run[0].n > 0;
	return *ret_front ? p->run[0] : longest(p);
}

static bool belongs(const struct pattern *p, bool front, struct span *ret)
{
	bool is_front;

	*ret = part_of(p, &is_front);
	return ret->n > 0 && is_front == front;
}

static bool size_automaton(struct automaton *a, const struct pattern *all, const uint32_t *ids,
			   uint32_t n, bool front)
{
	uint64_t states = 1;
	struct span part;

	a->classes = 1;
	for (uint32_t i = 0; i < n; i++) {
		if (!belongs(&all[ids[i]], front, &part))
			continue;
		states += part.n;
		a->n_outs++;
		for (size_t k = 0; k < part.n; k++) {
			uint8_t *c = &a->class_of[(unsigned char)part.p[k]];

			if (!*c && a->classes < UINT8_MAX)
				*c = (uint8_t)a->classes++;
		}
	}
	/* All 256 values in use leaves none for "other", and one too many for the class. */
	if (a->classes == UINT8_MAX || states * a->classes > TABLE_MAX)
		return false;
	a->states = (uint32_t)states;
	return true;
}

static int alloc_automaton(struct arena *mem, struct automaton *a)
{
	size_t states = a->states;

	a->next = arena_zalloc(mem, states * a->classes * sizeof(uint32_t));
	a->hit = arena_zalloc(mem, states * sizeof(uint32_t));
	a->suffix = arena_zalloc(mem, states * sizeof(uint32_t));
	a->out = arena_zalloc(mem, states * sizeof(uint32_t));
	a->outs = arena_array(mem, a->n_outs, sizeof(*a->outs));
	return a->next && a->hit && a->suffix && a->out && a->outs ? 0 : -ENOMEM;
}

static void fill_trie(struct automaton *a, const struct pattern *all, const uint32_t *ids,
		      uint32_t n, bool front)
{
	uint32_t states = 1, outs = 0;
	struct span part;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = 0;

		if (!belongs(&all[ids[i]], front, &part))
			continue;
		for (size_t k = 0; k < part.n; k++) {
			uint32_t *next = &a->next[at * a->classes +
						  a->class_of[(unsigned char)part.p[k]]];

			if (!*next)
				*next = states++;
			at = *next;
		}
		a->outs[outs] = (struct found){ i, a->out[at] };
		a->out[at] = ++outs;
		a->hit[at] = at;
	}
	a->states = states;
}

/* Breadth first: where a part breaks off, what has been read may be the beginning of another. */
static int link_suffixes(struct automaton *a)
{
	uint32_t *queue = calloc(a->states, sizeof(*queue)), head = 0, tail = 0;
	uint32_t *fail = calloc(a->states, sizeof(*fail));

	if (!queue || !fail) {
		free(queue);
		free(fail);
		return -ENOMEM;
	}
	queue[tail++] = 0;
	while (head < tail) {
		uint32_t at = queue[head++], *row = &a->next[at * a->classes];
		const uint32_t *back = &a->next[fail[at] * a->classes];

		if (a->hit[at])
			a->suffix[at] = a->hit[fail[at]];
		else
			a->hit[at] = a->hit[fail[at]];
		for (uint32_t c = 1; c < a->classes; c++) {
			if (row[c]) {
				fail[row[c]] = at ? back[c] : 0;
				queue[tail++] = row[c];
			} else if (at) {
				row[c] = back[c];
			}
		}
	}
	free(queue);
	free(fail);
	return 0;
}

int matcher_new(struct arena *mem, const struct pattern *all, const uint32_t *ids, uint32_t n,
		struct cmatcher **ret)
{
	struct cmatcher *m = arena_zalloc(mem, sizeof(*m));
	struct span part;
	bool front;

	*ret = NULL;
	if (!m)
		return -ENOMEM;
	m->n = n;
	m->ids = arena_array(mem, n, sizeof(*m->ids));
	m->rest = arena_array(mem, n, sizeof(*m->rest));
	if (!m->ids || !m->rest)
		return -ENOMEM;
	memcpy(m->ids, ids, n * sizeof(*ids));
	if (!size_automaton(&m->front, all, ids, n, true) ||
	    !size_automaton(&m->anywhere, all, ids, n, false))
		return 0;
	if (alloc_automaton(mem, &m->front) < 0 || alloc_automaton(mem, &m->anywhere) < 0)
		return -ENOMEM;
	fill_trie(&m->front, all, ids, n, true);
	fill_trie(&m->anywhere, all, ids, n, false);
	for (uint32_t i = 0; i < n; i++) {
		part = part_of(&all[ids[i]], &front);
		if (part.n == 0)
			m->rest[m->n_rest++] = ids[i];
	}
	if (link_suffixes(&m->anywhere) < 0)
		return -ENOMEM;
	*ret = m;
	return 0;
}

uint32_t matcher_count(const struct cmatcher *m)
{
	return m->n;
}

/* One run: what was matched, and what need not be tried again. A part may be found any number of
 * times in a long string, its pattern must not be matched as often. */
struct walk {
	const struct cmatcher *m;
	const struct pattern *all;
	struct span s;
	uint64_t *tried;
	uint32_t n_tried, n;
	uint32_t *ret;
};

static void take(struct walk *w, uint32_t id)
{
	if (pattern_match(&w->all[id], w->s))
		w->ret[w->n++] = id;
}

static void run_front(struct walk *w)
{
	const struct automaton *a = &w->m->front;
	uint32_t at = 0;

	for (size_t i = 0; i < w->s.n; i++) {
		at = a->next[at * a->classes + a->class_of[(unsigned char)w->s.p[i]]];
		if (!at)
			break;
		for (uint32_t k = a->out[at]; k; k = a->outs[k - 1].next)
			take(w, w->m->ids[a->outs[k - 1].i]);
	}
}

static void take_parts(struct walk *w, uint32_t state)
{
	const struct automaton *a = &w->m->anywhere;

	for (uint32_t h = a->hit[state]; h; h = a->suffix[h]) {
		for (uint32_t k = a->out[h]; k; k = a->outs[k - 1].next) {
			uint32_t i = a->outs[k - 1].i;

			if (w->tried[i / 64] >> i % 64 & 1)
				continue;
			w->tried[i / 64] |= 1ULL << i % 64;
			w->n_tried++;
			take(w, w->m->ids[i]);
		}
	}
}

static void run_anywhere(struct walk *w)
{
	const struct automaton *a = &w->m->anywhere;
	uint32_t at = 0;

	memset(w->tried, 0, (w->m->n + 63) / 64 * sizeof(*w->tried));
	for (size_t i = 0; i < w->s.n && w->n_tried < a->n_outs; i++) {
		at = a->next[at * a->classes + a->class_of[(unsigned char)w->s.p[i]]];
		if (a->hit[at])
			take_parts(w, at);
	}
}

uint32_t matcher_run(const struct cmatcher *m, const struct pattern *all, struct span s,
		     uint64_t *tried, uint32_t *ret)
{
	struct walk w = { .m = m, .all = all, .s = s, .tried = tried, .ret = ret };

	run_front(&w);
	if (m->anywhere.n_outs)
		run_anywhere(&w);
	for (uint32_t i = 0; i < m->n_rest; i++)
		take(&w, m->rest[i]);
	return w.n;
}
