// SPDX-License-Identifier: Apache-2.0
/*
 * The agent_identity of claims, out of an agent manifest that its issuer signed. Runs in the supervisor when
 * configuration is read.
 */
#include "attest/identity_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attest/agent_manifest.h"
#include "attest/json_text.h"
#include "attest/shape.h"

static int judge(struct span manifest, const uint8_t key[ED25519_KEY_SIZE], int64_t at, const char **ret_why)
{
	struct manifest_key trusted = { .name = SPAN("") };
	const struct manifest_expect expect = { .keys = &trusted, .n_keys = 1 };
	const struct attest_finding *signature;
	struct attest_result res;
	int r;

	memcpy(trusted.key, key, sizeof(trusted.key));
	attest_result_init(&res, "manifest", at);
	r = agent_manifest_verify(manifest, &expect, &res);
	signature = attest_finding(&res, "manifest.signature");
	if (r == 0 && (!signature || signature->verdict != ATTEST_PASS)) {
		*ret_why = "it is not signed with the key that the configuration names";
		r = -EINVAL;
	} else if (r == 0 && attest_appraise(&res, NULL) == ATTEST_REJECTED) {
		*ret_why = "something in it is false; tollgate verify says what";
		r = -EINVAL;
	}
	attest_result_done(&res);
	return r;
}

/* Only what stands in a record as it is: an escaped name would not be the manifest's. */
static bool take(const json_t *document, const char *path, char *ret, size_t size)
{
	const char *s = json_string_value(json_path(document, path));

	if (!s || !*s || strlen(s) >= size)
		return false;
	for (const char *p = s; *p; p++)
		if (*p < 0x21 || *p > 0x7e || strchr("\"\\%", *p))
			return false;
	strcpy(ret, s);
	return true;
}

int manifest_identity_read(struct span manifest, const uint8_t key[ED25519_KEY_SIZE], int64_t at,
			   struct manifest_identity *ret, const char **ret_why)
{
	struct manifest_identity id;
	uint8_t digest[SHA256_SIZE];
	const char *code = "";
	json_t *document;
	bool good;
	int r = judge(manifest, key, at, ret_why);

	if (r == 0)
		r = agent_manifest_read(manifest, &document, &code);
	if (r < 0)
		return r;
	good = take(document, "manifest_id", id.manifest_id, sizeof(id.manifest_id)) &&
	       take(document, "agent_id", id.agent_id, sizeof(id.agent_id)) && shape_is_spiffe(id.agent_id) &&
	       take(document, "issuer", id.issuer, sizeof(id.issuer)) && shape_is_spiffe(id.issuer) &&
	       take(document, "artifacts.policy_bundle.hash", id.policy_hash, sizeof(id.policy_hash)) &&
	       take(document, "artifacts.tool_manifest.catalog_hash", id.catalog_hash, sizeof(id.catalog_hash));
	json_decref(document);
	if (!good) {
		*ret_why = "a claim cannot carry its names: they must be SPIFFE ids and SHA-256, in plain ASCII";
		return -EINVAL;
	}
	sha256(key, ED25519_KEY_SIZE, digest);
	hex_encode(digest, sizeof(digest), id.issuer_key_id);
	*ret = id;
	return 0;
}
