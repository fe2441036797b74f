// SPDX-License-Identifier: Apache-2.0
/*
 * claim_vectors FILE: judges every vector of a file of claims and bundles, of Trust Records, of action
 * bindings or of golden hashes, and compares with what the file expects. Each mismatch is a line; the last
 * line is "vectors N, mismatches N". Exit status 0 when there is none, 2 when the file is of no such kind.
 */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "attest/action_receipt.h"
#include "attest/claim.h"
#include "attest/json_text.h"
#include "user/base/clock.h"
#include "user/base/file.h"

#define AGE_LIFTED ((int64_t)1 << 40)

struct run {
	const char *path;
	const json_t *document, *vectors;
	unsigned n, mismatches;
};

static void mismatch(struct run *run, const json_t *v, const char *what)
{
	const char *id = json_string_value(json_object_get(v, "id"));

	run->mismatches++;
	printf("%s: %s\n", id ? id : "?", what);
}

static const json_t *claim_with_hash(const struct run *run, struct span link)
{
	for (size_t i = 0; i < json_array_size(run->vectors); i++) {
		const json_t *claim = json_object_get(json_array_get(run->vectors, i), "claim");
		uint8_t digest[SHA256_SIZE];
		char text[SHA256_PREFIXED_SIZE];

		if (!claim || json_canonical_sha256(claim, JSON_FORM_ASCII, NULL, digest) < 0)
			continue;
		sha256_prefixed(digest, text);
		if (span_is(link, text))
			return claim;
	}
	return NULL;
}

static void print_failures(const struct attest_result *res)
{
	for (unsigned i = 0; i < res->n_findings; i++)
		if (res->findings[i].verdict == ATTEST_FAIL)
			printf("    %s %s: %s\n", res->findings[i].field, res->findings[i].code,
			       res->findings[i].reason);
}

/* strict_expectation begins with "accept" or "reject"; the rest is for people. */
static void judge_claim(struct run *run, const json_t *v, struct span strict)
{
	const json_t *claim = json_object_get(v, "claim"), *bundle = json_object_get(v, "bundle");
	const json_t *approved = json_object_get(v, "approved");
	uint8_t key[ED25519_KEY_SIZE];
	struct span hex = json_member_text(json_object_get(v, "options"), "trusted_public_key_hex");
	struct claim_expect expect = {
		.policy_hash = json_member_text(approved, "policy_bundle_hash"),
		.catalog_hash = json_member_text(approved, "tool_catalog_hash"),
		.max_age = json_integer_value(json_object_get(v, "max_attestation_age_seconds")),
		.previous = claim_with_hash(
			run, json_member_text(json_object_get(claim, "gateway"), "prev_claim_hash")),
		.external_keys = json_object_get(v, "external_evidence_keys"),
	};
	struct attest_result res;
	bool accepted, wanted = strict.n >= 6 && memcmp(strict.p, "accept", 6) == 0;
	int r;

	if (hex.n && hex_decode(hex.p, hex.n, key, sizeof(key)) == 0)
		expect.key = key;
	if (!expect.max_age)
		expect.max_age = AGE_LIFTED;
	attest_result_init(&res, "claim", (int64_t)(clock_real_ns() / 1000000000u));
	r = claim_verify(claim, &expect, &res);
	if (r == 0 && bundle)
		r = bundle_verify(bundle, claim, &expect, &res);
	accepted = r == 0 && attest_appraise(&res, NULL) != ATTEST_REJECTED;
	if (accepted != wanted) {
		mismatch(run, v, accepted ? "accepted, and must not be" : "rejected, and must not be");
		print_failures(&res);
	}
	attest_result_done(&res);
}

