// SPDX-License-Identifier: Apache-2.0
/*
 * The forms of policies with each of their allocations failing once: -ENOMEM, nothing half done, nothing left behind
 * (which the sanitizer sees), and no other answer than without failures.
 */
#include "tests/unit/alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "policy/cedar_text.h"
#include "user/base/buf.h"

static const char text[] =
	"@a(\"b\") @c // comment\npermit(principal is A::B in ?principal, action in [Action::\"x\", A::Action::\"y\",],"
	" resource == R::\"r\") when { if !true then [1, {a: -2, \"b c\": ip(\"::1\")}].contains(context.x[\"y\"].z)"
	" else - - context.l + 1 * 2 < 3 - 4 && principal has a.b.c || \"x\" like \"*\\u{300}\" };\n"
	"forbid(principal, action, resource) unless { principal is T in [E::\"e\"] };\n// end\n";

static const struct cedar_uid alice = { { "U", 1 }, { "alice", 5 } };

/* Text to set to JSON to set, with a link. */
static int through_json(struct buf *out)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL, *back = NULL;
	_cleanup_buf_ struct buf json = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = cedar_policies_add_templates(ps, "t", SPAN(text), &errors);
	if (r == 0)
		r = cedar_policies_link(ps, SPAN("policy0"), SPAN("link"), &alice, NULL, &error);
	if (r == 0)
		r = cedar_policies_to_json(ps, &json);
	if (r == 0)
		r = cedar_policies_new(&back);
	if (r == 0)
		r = cedar_policies_add_json(back, "j", buf_span(&json), &errors);
	if (r < 0 && back)
		assert_int_equal(cedar_policies_count(back) + cedar_templates_count(back), 0);
	if (r == 0)
		r = cedar_policies_to_json(back, out);
	if (r == 0)
		assert_true(span_eq(buf_span(&json), buf_span(out)));
	return r;
}

static int printed(struct buf *out)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors errors;
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = cedar_policies_add_templates(ps, "t", SPAN(text), &errors);
	return r < 0 ? r : cedar_policies_to_text(ps, out);
}

static int formatted(struct buf *out)
{
	struct cedar_errors errors;
	int r = cedar_format(SPAN(text), 40, out, &errors);

	if (r < 0)
		assert_int_equal(buf_len(out), 0);
	return r;
}

static int bad_json(struct buf *out)
{
	static const char json[] = "{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"}}}}";
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors errors;
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = cedar_policies_add_json(ps, "j", SPAN(json), &errors);
	return r == -EINVAL ? buf_append_str(out, "refused") : r;
}

static void each_fails(int (*work)(struct buf *out))
{
	_cleanup_buf_ struct buf want = { 0 };
	unsigned long n;

	assert_int_equal(work(&want), 0);
	for (n = 1; alloc_fail_at(n); n++) {
		_cleanup_buf_ struct buf out = { 0 };
		int r;

		alloc_work();
		r = work(&out);
		alloc_rest();
		if (r == 0)
			assert_true(span_eq(buf_span(&want), buf_span(&out)));
		else
			assert_int_equal(r, -ENOMEM);
	}
	assert_true(n > 5);
}

static void json_and_back(void **state)
{
	each_fails(through_json);
}

static void print(void **state)
{
	each_fails(printed);
}

static void format(void **state)
{
	each_fails(formatted);
}

static void refused(void **state)
{
	each_fails(bad_json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_and_back),
		cmocka_unit_test(print),
		cmocka_unit_test(format),
		cmocka_unit_test(refused),
	};

	alloc_take_crypto();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
