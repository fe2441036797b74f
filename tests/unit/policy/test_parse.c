// SPDX-License-Identifier: Apache-2.0
#include "policy/cedar.h"
#include "policy/ast.h"
#include "policy/cedar_text.h"
#include "user/base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static int parse(struct span text, size_t *ret_count, struct cedar_errors *errors)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	int r;

	assert_int_equal(cedar_policies_new(&ps), 0);
	r = cedar_policies_add(ps, "test", text, errors);
	*ret_count = cedar_policies_count(ps);
	assert_int_equal(errors->total > 0, r < 0);
	return r;
}

#define S "permit(principal,action,resource)"
#define W(e) S " when { " e " };"

static void valid(void **state)
{
	static const struct {
		const char *text;
		size_t n;
	} cases[] = {
		{ "", 0 },
		{ "// nothing", 0 },
		{ S ";", 1 },
		{ S ";" S ";forbid(principal,action,resource);", 3 },
		{ "permit(principal,action,resource,);", 1 },
		{ "permit(principal == U::\"a\", action == Action::\"x\", resource in R::\"r\");",
		  1 },
		{ "permit(principal is U, action in [Action::\"x\",A::Action::\"y\",], resource is A::B in R::\"r\");",
		  1 },
		{ "permit(principal == ((U::\"a\")), action in ([]), resource);", 1 },
		{ "permit(principal, action in (Action::\"a\"), resource);", 1 },
		{ "@id(\"x\") @if @__cedar(\"\") " S ";", 1 },
		{ S " when { true } unless { false } when { true };", 1 },
		{ W("-9223372036854775808 < 9223372036854775807"), 1 },
		{ W("!!!!true && ----5 == 5"), 1 },
		{ W("principal.permit.when.forbid == permit::\"x\""), 1 },
		{ W("principal is principal"), 1 },
		{ W("principal has a.b.c && principal has \"if\" && context[\"if\"] == 1"), 1 },
		{ W("[1,2,].contains(3,) && {a:1,\"b c\":2,} has a"), 1 },
		{ W("(if true then 1 else 2) == 1"), 1 },
		{ W("if true then if true then true else false else if true then false else true"),
		  1 },
		{ W("U :: \"a\" == U:: // comment\n \"a\""), 1 },
		{ W("\"a\nb\tc\" like \"*\\**\""), 1 },
		{ W("principal is U in [G::\"x\"]"), 1 },
		{ W("007 == 7 && 1 - -1 == 2 && 2*3*-1 == -6"), 1 },
		{ W("decimal(\"x\", 1) == 1"),
		  1 }, /* arity of extensions is a matter of evaluation */
		{ W("context.hasTag(\"a\") && principal.getTag(\"b\").isEmpty()"), 1 },
		{ W("context.contains == 1"), 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cedar_errors e;
		size_t n;

		if (parse(span_of(cases[i].text), &n, &e) < 0)
			print_message("%s\n  %u:%u: %s\n", cases[i].text, e.e[0].line,
				      e.e[0].column, e.e[0].message);
		assert_int_equal(e.total, 0);
		assert_int_equal(n, cases[i].n);
	}
}

static const struct {
	const char *text;
	uint32_t line, column;
	const char *part; /* of the message */
} invalid_texts[] = {
	{ "permit", 1, 7, "unexpected end of the text" },
	{ "Permit(principal,action,resource);", 1, 1, "`permit` or `forbid`" },
	{ S, 1, 34, "`;`" },
	{ "permit(action,principal,resource);", 1, 8, "expected `principal`" },
	{ "permit(principal,action);", 1, 24, "lacks `resource`" },
	{ "permit();", 1, 8, "lacks `principal`" },
	{ "permit(principal,action,resource,context);", 1, 34, "extra element" },
	{ "permit(principal: U,action,resource);", 1, 17, "`is`" },
	{ "permit(principal == \"a\",action,resource);", 1, 21, "found a string" },
	{ "permit(principal == resource,action,resource);", 1, 21,
	  "found the name `resource`" },
	{ "permit(principal == ?principal,action,resource);", 1, 21,
	  "templates are not supported" },
	{ "permit(principal != U::\"a\",action,resource);", 1, 18, "`,`" },
	{ "permit(principal is U == U::\"a\",action,resource);", 1, 23,
	  "`is` cannot stand together" },
	{ "permit(principal in U::\"a\" is U,action,resource);", 1, 28,
	  "`is` must come first" },
	{ "permit(principal in [U::\"a\"],action,resource);", 1, 21, "expected an entity" },
	{ "permit(principal,action is Action,resource);", 1, 25, "scope of the action" },
	{ "permit(principal,action == [Action::\"x\"],resource);", 1, 28, "write `in`" },
	{ "permit(principal,action == U::\"x\",resource);", 1, 28,
	  "its type must be `Action`" },
	{ "permit(principal,action in [[Action::\"x\"]],resource);", 1, 29,
	  "expected an action" },
	{ "permit(principal,action == XAction::\"x\",resource);", 1, 28,
	  "its type must be `Action`" },
	{ "@a @a " S ";", 1, 5, "@a is given twice" },
	{ "@a(1) " S ";", 1, 4, "a string" },
	{ "@a(\"\\q\") " S ";", 1, 5, "not a valid escape" },
	{ S " when {};", 1, 41, "empty" },
	{ S " if { true };", 1, 35, "`when`, `unless` or `;`" },
	{ W("true &&"), 1, 50, "expected an expression" },
	{ W("a = b"), 1, 42, "`a` is not a variable" },
	{ W("principal = 1"), 1, 52, "write `==`" },
	{ W("true & true"), 1, 47, "write `&&`" },
	{ W("1 < 2 < 3"), 1, 48, "do not chain" },
	{ W("principal is U == true"), 1, 57, "do not chain" },
	{ W("true || if true then true else false"), 1, 50, "parentheses" },
	{ W("5 % 2 == 1"), 1, 44, "no division" },
	{ W("18446744073709551616 == 1"), 1, 42, "64 bits" },
	{ W("9223372036854775808 == 1"), 1, 42, "64 bits" },
	{ W("-(9223372036854775808) == 1"), 1, 44, "64 bits" },
	{ W("-----1 == 1"), 1, 46, "more than four" },
	{ W("!!!!!true"), 1, 46, "more than four" },
	{ W("!-1"), 1, 43, "expected an expression" },
	{ W("principal has a[\"x\"]"), 1, 57, "expected an operator or `}`" },
	{ W("principal has \"a\".b"), 1, 59, "expected an operator or `}`" },
	{ W("principal has (a)"), 1, 56, "attribute name" },
	{ W("principal has if"), 1, 56, "reserved" },
	{ W("principal has a::b"), 1, 57, "expected an operator" },
	{ W("context.__cedar"), 1, 50, "`__cedar` is reserved" },
	{ W("context.if"), 1, 50, "reserved" },
	{ W("context[i]"), 1, 50, "a string" },
	{ W("context[(\"a\")]"), 1, 50, "a string" },
	{ W("{if:1} has a"), 1, 43, "reserved" },
	{ W("{a:1, \"a\":2} has a"), 1, 48, "twice" },
	{ W("{a:1 b:2} has a"), 1, 47, "`,` or `}`" },
	{ W("{,} has a"), 1, 43, "attribute name or `}`" },
	{ W("[,].isEmpty()"), 1, 43, "expected an expression" },
	{ W("U::{a:1} == 1"), 1, 45, "a name or a string" },
	{ W("U::if::\"x\" == 1"), 1, 45, "reserved" },
	{ W("\"a\" like (\"a\")"), 1, 51, "pattern of `like`" },
	{ W("\"a\" like \"a\" + \"b\""), 1, 55, "expected an operator" },
	{ W("\"a\\*b\" == 1"), 1, 44, "`\\*` is not a valid escape" },
	{ W("\"a\rb\" == 1"), 1, 44, "carriage return" },
	{ W("foo(1)"), 1, 42, "`foo` is not a function" },
	{ W("isIpv4(context)"), 1, 42, "method, not a function" },
	{ W("contains([1],1)"), 1, 42, "method, not a function" },
	{ W("context.ip(1)"), 1, 50, "function, not a method" },
	{ W("context.nope(1)"), 1, 50, "`nope` is not a method" },
	{ W("[1].contains()"), 1, 46, "takes 1 argument, not 0" },
	{ W("[1].isEmpty(1)"), 1, 46, "takes 0 arguments, not 1" },
	{ W("A::ip(\"x\") == 1"), 1, 42, "`A::ip` is not a function" },
	{ W("?principal == 1"), 1, 42, "slot" },
	{ W("principal(1)"), 1, 42, "is not a function" },
	{ "\xef\xbb\xbf" S ";", 1, 1, "byte order mark" },
	{ S ";\n\n  \xe2\x82\xac", 3, 3, "not allowed" },
	{ "permit(\xff", 1, 8, "UTF-8" },
};

static void invalid(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(invalid_texts); i++) {
		struct cedar_errors e;
		size_t n;

		assert_int_equal(parse(span_of(invalid_texts[i].text), &n, &e), -EINVAL);
		if (e.e[0].line != invalid_texts[i].line || e.e[0].column != invalid_texts[i].column ||
		    !strstr(e.e[0].message, invalid_texts[i].part))
			print_message("%s\n  %u:%u: %s\n", invalid_texts[i].text, e.e[0].line,
				      e.e[0].column, e.e[0].message);
		assert_int_equal(e.e[0].line, invalid_texts[i].line);
		assert_int_equal(e.e[0].column, invalid_texts[i].column);
		assert_non_null(strstr(e.e[0].message, invalid_texts[i].part));
		assert_int_equal(n, 0);
	}
}

