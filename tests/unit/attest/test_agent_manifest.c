// SPDX-License-Identifier: Apache-2.0
#include "attest/agent_manifest.h"

#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "attest/claim_internal.h"
#include "attest/identity_make.h"
#include "tests/unit/attest/cose_maker.h"
#include "user/base/file.h"

#define NOW 1800000000 /* 2027-01-15T08:00:00Z */
#define ISSUER "spiffe://node.example/issuer"
#define AGENT "spiffe://node.example/agent"
#define ID "0190aaaa-0000-7000-8000-000000000001"
#define DIGEST(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define PROMPT DIGEST("a1")
#define POLICY DIGEST("b2")
/* A signature whose R is the neutral point and whose S is zero. */
#define NEUTRAL "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static json_t *manifest, *revoked;
static struct manifest_expect expect;
static struct manifest_key keys[2], principals[2];
static struct attest_result res;
static char kid[SHA256_HEX_SIZE];

static void sign(void)
{
	_cleanup_json_ json_t *part = json_deep_copy(manifest);
	_cleanup_buf_ struct buf b = { 0 };
	EVP_PKEY *key = signer_key(3);
	const char *name;
	json_t *v;
	void *next;

	json_object_foreach_safe (part, next, name, v)
		if (json_is_null(v) || strcmp(name, "signature") == 0 || strcmp(name, "attestation") == 0)
			json_object_del(part, name);
	if (json_object_get(part, "hitl_record"))
		json_object_set_new(json_object_get(part, "hitl_record"), "approvals", json_array());
	assert_int_equal(json_canonical(part, JSON_FORM_JCS, NULL, &b), 0);
	json_object_set_new(manifest, "signature", json_pack("{s:s, s:s}", "algorithm", "Ed25519", "key_id", kid));
	signer_sign(key, json_object_get(manifest, "signature"), "signature_value", buf_span(&b));
	EVP_PKEY_free(key);
}

static void set(const char *path, const char *member, json_t *v)
{
	json_t *o = *path ? (json_t *)(uintptr_t)json_path(manifest, path) : manifest;

	assert_non_null(o);
	json_object_set_new(o, member, v);
	sign();
}

static int make(void **state)
{
	EVP_PKEY *key = signer_key(3);
	uint8_t digest[SHA256_SIZE];
	char x[64];

	signer_public(key, keys[0].key, x);
	EVP_PKEY_free(key);
	sha256(keys[0].key, ED25519_KEY_SIZE, digest);
	hex_encode(digest, sizeof(digest), kid);
	keys[0].name = SPAN(ISSUER);
	principals[0] = keys[0];
	manifest = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:n, s:{s:{s:s}, s:{s:s, s:s}}}", "manifest_id", ID,
			     "agent_id", AGENT, "version", "0.1", "issuer", ISSUER, "crypto_profile", "standard",
			     "issued_at", "2027-01-15T00:00:00Z", "expires_at", "2027-02-15T00:00:00Z", "intent", "artifacts",
			     "system_prompt", "hash", PROMPT, "policy_bundle", "hash", POLICY, "version", "1.0.0 ü");
	revoked = json_pack("[{s:s}]", "manifest_id", "another");
	if (!manifest || !revoked)
		return -1;
	expect = (struct manifest_expect){ .keys = keys, .n_keys = 1, .principals = principals, .n_principals = 1,
					   .subject = SPAN(AGENT), .system_prompt = SPAN(PROMPT),
					   .policy_bundle = SPAN(POLICY), .revoked = revoked };
	sign();
	return 0;
}

static int unmake(void **state)
{
	attest_result_done(&res);
	json_decref(manifest);
	json_decref(revoked);
	return 0;
}

static enum attest_status judge_text(struct span text, int64_t at)
{
	attest_result_done(&res);
	attest_result_init(&res, "agent-manifest", at);
	assert_int_equal(agent_manifest_verify(text, &expect, &res), 0);
	return attest_appraise(&res, NULL);
}

static enum attest_status judge_json(const json_t *v, int64_t at)
{
	char *text = json_dumps(v, JSON_INDENT(1));
	enum attest_status s = judge_text(span_of(text), at);

	free(text);
	return s;
}

static void has(enum attest_verdict verdict, const char *code)
{
	for (unsigned i = 0; i < res.n_findings; i++)
		if (res.findings[i].verdict == verdict && strcmp(res.findings[i].code, code) == 0)
			return;
	fail_msg("no %s with %s", attest_verdict_text(verdict), code);
}

