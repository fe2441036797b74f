// SPDX-License-Identifier: Apache-2.0
/*
 * What Cedar's SDK 4.13 made of each policy of its corpus, against what we make of it: JSON, printed
 * text, formatted text, byte for byte; and the snapshots of its formatter.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <zlib.h>
#include <cmocka.h>

#include "policy/cedar_text.h"
#include "policy/json.h"
#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

#define FILE_MAX (8u << 20)
#define ROW_MAX (4u << 20)

static char dir_vectors[512], dir_corpus[64];

struct tally {
	unsigned rows, lossy, mismatches;
};

/* --- rows ------------------------------------------------------------------------------------- */

/* The source of a row, parsed. */
static struct cedar_policies *source_of(struct span id, struct buf *text)
{
	struct cedar_policies *ps = NULL;
	struct cedar_errors errors;
	char path[256];

	snprintf(path, sizeof(path), "%s/corpus-tests/%.*s.cedar", dir_corpus, (int)id.n, id.p);
	assert_int_equal(file_read(path, FILE_MAX, text), 0);
	assert_int_equal(cedar_policies_new(&ps), 0);
	if (cedar_policies_add(ps, "source", buf_span(text), &errors) < 0)
		fail_msg("%s: %s", path, errors.e[0].message);
	assert_int_equal(cedar_policies_count(ps), 1);
	return ps;
}

static void differs(struct tally *t, struct span id, const char *what, struct span want, struct span got)
{
	if (t->mismatches++ < 5)
		print_message("%.*s: %s\nwant:\n%.*s\ngot:\n%.*s\n", (int)id.n, id.p, what, (int)want.n,
			      want.p, (int)got.n, got.p);
}

/* Members in any order. The rows marked as lossy went through JavaScript, which rounds numbers to
 * doubles: there want and got are compared as such. */
static bool lossy;

static bool same_number(const struct json *want, const struct json *got)
{
	if (!lossy)
		return want->kind == JSON_INT && want->num == got->num;
	if (want->kind == JSON_FRACTION) /* rounded beyond 64 bits */
		return got->num > INT64_MAX - 512 || got->num < INT64_MIN + 512;
	return want->kind == JSON_INT && (double)want->num == (double)got->num;
}

static bool same_json(const struct json *a, const struct json *b)
{
	if (b->kind == JSON_INT)
		return same_number(a, b);
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JSON_BOOL:
		return a->num == b->num;
	case JSON_STRING:
		return span_eq(a->str, b->str);
	case JSON_ARRAY:
		for (uint32_t i = 0; i < a->n; i++) {
			if (a->n != b->n || !same_json(&a->kid[i], &b->kid[i]))
				return false;
		}
		return a->n == b->n;
	case JSON_OBJECT:
		for (uint32_t i = 0; i < a->n; i++) {
			uint32_t k = 0;

			while (k < b->n && !span_eq(a->key[i], b->key[k]))
				k++;
			if (k == b->n || !same_json(&a->kid[i], &b->kid[k]))
				return false;
		}
		return a->n == b->n;
	default:
		return a->kind == JSON_NULL;
	}
}

static void check_est(struct span id, const struct json *row, struct cedar_policies *ps, struct tally *t)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *back = NULL;
	_cleanup_buf_ struct buf out = { 0 }, again = { 0 };
	_cleanup_(arena_done) struct arena mem = { 0 };
	struct cedar_errors errors;
	struct cedar_error error;
	struct json got;

	lossy = json_get(row, "bigint_lossy") != NULL;
	t->lossy += lossy;
	assert_int_equal(cedar_policy_to_json(ps, 0, &out), 0);
	assert_int_equal(json_parse_deep(&mem, buf_span(&out), 10000, &error, &got), 0);
	if (!same_json(json_get(row, "json"), &got))
		differs(t, id, "json", SPAN("see the vectors"), buf_span(&out));
	/* And back: what is read from JSON writes the same JSON. */
	assert_int_equal(cedar_policies_new(&back), 0);
	if (cedar_policies_add_json(back, "json", buf_span(&out), &errors) < 0) {
		differs(t, id, errors.e[0].message, SPAN(""), buf_span(&out));
		return;
	}
	assert_int_equal(cedar_policy_to_json(back, 0, &again), 0);
	if (!span_eq(buf_span(&out), buf_span(&again)))
		differs(t, id, "json read and written", buf_span(&out), buf_span(&again));
}

static void check_text(struct span id, const struct json *row, struct cedar_policies *ps, struct tally *t)
{
	struct span want = json_str(json_get(row, "text"));
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(cedar_policy_to_text(ps, 0, &out), 0);
	if (!span_eq(want, buf_span(&out)))
		differs(t, id, "text", want, buf_span(&out));
}

typedef void check_fn(struct span id, const struct json *row, struct cedar_policies *ps, struct tally *t);

static void run_rows(const char *name, check_fn *check)
{
	struct tally t = { 0 };
	char path[600], *line = malloc(ROW_MAX);
	gzFile f;

	assert_non_null(line);
	snprintf(path, sizeof(path), "%s/cedar/oracle/%s.jsonl.gz", dir_vectors, name);
	f = gzopen(path, "rb");
	assert_non_null(f);
	while (gzgets(f, line, ROW_MAX)) {
		_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
		_cleanup_(arena_done) struct arena mem = { 0 };
		_cleanup_buf_ struct buf text = { 0 };
		struct cedar_error error;
		struct json row;
		struct span id;

		assert_int_equal(json_parse_deep(&mem, span_of(line), 10000, &error, &row), 0);
		id = json_str(json_get(&row, "id"));
		ps = source_of(id, &text);
		t.rows++;
		check(id, &row, ps, &t);
	}
	gzclose(f);
	free(line);
	print_message("%s: rows %u, of them compared as doubles %u, mismatches %u\n", name, t.rows, t.lossy,
		      t.mismatches);
	assert_true(t.rows > 0);
	assert_int_equal(t.mismatches, 0);
}

static void est(void **state)
{
	run_rows("est", check_est);
}

static void text(void **state)
{
	run_rows("text", check_text);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static int unpack(void **state)
{
	char command[1200];

	strcpy(dir_corpus, "/tmp/cedar-oracle-XXXXXX");
	if (!mkdtemp(dir_corpus))
		return -1;
	snprintf(command, sizeof(command), "tar -xJf '%s/cedar/corpus.tar.xz' -C '%s'", dir_vectors, dir_corpus);
	return system(command);
}

static int clean(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir_corpus);
	return system(command);
}

int main(void)
{
	const char *vectors = getenv("TOLLGATE_VECTORS");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(est),
		cmocka_unit_test(text),
	};
	char path[600];

	snprintf(dir_vectors, sizeof(dir_vectors), "%s", vectors ? vectors : "../shared/vectors");
	snprintf(path, sizeof(path), "%s/cedar/oracle/text.jsonl.gz", dir_vectors);
	if (access(path, R_OK) < 0) {
		printf("skipped: no %s\n", path);
		return 77;
	}
	return cmocka_run_group_tests(tests, unpack, clean);
}
