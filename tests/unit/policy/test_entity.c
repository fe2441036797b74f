// SPDX-License-Identifier: Apache-2.0
/* Entity stores, the JSON they are read from, and what a snapshot makes of them. */
#include "policy/cedar.h"
#include "policy/json.h"
#include "policy/snapshot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/buf.h"

static int load_json(const char *text, struct cedar_error *error, struct cedar_snapshot **ret)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	int r;

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	r = cedar_entities_add_json(es, span_of(text), error);
	return r < 0 ? r : cedar_snapshot_new(ps, es, error, ret);
}

static void reads_json(void **state)
{
	static const char *const good[] = {
		"[]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"\"},\"attrs\":{},\"parents\":[]}]",
		"[{\"uid\":{\"__entity\":{\"type\":\"A::B\",\"id\":\"x\"}},\"attrs\":{},\"parents\":[],\"other\":null}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"\\u0000\":{\"__entity\":{\"type\":\"A\"}},"
		"\"r\":{\"a\":{\"b\":[1,[2],true,\"x\"]}},\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"1.1.1.1\"}},"
		"\"t\":{\"__extn\":{\"fn\":\"offset\",\"args\":[{\"__extn\":{\"fn\":\"datetime\",\"arg\":\"1970-01-01\"}},"
		"{\"__extn\":{\"fn\":\"duration\",\"arg\":\"1d\"}}]}},\"x\":{\"__extn\":{\"fn\":1}}},"
		"\"parents\":[{\"type\":\"G\",\"id\":\"missing\"}],\"tags\":{\"t\":1}}]",
		/* the same twice */
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"s\":[1,2]},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]},"
		"{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"s\":[2,1,1]},\"parents\":[{\"type\":\"G\",\"id\":\"g\"}]}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		struct cedar_error e;
		int r = load_json(good[i], &e, &s);

		if (r < 0)
			print_message("%s\n  %s\n", good[i], e.message);
		assert_int_equal(r, 0);
	}
}

#define ENTITY(attrs) "[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":" attrs ",\"parents\":[]}]"

static void refuses_json(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[1]",
		"[{}]",
		"[",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"}}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{}}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":{}}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[1]}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[{\"type\":\"\",\"id\":\"\"}]}]",
		"[{\"uid\":{\"type\":\"A :: B\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]",
		"[{\"uid\":{\"type\":\"if\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]",
		"[{\"uid\":{\"type\":\"__cedar\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]}]",
		ENTITY("{\"a\":null}"),
		ENTITY("{\"a\":1.0}"),
		ENTITY("{\"a\":1e1}"),
		ENTITY("{\"a\":9223372036854775808}"),
		ENTITY("{\"a\":{\"__expr\":\"1\"}}"),
		ENTITY("{\"a\":1,\"a\":1}"),
		ENTITY("{\"a\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"x\"}}}"),
		ENTITY("{\"a\":{\"__extn\":{\"fn\":\"nope\",\"arg\":\"x\"}}}"),
		ENTITY("{\"a\":{\"__extn\":{\"fn\":\"offset\",\"args\":[1,2,3]}}}"),
		ENTITY("{\"a\":{\"__extn\":{\"fn\":\"ip\",\"args\":[]}}}"),
		ENTITY("1"),
		ENTITY("{\"a\":\"\\ud800\"}"),
		ENTITY("{\"a\":\"\xff\"}"),
		ENTITY("{\"a\":\"\n\"}"),
		ENTITY("{\"a\":{\"__entity\":{\"type\":\"1\",\"id\":\"\"}}}"),
		/* different twice */
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]},"
		"{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"x\":1},\"parents\":[]}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[]},"
		"{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[{\"type\":\"A\",\"id\":\"b\"}]}]",
		/* cycles */
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[{\"type\":\"A\",\"id\":\"a\"}]}]",
		"[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{},\"parents\":[{\"type\":\"A\",\"id\":\"b\"}]},"
		"{\"uid\":{\"type\":\"A\",\"id\":\"b\"},\"attrs\":{},\"parents\":[{\"type\":\"A\",\"id\":\"c\"}]},"
		"{\"uid\":{\"type\":\"A\",\"id\":\"c\"},\"attrs\":{},\"parents\":[{\"type\":\"A\",\"id\":\"a\"}]}]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cedar_snapshot *s = NULL;
		struct cedar_error e = { 0 };
		int r = load_json(bad[i], &e, &s);

		if (r != -EINVAL || !*e.message)
			print_message("%s: %d %s\n", bad[i], r, e.message);
		assert_int_equal(r, -EINVAL);
		assert_true(*e.message);
		assert_null(s);
	}
}