static void finds_several_errors(void **state)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors e;
	size_t n;

	assert_int_equal(parse(SPAN("permit(x);\n" S ";\nforbid(;\n@a " W("foo")), &n, &e),
			 -EINVAL);
	assert_int_equal(e.n, 3);
	assert_int_equal(e.e[1].line, 3);
	assert_int_equal(e.e[2].line, 4);
	for (int i = 0; i < 100; i++)
		buf_append_str(&text, "bad;\n");
	assert_int_equal(parse(buf_span(&text), &n, &e), -EINVAL);
	assert_int_equal(e.n, CEDAR_ERRORS_MAX);
}

/* Templates are parsed when asked for; a slot stands in the scope of its own name only. */
static void slots(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
		{ "permit(principal == ?principal,action,resource);", true },
		{ "permit(principal in ?principal,action,resource in ?resource);", true },
		{ "permit(principal is U in ?principal,action,resource is R in (?resource));", true },
		{ "permit(principal == ?resource,action,resource);", false },
		{ "permit(principal,action,resource == ?principal);", false },
		{ "permit(principal == ?user,action,resource);", false },
		{ "permit(principal is ?principal,action,resource);", false },
		{ "permit(principal,action == ?action,resource);", false },
		{ "permit(principal,action in [?principal],resource);", false },
		{ "permit(?principal,action,resource);", false },
		{ W("principal == ?principal"), false },
		{ W("[?resource]"), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		struct cedar_errors e;

		assert_int_equal(cedar_policies_new(&ps), 0);
		assert_int_equal(cedar_policies_add_templates(ps, "t", span_of(cases[i].text), &e),
				 cases[i].ok ? 0 : -EINVAL);
		assert_int_equal(cedar_templates_count(ps), cases[i].ok);
		assert_int_equal(cedar_policies_count(ps), 0);
		if (cases[i].ok)
			assert_int_equal(cedar_policies_add(ps, "t", span_of(cases[i].text), &e), -EINVAL);
	}
}

