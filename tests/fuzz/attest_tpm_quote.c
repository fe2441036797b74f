// SPDX-License-Identifier: Apache-2.0
/*
 * What a TPM signs and what comes with it. The input is cut into parts by 16-bit lengths: key, quote,
 * signature, register values, measurement list; what lies behind them is an enrolment record. No policy
 * names its key, so nothing may affirm.
 */
#include <stdlib.h>

#include "attest/bytes.h"
#include "attest/ima.h"
#include "attest/tpm_enrolment.h"
#include "attest/tpm_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parsers(struct span s)
{
	static const uint8_t key[32];
	uint8_t name[TPM_NAME_MAX];
	struct tpm_enrolment e;
	struct tpm_nv_public nv;
	struct ima_entry entry;
	struct ima_log log;
	unsigned n = 0;

	(void)tpm_nv_public_parse(s, &nv);
	(void)tpm_enrolment_read(s, key, name, &e);
	if (ima_open(s, TPM_HASH_SHA256, &log) == 0)
		while (ima_next(&log, &entry) == 1)
			if (++n > s.n)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = bytes_of((struct span){ (const char *)data, size });
	struct attest_result res;
	struct attest_tpm in = { 0 };

	parsers((struct span){ (const char *)data, size });
	in.ak = bytes_lp16be(&b);
	in.quote.quote = bytes_lp16be(&b);
	in.quote.signature = bytes_lp16be(&b);
	in.quote.pcrs = bytes_lp16be(&b);
	in.quote.ima = bytes_lp16be(&b);
	in.enrolment = (struct span){ (const char *)b.p, b.n };
	attest_result_init(&res, "tpm", 1767225600);
	if (attest_verify_tpm(&in, NULL, &res) == 0 && attest_appraise(&res, NULL) == ATTEST_AFFIRMING)
		abort();
	attest_result_done(&res);
	return 0;
}