static void affirmed(void)
{
	enum attest_status s = judge_json(manifest, NOW);

	for (unsigned i = 0; s != ATTEST_AFFIRMING && i < res.n_findings; i++)
		if (res.findings[i].verdict != ATTEST_PASS)
			print_message("%s %s: %s\n", res.findings[i].field, res.findings[i].code, res.findings[i].reason);
	assert_int_equal(s, ATTEST_AFFIRMING);
}

static void rejected(const char *code)
{
	assert_int_equal(judge_json(manifest, NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, code);
}

static void incomplete(const char *code)
{
	assert_int_equal(judge_json(manifest, NOW), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, code);
}

/* --- envelope and signature -------------------------------------------------------------------------- */

static void sound_is_affirmed(void **state)
{
	affirmed();
	expect.keys = NULL;
	expect.n_keys = 0;
	incomplete("key-not-given");
}

static void signature(void **state)
{
	json_t *s;

	json_object_set_new(manifest, "agent_id", json_string(AGENT "2"));
	rejected("signature-valid");
	json_object_set_new(manifest, "agent_id", json_string(AGENT));
	affirmed();
	json_object_set_new(manifest, "log_retention", json_integer(1));
	rejected("signature-valid"); /* every field of the list is covered, those that were absent too */
	json_object_del(manifest, "log_retention");
	s = json_object_get(manifest, "signature");
	json_object_set_new(s, "signed_fields", json_pack("[s]", "manifest_id"));
	rejected("signed-fields-fixed");
	json_object_del(s, "signed_fields");
	json_object_set_new(s, "algorithm", json_string("none"));
	rejected("alg-supported");
	json_object_del(manifest, "signature");
	rejected("signature-missing");
	set("", "crypto_profile", json_string("post-quantum"));
	rejected("profile-met");
}

static void key_of_whom(void **state)
{
	keys[0].name = SPAN(AGENT);
	rejected("key-of-issuer");
	keys[1] = keys[0];
	keys[1].name = SPAN(ISSUER);
	expect.n_keys = 2;
	affirmed();
	expect.n_keys = 1;
	keys[0].name = (struct span){ 0 };
	affirmed();
	keys[0].key[0] ^= 1;
	rejected("key-trusted");
}

/* Anybody signs with a key of small order. */
static void small_key(void **state)
{
	uint8_t digest[SHA256_SIZE];
	json_t *s = json_object_get(manifest, "signature");

	memset(keys[0].key, 0, ED25519_KEY_SIZE);
	keys[0].key[0] = 1;
	sha256(keys[0].key, ED25519_KEY_SIZE, digest);
	hex_encode(digest, sizeof(digest), kid);
	json_object_set_new(s, "key_id", json_string(kid));
	json_object_set_new(s, "signature_value", json_string(NEUTRAL));
	rejected("key-sound");
}

static void documents(void **state)
{
	_cleanup_buf_ struct buf deep = { 0 };

	assert_int_equal(judge_text(SPAN(""), NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, "json-malformed");
	assert_int_equal(judge_text(SPAN("{\"version\":\"0.1\",\"version\":\"0.1\"}"), NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, "json-malformed");
	assert_int_equal(judge_text(SPAN("[]"), NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, "version-supported");
	assert_int_equal(judge_text(SPAN("{\"version\":\"0.1\"}"), NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, "manifest-malformed");
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(buf_append_str(&deep, "["), 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(buf_append_str(&deep, "]"), 0);
	assert_int_equal(judge_text(buf_span(&deep), NOW), ATTEST_REJECTED);
	has(ATTEST_FAIL, "json-too-deep");
	set("", "extra", json_true());
	rejected("manifest-malformed");
	json_object_del(manifest, "extra");
	set("", "issued_at", json_string("2027-01-15"));
	rejected("manifest-malformed");
	set("", "issued_at", json_string("2027-01-15T00:00:00Z"));
	set("", "version", json_string("0.3"));
	rejected("version-supported");
	set("", "version", json_string("0.2"));
	rejected("envelope-of-version");
	set("", "version", json_string("0.1"));
	set("", "min_verifier_version", json_string("1.0"));
	rejected("verifier-too-old");
}

static void who_and_when(void **state)
{
	expect.subject = SPAN("spiffe://node.example/other");
	rejected("subject-is-agent");
	expect.subject = (struct span){ 0 };
	incomplete("subject-not-given");
	expect.subject = SPAN(AGENT);
	set("", "issued_at", json_string("2027-01-15T08:05:01Z"));
	rejected("issued");
	set("", "issued_at", json_string("2027-01-15T08:05:00Z"));
	affirmed();
	set("", "expires_at", json_string("2027-01-15T08:00:00Z"));
	rejected("not-expired");
	set("", "expires_at", json_string("2027-01-15T08:05:00Z"));
	rejected("issued"); /* valid for no time at all */
	set("", "expires_at", json_string("9999-12-31T23:59:59Z"));
	affirmed();
	set("", "issued_at", json_string("2599-01-15T00:00:00Z"));
	rejected("issued");
	set("", "issued_at", json_string("2027-01-15T07:59:59Z"));
	set("", "expires_at", json_string("2027-01-15T08:00:01Z"));
	affirmed();
}

static void revocation(void **state)
{
	expect.revoked = NULL;
	incomplete("list-not-given");
	expect.revoked = revoked;
	json_array_append_new(revoked, json_pack("{s:s}", "manifest_id", ID));
	rejected("not-revoked");
	json_array_clear(revoked);
	affirmed();
	json_array_append_new(revoked, json_string("?"));
	rejected("list-readable");
}

/* --- content -------------------------------------------------------------------------------------------- */

static void artifacts(void **state)
{
	expect.policy_bundle = SPAN(PROMPT);
	rejected("artifact-matches");
	expect.policy_bundle = (struct span){ 0 };
	incomplete("artifact-not-compared");
	expect.policy_bundle = SPAN(POLICY);
	expect.audit_chain = SPAN(PROMPT);
	rejected("artifact-matches"); /* expected and not bound */
	expect.audit_chain = (struct span){ 0 };
	set("", "operational_lifecycle", json_object());
	incomplete("lifecycle-not-judged");
	json_object_del(manifest, "operational_lifecycle");
	set("artifacts", "supply_chain", json_object());
	incomplete("artifact-unknown");
	json_object_del(json_object_get(manifest, "artifacts"), "supply_chain");
	set("artifacts", "rag_corpus", json_pack("{s:s, s:{s:s}}", "merkle_root", PROMPT, "poisoning_scan", "result", "clean"));
	incomplete("artifact-not-compared");
	expect.rag_corpus = SPAN(PROMPT);
	affirmed();
	set("artifacts.rag_corpus.poisoning_scan", "result", json_string("flagged"));
	rejected("corpus-clean");
	json_object_del(json_object_get(manifest, "artifacts"), "rag_corpus");
	expect.rag_corpus = (struct span){ 0 };
	set("artifacts", "memory_baseline", json_pack("{s:s, s:s, s:i}", "snapshot_hash", PROMPT, "approved_at",
						      "2027-01-15T07:00:00Z", "ttl_seconds", 3600));
	expect.memory = SPAN(PROMPT);
	affirmed();
	set("artifacts.memory_baseline", "ttl_seconds", json_integer(3599));
	assert_int_equal(judge_json(manifest, NOW), ATTEST_INCOMPLETE);
	has(ATTEST_FAIL, "memory-expired");
}

static json_t *tool(const char *id, const char *schema)
{
	return json_pack("{s:s, s:s, s:s}", "tool_id", id, "schema_hash", schema, "description_hash", PROMPT);
}

static void node(const uint8_t *l, const uint8_t *r, uint8_t *ret)
{
	uint8_t b[65] = { 1 };

	memcpy(b + 1, l, 32);
	memcpy(b + 33, r, 32);
	sha256(b, sizeof(b), ret);
}

static void leaf(const char *id, uint8_t schema, uint8_t *ret)
{
	uint8_t b[200] = { 0 };
	size_t n = strlen(id);

	memcpy(b + 1, id, n);
	memset(b + n + 2, schema, 32);
	memset(b + n + 34, 0xa1, 32);
	sha256(b, n + 66, ret);
}

/* By hand from RFC 9162: of five leaves, the first four make the left side. */
static void catalog_tree(void **state)
{
	_cleanup_json_ json_t *tools = json_array();
	uint8_t l[5][32], root[32], want[32];
	char text[SHA256_PREFIXED_SIZE];

	assert_int_equal(agent_manifest_catalog_root(tools, root), 0);
	sha256("", 0, want);
	assert_memory_equal(root, want, 32);
	json_array_append_new(tools, tool("e", POLICY));
	json_array_append_new(tools, tool("b", POLICY));
	json_array_append_new(tools, tool("a", PROMPT));
	json_array_append_new(tools, tool("d", POLICY));
	json_array_append_new(tools, tool("c", POLICY));
	leaf("a", 0xa1, l[0]);
	leaf("b", 0xb2, l[1]);
	leaf("c", 0xb2, l[2]);
	leaf("d", 0xb2, l[3]);
	leaf("e", 0xb2, l[4]);
	node(l[0], l[1], l[0]);
	node(l[2], l[3], l[2]);
	node(l[0], l[2], l[0]);
	node(l[0], l[4], want);
	assert_int_equal(agent_manifest_catalog_root(tools, root), 0);
	assert_memory_equal(root, want, 32);
	sha256_prefixed(root, text);
	set("artifacts", "tool_manifest", json_pack("{s:s, s:O}", "catalog_hash", text, "tools", tools));
	incomplete("artifact-not-compared");
	expect.tool_catalog = span_of(text);
	affirmed();
	json_array_remove(tools, 0);
	sign();
	rejected("catalog-is-root"); /* a tool less than the root has */
	json_array_append_new(tools, tool("b", PROMPT));
	assert_int_equal(agent_manifest_catalog_root(tools, root), -EINVAL);
	json_array_clear(tools);
	json_array_append_new(tools, tool("b", "sha384:00"));
	assert_int_equal(agent_manifest_catalog_root(tools, root), -EINVAL);
}

static void approvals(void **state)
{
	json_t *list = json_pack("[{s:s, s:{s:i}}]", "approved_at", "2027-01-15T07:00:00Z", "approved_scope",
				 "approval_duration_seconds", 3600);

	expect.approval = true;
	rejected("approved"); /* no record at all */
	expect.approval = false;
	affirmed();
	set("", "hitl_record", json_pack("{s:b, s:[]}", "required", 1, "approvals"));
	rejected("approved");
	json_object_set_new(json_object_get(manifest, "hitl_record"), "approvals", list);
	incomplete("approval-not-verified"); /* added after the signature, which still holds */
	json_object_set_new(json_array_get(list, 0), "approved_at", json_string("2027-01-15T06:59:59Z"));
	rejected("approved");
	json_object_set_new(json_array_get(list, 0), "approved_at", json_string("2027-01-15T08:05:01Z"));
	rejected("approved");
	set("", "hitl_record", json_pack("{s:b}", "required", 0));
	affirmed();
}

static json_t *hop(int number, const char *from, const char *with_id)
{
	json_t *h = json_pack("{s:i, s:s, s:s, s:{s:i, s:i}}", "hop", number, "principal_id", from, "delegated_at",
			      "2027-01-15T07:00:00Z", "scope_grant", "max_delegation_depth", 2, "ttl_seconds", 3600);
	_cleanup_buf_ struct buf b = { 0 };
	EVP_PKEY *key = signer_key(3);

	json_object_set_new(h, "manifest_id", json_string(with_id));
	assert_int_equal(json_canonical(h, JSON_FORM_JCS, NULL, &b), 0);
	json_object_del(h, "manifest_id");
	signer_sign(key, h, "delegation_signature", buf_span(&b));
	EVP_PKEY_free(key);
	return h;
}

static void delegation(void **state)
{
	set("", "delegation_chain", json_pack("[o]", hop(0, ISSUER, ID)));
	affirmed();
	expect.n_principals = 0;
	incomplete("key-not-given");
	expect.n_principals = 1;
	set("", "delegation_chain", json_pack("[o]", hop(0, ISSUER, "another")));
	rejected("hop-signed");
	set("", "delegation_chain", json_pack("[o]", hop(1, ISSUER, ID)));
	rejected("hops-counted");
	set("", "delegation_chain", json_pack("[oo]", hop(0, ISSUER, ID), hop(1, ISSUER, ID)));
	incomplete("scopes-not-compared");
	set("", "delegation_chain", json_pack("[ooo]", hop(0, ISSUER, ID), hop(1, ISSUER, ID), hop(2, ISSUER, ID)));
	rejected("depth-granted");
	principals[0].name = SPAN(AGENT);
	set("", "delegation_chain", json_pack("[o]", hop(0, AGENT, ID)));
	rejected("chain-from-issuer");
	principals[0].name = SPAN(ISSUER);
	set("", "delegation_chain", json_pack("[o]", hop(0, ISSUER, ID)));
	assert_int_equal(judge_json(manifest, NOW + 1), ATTEST_REJECTED);
	has(ATTEST_FAIL, "hop-in-force");
	assert_int_equal(judge_json(manifest, NOW - 3600 - MANIFEST_SKEW_SECONDS), ATTEST_AFFIRMING);
	assert_int_equal(judge_json(manifest, NOW - 3601 - MANIFEST_SKEW_SECONDS), ATTEST_REJECTED);
	has(ATTEST_FAIL, "hop-in-force");
}

static void hostile_delegation(void **state)
{
	json_t *chain = json_array(), *one = hop(0, ISSUER, ID);

	json_object_set_new(one, "manifest_id", json_string("another"));
	set("", "delegation_chain", json_pack("[o]", one));
	rejected("hop-signed"); /* the id of two manifests in one hop */
	for (int i = 0; i < 17; i++) {
		json_t *h = hop(i, ISSUER, ID);

		json_object_set_new(json_object_get(h, "scope_grant"), "max_delegation_depth", json_integer(99));
		json_array_append_new(chain, h);
	}
	set("", "delegation_chain", chain);
	rejected("hops-counted");
	one = hop(0, ISSUER, ID);
	json_object_set_new(one, "delegation_signature", json_string(NEUTRAL));
	set("", "delegation_chain", json_pack("[o]", one));
	memset(principals[0].key, 0, ED25519_KEY_SIZE);
	principals[0].key[0] = 1;
	rejected("hop-signed"); /* what anybody can make for a key of small order */
}

static void attestation(void **state)
{
	char text[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];

	expect.attestation = true;
	incomplete("attestation-not-given");
	json_object_del(manifest, "intent"); /* which is null, and so not in the form */
	assert_int_equal(json_canonical_sha256(manifest, JSON_FORM_JCS, NULL, digest), 0);
	sha256_prefixed(digest, text);
	json_object_set_new(manifest, "attestation",
			    json_pack("{s:s, s:s}", "platform", "tpm", "manifest_hash_in_report", text));
	incomplete("report-not-given");
	has(ATTEST_PASS, "attestation-binds-manifest");
	json_object_set_new(manifest, "transparency_log_entry", json_object());
	incomplete("report-not-given");
	has(ATTEST_NOT_CHECKED, "entry-not-checked");
	has(ATTEST_PASS, "attestation-binds-manifest"); /* it came later */
	json_object_del(manifest, "transparency_log_entry");
	set("artifacts.policy_bundle", "version", json_string("2"));
	rejected("attestation-binds-manifest");
}

/* --- COSE --------------------------------------------------------------------------------------------------- */

static struct cose_maker maker;

static enum attest_status judge_cose(void)
{
	_cleanup_buf_ struct buf payload = { 0 }, object = { 0 };
	uint8_t raw[SHA256_SIZE];
	EVP_PKEY *key = signer_key(3);

	sha256(keys[0].key, ED25519_KEY_SIZE, raw);
	assert_int_equal(json_canonical(manifest, JSON_FORM_JCS, NULL, &payload), 0);
	maker.kid = maker.kid.p ? maker.kid : (struct span){ (const char *)raw, sizeof(raw) };
	maker.payload = buf_span(&payload);
	cose_make(&object, key, &maker);
	maker.kid = (struct span){ 0 };
	EVP_PKEY_free(key);
	assert_true(agent_manifest_is_cose(buf_span(&object)));
	return judge_text(buf_span(&object), NOW);
}

static int identity(struct manifest_identity *id, const uint8_t *key, int64_t at)
{
	char *text = json_dumps(manifest, 0);
	const char *why = NULL;
	int r = manifest_identity_read(span_of(text), key, at, id, &why);

	assert_true(r == 0 || (r == -EINVAL && why && *why));
	free(text);
	return r;
}

static void gives_the_identity_of_claims(void **state)
{
	static const uint8_t other[ED25519_KEY_SIZE] = { 5 };
	struct manifest_identity id;

	assert_int_equal(identity(&id, keys[0].key, NOW), -EINVAL); /* it binds no catalog */
	json_object_set_new((json_t *)(uintptr_t)json_path(manifest, "artifacts"), "tool_manifest",
			    json_pack("{s:s}", "catalog_hash", PROMPT));
	sign();
	assert_int_equal(identity(&id, keys[0].key, NOW), 0);
	assert_string_equal(id.manifest_id, ID);
	assert_string_equal(id.agent_id, AGENT);
	assert_string_equal(id.issuer, ISSUER);
	assert_string_equal(id.issuer_key_id, kid);
	assert_string_equal(id.policy_hash, POLICY);
	assert_string_equal(id.catalog_hash, PROMPT);
	assert_int_equal(identity(&id, other, NOW), -EINVAL); /* somebody else's key */
	assert_int_equal(identity(&id, keys[0].key, NOW + 86400 * 60), -EINVAL); /* it has expired */
	set("", "agent_id", json_string(AGENT "%20"));
	assert_int_equal(identity(&id, keys[0].key, NOW), -EINVAL);
	set("", "agent_id", json_string("did:example:1"));
	assert_int_equal(identity(&id, keys[0].key, NOW), -EINVAL);
	set("", "agent_id", json_string(AGENT));
	json_object_set_new(manifest, "manifest_id", json_string("0190aaaa-0000-7000-8000-000000000002"));
	assert_int_equal(identity(&id, keys[0].key, NOW), -EINVAL); /* changed after it was signed */
}

static void in_cose(void **state)
{
	maker = (struct cose_maker){ .tag = COSE_TAG_SIGN1, .alg = COSE_ALG_ED25519,
				     .type = SPAN("application/agent-manifest+cose"),
				     .content_type = SPAN("application/agent-manifest+json") };
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "envelope-of-version");
	set("", "version", json_string("0.2"));
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "one-signature");
	json_object_del(manifest, "signature");
	assert_int_equal(judge_cose(), ATTEST_AFFIRMING);
	keys[0].name = SPAN(AGENT);
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "key-of-issuer");
	keys[0].name = SPAN(ISSUER);
	maker.kid = SPAN("short");
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "kid-malformed");
	maker.type = SPAN("application/vnd.agent-manifest+cose");
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "typ-of-manifest");
	maker.type = SPAN("application/agent-manifest+cose");
	maker.content_type = SPAN("application/json");
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "content-type-of-manifest");
	maker.content_type = SPAN("application/agent-manifest+json");
	maker.alg = -7;
	assert_int_equal(judge_cose(), ATTEST_REJECTED);
	has(ATTEST_FAIL, "alg-unsupported");
	maker.alg = -49;
	assert_int_equal(judge_cose(), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "alg-not-available");
	maker.alg = COSE_ALG_EDDSA;
	json_object_set_new(manifest, "hitl_record", json_pack("{s:b}", "required", 1));
	assert_int_equal(judge_cose(), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "approvals-not-read");
	json_object_del(manifest, "hitl_record");
	json_object_set_new(manifest, "attestation",
			    json_pack("{s:s, s:s}", "platform", "tpm", "manifest_hash_in_report", PROMPT));
	assert_int_equal(judge_cose(), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "attestation-not-given");
}

