// SPDX-License-Identifier: Apache-2.0
/* A claim and its bundle are made here, with a key of the test's own; each test spoils one thing. */
#include "attest/claim.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/attest/signer.h"

#define NOW 1800000000
#define AT "2027-01-15T08:00:00+00:00" /* NOW */
#define POLICY "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define CATALOG "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static EVP_PKEY *signer;
static uint8_t public_key[ED25519_KEY_SIZE];
static json_t *claim, *bundle;
static struct claim_expect expect;
static struct attest_result res;

static void sign_form(json_t *object, enum json_form form)
{
	signer_sign_form(signer, object, form);
}

static void sign_claim(void)
{
	sign_form(claim, JSON_FORM_ASCII);
}

static json_t *at(json_t *v, const char *path)
{
	json_t *found = (json_t *)(uintptr_t)json_path(v, path);

	assert_non_null(found);
	return found;
}

static void set(const char *object, const char *member, json_t *v)
{
	json_object_set_new(at(claim, object), member, v);
	sign_claim();
}

static json_t *entry(size_t i)
{
	return json_array_get(json_object_get(bundle, "entries"), i);
}

/* Gives every entry its place and hash, signs the bundle, and lets the claim name root and tip. */
static void chain(void)
{
	json_t *entries = json_object_get(bundle, "entries");
	char hex[SHA256_HEX_SIZE] = "genesis", tip[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];

	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_object_set_new(entry(i), "prev_entry_hash", json_string(hex));
		assert_int_equal(json_canonical_sha256(entry(i), JSON_FORM_ASCII, "entry_hash", digest), 0);
		hex_encode(digest, sizeof(digest), hex);
		json_object_set_new(entry(i), "entry_hash", json_string(hex));
		if (i == 0)
			json_object_set_new(at(claim, "gateway.audit_chain"), "root", json_string(hex));
	}
	json_object_set_new(at(claim, "gateway.audit_chain"), "tip", json_string(hex));
	snprintf(tip, sizeof(tip), "sha256:%s", hex);
	json_object_set_new(at(claim, "trace.tool_transcript"), "hash", json_string(tip));
	assert_int_equal(json_canonical_sha256(entries, JSON_FORM_ASCII, NULL, digest), 0);
	signer_sign(signer, bundle, "bundle_signature",
		    (struct span){ (const char *)digest, sizeof(digest) });
	sign_claim();
}

static json_t *new_entry(int number, const char *type, const char *tool, const char *decision)
{
	char id[40], time[40], call[16];

	snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012d", number);
	snprintf(time, sizeof(time), "2027-01-15T07:59:%02d.000000+00:00", number);
	snprintf(call, sizeof(call), "call-%d", number);
	return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s?, s:n, s:s, s:n, s:n, s:n, s:n, s:s, s:n, s:s, s:n, "
			 "s:n, s:s, s:s, s:n, s:n, s:s}",
			 "entry_id", id, "sequence_number", number, "timestamp_utc", time, "session_id", "session-1",
			 "call_id", call, "entry_type", type, "tool_name", tool, "server_identity",
			 "policy_decision", decision, "policy_rule_matched", "latency_us", "request_payload_hash",
			 "response_payload_hash", "response_inspection_result", "n/a", "session_sensitivity_before",
			 "session_sensitivity_after", "public", "detail", "workflow_id", "prev_entry_hash", "",
			 "evidence_class", "hash-only", "external_execution_evidence", "effective_data_class",
			 "entry_hash", "");
}

