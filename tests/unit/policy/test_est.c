// SPDX-License-Identifier: Apache-2.0
/* Policies as JSON: what is taken, what is refused and where, and that nothing changes on the way. */
#include "policy/cedar_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/est.h"
#include "policy/policies.h"
#include "user/base/buf.h"

#define S "permit(principal,action,resource)"
#define ANY "\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"}"
#define P(conditions) "{\"effect\":\"permit\"," ANY ",\"conditions\":[" conditions "]}"
#define W(body) P("{\"kind\":\"when\",\"body\":" body "}")
#define V(v) "{\"Value\":" v "}"

static int add_json(struct cedar_policies **ret, struct span json, struct cedar_errors *e)
{
	assert_int_equal(cedar_policies_new(ret), 0);
	return cedar_policies_add_json(*ret, "test", json, e);
}

/* --- expressions both ways -------------------------------------------------------------------- */

/* A condition as text, and the body that it is in JSON. */
static void expressions(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "true", V("true") },
		{ "-5", V("-5") },
		{ "-(5)", "{\"neg\":{\"arg\":" V("5") "}}" },
		{ "--5", "{\"neg\":{\"arg\":" V("-5") "}}" },
		{ "-9223372036854775808", V("-9223372036854775808") },
		{ "!!true", "{\"!\":{\"arg\":{\"!\":{\"arg\":" V("true") "}}}}" },
		{ "\"a\\n\\u{1f600}\"", V("\"a\\n\\ud83d\\ude00\"") },
		{ "A::B::\"x\"", V("{\"__entity\":{\"type\":\"A::B\",\"id\":\"x\"}}") },
		{ "context", "{\"Var\":\"context\"}" },
		{ "[]", "{\"Set\":[]}" },
		{ "{b: 1, \"a \": 2}", "{\"Record\":{\"a \":" V("2") ",\"b\":" V("1") "}}" },
		{ "ip(\"::1\", 2)", "{\"ip\":[" V("\"::1\"") "," V("2") "]}" },
		{ "ip(\"::1\").isIpv4()", "{\"isIpv4\":[{\"ip\":[" V("\"::1\"") "]}]}" },
		{ "context.a[\"b c\"].isEmpty()",
		  "{\"isEmpty\":{\"arg\":{\".\":{\"left\":{\".\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a\"}},"
		  "\"attr\":\"b c\"}}}}" },
		{ "context.contains(1)", "{\"contains\":{\"left\":{\"Var\":\"context\"},\"right\":" V("1") "}}" },
		{ "1 - 2 + 3 * 4 * 5",
		  "{\"+\":{\"left\":{\"-\":{\"left\":" V("1") ",\"right\":" V("2") "}},\"right\":"
		  "{\"*\":{\"left\":{\"*\":{\"left\":" V("3") ",\"right\":" V("4") "}},\"right\":" V("5") "}}}}" },
		{ "true && false && true",
		  "{\"&&\":{\"left\":{\"&&\":{\"left\":" V("true") ",\"right\":" V("false") "}},\"right\":" V("true") "}}" },
		{ "true || (false || true)",
		  "{\"||\":{\"left\":" V("true") ",\"right\":{\"||\":{\"left\":" V("false") ",\"right\":" V("true") "}}}}" },
		{ "1 > 2", "{\">\":{\"left\":" V("1") ",\"right\":" V("2") "}}" },
		{ "1 >= 2", "{\">=\":{\"left\":" V("1") ",\"right\":" V("2") "}}" },
		{ "1 != 2", "{\"!=\":{\"left\":" V("1") ",\"right\":" V("2") "}}" },
		{ "context has a", "{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a\"}}" },
		{ "context has \"a b\"", "{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":\"a b\"}}" },
		{ "context has a.b.c", "{\"has\":{\"left\":{\"Var\":\"context\"},\"attr\":[\"a\",\"b\",\"c\"]}}" },
		{ "\"x\" like \"a*\\*\"",
		  "{\"like\":{\"left\":" V("\"x\"") ",\"pattern\":[{\"Literal\":\"a\"},\"Wildcard\",{\"Literal\":\"*\"}]}}" },
		{ "\"x\" like \"**\"", "{\"like\":{\"left\":" V("\"x\"") ",\"pattern\":[\"Wildcard\",\"Wildcard\"]}}" },
		{ "\"x\" like \"\"", "{\"like\":{\"left\":" V("\"x\"") ",\"pattern\":[]}}" },
		{ "principal is A::B", "{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A::B\"}}" },
		{ "principal is A in context.x",
		  "{\"is\":{\"left\":{\"Var\":\"principal\"},\"entity_type\":\"A\",\"in\":{\".\":{\"left\":{\"Var\":\"context\"},"
		  "\"attr\":\"x\"}}}}" },
		{ "if true then 1 else 2",
		  "{\"if-then-else\":{\"if\":" V("true") ",\"then\":" V("1") ",\"else\":" V("2") "}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL, *back = NULL;
		_cleanup_buf_ struct buf text = { 0 }, want = { 0 }, json = { 0 }, again = { 0 };
		struct cedar_errors e;

		buf_printf(&text, S " when { %s };", cases[i].text);
		buf_printf(&want, W("%s"), cases[i].json);
		assert_int_equal(cedar_policies_new(&ps), 0);
		assert_int_equal(cedar_policies_add(ps, "t", buf_span(&text), &e), 0);
		assert_int_equal(cedar_policy_to_json(ps, 0, &json), 0);
		assert_string_equal(buf_cstr(&json), buf_cstr(&want));
		if (add_json(&back, buf_span(&json), &e) < 0)
			fail_msg("%s: %s", cases[i].json, e.e[0].message);
		assert_int_equal(cedar_policy_to_json(back, 0, &again), 0);
		assert_string_equal(buf_cstr(&again), buf_cstr(&want));
	}
}