/* --- beside a claim ----------------------------------------------------------------------------------------------- */

static void judge_identity(const json_t *identity, const struct claim_expect *known)
{
	attest_result_done(&res);
	attest_result_init(&res, "gateway-claim", NOW);
	assert_int_equal(claim_manifest_verify(identity, known, &res), 0);
}

static void beside_a_claim(void **state)
{
	static const char *const members[] = { "manifest_id", "agent_id", "issuer", "authenticated_subject",
					       "policy_bundle_hash", "tool_catalog_hash" };
	_cleanup_json_ json_t *identity = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "manifest_id", ID, "agent_id", AGENT,
						    "authenticated_subject", AGENT, "issuer", ISSUER,
						    "policy_bundle_hash", POLICY, "tool_catalog_hash", PROMPT);
	struct claim_expect known = { 0 };
	char *text;

	judge_identity(identity, &known);
	has(ATTEST_NOT_CHECKED, "manifest-not-given");
	set("artifacts", "tool_manifest", json_pack("{s:s}", "catalog_hash", PROMPT));
	text = json_dumps(manifest, 0);
	known.manifest = span_of(text);
	known.manifest_expect = expect;
	known.manifest_expect.subject = known.manifest_expect.policy_bundle = (struct span){ 0 };
	judge_identity(identity, &known);
	assert_int_equal(attest_appraise(&res, NULL), ATTEST_AFFIRMING);
	assert_int_equal(claim_kind(manifest), CLAIM_MANIFEST);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		json_t *was = json_incref(json_object_get(identity, members[i]));

		json_object_set_new(identity, members[i], json_string(POLICY "x"));
		judge_identity(identity, &known);
		if (attest_appraise(&res, NULL) != ATTEST_REJECTED)
			fail_msg("another %s is not seen", members[i]);
		json_object_set_new(identity, members[i], was);
	}
	known.manifest = SPAN("{");
	judge_identity(identity, &known);
	assert_int_equal(attest_appraise(&res, NULL), ATTEST_REJECTED);
	free(text);
}

