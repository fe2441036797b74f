// SPDX-License-Identifier: Apache-2.0
#include "policy/lex.h"
#include "policy/pattern.h"
#include "policy/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void check(const char *text, const enum token_kind *want)
{
	struct lexer lx;
	struct token t;

	lexer_init(&lx, span_of(text));
	for (size_t i = 0;; i++) {
		t = lexer_next(&lx);
		if (t.kind != want[i])
			print_message("`%s`: token %zu is %d, want %d\n", text, i, t.kind, want[i]);
		assert_int_equal(t.kind, want[i]);
		if (t.kind == TOK_END)
			break;
	}
	assert_int_equal(lexer_next(&lx).kind, TOK_END);
}

#define CHECK(text, ...) check(text, (const enum token_kind[]){ __VA_ARGS__, TOK_END })

static void tokens(void **state)
{
	check("", (const enum token_kind[]){ TOK_END });
	check(" \t\n\r\v\f\xc2\xa0\xc2\x85\xe2\x80\xa8\xe3\x80\x80",
	      (const enum token_kind[]){ TOK_END });
	check("// only a comment", (const enum token_kind[]){ TOK_END });
	CHECK("a// comment\rb", TOK_IDENT, TOK_IDENT);
	CHECK("_a1 A::B \"x\" 007", TOK_IDENT, TOK_IDENT, TOK_PATH, TOK_IDENT, TOK_STRING,
	      TOK_NUMBER);
	CHECK("==!=<=>=&&||:::", TOK_EQ, TOK_NE, TOK_LE, TOK_GE, TOK_AND, TOK_OR, TOK_PATH,
	      TOK_COLON);
	CHECK("(){}[],;.@=<>!+-*/%", TOK_LPAREN, TOK_RPAREN, TOK_LBRACE, TOK_RBRACE, TOK_LBRACKET,
	      TOK_RBRACKET, TOK_COMMA, TOK_SEMICOLON, TOK_DOT, TOK_AT, TOK_ASSIGN, TOK_LT, TOK_GT,
	      TOK_NOT, TOK_PLUS, TOK_MINUS, TOK_STAR, TOK_SLASH, TOK_PERCENT);
	CHECK("1_000", TOK_NUMBER, TOK_IDENT);
	CHECK("?principal ?x", TOK_SLOT, TOK_SLOT);
	CHECK("\"a\nb\tc\" \"\\\"\" \"\\\\\"", TOK_STRING, TOK_STRING, TOK_STRING);
}

static void bad_tokens(void **state)
{
	CHECK("a & b", TOK_IDENT, TOK_BAD, TOK_IDENT);
	CHECK("\xef\xbb\xbf"
	      "a",
	      TOK_BAD, TOK_IDENT);
	CHECK("\xc3\xa9", TOK_BAD);
	CHECK("'x'", TOK_BAD, TOK_IDENT, TOK_BAD);
	CHECK("?", TOK_BAD);
	CHECK("\"open", TOK_BAD);
	CHECK("\"open\\", TOK_BAD);
	CHECK("\"a\\\nb\" c", TOK_BAD, TOK_IDENT, TOK_BAD);
	CHECK("\x01#$`~^", TOK_BAD, TOK_BAD, TOK_BAD, TOK_BAD, TOK_BAD, TOK_BAD);
}

static void positions(void **state)
{
	uint32_t line, column;
	struct lexer lx;
	struct token t;

	lexer_init(&lx, SPAN("ab \"\xc3\xa9\" c"));
	assert_int_equal(lexer_next(&lx).pos, 0);
	assert_int_equal(lexer_next(&lx).pos, 3);
	t = lexer_next(&lx);
	assert_int_equal(t.pos, 8);
	text_place(lx.text, t.pos, &line, &column);
	assert_int_equal(line, 1);
	assert_int_equal(column, 8); /* characters, not bytes */
	text_place(SPAN("a\nb\n"), 4, &line, &column);
	assert_int_equal(line, 3);
	assert_int_equal(column, 1);
	text_place(SPAN("a"), 99, &line, &column);
	assert_int_equal(column, 2);
}

static void utf8(void **state)
{
	static const char *const bad[] = { "\x80",
					   "\xc3",
					   "\xc0\xaf",
					   "\xe0\x80\xaf",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xf8\x88\x80\x80\x80",
					   "\xff",
					   "\xe2\x82",
					   "\xf0\x9f\x98" };

	assert_int_equal(utf8_check(SPAN("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")), 10);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char text[16];

		snprintf(text, sizeof(text), "ab%s", bad[i]);
		assert_int_equal(utf8_check(span_of(text)), 2);
	}
	for (uint32_t c = 1; c < 0x110000; c += 7) {
		char out[4];
		uint32_t back = 0;
		unsigned n;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = utf8_encode(c, out);
		assert_int_equal(utf8_decode(out, out + n, &back), n);
		assert_int_equal(back, c);
	}
}

