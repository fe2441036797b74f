// SPDX-License-Identifier: Apache-2.0
/* The formatter: layout, and comments wherever they may stand. */
#include "policy/cedar_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/lex.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"

static void expect(const char *in, unsigned width, const char *want)
{
	_cleanup_buf_ struct buf out = { 0 }, again = { 0 };
	struct cedar_errors e;
	int r = cedar_format(span_of(in), width, &out, &e);

	if (r < 0)
		fail_msg("%s: %d %s", in, r, e.e[0].message);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(cedar_format(buf_span(&out), width, &again, &e), 0);
	assert_string_equal(buf_cstr(&again), want);
}

static void layout(void **state)
{
	static const char *const cases[][2] = {
		{ "", "" },
		{ " \n\n// only\n\n  // this\n", "// only\n// this\n" },
		{ "permit(principal,action,resource);forbid(principal,action,resource);",
		  "permit (principal, action, resource);\n\nforbid (principal, action, resource);\n" },
		{ "permit(principal==?principal,action,resource in((R::\"r\")),);",
		  "permit (\n  principal == ?principal,\n  action,\n  resource in ((R::\"r\"))\n);\n" },
		{ "@a(\"\\u{41}\")@b permit(principal,action in[],resource)when{[1,2,]==[]}unless{{}=={a:1,}};",
		  "@a(\"\\u{41}\")\n@b\npermit (\n  principal,\n  action in [],\n  resource\n)\nwhen { [1, 2] == [] }\n"
		  "unless { {} == { a: 1 } };\n" },
		{ "permit(principal,action,resource)when{if 007<8&&!(- 1==--2)then ip(\"x\",).isIpv4()else context[\"a\"].b};",
		  "permit (principal, action, resource)\nwhen { if 7 < 8 && !(-1 == --2) then ip(\"x\").isIpv4() else context[\"a\"].b };\n" },
		{ "permit(principal,action,resource)when{\"one\n\n\n  two // no comment\"==\"\"};// end\n// more",
		  "permit (principal, action, resource)\nwhen { \"one\n\n\n  two // no comment\" == \"\" }; // end\n// more\n" },
		{ "permit(principal,action,resource)when{context.aaaaaaaaaaaaaaaaaaaaaaaaaaaaa&&context.bbbbbbbbbbbbbbbbbbbbbbbbbbb||"
		  "context has ccccccccccccccccccccc.dddd};",
		  "permit (principal, action, resource)\nwhen\n{\n  context.aaaaaaaaaaaaaaaaaaaaaaaaaaaaa &&\n"
		  "  context.bbbbbbbbbbbbbbbbbbbbbbbbbbb ||\n  context has ccccccccccccccccccccc.dddd\n};\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(cases[i][0], 80, cases[i][1]);
}

static void comments(void **state)
{
	/* the comma before a bracket goes, its comments stay */
	expect("permit(principal,action,resource // r\n, // comma\n)when{[1 // one\n, // two\n] == 2};", 80,
	       "permit (principal, action, resource // r\n// comma\n)\nwhen\n{\n  [1 // one\n  // two\n  ] == 2\n};\n");
	/* line ends of three kinds, white space of others */
	expect("permit(principal,action,resource);// a\r\n// b\r// c\xc2\xa0\n", 80,
	       "permit (principal, action, resource); // a\n// b\n// c\n");
}

static void errors(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	_cleanup_free_ char *large = calloc(1, CEDAR_FORMAT_TEXT_MAX + 1);
	struct cedar_errors e;

	assert_non_null(large);
	memset(large, ' ', CEDAR_FORMAT_TEXT_MAX + 1);
	assert_int_equal(cedar_format(SPAN("permit(principal);"), 80, &out, &e), -EINVAL);
	assert_int_equal(e.n, 1);
	assert_int_equal(cedar_format(SPAN(""), 0, &out, &e), -EINVAL);
	assert_int_equal(e.n, 0);
	assert_int_equal(cedar_format(SPAN(""), CEDAR_FORMAT_WIDTH_MAX + 1, &out, &e), -EINVAL);
	assert_int_equal(cedar_format((struct span){ large, CEDAR_FORMAT_TEXT_MAX + 1 }, 80, &out, &e), -EFBIG);
	assert_int_equal(e.n, 1);
	assert_int_equal(cedar_format((struct span){ large, CEDAR_FORMAT_TEXT_MAX }, 80, &out, &e), 0);
	assert_int_equal(buf_len(&out), 0);
}

/* What takes the most JSON for its length, as long as may be. */
static void long_chain(void **state)
{
	_cleanup_buf_ struct buf in = { 0 }, out = { 0 };
	struct cedar_errors e;

	buf_append_str(&in, "permit(principal,action,resource)when{1");
	while (buf_len(&in) < CEDAR_FORMAT_TEXT_MAX - 10)
		buf_append_str(&in, "+1");
	buf_append_str(&in, "};");
	assert_int_equal(cedar_format(buf_span(&in), 80, &out, &e), 0);
	assert_true(buf_len(&out) > buf_len(&in));
}

/* --- comments everywhere ---------------------------------------------------------------------- */

static const char source[] =
	"@a(\"b\") @c permit(principal is A::B in ?principal, action in [Action::\"x\", A::Action::\"y\",],"
	" resource == R::\"r\",) when { if !true then [1, {a: -2, \"b c\": ip(\"::1\")}].contains(context.x[\"y\"].z)"
	" else - - context.l + 1 * 2 < 3 - 4 && principal has a.b.c || \"x\" like \"*\" } unless {"
	" (principal is T in [E::\"e\"]) && {} == [] && f::G::\"h\" in context.isEmpty() };"
	"forbid(principal, action, resource);";

static unsigned count_of(struct span s, const char *what)
{
	const char *p = s.p, *end = s.p + s.n;
	unsigned n = 0;

	while ((p = memmem(p, (size_t)(end - p), what, strlen(what)))) {
		p++;
		n++;
	}
	return n;
}

/* The source, with what gap(i) says put behind the token i. */
static void with_gaps(const char *(*gap)(unsigned i, unsigned k), unsigned k, struct buf *out)
{
	struct lexer lx;
	struct token t;

	lexer_init(&lx, SPAN(source));
	for (unsigned i = 0; (t = lexer_next(&lx)).kind != TOK_END; i++) {
		buf_append(out, t.text.p, t.text.n);
		buf_append_str(out, gap(i, k));
	}
}

static const char *one_behind(unsigned i, unsigned k)
{
	return i == k ? " // #\n" : " ";
}

static const char *one_below(unsigned i, unsigned k)
{
	return i == k ? "\n\n\t// #\n\n" : " ";
}

static const char *random_gap(unsigned i, unsigned k)
{
	static const char *const gaps[] = { " ",	 "\n",	     " // #\n", "\n// #\n", " // #\n// #\n", "\n// #\n// # \"\n",
					    "// #  \r\n", "\n\n\n" };
	static unsigned seed;

	if (i == 0)
		seed = k;
	seed = seed * 1103515245 + 12345;
	return gaps[seed >> 16 & 7];
}

static void check(const char *(*gap)(unsigned, unsigned), unsigned k, unsigned width)
{
	_cleanup_buf_ struct buf in = { 0 }, out = { 0 }, again = { 0 };
	struct cedar_errors e;
	int r;

	with_gaps(gap, k, &in);
	r = cedar_format(buf_span(&in), width, &out, &e);
	if (r < 0)
		fail_msg("%s\n%d %s", buf_cstr(&in), r, e.e[0].message);
	if (count_of(buf_span(&in), "// #") != count_of(buf_span(&out), "// #"))
		fail_msg("a comment got lost:\n%s\n%s", buf_cstr(&in), buf_cstr(&out));
	assert_int_equal(cedar_format(buf_span(&out), width, &again, &e), 0);
	if (!span_eq(buf_span(&out), buf_span(&again)))
		fail_msg("not stable:\n%s\n%s", buf_cstr(&out), buf_cstr(&again));
}

static void a_comment_anywhere(void **state)
{
	for (unsigned k = 0; k < 200; k++) {
		check(one_behind, k, 80);
		check(one_below, k, 80);
	}
	for (unsigned k = 0; k < 2000; k++) {
		check(random_gap, k, 80);
		check(random_gap, k, 20 + k % 90);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layout),
		cmocka_unit_test(comments),
		cmocka_unit_test(errors),
		cmocka_unit_test(long_chain),
		cmocka_unit_test(a_comment_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