/* --- vectors -------------------------------------------------------------------------------------------------- */

#define VECTORS_AT 1735691400 /* half an hour after the vectors' issued_at; their one hour of delegation lasts */

/* The suite calls these valid. Here an approval that nothing authenticates, a memory past its time and a
 * report that is not at hand keep a manifest from being affirmed. */
static const struct {
	const char *id, *field;
} stricter[] = {
	{ "AM-VEC-009", "manifest.hitl_record" },
	{ "AM-VEC-013", "manifest.memory_baseline" },
	{ "AM-VEC-018", "manifest.report" },
};

static const char *vectors(void)
{
	const char *dir = getenv("TOLLGATE_VECTORS");

	return dir ? dir : "../shared/vectors";
}

static json_t *load(const char *path)
{
	_cleanup_buf_ struct buf b = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;

	assert_int_equal(file_read(path, JSON_TEXT_MAX, &b), 0);
	assert_int_equal(json_text_read(buf_span(&b), &v, error), 0);
	return v;
}

static size_t take_keys(const json_t *map, const json_t *issuers, struct manifest_key ret[2])
{
	const char *name;
	json_t *v;
	size_t n = 0;

	json_object_foreach ((json_t *)(uintptr_t)map, name, v) {
		const json_t *whose = json_object_get(issuers, name);

		assert_true(n < 2 && json_array_size(whose) <= 1);
		assert_int_equal(base64url_decode(span_of(json_string_value(v)), ret[n].key, ED25519_KEY_SIZE), 0);
		ret[n].name = issuers ? span_of(json_string_value(json_array_get(whose, 0))) : (struct span){ 0 };
		n++;
	}
	return n;
}

