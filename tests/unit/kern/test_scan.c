// SPDX-License-Identifier: Apache-2.0
/* The parser that runs in the kernel, here in user space. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/abi.h"
#include "bpf/scan.h"

static struct tg_scan feed(struct tg_scan s, const char *p, size_t n)
{
	for (size_t i = 0; i < n && !scan_found(&s); i++)
		scan_byte(&s, (unsigned char)p[i], 0xff);
	return s;
}

static unsigned verdict(const char *text)
{
	struct tg_scan whole = feed((struct tg_scan){ 0 }, text, strlen(text));

	/* Cut at every place, the answer is the same. */
	for (size_t cut = 0; cut <= strlen(text); cut++) {
		struct tg_scan s = feed((struct tg_scan){ 0 }, text, cut);

		s = feed(s, text + cut, strlen(text) - cut);
		assert_int_equal(s.state, whole.state);
		assert_int_equal(s.depth, whole.depth);
	}
	return whole.state;
}

static void finds(void **state)
{
	assert_int_equal(verdict("{\"jsonrpc\":\"2.0\"}\n"), SS_KEYWORD);
	assert_int_equal(verdict("  \t\r\n {\"a\":[1,2],\"jsonrpc\":\"2.0\"}"), SS_KEYWORD);
	assert_int_equal(verdict("\xef\xbb\xbf{\"jsonrpc\""), SS_KEYWORD);
	assert_int_equal(verdict("[{\"jsonrpc\""), SS_KEYWORD);
	assert_int_equal(verdict("hello\n{\"x\":1}\nworld\n{\"id\":1,\"jsonrpc\""), SS_KEYWORD);
	assert_int_equal(verdict("{\"jjsonrpc\""), SS_KEYWORD);
	assert_int_equal(verdict("{\"jsonjsonrpc\""), SS_KEYWORD);
	assert_int_equal(verdict("{\"json\\u0072pc\""), SS_ESCAPE);
	assert_int_equal(verdict("{\"a\":\"x\\\\\\u0041\""), SS_ESCAPE);
	assert_int_equal(verdict("{\"\\u004Asonrpc\""), SS_ESCAPE);
	assert_int_equal(verdict("{\"jsonrp\\u0063\""), SS_ESCAPE);
	assert_int_equal(verdict("{\"JsonRPC\":\"2.0\"}"), SS_KEYWORD);
	assert_int_equal(verdict("{\"j\xc5\xbfonrpc\":\"2.0\"}"), SS_KEYWORD);
	/* One value over many lines, for readers that do not go by lines. */
	assert_int_equal(verdict("{\n  \"id\": 1,\n  \"jsonrpc\": \"2.0\"\n}\n"), SS_KEYWORD);
	assert_int_equal(verdict("[\n\n{\n\"jsonrpc\""), SS_KEYWORD);
}

static void does_not_find(void **state)
{
	assert_int_equal(verdict(""), SS_START);
	assert_int_equal(verdict("\n\n  \n"), SS_START);
	assert_int_equal(verdict("jsonrpc\n"), SS_START);
	assert_int_equal(verdict("x{\"jsonrpc\":\"2.0\"}\n"), SS_START);
	assert_int_equal(verdict("\"jsonrpc\"\n"), SS_START);
	assert_int_equal(verdict("{\"event\":\"a\",\"n\":1}\n{\"event\":\"b\"}\n"), SS_START);
	assert_int_equal(verdict("{\"json rpc\":1}\n"), SS_START);
	assert_int_equal(verdict("{\"jsonrp\":1}\n{\"c\":1}\n"), SS_START);
	/* An escaped backslash before a u is no escape. */
	assert_int_equal(verdict("{\"path\":\"C:\\\\users\"}\n"), SS_START);
	assert_int_equal(verdict("\\u0041\n"), SS_START);
	/* Escapes of what is no ASCII letter. */
	assert_int_equal(verdict("{\"a\":\"caf\\u00e9 \\u2019 \\u003c \\u000a \\u0\",\"b\":\"\\u\"}\n"), SS_START);
	/* Brackets in strings do not count; too many closing ones do no harm. */
	assert_int_equal(verdict("{\"a\":\"{{[[\"}\njsonrpc\n"), SS_START);
	assert_int_equal(verdict("{}}}]]\njsonrpc\n"), SS_START);
}

static void masked_bytes_change_nothing(void **state)
{
	for (unsigned st = 0; st < SCAN_STATES; st++)
		for (unsigned b = 0; b < 256; b++) {
			struct tg_scan s = { .state = st, .depth = 3 };

			scan_byte(&s, (unsigned char)b, 0);
			assert_int_equal(s.state, st);
			assert_int_equal(s.depth, 3);
		}
}

static void stays_in_its_table(void **state)
{
	for (unsigned st = 0; st < SCAN_STATES; st++)
		for (unsigned b = 0; b < 256; b++) {
			struct tg_scan s = { .state = st };

			scan_byte(&s, (unsigned char)b, 0xff);
			assert_true(s.state < SCAN_STATES);
			assert_true(s.depth <= 1);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(does_not_find),
		cmocka_unit_test(masked_bytes_change_nothing),
		cmocka_unit_test(stays_in_its_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