static void escapes(void **state)
{
	static const struct {
		const char *raw, *want; /* want NULL: refused at offset at, len bytes */
		size_t at, len;
	} cases[] = {
		{ "\\n\\r\\t\\\\\\'\\\"", "\n\r\t\\'\"", 0, 0 },
		{ "\\x41\\x7f\\u{41}\\u{0_0_4_1}\\u{10ffff}",
		  "A\x7f"
		  "AA\xf4\x8f\xbf\xbf",
		  0, 0 },
		{ "\\u{1F600}\\u{e_}", "\xf0\x9f\x98\x80\x0e", 0, 0 },
		{ "ab\\a", NULL, 2, 2 },
		{ "\\/", NULL, 0, 2 },
		{ "\\x80", NULL, 0, 2 },
		{ "\\x4", NULL, 0, 2 },
		{ "\\xg1", NULL, 0, 2 },
		{ "\\u0041", NULL, 0, 2 },
		{ "\\u{}", NULL, 0, 2 },
		{ "\\u{_1}", NULL, 0, 2 },
		{ "\\u{1234567}", NULL, 0, 2 },
		{ "\\u{d800}", NULL, 0, 2 },
		{ "\\u{110000}", NULL, 0, 2 },
		{ "\\u{41", NULL, 0, 2 },
		{ "\\\xc3\xa9", NULL, 0, 3 },
		{ "\\", NULL, 0, 1 },
		{ "\\*", NULL, 0, 2 },
		{ "a\rb", NULL, 1, 1 },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct span got;
		size_t at = 99, len = 99;
		int r = text_unescape(&a, span_of(cases[i].raw), &got, &at, &len);

		assert_int_equal(r, cases[i].want ? 0 : -EINVAL);
		if (cases[i].want) {
			assert_true(span_is(got, cases[i].want));
		} else {
			assert_int_equal(at, cases[i].at);
			assert_int_equal(len, cases[i].len);
		}
	}
	arena_done(&a);
}

static bool matches(const char *raw, const char *s)
{
	struct arena a = { 0 };
	struct pattern p;
	size_t at, len;
	bool m;

	assert_int_equal(text_unescape_pattern(&a, span_of(raw), &p, &at, &len), 0);
	m = pattern_match(&p, span_of(s));
	arena_done(&a);
	return m;
}

static void patterns(void **state)
{
	static const char big[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

	assert_true(matches("", ""));
	assert_false(matches("", "a"));
	assert_true(matches("*", ""));
	assert_true(matches("**", "x\ny"));
	assert_true(matches("a*", "a"));
	assert_true(matches("*a", "ba"));
	assert_false(matches("a*a", "a"));
	assert_true(matches("a*a", "aa"));
	assert_true(matches("a*b*c", "a1b2b3c"));
	assert_false(matches("a*b*c", "acb"));
	assert_false(matches("ab*bc", "abc"));
	assert_true(matches("\\*", "*"));
	assert_false(matches("\\*", "x"));
	assert_true(matches("a\\*b*", "a*bc"));
	assert_true(matches("\\u{2a}", "anything"));
	assert_true(matches("\\x2a", "anything"));
	assert_true(matches("*a*a*a*a*a*a*b", big));
	assert_false(matches("*a*a*a*a*a*a*c", big));
	assert_true(matches("\xf0\x9f\x98\x80*", "\xf0\x9f\x98\x80x"));
}

static void names(void **state)
{
	assert_true(is_normal_name(SPAN("A")));
	assert_true(is_normal_name(SPAN("A::_b::C9")));
	assert_false(is_normal_name(SPAN("")));
	assert_false(is_normal_name(SPAN("A::")));
	assert_false(is_normal_name(SPAN("::A")));
	assert_false(is_normal_name(SPAN("A:B")));
	assert_false(is_normal_name(SPAN("A :: B")));
	assert_false(is_normal_name(SPAN("9")));
	assert_false(is_normal_name(SPAN("A::if")));
	assert_false(is_normal_name(SPAN("__cedar::A")));
	assert_false(is_normal_name(SPAN("A\0")));
	assert_false(is_normal_name((struct span){ NULL, 0 }));
	assert_true(is_normal_name(SPAN("principal")));
}

static void messages_stay_one_line(void **state)
{
	struct cedar_error e;
	char cut[] = "x\xf0\x9f\x98", odd[] = "a\x01"
					      "b\xff"
					      "c\nlonger";

	message_clean(cut);
	assert_string_equal(cut, "x");
	message_clean(odd);
	assert_string_equal(odd, "a b?c longer");
	assert_int_equal(error_set(&e, NULL, 5, "%0400d", 1), -EINVAL);
	assert_int_equal(strlen(e.message), CEDAR_MESSAGE_MAX - 1);
	assert_int_equal(e.line, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),    cmocka_unit_test(bad_tokens),
		cmocka_unit_test(positions), cmocka_unit_test(utf8),
		cmocka_unit_test(escapes),   cmocka_unit_test(patterns),
		cmocka_unit_test(names),     cmocka_unit_test(messages_stay_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
