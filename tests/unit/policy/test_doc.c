// SPDX-License-Identifier: Apache-2.0
/* Layout of documents by itself. */
#include "policy/doc.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct docs ds;

static const struct doc *text(const char *s)
{
	return doc_text(&ds, span_of(s));
}

static const struct doc *line(void)
{
	return doc_line(&ds);
}

static void expect(const struct doc *d, unsigned width, const char *want)
{
	_cleanup_buf_ struct buf out = { 0 };

	assert_true(doc_ok(&ds));
	assert_int_equal(doc_render(d, width, &out), 0);
	assert_string_equal(buf_cstr(&out), want);
}

static void groups_fit_or_break(void **state)
{
	const struct doc *inner = doc_group(&ds, doc_cats(&ds, text("b"), line(), text("c")));
	const struct doc *d = doc_group(&ds, doc_cats(&ds, text("aaa"), line(), inner, text(";")));

	expect(d, 8, "aaa b c;");
	expect(d, 7, "aaa\nb c;");
	expect(d, 3, "aaa\nb\nc;");
	expect(d, 1, "aaa\nb\nc;");
	expect(NULL, 10, "");
	expect(doc_group(&ds, NULL), 10, "");
}

/* What follows a group up to the next possible line end counts too; groups behind it may break. */
static void what_follows_counts(void **state)
{
	const struct doc *g = doc_group(&ds, doc_cats(&ds, text("a"), line(), text("b")));
	const struct doc *h = doc_group(&ds, doc_cats(&ds, text("c"), line(), text("dddddd")));

	expect(doc_cats(&ds, g, text("xyz"), doc_hard_line(&ds), text("more")), 6, "a bxyz\nmore");
	expect(doc_cats(&ds, g, text("xyz"), doc_hard_line(&ds), text("more")), 5, "a\nbxyz\nmore");
	expect(doc_cats(&ds, g, h), 4, "a bc\ndddddd");
}

static void hard_lines_break_groups(void **state)
{
	const struct doc *d = doc_group(&ds, doc_cats(&ds, text("a"), line(), text("b"), doc_hard_line(&ds), text("c")));

	expect(d, 80, "a\nb\nc");
}

/* A line end takes the indentation of what comes behind it, also out of a nested document. */
static void nesting(void **state)
{
	const struct doc *in = doc_nest(&ds, 2, doc_cats(&ds, line(), text("in"), line()));
	const struct doc *d = doc_cats(&ds, text("{"), in, text("}"));

	expect(doc_group(&ds, d), 80, "{ in }");
	expect(d, 80, "{\n  in\n}");
	d = doc_nest(&ds, 4, doc_cats(&ds, text("x"), line(), doc_nest(&ds, 2, doc_cats(&ds, text("y"), line(), text("z")))));
	expect(d, 80, "x\n    y\n      z");
	expect(doc_cats(&ds, text("a"), doc_line_or_nothing(&ds), text("b")), 80, "a\nb");
	expect(doc_group(&ds, doc_cats(&ds, text("a"), doc_line_or_nothing(&ds), text("b"))), 80, "ab");
}

static void columns_not_bytes(void **state)
{
	const struct doc *d = doc_group(&ds, doc_cats(&ds, text("\xc3\xa9\xc3\xa9"), line(), text("x")));
	const struct doc *wide = doc_group(&ds, doc_cats(&ds, text("\xe4\xb8\x80"), line(), text("x")));

	expect(d, 4, "\xc3\xa9\xc3\xa9 x");
	expect(wide, 4, "\xe4\xb8\x80 x");
	expect(wide, 3, "\xe4\xb8\x80\nx");
}

/* Chains make documents deep to the left; groups within groups are asked one by one. */
static void deep(void **state)
{
	_cleanup_buf_ struct buf out = { 0 };
	const struct doc *d = NULL, *g = text("x");

	for (int i = 0; i < 200000; i++)
		d = doc_cats(&ds, d, doc_group(&ds, text("a")), line());
	assert_int_equal(doc_render(d, 80, &out), 0);
	assert_int_equal(buf_len(&out), 400000);
	for (int i = 0; i < 100000; i++)
		g = doc_group(&ds, doc_cats(&ds, text("("), doc_line_or_nothing(&ds), g));
	buf_clear(&out);
	assert_int_equal(doc_render(g, 80, &out), 0);
	assert_int_equal(buf_len(&out), 200001 - 79);
}

static void limits(void **state)
{
	_cleanup_buf_ struct buf out = { .limit = 10 };

	assert_int_equal(doc_render(doc_cats(&ds, doc_nest(&ds, 100, line()), text("x")), 80, &out), 0);
	buf_clear(&out);
	assert_int_equal(doc_render(doc_nest(&ds, 100, doc_cats(&ds, line(), text("x"), line(), text("y"))), 80, &out),
			 -EMSGSIZE);
}

static int forget(void **state)
{
	arena_done(&ds.mem);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_fit_or_break), cmocka_unit_test(what_follows_counts),
		cmocka_unit_test(hard_lines_break_groups), cmocka_unit_test(nesting),
		cmocka_unit_test(columns_not_bytes), cmocka_unit_test(deep),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
