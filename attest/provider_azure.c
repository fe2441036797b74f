// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence from Azure's virtual TPM: the paravisor's report, which silicon signed, and a quote by the key
 * that the report binds.
 */
#include <errno.h>

#include "attest/azure_hcl.h"
#include "attest/provider.h"
#include "attest/tpm_device.h"

/* *ret, set also on failure, is given back with attest_tpm_close(). */
static int read_hcl(const struct attest_config *c, struct tpm_dev **ret, struct buf *hcl)
{
	struct azure_hcl h;
	int r = attest_tpm_open(c, ret);

	if (r == 0)
		r = tpm_nv_read(*ret, TPM_INDEX_AZURE_HCL, hcl);
	return r < 0 ? r : azure_hcl_parse(buf_span(hcl), &h);
}

static bool azure_present(const struct attest_config *c)
{
	_cleanup_buf_ struct buf hcl = { 0 };
	struct tpm_dev *d = NULL;
	int r = read_hcl(c, &d, &hcl);

	attest_tpm_close(c, d);
	return r == 0;
}

static int azure_collect(const struct attest_config *c, const struct attest_digests *bound,
			 struct attest_evidence *e)
{
	const struct span qualifying = { (const char *)bound->sha256, sizeof(bound->sha256) };
	struct buf *hcl = attest_evidence_add(e, "hcl_report"), *public = attest_evidence_add(e, "ak_public");
	struct buf *quote = attest_evidence_add(e, "quote"), *signature = attest_evidence_add(e, "signature");
	struct buf *pcrs = attest_evidence_add(e, "pcrs");
	struct tpm_dev *d = NULL;
	struct tpm_key ak = { 0 };
	int r = hcl && public && quote && signature && pcrs ? read_hcl(c, &d, hcl) : -ENOSPC;

	if (r == 0)
		r = tpm_key_persistent(d, TPM_HANDLE_AZURE_AK, &ak, public);
	if (r == 0)
		r = tpm_quote_make(d, &ak, TPM_QUOTE_MASK, qualifying, quote, signature, pcrs);
	tpm_key_done(&ak);
	attest_tpm_close(c, d);
	return r;
}

/* LIMIT: the chip's certificate, or for TDX the quote made of the TD report, comes from the host's metadata
 * service; a node that does not reach out leaves it to whoever verifies. */
const struct attest_provider attest_azure = {
	.name = "azure",
	.class = ATTEST_HARDWARE,
	.present = azure_present,
	.collect = azure_collect,
};
