// SPDX-License-Identifier: Apache-2.0
/* Printing: the layout, escapes, and where parentheses stand. */
#include "policy/cedar_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/ast.h"
#include "policy/escape.h"
#include "policy/print.h"
#include "policy/unicode.h"
#include "user/base/buf.h"

#define S "permit(principal,action,resource)"

static struct cedar_policies *parse(const char *text)
{
	struct cedar_policies *ps = NULL;
	struct cedar_errors e;

	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add_templates(ps, "test", span_of(text), &e) < 0)
		fail_msg("%s: %s", text, e.e[0].message);
	return ps;
}

static void layout(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ S ";", "permit(\n  principal,\n  action,\n  resource\n);\n" },
		{ "@b(\"\") @a @if(\"x\\\"\") forbid(principal is A::B in G::\"g\",action == Action::\"a\",resource in R::\"r\") "
		  "when{1<2} unless{false} when{true};" S ";",
		  "@a\n@b(\"\")\n@if(\"x\\\"\")\nforbid(\n  principal is A::B in G::\"g\",\n  action == Action::\"a\",\n"
		  "  resource in R::\"r\"\n) when {\n  1 < 2\n} unless {\n  false\n} when {\n  true\n};\n\n"
		  "permit(\n  principal,\n  action,\n  resource\n);\n" },
		{ "permit(principal,action in [],resource is R);",
		  "permit(\n  principal,\n  action in [],\n  resource is R\n);\n" },
		{ "permit(principal,action in Action::\"a\",resource);",
		  "permit(\n  principal,\n  action in [Action::\"a\"],\n  resource\n);\n" },
		{ "permit(principal == ?principal,action in [Action::\"a\",Action::\"b\"],resource is R in ?resource);",
		  "permit(\n  principal == ?principal,\n  action in [Action::\"a\",Action::\"b\"],\n"
		  "  resource is R in ?resource\n);\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = parse(cases[i].in);
		_cleanup_buf_ struct buf out = { 0 };

		assert_int_equal(cedar_policies_to_text(ps, &out), 0);
		assert_string_equal(buf_cstr(&out), cases[i].out);
	}
}

static void print_condition(const char *in, bool full, struct buf *out)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf text = { 0 };
	struct printer pr = { .out = out, .full = full };

	buf_printf(&text, S " when { %s };", in);
	ps = parse(buf_cstr(&text));
	print_expr(&pr, ps->policies.v[0].conditions[0].e);
	assert_int_equal(pr.r, 0);
}