/* Quadratic work would be felt: 200,000 annotations, and parentheses without end in a scope. */
static void long_lists(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct cedar_errors e;
	size_t n;

	for (int i = 0; i < 200000; i++)
		assert_int_equal(buf_printf(&b, "@a%d ", i), 0);
	buf_append_str(&b, S ";");
	assert_int_equal(parse(buf_span(&b), &n, &e), 0);
	buf_clear(&b);
	buf_append_str(&b, "permit(principal == ");
	for (int i = 0; i < 200000; i++)
		buf_append_str(&b, "(");
	assert_int_equal(parse(buf_span(&b), &n, &e), -EINVAL);
	assert_non_null(strstr(e.e[0].message, "nested deeper"));
}

/* A failed text leaves nothing behind, and others go on with the numbering. */
static void failed_text_adds_nothing(void **state)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	struct cedar_errors e;

	assert_int_equal(cedar_policies_new(&ps), 0);
	assert_int_equal(cedar_policies_add(ps, "a", SPAN(S ";"), &e), 0);
	assert_int_equal(cedar_policies_add(ps, "b", SPAN(S ";" S), &e), -EINVAL);
	assert_int_equal(cedar_policies_add(ps, "c", SPAN(S ";"), &e), 0);
	assert_int_equal(cedar_policies_count(ps), 2);
	assert_int_equal(ps->policies.v[1].text, 1);
	assert_true(span_is(ps->texts.v[1].name, "c"));
}

