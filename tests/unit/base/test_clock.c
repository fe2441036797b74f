// SPDX-License-Identifier: Apache-2.0
/* Clocks that were set, and clocks that are only corrected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "user/base/clock.h"

#define S UINT64_C(1000000000)
#define YEAR (365 * 86400 * S)
#define NOW (55 * YEAR)

static struct clock_steady c;

static bool at(uint64_t mono, uint64_t real)
{
	return clock_is_steady(&c, mono * S, real, 60 * S, 3600 * S);
}

static void becomes_steady(void **state)
{
	c = (struct clock_steady){ 0 };
	assert_false(at(5, NOW));
	assert_false(at(605, NOW + 600 * S));
	assert_false(at(3604, NOW + 3599 * S));
	assert_true(at(3605, NOW + 3600 * S));
	assert_true(at(9000, NOW + 8995 * S + 59 * S)); /* corrected */
	assert_true(at(9600, NOW + 9595 * S)); /* and back */
}

static void a_step_begins_anew(void **state)
{
	static const uint64_t steps[] = { 10 * YEAR, 61 * S, -(61 * S), -YEAR, -(54 * YEAR) };

	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		c = (struct clock_steady){ 0 };
		assert_false(at(100, NOW));
		assert_true(at(4000, NOW + 3900 * S));
		assert_false(at(4600, NOW + 4500 * S + steps[i]));
		assert_false(at(8199, NOW + 8099 * S + steps[i]));
		assert_true(at(8200, NOW + 8100 * S + steps[i]));
	}
}

/* A step back by as much as went by looks like standing still; it is a step all the same. */
static void no_time_goes_backwards(void **state)
{
	c = (struct clock_steady){ 0 };
	assert_false(at(100, NOW));
	assert_true(at(4000, NOW + 3900 * S));
	assert_false(at(4001, NOW + 3899 * S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(becomes_steady),
		cmocka_unit_test(a_step_begins_anew),
		cmocka_unit_test(no_time_goes_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