/* What the suite's context knows; the subject and the list it tells otherwise. */
static void take_context(const json_t *v)
{
	const json_t *c = json_object_get(v, "context");
	const char *name;
	json_t *value;

	expect = (struct manifest_expect){ .keys = keys, .principals = principals, .revoked = revoked,
					   .subject = SPAN("spiffe://trust.example/agent/kyc/prod") };
	expect.n_keys = take_keys(json_object_get(c, "trusted_keys"), json_object_get(c, "trusted_key_issuers"), keys);
	expect.n_principals = take_keys(json_object_get(c, "delegation_public_keys"), NULL, principals);
	json_object_foreach (json_object_get(c, "delegation_public_keys"), name, value)
		principals[0].name = span_of(name);
	expect.system_prompt = json_member_text(c, "system_prompt_hash");
	expect.policy_bundle = json_member_text(c, "policy_bundle_hash");
	expect.model_version = json_member_text(c, "model_version");
	expect.memory = json_member_text(c, "memory_snapshot_hash");
	expect.audit_chain = json_member_text(c, "audit_chain_root");
	expect.rag_corpus = json_member_text(c, "rag_corpus_merkle_root");
	expect.approval = json_is_true(json_object_get(c, "enforce_hitl"));
	expect.attestation = json_is_true(json_object_get(c, "enforce_attestation"));
	json_array_clear(revoked);
	if (json_is_true(json_object_get(v, "revoke")))
		json_array_append_new(revoked, json_pack("{s:O}", "manifest_id",
							 json_path(v, "manifest.manifest_id")));
}

