// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/tape.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/mcp/tape_string.h"

struct refusal {
	const char *text;
	size_t n; /* 0: strlen */
	enum tape_error error;
	int offset; /* -1: not checked */
};

#define T(s) s, sizeof(s) - 1

static const struct refusal refused[] = {
	{ "", 0, TAPE_E_INCOMPLETE, 0 },
	{ "   ", 0, TAPE_E_INCOMPLETE, 3 },
	{ "{", 0, TAPE_E_INCOMPLETE, 1 },
	{ "[", 0, TAPE_E_INCOMPLETE, 1 },
	{ "[1", 0, TAPE_E_INCOMPLETE, -1 },
	{ "[1,", 0, TAPE_E_INCOMPLETE, -1 },
	{ "[1,]", 0, TAPE_E_SYNTAX, 3 },
	{ "[,1]", 0, TAPE_E_SYNTAX, 1 },
	{ "[1 2]", 0, TAPE_E_SYNTAX, 3 },
	{ "[1}", 0, TAPE_E_SYNTAX, 2 },
	{ "{]", 0, TAPE_E_SYNTAX, 1 },
	{ "{\"a\"}", 0, TAPE_E_SYNTAX, 4 },
	{ "{\"a\":}", 0, TAPE_E_SYNTAX, 5 },
	{ "{\"a\":1,}", 0, TAPE_E_SYNTAX, 7 },
	{ "{\"a\":1 \"b\":2}", 0, TAPE_E_SYNTAX, 7 },
	{ "{a:1}", 0, TAPE_E_SYNTAX, 1 },
	{ "{'a':1}", 0, TAPE_E_SYNTAX, 1 },
	{ "{1:1}", 0, TAPE_E_SYNTAX, 1 },
	{ "{\"a\":1", 0, TAPE_E_INCOMPLETE, -1 },
	{ "{\"a\"", 0, TAPE_E_INCOMPLETE, -1 },
	{ "{\"a", 0, TAPE_E_INCOMPLETE, -1 },
	{ "{\"a\":1}{", 0, TAPE_E_TRAILING, 7 },
	{ "1 2", 0, TAPE_E_TRAILING, 2 },
	{ "[]]", 0, TAPE_E_TRAILING, 2 },
	{ "\xef\xbb\xbf{}", 0, TAPE_E_SYNTAX, 0 },
	{ T("[]\0"), TAPE_E_TRAILING, 2 },
	{ T("\0"), TAPE_E_SYNTAX, 0 },
	{ "/**/1", 0, TAPE_E_SYNTAX, 0 },
	{ "[1]//", 0, TAPE_E_TRAILING, 3 },
	{ "\f1", 0, TAPE_E_SYNTAX, 0 },
	{ "\xc2\xa0" "1", 0, TAPE_E_SYNTAX, 0 },
	/* literals */
	{ "nul", 0, TAPE_E_INCOMPLETE, 0 },
	{ "nulL", 0, TAPE_E_SYNTAX, 0 },
	{ "True", 0, TAPE_E_SYNTAX, 0 },
	{ "truefalse", 0, TAPE_E_TRAILING, 4 },
	{ "NaN", 0, TAPE_E_SYNTAX, 0 },
	{ "Infinity", 0, TAPE_E_SYNTAX, 0 },
	/* numbers */
	{ "01", 0, TAPE_E_NUMBER, -1 },
	{ "-01", 0, TAPE_E_NUMBER, -1 },
	{ "00", 0, TAPE_E_NUMBER, -1 },
	{ "-", 0, TAPE_E_INCOMPLETE, -1 },
	{ "[-]", 0, TAPE_E_NUMBER, 2 },
	{ "[-Infinity]", 0, TAPE_E_NUMBER, -1 },
	{ "+1", 0, TAPE_E_SYNTAX, 0 },
	{ ".5", 0, TAPE_E_SYNTAX, 0 },
	{ "[1.]", 0, TAPE_E_NUMBER, 3 },
	{ "[1.e5]", 0, TAPE_E_NUMBER, 3 },
	{ "[1e]", 0, TAPE_E_NUMBER, 3 },
	{ "[1e+]", 0, TAPE_E_NUMBER, 4 },
	{ "1e", 0, TAPE_E_INCOMPLETE, 2 },
	{ "0x10", 0, TAPE_E_TRAILING, 1 },
	{ "1_000", 0, TAPE_E_TRAILING, 1 },
	{ "1.2.3", 0, TAPE_E_TRAILING, 3 },
	{ "--1", 0, TAPE_E_NUMBER, 1 },
	{ "\xd9\xa1", 0, TAPE_E_SYNTAX, 0 },
	/* strings */
	{ "\"", 0, TAPE_E_INCOMPLETE, 1 },
	{ "\"abc", 0, TAPE_E_INCOMPLETE, 4 },
	{ "\"abcdefghijklmnop", 0, TAPE_E_INCOMPLETE, 17 },
	{ "\"\\\"", 0, TAPE_E_INCOMPLETE, -1 },
	{ "\"\\", 0, TAPE_E_INCOMPLETE, 1 },
	{ "\"\\u12", 0, TAPE_E_INCOMPLETE, 1 },
	{ "'a'", 0, TAPE_E_SYNTAX, 0 },
	{ "\"a\nb\"", 0, TAPE_E_CONTROL, 2 },
	{ "\"12345678\t\"", 0, TAPE_E_CONTROL, 9 },
	{ T("\"a\0b\""), TAPE_E_CONTROL, 2 },
	{ "\"\x1f\"", 0, TAPE_E_CONTROL, 1 },
	{ "\"\\a\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\x41\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\'\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\U0041\"", 0, TAPE_E_ESCAPE, 1 },
	{ T("\"\\\0\""), TAPE_E_ESCAPE, 1 },
	{ "\"\\u00g0\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\u 041\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\u-041\"", 0, TAPE_E_ESCAPE, 1 },
	{ "\"\\ud800\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\udc00\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\ud800\\ud800\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\ud800\\n12345\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\ud800abcdef\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\ud83d\\u0041\"", 0, TAPE_E_SURROGATE, 1 },
	{ "\"\\ude00\\ud83d\"", 0, TAPE_E_SURROGATE, 1 },
	/* UTF-8 */
	{ "\"\xff\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\x80\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xc3\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xc3", 0, TAPE_E_UTF8, 1 },
	{ "\"\xc3(\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xc0\xaf\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xc1\x81\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xe0\x80\xaf\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xe0\x9f\xbf\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xed\xa0\x80\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xed\xbf\xbf\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xf0\x8f\xbf\xbf\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xf4\x90\x80\x80\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xf5\x80\x80\x80\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xf8\x88\x80\x80\x80\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xe2\x82\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xf0\x9f\x98\"", 0, TAPE_E_UTF8, 1 },
	{ "\"\xe2\x82\xac\xe2\x82\"", 0, TAPE_E_UTF8, 4 },
	{ "{\"\xff\":1}", 0, TAPE_E_UTF8, 2 },
	/* names twice */
	{ "{\"a\":1,\"a\":2}", 0, TAPE_E_DUPLICATE, 8 },
	{ "{\"a\":1,\"\\u0061\":2}", 0, TAPE_E_DUPLICATE, 8 },
	{ "{\"\\u0061\":1,\"a\":2}", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"\":1,\"\":2}", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"/\":1,\"\\/\":2}", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}", 0, TAPE_E_DUPLICATE, -1 },
	{ "[{\"x\":{\"b\":1,\"c\":{},\"b\":1}}]", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"a\":{\"k\":1},\"b\":{\"k\":1},\"a\":0}", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"0123456789abcdefXYZ\":1,\"0123456789abcdefXYZ\":1}", 0, TAPE_E_DUPLICATE, -1 },
	{ "{\"0123456789abcdef\":1,\"\\u0030123456789abcdef\":1}", 0, TAPE_E_DUPLICATE, -1 },
};

