// SPDX-License-Identifier: Apache-2.0
/*
 * Findings and their appraisal. Whatever goes wrong in here, memory above all, ends in "rejected".
 */
#include "attest/result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/policy.h"
#include "user/base/clock.h"
#include "user/base/digest.h"

void attest_result_init(struct attest_result *res, const char *provider, int64_t at)
{
	*res = (struct attest_result){ .provider = provider, .at = at };
	json_out_init(&res->claims, &res->claims_text);
	json_out_object(&res->claims);
}

void attest_result_done(struct attest_result *res)
{
	free(res->findings);
	buf_done(&res->claims_text);
	*res = (struct attest_result){ 0 };
}

static void add(struct attest_result *res, enum attest_verdict v, bool soft, const char *field,
		const char *code, const char *fmt, va_list ap)
	__attribute__((format(printf, 6, 0)));
static void add(struct attest_result *res, enum attest_verdict v, bool soft, const char *field,
		const char *code, const char *fmt, va_list ap)
{
	struct attest_finding *f;

	if (!res->findings)
		res->findings = calloc(ATTEST_FINDINGS_MAX, sizeof(*f));
	if (!res->findings || res->n_findings == ATTEST_FINDINGS_MAX) {
		res->error = res->findings ? -EMSGSIZE : -ENOMEM;
		return;
	}
	f = &res->findings[res->n_findings++];
	f->verdict = v;
	f->soft = soft;
	(void)snprintf(f->field, sizeof(f->field), "%s", field);
	(void)snprintf(f->code, sizeof(f->code), "%s", code);
	(void)vsnprintf(f->reason, sizeof(f->reason), fmt, ap);
	/* Names from certificates may stand in it, and it is printed on terminals. */
	for (char *c = f->reason; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

#define ADD(v, soft) \
	do { \
		va_list ap; \
		va_start(ap, fmt); \
		add(res, v, soft, field, code, fmt, ap); \
		va_end(ap); \
	} while (0)

void attest_pass(struct attest_result *res, const char *field, const char *code, const char *fmt,
		 ...)
{
	ADD(ATTEST_PASS, false);
}

void attest_fail(struct attest_result *res, const char *field, const char *code, const char *fmt,
		 ...)
{
	ADD(ATTEST_FAIL, false);
}

void attest_unmet(struct attest_result *res, const char *field, const char *code, const char *fmt,
		  ...)
{
	ADD(ATTEST_FAIL, true);
}

void attest_withheld(struct attest_result *res, const char *field, const char *code, const char *fmt,
		     ...)
{
	const unsigned before = res->n_findings;

	ADD(ATTEST_FAIL, true);
	if (res->n_findings > before)
		res->findings[before].firm = true;
}

void attest_unchecked(struct attest_result *res, const char *field, const char *code,
		      const char *fmt, ...)
{
	ADD(ATTEST_NOT_CHECKED, false);
}

void attest_skipped(struct attest_result *res, const char *field, const char *code, const char *fmt,
		    ...)
{
	ADD(ATTEST_NOT_CHECKED, true);
}

bool attest_check(struct attest_result *res, bool ok, const char *field, const char *code,
		  const char *fmt, ...)
{
	ADD(ok ? ATTEST_PASS : ATTEST_FAIL, false);
	return ok;
}

void attest_claim_hex(struct attest_result *res, const char *name, struct span bytes)
{
	char *hex = malloc(2 * bytes.n + 1);

	if (!hex) {
		res->error = -ENOMEM;
		return;
	}
	hex_encode(bytes.p, bytes.n, hex);
	json_out_member_str(&res->claims, name, hex);
	free(hex);
}

const struct attest_finding *attest_finding(const struct attest_result *res, const char *field)
{
	for (unsigned i = res->n_findings; i > 0; i--)
		if (strcmp(res->findings[i - 1].field, field) == 0)
			return &res->findings[i - 1];
	return NULL;
}

bool attest_blocks(const struct attest_finding *f, const struct attest_policy *p)
{
	if (f->verdict == ATTEST_PASS)
		return false;
	if (f->firm || (f->verdict == ATTEST_FAIL && !f->soft))
		return true;
	if (p && policy_texts_have(&p->require, f->field))
		return true;
	if (p && policy_texts_have(&p->optional, f->field))
		return false;
	return f->verdict == ATTEST_FAIL || !f->soft;
}

enum attest_status attest_appraise(const struct attest_result *res, const struct attest_policy *p)
{
	enum attest_status s = ATTEST_AFFIRMING;

	if (!res->complete || res->error || res->claims.error || res->n_findings == 0)
		return ATTEST_REJECTED;
	for (unsigned i = 0; i < res->n_findings; i++) {
		const struct attest_finding *f = &res->findings[i];

		if (f->verdict == ATTEST_FAIL && !f->soft)
			return ATTEST_REJECTED;
		if (attest_blocks(f, p))
			s = ATTEST_INCOMPLETE;
	}
	/* A field that the policy requires and that this evidence does not even have is open too. */
	for (unsigned i = 0; p && i < p->require.n; i++)
		if (!attest_finding(res, p->require.text[i]))
			s = ATTEST_INCOMPLETE;
	return s;
}

int attest_exit_status(enum attest_status s)
{
	return s == ATTEST_AFFIRMING ? 0 : s == ATTEST_INCOMPLETE ? 3 : 1;
}

const char *attest_status_text(enum attest_status s)
{
	return s == ATTEST_AFFIRMING  ? "affirming" :
	       s == ATTEST_INCOMPLETE ? "incomplete" :
					"rejected";
}

const char *attest_verdict_text(enum attest_verdict v)
{
	return v == ATTEST_PASS ? "pass" : v == ATTEST_NOT_CHECKED ? "not-checked" : "fail";
}

static void findings_json(struct json_out *j, const struct attest_result *res,
			  const struct attest_policy *p)
{
	json_out_key(j, "findings");
	json_out_array(j);
	for (unsigned i = 0; i < res->n_findings; i++) {
		const struct attest_finding *f = &res->findings[i];

		json_out_object(j);
		json_out_member_bool(j, "blocks", attest_blocks(f, p));
		json_out_member_str(j, "code", f->code);
		json_out_member_str(j, "field", f->field);
		json_out_member_str(j, "reason", f->reason);
		json_out_member_str(j, "verdict", attest_verdict_text(f->verdict));
		json_out_object_end(j);
	}
	json_out_array_end(j);
}

int attest_result_json(struct attest_result *res, const struct attest_policy *p, struct buf *out)
{
	char at[CLOCK_ISO_SIZE];
	struct json_out j;

	clock_iso((uint64_t)res->at * 1000000000u, at);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "at", at);
	json_out_key(&j, "claims");
	if (res->claims.depth > 0) {
		json_out_object_end(&res->claims);
		if (json_out_end(&res->claims) < 0)
			j.error = res->claims.error ? res->claims.error : -EINVAL;
	}
	json_out_raw(&j, buf_span(&res->claims_text));
	findings_json(&j, res, p);
	json_out_member_str(&j, "provider", res->provider);
	json_out_member_str(&j, "status", attest_status_text(attest_appraise(res, p)));
	json_out_object_end(&j);
	return json_out_end(&j);
}