static const char *stricter_field(struct span id)
{
	for (size_t i = 0; i < ARRAY_SIZE(stricter); i++)
		if (span_is(id, stricter[i].id))
			return stricter[i].field;
	return NULL;
}

static enum attest_status wanted(struct span result, struct span id)
{
	if (span_is(result, "VALID"))
		return stricter_field(id) ? ATTEST_INCOMPLETE : ATTEST_AFFIRMING;
	if (span_is(result, "UNVERIFIABLE") || span_is(result, "INCOMPLETE") ||
	    span_is(result, "ATTESTATION_UNAVAILABLE"))
		return ATTEST_INCOMPLETE;
	return ATTEST_REJECTED;
}

/* Of the last finding of a field. */
static bool field_is(const char *name, const char *says)
{
	static const struct {
		const char *says;
		enum attest_verdict verdict;
	} words[] = {
		{ "MATCH", ATTEST_PASS }, { "VALID", ATTEST_PASS }, { "MISMATCH", ATTEST_FAIL }, { "MISSING", ATTEST_FAIL },
		{ "EXPIRED", ATTEST_FAIL }, { "UNVERIFIABLE", ATTEST_NOT_CHECKED }, { "NOT_BOUND", ATTEST_NOT_CHECKED },
		{ "APPROVED", ATTEST_NOT_CHECKED },
	};
	const struct attest_finding *f;
	char field[ATTEST_FIELD_SIZE];

	snprintf(field, sizeof(field), "manifest.%s", name);
	f = attest_finding(&res, field);
	if (!f)
		return strcmp(says, "NOT_BOUND") == 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].says, says) == 0)
			return words[i].verdict == f->verdict;
	return false;
}

