// SPDX-License-Identifier: Apache-2.0
#include "user/net/sni.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

struct hello {
	uint8_t p[4096];
	size_t n;
};

static void put(struct hello *h, size_t v, unsigned width)
{
	while (width--)
		h->p[h->n++] = (uint8_t)(v >> 8 * width);
}

/* A ClientHello with a padding extension of pad bytes and the name (NULL: none), in records of at
 * most record bytes of payload. */
static struct hello make(const char *name, size_t pad, size_t record)
{
	struct hello m = { .n = 0 }, out = { .n = 0 };
	size_t len = name ? strlen(name) : 0, exts = 4 + pad + (name ? 9 + len : 0);

	put(&m, 1, 1);
	put(&m, 2 + 32 + 1 + 2 + 2 + 1 + 1 + 2 + exts, 3);
	put(&m, 0x0303, 2);
	for (int i = 0; i < 32; i++)
		put(&m, (size_t)i, 1);
	put(&m, 0, 1);
	put(&m, 2, 2);
	put(&m, 0x1301, 2);
	put(&m, 1, 1);
	put(&m, 0, 1);
	put(&m, exts, 2);
	put(&m, 21, 2);
	put(&m, pad, 2);
	for (size_t i = 0; i < pad; i++)
		put(&m, 0, 1);
	if (name) {
		put(&m, 0, 2);
		put(&m, len + 5, 2);
		put(&m, len + 3, 2);
		put(&m, 0, 1);
		put(&m, len, 2);
		memcpy(m.p + m.n, name, len);
		m.n += len;
	}
	for (size_t at = 0; at < m.n; at += record) {
		size_t n = m.n - at < record ? m.n - at : record;

		put(&out, 22, 1);
		put(&out, 0x0301, 2);
		put(&out, n, 2);
		memcpy(out.p + out.n, m.p + at, n);
		out.n += n;
	}
	return out;
}

static int parse(const struct hello *h, size_t n, char *ret)
{
	char *exact = malloc(n ? n : 1); /* so that a read beyond is seen */
	int r;

	memcpy(exact, h->p, n);
	r = sni_parse((struct span){ exact, n }, ret);
	free(exact);
	return r;
}

static void finds_the_name(void **state)
{
	static const size_t records[] = { 4096, 1000, 100, 7, 1 };
	char name[SNI_SIZE];

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		/* 400 bytes, so that records of one byte (six with header) fit struct hello */
		struct hello h = make("Mcp.Example.COM", 400, records[i]);

		assert_int_equal(parse(&h, h.n, name), 1);
		assert_string_equal(name, "mcp.example.com");
		for (size_t n = 0; n < h.n; n++)
			assert_int_equal(parse(&h, n, name), -EAGAIN);
	}
}

static void without_a_name(void **state)
{
	struct hello h = make(NULL, 1500, 4096);
	char name[SNI_SIZE] = "untouched";

	assert_int_equal(parse(&h, h.n, name), 0);
	assert_string_equal(name, "untouched");
}

static void hostile_names(void **state)
{
	char name[SNI_SIZE] = "untouched", many[300];
	struct hello h;

	memset(many, 'a', sizeof(many));
	many[299] = '\0';
	h = make(many, 0, 4096);
	assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	h = make("", 0, 4096);
	assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	h = make("a\nb", 0, 4096);
	assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	h = make("a/b", 0, 4096);
	assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	h = make("a b", 0, 4096);
	h.p[h.n - 2] = '\0';
	assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	assert_string_equal(name, "untouched");
}

static void other_first_bytes(void **state)
{
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 49 };
	static const uint8_t server_hello[] = { 22, 3, 3, 0, 4, 2, 0, 0, 0 };
	static const uint8_t empty[] = { 22, 3, 1, 0, 0, 22, 3, 1, 0, 0 };
	static const uint8_t huge[] = { 22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff };
	char name[SNI_SIZE];

	assert_int_equal(sni_parse((struct span){ (const char *)alert, sizeof(alert) }, name),
			 -EBADMSG);
	assert_int_equal(sni_parse((struct span){ (const char *)server_hello, 9 }, name), -EBADMSG);
	assert_int_equal(sni_parse((struct span){ (const char *)empty, 10 }, name), -EBADMSG);
	assert_int_equal(sni_parse((struct span){ (const char *)huge, 9 }, name), -EBADMSG);
	assert_int_equal(sni_parse((struct span){ "GET / HTTP/1.1\r\n", 16 }, name), -EBADMSG);
	assert_int_equal(sni_parse((struct span){ NULL, 0 }, name), -EAGAIN);
}

/* Every length field and every other byte, set to every value. */
static void every_byte_changed(void **state)
{
	struct hello good = make("a.example", 20, 60);
	char name[SNI_SIZE];

	for (size_t i = 0; i < good.n; i++)
		for (unsigned v = 0; v < 256; v++) {
			struct hello h = good;

			h.p[i] = (uint8_t)v;
			(void)parse(&h, h.n, name);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_name),     cmocka_unit_test(without_a_name),
		cmocka_unit_test(hostile_names),      cmocka_unit_test(other_first_bytes),
		cmocka_unit_test(every_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
