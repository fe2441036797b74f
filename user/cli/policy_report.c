// SPDX-License-Identifier: Apache-2.0
/* Errors in policy texts, for people and for programs. */
#include "user/cli/policy_report.h"

#include <stdio.h>

#include "user/cli/cli.h"

#define SHOWN_BEFORE 60 /* characters of the source line left of an error */
#define SHOWN_BEHIND 40

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

void policy_report_text(const char *path, struct span text, const struct cedar_errors *errors)
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

void policy_report_json(struct json_out *j, const struct cedar_errors *errors)
{
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
}

void policy_plain_error(struct cedar_errors *errors, const char *what, const char *reason)
{
	errors->n = errors->total = 1;
	errors->e[0] = (struct cedar_error){ 0 };
	snprintf(errors->e[0].message, sizeof(errors->e[0].message), "%s: %s", what, reason);
}

int policy_print_json(struct buf *b, int r)
{
	if (r < 0 || buf_append(b, "\n", 1) < 0) {
		fputs("tollgate: write answer: no memory\n", stderr);
		return CLI_FAILED;
	}
	fwrite(b->data + b->start, 1, buf_len(b), stdout);
	return CLI_OK;
}
