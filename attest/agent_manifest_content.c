// SPDX-License-Identifier: Apache-2.0
/*
 * What a manifest binds, against what is there: artifacts by hash, the catalog by its tree, approvals and
 * delegations by their terms. An artifact that has nothing to be compared with is never passed over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attest/agent_manifest_internal.h"
#include "attest/json_text.h"

#define TOOLS_MAX 4096 /* of one catalog; a mebibyte of JSON has no more */
#define HOPS_MAX 16 /* of one delegation chain; published ones have three */
#define LEAF 0x00 /* RFC 9162 section 2.1.1 */
#define NODE 0x01

static int64_t int_at(const json_t *v, const char *path)
{
	return json_integer_value(json_path(v, path));
}

/* --- the catalog's tree --------------------------------------------------------------------------- */

static int by_tool_id(const void *a, const void *b)
{
	return strcmp(manifest_text(*(const json_t *const *)a, "tool_id"),
		      manifest_text(*(const json_t *const *)b, "tool_id"));
}

static int put_digest(const json_t *tool, const char *member, struct buf *out)
{
	struct span text = json_member_text(tool, member);
	uint8_t digest[SHA256_SIZE];

	if (text.n != SHA256_PREFIXED_SIZE - 1 || memcmp(text.p, "sha256:", 7) != 0 ||
	    hex_decode(text.p + 7, text.n - 7, digest, sizeof(digest)) < 0)
		return -EINVAL;
	return buf_append(out, digest, sizeof(digest));
}

static int hash_tool(const json_t *tool, uint8_t ret[SHA256_SIZE])
{
	struct span id = json_member_text(tool, "tool_id");
	_cleanup_buf_ struct buf b = { 0 };
	int r = id.n ? buf_append(&b, (const uint8_t[]){ LEAF }, 1) : -EINVAL;

	if (r == 0)
		r = buf_append(&b, id.p, id.n);
	if (r == 0)
		r = buf_append(&b, "", 1);
	if (r == 0)
		r = put_digest(tool, "schema_hash", &b);
	if (r == 0)
		r = put_digest(tool, "description_hash", &b);
	if (r == 0)
		sha256(buf_span(&b).p, buf_len(&b), ret);
	return r;
}

/* RFC 9162 splits at the largest power of two below n: the same as pairing, level by level, with an odd
 * last one moving up as it is. */
static void fold(uint8_t (*hash)[SHA256_SIZE], size_t n)
{
	while (n > 1) {
		for (size_t i = 0; i + 1 < n; i += 2) {
			uint8_t node[1 + 2 * SHA256_SIZE] = { NODE };

			memcpy(node + 1, hash[i], SHA256_SIZE);
			memcpy(node + 1 + SHA256_SIZE, hash[i + 1], SHA256_SIZE);
			sha256(node, sizeof(node), hash[i / 2]);
		}
		if (n % 2)
			memmove(hash[n / 2], hash[n - 1], SHA256_SIZE);
		n = (n + 1) / 2;
	}
}

