// SPDX-License-Identifier: Apache-2.0
/* tollgate policy check: policies against a Cedar schema, or the one that a catalog gives. */
#include "user/cli/policy_against.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/policy_catalog.h"
#include "user/cli/policy_report.h"

#define LEVEL_MAX 100 /* further than any policy that a person reads */

int policy_against_option(struct policy_against *ps, int i, int n, char **words)
{
	bool level = strcmp(words[i], "--level") == 0, catalog = strcmp(words[i], "--catalog") == 0;
	unsigned long v;
	char *end;

	if (!level && !catalog && strcmp(words[i], "--schema") != 0)
		return 0;
	if (i + 1 == n) {
		fprintf(stderr, "tollgate: policy check: %s lacks its argument\n", words[i]);
		return -EINVAL;
	}
	if (!level) {
		ps->path = words[i + 1];
		ps->catalog = catalog;
		return 2;
	}
	v = strtoul(words[i + 1], &end, 10);
	if (words[i + 1][0] < '0' || words[i + 1][0] > '9' || *end || v > LEVEL_MAX) {
		fprintf(stderr, "tollgate: policy check: --level is a number up to %u, not %s\n",
			LEVEL_MAX, words[i + 1]);
		return -EINVAL;
	}
	ps->check.level_checked = true;
	ps->check.level = (uint32_t)v;
	return 2;
}

void policy_against_done(struct policy_against *ps)
{
	cedar_schema_free(ps->schema);
	buf_done(&ps->text);
}

bool policy_against_load(struct policy_against *ps, struct json_out *j)
{
	struct cedar_errors errors = { 0 };
	int r = ps->catalog ? policy_catalog_schema(ps->path, &errors, &ps->text)
			    : file_read(ps->path, CEDAR_TEXT_MAX, &ps->text);

	if (r < 0 && errors.n == 0) {
		policy_plain_error(&errors, "cannot be read", err_text(r));
	} else if (r == 0) {
		r = cedar_schema_new(buf_span(&ps->text), CEDAR_SCHEMA_ANY, &errors, &ps->schema);
		if (r < 0 && errors.n == 0)
			policy_plain_error(&errors, "cannot be parsed", err_text(r));
	}
	if (!j) {
		policy_report_text(ps->path, buf_span(&ps->text), &errors);
		return r == 0;
	}
	json_out_key(j, "schema");
	json_out_object(j);
	json_out_member_str(j, "file", ps->path);
	policy_report_json(j, &errors);
	json_out_object_end(j);
	return r == 0;
}

static const char *severity(const struct cedar_finding *f)
{
	return f->severity == CEDAR_ERROR ? "error" : "warning";
}

static void print_finding(const struct cedar_finding *f)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors = { .n = 1, .total = 1 };
	struct cedar_error *e = &errors.e[0];

	e->line = f->line;
	e->column = f->column;
	e->offset = f->offset;
	snprintf(e->message, sizeof(e->message), "%s: %s: %s%s%s", severity(f), f->id, f->message,
		 f->suggestion ? "; " : "", f->suggestion ? f->suggestion : "");
	if (file_read(f->text_name, CEDAR_TEXT_MAX, &text) < 0)
		buf_clear(&text);
	policy_report_text(f->text_name, buf_span(&text), &errors);
}

static void put_finding(struct json_out *j, const struct cedar_finding *f)
{
	json_out_object(j);
	json_out_member_str(j, "file", f->text_name);
	json_out_member_str(j, "policy", f->id);
	json_out_member_str(j, "severity", severity(f));
	json_out_member_int(j, "line", f->line);
	json_out_member_int(j, "column", f->column);
	json_out_member_int(j, "offset", f->offset);
	json_out_member_str(j, "message", f->message);
	json_out_member_str(j, "suggestion", f->suggestion);
	json_out_object_end(j);
}

bool policy_against_validate(const struct policy_against *ps, const struct cedar_policies *set,
			    struct json_out *j)
{
	_cleanup_(cedar_findings_free_p) struct cedar_findings *found = NULL;
	int r = cedar_validate(ps->schema, set, &ps->check, &found);

	if (r < 0) {
		fprintf(stderr, "tollgate: validate policies: %s\n", err_text(r));
		return false;
	}
	if (j) {
		json_out_key(j, "findings");
		json_out_array(j);
	}
	for (size_t i = 0; i < cedar_findings_count(found); i++) {
		if (j)
			put_finding(j, cedar_findings_get(found, i));
		else
			print_finding(cedar_findings_get(found, i));
	}
	if (j)
		json_out_array_end(j);
	return cedar_findings_errors(found) == 0;
}