/* What is taken in more than one way, and how it is written then. */
static void other_spellings(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ V("[1,[\"x\"]]"), "{\"Set\":[" V("1") ",{\"Set\":[" V("\"x\"") "]}]}" },
		{ V("{\"k\":1}"), "{\"Record\":{\"k\":" V("1") "}}" },
		{ V("{\"__entity\":{\"type\":\"A\"}}"), "{\"Record\":{\"__entity\":{\"Record\":{\"type\":" V("\"A\"") "}}}}" },
		{ V("{\"__entity\":{\"type\":\"A\",\"id\":\"x\",\"more\":1}}"),
		  V("{\"__entity\":{\"type\":\"A\",\"id\":\"x\"}}") },
		{ V("{\"__extn\":{\"fn\":\"ip\",\"arg\":\"::1\"}}"), "{\"ip\":[" V("\"::1\"") "]}" },
		{ V("{\"__extn\":{\"fn\":\"isIpv4\",\"args\":[1]}}"), "{\"isIpv4\":[" V("1") "]}" },
		{ V("{\"__extn\":1}"), "{\"Record\":{\"__extn\":" V("1") "}}" },
		{ "{\"has\":{\"left\":" V("1") ",\"attr\":[\"a b\"]}}", "{\"has\":{\"left\":" V("1") ",\"attr\":\"a b\"}}" },
		{ "{\"like\":{\"left\":" V("\"\"") ",\"pattern\":[{\"Literal\":\"ab\"},{\"Literal\":\"\"}]}}",
		  "{\"like\":{\"left\":" V("\"\"") ",\"pattern\":[{\"Literal\":\"a\"},{\"Literal\":\"b\"}]}}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		_cleanup_buf_ struct buf in = { 0 }, want = { 0 }, out = { 0 };
		struct cedar_errors e;

		buf_printf(&in, W("%s"), cases[i].in);
		buf_printf(&want, W("%s"), cases[i].out);
		if (add_json(&ps, buf_span(&in), &e) < 0)
			fail_msg("%s: %s", cases[i].in, e.e[0].message);
		assert_int_equal(cedar_policy_to_json(ps, 0, &out), 0);
		assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	}
}

/* --- refused ---------------------------------------------------------------------------------- */

