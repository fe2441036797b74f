// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest verify --provider azure: evidence of an Azure confidential guest.
 */
#include <stdio.h>

#include "attest/azure_verify.h"
#include "user/base/cleanup.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"

#define COLLATERAL_FILES_MAX 16

static const struct attest_option options[] = {
	{ "evidence", true, false },
	{ "nonce", false, false },
	{ "proof", false, false },
	{ "crl", false, true },
	{ "collateral", false, true },
	{ 0 },
};

/* Each file that a repeated option names; n counts what must be given back. */
static int read_all(const struct attest_run *run, const char *option, struct buf *bufs, struct span *spans,
		    unsigned max, unsigned *n)
{
	int r = CLI_OK;

	for (; r == CLI_OK && attest_arg(run, option, *n); (*n)++) {
		if (*n == max)
			return attest_usage("more than %u times --%s", max, option);
		r = attest_arg_file(run, option, *n, &bufs[*n]);
		spans[*n] = buf_span(&bufs[*n]);
	}
	return r;
}

static int judge_azure(struct attest_run *run)
{
	struct buf crls[X509_CRLS_MAX] = { 0 }, collateral[COLLATERAL_FILES_MAX] = { 0 };
	struct span crl_spans[X509_CRLS_MAX], collateral_spans[COLLATERAL_FILES_MAX];
	struct attest_azure in = { .crls = crl_spans, .collateral = collateral_spans };
	_cleanup_buf_ struct buf evidence = { 0 }, proof = { 0 };
	struct attest_nonce nonce = { 0 };
	bool own = false;
	int r = attest_arg_nonce(run, &nonce);

	if (r == CLI_OK)
		r = attest_arg_file(run, "evidence", 0, &evidence);
	if (r == CLI_OK)
		r = attest_arg_file(run, "proof", 0, &proof);
	if (r == CLI_OK)
		r = read_all(run, "crl", crls, crl_spans, X509_CRLS_MAX, &in.n_crls);
	if (r == CLI_OK)
		r = read_all(run, "collateral", collateral, collateral_spans, COLLATERAL_FILES_MAX,
			     &in.n_collateral);
	if (r == CLI_OK)
		r = attest_judge_bundle(run, buf_span(&evidence), &in, buf_span(&proof), &own);
	in.evidence = buf_span(&evidence);
	in.nonce = (struct span){ (const char *)nonce.bytes, nonce.n };
	in.have_nonce = nonce.given;
	if (r == CLI_OK && !own && attest_verify_azure(&in, &run->policy, &run->result) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		r = CLI_FAILED;
	}
	for (unsigned i = 0; i < X509_CRLS_MAX; i++)
		buf_done(&crls[i]);
	for (unsigned i = 0; i < COLLATERAL_FILES_MAX; i++)
		buf_done(&collateral[i]);
	return r;
}

const struct attest_verb attest_verb_azure = {
	.provider = "azure",
	.usage = "azure: --evidence FILE [--nonce HEX] [--crl FILE]... [--collateral FILE]... [--proof FILE]\n",
	.options = options,
	.judge = judge_azure,
};
