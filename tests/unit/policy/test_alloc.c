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
#include "policy/cmcp.h"
#include "policy/explain.h"
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

/* A request's memory may be refused by its limit too, which it cannot tell from this. */
static int no_memory(int r)
{
	return r == -ENOSPC ? -ENOMEM : r;
}

static int ask_pieces(struct cedar_pieces *p, struct cedar_request *rq)
{
	int r = cedar_request_begin(rq, cedar_pieces_snapshot(p));
	struct cedar_build *b;

	if (r == 0)
		r = cedar_request_principal(rq, alice.type, alice.id);
	if (r == 0)
		r = cedar_request_action(rq, SPAN("Action"), SPAN("x"));
	if (r == 0)
		r = cedar_request_resource(rq, SPAN("R"), SPAN("r"));
	if (r < 0)
		return r;
	b = cedar_request_build(rq);
	cedar_open_record(b);
	cedar_key(b, SPAN("a"));
	cedar_open_set(b);
	cedar_put_string(b, SPAN("x"));
	cedar_close(b);
	cedar_close(b);
	r = cedar_request_context(rq);
	return r < 0 ? r : cedar_pieces_ask(p, rq);
}

static int explained(struct buf *out)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_pieces_free_p) struct cedar_pieces *p = NULL;
	_cleanup_(cedar_request_free_p) struct cedar_request *rq = NULL;
	_cleanup_why_ struct cedar_why why = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;
	int r = cedar_policies_new(&ps);

	if (r == 0)
		r = cedar_policies_add(ps, "t", SPAN("@id(\"i\") permit(principal, action, resource) unless {"
						     " context.a == 1 || [context.a, principal] != [] };"), &errors);
	if (r == 0)
		r = cedar_pieces_new(ps, NULL, &error, &p);
	if (r == 0)
		r = cedar_request_new(0, &rq);
	if (r == 0)
		r = ask_pieces(p, rq);
	if (r == 0)
		r = cedar_pieces_why(p, rq, 0, &why);
	if (r == 0)
		r = buf_append(out, why.conjunct.data, buf_len(&why.conjunct));
	for (uint32_t i = 0; r == 0 && i < why.n_values; i++)
		r = buf_append(out, why.values[i].value.data, buf_len(&why.values[i].value));
	return no_memory(r);
}

/* A judge's answer tells want of memory as a denial. */
static int dialect(struct buf *out)
{
	struct mcp_policy_text t = { "t", SPAN("permit(principal, action, resource) when { context.arguments.a == \"0.5\" };") };
	struct cmcp_call call = { .tool = SPAN("x"), .arguments = SPAN("{\"a\": 0.5, \"b\": [null, {}]}") };
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_(cmcp_judge_free_p) struct cmcp_judge *j = NULL;
	_cleanup_buf_ struct buf errors = { 0 };
	struct cmcp_answer a;
	int r = cmcp_load(&t, 1, &errors, &s);

	if (r == 0)
		r = cmcp_judge_new(&j);
	if (r < 0)
		return r;
	cmcp_judge_call(j, s, &call, &a);
	if (a.decision == CMCP_ALLOW)
		return buf_append_str(out, "allow");
	assert_true(*a.error);
	return -ENOMEM;
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

static void explain(void **state)
{
	each_fails(explained);
}

static void cmcp(void **state)
{
	each_fails(dialect);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_and_back),
		cmocka_unit_test(print),
		cmocka_unit_test(format),
		cmocka_unit_test(refused),
		cmocka_unit_test(explain),
		cmocka_unit_test(cmcp),
	};

	alloc_take_crypto();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
