// SPDX-License-Identifier: Apache-2.0
/* tollgate policy sign: puts an author's signature into the manifest of a cMCP policy bundle. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/json_text.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/policy_bundle.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_key.h"
#include "user/cli/policy_report.h"

static int complain(const char *what)
{
	fprintf(stderr, "tollgate: policy sign: %s\n", what);
	return CLI_FAILED;
}

/* In the place of the old one; a link stays a link, and the file keeps who may read it. */
static int write_manifest(const struct policy_bundle *b, char *error)
{
	_cleanup_free_ char *text = json_dumps(b->manifest, JSON_INDENT(2)), *whole = NULL;
	_cleanup_free_ char *real = realpath(b->manifest_path, NULL);
	struct stat st;
	int n = text ? asprintf(&whole, "%s\n", text) : -1, r;

	if (n < 0)
		r = -ENOMEM;
	else if (!real || stat(real, &st) < 0)
		r = -errno;
	else
		r = file_replace(real, whole, (size_t)n, st.st_mode & 07777);
	if (n < 0)
		whole = NULL;
	if (r < 0)
		(void)snprintf(error, POLICY_BUNDLE_ERROR_MAX, "%s: %s", b->manifest_path, err_text(r));
	return r;
}

static int sign(const struct policy_bundle *b, const char *key, struct buf *signature, char *error)
{
	_cleanup_buf_ struct buf message = { 0 };
	int r = policy_bundle_signed_text(b, &message);

	if (r == 0)
		r = policy_key_sign(key, buf_span(&message), signature, error);
	if (r == 0 && json_object_set_new(b->manifest, "signature",
					  json_stringn(buf_span(signature).p, buf_len(signature))) < 0)
		r = -ENOMEM;
	if (r < 0) {
		if (!*error)
			(void)snprintf(error, POLICY_BUNDLE_ERROR_MAX, "%s: %s", b->manifest_path, err_text(r));
		return r;
	}
	return write_manifest(b, error);
}

static int print_signed(bool json, const struct policy_bundle *b, const struct buf *signature)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct json_out j;

	if (!json) {
		printf("%s: signed %s\n", b->manifest_path, b->hash);
		return CLI_OK;
	}
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_member_str(&j, "file", b->manifest_path);
	json_out_member_str(&j, "hash", b->hash);
	json_out_member_span(&j, "signature", buf_span(signature));
	json_out_object_end(&j);
	return policy_print_json(&out, json_out_end(&j));
}

int policy_sign(struct cli *cli, int n, char **words)
{
	_cleanup_policy_bundle_ struct policy_bundle b = { 0 };
	_cleanup_buf_ struct buf signature = { 0 };
	char error[POLICY_BUNDLE_ERROR_MAX] = "";
	const char *dir = NULL, *key = NULL;
	bool json = cli->json;

	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0)
			json = true;
		else if (strcmp(words[i], "--bundle") == 0 && i + 1 < n)
			dir = words[++i];
		else if (strcmp(words[i], "--key") == 0 && i + 1 < n)
			key = words[++i];
		else
			return policy_usage();
	}
	if (!dir || !key)
		return policy_usage();
	if (policy_bundle_load(dir, &b, error) < 0 || sign(&b, key, &signature, error) < 0)
		return complain(error);
	return print_signed(json, &b, &signature);
}