static void json_depth_is_bounded(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct cedar_error e;
	struct cedar_snapshot *s = NULL;

	buf_append_str(&b, "[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"a\":");
	for (int i = 0; i < 200000; i++)
		buf_append_str(&b, "[");
	assert_int_equal(load_json(buf_cstr(&b), &e, &s), -EINVAL);
	assert_non_null(strstr(e.message, "deep"));
	buf_clear(&b);
	buf_append_str(&b, "[{\"uid\":{\"type\":\"A\",\"id\":\"a\"},\"attrs\":{\"a\":");
	for (int i = 0; i < CEDAR_VALUE_DEPTH_MAX; i++)
		buf_append_str(&b, "[");
	for (int i = 0; i < CEDAR_VALUE_DEPTH_MAX; i++)
		buf_append_str(&b, "]");
	buf_append_str(&b, "},\"parents\":[]}]");
	assert_int_equal(load_json(buf_cstr(&b), &e, &s), -EINVAL);
}

static void errors_have_places(void **state)
{
	struct cedar_snapshot *s = NULL;
	struct cedar_error e;

	assert_int_equal(
		load_json(
			"[\n {\"uid\": {\"type\": \"A\", \"id\": \"a\"},\n  \"attrs\": {\"x\": null}, \"parents\": []}]",
			&e, &s),
		-EINVAL);
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 12);
	assert_string_equal(e.message, "entity A::\"a\": the attributes cannot be read as values");
	assert_int_equal(load_json("[\n1,\n]", &e, &s), -EINVAL);
	assert_int_equal(e.line, 3);
}

static void add(struct cedar_entities *es, const char *id, const char *p1, const char *p2)
{
	assert_int_equal(cedar_entities_begin(es, SPAN("E"), span_of(id)), 0);
	if (p1)
		assert_int_equal(cedar_entities_parent(es, SPAN("E"), span_of(p1)), 0);
	if (p2)
		assert_int_equal(cedar_entities_parent(es, SPAN("E"), span_of(p2)), 0);
}

static bool is_above(const struct cedar_snapshot *s, const char *id, const char *above)
{
	uint32_t e = snapshot_find_entity(s, SPAN("E"), span_of(id));
	uint32_t a = snapshot_find_entity(s, SPAN("E"), span_of(above));
	const struct centity *c = &s->entities.e.v[e];

	assert_true(e != ENTITY_UNKNOWN && a != ENTITY_UNKNOWN);
	for (uint32_t i = 0; i < c->n_ancestors; i++) {
		assert_true(i == 0 || c->ancestors[i - 1] < c->ancestors[i]);
		if (c->ancestors[i] == a)
			return true;
	}
	return false;
}

static void ancestors(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_error e;

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	add(es, "leaf", "left", "right");
	add(es, "left", "top", NULL);
	add(es, "right", "top", "ghost");
	add(es, "top", NULL, NULL);
	add(es, "twin", "left", "left");
	add(es, "other", "left", NULL);
	assert_int_equal(cedar_entities_count(es), 6);
	assert_int_equal(cedar_snapshot_new(ps, es, &e, &s), 0);
	assert_true(is_above(s, "leaf", "top") && is_above(s, "leaf", "ghost") &&
		    is_above(s, "leaf", "left"));
	assert_true(is_above(s, "left", "top") && !is_above(s, "left", "ghost"));
	assert_false(is_above(s, "top", "leaf"));
	assert_false(is_above(s, "leaf", "leaf"));
	assert_true(is_above(s, "twin", "left") && is_above(s, "twin", "top"));
	assert_int_equal(
		s->entities.e.v[snapshot_find_entity(s, SPAN("E"), SPAN("twin"))].n_ancestors, 2);
	/* one parent: the list is shared */
	assert_ptr_equal(
		s->entities.e.v[snapshot_find_entity(s, SPAN("E"), SPAN("twin"))].ancestors,
		s->entities.e.v[snapshot_find_entity(s, SPAN("E"), SPAN("other"))].ancestors);
	assert_int_equal(snapshot_find_entity(s, SPAN("E"), SPAN("nobody")), ENTITY_UNKNOWN);
	assert_int_equal(snapshot_find_entity(s, SPAN("F"), SPAN("leaf")), ENTITY_UNKNOWN);
}

