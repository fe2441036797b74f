// SPDX-License-Identifier: Apache-2.0
#include "user/net/hello.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

struct hello {
	uint8_t p[4096];
	size_t n;
};

static void put(struct hello *h, size_t v, unsigned width)
{
	while (width--)
		h->p[h->n++] = (uint8_t)(v >> 8 * width);
}

/* A ClientHello with a padding extension of pad bytes, the name (NULL: none) and the extensions in more,
 * in records of at most record bytes of payload. */
static struct hello make_with(const char *name, size_t pad, size_t record, struct span more)
{
	struct hello m = { .n = 0 }, out = { .n = 0 };
	size_t len = name ? strlen(name) : 0, exts = 4 + pad + (name ? 9 + len : 0) + more.n;

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
	memcpy(m.p + m.n, more.p ? more.p : "", more.n);
	m.n += more.n;
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

static struct hello make(const char *name, size_t pad, size_t record)
{
	return make_with(name, pad, record, SPAN(""));
}

static int parse_all(const struct hello *h, size_t n, struct tls_hello *ret)
{
	char *exact = malloc(n ? n : 1); /* so that a read beyond is seen */
	int r;

	memcpy(exact, h->p, n);
	r = hello_read((struct span){ exact, n }, ret);
	free(exact);
	return r;
}

/* The name alone: 1 when there is one. */
static int parse(const struct hello *h, size_t n, char *ret)
{
	struct tls_hello t;
	int r = parse_all(h, n, &t);

	if (r == 0 && *t.name)
		memcpy(ret, t.name, sizeof(t.name));
	return r == 0 ? *t.name != '\0' : r;
}

static void finds_the_name(void **state)
{
	static const size_t records[] = { 4096, 1000, 100, 7, 1 };
	char name[NAME_SIZE];

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
	char name[NAME_SIZE] = "untouched";

	assert_int_equal(parse(&h, h.n, name), 0);
	assert_string_equal(name, "untouched");
}

static void hostile_names(void **state)
{
	/* An address here would be judged as the address it names, not as the one dialed. */
	static const char *const no_names[] = { ".a", "a..b", "a.", "a.b.", "192.0.2.1", "a.1", "a.0x1", "::1" };
	char name[NAME_SIZE] = "untouched", many[300];
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
	for (size_t i = 0; i < ARRAY_SIZE(no_names); i++) {
		h = make(no_names[i], 0, 4096);
		assert_int_equal(parse(&h, h.n, name), -EBADMSG);
	}
	assert_string_equal(name, "untouched");
}

static void offers_of_protocols(void **state)
{
	static const char two[] = "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1";
	static const char grease[] = "\x00\x10\x00\x08\x00\x06\x02\x0a\x1a\x02h2";
	static const char empty[] = "\x00\x10\x00\x02\x00\x00";
	static const char none[] = "\x00\x10\x00\x03\x00\x01\x00";
	static const char beyond[] = "\x00\x10\x00\x05\x00\x03\x09h2";
	static const char nine[] = "\x00\x10\x00\x14\x00\x12\x01""a\x01""b\x01""c\x01""d\x01""e\x01""f\x01""g\x01""h\x01""i";
	static const char twice[] = "\x00\x10\x00\x05\x00\x03\x02h2\x00\x10\x00\x05\x00\x03\x02h2";
	struct tls_hello t;
	struct hello h = make_with("a.example", 0, 4096, (struct span){ two, sizeof(two) - 1 });

	assert_int_equal(parse_all(&h, h.n, &t), 0);
	assert_int_equal(t.alpn_n, 2);
	assert_string_equal(t.alpn[0], "h2");
	assert_string_equal(t.alpn[1], "http/1.1");
	assert_false(t.encrypted);
	h = make_with(NULL, 0, 4096, (struct span){ grease, sizeof(grease) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), 0);
	assert_string_equal(t.alpn[0], "0x0a1a");
	assert_string_equal(t.alpn[1], "h2");
	h = make_with("a.example", 0, 4096, (struct span){ empty, sizeof(empty) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), -EBADMSG);
	h = make_with("a.example", 0, 4096, (struct span){ none, sizeof(none) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), -EBADMSG);
	h = make_with("a.example", 0, 4096, (struct span){ beyond, sizeof(beyond) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), -EBADMSG);
	h = make_with("a.example", 0, 4096, (struct span){ nine, sizeof(nine) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), -EBADMSG);
	h = make_with("a.example", 0, 4096, (struct span){ twice, sizeof(twice) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), -EBADMSG);
}

static void hidden_names(void **state)
{
	static const char *const types[] = { "\xfe\x0d", "\xfe\x08", "\xff\xce" };
	static const char other[] = "\xfe\x0e\x00\x00";
	struct tls_hello t;
	struct hello h;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		char ext[4] = { types[i][0], types[i][1], 0, 0 };

		h = make_with("front.example", 0, 4096, (struct span){ ext, sizeof(ext) });
		assert_int_equal(parse_all(&h, h.n, &t), 0);
		assert_true(t.encrypted);
		assert_string_equal(t.name, "front.example");
	}
	h = make_with("front.example", 0, 4096, (struct span){ other, sizeof(other) - 1 });
	assert_int_equal(parse_all(&h, h.n, &t), 0);
	assert_false(t.encrypted);
}

static void other_first_bytes(void **state)
{
	static const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, 49 };
	static const uint8_t server_hello[] = { 22, 3, 3, 0, 4, 2, 0, 0, 0 };
	static const uint8_t empty[] = { 22, 3, 1, 0, 0, 22, 3, 1, 0, 0 };
	static const uint8_t huge[] = { 22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff };
	struct tls_hello h;

	assert_int_equal(hello_read((struct span){ (const char *)alert, sizeof(alert) }, &h),
			 -EBADMSG);
	assert_int_equal(hello_read((struct span){ (const char *)server_hello, 9 }, &h), -EBADMSG);
	assert_int_equal(hello_read((struct span){ (const char *)empty, 10 }, &h), -EBADMSG);
	assert_int_equal(hello_read((struct span){ (const char *)huge, 9 }, &h), -EBADMSG);
	assert_int_equal(hello_read((struct span){ "GET / HTTP/1.1\r\n", 16 }, &h), -EBADMSG);
	assert_int_equal(hello_read((struct span){ NULL, 0 }, &h), -EAGAIN);
}

/* Every length field and every other byte, set to every value. */
static void every_byte_changed(void **state)
{
	struct hello good = make("a.example", 20, 60);
	char name[NAME_SIZE];

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
		cmocka_unit_test(offers_of_protocols), cmocka_unit_test(hidden_names),
		cmocka_unit_test(every_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
