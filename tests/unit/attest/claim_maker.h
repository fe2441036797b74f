/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_ATTEST_CLAIM_MAKER_H
#define TOLLGATE_TESTS_ATTEST_CLAIM_MAKER_H

/* A node that signs whatever it is told about its hardware, and what a stranger says of it. Include after cmocka.h. */
#include "attest/claim.h"
#include "attest/claim_report.h"
#include "attest/provider.h"
#include "tests/unit/attest/signer.h"

#ifndef MAKER_NOW
#define MAKER_NOW 1800000000
#endif
#define MAKER_HASH(d) "sha256:" d d d d d d d d d d d d d d d d
#define MAKER_ROOT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct {
	EVP_PKEY *key;
	struct claim_signer signer;
	uint8_t nonce[CLAIM_NONCE_SIZE];
} node;

static inline int node_sign(void *arg, const void *p, size_t n, uint8_t ret[ED25519_SIGNATURE_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t size = ED25519_SIGNATURE_SIZE;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, arg), 1);
	assert_int_equal(EVP_DigestSign(ctx, ret, &size, p, n), 1);
	EVP_MD_CTX_free(ctx);
	return 0;
}

static inline int node_setup(void **state)
{
	char x[64];

	node.key = signer_key(9);
	signer_public(node.key, node.signer.public_key, x);
	node.signer.sign = node_sign;
	node.signer.arg = node.key;
	return claim_nonce(node.signer.public_key, SPAN(MAKER_ROOT), node.nonce);
}

static inline int node_teardown(void **state)
{
	EVP_PKEY_free(node.key);
	return 0;
}

static inline json_t *node_document(const struct claim_platform *platform,
				    int (*make_it)(const struct claim_facts *, const struct claim_signer *, struct buf *))
{
	_cleanup_buf_ struct buf text = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;
	const struct claim_facts facts = {
		.session_id = SPAN("11111111-2222-4333-8444-555555555555"),
		.made_ns = MAKER_NOW * UINT64_C(1000000000), .producer = SPAN("tollgate/1"),
		.policy_hash = SPAN(MAKER_HASH("1111")), .catalog_hash = SPAN(MAKER_HASH("2222")),
		.program_hash = SPAN(MAKER_HASH("3333")), .mode = SPAN("enforce"), .data_class = SPAN("public"),
		.root = SPAN(MAKER_ROOT), .tip = SPAN(MAKER_ROOT), .length = 1, .number = 1, .platform = platform,
	};

	assert_int_equal(make_it(&facts, &node.signer, &text), 0);
	assert_int_equal(json_text_read(buf_span(&text), &v, error), 0);
	return v;
}

/* A report of these parts, bound to the node's nonce. */
static inline void node_report(struct claim_report *r, const char *provider, unsigned n, const char *const *parts,
			       const struct span *bytes)
{
	*r = (struct claim_report){ 0 };
	strcpy(r->platform, provider);
	r->evidence.platform = r->platform;
	memcpy(r->nonce, node.nonce, sizeof(r->nonce));
	memcpy(r->evidence.bound.sha512, node.nonce, sizeof(r->nonce));
	sha256(node.nonce, sizeof(node.nonce), r->evidence.bound.sha256);
	for (unsigned i = 0; i < n; i++) {
		struct buf *part = attest_evidence_add(&r->evidence, parts[i]);

		assert_non_null(part);
		assert_int_equal(buf_append(part, bytes[i].p, bytes[i].n), 0);
	}
}

static inline struct buf *node_part(struct claim_report *r, const char *name)
{
	for (unsigned i = 0; i < r->evidence.n_parts; i++)
		if (strcmp(r->evidence.parts[i].name, name) == 0)
			return &r->evidence.parts[i].bytes;
	fail_msg("no part %s", name);
	return NULL;
}

static struct attest_result seen;

static inline enum attest_status stranger(const json_t *document, const struct claim_hardware *known,
					  const struct attest_policy *p)
{
	const struct claim_expect expect = { .policy_hash = SPAN(MAKER_HASH("1111")),
					     .catalog_hash = SPAN(MAKER_HASH("2222")), .key = node.signer.public_key,
					     .hardware = known, .evidence_policy = p };

	attest_result_done(&seen);
	attest_result_init(&seen, "claim", MAKER_NOW + 10);
	assert_int_equal((claim_kind(document) == CLAIM_GATEWAY ? claim_verify : trust_record_verify)(document, &expect,
												      &seen), 0);
	return attest_appraise(&seen, p);
}

static inline void seen_has(enum attest_verdict verdict, const char *field, const char *code)
{
	for (unsigned i = 0; i < seen.n_findings; i++)
		if (seen.findings[i].verdict == verdict && strcmp(seen.findings[i].field, field) == 0 &&
		    strcmp(seen.findings[i].code, code) == 0)
			return;
	for (unsigned i = 0; i < seen.n_findings; i++)
		print_message("%s %s %s: %s\n", attest_verdict_text(seen.findings[i].verdict), seen.findings[i].field,
			      seen.findings[i].code, seen.findings[i].reason);
	fail_msg("no finding %s %s %s", attest_verdict_text(verdict), field, code);
}

#endif