static void refuses(void **state)
{
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct refusal *c = &refused[i];
		size_t n = c->n ? c->n : strlen(c->text);
		/* an exact copy, so that a sanitizer sees a read past the end */
		char *copy = malloc(n + !n);

		memcpy(copy, c->text, n);
		if (tape_parse(&t, (struct span){ copy, n }, NULL) != -EBADMSG)
			fail_msg("accepted case %zu: %s", i, c->text);
		if (t.error != c->error || (c->offset >= 0 && t.offset != (size_t)c->offset))
			fail_msg("case %zu: %s: error %s at %zu", i, c->text,
				 tape_error_text(t.error), t.offset);
		assert_int_equal(t.count, 0);
		free(copy);
	}
	tape_done(&t);
}

static const char *const accepted[] = {
	"null", "true", "false", "0", "-0", "-1", "1.5", "1e5", "1E+5", "1e-5", "0.0", "0e0", "-0.0e-0",
	"123456789012345678901234567890", "1e999999", "\"\"", "\"a\"", " \t\r\n[] \n", "{}", "{ }", "[ ]",
	"[[],{}]", "[1,2,3]", "{\"a\":{\"b\":[{}]}}", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\"", "\"\x7f\"",
	"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"", "\"\\ud83d\\ude00\"",
	"\"\\uD83D\\uDE00\"", "{\"a\":1,\"A\":2}", "{\"a\":1,\"a \":2,\" a\":3,\"\":4}", "\"\xed\x9f\xbf\xee\x80\x80\"",
	"{\"a\":1,\"\\u0000\":2,\"\\u0000a\":3}", "\"12345678\\u000a\"",
	"[{\"a\":1},{\"a\":1}]",
};

