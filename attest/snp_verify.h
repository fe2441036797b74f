/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_SNP_VERIFY_H
#define TOLLGATE_ATTEST_SNP_VERIFY_H

#include "attest/attest_verify.h"
#include "attest/snp_cert.h"
#include "attest/snp_report.h"

/* One verification under way; shared by the two files that do it. */
struct snp_check {
	struct attest_result *res;
	const struct snp_policy *policy;
	struct snp_report report;
	X509 *leaf; /* borrowed */
	struct snp_cert cert;
	enum snp_product product;
	struct snp_tcb reported, committed, current, launch;
};

/* What needs the product and the TCBs. */
void snp_check_tcb_policy(struct snp_check *c);
void snp_check_product_policy(struct snp_check *c);
/* What stands in the report alone. */
void snp_check_guest_policy(struct snp_check *c);

#endif
