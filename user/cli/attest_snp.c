// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest verify --provider snp: a report of AMD SEV-SNP.
 */
#include <stdio.h>
#include <string.h>

#include "attest/attest_verify.h"
#include "user/base/cleanup.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"

static const struct attest_option options[] = {
	{ "report", false, false },
	{ "evidence", false, false },
	{ "nonce", false, false },
	{ "cert", false, true },
	{ "crl", false, true },
	{ "product", false, false },
	{ "report-data", false, false },
	{ "measurement", false, false },
	{ 0 },
};

static bool known_product(const char *name)
{
	for (unsigned i = 0; snp_product_words[i]; i++)
		if (strcmp(snp_product_words[i], name) == 0)
			return true;
	return false;
}

static int judge_snp(struct attest_run *run)
{
	_cleanup_buf_ struct buf report = { 0 };
	struct buf certs[X509_CERTS_MAX] = { 0 }, crls[X509_CRLS_MAX] = { 0 };
	struct span cert_spans[X509_CERTS_MAX], crl_spans[X509_CRLS_MAX];
	struct attest_snp in = { .certs = cert_spans,
				 .crls = crl_spans,
				 .product = attest_arg(run, "product", 0) };
	const bool bundle = attest_arg(run, "evidence", 0);
	int r = attest_arg_file(run, "report", 0, &report);

	if (r == CLI_OK && (bundle == !!attest_arg(run, "report", 0) || (!bundle && !attest_arg(run, "cert", 0))))
		r = attest_usage("--provider snp needs --evidence, or --report and --cert");
	if (r == CLI_OK && in.product && !known_product(in.product))
		r = attest_usage("--product %s: milan, genoa and turin are known", in.product);
	if (r == CLI_OK)
		r = attest_arg_expect(run, "report-data", 64, true, &run->policy.snp.report_data);
	if (r == CLI_OK)
		r = attest_arg_expect(run, "measurement", 48, false, &run->policy.snp.measurements);
	for (; r == CLI_OK && in.n_certs < X509_CERTS_MAX && attest_arg(run, "cert", in.n_certs);
	     in.n_certs++) {
		r = attest_arg_file(run, "cert", in.n_certs, &certs[in.n_certs]);
		cert_spans[in.n_certs] = buf_span(&certs[in.n_certs]);
	}
	for (; r == CLI_OK && in.n_crls < X509_CRLS_MAX && attest_arg(run, "crl", in.n_crls);
	     in.n_crls++) {
		r = attest_arg_file(run, "crl", in.n_crls, &crls[in.n_crls]);
		crl_spans[in.n_crls] = buf_span(&crls[in.n_crls]);
	}
	in.report = buf_span(&report);
	if (r == CLI_OK && bundle)
		r = attest_judge_evidence(run, &(struct attest_azure){ .crls = crl_spans, .n_crls = in.n_crls },
					  in.n_certs ? cert_spans[0] : (struct span){ 0 });
	else if (r == CLI_OK && attest_verify_snp(&in, &run->policy, &run->result) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		r = CLI_FAILED;
	}
	for (unsigned i = 0; i < X509_CERTS_MAX; i++)
		buf_done(&certs[i]);
	for (unsigned i = 0; i < X509_CRLS_MAX; i++)
		buf_done(&crls[i]);
	return r;
}

const struct attest_verb attest_verb_snp = {
	.provider = "snp",
	.usage = "snp: --evidence FILE [--nonce HEX] [--cert FILE], or --report FILE --cert FILE...\n"
		 "     [--crl FILE]... [--product milan|genoa|turin]\n"
		 "     [--report-data HEX] [--measurement HEX]\n",
	.options = options,
	.judge = judge_snp,
};