static void accepts(void **state)
{
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		size_t n = strlen(accepted[i]);
		char *copy = malloc(n);

		memcpy(copy, accepted[i], n);
		if (tape_parse(&t, (struct span){ copy, n }, NULL) != 0)
			fail_msg("refused %s: %s", accepted[i], tape_error_text(t.error));
		assert_int_equal(t.tok[0].next, t.count);
		for (size_t cut = 0; cut < n; cut++) /* no read past the end at any length */
			tape_parse(&t, (struct span){ copy + cut, n - cut }, NULL);
		free(copy);
	}
	tape_done(&t);
}

static void builds_the_tape(void **state)
{
	struct tape t = { 0 };
	uint32_t a, i, v;

	assert_int_equal(tape_parse(&t, SPAN(" {\"a\":[1,\"x\\n\",{}],\"b\":{\"c\":null}, \"d\":true} "), NULL), 0);
	assert_int_equal(t.count, 12);
	assert_int_equal(t.tok[0].count, 3);
	a = tape_get(&t, 0, "a");
	assert_int_equal(t.tok[a].count, 3);
	assert_true(span_is(tape_raw(&t, a), "[1,\"x\\n\",{}]"));
	i = tape_first(&t, a);
	assert_true(span_is(tape_raw(&t, i), "1"));
	i = tape_next(&t, a, i);
	assert_true(span_is(tape_raw(&t, i), "\"x\\n\""));
	assert_true(span_is(tape_text(&t, i), "x\n"));
	i = tape_next(&t, a, i);
	assert_true(tape_is(&t, i, TAPE_OBJECT));
	assert_int_equal(tape_first(&t, i), TAPE_NONE);
	assert_int_equal(tape_next(&t, a, i), TAPE_NONE);
	v = tape_get(&t, tape_get(&t, 0, "b"), "c");
	assert_true(tape_is(&t, v, TAPE_NULL));
	assert_int_equal(tape_get(&t, 0, "c"), TAPE_NONE); /* not that of a child */
	i = tape_first(&t, 0);
	assert_true(tape_text_is(&t, i, "a") && t.tok[i].name);
	i = tape_next(&t, 0, i);
	assert_true(tape_text_is(&t, i, "b"));
	i = tape_next(&t, 0, i);
	assert_true(tape_text_is(&t, i, "d"));
	assert_int_equal(tape_next(&t, 0, i), TAPE_NONE);
	tape_done(&t);
}

