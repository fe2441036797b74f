/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TDX_COLLATERAL_H
#define TOLLGATE_ATTEST_TDX_COLLATERAL_H

#include "attest/tdx_tcb.h"
#include "attest/x509.h"
#include "user/base/buf.h"

/* What was handed over beside a quote, sorted by kind. Nothing in it is verified yet. */
#define TDX_STATEMENTS_MAX 16

struct tdx_collateral {
	struct tdx_statement tcb_info[TDX_STATEMENTS_MAX], qe_identity[TDX_STATEMENTS_MAX];
	unsigned n_tcb_info, n_qe_identity;
	struct x509_certs certs;
	struct x509_crls crls;
	json_t *bundles[TDX_STATEMENTS_MAX]; /* own the text of statements that were strings */
	unsigned n_bundles;
};

/* Adds one file. 0; -EBADMSG when it is of no kind that is known or is malformed, -EMSGSIZE when there is
 * too much of a kind, -ENOMEM. The input must outlive the collateral. */
int tdx_collateral_add(struct tdx_collateral *c, struct span in);
void tdx_collateral_done(struct tdx_collateral *c);

#endif
