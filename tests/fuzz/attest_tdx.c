// SPDX-License-Identifier: Apache-2.0
/* A quote: no fault, never anything but rejected, and what is read lies inside it. */
#include <stdint.h>
#include <stdlib.h>

#include "attest/attest_verify.h"
#include "attest/tdx_pck.h"
#include "attest/tdx_quote.h"

static void inside(struct span in, struct span part)
{
	if (part.n && (part.p < in.p || part.p + part.n > in.p + in.n))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_tdx in = { .quote = { (const char *)data, size } };
	struct x509_certs certs = { 0 };
	struct buf json = { 0 };
	struct attest_result res;
	struct attest_policy p;
	const char *code, *why;
	struct tdx_quote q;
	struct tdx_pck pck;

	if (tdx_quote_parse(in.quote, &q, &code, &why) == 0) {
		inside(in.quote, q.report_data);
		inside(in.quote, q.pck_chain);
		inside(in.quote, q.qe_auth);
		inside(in.quote, q.extension);
		if (q.trailing >= size || q.qe_report.n != TDX_QE_REPORT_SIZE)
			abort();
		/* The chain does not verify, so the verifier goes no further: its extensions are read here. */
		if (x509_certs_add(&certs, q.pck_chain) == 0 && tdx_pck_parse(certs.cert[0], &pck) == 0 &&
		    (pck.fmspc.n != 6 || pck.ppid.n != 16))
			abort();
		x509_certs_done(&certs);
	}
	attest_policy_init(&p);
	attest_result_init(&res, "tdx", 1750000000);
	if (attest_verify_tdx(&in, &p, &res) == 0 && attest_appraise(&res, &p) != ATTEST_REJECTED)
		abort();
	if (attest_result_json(&res, &p, &json) < 0)
		abort();
	buf_done(&json);
	attest_result_done(&res);
	attest_policy_done(&p);
	return 0;
}