/* The suite lets these pass, and a strict verifier does not: not a mismatch when it is why we reject. */
static bool stricter(const struct attest_result *res, const char *why)
{
	static const char *const codes[] = { "record-malformed", "measurement-of-something",
					     "contraindicated",	 "origin-without-hardware",
					     "depth-not-beyond", NULL };

	if (strstr(why, "all zeros") || strstr(why, "not affirming"))
		return true;
	for (unsigned i = 0; i < res->n_findings; i++)
		for (const char *const *c = codes; *c; c++)
			if (res->findings[i].verdict == ATTEST_FAIL && strcmp(res->findings[i].code, *c) == 0)
				return true;
	return false;
}

static void judge_record(struct run *run, const json_t *v, const json_t *levels)
{
	struct claim_expect expect = { .max_age = AGE_LIFTED };
	struct attest_result res;
	const char *level;
	json_t *want;

	attest_result_init(&res, "trust-record", (int64_t)(clock_real_ns() / 1000000000u));
	if (trust_record_verify(json_object_get(v, "record"), &expect, &res) < 0)
		res.error = -ENOMEM;
	json_object_foreach ((json_t *)(uintptr_t)levels, level, want) {
		char why[120] = "";
		bool good = attest_appraise(&res, NULL) != ATTEST_REJECTED &&
			    trust_record_level(json_object_get(v, "record"), (unsigned)(level[0] - '0'), why,
					       sizeof(why));
		bool wanted = json_is_string(want) && strcmp(json_string_value(want), "PASS") == 0;

		if (good != wanted && !(wanted && stricter(&res, why))) {
			mismatch(run, v, good ? "passes a level that it must not" : "does not pass a level");
			print_failures(&res);
		}
	}
	attest_result_done(&res);
}

static void judge_binding(struct run *run, const json_t *v)
{
	const char *digest = json_string_value(json_object_get(v, "digest"));
	struct span want = json_member_text(v, "expected");
	int r = action_binding_verify(json_object_get(v, "preimage"),
				      digest ? digest : json_member_text(v, "algorithm").p);

	if ((r == 0) != span_is(want, "accept") ||
	    (span_is(want, "reject_unsupported_algorithm") && r != -ENOTSUP))
		mismatch(run, v, r == 0 ? "accepted, and must not be" : "rejected otherwise than expected");
}

/* --- golden hashes: FILE lies in derived/, the files it speaks of in cmcp/ beside it ------------- */

static json_t *read_document(const char *path)
{
	_cleanup_buf_ struct buf b = { 0 };
	char error[JSON_TEXT_ERROR_SIZE];
	json_t *v = NULL;

	if (file_read(path, JSON_TEXT_MAX, &b) == 0)
		(void)json_text_read(buf_span(&b), &v, error);
	return v;
}

static const char *beside(const struct run *run, const char *rel, char ret[4096])
{
	char copy[2048];

	snprintf(copy, sizeof(copy), "%s", run->path);
	snprintf(ret, 4096, "%s/../cmcp/%s", dirname(copy), rel);
	return ret;
}

static bool has_hash(const json_t *v, struct span want, const char *without)
{
	uint8_t digest[SHA256_SIZE];
	char text[SHA256_PREFIXED_SIZE];

	if (!v || json_canonical_sha256(v, JSON_FORM_ASCII, without, digest) < 0)
		return false;
	sha256_prefixed(digest, text);
	return span_is(want, text);
}

static int by_tool_name(const void *a, const void *b)
{
	return strcmp(json_member_text(*(json_t *const *)a, "tool_name").p,
		      json_member_text(*(json_t *const *)b, "tool_name").p);
}

static bool catalog_agrees(const struct run *run, const json_t *v)
{
	char path[4096];
	_cleanup_json_ json_t *entries = read_document(beside(run, json_member_text(v, "file").p, path));
	_cleanup_json_ json_t *sorted = json_array();
	size_t n = json_array_size(entries);
	_cleanup_free_ json_t **list = calloc(n + 1, sizeof(*list));

	if (!list || !sorted || !n)
		return false;
	for (size_t i = 0; i < n; i++) {
		list[i] = json_array_get(entries, i);
		if (!has_hash(json_object_get(list[i], "approved_definition"),
			      json_member_text(list[i], "definition_hash"), NULL))
			return false;
	}
	qsort(list, n, sizeof(*list), by_tool_name);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, list[i]);
	return has_hash(sorted, json_member_text(v, "catalog_hash"), NULL);
}