static void unescapes(void **state)
{
	struct tape t = { 0 };
	struct span s;

	assert_int_equal(tape_parse(&t, SPAN("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\","
					     "\"a\\u0000b\"]"), NULL), 0);
	assert_true(span_is(tape_text(&t, 1), "\"\\/\b\f\n\r\t"));
	assert_true(span_is(tape_text(&t, 2), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
	s = tape_text(&t, 3);
	assert_int_equal(s.n, 3);
	assert_memory_equal(s.p, "a\0b", 3);
	assert_true(span_is(tape_text(&t, 1), "\"\\/\b\f\n\r\t")); /* again, and undisturbed */
	tape_done(&t);
}

static void wrong_tokens_are_empty_answers(void **state)
{
	struct tape t = { 0 };
	int64_t v = 77;

	assert_int_equal(tape_get(&t, 0, "a"), TAPE_NONE);
	assert_int_equal(tape_raw(&t, 0).n, 0);
	assert_int_equal(tape_parse(&t, SPAN("[1]"), NULL), 0);
	assert_int_equal(tape_get(&t, 0, "a"), TAPE_NONE);
	assert_int_equal(tape_get(&t, TAPE_NONE, "a"), TAPE_NONE);
	assert_int_equal(tape_first(&t, 1), TAPE_NONE);
	assert_int_equal(tape_next(&t, 0, 99), TAPE_NONE);
	assert_int_equal(tape_text(&t, 1).n, 0);
	assert_int_equal(tape_text(&t, TAPE_NONE).n, 0);
	assert_int_equal(tape_int64(&t, 0, &v), -EINVAL);
	assert_int_equal(tape_int64(&t, TAPE_NONE, &v), -EINVAL);
	assert_false(tape_has_lookalike(&t, 1, "a"));
	assert_int_equal(v, 77);
	tape_done(&t);
}

static void reads_integers(void **state)
{
	static const struct {
		const char *text;
		int r;
		int64_t v;
	} c[] = {
		{ "0", 0, 0 }, { "-0", 0, 0 }, { "42", 0, 42 }, { "-7", 0, -7 },
		{ "9223372036854775807", 0, INT64_MAX }, { "-9223372036854775808", 0, INT64_MIN },
		{ "9223372036854775808", -ERANGE, 0 }, { "-9223372036854775809", -ERANGE, 0 },
		{ "99999999999999999999", -ERANGE, 0 }, { "1.0", -EINVAL, 0 }, { "1e2", -EINVAL, 0 },
		{ "\"1\"", -EINVAL, 0 },
	};
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		int64_t v = 123;

		assert_int_equal(tape_parse(&t, span_of(c[i].text), NULL), 0);
		assert_int_equal(tape_int64(&t, 0, &v), c[i].r);
		assert_true(v == (c[i].r ? 123 : c[i].v));
	}
	tape_done(&t);
}

static void keeps_to_limits(void **state)
{
	struct tape_limits l = { .bytes = 8, .tokens = 4, .depth = 2 };
	_cleanup_buf_ struct buf b = { 0 };
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("[1,2,3] "), &l), 0);
	assert_int_equal(tape_parse(&t, SPAN("[1,2,3]  "), &l), -EMSGSIZE);
	assert_int_equal(t.error, TAPE_E_BYTES);
	assert_int_equal(tape_parse(&t, SPAN("[1,2,3,4"), &l), -EMSGSIZE);
	assert_int_equal(t.error, TAPE_E_TOKENS);
	assert_int_equal(tape_parse(&t, SPAN("[[]]"), &l), 0);
	assert_int_equal(tape_parse(&t, SPAN("[[[]]]"), &l), -EMSGSIZE);
	assert_int_equal(t.error, TAPE_E_DEPTH);
	assert_true(t.cap <= 4);
	for (int i = 0; i < 65; i++)
		buf_append_str(&b, "[");
	for (int i = 0; i < 65; i++)
		buf_append_str(&b, "]");
	assert_int_equal(tape_parse(&t, buf_span(&b), NULL), -EMSGSIZE);
	assert_int_equal(t.offset, 64);
	assert_int_equal(tape_parse(&t, (struct span){ b.data + 1, 128 }, NULL), 0);
	buf_clear(&b);
	for (int i = 0; i < 100000; i++) /* no stack to overflow */
		buf_append_str(&b, "[{\"a\":");
	assert_int_equal(tape_parse(&t, buf_span(&b), NULL), -EMSGSIZE);
	tape_done(&t);
}

/* Many names: all different pass, one pair among them does not, wherever it is; and the time is not
 * quadratic (this test would take minutes). */
