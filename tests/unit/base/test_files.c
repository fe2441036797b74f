// SPDX-License-Identifier: Apache-2.0
/* Files, digests and clocks. */
#include "user/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/digest.h"

static void replaces_a_file_whole(void **state)
{
	char path[] = "/tmp/tollgate-unit-XXXXXX";
	_cleanup_buf_ struct buf b = { 0 };
	int fd = mkstemp(path);
	struct stat st;

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_replace(path, "hello", 5, 0640), 0);
	assert_int_equal(file_read(path, 5, &b), 0);
	assert_true(span_is(buf_span(&b), "hello"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	buf_clear(&b);
	assert_int_equal(file_read(path, 4, &b), -EFBIG);
	unlink(path);
	assert_int_equal(file_read(path, 4, &b), -ENOENT);
	assert_int_equal(file_replace("/nonexistent/x", "", 0, 0600), -ENOENT);
}

static void a_sealed_memfd_cannot_be_changed(void **state)
{
	_cleanup_close_ int fd = memfd_sealed("x", "abc", 3);
	_cleanup_buf_ struct buf one = { 0 };
	_cleanup_buf_ struct buf two = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "z", 1), -1);
	assert_int_equal(ftruncate(fd, 1), -1);
	/* Readers that share the offset each see all of it. */
	assert_int_equal(file_read_at_start(fd, 16, &one), 0);
	assert_int_equal(file_read_at_start(fd, 16, &two), 0);
	assert_true(span_is(buf_span(&one), "abc"));
	assert_true(span_is(buf_span(&two), "abc"));
}

static void digests_are_those_of_the_standard(void **state)
{
	static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	_cleanup_close_ int fd = memfd_sealed("x", "abc", 3);
	uint8_t d[SHA256_SIZE], back[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE], text[SHA256_PREFIXED_SIZE];

	for (unsigned i = 0; i < 256; i += 16) {
		char want[2 * 16 + 1];

		for (unsigned b = 0; b < 16; b++) {
			d[b] = (uint8_t)(i + b);
			(void)sprintf(want + 2 * b, "%02hhx", (unsigned char)(i + b));
		}
		for (unsigned n = 0; n <= 16; n++) {
			hex_encode(d, n, hex);
			assert_int_equal(strlen(hex), 2 * n);
			assert_memory_equal(hex, want, 2 * n);
		}
	}
	sha256("abc", 3, d);
	hex_encode(d, sizeof(d), hex);
	assert_string_equal(hex, abc);
	assert_int_equal(sha256_fd(fd, back), 0);
	assert_memory_equal(d, back, sizeof(d));
	sha256_prefixed(d, text);
	assert_int_equal(strncmp(text, "sha256:", 7), 0);
	assert_string_equal(text + 7, abc);
	assert_int_equal(hex_decode(hex, 64, back, 32), 0);
	assert_memory_equal(d, back, sizeof(d));
	assert_int_equal(hex_decode(hex, 63, back, 32), -EINVAL);
	hex[5] = 'g';
	assert_int_equal(hex_decode(hex, 64, back, 32), -EINVAL);
}

static void times_have_one_text_form(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-13-01", "2026-01-01T", "2026-01-01T25:00:00Z",
					   "2026-01-01T00:00:00", "2026-01-01T00:00:00Zx", "1969-12-31",
					   "2026-01-01T00:00:00+0100" };
	char text[CLOCK_ISO_SIZE];
	uint64_t ns;

	clock_iso(1700000000123456789ull, text);
	assert_string_equal(text, "2023-11-14T22:13:20.123456+00:00");
	assert_int_equal(clock_parse_iso(text, &ns), 0);
	assert_true(ns == 1700000000123456000ull);
	assert_int_equal(clock_parse_iso("2023-11-14T23:13:20.5+01:00", &ns), 0);
	assert_true(ns == 1700000000500000000ull);
	assert_int_equal(clock_parse_iso("2023-11-14", &ns), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(clock_parse_iso(bad[i], &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaces_a_file_whole),
		cmocka_unit_test(a_sealed_memfd_cannot_be_changed),
		cmocka_unit_test(digests_are_those_of_the_standard),
		cmocka_unit_test(times_have_one_text_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