static enum attest_status judge_vector(const json_t *v)
{
	struct span hex = json_member_text(v, "envelope_hex");
	_cleanup_buf_ struct buf b = { 0 };
	char *p;

	if (!hex.n)
		return judge_json(json_object_get(v, "manifest"), VECTORS_AT);
	assert_int_equal(buf_reserve(&b, hex.n / 2, &p), 0);
	assert_int_equal(hex_decode(hex.p, hex.n, (uint8_t *)p, hex.n / 2), 0);
	buf_commit(&b, hex.n / 2);
	return judge_text(buf_span(&b), VECTORS_AT);
}

static unsigned mismatches(const json_t *v)
{
	const json_t *expected = json_object_get(v, "expected");
	struct span id = json_member_text(v, "id");
	const char *name, *blocking = stricter_field(id);
	const struct attest_finding *f;
	unsigned n = 0;
	json_t *says;

	take_context(v);
	if (judge_vector(v) != wanted(json_member_text(expected, "result"), id)) {
		print_message("%s: %s\n", id.p, attest_status_text(attest_appraise(&res, NULL)));
		for (unsigned i = 0; i < res.n_findings; i++)
			print_message("  %s %s %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
				      res.findings[i].reason);
		n++;
	}
	/* Nothing else keeps the stricter ones from being affirmed. */
	for (unsigned i = 0; blocking && i < res.n_findings; i++)
		if (attest_blocks(&res.findings[i], NULL) && strcmp(res.findings[i].field, blocking) != 0)
			n++;
	f = attest_finding(&res, "manifest.signature");
	if (json_is_true(json_object_get(expected, "signature_verified")) &&
	    (!f || f->verdict != ATTEST_PASS || strcmp(f->code, "signature-valid") != 0))
		n++;
	json_object_foreach (json_object_get(expected, "fields_verified"), name, says)
		if (!field_is(name, json_string_value(says))) {
			print_message("%s: %s is not %s\n", id.p, name, json_string_value(says));
			n++;
		}
	return n;
}

static void published_vectors(void **state)
{
	unsigned wrong = 0;
	char path[1024];
	glob_t g;

	if (access(vectors(), R_OK) < 0) {
		print_message("skip: no %s\n", vectors());
		skip();
	}
	snprintf(path, sizeof(path), "%s/trace/agent-manifest/python/tests/vectors/AM-VEC-*.json", vectors());
	assert_int_equal(glob(path, 0, NULL, &g), 0);
	assert_int_equal(g.gl_pathc, 38);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_cleanup_json_ json_t *v = load(g.gl_pathv[i]);

		wrong += mismatches(v);
	}
	globfree(&g);
	print_message("38 vectors, %u mismatches\n", wrong);
	assert_int_equal(wrong, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sound_is_affirmed), TEST(signature), TEST(key_of_whom), TEST(small_key), TEST(documents),
		TEST(who_and_when), TEST(revocation), TEST(artifacts), TEST(catalog_tree), TEST(approvals),
		TEST(delegation), TEST(hostile_delegation), TEST(attestation), TEST(in_cose), TEST(beside_a_claim),
		TEST(gives_the_identity_of_claims), TEST(published_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