static bool file_hash(const char *path, struct span want)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint8_t digest[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	if (file_read(path, JSON_TEXT_MAX, &b) < 0)
		return false;
	sha256(buf_span(&b).p, buf_len(&b), digest);
	hex_encode(digest, sizeof(digest), hex);
	return span_is(want, hex);
}

static bool bundle_agrees(const struct run *run, const json_t *v)
{
	char rel[2048], path[4096];
	struct span dir = json_member_text(v, "dir");
	json_t *files = json_object_get(v, "policy_files"), *stated;
	_cleanup_json_ json_t *whole = json_object();
	_cleanup_json_ json_t *manifest = NULL;
	const char *name;

	json_object_foreach (files, name, stated) {
		snprintf(rel, sizeof(rel), "%s/%s", dir.p, name);
		if (!file_hash(beside(run, rel, path), span_of(json_string_value(stated))))
			return false;
	}
	snprintf(rel, sizeof(rel), "%s/schema.cedarschema", dir.p);
	if (!file_hash(beside(run, rel, path), json_member_text(v, "schema_hash")))
		return false;
	snprintf(rel, sizeof(rel), "%s/manifest.json", dir.p);
	manifest = read_document(beside(run, rel, path));
	if (!manifest || !whole)
		return false;
	json_object_del(manifest, "signature");
	json_object_set(whole, "manifest", manifest);
	json_object_set(whole, "policy_files", files);
	json_object_set(whole, "schema_hash", json_object_get(v, "schema_hash"));
	return has_hash(whole, json_member_text(v, "bundle_hash"), NULL);
}

static int run_golden(struct run *run)
{
	static const struct {
		const char *list, *name;
		bool (*agrees)(const struct run *, const json_t *);
	} kinds[] = { { "catalogs", "file", catalog_agrees }, { "bundles", "dir", bundle_agrees } };

	for (unsigned k = 0; k < ARRAY_SIZE(kinds); k++) {
		const json_t *list = json_object_get(run->document, kinds[k].list);

		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *v = json_array_get(list, i);

			run->n++;
			if (kinds[k].agrees(run, v))
				continue;
			run->mismatches++;
			printf("%s: other hashes\n", json_member_text(v, kinds[k].name).p);
		}
	}
	return 0;
}

static int run_vectors(struct run *run)
{
	for (size_t i = 0; i < json_array_size(run->vectors); i++) {
		const json_t *v = json_array_get(run->vectors, i);
		const json_t *levels = json_object_get(v, "expected_trace_tests_0_5");
		struct span strict = json_member_text(v, "strict_expectation");

		run->n++;
		if (strict.n && json_object_get(v, "claim"))
			judge_claim(run, v, strict);
		else if (levels)
			judge_record(run, v, levels);
		else if (json_object_get(v, "preimage"))
			judge_binding(run, v);
		else
			mismatch(run, v, "is of no kind that is known");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct run run = { .path = argc == 2 ? argv[1] : "" };
	_cleanup_json_ json_t *document = argc == 2 ? read_document(argv[1]) : NULL;

	if (!document) {
		fprintf(stderr,
			argc == 2 ? "claim_vectors: %s cannot be read as JSON\n"
				  : "usage: claim_vectors FILE\n",
			run.path);
		return 2;
	}
	run.document = document;
	run.vectors = json_object_get(document, "vectors");
	if (run.vectors)
		run_vectors(&run);
	else if (json_object_get(document, "catalogs"))
		run_golden(&run);
	printf("vectors %u, mismatches %u\n", run.n, run.mismatches);
	return run.n == 0 ? 2 : run.mismatches > 0;
}
