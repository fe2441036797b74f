// SPDX-License-Identifier: Apache-2.0
/* A report, a length, certificates and a revocation list: no fault, and never anything but rejected,
 * as nobody but AMD can sign what chains to AMD's roots. */
#include <stdint.h>
#include <stdlib.h>

#include "attest/attest_verify.h"
#include "attest/bytes.h"
#include "attest/snp_report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = bytes_of((struct span){ (const char *)data, size });
	struct span report = bytes_take(&b, size < SNP_REPORT_SIZE ? size : SNP_REPORT_SIZE);
	struct span certs = bytes_take(&b, bytes_u16le(&b)), crl;
	struct attest_snp in = { .report = report, .certs = &certs, .n_certs = 1, .crls = &crl };
	struct buf json = { 0 };
	struct attest_result res;
	struct attest_policy p;

	if (b.failed)
		certs = (struct span){ 0 };
	crl = (struct span){ (const char *)b.p, b.n };
	in.n_crls = crl.n > 0;
	attest_policy_init(&p);
	attest_result_init(&res, "snp", 1750000000);
	if (attest_verify_snp(&in, &p, &res) == 0 && attest_appraise(&res, &p) != ATTEST_REJECTED)
		abort();
	if (attest_result_json(&res, &p, &json) < 0)
		abort();
	buf_done(&json);
	attest_result_done(&res);
	attest_policy_done(&p);
	return 0;
}