static const struct {
	const char *json, *part;
} invalid_documents[] = {
	{ "", "empty" },
	{ "[]", "expected an object" },
	{ "{\"effect\":\"allow\"," ANY ",\"conditions\":[]}", "`permit` or `forbid`" },
	{ "{\"effect\":\"permit\"," ANY "}", "`conditions` is missing" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},\"conditions\":[]}",
	  "`resource` is missing" },
	{ "{\"effect\":\"permit\"," ANY ",\"conditions\":[],\"extra\":1}", "`extra` is not known" },
	{ "{\"effect\":\"permit\"," ANY ",\"conditions\":[],\"annotations\":{\"a b\":\"\"}}", "an identifier" },
	{ "{\"effect\":\"permit\"," ANY ",\"conditions\":[],\"annotations\":{\"a\":1}}", "is a string" },
	{ "{\"effect\":\"permit\"," ANY ",\"effect\":\"permit\",\"conditions\":[]}", "twice" },
	{ P("{\"kind\":\"if\",\"body\":" V("1") "}"), "`when` or `unless`" },
	{ P("{\"kind\":\"when\"}"), "`body` is missing" },
	{ W(V("1.5")), "fit in 64 bits" },
	{ W(V("9223372036854775808")), "fit in 64 bits" },
	{ W(V("null")), "no value" },
	{ W(V("\"\\ud800\"")), "surrogate" },
	{ W(V("{\"a\":1,\"a\":2}")), "twice" },
	{ W(V("{\"__expr\":\"1\"}")), "__expr" },
	{ W(V("{\"__entity\":{\"type\":\"A :: B\",\"id\":\"x\"}}")), "a name" },
	{ W(V("{\"__entity\":{\"type\":\"if\",\"id\":\"x\"}}")), "a name" },
	{ W(V("{\"__extn\":{\"fn\":\"nope\",\"arg\":1}}")), "no such extension" },
	{ W(V("{\"__extn\":{\"fn\":\"isIpv4\",\"args\":[]}}")), "called on nothing" },
	{ W("{}"), "one key" },
	{ W("true"), "one key" },
	{ W("{\"Value\":1,\"Var\":\"context\"}"), "one key" },
	{ W("{\"Var\":\"user\"}"), "the variables are" },
	{ W("{\"Slot\":\"?principal\"}"), "in the scope only" },
	{ W("{\"xor\":{\"left\":" V("1") ",\"right\":" V("1") "}}"), "`xor`" },
	{ W("{\"&&\":{\"left\":" V("true") "}}"), "`right` is missing" },
	{ W("{\"&&\":{\"left\":" V("true") ",\"right\":" V("true") ",\"third\":1}}"), "`third` is not known" },
	{ W("{\"==\":[" V("1") "," V("1") "]}"), "expected an object" },
	{ W("{\"!\":" V("true") "}"), "`Value` is not known" },
	{ W("{\"Set\":{}}"), "is an array" },
	{ W("{\"Record\":[]}"), "is an object" },
	{ W("{\"ip\":" V("1") "}"), "an array" },
	{ W("{\"isIpv4\":[]}"), "what it is called on" },
	{ W("{\"has\":{\"left\":" V("1") ",\"attr\":[]}}"), "no attribute" },
	{ W("{\"has\":{\"left\":" V("1") ",\"attr\":[\"a\",\"b c\"]}}"), "an identifier" },
	{ W("{\"has\":{\"left\":" V("1") ",\"attr\":1}}"), "is a string" },
	{ W("{\"like\":{\"left\":" V("1") ",\"pattern\":\"*\"}}"), "is an array" },
	{ W("{\"like\":{\"left\":" V("1") ",\"pattern\":[\"Wild\"]}}"), "Wildcard" },
	{ W("{\"is\":{\"left\":" V("1") ",\"entity_type\":\"A B\"}}"), "a name" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"<\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
	  "\"conditions\":[]}", "one of All" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"==\"},\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
	  "\"conditions\":[]}", "`entity` or `slot`" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\",\"entity\":{\"type\":\"A\",\"id\":\"x\"}},"
	  "\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}", "not known" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?resource\"},\"action\":{\"op\":\"All\"},"
	  "\"resource\":{\"op\":\"All\"},\"conditions\":[]}", "slot cannot" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"is\",\"entity_type\":\"Action\"},"
	  "\"resource\":{\"op\":\"All\"},\"conditions\":[]}", "scope of the action" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"in\",\"entities\":[{\"type\":\"U\","
	  "\"id\":\"x\"}]},\"resource\":{\"op\":\"All\"},\"conditions\":[]}", "must be `Action`" },
	{ "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"==\",\"entities\":[]},"
	  "\"resource\":{\"op\":\"All\"},\"conditions\":[]}", "`entities` is not known" },
};

