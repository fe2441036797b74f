// SPDX-License-Identifier: Apache-2.0
/* tollgate policy hash: by what name records know a set of policies, and the hash of a cMCP bundle. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/json_text.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/policy_bundle.h"
#include "user/cli/policy_cmd.h"
#include "user/cli/policy_key.h"
#include "user/cli/policy_report.h"
#include "user/conf/conf.h"

#define POLICIES_MAX 4096

static int complain(const char *what)
{
	fprintf(stderr, "tollgate: policy hash: %s\n", what);
	return CLI_FAILED;
}

static int complain_of(const char *path, int r)
{
	fprintf(stderr, "tollgate: policy hash: %s: %s\n", path, err_text(r));
	return CLI_FAILED;
}

/* signature NULL: none was asked for. */
static int print_hash(bool json, const char *hash, const char *signature)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	if (!json) {
		printf("%s\n", hash);
		if (signature)
			printf("signature %s\n", signature);
		return CLI_OK;
	}
	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_member_str(&j, "hash", hash);
	if (signature)
		json_out_member_str(&j, "signature", signature);
	json_out_object_end(&j);
	return policy_print_json(&b, json_out_end(&j));
}

static int hash_files(bool json, size_t n, char *const *paths)
{
	_cleanup_free_ struct mcp_policy_text *texts = calloc(n, sizeof(*texts));
	_cleanup_free_ struct buf *contents = calloc(n, sizeof(*contents));
	char hash[SHA256_PREFIXED_SIZE];
	int status = CLI_OK, r = texts && contents ? 0 : -ENOMEM;
	size_t read = 0;

	for (; r == 0 && status == CLI_OK && read < n; read++) {
		int q = file_read(paths[read], CEDAR_TEXT_MAX, &contents[read]);

		if (q < 0)
			status = complain_of(paths[read], q);
		texts[read] = (struct mcp_policy_text){ paths[read], buf_span(&contents[read]) };
	}
	if (r == 0 && status == CLI_OK)
		r = mcp_texts_hash(texts, n, hash);
	if (r < 0)
		status = complain(err_text(r));
	else if (status == CLI_OK)
		status = print_hash(json, hash, NULL);
	for (size_t i = 0; i < read; i++)
		buf_done(&contents[i]);
	return status;
}

/* What the daemon would read now. */
static int hash_configured(const struct cli *cli, bool json)
{
	struct conf_error e = { 0 };
	struct conf conf = { 0 };
	char **files = NULL;
	unsigned n = 0;
	int r = conf_load(cli->config ? cli->config : CONF_PATH, &conf, &e), status;

	if (r == 0)
		r = conf_policy_files(&conf, &files, &n, &e);
	if (r < 0)
		status = complain(e.text);
	else if (n == 0)
		status = complain("the configuration has no policy files");
	else
		status = hash_files(json, n, files);
	conf_list_free(files, n);
	conf_free(&conf);
	return status;
}

static int hash_bundle(bool json, const char *dir, const char *verify_key)
{
	_cleanup_policy_bundle_ struct policy_bundle b;
	_cleanup_buf_ struct buf message = { 0 };
	char error[POLICY_BUNDLE_ERROR_MAX] = "";
	uint8_t key[ED25519_KEY_SIZE];

	if (policy_bundle_load(dir, &b, error) < 0)
		return complain(error);
	if (!verify_key)
		return print_hash(json, b.hash, NULL);
	if (policy_key_public(verify_key, key, error) < 0)
		return complain(error);
	if (policy_bundle_signed_text(&b, &message) < 0)
		return complain(err_text(-ENOMEM));
	if (!json_object_get(b.manifest, "signature")) {
		fprintf(stderr, "tollgate: policy hash: %s: is not signed\n", b.manifest_path);
		return CLI_FAILED;
	}
	if (!ed25519_verify_text(key, buf_span(&message), json_member_text(b.manifest, "signature"))) {
		fprintf(stderr,
			"tollgate: policy hash: %s: the signature is not by this key over %s: someone else signed, "
			"or the bundle was changed since\n",
			b.manifest_path, b.hash);
		return CLI_FAILED;
	}
	return print_hash(json, b.hash, "valid");
}

int policy_hash(struct cli *cli, int n, char **words)
{
	const char *dir = NULL, *key = NULL;
	bool json = cli->json;
	int files = 0;

	for (int i = 0; i < n; i++) {
		if (strcmp(words[i], "--json") == 0)
			json = true;
		else if (strcmp(words[i], "--bundle") == 0 && i + 1 < n)
			dir = words[++i];
		else if (strcmp(words[i], "--verify-key") == 0 && i + 1 < n)
			key = words[++i];
		else if (words[i][0] == '-')
			return policy_usage();
		else
			words[files++] = words[i];
	}
	if ((dir && files) || (key && !dir) || files > POLICIES_MAX)
		return policy_usage();
	if (dir)
		return hash_bundle(json, dir, key);
	return files ? hash_files(json, (size_t)files, words) : hash_configured(cli, json);
}