static int make(void **state)
{
	char x[64], hex[2 * ED25519_KEY_SIZE + 1], kid[16], subject[64];

	signer = signer_key(7);
	signer_public(signer, public_key, x);
	hex_encode(public_key, sizeof(public_key), hex);
	snprintf(kid, sizeof(kid), "cmcp-%.8s", hex);
	snprintf(subject, sizeof(subject), "spiffe://cmcp.gateway/tee/%.16s", hex);
	claim = json_pack("{s:s, s:{s:s, s:i, s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s, s:s}, s:s, "
			  "s:{s:s, s:i, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}, s:{s:{s:s, s:s, s:s, s:s}}}, "
			  "s:{s:s, s:s, s:i, s:{s:s, s:s, s:i}, s:{s:i, s:i, s:i, s:i, s:[s], s:s, s:{s:[], s:[]}}, "
			  "s:{s:s, s:b}, s:s, s:i, s:b, s:[], s:b}}",
			  "cmcp_version", "1.0", "trace", "eat_profile", "tag:agentrust-io.com,2026:trace-v0.2", "iat",
			  NOW, "subject", subject, "runtime", "platform", "software-only", "measurement",
			  "sha256:0000000000000000000000000000000000000000000000000000000000000000",
			  "firmware_version", "none", "policy", "bundle_hash", POLICY, "enforcement_mode", "enforce",
			  "version", "1", "data_class", "public", "tool_transcript", "hash", "", "call_count", 2,
			  "entries", "tool_name", "read", "data_class", "public", "decision", "allow", "tool_name",
			  "wipe", "data_class", "public", "decision", "deny", "cnf", "jwk", "kty", "OKP", "crv",
			  "Ed25519", "x", x, "kid", kid, "gateway", "session_id", "session-1", "gateway_version", "1",
			  "sequence_number", 1, "audit_chain", "root", "", "tip", "", "length", 4, "call_summary",
			  "tool_calls_total", 2, "tool_calls_allowed", 1, "tool_calls_denied", 1,
			  "tool_calls_faulted", 0, "tools_invoked", "read", "session_max_sensitivity", "public",
			  "call_graph_summary", "compliance_domains_touched", "cross_boundary_events", "catalog",
			  "hash", CATALOG, "drift_detected", 0, "attestation_generated_at", AT,
			  "attestation_validity_seconds", 3600, "attestation_stale", 0, "catalog_exceptions",
			  "kill_switch_triggered", 0);
	bundle = json_pack("{s:s, s:[o, o, o, o]}", "session_id", "session-1", "entries",
			   new_entry(0, "session_start", NULL, "n/a"), new_entry(1, "tool_call", "read", "allow"),
			   new_entry(2, "tool_call", "wipe", "deny"), new_entry(3, "session_end", NULL, "n/a"));
	if (!claim || !bundle)
		return -1;
	chain();
	expect = (struct claim_expect){ .policy_hash = SPAN(POLICY), .catalog_hash = SPAN(CATALOG), .key = public_key };
	return 0;
}

static int unmake(void **state)
{
	attest_result_done(&res);
	json_decref(claim);
	json_decref(bundle);
	EVP_PKEY_free(signer);
	return 0;
}

static enum attest_status judge(bool with_bundle)
{
	attest_result_done(&res);
	attest_result_init(&res, "claim", NOW + 10);
	assert_int_equal(claim_verify(claim, &expect, &res), 0);
	if (with_bundle)
		assert_int_equal(bundle_verify(bundle, claim, &expect, &res), 0);
	return attest_appraise(&res, NULL);
}

static void has(enum attest_verdict verdict, const char *field, const char *code)
{
	for (unsigned i = 0; i < res.n_findings; i++)
		if (res.findings[i].verdict == verdict && strcmp(res.findings[i].field, field) == 0 &&
		    strcmp(res.findings[i].code, code) == 0)
			return;
	fail_msg("no finding %s %s", field, code);
}

static void rejected(bool with_bundle, const char *field, const char *code)
{
	assert_int_equal(judge(with_bundle), ATTEST_REJECTED);
	has(ATTEST_FAIL, field, code);
}

static void honest_software_is_incomplete(void **state)
{
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	has(ATTEST_FAIL, "claim.platform", "software-only");
	for (unsigned i = 0; i < res.n_findings; i++)
		assert_true(res.findings[i].verdict == ATTEST_PASS || res.findings[i].soft);
}