static void refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(invalid_documents); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		struct cedar_errors e;

		if (add_json(&ps, span_of(invalid_documents[i].json), &e) != -EINVAL)
			fail_msg("taken: %s", invalid_documents[i].json);
		if (!strstr(e.e[0].message, invalid_documents[i].part))
			fail_msg("%s: %s", invalid_documents[i].json, e.e[0].message);
		assert_int_equal(cedar_policies_count(ps), 0);
		assert_int_equal(ps->texts.n, 0);
	}
}

/* --- sets ------------------------------------------------------------------------------------- */

#define T(principal) \
	"{\"effect\":\"permit\",\"principal\":" principal ",\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"}," \
	"\"conditions\":[]}"
#define SLOT "{\"op\":\"==\",\"slot\":\"?principal\"}"
#define LINK(t, id, values) "{\"templateId\":\"" t "\",\"newId\":\"" id "\",\"values\":{" values "}}"
#define ALICE "\"?principal\":{\"type\":\"U\",\"id\":\"alice\"}"

static void sets(void **state)
{
	static const char json[] = "{\"templates\":{\"t\":" T(SLOT) "},\"staticPolicies\":{\"a b\":" W(V("true")) "},"
				   "\"templateLinks\":[" LINK("t", "l", ALICE) "]}";
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	_cleanup_buf_ struct buf out = { 0 };
	struct cedar_policy_info info;
	struct cedar_errors e;
	struct cedar_error error;

	assert_int_equal(add_json(&ps, SPAN(json), &e), 0);
	assert_int_equal(cedar_policies_count(ps), 2);
	assert_int_equal(cedar_templates_count(ps), 1);
	assert_int_equal(cedar_links_count(ps), 1);
	assert_int_equal(cedar_policies_to_json(ps, &out), 0);
	assert_string_equal(buf_cstr(&out), json);
	assert_int_equal(cedar_snapshot_new(ps, NULL, &error, &s), 0);
	cedar_snapshot_policy(s, 1, &info);
	assert_string_equal(info.id, "l");
	assert_int_equal(cedar_policies_add_json(ps, "again", SPAN(json), &e), -EINVAL);
	assert_non_null(strstr(e.e[0].message, "used twice"));
	assert_int_equal(cedar_policies_count(ps), 2);
}

static void bad_sets(void **state)
{
	static const struct {
		const char *json, *part;
	} cases[] = {
		{ "{\"templates\":{\"t\":" T("{\"op\":\"All\"}") "}}", "has a slot" },
		{ "{\"staticPolicies\":{\"t\":" T(SLOT) "}}", "makes this a template" },
		{ "{\"templates\":{\"x\":" T(SLOT) "},\"staticPolicies\":{\"x\":" P("") "}}", "used twice" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":[" LINK("u", "l", ALICE) "]}", "no template \"u\"" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":[" LINK("t", "t", ALICE) "]}", "used twice" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":[" LINK("t", "l", "") "]}", "gives no entity" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":["
		  LINK("t", "l", ALICE ",\"?resource\":{\"type\":\"R\",\"id\":\"\"}") "]}", "no slot ?resource" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":[" LINK("t", "l", "\"?x\":1") "]}", "not known" },
		{ "{\"templates\":{\"t\":" T(SLOT) "},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":\"l\"}]}", "missing" },
		{ "{\"policies\":{}}", "`policies` is not known" },
		{ "{\"staticPolicies\":{\"a\\u0000\":" P("") "}}", "a NUL" },
		{ "{\"staticPolicies\":[]}", "expected an object" },
		{ "{\"templateLinks\":{}}", "an array" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		struct cedar_errors e;

		if (add_json(&ps, span_of(cases[i].json), &e) != -EINVAL)
			fail_msg("taken: %s", cases[i].json);
		if (!strstr(e.e[0].message, cases[i].part))
			fail_msg("%s: %s", cases[i].json, e.e[0].message);
		assert_int_equal(cedar_policies_count(ps) + cedar_templates_count(ps), 0);
	}
}

/* Errors of several policies are found at once, each with its place in the document. */
static void several_errors(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors e;

	assert_int_equal(add_json(&ps, SPAN("{\"staticPolicies\":{\n\"a\":" W(V("null")) ",\n\"b\":" W("{}") "}}"), &e),
			 -EINVAL);
	assert_int_equal(e.n, 2);
	assert_int_equal(e.e[0].line, 2);
	assert_int_equal(e.e[1].line, 3);
	assert_true(e.e[0].column > 100);
}

/* --- depth ------------------------------------------------------------------------------------ */

static int nested(const char *open, const char *core, const char *close, unsigned n, struct cedar_errors *e)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf b = { 0 };

	buf_append_str(&b, "{\"effect\":\"permit\"," ANY ",\"conditions\":[{\"kind\":\"when\",\"body\":");
	for (unsigned i = 0; i < n; i++)
		buf_append_str(&b, open);
	buf_append_str(&b, core);
	for (unsigned i = 0; i < n; i++)
		buf_append_str(&b, close);
	buf_append_str(&b, "}]}");
	return add_json(&ps, buf_span(&b), e);
}