/* With all parentheses, and with the needed ones only. */
static void parentheses(void **state)
{
	static const struct {
		const char *in, *full, *plain; /* plain NULL: like full */
	} cases[] = {
		{ "1 - (2 - 3) - 4", "(1 - (2 - 3)) - 4", "1 - (2 - 3) - 4" },
		{ "1 + 2 * 3 == 7", "(1 + (2 * 3)) == 7", "1 + 2 * 3 == 7" },
		{ "(1 + 2) * 3 == 9", "((1 + 2) * 3) == 9", "(1 + 2) * 3 == 9" },
		{ "true && (false || true) && true", "(true && (false || true)) && true", "true && (false || true) && true" },
		{ "(true && false) && true", "(true && false) && true", "(true && false) && true" },
		{ "true || (if true then 1 else 2)", NULL, NULL },
		{ "if 1 < 2 then [1] else if true then 2 else 3",
		  "if (1 < 2) then [1] else (if true then 2 else 3)", "if 1 < 2 then [1] else if true then 2 else 3" },
		{ "-5 < -(5)", "(-5) < (-(5))", "-5 < -(5)" },
		{ "--5 == ---(5)", "(-((-5))) == (-(-(-(5))))", "--5 == ---(5)" },
		{ "(-5).x", "(-5).x", "(-5).x" },
		{ "-5.x == 1", "(-(5.x)) == 1", "-5.x == 1" },
		{ "-(-(-(-(-(5)))))", NULL, "----(-(5))" },
		{ "!!!!true", "!(!(!(!true)))", "!!!!true" },
		{ "!(!!!!true)", "!(!(!(!(!true))))", "!!!!(!true)" },
		{ "!(-5 == 1)", "!((-5) == 1)", "!(-5 == 1)" },
		{ "(!true).x", NULL, NULL },
		{ "context.a.b[\"if\"][\"\"].contains(1 + 2)", "((((context.a).b)[\"if\"])[\"\"]).contains(1 + 2)",
		  "context.a.b[\"if\"][\"\"].contains(1 + 2)" },
		{ "ip(\"::1\").isInRange(ip(\"::/0\"), 2)", "(ip(\"::1\")).isInRange(ip(\"::/0\"), 2)",
		  "ip(\"::1\").isInRange(ip(\"::/0\"), 2)" },
		{ "context has a.b && context has \"a b\"", "(context has a.b) && (context has \"a b\")",
		  "context has a.b && context has \"a b\"" },
		{ "(1 == 2) == (3 in [4])", NULL, NULL },
		{ "principal is A in G::\"g\" || principal is B", "(principal is A in G::\"g\") || (principal is B)",
		  "principal is A in G::\"g\" || principal is B" },
		{ "{b: -1, \"a b\": {}, \"if\": 2, a: 1 + 1}", "{a: 1 + 1, \"a b\": {}, b: (-1), \"if\": 2}",
		  "{a: 1 + 1, \"a b\": {}, b: -1, \"if\": 2}" },
		{ "(\"x\" + 1) like \"a*\\*\\u{300}\\n\"", "(\"x\" + 1) like \"a*\\*\\u{300}\\n\"",
		  "\"x\" + 1 like \"a*\\*\\u{300}\\n\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf full = { 0 }, plain = { 0 };
		const char *want = cases[i].full ? cases[i].full : cases[i].in;

		print_condition(cases[i].in, true, &full);
		assert_string_equal(buf_cstr(&full), want);
		print_condition(cases[i].in, false, &plain);
		assert_string_equal(buf_cstr(&plain), cases[i].plain ? cases[i].plain : want);
	}
}

static void escapes(void **state)
{
	static const struct {
		struct span in;
		const char *string, *pattern;
	} cases[] = {
		{ SPAN(""), "", "" },
		{ SPAN("a*b"), "a*b", "a\\*b" },
		{ SPAN("\0\t\r\n\\\"'"), "\\0\\t\\r\\n\\\\\\\"\\'", "\\0\\t\\r\\n\\\\\\\"\\'" },
		{ SPAN("\x01\x1b\x7f"), "\\u{1}\\u{1b}\\u{7f}", "\\u{1}\\u{1b}\\u{7f}" },
		{ SPAN("\xc3\xa9\xf0\x9f\x98\x80"), "\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80" },
		/* a combining accent first, and behind a letter */
		{ SPAN("\xcc\x80" "a\xcc\x80"), "\\u{300}a\xcc\x80", "\\u{300}a\\u{300}" },
		/* no-break space, zero width space, private use, unassigned */
		{ SPAN("\xc2\xa0\xe2\x80\x8b\xee\x80\x80\xcd\xb8"), "\\u{a0}\\u{200b}\\u{e000}\\u{378}",
		  "\\u{a0}\\u{200b}\\u{e000}\\u{378}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct buf string = { 0 }, pattern = { 0 };
		struct pattern p = { &cases[i].in, 1 };

		assert_int_equal(escape_string(&string, cases[i].in), 0);
		assert_string_equal(buf_cstr(&string), cases[i].string);
		assert_int_equal(escape_pattern(&pattern, &p), 0);
		assert_string_equal(buf_cstr(&pattern), cases[i].pattern);
	}
}

static void tables_are_sorted(void **state)
{
	const struct {
		const struct char_range *v;
		uint32_t n;
	} tables[] = { { chars_not_printable, chars_not_printable_n },
		       { chars_grapheme_extend, chars_grapheme_extend_n },
		       { chars_ignorable, chars_ignorable_n },
		       { chars_wide, chars_wide_n } };

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_true(tables[t].n > 10);
		for (uint32_t i = 0; i < tables[t].n; i++) {
			assert_true(tables[t].v[i].first <= tables[t].v[i].last);
			assert_true(tables[t].v[i].last <= 0x10ffff);
			assert_true(i == 0 || tables[t].v[i - 1].last + 1 < tables[t].v[i].first);
		}
	}
}

static void columns(void **state)
{
	assert_int_equal(char_columns('a'), 1);
	assert_int_equal(char_columns('\n'), 1);
	assert_int_equal(char_columns(0xe9), 1);
	assert_int_equal(char_columns(0x300), 0);
	assert_int_equal(char_columns(0x200b), 0);
	assert_int_equal(char_columns(0xad), 1);
	assert_int_equal(char_columns(0x4e00), 2);
	assert_int_equal(char_columns(0xff21), 2);
	assert_int_equal(char_columns(0x1f600), 2);
	assert_int_equal(char_columns(0x30c30), 2);
	assert_int_equal(char_columns(0x10ffff), 1);
}

/* Where all parentheses would be more than a text may have, the needed ones are written: what is
 * printed can always be read. */
static void deep_is_readable(void **state)
{
	static const struct {
		const char *open, *core, *close;
		unsigned n;
	} cases[] = {
		{ "", "true", " && true", 1000 },
		{ "(1 + ", "1", " * 2 - 3)", CEDAR_NESTING_MAX - 1 },
		{ "!!!!(", "true", ")", CEDAR_NESTING_MAX - 1 },
		{ "----(", "context.a", ")", CEDAR_NESTING_MAX - 1 },
		{ "----(", "-5", ")", CEDAR_NESTING_MAX - 1 },
		{ "[1 < -", "5", ".a.b.c]", CEDAR_NESTING_MAX - 1 },
		{ "if !true then ", "1", " else 2", CEDAR_NESTING_MAX - 1 },
		{ "(context has a || context.b like \"x\" && 1 + 2 * ", "3", ".x == 4)", CEDAR_NESTING_MAX - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL, *back = NULL;
		_cleanup_buf_ struct buf text = { 0 }, out = { 0 }, a = { 0 }, b = { 0 };
		const struct ast *e;

		buf_append_str(&text, S " when { ");
		for (unsigned k = 0; k < cases[i].n; k++)
			buf_append_str(&text, cases[i].open);
		buf_append_str(&text, cases[i].core);
		for (unsigned k = 0; k < cases[i].n; k++)
			buf_append_str(&text, cases[i].close);
		buf_append_str(&text, " };");
		ps = parse(buf_cstr(&text));
		e = ps->policies.v[0].conditions[0].e;
		assert_true(print_nesting(e, false) <= CEDAR_NESTING_MAX);
		assert_int_equal(cedar_policies_to_text(ps, &out), 0);
		back = parse(buf_cstr(&out));
		assert_int_equal(cedar_policies_to_json(ps, &a), 0);
		assert_int_equal(cedar_policies_to_json(back, &b), 0);
		assert_true(span_eq(buf_span(&a), buf_span(&b)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),	     cmocka_unit_test(parentheses),
		cmocka_unit_test(escapes),	     cmocka_unit_test(tables_are_sorted),
		cmocka_unit_test(columns),	     cmocka_unit_test(deep_is_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