/* A chain of n entities has n*n/2 ancestors: refused, not built. */
static void too_many_ancestors(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_snapshot *s = NULL;
	struct cedar_error e;
	char a[16], b[16];

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_entities_new(&es), 0);
	for (int i = 0; i < 10000; i++) {
		snprintf(a, sizeof(a), "%d", i);
		snprintf(b, sizeof(b), "%d", i + 1);
		add(es, a, b, NULL);
	}
	assert_int_equal(cedar_snapshot_new(ps, es, &e, &s), -E2BIG);
	assert_true(*e.message);
}

static void builder_misuse(void **state)
{
	_cleanup_(cedar_entities_free_p) struct cedar_entities *es = NULL;
	struct cedar_build *b;

	assert_int_equal(cedar_entities_new(&es), 0);
	assert_int_equal(cedar_entities_parent(es, SPAN("A"), SPAN("a")), -EINVAL);
	assert_int_equal(cedar_entities_begin(es, SPAN("1"), SPAN("a")), -EINVAL);
	assert_int_equal(cedar_entities_begin(es, SPAN("A"), SPAN("a")), 0);
#define REFUSED(...) \
	do { \
		b = cedar_entities_build(es); \
		__VA_ARGS__; \
		assert_int_equal(cedar_entities_attrs(es), -EINVAL); \
	} while (0)
	REFUSED((void)b);
	REFUSED(cedar_put_long(b, 1));
	REFUSED(cedar_open_set(b); cedar_close(b));
	REFUSED(cedar_open_record(b));
	REFUSED(cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_close(b); cedar_open_record(b); cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_put_long(b, 1); cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_key(b, SPAN("a")); cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_key(b, SPAN("a")); cedar_key(b, SPAN("b")));
	REFUSED(cedar_open_set(b); cedar_key(b, SPAN("a")));
	REFUSED(cedar_key(b, SPAN("a")); cedar_open_record(b); cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_key(b, SPAN("a")); cedar_put_unknown(b);
		cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_key(b, SPAN("a")); cedar_put_ip(b, SPAN("x"));
		cedar_close(b));
	REFUSED(cedar_open_record(b); cedar_key(b, SPAN("a"));
		cedar_put_entity(b, SPAN(""), SPAN("x")); cedar_close(b));
	REFUSED(cedar_build_fail(b, 0); cedar_open_record(b); cedar_close(b));
	b = cedar_entities_build(es);
	cedar_open_record(b);
	for (int i = 0; i < 2; i++) {
		cedar_key(b, SPAN("a"));
		cedar_put_bool(b, true);
	}
	cedar_close(b);
	assert_int_equal(cedar_entities_attrs(es), -EEXIST);
	b = cedar_entities_build(es);
	for (int i = 0; i < 100000; i++)
		cedar_open_set(b);
	assert_int_equal(cedar_entities_attrs(es), -ELOOP);
}

static void json_mutations(void **state)
{
	static const char text[] = ENTITY(
		"{\"a\":[1,-2,{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}},\"\\u00e9\\ud83d\\ude00\"],\"b\":{\"c\":true}}");
	char copy[sizeof(text)];

	srand(3);
	for (int i = 0; i < 20000; i++) {
		_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
		struct cedar_error e;

		memcpy(copy, text, sizeof(text));
		for (int k = rand() % 3; k >= 0; k--)
			copy[rand() % (int)(sizeof(text) - 1)] =
				rand() % 3 ? text[rand() % (int)(sizeof(text) - 1)]
					   : (char)(rand() % 255 + 1);
		if (load_json(copy, &e, &s) < 0)
			assert_true(*e.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_json),
		cmocka_unit_test(refuses_json),
		cmocka_unit_test(json_depth_is_bounded),
		cmocka_unit_test(errors_have_places),
		cmocka_unit_test(ancestors),
		cmocka_unit_test(too_many_ancestors),
		cmocka_unit_test(builder_misuse),
		cmocka_unit_test(json_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