static void nesting_is_bounded(void **state)
{
	static const unsigned deep[] = { 300, EST_DEPTH_MAX - 10, EST_DEPTH_MAX + 10, 60000 };
	struct cedar_errors e;

	for (size_t i = 0; i < ARRAY_SIZE(deep); i++) {
		assert_int_equal(nested("{\"Set\":[", V("1"), "]}", deep[i], &e), -EINVAL);
		assert_non_null(strstr(e.e[0].message, "nested"));
		assert_int_equal(nested("{\"if-then-else\":{\"then\":" V("1") ",\"else\":" V("1") ",\"if\":", V("1"), "}}",
					deep[i], &e),
				 -EINVAL);
		assert_int_equal(nested("{\"==\":{\"right\":" V("1") ",\"left\":", V("1"), "}}", deep[i], &e), -EINVAL);
		assert_int_equal(nested("{\"!\":{\"arg\":", V("1"), "}}", 4 * deep[i], &e), -EINVAL);
	}
	assert_int_equal(nested("{\"Value\":[", "1", "]}", 1, &e), 0);
	assert_int_equal(nested("{\"Set\":[", V("1"), "]}", CEDAR_NESTING_MAX - 1, &e), 0);
	assert_int_equal(nested("{\"Set\":[", V("1"), "]}", CEDAR_NESTING_MAX, &e), -EINVAL);
}

/* Chains are as long in JSON as texts have them, both ways. */
static void chains_are_not(void **state)
{
	static const char *const links[] = { " && true", " || true", " + 1", " - 1", " * 1", ".a", "[\"b c\"]",
					     ".contains(1)", ".isIpv4()" };

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL, *back = NULL, *printed = NULL;
		_cleanup_buf_ struct buf text = { 0 }, json = { 0 }, again = { 0 }, print = { 0 };
		struct cedar_errors e;

		buf_append_str(&text, S " when { context");
		for (unsigned k = 0; k < 50000; k++)
			buf_append_str(&text, links[i]);
		buf_append_str(&text, " };");
		assert_int_equal(cedar_policies_new(&ps), 0);
		assert_int_equal(cedar_policies_add(ps, "t", buf_span(&text), &e), 0);
		assert_int_equal(cedar_policies_to_json(ps, &json), 0);
		if (add_json(&back, buf_span(&json), &e) < 0)
			fail_msg("%s: %s", links[i], e.e[0].message);
		assert_int_equal(cedar_policies_to_json(back, &again), 0);
		assert_true(span_eq(buf_span(&json), buf_span(&again)));
		assert_int_equal(cedar_policies_to_text(back, &print), 0);
		assert_int_equal(cedar_policies_new(&printed), 0);
		assert_int_equal(cedar_policies_add(printed, "t", buf_span(&print), &e), 0);
		buf_clear(&again);
		assert_int_equal(cedar_policies_to_json(printed, &again), 0);
		assert_true(span_eq(buf_span(&json), buf_span(&again)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),	  cmocka_unit_test(other_spellings),
		cmocka_unit_test(refused),	  cmocka_unit_test(sets),
		cmocka_unit_test(bad_sets),	  cmocka_unit_test(several_errors),
		cmocka_unit_test(nesting_is_bounded), cmocka_unit_test(chains_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
