/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_TDX_H
#define TOLLGATE_ATTEST_POLICY_TDX_H

#include "attest/policy_types.h"

/* The words of Intel's TCB information, best first; converging keeps the worst. */
enum tdx_status {
	TDX_UP_TO_DATE,
	TDX_SW_HARDENING_NEEDED,
	TDX_CONFIGURATION_NEEDED,
	TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED,
	TDX_RELAUNCH_ADVISED,
	TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
	TDX_OUT_OF_DATE,
	TDX_OUT_OF_DATE_CONFIGURATION_NEEDED,
	TDX_REVOKED,
	TDX_NOT_SUPPORTED, /* no level fits: never in a file */
};
#define TDX_STATUSES_ACCEPTABLE TDX_REVOKED /* statuses below this may be accepted by a policy */
extern const char *const tdx_status_words[]; /* NULL-terminated, in the order of the enum */

/* Section "tdx". Defaults are zero and not given, but for those named here. */
struct tdx_policy {
	struct policy_set report_data, mrtd, rtmr0, rtmr1, rtmr2, rtmr3;
	struct policy_set mrseam, mrconfigid, mrowner, mrownerconfig;
	struct policy_set mrservicetd; /* not given: must be zero */
	struct policy_set ppids, deny_ppids; /* 16 bytes, of the PCK certificate */
	struct policy_set platforms, deny_platforms; /* platform instance ids, 16 bytes */
	struct policy_set fmspcs, deny_fmspcs; /* 6 bytes */
	uint32_t tcb_statuses; /* bits by enum tdx_status; default UpToDate alone */
	struct policy_texts accept_advisories; /* given: any other advisory refuses */
	struct policy_texts deny_advisories;
	uint32_t min_tcb_evaluation;
	bool allow_debug, allow_sept_ve; /* SEPT_VE_DISABLE may be clear */
	struct policy_set xfam; /* 8 bytes as in the quote; several may be listed */
};

extern const struct policy_key tdx_policy_keys[];
void tdx_policy_defaults(struct tdx_policy *p);
void tdx_policy_done(struct tdx_policy *p);

#endif
