// SPDX-License-Identifier: Apache-2.0
/* tollgate policy schema: the schema that a catalog gives policies. */
#include "user/cli/policy_catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/cedar_schema.h"
#include "policy/mcp_schema.h"
#include "user/base/log.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_report.h"
#include "user/mcp/catalog.h"
#include "user/mcp/catalog_model.h"

int policy_catalog_load(const char *path, struct cedar_errors *errors, struct catalog_model **ret)
{
	char why[CATALOG_ERROR_MAX] = "";
	struct catalog *c = NULL;
	int r = catalog_load(path, NULL, &c, why);

	if (r == 0)
		r = catalog_model_new(c, ret);
	catalog_free(c);
	if (r == 0)
		return 0;
	policy_plain_error(errors, "cannot be used", *why ? why : err_text(r));
	return -EINVAL;
}

int policy_catalog_schema(const char *path, struct cedar_errors *errors, struct buf *out)
{
	_cleanup_(catalog_model_free_p) struct catalog_model *m = NULL;
	struct mcp_model_input in = { 0 };
	_cleanup_buf_ struct buf why = { 0 };
	int r = policy_catalog_load(path, errors, &m);

	if (r < 0)
		return r;
	catalog_model_fill(m, &in);
	r = mcp_schema_write(&in, &why, out);
	if (r == 0)
		return 0;
	policy_plain_error(errors, "has no schema", buf_len(&why) ? buf_cstr(&why) : err_text(r));
	return -EINVAL;
}

/* The text as it was made keeps its comments, so only the other syntax is written anew. */
static int print_json_schema(const char *path, struct span text)
{
	_cleanup_(cedar_schema_free_p) struct cedar_schema *s = NULL;
	_cleanup_buf_ struct buf out = { 0 };
	struct cedar_errors errors = { 0 };
	struct cedar_error error = { 0 };
	int r = cedar_schema_new(text, CEDAR_SCHEMA_CEDAR, &errors, &s);

	if (r == 0)
		r = cedar_schema_write(s, CEDAR_SCHEMA_JSON, &error, &out);
	else
		error = errors.e[0];
	if (r < 0) {
		fprintf(stderr, "tollgate: policy schema: %s: %s\n", path,
			*error.message ? error.message : err_text(r));
		return CLI_FAILED;
	}
	return policy_print_json(&out, 0);
}

int policy_schema(struct cli *cli, int n, char **words)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct cedar_errors errors = { 0 };

	if (n != 2 || strcmp(words[0], "--catalog") != 0)
		return policy_usage();
	if (policy_catalog_schema(words[1], &errors, &text) < 0) {
		policy_report_text(words[1], SPAN(""), &errors);
		return CLI_FAILED;
	}
	if (cli->json)
		return print_json_schema(words[1], buf_span(&text));
	(void)fwrite(buf_span(&text).p, 1, buf_len(&text), stdout);
	return CLI_OK;
}
