// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy: checks Cedar policy files before they are used. Works on files only; asks no
 * daemon.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/cedar.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/cli.h"

#define SHOWN_BEFORE 60 /* characters of the source line left of an error */
#define SHOWN_BEHIND 40

static const char usage_text[] =
	"usage: tollgate policy check FILE... [--json]\n"
	"\n"
	"check  parses the files as one policy set and explains every error with its place, the\n"
	"       line, and a mark below it.\n"
	"Exit status: 0 no errors, 1 errors, 2 usage.\n";

struct check {
	struct cedar_policies *set;
	bool json;
	struct json_out *out; /* of json */
	bool failed;
};

/* --- where an error is ------------------------------------------------------------------------ */

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* n characters from p, towards the start (by -1) or the end (by 1) of the line. */
static const char *move(const char *p, const char *limit, int by, unsigned n)
{
	while (n > 0 && p != limit) {
		p += by;
		if (p == limit || !is_continuation(*p))
			n--;
	}
	return p;
}

static void print_visible(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		fputc(c == '\t' || (c >= 0x20 && c != 0x7f) ? c : ' ', stderr);
	}
}

/* The part of the line around the error, and a caret under it. */
static void print_source(struct span text, uint32_t offset)
{
	const char *at, *start, *end, *first, *last;

	if (offset > text.n || text.n == 0)
		return;
	at = start = end = text.p + offset;
	while (start > text.p && start[-1] != '\n')
		start--;
	while (end < text.p + text.n && *end != '\n')
		end++;
	first = move(at, start, -1, SHOWN_BEFORE);
	last = move(at, end, 1, SHOWN_BEHIND);
	fputs("    ", stderr);
	print_visible((struct span){ first, (size_t)(last - first) });
	fputs("\n    ", stderr);
	for (const char *p = first; p < at; p++) {
		if (!is_continuation(*p))
			fputc(*p == '\t' ? '\t' : ' ', stderr);
	}
	fputs("^\n", stderr);
}

/* --- one file --------------------------------------------------------------------------------- */

static void report_text(const char *path, struct span text, const struct cedar_errors *errors)
{
	for (uint32_t i = 0; i < errors->n; i++) {
		const struct cedar_error *e = &errors->e[i];

		if (e->line == 0) {
			fprintf(stderr, "%s: %s\n", path, e->message);
			continue;
		}
		fprintf(stderr, "%s:%u:%u: %s\n", path, e->line, e->column, e->message);
		print_source(text, e->offset);
	}
	if (errors->total > errors->n)
		fprintf(stderr, "%s: and more errors\n", path);
}

static void report_json(struct json_out *j, const char *path, size_t policies,
			const struct cedar_errors *errors)
{
	json_out_object(j);
	json_out_member_str(j, "file", path);
	json_out_member_int(j, "policies", (int64_t)policies);
	json_out_key(j, "errors");
	json_out_array(j);
	for (uint32_t i = 0; i < errors->n; i++) {
		const struct cedar_error *e = &errors->e[i];

		json_out_object(j);
		json_out_member_int(j, "line", e->line);
		json_out_member_int(j, "column", e->column);
		json_out_member_int(j, "offset", e->offset);
		json_out_member_str(j, "message", e->message);
		json_out_object_end(j);
	}
	json_out_array_end(j);
	json_out_object_end(j);
}

/* An error without place, for what is not in the text. */
static void plain_error(struct cedar_errors *errors, const char *what, const char *reason)
{
	errors->n = errors->total = 1;
	errors->e[0] = (struct cedar_error){ 0 };
	snprintf(errors->e[0].message, sizeof(errors->e[0].message), "%s: %s", what, reason);
}

static void check_file(struct check *c, const char *path)
{
	size_t before = cedar_policies_count(c->set);
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors = { 0 };
	int r = file_read(path, CEDAR_TEXT_MAX, &text);

	if (r < 0) {
		plain_error(&errors, "cannot be read", err_text(r));
	} else {
		r = cedar_policies_add(c->set, path, buf_span(&text), &errors);
		if (r < 0 && errors.n == 0)
			plain_error(&errors, "cannot be parsed", err_text(r));
	}
	c->failed |= r < 0;
	if (c->json)
		report_json(c->out, path, cedar_policies_count(c->set) - before, &errors);
	else
		report_text(path, buf_span(&text), &errors);
}

/* What only shows when the set as a whole is compiled. */
static void check_set(struct check *c)
{
	_cleanup_(cedar_snapshot_unref_p) struct cedar_snapshot *s = NULL;
	struct cedar_error error = { 0 };
	int r = cedar_snapshot_new(c->set, NULL, &error, &s);

	if (r < 0 && !c->json)
		fprintf(stderr, "tollgate: compile policies: %s\n",
			*error.message ? error.message : err_text(r));
	c->failed |= r < 0;
}

static void check_files(struct check *c, int n, char **paths)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(paths[i], "--json") != 0)
			check_file(c, paths[i]);
	}
	if (!c->failed)
		check_set(c);
}

static int check_as_json(struct check *c, int n, char **paths)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	json_out_init(&j, &b);
	c->out = &j;
	json_out_object(&j);
	json_out_key(&j, "files");
	json_out_array(&j);
	check_files(c, n, paths);
	json_out_array_end(&j);
	json_out_member_int(&j, "policies", (int64_t)cedar_policies_count(c->set));
	json_out_member_bool(&j, "ok", !c->failed);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0 || buf_append(&b, "\n", 1) < 0) {
		fputs("tollgate: write answer: no memory\n", stderr);
		return CLI_FAILED;
	}
	fwrite(b.data + b.start, 1, buf_len(&b), stdout);
	return c->failed ? CLI_FAILED : CLI_OK;
}

static int check(struct cli *cli, int n, char **paths)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *set = NULL;
	struct check c = { .json = cli->json };
	int files = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(paths[i], "--json") == 0) {
			c.json = true;
		} else if (paths[i][0] == '-' && paths[i][1]) {
			fprintf(stderr, "tollgate: policy check: no such option: %s\n%s", paths[i],
				usage_text);
			return CLI_USAGE;
		} else {
			files++;
		}
	}
	if (files == 0) {
		fputs(usage_text, stderr);
		return CLI_USAGE;
	}
	if (cedar_policies_new(&set) < 0) {
		fputs("tollgate: policy check: no memory\n", stderr);
		return CLI_FAILED;
	}
	c.set = set;
	if (c.json)
		return check_as_json(&c, n, paths);
	check_files(&c, n, paths);
	if (!c.failed)
		printf("%zu policies in %d file%s, no errors\n", cedar_policies_count(set), files,
		       files == 1 ? "" : "s");
	return c.failed ? CLI_FAILED : CLI_OK;
}

int cli_policy(struct cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage_text, stdout);
			return CLI_OK;
		}
	}
	if (argc >= 2 && strcmp(argv[1], "check") == 0)
		return check(c, argc - 2, argv + 2);
	fputs(usage_text, stderr);
	return CLI_USAGE;
}
