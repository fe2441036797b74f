// SPDX-License-Identifier: Apache-2.0
/* Collateral of any kind: no fault; the bytes that a signature would cover are JSON by themselves, and a
 * judgement over what they say is one of the words there are. */
#include <stdint.h>
#include <stdlib.h>

#include "attest/tdx_collateral.h"

static void judge(const struct tdx_statement *s, const uint8_t *data, size_t size)
{
	struct tdx_pck pck = { .pcesvn = size ? data[0] : 0 };
	struct span svn = { (const char *)data, TDX_SVN_SIZE };
	struct tdx_tcb_info t = { 0 };

	if (tdx_tcb_info_parse(s->body, &t) < 0)
		return;
	for (unsigned i = 0; i < 16; i++)
		pck.svn[i] = data[size - 1 - i];
	if (tdx_judge(&t, &pck, svn, TDX_UP_TO_DATE).status > TDX_NOT_SUPPORTED)
		abort();
	tdx_tcb_info_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tdx_collateral c = { 0 };
	struct tdx_qe_identity q = { 0 };

	(void)tdx_collateral_add(&c, (struct span){ (const char *)data, size });
	for (unsigned i = 0; i < c.n_tcb_info; i++) {
		struct span body = c.tcb_info[i].body;

		if (c.n_bundles == 0 && (body.p[0] != '{' && body.p[0] != '['))
			abort();
		if (size >= TDX_SVN_SIZE)
			judge(&c.tcb_info[i], data, size);
	}
	for (unsigned i = 0; i < c.n_qe_identity; i++)
		if (tdx_qe_identity_parse(c.qe_identity[i].body, &q) == 0)
			tdx_qe_identity_done(&q);
	tdx_collateral_done(&c);
	return 0;
}
