// SPDX-License-Identifier: Apache-2.0
#include "attest/cbor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/digest.h"

#define SIZE_MAX_CASE 64

static struct span bytes_of(const char *hex, uint8_t out[SIZE_MAX_CASE])
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= SIZE_MAX_CASE);
	assert_int_equal(hex_decode(hex, 2 * n, out, n), 0);
	return (struct span){ (const char *)out, n };
}

static void well_formed(void **state)
{
	/* The forms of RFC 8949 appendix A that are deterministic and that COSE has. */
	static const char *const cases[] = {
		"00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1b0000000100000000", "1bffffffffffffffff",
		"20", "3863", "3bffffffffffffffff", "40", "4401020304", "60", "6161", "62c3bc", "63e6b0b4", "64f0908591",
		"80", "83010203", "a0", "a201020304", "a2016161026162", "c11a514b67b0", "f4", "f5", "f6", "a2616101616201",
		"a2016061610a", "d28443a10126a0f640",
	};
	uint8_t raw[SIZE_MAX_CASE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cbor_check(bytes_of(cases[i], raw)) != 0)
			fail_msg("%s is refused", cases[i]);
}

static void refused(void **state)
{
	static const struct {
		const char *hex, *what;
	} cases[] = {
		{ "", "nothing" }, { "0000", "two items" }, { "1817", "23 in two bytes" }, { "1900ff", "255 in three" },
		{ "1a0000ffff", "65535 in five" }, { "1b00000000ffffffff", "2^32-1 in nine" }, { "18", "no value" },
		{ "1901", "half a value" }, { "1c", "reserved" },
		{ "1cffffffffffffffffffffffffffffffff", "reserved, sixteen bytes" }, { "1e", "reserved" }, { "5c00", "reserved length" },
		{ "1f", "indefinite integer" }, { "5f4101ff", "indefinite bytes" },
		{ "7f6161ff", "indefinite text" }, { "9f01ff", "indefinite array" }, { "bf0101ff", "indefinite map" },
		{ "ff", "break" }, { "4201", "short bytes" }, { "5bffffffffffffffff", "bytes of 2^64-1" },
		{ "9bffffffffffffffff", "array of 2^64-1" }, { "bbffffffffffffffff", "map of 2^64-1" }, { "8201", "short array" },
		{ "a101", "name without value" }, { "c1", "tag of nothing" }, { "a201000100", "a name twice" },
		{ "a202000100", "names in disorder" }, { "a2616100016100", "text before integer" }, { "61ff", "not UTF-8" },
		{ "62c0af", "overlong" }, { "63eda080", "surrogate" }, { "64f4908080", "beyond U+10FFFF" }, { "61c3", "cut" },
		{ "f7", "undefined" }, { "e0", "simple 0" }, { "f820", "simple 32" }, { "f93c00", "half float" },
		{ "fa47c35000", "float" }, { "fb3ff199999999999a", "double" },
	};
	uint8_t raw[SIZE_MAX_CASE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span all = bytes_of(cases[i].hex, raw), rest = all;

		if (cbor_check(all) != -EINVAL)
			fail_msg("%s (%s) is accepted", cases[i].hex, cases[i].what);
		if (strcmp(cases[i].what, "two items") != 0) {
			assert_int_equal(cbor_skip(&rest), -EINVAL);
			assert_ptr_equal(rest.p, all.p);
		}
	}
}

static void every_truncation(void **state)
{
	uint8_t raw[SIZE_MAX_CASE];
	struct span all = bytes_of("d28443a10126a2041863190189824101f6f64401020304", raw);

	assert_int_equal(cbor_check(all), 0);
	for (size_t n = 0; n < all.n; n++)
		assert_int_equal(cbor_check((struct span){ all.p, n }), -EINVAL);
}

/* n arrays around an integer: the integer is at depth n + 1. */
static int check_nested(uint8_t first, size_t n)
{
	uint8_t raw[300];

	memset(raw, first, n);
	raw[n] = 0;
	return cbor_check((struct span){ (const char *)raw, n + 1 });
}

static void depth(void **state)
{
	assert_int_equal(check_nested(0x81, CBOR_DEPTH_MAX - 1), 0);
	assert_int_equal(check_nested(0x81, CBOR_DEPTH_MAX), -EINVAL);
	assert_int_equal(check_nested(0xc1, CBOR_DEPTH_MAX - 1), 0);
	assert_int_equal(check_nested(0xc1, 299), -EINVAL);
	assert_int_equal(check_nested(0xa1, 299), -EINVAL);
}

static void items(void **state)
{
	uint8_t raw[SIZE_MAX_CASE];
	struct span rest = bytes_of("3818420102636162638101a0d2f5", raw);
	struct cbor_item item;

	assert_int_equal(cbor_read(&rest, &item), 0);
	assert_int_equal(item.type, CBOR_NINT);
	assert_int_equal(item.value, 24);
	assert_int_equal(cbor_read(&rest, &item), 0);
	assert_int_equal(item.type, CBOR_BYTES);
	assert_memory_equal(item.bytes.p, "\1\2", 2);
	assert_int_equal(cbor_read(&rest, &item), 0);
	assert_int_equal(item.type, CBOR_TEXT);
	assert_true(span_is(item.bytes, "abc"));
	assert_int_equal(cbor_skip(&rest), 0);
	assert_int_equal(cbor_read(&rest, &item), 0);
	assert_int_equal(item.type, CBOR_MAP);
	assert_int_equal(cbor_read(&rest, &item), 0);
	assert_int_equal(item.type, CBOR_TAG);
	assert_int_equal(item.value, 18);
	assert_int_equal(cbor_skip(&rest), 0);
	assert_int_equal(rest.n, 0);
	assert_int_equal(cbor_read(&rest, &item), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(well_formed), cmocka_unit_test(refused), cmocka_unit_test(every_truncation),
		cmocka_unit_test(depth), cmocka_unit_test(items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
