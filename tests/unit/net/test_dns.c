// SPDX-License-Identifier: Apache-2.0
#include "user/net/dns.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

struct message {
	uint8_t b[DNS_MESSAGE_MAX];
	size_t n;
};

static void u8(struct message *m, unsigned v)
{
	m->b[m->n++] = (uint8_t)v;
}

static void u16(struct message *m, unsigned v)
{
	u8(m, v >> 8);
	u8(m, v & 0xff);
}

static void u32(struct message *m, uint32_t v)
{
	u16(m, v >> 16);
	u16(m, v & 0xffff);
}

static void bytes(struct message *m, const void *p, size_t n)
{
	memcpy(m->b + m->n, p, n);
	m->n += n;
}

static void name(struct message *m, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		u8(m, (unsigned)n);
		bytes(m, text, n);
		text += n + (text[n] == '.');
	}
	u8(m, 0);
}

static struct message head(unsigned flags, unsigned answers, unsigned authorities, unsigned additional,
			   const char *asked, unsigned type)
{
	struct message m = { .n = 0 };

	u16(&m, 0x1234);
	u16(&m, flags);
	u16(&m, 1);
	u16(&m, answers);
	u16(&m, authorities);
	u16(&m, additional);
	name(&m, asked);
	u16(&m, type);
	u16(&m, 1);
	return m;
}

static void record(struct message *m, const char *owner, unsigned type, uint32_t ttl, const void *data, size_t n)
{
	name(m, owner);
	u16(m, type);
	u16(m, 1);
	u32(m, ttl);
	u16(m, (unsigned)n);
	bytes(m, data, n);
}

static int question(const struct message *m, size_t n, struct dns_question *q)
{
	char *exact = malloc(n ? n : 1); /* so that a read beyond is seen */
	int r;

	memcpy(exact, m->b, n);
	r = dns_question_read((struct span){ exact, n }, q);
	free(exact);
	return r;
}

static int answer(const struct message *m, const char *asked, unsigned type, struct dns_answer *a)
{
	char *exact = malloc(m->n);
	int r;

	memcpy(exact, m->b, m->n);
	r = dns_answer_read((struct span){ exact, m->n }, asked, type, a);
	free(exact);
	return r;
}

/* --- questions ------------------------------------------------------------------------------------ */

static void asks_for_an_address(void **state)
{
	struct message m = head(0x0100, 0, 0, 0, "API.Example.com", DNS_AAAA);
	struct dns_question q;

	assert_int_equal(dns_question_read((struct span){ (char *)m.b, m.n }, &q), 0);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.type, DNS_AAAA);
	assert_int_equal(q.class, 1);
	assert_true(q.recursion);
	assert_false(q.edns);
	assert_int_equal(q.room, DNS_UDP_MIN);
	assert_string_equal(q.name, "api.example.com");
	assert_int_equal(q.wire.n, m.n - 12);
	for (size_t n = 0; n < m.n; n++)
		assert_true(question(&m, n, &q) < 0);
	u8(&m, 0); /* what follows belongs to nothing */
	assert_int_equal(question(&m, m.n, &q), -EPROTO);
	assert_int_equal(q.id, 0x1234);
	assert_int_equal(q.wire.n, 0);
}

static void says_how_much_it_takes(void **state)
{
	static const struct {
		unsigned said, taken;
	} sizes[] = { { 0, DNS_UDP_MIN }, { 1000, 1000 }, { 65535, DNS_UDP_MAX } };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct message m = head(0, 0, 0, 1, "a.example", DNS_A);
		struct dns_question q;

		u8(&m, 0);
		u16(&m, DNS_OPT);
		u16(&m, sizes[i].said);
		u32(&m, 0x8000);
		u16(&m, 4);
		u32(&m, 0);
		assert_int_equal(question(&m, m.n, &q), 0);
		assert_true(q.edns);
		assert_int_equal(q.room, sizes[i].taken);
		assert_false(q.recursion);
	}
}

static void hostile_questions(void **state)
{
	struct message m = head(0x8000, 0, 0, 0, "a.example", DNS_A);
	struct dns_question q;

	assert_int_equal(question(&m, m.n, &q), -EBADMSG); /* a reply */
	m = head(0x2800, 0, 0, 0, "a.example", DNS_A);
	assert_int_equal(question(&m, m.n, &q), -EPROTO); /* an update */
	m = head(0, 1, 0, 0, "a.example", DNS_A);
	assert_int_equal(question(&m, m.n, &q), -EPROTO);
	m = head(0, 0, 0, 2, "a.example", DNS_A);
	assert_int_equal(question(&m, m.n, &q), -EPROTO);
	m = head(0, 0, 0, 0, "a.example", DNS_A);
	m.b[5] = 2; /* two questions */
	assert_int_equal(question(&m, m.n, &q), -EPROTO);
	m = head(0, 0, 0, 0, "a", DNS_A);
	m.b[12] = 0xc0; /* a pointer to itself */
	m.b[13] = 12;
	assert_int_equal(question(&m, m.n, &q), -EPROTO);
}