static void repeat(struct buf *b, const char *s, unsigned n)
{
	while (n-- > 0)
		assert_int_equal(buf_append_str(b, s), 0);
}

static int nested(const char *open, const char *core, const char *close, unsigned n)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct cedar_errors e;
	size_t count;
	int r;

	buf_append_str(&b, S " when { ");
	repeat(&b, open, n);
	buf_append_str(&b, core);
	repeat(&b, close, n);
	buf_append_str(&b, " };");
	r = parse(buf_span(&b), &count, &e);
	if (r < 0)
		assert_non_null(strstr(e.e[0].message, "nested deeper"));
	return r;
}

static void nesting_is_bounded(void **state)
{
	assert_int_equal(nested("(", "true", ")", CEDAR_NESTING_MAX - 1), 0);
	assert_int_equal(nested("(", "true", ")", CEDAR_NESTING_MAX), -EINVAL);
	assert_int_equal(nested("(", "true", ")", 200000), -EINVAL);
	assert_int_equal(nested("[", "1", "]", 200000), -EINVAL);
	assert_int_equal(nested("{a:", "1", "}", 200000), -EINVAL);
	assert_int_equal(nested("if true then ", "1", " else 2", 200000), -EINVAL);
	assert_int_equal(nested("decimal(", "1", ")", 200000), -EINVAL);
	assert_int_equal(nested("!(", "true", ")", 200000), -EINVAL);
	assert_int_equal(nested("context.contains(", "1", ")", 200000), -EINVAL);
}

static void chains_are_not(void **state)
{
	assert_int_equal(nested("true && ", "true", "", 100000), 0);
	assert_int_equal(nested("true || ", "true", "", 100000), 0);
	assert_int_equal(nested("1 + ", "1", "", 100000), 0);
	assert_int_equal(nested("1 * ", "1", "", 100000), 0);
	assert_int_equal(nested("", "context", ".a", 100000), 0);
	assert_int_equal(nested("", "context", "[\"a\"]", 100000), 0);
	assert_int_equal(nested("", "context has a", ".a", 100000), 0);
}

/* Every cut and every changed byte of a text is parsed or refused, with a place in it. */
static void mutations(void **state)
{
	static const char text[] =
		"@a(\"b\") permit(principal is A::B in U::\"\\u{61}\", action in [Action::\"x\"],"
		" resource) when { [1, {a: -2, \"b\": ip(\"::1\")}].contains(context.x[\"y\"].z(3)) || 1 + 2 * 3 < 4 &&"
		" principal has a.b && \"x\" like \"*\\*\" } unless { if true then !false else principal is T in E::\"e\" };";
	char copy[sizeof(text)];
	struct cedar_errors e;
	size_t n;

	for (size_t i = 0; i < sizeof(text); i++)
		(void)parse((struct span){ text, i }, &n, &e);
	srand(1);
	for (int i = 0; i < 20000; i++) {
		memcpy(copy, text, sizeof(text));
		for (int k = rand() % 4; k >= 0; k--)
			copy[rand() % (int)sizeof(text)] =
				rand() % 3 ? text[rand() % (int)sizeof(text)] : (char)rand();
		if (parse((struct span){ copy, sizeof(text) - 1 }, &n, &e) < 0)
			assert_true(e.n > 0 && e.e[0].offset <= sizeof(text));
	}
}

static void too_large(void **state)
{
	struct cedar_errors e;
	size_t n;
	char *text = calloc(1, CEDAR_TEXT_MAX + 1);

	assert_non_null(text);
	memset(text, ' ', CEDAR_TEXT_MAX + 1);
	assert_int_equal(parse((struct span){ text, CEDAR_TEXT_MAX + 1 }, &n, &e), -EFBIG);
	assert_int_equal(parse((struct span){ text, CEDAR_TEXT_MAX }, &n, &e), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),
		cmocka_unit_test(invalid),
		cmocka_unit_test(slots),
		cmocka_unit_test(long_lists),
		cmocka_unit_test(finds_several_errors),
		cmocka_unit_test(failed_text_adds_nothing),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(chains_are_not),
		cmocka_unit_test(mutations),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
