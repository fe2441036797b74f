// SPDX-License-Identifier: Apache-2.0
/*
 * Records of requests, whose names are followed from one request to the next. What came before must
 * never show in what a record becomes: whatever the order, repetition and number of its names, it is
 * sorted, whole, and refused for a name that it has twice.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "policy/request.h"

#define NAMES 24 /* more than a shape follows */
#define KNOWN 8 /* of them, by the snapshot */

static char names[NAMES][SHAPE_NAME_MAX + 8];
static uint64_t state = 0x1234567;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

/* Names of every length, empty and too long to be kept among them; those of one length differ late. */
static void make_names(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		unsigned n = i % 3 ? i : i * 2;

		n = n < SHAPE_NAME_MAX + 4 ? n : SHAPE_NAME_MAX + 4;
		memset(names[i], 'a', n);
		if (n)
			names[i][n - 1] = (char)('a' + i);
	}
}

static struct cedar_snapshot *make_snapshot(void)
{
	struct cedar_policies *ps;
	struct cedar_snapshot *s;
	struct cedar_errors errors;
	struct cedar_error error;
	char text[sizeof(names) + 100];

	assert_int_equal(cedar_policies_new(&ps), 0);
	for (unsigned i = 0; i < KNOWN; i++) {
		snprintf(text, sizeof(text), "permit(principal, action, resource) when { context[\"%s\"] == 1 };",
			 names[i * (NAMES / KNOWN)]);
		assert_int_equal(cedar_policies_add(ps, "", span_of(text), &errors), 0);
	}
	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &s), 0);
	cedar_policies_free(ps);
	return s;
}

static bool has(const unsigned *order, unsigned n, unsigned name)
{
	while (n-- > 0) {
		if (order[n] == name)
			return true;
	}
	return false;
}

static void put_names(struct cedar_build *b, const unsigned *order, unsigned n)
{
	cedar_open_record(b);
	for (unsigned i = 0; i < n; i++) {
		cedar_key(b, span_of(names[order[i]]));
		cedar_put_long(b, order[i]);
	}
	cedar_close(b);
}

static void check(const struct crecord *rec, const unsigned *order, unsigned n)
{
	assert_int_equal(rec->n, n);
	for (unsigned i = 0; i < n; i++) {
		const struct cmember *m = &rec->m[i];

		assert_true(i == 0 || cmember_cmp(m - 1, m) < 0);
		assert_int_equal(m->v.tag, V_LONG);
		assert_true(has(order, n, (unsigned)m->v.i));
		assert_true(span_eq((struct span){ m->name, m->n }, span_of(names[m->v.i])));
	}
}

/* A record, and one inside it, of the same names in an order of its own. */
static bool put_two(struct cedar_request *rq, struct cedar_snapshot *s, const unsigned *order, unsigned n)
{
	struct cedar_build *b;
	int r;

	assert_int_equal(cedar_request_begin(rq, s), 0);
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, span_of("inner"));
	put_names(b, order, n);
	cedar_key(b, span_of("list"));
	cedar_open_set(b);
	put_names(b, order, n);
	cedar_close(b);
	cedar_close(b);
	r = cedar_request_context(rq);
	assert_true(r == 0 || r == -EEXIST);
	if (r < 0)
		return false;
	assert_int_equal(rq->context.record->n, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct cval v = rq->context.record->m[i].v;

		check(v.tag == V_SET ? v.set->v[0].record : v.record, order, n);
	}
	return true;
}

static unsigned random_order(unsigned *order, bool *ret_twice)
{
	unsigned n = below(NAMES + 1), mostly = below(4);

	*ret_twice = false;
	for (unsigned i = 0; i < n; i++) {
		unsigned name = mostly ? i : below(NAMES);

		if (mostly == 1 && below(6) == 0)
			name = below(NAMES);
		*ret_twice |= has(order, i, name);
		order[i] = name;
	}
	return n;
}

static void test_any_order(void **st)
{
	struct cedar_snapshot *s = make_snapshot();
	struct cedar_request *rq;
	unsigned order[NAMES], refused = 0, taken = 0;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (unsigned i = 0; i < 20000; i++) {
		bool twice;
		unsigned n = random_order(order, &twice);

		assert_int_equal(put_two(rq, s, order, n), !twice);
		refused += twice;
		taken += !twice;
	}
	assert_true(refused > 1000 && taken > 1000);
	cedar_request_free(rq);
	cedar_snapshot_unref(s);
}

/* Names that are longer than what a shape keeps, of the bytes that memory is cleared with. */
static void test_long_names_of_zeros(void **st)
{
	static const char zeros[SHAPE_NAME_MAX + 8];
	struct cedar_snapshot *s = make_snapshot();
	struct cedar_request *rq;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (size_t n = 0; n <= sizeof(zeros); n++) {
		struct span name = { zeros, n };
		struct cedar_build *b;

		assert_int_equal(cedar_request_begin(rq, s), 0);
		b = cedar_request_build(rq);
		cedar_open_record(b);
		cedar_key(b, name);
		cedar_put_long(b, 1);
		/* Once more, behind a name that no shape follows. */
		cedar_key(b, span_of(names[NAMES - 3]));
		cedar_open_record(b);
		cedar_key(b, name);
		cedar_put_long(b, 2);
		cedar_close(b);
		cedar_close(b);
		assert_int_equal(cedar_request_context(rq), 0);
		for (unsigned i = 0; i < 2; i++) {
			const struct cmember *m = &rq->context.record->m[i];

			if (m->v.tag == V_RECORD)
				m = &m->v.record->m[0];
			assert_int_equal(m->n, n);
			assert_int_equal(m->sym, intern_find(&s->names, name));
		}
	}
	cedar_request_free(rq);
	cedar_snapshot_unref(s);
}

/* A request stops in the middle of a record; the next must not take its names over. */
static void test_abandoned(void **st)
{
	static const unsigned order[] = { 3, 1, 2 };
	struct cedar_snapshot *s = make_snapshot();
	struct cedar_request *rq;
	struct cedar_build *b;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(cedar_request_begin(rq, s), 0);
		b = cedar_request_build(rq);
		cedar_open_record(b);
		cedar_key(b, span_of(names[3]));
		if (i & 1)
			cedar_open_record(b);
		b = cedar_request_build(rq);
		put_names(b, order, 3);
		assert_int_equal(cedar_request_context(rq), 0);
		check(rq->context.record, order, 3);
	}
	cedar_request_free(rq);
	cedar_snapshot_unref(s);
}

/* What is asked in the wrong place is refused, and stays refused. */
static void test_misuse(void **st)
{
	struct cedar_snapshot *s = make_snapshot();
	struct cedar_request *rq;
	struct cedar_build *b;

	assert_int_equal(cedar_request_new(0, &rq), 0);
	assert_int_equal(cedar_request_begin(rq, s), 0);
	for (unsigned i = 0; i < 6; i++) {
		b = cedar_request_build(rq);
		if (i == 0)
			cedar_close(b);
		else if (i == 1)
			cedar_key(b, span_of("a"));
		cedar_open_record(b);
		if (i == 2)
			cedar_put_long(b, 1);
		cedar_key(b, span_of("a"));
		if (i == 3)
			cedar_key(b, span_of("b"));
		if (i == 4)
			cedar_close(b);
		cedar_put_long(b, 1);
		cedar_close(b);
		if (i == 5)
			cedar_put_long(b, 1);
		assert_int_equal(cedar_request_context(rq), -EINVAL);
	}
	cedar_request_free(rq);
	cedar_snapshot_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_long_names_of_zeros),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_misuse),
	};

	make_names();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