/* Names that no policy could name are told from host names. */
static void no_host_names(void **state)
{
	static const char *const names[] = { "a b.example", "192.0.2.1", "a.0x1", "a,b", "" };
	struct message m;
	struct dns_question q;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		m = head(0, 0, 0, 0, names[i], DNS_A);
		assert_int_equal(question(&m, m.n, &q), 0);
		assert_string_equal(q.name, "");
	}
	m = head(0, 0, 0, 0, "a-b.example", DNS_A);
	m.b[14] = '.'; /* one label that reads as two */
	assert_int_equal(question(&m, m.n, &q), 0);
	assert_string_equal(q.name, "");
	m.b[14] = 1;
	assert_int_equal(question(&m, m.n, &q), 0);
	assert_string_equal(q.shown, "a?b.example");
}

/* --- answers -------------------------------------------------------------------------------------- */

static void addresses_along_aliases(void **state)
{
	struct message m = head(0x8180, 4, 0, 0, "a.example", DNS_A);
	struct dns_answer a;
	static const uint8_t one[] = { 192, 0, 2, 1 }, two[] = { 192, 0, 2, 2 };

	record(&m, "c.example", DNS_A, 60, one, 4); /* before the aliases that lead to it */
	record(&m, "A.example", DNS_CNAME, 300, "\x01""b\x07""example", 11);
	record(&m, "b.example", DNS_CNAME, 30, "\x01""c\x07""example", 11);
	record(&m, "c.example", DNS_A, 60, two, 4);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), 0);
	assert_int_equal(a.rcode, DNS_OK);
	assert_int_equal(a.n, 2);
	assert_memory_equal(a.address[0], one, 4);
	assert_memory_equal(a.address[1], two, 4);
	assert_int_equal(a.ttl, 30);
}

static void of_another_name_is_no_answer(void **state)
{
	struct message m = head(0x8180, 1, 0, 0, "a.example", DNS_A);
	struct dns_answer a = { .n = 99 };

	record(&m, "b.example", DNS_A, 60, "\x01\x02\x03\x04", 4);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), 0);
	assert_int_equal(a.n, 0);
	a.n = 99;
	assert_int_equal(answer(&m, "b.example", DNS_A, &a), -EBADMSG);
	assert_int_equal(answer(&m, "a.example", DNS_AAAA, &a), -EBADMSG);
	assert_int_equal(a.n, 99);
}

static void circles_end(void **state)
{
	struct message m = head(0x8180, 2, 0, 0, "a.example", DNS_A);
	struct dns_answer a;

	record(&m, "a.example", DNS_CNAME, 60, "\x01""b\x07""example", 11);
	record(&m, "b.example", DNS_CNAME, 60, "\x01""a\x07""example", 11);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), -EBADMSG);
	m = head(0x8180, 1, 0, 0, "a.example", DNS_A);
	u16(&m, 0xc000 | (unsigned)m.n); /* a name that points to itself */
	u16(&m, DNS_A);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), -EBADMSG);
}

static void wrong_sizes(void **state)
{
	struct message m = head(0x8180, 1, 0, 0, "a.example", DNS_A);
	struct dns_answer a;

	record(&m, "a.example", DNS_A, 60, "\x01\x02\x03\x04\x05", 5);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), -EBADMSG);
	m = head(0x8180, 1, 0, 0, "a.example", DNS_A);
	record(&m, "a.example", DNS_A, 60, "\x01\x02\x03\x04", 4);
	for (size_t n = m.n; n-- > 12;) {
		struct message cut = m;

		cut.n = n;
		assert_int_equal(answer(&cut, "a.example", DNS_A, &a), -EBADMSG);
	}
}

static void nothing_holds_as_long_as_its_zone_says(void **state)
{
	static const uint8_t soa[] = { 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 90 };
	struct message m = head(0x8183, 0, 1, 0, "a.example", DNS_A);
	struct dns_answer a;

	record(&m, "example", DNS_SOA, 600, soa, sizeof(soa));
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), 0);
	assert_int_equal(a.rcode, DNS_NO_SUCH_NAME);
	assert_int_equal(a.ttl, 90);
	m = head(0x8180, 0, 0, 0, "a.example", DNS_A);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), 0);
	assert_int_equal(a.rcode, DNS_OK);
	assert_int_equal(a.ttl, 0);
	m = head(0x8182, 0, 0, 0, "a.example", DNS_A);
	assert_int_equal(answer(&m, "a.example", DNS_A, &a), 0);
	assert_int_equal(a.rcode, DNS_SERVER_FAILURE);
}

