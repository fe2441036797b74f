// SPDX-License-Identifier: Apache-2.0
#include "policy/ext.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/cleanup.h"

struct number {
	const char *text;
	int64_t value;
};

static void check_good(int (*parse)(struct span, int64_t *), const struct number *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = 42;

		assert_int_equal(parse(span_of(v[i].text), &got), 0);
		assert_true(got == v[i].value);
	}
}

static void check_bad(int (*parse)(struct span, int64_t *), const char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = 42;

		assert_int_equal(parse(span_of(v[i]), &got), -EINVAL);
		assert_int_equal(got, 42);
	}
	assert_int_equal(parse((struct span){ NULL, 0 }, &(int64_t){ 0 }), -EINVAL);
}

static void decimals(void **state)
{
	static const struct number good[] = {
		{ "0.0", 0 },
		{ "-0.0", 0 },
		{ "-0.5", -5000 },
		{ "1.2345", 12345 },
		{ "00012.5", 125000 },
		{ "922337203685477.5807", INT64_MAX },
		{ "-922337203685477.5808", INT64_MIN },
	};
	static const char *const bad[] = { "",
					   "-",
					   "1",
					   "1.",
					   ".5",
					   "+1.0",
					   " 1.0",
					   "1.0 ",
					   "1.00000",
					   "1e3",
					   "--1.0",
					   "1.0.0",
					   "922337203685477.5808",
					   "-922337203685477.5809",
					   "99999999999999999999.0",
					   "1.0\n",
					   "\xd9\xa1.\xd9\xa0" };

	check_good(ext_decimal_parse, good, ARRAY_SIZE(good));
	check_bad(ext_decimal_parse, bad, ARRAY_SIZE(bad));
}

static void durations(void **state)
{
	static const struct number good[] = {
		{ "1d", 86400000 },
		{ "1h", 3600000 },
		{ "1m", 60000 },
		{ "1s", 1000 },
		{ "1ms", 1 },
		{ "1m1ms", 60001 },
		{ "-1d12h", -129600000 },
		{ "1d2h3m4s5ms", 93784005 },
		{ "00001s", 1000 },
		{ "0d0h0m0s0ms", 0 },
		{ "9223372036854775807ms", INT64_MAX },
		{ "-9223372036854775808ms", INT64_MIN },
	};
	static const char *const bad[] = { "",
					   "-",
					   "1",
					   "d",
					   "1H",
					   "1h 2m",
					   "1ms1s",
					   "1s1m",
					   "1d1d",
					   "+1d",
					   "--1d",
					   "1.5h",
					   "9223372036854775808ms",
					   "-9223372036854775809ms",
					   "106751991168d",
					   "18446744073709551616ms",
					   "18446744073709551615d" };

	check_good(ext_duration_parse, good, ARRAY_SIZE(good));
	check_bad(ext_duration_parse, bad, ARRAY_SIZE(bad));
}

