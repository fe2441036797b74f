// SPDX-License-Identifier: Apache-2.0
/* Lists of holders: hostile lengths, and whether they account for every reference. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/file.h"
#include "user/stdio/walk.h"

static struct tg_holding at(uint32_t tgid, uint32_t fd, uint32_t which, uint64_t file, uint64_t table, uint64_t refs)
{
	return (struct tg_holding){ .tgid = tgid, .tid = tgid, .fd = fd, .which = which,
				    .file = file, .table = table, .refs = refs };
}

static int read_list(const void *p, size_t n, struct walk *ret)
{
	int fd = memfd_create("walk", MFD_CLOEXEC), r;

	assert_int_equal(fd_write_all(fd, p, n), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	r = walk_read(fd, ret);
	close(fd);
	return r;
}

static bool whole(const struct tg_holding *v, size_t n)
{
	_cleanup_walk_ struct walk w = { 0 };

	assert_int_equal(read_list(v, n * sizeof(*v), &w), 0);
	assert_int_equal(w.n, n);
	return walk_is_whole(&w);
}

static void reads_whole_lines_only(void **state)
{
	_cleanup_walk_ struct walk w = { 0 };
	struct tg_holding v[2] = { at(5, 0, 0, 1, 1, 1), at(6, 1, 1, 2, 2, 1) };
	static struct tg_holding many[WALK_MAX];
	bool split;

	assert_int_equal(read_list(v, 0, &w), 0);
	assert_int_equal(w.n, 0);
	assert_true(walk_is_whole(&w));
	assert_int_equal(read_list(v, sizeof(v), &w), 0);
	assert_int_equal(w.n, 2);
	assert_true(walk_has(&w, 6, &split));
	assert_false(split);
	assert_false(walk_has(&w, 7, &split));
	assert_int_equal(read_list(v, sizeof(v) - 1, &w), -EPROTO);
	v[1].which = 2;
	assert_int_equal(read_list(v, sizeof(v), &w), -EPROTO);
	v[1] = at(0, 0, 0, 1, 1, 1);
	assert_int_equal(read_list(v, sizeof(v), &w), -EPROTO);
	assert_int_equal(read_list(many, sizeof(many), &w), -E2BIG);
}

static void tells_split_tables(void **state)
{
	_cleanup_walk_ struct walk w = { 0 };
	struct tg_holding v[2] = { at(5, 0, 0, 1, 1, 2), at(5, 0, 0, 1, 2, 2) };
	bool split;

	v[1].tid = 9;
	assert_int_equal(read_list(v, sizeof(v), &w), 0);
	assert_true(walk_has(&w, 5, &split));
	assert_true(split);
}

static void accounts_for_references(void **state)
{
	struct tg_holding v[4] = { at(5, 0, 0, 1, 1, 2), at(6, 0, 0, 1, 2, 2), at(5, 1, 1, 2, 1, 1) };

	assert_true(whole(v, 3));
	assert_false(whole(v, 1)); /* one of two */
	v[2].refs = 2;
	assert_false(whole(v, 3));
	/* Two processes with one table: the descriptor counts once. */
	v[0] = at(5, 0, 0, 1, 1, 1);
	v[1] = at(6, 0, 0, 1, 1, 1);
	assert_true(whole(v, 2));
	v[0].refs = v[1].refs = 2;
	assert_false(whole(v, 2));
}

static void accounts_for_descriptions(void **state)
{
	struct tg_holding v[2] = { at(5, 0, 0, 1, 1, 1), at(5, 7, 0, 3, 1, 1) };

	v[0].ends = v[1].ends = 2; /* /dev/stdin opened once more */
	assert_true(whole(v, 2));
	assert_false(whole(v, 1)); /* the other is somewhere */
	v[0].ends = v[1].ends = 3;
	assert_false(whole(v, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_whole_lines_only),
		cmocka_unit_test(tells_split_tables),
		cmocka_unit_test(accounts_for_references),
		cmocka_unit_test(accounts_for_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
