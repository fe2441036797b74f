// SPDX-License-Identifier: Apache-2.0
/*
 * A claim says which manifest the session's agent had. The manifest itself says whether that is so: its
 * own judgement is part of the claim's.
 */
#include <errno.h>

#include "attest/claim_internal.h"
#include "attest/json_text.h"

int claim_manifest_verify(const json_t *identity, const struct claim_expect *expect, struct attest_result *res)
{
	static const char *const names[] = { "manifest_id", "agent_id", "issuer" };
	struct manifest_expect know = expect->manifest_expect;
	_cleanup_json_ json_t *manifest = NULL;
	const char *code = "";
	int r;

	if (!expect->manifest.n) {
		attest_unchecked(res, "claim.identity", "manifest-not-given", "the agent manifest is not at hand");
		return 0;
	}
	r = agent_manifest_read(expect->manifest, &manifest, &code);
	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; manifest && i < sizeof(names) / sizeof(names[0]); i++)
		attest_check(res,
			     span_eq(json_member_text(manifest, names[i]), json_member_text(identity, names[i])),
			     "claim.identity", "manifest-named", "%s is %.120s", names[i],
			     json_member_text(identity, names[i]).p);
	know.subject = json_member_text(identity, "authenticated_subject");
	know.policy_bundle = json_member_text(identity, "policy_bundle_hash");
	know.tool_catalog = json_member_text(identity, "tool_catalog_hash");
	return agent_manifest_verify(expect->manifest, &know, res);
}