static void datetimes(void **state)
{
	static const struct number good[] = {
		{ "1970-01-01", 0 },
		{ "1969-12-31", -86400000 },
		{ "2024-02-29", 1709164800000 },
		{ "2000-02-29T23:59:59.999Z", 951868799999 },
		{ "0000-01-01", -62167219200000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
		{ "2024-10-15T11:38:02Z", 1728992282000 },
		{ "2024-10-15T11:38:02+0130", 1728986882000 },
		{ "2024-10-15T11:38:02-2359", 1729078622000 },
		{ "1970-01-01T00:00:00-0000", 0 },
	};
	static const char *const bad[] = { "",
					   "1970",
					   "1970-1-1",
					   "1970-01-01Z",
					   "1970-13-01",
					   "1970-00-01",
					   "1970-01-00",
					   "1970-01-32",
					   "1970-02-29",
					   "1900-02-29",
					   "2024-10-15T11:38Z",
					   "2024-10-15T11:38:02",
					   "2024-10-15 11:38:02Z",
					   "2024-10-15t11:38:02Z",
					   "2024-10-15T11:38:02z",
					   "2024-10-15T24:00:00Z",
					   "2024-10-15T23:60:00Z",
					   "2024-10-15T23:59:60Z",
					   "2024-10-15T11:38:02.1Z",
					   "2024-10-15T11:38:02.1234Z",
					   "2024-10-15T11:38:02+2400",
					   "2024-10-15T11:38:02+0060",
					   "2024-10-15T11:38:02+01:30",
					   "2024-10-15T",
					   "2024-10-15T11:38:02Zx",
					   "+2024-10-15" };
	int64_t v;

	check_good(ext_datetime_parse, good, ARRAY_SIZE(good));
	check_bad(ext_datetime_parse, bad, ARRAY_SIZE(bad));
	assert_int_equal(ext_to_date(-1, &v), 0);
	assert_int_equal(v, -86400000);
	assert_int_equal(ext_to_time(-1), 86399999);
	assert_int_equal(ext_to_date(INT64_MIN, &v), -ERANGE);
	assert_int_equal(ext_to_date(INT64_MAX, &v), 0);
	assert_int_equal(ext_duration_in(EXT_TO_MINUTES, -90000), -1);
	assert_int_equal(ext_duration_in(EXT_TO_DAYS, 2 * 86400000 - 1), 1);
}

static void addresses(void **state)
{
	static const char *const good[] = {
		"1.2.3.4", "0.0.0.0/0", "255.255.255.255/32", "::",          "::1",
		"::/0",    "1::/128",   "1:2:3:4:5:6:7::",    "ABCD:ef01::", "::ffff:7f00:1"
	};
	static const char *const bad[] = { "",
					   "1",
					   "1.2.3",
					   "01.2.3.4",
					   "1.2.3.4.5",
					   "256.1.1.1",
					   "0x1.2.3.4",
					   "1.2.3.4/",
					   "1.2.3.4/33",
					   "1.2.3.4/08",
					   "1.2.3.4/+8",
					   "1.2.3.4/8/8",
					   "1.2.3.4/100",
					   "::1/129",
					   "::1/0128",
					   "1::2::3",
					   "12345::",
					   "1:2:3:4:5:6:7:8:9",
					   "1:2:3",
					   "::1%eth0",
					   "[::1]",
					   "::1.2.3.4",
					   "::ffff:127.0.0.1",
					   "/8",
					   " 1.2.3.4",
					   "1.2.3.4 ",
					   "0000:0000:0000:0000:0000:0000:0000:0000/1280" };
	struct cip a, b;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(ext_ip_parse(span_of(good[i]), &a), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ext_ip_parse(span_of(bad[i]), &a), -EINVAL);
	assert_int_equal(ext_ip_parse(SPAN("1.2.3.4\0"), &a), -EINVAL);
	assert_int_equal(ext_ip_parse(SPAN("10.0.0.1"), &a), 0);
	assert_int_equal(ext_ip_parse(SPAN("10.0.0.1/32"), &b), 0);
	assert_true(ext_ip_equal(&a, &b));
	assert_int_equal(ext_ip_parse(SPAN("10.0.0.128/25"), &a), 0);
	assert_int_equal(ext_ip_parse(SPAN("10.0.0.7/24"), &b), 0);
	assert_true(ext_ip_in_range(&a, &b));
	assert_false(ext_ip_in_range(&b, &a));
	assert_int_equal(ext_ip_parse(SPAN("10.0.0.0/25"), &b), 0);
	assert_false(ext_ip_in_range(&a, &b));
}

static void kinds_of_address(void **state)
{
	static const struct {
		const char *ip;
		bool v6, loopback, multicast;
	} cases[] = {
		{ "127.0.0.1", false, true, false },
		{ "127.0.0.0/8", false, true, false },
		{ "127.0.0.0/7", false, false, false },
		{ "128.0.0.1", false, false, false },
		{ "224.0.0.1", false, false, true },
		{ "224.0.0.0/4", false, false, true },
		{ "224.0.0.0/3", false, false, false },
		{ "240.0.0.1", false, false, false },
		{ "::1", true, true, false },
		{ "::1/127", true, false, false },
		{ "::ffff:7f00:1", true, false, false },
		{ "ff00::/8", true, false, true },
		{ "ff00::/7", true, false, false },
		{ "fe80::1", true, false, false },
	};
	struct cip ip;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(ext_ip_parse(span_of(cases[i].ip), &ip), 0);
		assert_int_equal(ext_ip_is(EXT_IS_IPV6, &ip), cases[i].v6);
		assert_int_equal(ext_ip_is(EXT_IS_IPV4, &ip), !cases[i].v6);
		assert_int_equal(ext_ip_is(EXT_IS_LOOPBACK, &ip), cases[i].loopback);
		assert_int_equal(ext_ip_is(EXT_IS_MULTICAST, &ip), cases[i].multicast);
	}
}

static void table(void **state)
{
	for (unsigned i = 0; i < EXT_FN_COUNT; i++) {
		assert_non_null(ext_info((enum ext_fn)i)->name);
		assert_int_equal(ext_find(span_of(ext_info((enum ext_fn)i)->name)), i);
	}
	assert_int_equal(ext_find(SPAN("unknown")), EXT_FN_COUNT);
	assert_int_equal(ext_find(SPAN("")), EXT_FN_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimals),         cmocka_unit_test(durations),
		cmocka_unit_test(datetimes),        cmocka_unit_test(addresses),
		cmocka_unit_test(kinds_of_address), cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
