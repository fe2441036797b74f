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

#include "policy/ast.h"
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

static void check_fmt(struct span id, const struct json *row, struct cedar_policies *ps, struct tally *t)
{
	struct span want = json_str(json_get(row, "formatted")), text = ps->texts.v[0].text;
	_cleanup_buf_ struct buf out = { 0 }, again = { 0 };
	struct cedar_errors errors;

	assert_int_equal(cedar_format(text, 80, &out, &errors), 0);
	if (!span_eq(want, buf_span(&out)))
		differs(t, id, "formatted", want, buf_span(&out));
	assert_int_equal(cedar_format(buf_span(&out), 80, &again, &errors), 0);
	if (!span_eq(buf_span(&out), buf_span(&again)))
		differs(t, id, "formatted again", buf_span(&out), buf_span(&again));
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

static void fmt(void **state)
{
	run_rows("fmt", check_fmt);
}

/* --- snapshots -------------------------------------------------------------------------------- */

/* Behind the second line of dashes, without line ends around it. */
static struct span snapshot_text(struct span s)
{
	for (int i = 0; i < 2; i++) {
		const char *p = memmem(s.p, s.n, "---\n", 4);

		assert_non_null(p);
		s = (struct span){ p + 4, (size_t)(s.p + s.n - p - 4) };
	}
	return s;
}

static struct span trim(struct span s)
{
	while (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	while (s.n && s.p[0] == '\n')
		s = (struct span){ s.p + 1, s.n - 1 };
	return s;
}

static int is_snapshot(const struct dirent *d)
{
	return strstr(d->d_name, ".cedar.snap") != NULL;
}

/* Has a record in braces without spaces, which its newer namesake, the others, and the rows above
 * contradict. */
static const char stale[] = "__cli_sample_data_format@tiny_sandboxes__sample7__policy.cedar.snap";

/* Where the snapshots of the command line were made from is told by their names only in part, so only
 * that formatting does not change them is checked. */
static void check_snapshot(const char *folder, const char *name, struct tally *t)
{
	_cleanup_buf_ struct buf snap = { 0 }, text = { 0 }, out = { 0 };
	const char *at = strchr(name, '@') + 1;
	struct cedar_errors errors;
	char path[1200];
	struct span want;
	int r;

	snprintf(path, sizeof(path), "%s/cedar/formatter/%s/%s", dir_vectors, folder, name);
	assert_int_equal(file_read(path, FILE_MAX, &snap), 0);
	want = snapshot_text(buf_span(&snap));
	t->rows++;
	if (strcmp(folder, "snapshots") == 0) {
		snprintf(path, sizeof(path), "%s/cedar/formatter/%.*s", dir_vectors,
			 (int)(strlen(at) - strlen(".snap")), at);
		assert_int_equal(file_read(path, FILE_MAX, &text), 0);
		r = cedar_format(buf_span(&text), 80, &out, &errors);
		if (r < 0 || !span_eq(trim(want), trim(buf_span(&out))))
			differs(t, span_of(at), r < 0 ? "not formatted" : "formatted", want, buf_span(&out));
	}
	buf_clear(&out);
	r = cedar_format(want, 80, &out, &errors);
	if (span_is(trim(want), "") != (strstr(at, "empty.cedar") != NULL))
		fail_msg("%s: no text", at);
	if ((r == 0 && span_eq(trim(want), trim(buf_span(&out)))) == (strstr(name, stale) != NULL))
		differs(t, span_of(at), "formatted again", want, buf_span(&out));
}

static void snapshots(void **state)
{
	static const char *const folders[] = { "snapshots", "cli-snapshots" };
	struct tally t = { 0 };
	char path[600];

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct dirent **list;
		int n;

		snprintf(path, sizeof(path), "%s/cedar/formatter/%s", dir_vectors, folders[i]);
		n = scandir(path, &list, is_snapshot, alphasort);
		assert_true(n > 0);
		for (int k = 0; k < n; k++) {
			check_snapshot(folders[i], list[k]->d_name, &t);
			free(list[k]);
		}
		free(list);
	}
	print_message("snapshots: %u, mismatches %u, and %s, which is out of date\n", t.rows - 1,
		      t.mismatches, stale);
	assert_int_equal(t.mismatches, 0);
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
		cmocka_unit_test(fmt),
		cmocka_unit_test(snapshots),
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
