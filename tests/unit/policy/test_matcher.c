// SPDX-License-Identifier: Apache-2.0
/* Many patterns at once must give what each gives by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "policy/matcher.h"
#include "user/base/cleanup.h"

#define ROUNDS 400
#define PATTERNS 40

static uint64_t state = 0x9e3779b97f4a7c15;

static unsigned below(unsigned n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % n;
}

/* Two letters only: parts lie within each other, and break off into each other. */
static struct span random_text(struct arena *mem, unsigned most)
{
	struct span s = { arena_alloc(mem, most + 1), below(most + 1) };

	for (size_t i = 0; i < s.n; i++)
		((char *)s.p)[i] = (char)(below(20) ? 'a' + below(2) : 0xff);
	return s;
}

static void random_patterns(struct arena *mem, struct pattern *ret, uint32_t *ids)
{
	for (unsigned i = 0; i < PATTERNS; i++) {
		unsigned n = 1 + below(4);
		struct span *run = arena_array(mem, n, sizeof(*run));

		for (unsigned k = 0; k < n; k++)
			run[k] = random_text(mem, 4);
		ret[i] = (struct pattern){ run, n };
		ids[i] = i;
	}
}

static void as_each_alone(void **unused)
{
	unsigned matched = 0, missed = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		_cleanup_(arena_done) struct arena mem = { 0 };
		struct pattern all[PATTERNS];
		uint32_t ids[PATTERNS], found[PATTERNS];
		uint64_t tried[PATTERNS / 64 + 1];
		struct cmatcher *m = NULL;

		random_patterns(&mem, all, ids);
		assert_int_equal(matcher_new(&mem, all, ids, PATTERNS, &m), 0);
		assert_non_null(m);
		for (unsigned k = 0; k < 10; k++) {
			struct span s = random_text(&mem, 12);
			unsigned times[PATTERNS] = { 0 };
			uint32_t n = matcher_run(m, all, s, tried, found);

			for (uint32_t i = 0; i < n; i++)
				times[found[i]]++;
			for (unsigned i = 0; i < PATTERNS; i++) {
				assert_int_equal(times[i], pattern_match(&all[i], s));
				matched += times[i];
				missed += !times[i];
			}
		}
	}
	assert_true(matched > 0 && missed > 0);
}

/* A pattern whose part is everywhere must not be matched everywhere. */
static void long_strings_take_one_walk(void **unused)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct span run[] = { SPAN(""), SPAN("aa"), SPAN("b") }, other[] = { SPAN(""), SPAN("a"), SPAN("") };
	struct pattern all[] = { { run, 3 }, { other, 3 } };
	uint32_t ids[] = { 0, 1 }, found[2];
	size_t n = 4u << 20;
	char *text = malloc(n);
	uint64_t tried[1];
	struct cmatcher *m;

	assert_non_null(text);
	memset(text, 'a', n);
	assert_int_equal(matcher_new(&mem, all, ids, 2, &m), 0);
	assert_int_equal(matcher_run(m, all, (struct span){ text, n }, tried, found), 1);
	assert_int_equal(found[0], 1);
	free(text);
}

static void too_large_is_none(void **unused)
{
	_cleanup_(arena_done) struct arena mem = { 0 };
	size_t n = 3u << 20;
	char *text = malloc(n);
	struct span run[] = { { text, n }, SPAN("") };
	struct pattern all[] = { { run, 2 } };
	uint32_t id = 0;
	struct cmatcher *m = NULL;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + i % 3);
	assert_int_equal(matcher_new(&mem, all, &id, 1, &m), 0);
	assert_null(m);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_each_alone),
		cmocka_unit_test(long_strings_take_one_walk),
		cmocka_unit_test(too_large_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