static void nothing_pinned_is_incomplete(void **state)
{
	expect = (struct claim_expect){ 0 };
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "claim.key", "key-not-pinned");
	has(ATTEST_NOT_CHECKED, "claim.policy", "hash-not-pinned");
	has(ATTEST_NOT_CHECKED, "claim.catalog", "hash-not-pinned");
}

static void signature_and_key(void **state)
{
	static const uint8_t other[ED25519_KEY_SIZE] = { 1 };

	json_object_set_new(at(claim, "trace"), "data_class", json_string("secret"));
	rejected(false, "claim.signature", "signature-invalid");
	sign_claim();
	expect.key = other;
	rejected(false, "claim.key", "key-pinned");
	expect.key = public_key;
	set("trace.cnf.jwk", "kid", json_string("cmcp-00000000"));
	rejected(false, "claim.kid", "kid-of-key");
	set("trace.cnf.jwk", "kid", json_string("mine"));
	set("trace", "subject", json_string("spiffe://cmcp.gateway/tee/0000000000000000"));
	rejected(false, "claim.subject", "subject-of-key");
	set("trace", "subject", json_string("spiffe://node.example/agent"));
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	set("trace.cnf.jwk", "x", json_string("AAAA"));
	rejected(false, "claim.key", "key-malformed");
}

static void both_canonical_forms(void **state)
{
	json_object_set_new(at(claim, "trace"), "data_class", json_string("vertraulich\xc3\xa4\x7f"));
	sign_form(claim, JSON_FORM_JCS);
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_PASS, "claim.signature", "valid-rfc8785-only");
	sign_claim();
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_PASS, "claim.signature", "valid");
}

static void members(void **state)
{
	set("gateway", "surprise", json_true());
	rejected(false, "claim.schema", "claim-malformed");
	json_object_del(at(claim, "gateway"), "surprise");
	set("trace", "eat_profile", json_string("tag:agentrust-io.com,2026:trace-v0.1"));
	rejected(false, "claim.schema", "claim-malformed");
	set("trace", "eat_profile", json_string("tag:agentrust-io.com,2026:trace-v0.2"));
	set("trace.runtime", "platform", json_string("abacus"));
	rejected(false, "claim.schema", "claim-malformed");
	set("trace.runtime", "platform", json_string("software-only"));
	json_object_del(at(claim, "gateway"), "catalog");
	rejected(false, "claim.schema", "claim-malformed");
}

static void pins(void **state)
{
	expect.policy_hash = SPAN(CATALOG);
	rejected(false, "claim.policy", "hash-pinned");
	expect.policy_hash = SPAN(POLICY);
	expect.catalog_hash = SPAN(POLICY);
	rejected(false, "claim.catalog", "hash-pinned");
}

static void times(void **state)
{
	set("trace", "iat", json_integer(NOW + 10 + CLAIM_SKEW_SECONDS));
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	set("trace", "iat", json_integer(NOW + 11 + CLAIM_SKEW_SECONDS));
	rejected(false, "claim.iat", "issued-in-the-past");
	set("trace", "iat", json_integer(NOW));
	set("gateway", "attestation_generated_at", json_string("2099-01-01T00:00:00+00:00"));
	rejected(false, "claim.freshness", "attested-in-the-past");
	set("gateway", "attestation_generated_at", json_string("yesterday"));
	rejected(false, "claim.freshness", "attestation-time");
	set("gateway", "attestation_generated_at", json_string("2027-01-15T07:00:09+00:00"));
	rejected(false, "claim.freshness", "attestation-fresh");
	expect.max_age = 3601;
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	set("gateway", "attestation_stale", json_true());
	rejected(false, "claim.stale", "not-stale");
}

