// SPDX-License-Identifier: Apache-2.0
/* tollgate policy translate: policies from text to Cedar's JSON format and back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/cedar_text.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"

/* The longest text in JSON: an operator of one character takes some twenty. */
#define MADE_MAX (24u * CEDAR_TEXT_MAX)

struct translation {
	const char *path, *to;
	bool json;
};

static bool to_json(const struct translation *t)
{
	return strcmp(t->to, "json") == 0;
}

static int load(const struct translation *t, struct buf *text, struct cedar_policies *ps,
		struct cedar_errors *errors)
{
	int r = strcmp(t->path, "-") == 0 ? file_read_fd(0, CEDAR_TEXT_MAX, text)
					  : file_read(t->path, CEDAR_TEXT_MAX, text);

	if (r < 0) {
		policy_plain_error(errors, "cannot be read", err_text(r));
		return r;
	}
	r = to_json(t) ? cedar_policies_add_templates(ps, t->path, buf_span(text), errors)
		       : cedar_policies_add_json(ps, t->path, buf_span(text), errors);
	if (r < 0 && errors->n == 0)
		policy_plain_error(errors, "cannot be parsed", err_text(r));
	return r;
}

static int write_form(const struct translation *t, const struct cedar_policies *ps,
		      struct buf *out, struct cedar_errors *errors)
{
	int r;

	if (!to_json(t) && cedar_links_count(ps) > 0) {
		policy_plain_error(errors, "cannot be translated",
				   "a text has no form for the links of templates");
		return -EINVAL;
	}
	r = to_json(t) ? cedar_policies_to_json(ps, out) : cedar_policies_to_text(ps, out);
	if (r < 0)
		policy_plain_error(errors, "cannot be translated",
				   r == -EMSGSIZE ? "the result would be too large" : err_text(r));
	return r;
}

static int print_as_json(const struct translation *t, const struct cedar_policies *ps,
			 struct span made, const struct cedar_errors *errors)
{
	_cleanup_buf_ struct buf b = { .limit = 2 * MADE_MAX };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_member_str(&j, "file", t->path);
	json_out_member_int(&j, "policies", (int64_t)cedar_policies_count(ps));
	json_out_member_int(&j, "templates", (int64_t)cedar_templates_count(ps));
	policy_report_json(&j, errors);
	if (errors->n == 0 && to_json(t)) {
		json_out_key(&j, "json");
		json_out_raw(&j, made);
	} else if (errors->n == 0) {
		json_out_member_span(&j, "cedar", made);
	}
	json_out_object_end(&j);
	return policy_print_json(&b, json_out_end(&j));
}

static int translate(const struct translation *t)
{
	_cleanup_(cedar_policies_free_p) struct cedar_policies *ps = NULL;
	_cleanup_buf_ struct buf text = { 0 }, made = { .limit = MADE_MAX };
	struct cedar_errors errors = { 0 };
	int r = cedar_policies_new(&ps);

	if (r < 0) {
		fputs("tollgate: policy translate: no memory\n", stderr);
		return CLI_FAILED;
	}
	r = load(t, &text, ps, &errors);
	if (r == 0)
		r = write_form(t, ps, &made, &errors);
	if (t->json) {
		if (print_as_json(t, ps, buf_span(&made), &errors) != CLI_OK)
			return CLI_FAILED;
	} else if (r < 0) {
		policy_report_text(t->path, buf_span(&text), &errors);
	} else {
		fwrite(buf_span(&made).p, 1, buf_len(&made), stdout);
		if (to_json(t))
			putchar('\n');
	}
	return r < 0 ? CLI_FAILED : CLI_OK;
}

int policy_translate(struct cli *cli, int n, char **words)
{
	struct translation t = { .json = cli->json };

	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0) {
			t.json = true;
		} else if (strcmp(words[i], "--to") == 0 && i + 1 < n) {
			t.to = words[++i];
		} else if (words[i][0] == '-' && words[i][1]) {
			fprintf(stderr, "tollgate: policy translate: no such option: %s\n",
				words[i]);
			return policy_usage();
		} else if (t.path) {
			fputs("tollgate: policy translate: one file at a time\n", stderr);
			return policy_usage();
		} else {
			t.path = words[i];
		}
	}
	if (!t.path || !t.to || (strcmp(t.to, "json") != 0 && strcmp(t.to, "cedar") != 0))
		return policy_usage();
	return translate(&t);
}