int agent_manifest_catalog_root(const json_t *tools, uint8_t ret[SHA256_SIZE])
{
	size_t n = json_array_size(tools);
	_cleanup_free_ const json_t **sorted = calloc(n + 1, sizeof(*sorted));
	_cleanup_free_ uint8_t(*hash)[SHA256_SIZE] = calloc(n + 1, sizeof(*hash));

	if (!sorted || !hash)
		return -ENOMEM;
	if (n > TOOLS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		sorted[i] = json_array_get(tools, i);
	qsort(sorted, n, sizeof(*sorted), by_tool_id);
	for (size_t i = 0; i < n; i++) {
		bool twice = i && by_tool_id(&sorted[i - 1], &sorted[i]) == 0;
		int r = twice ? -EINVAL : hash_tool(sorted[i], hash[i]);

		if (r < 0)
			return r;
	}
	if (n == 0)
		sha256("", 0, hash[0]);
	fold(hash, n);
	memcpy(ret, hash[0], SHA256_SIZE);
	return 0;
}

static int check_catalog(const json_t *document, struct attest_result *res)
{
	const json_t *tools = json_path(document, "artifacts.tool_manifest.tools");
	char text[SHA256_PREFIXED_SIZE] = "no tree";
	uint8_t root[SHA256_SIZE];
	int r;

	if (!tools) {
		if (json_path(document, "artifacts.tool_manifest"))
			attest_skipped(res, "manifest.catalog", "tools-not-listed",
				       "the manifest lists no tools");
		return 0;
	}
	r = agent_manifest_catalog_root(tools, root);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		sha256_prefixed(root, text);
	attest_check(res, strcmp(text, manifest_text(document, "artifacts.tool_manifest.catalog_hash")) == 0,
		     "manifest.catalog", "catalog-is-root", "the tools that it lists make %s", text);
	return 0;
}

/* --- artifacts ------------------------------------------------------------------------------------- */

static const struct artifact {
	const char *name, *hash;
	size_t want; /* in struct manifest_expect */
} artifacts[] = {
	{ "system_prompt", "hash", offsetof(struct manifest_expect, system_prompt) },
	{ "policy_bundle", "hash", offsetof(struct manifest_expect, policy_bundle) },
	{ "tool_manifest", "catalog_hash", offsetof(struct manifest_expect, tool_catalog) },
	{ "model_identity", "version", offsetof(struct manifest_expect, model_version) },
	{ "rag_corpus", "merkle_root", offsetof(struct manifest_expect, rag_corpus) },
	{ "memory_baseline", "snapshot_hash", offsetof(struct manifest_expect, memory) },
	{ "decision_trace", "audit_chain_root", offsetof(struct manifest_expect, audit_chain) },
};

static void check_artifact(const struct artifact *a, const json_t *bound, struct span want,
			   struct attest_result *res)
{
	struct span hash = json_member_text(bound, a->hash);
	char field[ATTEST_FIELD_SIZE];

	snprintf(field, sizeof(field), "manifest.%s", a->name);
	if (want.n)
		attest_check(res, hash.n && span_eq(want, hash), field, "artifact-matches", "%s is %.110s",
			     a->hash, hash.n ? hash.p : "not bound");
	else if (bound)
		attest_unchecked(res, field, "artifact-not-compared", "nothing to compare with; %s is %.110s",
				 a->hash, hash.n ? hash.p : "not given");
}

static void check_artifacts(const json_t *document, const struct manifest_expect *expect,
			    struct attest_result *res)
{
	const json_t *bound = json_object_get(document, "artifacts");
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(artifacts); i++) {
		const json_t *one = json_object_get(bound, artifacts[i].name);
		const struct span *want = (const void *)((const char *)expect + artifacts[i].want);

		check_artifact(&artifacts[i], one, *want, res);
		known += one != NULL;
	}
	if (json_object_size(bound) > known)
		attest_unchecked(res, "manifest.artifacts", "artifact-unknown",
				 "%zu artifacts are of kinds that are not compared here",
				 json_object_size(bound) - known);
}

static void check_terms(const json_t *document, struct attest_result *res)
{
	const char *scan = manifest_text(document, "artifacts.rag_corpus.poisoning_scan.result");
	const json_t *memory = json_path(document, "artifacts.memory_baseline");

	if (*scan)
		attest_check(res, strcmp(scan, "clean") == 0, "manifest.rag_corpus", "corpus-clean",
			     "the poisoning scan says %.40s", scan);
	if (json_object_get(memory, "ttl_seconds") &&
	    res->at - manifest_time(memory, "approved_at") > int_at(memory, "ttl_seconds"))
		attest_unmet(res, "manifest.memory_baseline", "memory-expired",
			     "the baseline's approval has run out");
}

/* --- approvals --------------------------------------------------------------------------------------- */

static bool is_live(const json_t *approval, int64_t at)
{
	int64_t from = manifest_time(approval, "approved_at");
	int64_t seconds = int_at(approval, "approved_scope.approval_duration_seconds");

	return from - at <= MANIFEST_SKEW_SECONDS && at - from <= seconds;
}

static void check_approvals(const struct manifest *m, const struct manifest_expect *expect,
			    struct attest_result *res)
{
	const json_t *record = json_object_get(m->document, "hitl_record"),
		     *approvals = json_object_get(record, "approvals");
	bool needed = expect->approval || json_is_true(json_object_get(record, "required"));
	size_t n = json_array_size(approvals), live = 0;

	if (!needed && n == 0)
		return;
	/* In COSE they are outside the protected header, where nothing is read. */
	if (m->is_cose && n == 0 && record) {
		attest_unchecked(res, "manifest.hitl_record", "approvals-not-read",
				 "approvals in COSE are not read");
		return;
	}
	for (size_t i = 0; i < n; i++)
		live += is_live(json_array_get(approvals, i), res->at);
	if (attest_check(res, live > 0, "manifest.hitl_record", "approved",
			 "%zu of %zu approvals are in force", live, n))
		attest_unchecked(res, "manifest.hitl_record", "approval-not-verified",
				 "nothing that is read here proves who approved");
}

/* --- delegation -------------------------------------------------------------------------------------- */

static const uint8_t *principal_key(const struct manifest_expect *expect, struct span name)
{
	for (size_t i = 0; i < expect->n_principals; i++)
		if (span_eq(expect->principals[i].name, name))
			return expect->principals[i].key;
	return NULL;
}

/* Signed is the hop without its signature and with the manifest's id, so it is worth nothing elsewhere. */
static int verify_hop(const json_t *document, const json_t *hop, const uint8_t *key, bool *ret)
{
	_cleanup_json_ json_t *part = json_copy((json_t *)(uintptr_t)hop);
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (!part || json_object_set(part, "manifest_id", json_object_get(document, "manifest_id")) < 0)
		return -ENOMEM;
	r = json_canonical(part, JSON_FORM_JCS, "delegation_signature", &b);
	if (r == -ENOMEM)
		return r;
	*ret = r == 0 && !json_object_get(hop, "manifest_id") &&
	       ed25519_verify_text(key, buf_span(&b), json_member_text(hop, "delegation_signature"));
	return 0;
}