static void counts(void **state)
{
	set("gateway.call_summary", "tool_calls_allowed", json_integer(2));
	rejected(false, "claim.counts", "counts-add-up");
	set("gateway.call_summary", "tool_calls_denied", json_integer(0));
	rejected(false, "claim.counts", "transcript-decisions");
	set("gateway.call_summary", "tool_calls_allowed", json_integer(1));
	set("gateway.call_summary", "tool_calls_denied", json_integer(1));
	set("gateway.call_summary", "tools_invoked", json_array());
	rejected(false, "claim.counts", "tools-invoked");
	set("gateway.call_summary", "tools_invoked", json_pack("[s]", "read"));
	set("trace.tool_transcript", "call_count", json_integer(3));
	rejected(false, "claim.counts", "call-count");
	set("trace.tool_transcript", "call_count", json_integer(2));
	set("trace.tool_transcript", "hash", json_string(POLICY));
	rejected(false, "claim.transcript", "transcript-is-tip");
}

static void what_a_claim_admits(void **state)
{
	set("trace.policy", "enforcement_mode", json_string("advisory"));
	set("gateway.catalog", "drift_detected", json_true());
	set("gateway", "kill_switch_triggered", json_true());
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_FAIL, "claim.mode", "not-enforced");
	has(ATTEST_FAIL, "claim.drift", "drift-detected");
	has(ATTEST_FAIL, "claim.kill-switch", "kill-switch-triggered");
}

/* The manifest's own judgement is tested where the manifest is; here, that the claim asks for it. */
static void manifest_beside(void **state)
{
	static const char agent[] = "spiffe://node.example/agent", issuer[] = "spiffe://node.example/issuer";
	_cleanup_json_ json_t *manifest =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:{s:s}, s:{s:s}}}", "manifest_id", "m-1", "agent_id",
			  agent, "issuer", issuer, "version", "0.1", "crypto_profile", "standard", "issued_at",
			  "2027-01-01T00:00:00Z", "expires_at", "2028-01-01T00:00:00Z", "artifacts", "policy_bundle", "hash",
			  POLICY, "tool_manifest", "catalog_hash", CATALOG);
	char *text = json_dumps(manifest, 0);

	set("gateway", "agent_identity",
	    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "manifest_id", "m-1", "agent_id", agent,
		      "authenticated_subject", agent, "subject_source", "svid", "issuer", issuer, "issuer_key_id", "",
		      "policy_bundle_hash", POLICY, "tool_catalog_hash", CATALOG));
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "claim.identity", "manifest-not-given");
	expect.manifest = span_of(text);
	assert_int_equal(judge(false), ATTEST_REJECTED);
	has(ATTEST_PASS, "claim.identity", "manifest-named");
	has(ATTEST_PASS, "manifest.tool_manifest", "artifact-matches");
	has(ATTEST_FAIL, "manifest.signature", "signature-missing");
	free(text);
}

static void continuity(void **state)
{
	_cleanup_json_ json_t *previous = json_deep_copy(claim);
	uint8_t digest[SHA256_SIZE];
	char link[SHA256_PREFIXED_SIZE];

	assert_int_equal(json_canonical_sha256(previous, JSON_FORM_ASCII, NULL, digest), 0);
	sha256_prefixed(digest, link);
	set("gateway", "sequence_number", json_integer(2));
	rejected(false, "claim.previous", "first-or-linked");
	set("gateway", "prev_claim_hash", json_string(link));
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "claim.previous", "previous-not-given");
	expect.previous = previous;
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_PASS, "claim.previous", "previous-linked");
	set("gateway", "sequence_number", json_integer(3));
	rejected(false, "claim.previous", "previous-number");
	set("gateway", "sequence_number", json_integer(2));
	set("gateway", "prev_claim_hash", json_string(POLICY));
	rejected(false, "claim.previous", "previous-linked");
	set("gateway", "sequence_number", json_integer(1));
	rejected(false, "claim.previous", "first-has-none");
}

