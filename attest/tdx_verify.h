/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TDX_VERIFY_H
#define TOLLGATE_ATTEST_TDX_VERIFY_H

#include "attest/attest_verify.h"
#include "attest/tdx_collateral.h"
#include "attest/tdx_pck.h"
#include "attest/tdx_quote.h"
#include "attest/tdx_tcb.h"

/* One verification under way; shared by the files that do it. */
struct tdx_check {
	struct attest_result *res;
	const struct tdx_policy *policy;
	const struct x509_certs *roots;
	struct tdx_quote quote;
	struct tdx_collateral collateral;
	struct x509_certs chain; /* of the PCK certificate, verified */
	bool have_pck;
	struct tdx_pck pck;
	bool have_qe;
	enum tdx_status qe_status;
	const struct tdx_level *qe_level;
	/* The statements in use, verified; doc is NULL where there is none. */
	struct tdx_tcb_info tcb_info;
	struct tdx_qe_identity qe_identity;
};

/* The quoting enclave, TCB information and what follows. 0 or -ENOMEM. */
int tdx_check_collateral(struct tdx_check *c);
/* What the policy says of the TD. */
void tdx_check_policy(struct tdx_check *c, struct span event_log);

#endif
