// SPDX-License-Identifier: Apache-2.0
/* Looking up in a resolved schema. */
#include <stdlib.h>

#include "policy/schema.h"
#include "policy/value.h"

bool name_is_action(struct span type)
{
	static const char name[] = "Action";
	size_t n = sizeof(name) - 1;

	return type.n >= n && memcmp(type.p + type.n - n, name, n) == 0 &&
	       (type.n == n || type.p[type.n - n - 1] == ':');
}

static int number_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

uint32_t numbers_sort(uint32_t *v, uint32_t n)
{
	uint32_t out = 0;

	heap_sort(v, n, sizeof(*v), number_cmp);
	for (uint32_t i = 0; i < n; i++) {
		if (out == 0 || v[out - 1] != v[i])
			v[out++] = v[i];
	}
	return out;
}

bool numbers_have(const uint32_t *v, uint32_t n, uint32_t x)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (v[mid] == x)
			return true;
		if (v[mid] < x)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

uint32_t schema_find_type(const struct cedar_schema *s, struct span name)
{
	return intern_find(&s->names, name);
}

uint32_t schema_find_action(const struct cedar_schema *s, struct span type, struct span id)
{
	uint32_t etype = intern_find(&s->names, type), sym = intern_find(&s->ids, id);
	uint32_t lo = 0, hi = s->actions.n;
	uint64_t key = (uint64_t)etype << 32 | sym;

	if (etype == SYM_NONE || sym == SYM_NONE)
		return SCHEMA_NONE;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (s->action_keys[mid] == key)
			return s->action_at[mid];
		if (s->action_keys[mid] < key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return SCHEMA_NONE;
}

bool schema_type_in(const struct cedar_schema *s, uint32_t a, uint32_t b)
{
	const struct schema_etype *t = &s->etypes.v[a];

	return a == b || numbers_have(t->ancestors, t->n_ancestors, b);
}

bool schema_action_in(const struct cedar_schema *s, uint32_t a, uint32_t b)
{
	const struct schema_action *t = &s->actions.v[a];

	return a == b || numbers_have(t->ancestors, t->n_ancestors, b);
}

bool schema_enum_has(const struct schema_etype *t, struct span id)
{
	uint32_t lo = 0, hi = t->n_ids;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		int c = span_cmp(t->ids[mid], id);

		if (c == 0)
			return true;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

size_t cedar_schema_entity_types(const struct cedar_schema *s)
{
	return s->n_declared;
}

size_t cedar_schema_actions(const struct cedar_schema *s)
{
	return s->actions.n;
}