static void finds_the_pair_in_a_large_object(void **state)
{
	enum { COUNT = 200000 };
	struct tape_limits l = { .tokens = 1u << 20 };
	_cleanup_buf_ struct buf b = { 0 };
	struct tape t = { 0 };
	static const int twins[][2] = { { -1, -1 }, { 0, 199999 }, { 5, 6 }, { 12, 20 }, { 7, 100000 } };

	for (size_t k = 0; k < ARRAY_SIZE(twins); k++) {
		buf_clear(&b);
		for (int i = 0; i < COUNT; i++) {
			int id = i == twins[k][1] ? twins[k][0] : i;

			buf_printf(&b, "%s\"key%s%d\":0", i ? "," : "{",
				   id % 3 ? "" : "-with-a-longer-name-", id);
		}
		buf_append_str(&b, "}");
		assert_int_equal(tape_parse(&t, buf_span(&b), &l), k ? -EBADMSG : 0);
		assert_int_equal(t.error, k ? TAPE_E_DUPLICATE : TAPE_OK);
	}
	tape_done(&t);
}

static void many_members_each_boundary(void **state)
{
	struct tape t = { 0 };

	for (int n = 2; n < 40; n++) {
		for (int twin = 0; twin < n; twin++) {
			_cleanup_buf_ struct buf b = { 0 };

			for (int i = 0; i < n; i++)
				buf_printf(&b, "%s\"k%d\":{\"k0\":1}", i ? "," : "{", i);
			if (twin)
				buf_printf(&b, ",\"k%d\":2", twin - 1);
			buf_append_str(&b, "}");
			assert_int_equal(tape_parse(&t, buf_span(&b), NULL), twin ? -EBADMSG : 0);
		}
	}
	tape_done(&t);
}

static void sees_lookalikes(void **state)
{
	static const struct {
		const char *text;
		bool yes;
	} c[] = {
		{ "{\"method\":1}", false },
		{ "{\"Method\":1}", true },
		{ "{\"method\":1,\"METHOD\":1}", true },
		{ "{\"\\u004dethod\":1}", true },
		{ "{\"methods\":1,\"metho\":2,\"_method\":3}", false },
	};
	struct tape t = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		assert_int_equal(tape_parse(&t, span_of(c[i].text), NULL), 0);
		assert_int_equal(tape_has_lookalike(&t, 0, "method"), c[i].yes);
	}
	assert_int_equal(tape_parse(&t, SPAN("{\"par\\u0061m\xc5\xbf\":1}"), NULL), 0);
	assert_true(tape_has_lookalike(&t, 0, "params"));
	assert_int_equal(tape_parse(&t, SPAN("{\"\xe2\x84\xaa\":1}"), NULL), 0);
	assert_true(tape_has_lookalike(&t, 0, "k"));
	tape_done(&t);
}

static void finds_several_members(void **state)
{
	static const struct span names[] = { { "ask", 3 }, { "b", 1 }, { "none", 4 } };
	struct tape t = { 0 };
	uint32_t v[3];

	assert_int_equal(tape_parse(&t, SPAN("{\"x\":{\"b\":9},\"\\u0062\":1,\"ask\":[2]}"), NULL), 0);
	assert_true(tape_members(&t, 0, names, 3, v));
	assert_true(span_is(tape_raw(&t, v[0]), "[2]") && span_is(tape_raw(&t, v[1]), "1"));
	assert_int_equal(v[2], TAPE_NONE);
	assert_true(tape_members(&t, 1, names, 3, v)); /* a name, no object */
	assert_int_equal(v[1], TAPE_NONE);
	assert_int_equal(tape_parse(&t, SPAN("{\"ask\":1,\"a\xc5\xbf\xe2\x84\xaa\":2}"), NULL), 0);
	assert_false(tape_members(&t, 0, names, 3, v));
	assert_int_equal(tape_parse(&t, SPAN("{\"B\":2}"), NULL), 0);
	assert_false(tape_members(&t, 0, names, 3, v));
	tape_done(&t);
}

