// SPDX-License-Identifier: Apache-2.0
/* A session's report: any bytes as the document, what a claim would carry of it, and the claim over it judged. Nothing
 * is affirmed of a key that nobody vouched for, and what a claim carries of a report that was read never crashes. */
#include <stdlib.h>
#include <string.h>

#include "attest/claim.h"
#include "attest/claim_internal.h"
#include "attest/claim_report.h"
#include "attest/json_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *word_of(const char *provider)
{
	return strcmp(provider, "tpm") == 0 ? "tpm2" : strcmp(provider, "tdx") == 0 ? "intel-tdx" :
	       strcmp(provider, "azure") == 0 ? "azure-cvm-sev-snp" : "amd-sev-snp";
}

static void judge(const struct claim_report *report)
{
	const struct claim_hardware known = { .report = report };
	const struct claim_expect expect = { .hardware = &known };
	_cleanup_json_ json_t *runtime = json_pack("{s:s, s:s}", "platform", word_of(report->platform), "measurement", "x");
	struct attest_result res;

	attest_result_init(&res, "fuzz", 1767225600);
	if (claim_evidence_verify(&(struct stated_hardware){
		.runtime = runtime, .nonce = report->nonce, .evidence = "claim.evidence",
		.measurement = "claim.measurement", .root = "claim.root", .hardware = "claim.hardware" }, &expect, &res) == 0) {
		res.complete = true;
		if (attest_appraise(&res, NULL) == ATTEST_AFFIRMING)
			abort();
	}
	attest_result_done(&res);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_json_ json_t *v = NULL;
	char error[JSON_TEXT_ERROR_SIZE];
	struct claim_report report;
	struct claim_carried c;

	if (json_text_read((struct span){ (const char *)data, size }, &v, error) < 0)
		return 0;
	if (claim_report_read(v, &report) < 0)
		return 0;
	if (claim_report_carry(&report, &c) == 0) {
		if (!c.platform.raw_evidence.n || !c.platform.measurement.n)
			abort();
		claim_carried_done(&c);
	}
	judge(&report);
	claim_report_done(&report);
	return 0;
}