static int check_hop(const json_t *document, const json_t *hop, size_t i,
		     const struct manifest_expect *expect, struct attest_result *res)
{
	struct span name = json_member_text(hop, "principal_id");
	const uint8_t *key = principal_key(expect, name);
	int64_t age = res->at - manifest_time(hop, "delegated_at");
	bool valid;
	int r;

	attest_check(res,
		     age >= -MANIFEST_SKEW_SECONDS && age <= int_at(hop, "scope_grant.ttl_seconds"),
		     "manifest.delegation_chain", "hop-in-force", "hop %zu was granted %.40s", i,
		     manifest_text(hop, "delegated_at"));
	if (!key) {
		attest_unchecked(res, "manifest.delegation_chain", "key-not-given",
				 "no key of %.120s is at hand", name.p);
		return 0;
	}
	r = verify_hop(document, hop, key, &valid);
	if (r == 0)
		attest_check(res, valid, "manifest.delegation_chain", "hop-signed", "hop %zu by %.120s", i,
			     name.p);
	return r;
}

static int check_delegation(const json_t *document, const struct manifest_expect *expect,
			    struct attest_result *res)
{
	const json_t *chain = json_object_get(document, "delegation_chain"),
		     *first = json_array_get(chain, 0);
	struct span root = json_member_text(first, "principal_id");
	size_t n = json_array_size(chain);
	bool counted = n <= HOPS_MAX;
	int r = 0;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		counted = counted && int_at(json_array_get(chain, i), "hop") == (int64_t)i;
	if (!attest_check(res, counted, "manifest.delegation_chain", "hops-counted",
			  "%zu hops, at most %d, counted from 0", n, HOPS_MAX))
		return 0;
	attest_check(res, (int64_t)n <= int_at(first, "scope_grant.max_delegation_depth"),
		     "manifest.delegation_chain", "depth-granted", "%zu hops", n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_hop(document, json_array_get(chain, i), i, expect, res);
	/* Without the key nothing ties the chain to anybody, and it is open anyway. */
	if (r == 0 && principal_key(expect, root))
		attest_check(res, span_eq(root, json_member_text(document, "issuer")), "manifest.delegation_chain",
			     "chain-from-issuer", "the chain begins at %.120s", root.p);
	if (n > 1)
		attest_unchecked(res, "manifest.delegation_chain", "scopes-not-compared",
				 "whether each hop grants no more than it has is not compared");
	return r;
}

/* --- attestation --------------------------------------------------------------------------------------- */

/* The report binds the signed manifest, which is all but what came later. */
static int check_attestation(const struct manifest *m, const struct manifest_expect *expect,
			     struct attest_result *res)
{
	const json_t *attestation = json_object_get(m->document, "attestation");
	_cleanup_json_ json_t *bound = NULL;
	char text[SHA256_PREFIXED_SIZE] = "no hash";
	uint8_t digest[SHA256_SIZE];
	int r;

	if (!attestation || m->is_cose) {
		if (attestation || expect->attestation)
			attest_unchecked(res, "manifest.attestation", "attestation-not-given",
					 "no attestation that can be judged comes with the manifest");
		return 0;
	}
	bound = json_copy(m->document);
	if (!bound)
		return -ENOMEM;
	json_object_del(bound, "transparency_log_entry");
	r = json_canonical_sha256(bound, JSON_FORM_JCS, "attestation", digest);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		sha256_prefixed(digest, text);
	attest_check(res, strcmp(text, manifest_text(attestation, "manifest_hash_in_report")) == 0,
		     "manifest.attestation", "attestation-binds-manifest", "the manifest's hash is %s", text);
	attest_unchecked(res, "manifest.report", "report-not-given", "the report of %.40s is not at hand",
			 manifest_text(attestation, "platform"));
	return 0;
}

int manifest_check_content(const struct manifest *m, const struct manifest_expect *expect,
			   struct attest_result *res)
{
	int r = check_catalog(m->document, res);

	check_artifacts(m->document, expect, res);
	check_terms(m->document, res);
	check_approvals(m, expect, res);
	if (r == 0)
		r = check_delegation(m->document, expect, res);
	if (r == 0)
		r = check_attestation(m, expect, res);
	/* It may take back what the window grants. */
	if (json_object_get(m->document, "operational_lifecycle"))
		attest_unchecked(res, "manifest.lifecycle", "lifecycle-not-judged",
				 "operational_lifecycle is not understood here");
	if (json_object_get(m->document, "transparency_log_entry"))
		attest_skipped(res, "manifest.log", "entry-not-checked",
			       "its transparency log is not asked");
	return r;
}