/* thumbprint of the key, then the hash of the root */
static void bind_nonce(const char *break_what)
{
	uint8_t nonce[64], root[SHA256_SIZE];
	char text[128];

	jwk_ed25519_thumbprint(public_key, nonce);
	assert_int_equal(hex_decode(json_string_value(at(claim, "gateway.audit_chain.root")), 64, root, 32), 0);
	sha256(root, sizeof(root), nonce + 32);
	if (break_what)
		nonce[strcmp(break_what, "key") == 0 ? 31 : 63] ^= 1;
	signer_base64url(nonce, sizeof(nonce), text);
	set("trace.runtime", "nonce", json_string(text));
}

static void hardware_needs_its_evidence(void **state)
{
	set("trace.runtime", "platform", json_string("amd-sev-snp"));
	rejected(false, "claim.binding", "nonce-form");
	bind_nonce(NULL);
	rejected(false, "claim.evidence", "evidence-missing");
	has(ATTEST_PASS, "claim.binding", "public-key-bound");
	has(ATTEST_PASS, "claim.binding", "chain-root-bound");
	bind_nonce("key");
	rejected(false, "claim.binding", "public-key-bound");
	bind_nonce("root");
	rejected(false, "claim.binding", "chain-root-bound");
	bind_nonce(NULL);
	set("gateway", "attestation_evidence", json_pack("{s:s, s:s}", "raw_evidence", "AAAAA", "cert_chain", "AA"));
	rejected(false, "claim.evidence", "evidence-form");
	set("gateway", "attestation_evidence", json_pack("{s:s, s:s}", "raw_evidence", "AAAA", "cert_chain", "AA"));
	assert_int_equal(judge(false), ATTEST_REJECTED);
	set("trace.runtime", "platform", json_string("aws-nitro"));
	assert_int_equal(judge(false), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "claim.evidence", "evidence-not-judged");
	expect.nonce = SPAN("AAAA");
	rejected(false, "claim.nonce", "nonce-echoed");
}

static void bundle_entries(void **state)
{
	json_object_set_new(entry(1), "tool_name", json_string("write"));
	rejected(true, "bundle.entry", "entry-hash");
	json_object_set_new(entry(1), "tool_name", json_string("read"));
	json_object_set_new(entry(2), "sequence_number", json_integer(7));
	chain();
	rejected(true, "bundle.sequence", "sequence-gap");
	json_object_set_new(entry(2), "sequence_number", json_integer(2));
	json_object_set_new(entry(2), "session_id", json_string("session-2"));
	chain();
	rejected(true, "bundle.session", "foreign-entry");
	json_object_set_new(entry(2), "session_id", json_string("session-1"));
	json_object_set_new(entry(2), "timestamp_utc", json_string("2027-01-15T07:00:00+00:00"));
	chain();
	rejected(true, "bundle.time", "time-goes-back");
}

static void bundle_chain(void **state)
{
	json_t *entries = json_object_get(bundle, "entries");
	_cleanup_json_ json_t *moved = json_incref(entry(1));

	json_array_remove(entries, 1);
	rejected(true, "bundle.chain", "chain-broken");
	has(ATTEST_FAIL, "bundle.length", "length-of-claim");
	has(ATTEST_FAIL, "bundle.counts", "counts-of-claim");
	has(ATTEST_FAIL, "bundle.signature", "signed-by-claim-key");
	json_array_insert(entries, 1, moved);
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	json_array_remove(entries, 3);
	rejected(true, "bundle.tip", "tip-of-claim");
	json_array_clear(entries);
	rejected(true, "bundle.schema", "bundle-malformed");
}

static void bundle_tells_another_story(void **state)
{
	json_object_set_new(entry(2), "policy_decision", json_string("step_up"));
	chain();
	assert_int_equal(judge(true), ATTEST_INCOMPLETE); /* the claim's word for it is deny */
	json_object_set_new(entry(2), "policy_decision", json_string("allow"));
	chain();
	rejected(true, "bundle.counts", "counts-of-claim");
	has(ATTEST_FAIL, "bundle.transcript", "transcript-of-claim");
	json_object_set_new(entry(2), "policy_decision", json_string("deny"));
	json_object_set_new(bundle, "session_id", json_string("session-2"));
	chain();
	rejected(true, "bundle.session", "session-of-claim");
}

