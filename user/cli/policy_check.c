// SPDX-License-Identifier: Apache-2.0
/* tollgate policy check: parses files as one set, checks it against a schema when there is one, and
 * explains every error. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"
#include "user/cli/policy_against.h"

struct check {
	struct cedar_policies *set;
	bool json;
	struct json_out *out; /* of json */
	struct policy_against schema;
	bool failed;
};

static void check_file(struct check *c, const char *path)
{
	size_t before = cedar_policies_count(c->set);
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors = { 0 };
	int r = file_read(path, CEDAR_TEXT_MAX, &text);

	if (r < 0) {
		policy_plain_error(&errors, "cannot be read", err_text(r));
	} else {
		r = cedar_policies_add(c->set, path, buf_span(&text), &errors);
		if (r < 0 && errors.n == 0)
			policy_plain_error(&errors, "cannot be parsed", err_text(r));
	}
	c->failed |= r < 0;
	if (!c->json) {
		policy_report_text(path, buf_span(&text), &errors);
		return;
	}
	json_out_object(c->out);
	json_out_member_str(c->out, "file", path);
	json_out_member_int(c->out, "policies",
			    (int64_t)(cedar_policies_count(c->set) - before));
	policy_report_json(c->out, &errors);
	json_out_object_end(c->out);
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
	for (int i = 0; i < n; i++)
		check_file(c, paths[i]);
	if (!c->failed)
		check_set(c);
}

static void check_schema(struct check *c)
{
	bool ok = policy_against_load(&c->schema, c->out);

	if (ok && !c->failed)
		ok = policy_against_validate(&c->schema, c->set, c->out);
	c->failed |= !ok;
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
	if (c->schema.path)
		check_schema(c);
	json_out_member_int(&j, "policies", (int64_t)cedar_policies_count(c->set));
	json_out_member_bool(&j, "ok", !c->failed);
	json_out_object_end(&j);
	return policy_print_json(&b, json_out_end(&j)) == CLI_OK && !c->failed ? CLI_OK : CLI_FAILED;
}

/* Moves the paths to the front of the words; how many there are, -EINVAL after telling what is
 * wrong. */
static int read_options(struct check *c, int n, char **words)
{
	int files = 0;

	for (int i = 0; i < n; i++) {
		int taken = policy_against_option(&c->schema, i, n, words);

		if (taken < 0)
			return taken;
		if (taken > 0) {
			i += taken - 1;
		} else if (strcmp(words[i], "--json") == 0) {
			c->json = true;
		} else if (words[i][0] == '-' && words[i][1]) {
			fprintf(stderr, "tollgate: policy check: no such option: %s\n", words[i]);
			return -EINVAL;
		} else {
			words[files++] = words[i];
		}
	}
	if (c->schema.check.level_checked && !c->schema.path) {
		fputs("tollgate: policy check: --level needs --schema or --catalog\n", stderr);
		return -EINVAL;
	}
	return files;
}

static int check_as_text(struct check *c, int files, char **paths)
{
	check_files(c, files, paths);
	if (c->schema.path)
		check_schema(c);
	if (!c->failed)
		printf("%zu policies in %d file%s, no errors\n", cedar_policies_count(c->set), files,
		       files == 1 ? "" : "s");
	return c->failed ? CLI_FAILED : CLI_OK;
}

int policy_check(struct cli *cli, int n, char **words)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *set = NULL;
	struct check c = { .json = cli->json };
	int files = read_options(&c, n, words), status;

	if (files <= 0)
		return policy_usage();
	if (cedar_policies_new(&set) < 0) {
		fputs("tollgate: policy check: no memory\n", stderr);
		return CLI_FAILED;
	}
	c.set = set;
	status = c.json ? check_as_json(&c, files, words) : check_as_text(&c, files, words);
	policy_against_done(&c.schema);
	return status;
}
