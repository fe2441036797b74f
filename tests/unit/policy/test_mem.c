// SPDX-License-Identifier: Apache-2.0
#include "policy/intern.h"
#include "policy/mem.h"
#include "policy/value.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static void arena_gives_and_forgets(void **state)
{
	struct arena a = { 0 };
	char *p, *q;

	for (size_t n = 1; n < 300000; n = n * 3 + 1) {
		p = arena_alloc(&a, n);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 8, 0);
		memset(p, 0xaa, n);
	}
	q = arena_zalloc(&a, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(q[i], 0);
	arena_reset(&a);
	p = arena_alloc(&a, 8);
	arena_reset(&a);
	assert_ptr_equal(arena_alloc(&a, 8), p); /* one piece now, used again */
	arena_done(&a);
}

static void arena_keeps_its_limit(void **state)
{
	struct arena a = { .limit = 10000 };

	assert_null(arena_alloc(&a, 10001));
	assert_non_null(arena_alloc(&a, 6000));
	assert_null(arena_alloc(&a, 6000));
	assert_null(arena_alloc(&a, SIZE_MAX));
	assert_null(arena_array(&a, SIZE_MAX / 2, 8));
	arena_reset(&a);
	assert_non_null(arena_alloc(&a, 6000));
	arena_done(&a);
	assert_int_equal(a.limit, 10000);
}

static int by_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void sorts(void **state)
{
	int v[200];

	srand(2);
	for (int n = 0; n < 200; n++) {
		for (int i = 0; i < n; i++)
			v[i] = rand() % 50;
		heap_sort(v, (size_t)n, sizeof(*v), by_int);
		for (int i = 1; i < n; i++)
			assert_true(v[i - 1] <= v[i]);
	}
}

static void interns(void **state)
{
	struct intern in = { .seed = hash_seed() };
	static char names[5000][8];
	uint32_t sym;

	assert_int_equal(intern_find(&in, SPAN("a")), SYM_NONE);
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(names[i], sizeof(names[i]), "n%u", i);
		assert_int_equal(intern_add(&in, span_of(names[i]), &sym), 0);
		assert_int_equal(sym, i);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(intern_find(&in, span_of(names[i])), i);
		assert_int_equal(intern_add(&in, span_of(names[i]), &sym), 0);
		assert_int_equal(sym, i);
	}
	assert_int_equal(intern_find(&in, SPAN("n5000")), SYM_NONE);
	assert_int_equal(intern_find(&in, (struct span){ NULL, 0 }), SYM_NONE);
	intern_done(&in);
}

/* Hashes of all lengths and contents differ, also where only zero bytes differ. */
static void hashes_differ(void **state)
{
	static const char zeros[64];

	for (size_t n = 0; n < 63; n++)
		assert_true(hash_bytes(7, (struct span){ zeros, n }) !=
			    hash_bytes(7, (struct span){ zeros, n + 1 }));
	assert_true(hash_bytes(1, SPAN("a")) != hash_bytes(2, SPAN("a")));
}

static struct cval set_of(struct arena *a, const int *v, uint32_t n)
{
	struct cset *s = cset_new(a, n);

	for (uint32_t i = 0; i < n; i++)
		s->v[i] = cval_long(V_LONG, v[i]);
	return (struct cval){ .tag = V_SET, .set = s };
}

static void sets(void **state)
{
	static const int many[] = { 9, 1, 9, 3, 3, 3, 8, 2, 7, 7, 0, 5 }, few[] = { 3, 1 },
			 other[] = { 4, 6 };
	struct arena a = { 0 };
	struct cval s = set_of(&a, many, 12), t = set_of(&a, few, 2), u = set_of(&a, other, 2),
		    e = set_of(&a, NULL, 0);

	assert_true(cset_contains(s.set, cval_long(V_LONG, 0)));
	assert_false(cset_contains(s.set, cval_long(V_LONG, 4)));
	assert_false(cset_contains(s.set, cval_long(V_DURATION, 0)));
	assert_int_equal(s.set->n, 8); /* it became canonical */
	assert_true(cset_contains_all(s.set, t.set));
	assert_false(cset_contains_all(t.set, s.set));
	assert_true(cset_contains_any(t.set, s.set));
	assert_false(cset_contains_any(s.set, u.set));
	assert_true(cset_contains_all(s.set, e.set));
	assert_false(cset_contains_any(s.set, e.set));
	assert_true(cset_contains_all(s.set, s.set));
	arena_done(&a);
}

static void equality(void **state)
{
	static const int x[] = { 2, 1, 1 }, y[] = { 1, 2, 2, 2 };
	struct cedar_uid p = { SPAN("U"), SPAN("a") }, q = { SPAN("U"), SPAN("b") },
			 r = { SPAN("V"), SPAN("a") };
	struct cval ep = { .tag = V_ENTITY, .n = ENTITY_UNKNOWN, .uid = &p }, eq = ep, er = ep;
	struct cip ip = { 0, 32, { 10 } }, ip6 = { 1, 32, { 10 } };
	struct cval a = { .tag = V_IP, .ip = &ip }, b = { .tag = V_IP, .ip = &ip6 };
	struct arena mem = { 0 };

	eq.uid = &q;
	er.uid = &r;
	assert_true(cval_equal(ep, ep));
	assert_false(cval_equal(ep, eq));
	assert_false(cval_equal(ep, er));
	assert_false(cval_equal(ep, (struct cval){ .tag = V_ENTITY, .n = 3 }));
	assert_true(cval_equal(set_of(&mem, x, 3), set_of(&mem, y, 4)));
	assert_false(cval_equal(a, b));
	assert_false(cval_equal(cval_long(V_LONG, 1), cval_bool(true)));
	assert_false(cval_equal(cval_string(SPAN("a")), cval_string(SPAN("a\0"))));
	assert_true(cval_equal(cval_string(SPAN("")), cval_string((struct span){ NULL, 0 })));
	arena_done(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_gives_and_forgets),
		cmocka_unit_test(arena_keeps_its_limit),
		cmocka_unit_test(sorts),
		cmocka_unit_test(interns),
		cmocka_unit_test(hashes_differ),
		cmocka_unit_test(sets),
		cmocka_unit_test(equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