/* Keys of encrypted hellos (5) and addresses (4, 6) go; what leads elsewhere, or demands more, is no binding. */
static void services_without_hidden_names(void **state)
{
	static const uint8_t full[] = { 0, 1, 0, 0, 1, 0, 3, 2, 'h', '2', 0, 4, 0, 4, 192, 0, 2, 1, 0, 5, 0, 2, 9, 9 };
	static const uint8_t kept[] = { 0, 1, 0, 0, 1, 0, 3, 2, 'h', '2' };
	static const uint8_t alias[] = { 0, 0, 1, 'x', 0 };
	static const uint8_t other[] = { 0, 1, 1, 'x', 0, 0, 1, 0, 3, 2, 'h', '2' };
	static const uint8_t demands[] = { 0, 1, 0, 0, 0, 0, 2, 0, 5, 0, 5, 0, 2, 9, 9 };
	static const uint8_t cut[] = { 0, 1, 0, 0, 1, 0, 9, 2, 'h', '2' };
	struct message m = head(0x8180, 5, 0, 0, "a.example", DNS_HTTPS);
	struct dns_answer a;

	record(&m, "a.example", DNS_HTTPS, 60, alias, sizeof(alias));
	record(&m, "a.example", DNS_HTTPS, 60, other, sizeof(other));
	record(&m, "a.example", DNS_HTTPS, 60, demands, sizeof(demands));
	record(&m, "a.example", DNS_HTTPS, 60, cut, sizeof(cut));
	record(&m, "a.example", DNS_HTTPS, 60, full, sizeof(full));
	assert_int_equal(answer(&m, "a.example", DNS_HTTPS, &a), 0);
	assert_int_equal(a.services, 1);
	assert_int_equal(a.service[0].len, sizeof(kept));
	assert_memory_equal(a.service[0].data, kept, sizeof(kept));
}

/* --- replies -------------------------------------------------------------------------------------- */

/* What is written is read again: our own answers are well-formed. */
static void replies_read_back(void **state)
{
	struct message m = head(0x0100, 0, 0, 0, "A.example", DNS_AAAA), back = { .n = 0 };
	struct dns_answer a = { .ttl = 77, .n = 3 }, b;
	struct dns_question q;

	memset(a.address[1], 7, 16);
	assert_int_equal(dns_question_read((struct span){ (char *)m.b, m.n }, &q), 0);
	back.n = dns_reply_write(&q, DNS_OK, &a, q.room, back.b);
	assert_int_equal(back.b[0] << 8 | back.b[1], 0x1234);
	assert_memory_equal(back.b + 12, m.b + 12, m.n - 12); /* the question in its own letters */
	assert_int_equal(answer(&back, "a.example", DNS_AAAA, &b), 0);
	assert_int_equal(b.n, 3);
	assert_int_equal(b.ttl, 77);
	assert_memory_equal(b.address[1], a.address[1], 16);
	back.n = dns_reply_write(&q, DNS_REFUSED, NULL, q.room, back.b);
	assert_int_equal(answer(&back, "a.example", DNS_AAAA, &b), 0);
	assert_int_equal(b.rcode, DNS_REFUSED);
}

static void what_does_not_fit_is_cut(void **state)
{
	struct message m = head(0x0100, 0, 0, 0, "a.example", DNS_AAAA), back = { .n = 0 };
	struct dns_answer a = { .ttl = 77, .n = DNS_ADDRESSES_MAX };
	struct dns_question q;

	assert_int_equal(dns_question_read((struct span){ (char *)m.b, m.n }, &q), 0);
	back.n = dns_reply_write(&q, DNS_OK, &a, q.room, back.b);
	assert_int_equal(back.n, m.n);
	assert_int_equal(back.b[2] & 2, 2);
	assert_int_equal(back.b[7], 0);
	back.n = dns_reply_write(&q, DNS_OK, &a, DNS_MESSAGE_MAX, back.b);
	assert_int_equal(back.b[2] & 2, 0);
	assert_int_equal(back.b[7], DNS_ADDRESSES_MAX);
}

/* Every byte of a question and of an answer, set to every value. */
static void every_byte_changed(void **state)
{
	struct message good = head(0x8180, 2, 0, 0, "a.example", DNS_A), m;
	struct dns_question q;
	struct dns_answer a;

	record(&good, "a.example", DNS_CNAME, 60, "\x01""b\x07""example", 11);
	record(&good, "b.example", DNS_A, 60, "\x01\x02\x03\x04", 4);
	for (size_t i = 0; i < good.n; i++)
		for (unsigned v = 0; v < 256; v++) {
			m = good;
			m.b[i] = (uint8_t)v;
			(void)answer(&m, "a.example", DNS_A, &a);
			m.b[2] &= 0x7f;
			(void)question(&m, m.n, &q);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_for_an_address),
		cmocka_unit_test(says_how_much_it_takes),
		cmocka_unit_test(hostile_questions),
		cmocka_unit_test(no_host_names),
		cmocka_unit_test(addresses_along_aliases),
		cmocka_unit_test(of_another_name_is_no_answer),
		cmocka_unit_test(circles_end),
		cmocka_unit_test(wrong_sizes),
		cmocka_unit_test(nothing_holds_as_long_as_its_zone_says),
		cmocka_unit_test(services_without_hidden_names),
		cmocka_unit_test(replies_read_back),
		cmocka_unit_test(what_does_not_fit_is_cut),
		cmocka_unit_test(every_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
