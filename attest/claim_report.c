// SPDX-License-Identifier: Apache-2.0
/*
 * Reports of sessions: taken in the notary, read by verifiers. What a document says of its own worth is not
 * read: the verifier finds that out.
 */
#include "attest/claim_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attest/json_text.h"
#include "attest/provider.h"
#include "user/base/clock.h"
#include "user/base/json_out.h"

#define TAKEN_MAX_S 7258118400 /* the year 2200: nanoseconds do not wrap */

static void bind(const uint8_t nonce[CLAIM_NONCE_SIZE], struct attest_digests *ret)
{
	sha256(nonce, CLAIM_NONCE_SIZE, ret->sha256);
	memcpy(ret->sha512, nonce, sizeof(ret->sha512));
}

int claim_report_take(const struct attest_config *c, const uint8_t nonce[CLAIM_NONCE_SIZE],
		      struct claim_report *ret)
{
	struct claim_report report = { 0 };
	struct attest_digests bound;
	int r;

	bind(nonce, &bound);
	r = attest_evidence_of(c, &bound, &report.evidence);
	if (r == 0 && report.evidence.class != ATTEST_HARDWARE)
		r = -EOPNOTSUPP;
	if (r < 0) {
		claim_report_done(&report);
		return r;
	}
	(void)snprintf(report.platform, sizeof(report.platform), "%s", report.evidence.platform);
	memcpy(report.nonce, nonce, sizeof(report.nonce));
	report.taken_s = clock_real_ns() / 1000000000u;
	*ret = report;
	ret->evidence.platform = ret->platform;
	return 0;
}

int claim_report_json(const struct claim_report *r, struct buf *out)
{
	char nonce[2 * CLAIM_NONCE_SIZE + 1];
	struct json_out j;

	hex_encode(r->nonce, sizeof(r->nonce), nonce);
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "binding", CLAIM_REPORT_BINDING);
	json_out_member_str(&j, "nonce", nonce);
	json_out_key(&j, "parts");
	attest_parts_json(&j, &r->evidence);
	json_out_member_str(&j, "platform", r->platform);
	json_out_member_int(&j, "taken", (int64_t)r->taken_s);
	json_out_object_end(&j);
	return json_out_end(&j);
}

bool claim_report_is(const json_t *document)
{
	return span_is(json_member_text(document, "binding"), CLAIM_REPORT_BINDING);
}

int claim_report_read(const json_t *document, struct claim_report *ret)
{
	struct span nonce = json_member_text(document, "nonce"), platform = json_member_text(document, "platform");
	const json_t *taken = json_object_get(document, "taken");
	int r;

	*ret = (struct claim_report){ 0 };
	if (!claim_report_is(document) || json_object_size(document) != 5 || platform.n >= sizeof(ret->platform) ||
	    !json_is_integer(taken) || json_integer_value(taken) < 0 || json_integer_value(taken) > TAKEN_MAX_S ||
	    hex_decode(nonce.p, nonce.n, ret->nonce, sizeof(ret->nonce)) < 0)
		return -EBADMSG;
	ret->taken_s = (uint64_t)json_integer_value(taken);
	memcpy(ret->platform, platform.p, platform.n);
	ret->evidence.platform = ret->platform;
	bind(ret->nonce, &ret->evidence.bound);
	r = attest_parts_read(json_object_get(document, "parts"), &ret->evidence);
	if (r < 0)
		claim_report_done(ret);
	return r;
}

void claim_report_done(struct claim_report *r)
{
	attest_evidence_done(&r->evidence);
}