static void bundle_members_may_be_more(void **state)
{
	json_object_set_new(entry(1), "agent_pid", json_integer(4711));
	chain();
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	json_object_set_new(entry(1), "latency", json_real(0.5));
	rejected(true, "bundle.entry", "entry-hash"); /* no canonical form that everybody agrees on */
}

static void bundle_receipts(void **state)
{
	char id[SHA256_HEX_SIZE], hex[2 * ED25519_KEY_SIZE + 1];
	uint8_t digest[SHA256_SIZE];
	_cleanup_json_ json_t *keys = json_object();
	json_t *receipt;

	sha256(public_key, sizeof(public_key), digest);
	hex_encode(digest, sizeof(digest), id);
	hex_encode(public_key, sizeof(public_key), hex);
	receipt = json_pack("{s:s, s:s, s:s, s:s, s:s}", "issuer", "did:web:controller.example", "issuer_key_id", id,
			    "evidence_hash", POLICY, "evidence_type", "opaque-receipt", "linked_call_id", "call-1");
	sign_form(receipt, JSON_FORM_ASCII);
	json_object_set_new(entry(1), "external_execution_evidence", receipt);
	chain();
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	has(ATTEST_NOT_CHECKED, "bundle.external", "issuer-unknown");
	json_object_set_new(keys, id, json_string(hex));
	expect.external_keys = keys;
	assert_int_equal(judge(true), ATTEST_INCOMPLETE);
	json_object_set_new(receipt, "linked_call_id", json_string("call-2"));
	sign_form(receipt, JSON_FORM_ASCII);
	chain();
	rejected(true, "bundle.external", "receipt-of-another-call");
	json_object_set_new(receipt, "linked_call_id", json_string("call-1"));
	chain();
	assert_int_equal(judge(true), ATTEST_REJECTED);
	has(ATTEST_FAIL, "bundle.external", "receipt-signature");
}

static void the_vector_runner_agrees(void **state)
{
	static const char *const files[] = { "cmcp-claim-and-bundle-vectors", "cmcp-golden-hashes",
					     "trace-record-vectors", "execution-action-binding-v1-vectors" };
	const char *vectors = getenv("TOLLGATE_VECTORS"), *build = getenv("BUILD");

	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		char command[1024], line[256] = "", last[256] = "";
		FILE *p;

		snprintf(command, sizeof(command), "%s/trace/derived/%s.json", vectors ? vectors : "../shared/vectors",
			 files[i]);
		if (access(command, R_OK) < 0) {
			print_message("skip: no %s\n", command);
			skip();
		}
		snprintf(command, sizeof(command), "%s/tests/claim_vectors %s/trace/derived/%s.json",
			 build ? build : "build", vectors ? vectors : "../shared/vectors", files[i]);
		p = popen(command, "r");
		assert_non_null(p);
		while (fgets(line, sizeof(line), p))
			memcpy(last, line, sizeof(last));
		assert_int_equal(pclose(p), 0);
		assert_non_null(strstr(last, ", mismatches 0"));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(honest_software_is_incomplete),
		TEST(nothing_pinned_is_incomplete),
		TEST(signature_and_key),
		TEST(both_canonical_forms),
		TEST(members),
		TEST(pins),
		TEST(times),
		TEST(counts),
		TEST(what_a_claim_admits),
		TEST(manifest_beside),
		TEST(continuity),
		TEST(hardware_needs_its_evidence),
		TEST(bundle_entries),
		TEST(bundle_chain),
		TEST(bundle_tells_another_story),
		TEST(bundle_members_may_be_more),
		TEST(bundle_receipts),
		cmocka_unit_test(the_vector_runner_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
