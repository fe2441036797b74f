/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_RESULT_H
#define TOLLGATE_ATTEST_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/json_out.h"

struct attest_policy;

/*
 * What a verifier found, field by field, and what follows from it. A field that had nothing to be
 * compared with is not-checked; it never counts as passed.
 */
enum attest_verdict {
	ATTEST_FAIL = 0,
	ATTEST_NOT_CHECKED,
	ATTEST_PASS,
};

enum attest_status {
	ATTEST_REJECTED = 0, /* something failed, or the verifier did not come to its end */
	ATTEST_INCOMPLETE, /* nothing is false, but something that the policy needs is open */
	ATTEST_AFFIRMING,
};

#define ATTEST_FIELD_SIZE 40
#define ATTEST_CODE_SIZE 48
#define ATTEST_REASON_SIZE 240
#define ATTEST_FINDINGS_MAX 256 /* the longest evidence gives about eighty */

/* field: "snp.signature", the provider's name and what was looked at; code: stable words joined by "-",
 * for programs; reason: for people, with the values that decided. */
struct attest_finding {
	enum attest_verdict verdict;
	/* Of a failure: a default expectation is not met, which makes the result incomplete, not rejected.
	 * Of not-checked: nothing depends on it, unless the policy names the field under "require". */
	bool soft;
	/* Not good enough, and no policy may say that it is. */
	bool firm;
	char field[ATTEST_FIELD_SIZE];
	char code[ATTEST_CODE_SIZE];
	char reason[ATTEST_REASON_SIZE];
};

/* One judgement. Zero-initialise, then attest_result_init(). */
struct attest_result {
	const char *provider; /* static */
	int64_t at; /* the Unix time the evidence was judged for */
	bool complete; /* set last, by a verifier that looked at everything */
	int error; /* memory: the result is then rejected */
	struct attest_finding *findings;
	unsigned n_findings;
	/* What the evidence says, as members of one JSON object: verifiers write into it with json_out_*. */
	struct json_out claims;
	struct buf claims_text;
};

void attest_result_init(struct attest_result *res, const char *provider, int64_t at);
void attest_result_done(struct attest_result *res);

#define ATTEST_FMT(n) __attribute__((format(printf, n, (n) + 1)))
void attest_pass(struct attest_result *res, const char *field, const char *code, const char *fmt, ...) ATTEST_FMT(4);
/* Rejects. */
void attest_fail(struct attest_result *res, const char *field, const char *code, const char *fmt, ...) ATTEST_FMT(4);
/* A default that nobody asked for in so many words is not met: incomplete, unless "optional". */
void attest_unmet(struct attest_result *res, const char *field, const char *code, const char *fmt, ...) ATTEST_FMT(4);
/* The same for what no policy may leave open: that there is no hardware, or none that was proven. */
void attest_withheld(struct attest_result *res, const char *field, const char *code, const char *fmt, ...)
	ATTEST_FMT(4);
/* Nothing to compare with: incomplete, unless "optional". */
void attest_unchecked(struct attest_result *res, const char *field, const char *code, const char *fmt, ...)
	ATTEST_FMT(4);
/* Nothing to compare with, and nothing lost, unless "require". */
void attest_skipped(struct attest_result *res, const char *field, const char *code, const char *fmt, ...)
	ATTEST_FMT(4);

/* Passes or fails by ok. Returns ok. */
bool attest_check(struct attest_result *res, bool ok, const char *field, const char *code, const char *fmt, ...)
	ATTEST_FMT(5);

/* A member of the claims with the bytes in hex. */
void attest_claim_hex(struct attest_result *res, const char *name, struct span bytes);

/* The last finding for a field, or NULL. */
const struct attest_finding *attest_finding(const struct attest_result *res, const char *field);

/* True when the finding keeps the result from affirming under the policy (NULL: the default one). */
bool attest_blocks(const struct attest_finding *f, const struct attest_policy *p);
enum attest_status attest_appraise(const struct attest_result *res, const struct attest_policy *p);

/* 0 affirming, 1 rejected, 3 incomplete. */
int attest_exit_status(enum attest_status s);
const char *attest_status_text(enum attest_status s); /* "affirming", "rejected", "incomplete" */
const char *attest_verdict_text(enum attest_verdict v); /* "pass", "fail", "not-checked" */

/* Appends the judgement as one JSON object. 0 or -errno. */
int attest_result_json(struct attest_result *res, const struct attest_policy *p, struct buf *out);

#endif