/* Strings of every length around the eight-byte step, with each special byte at each place. */
static void scans_every_alignment(void **state)
{
	static const struct {
		const char *bytes;
		enum tape_error error;
	} odd[] = {
		{ "\x01", TAPE_E_CONTROL }, { "\xff", TAPE_E_UTF8 }, { "\xc3\xa9", TAPE_OK },
		{ "\\n", TAPE_OK }, { "\\q", TAPE_E_ESCAPE }, { "\x7f", TAPE_OK }, { " ", TAPE_OK }, { "!", TAPE_OK },
	};
	struct tape t = { 0 };

	for (int n = 0; n < 40; n++) {
		for (int at = 0; at <= n; at++) {
			for (size_t k = 0; k < ARRAY_SIZE(odd); k++) {
				_cleanup_buf_ struct buf b = { 0 };

				buf_append_str(&b, "\"");
				for (int i = 0; i < n; i++) {
					if (i == at)
						buf_append_str(&b, odd[k].bytes);
					buf_append_str(&b, "[");
				}
				buf_append_str(&b, "\"");
				tape_parse(&t, buf_span(&b), NULL);
				assert_int_equal(t.error, at < n ? odd[k].error : TAPE_OK);
			}
		}
	}
	tape_done(&t);
}

static void shrinks(void **state)
{
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, SPAN("{\"a\\n\":[1,2]}"), NULL), 0);
	tape_shrink(&t, 1 << 20);
	assert_non_null(t.tok);
	assert_int_equal(t.count, 0);
	tape_shrink(&t, 16);
	assert_null(t.tok);
	assert_int_equal(tape_parse(&t, SPAN("{\"a\\n\":[1,2]}"), NULL), 0);
	tape_done(&t);
}

static void parse_tree(struct tape *t, const char *dir, unsigned *count)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_buf_ struct buf b = { 0 };
		char path[1024];
		struct stat st;

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
			parse_tree(t, path, count);
		} else if (file_read(path, 1 << 24, &b) == 0) {
			if (tape_parse(t, buf_span(&b), NULL) != 0)
				fail_msg("%s: %s at %zu", path, tape_error_text(t->error), t->offset);
			++*count;
		}
	}
	if (d)
		closedir(d);
}

static void parses_the_published_schemas_and_examples(void **state)
{
	const char *root = getenv("TOLLGATE_VECTORS");
	struct tape t = { 0 };
	unsigned count = 0;
	char dir[512];

	snprintf(dir, sizeof(dir), "%s/mcp/schema", root ? root : "../shared/vectors");
	parse_tree(&t, dir, &count);
	tape_done(&t);
	if (count == 0) {
		print_message("no vectors in %s\n", dir);
		skip();
	}
	assert_true(count > 100);
}

/* Bytes are passed over many at a time: what is special is found wherever it stands in a string of whatever length. */
static void every_special_byte_is_found(void **state)
{
	static const struct {
		char byte;
		enum tape_error e;
	} cases[] = {
		{ ' ', TAPE_OK }, { 0x7f, TAPE_OK }, { '"', TAPE_OK }, { 0x1f, TAPE_E_CONTROL }, { 0, TAPE_E_CONTROL },
		{ '\\', TAPE_E_ESCAPE }, { (char)0x80, TAPE_E_UTF8 }, { (char)0xff, TAPE_E_UTF8 },
	};

	for (size_t n = 1; n < 150; n++) {
		char *exact = malloc(n + 1); /* so that a read past the end is seen */

		assert_non_null(exact);
		for (size_t at = 0; at < n; at++)
			for (size_t k = 0; k < ARRAY_SIZE(cases); k++) {
				bool escaped, ends = cases[k].e != TAPE_OK || cases[k].byte == '"';
				size_t i = 0;

				memset(exact, 'a', n);
				exact[n] = '"';
				exact[at] = cases[k].byte;
				if (cases[k].byte == '\\' && at + 1 == n)
					continue; /* \" is an escape */
				assert_int_equal(tape_string_scan(exact, n + 1, &i, &escaped), cases[k].e);
				assert_int_equal(i, ends ? at : n);
			}
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_special_byte_is_found),
		cmocka_unit_test(refuses),
		cmocka_unit_test(accepts),
		cmocka_unit_test(builds_the_tape),
		cmocka_unit_test(unescapes),
		cmocka_unit_test(wrong_tokens_are_empty_answers),
		cmocka_unit_test(reads_integers),
		cmocka_unit_test(keeps_to_limits),
		cmocka_unit_test(finds_the_pair_in_a_large_object),
		cmocka_unit_test(many_members_each_boundary),
		cmocka_unit_test(sees_lookalikes),
		cmocka_unit_test(finds_several_members),
		cmocka_unit_test(scans_every_alignment),
		cmocka_unit_test(shrinks),
		cmocka_unit_test(parses_the_published_schemas_and_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
