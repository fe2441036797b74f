// SPDX-License-Identifier: Apache-2.0
/*
 * The "tdx" section of a verifier's policy.
 */
#include "attest/policy_tdx.h"

#define AT(m) offsetof(struct tdx_policy, m)

const char *const tdx_status_words[] = {
	[TDX_UP_TO_DATE] = "UpToDate",
	[TDX_SW_HARDENING_NEEDED] = "SWHardeningNeeded",
	[TDX_CONFIGURATION_NEEDED] = "ConfigurationNeeded",
	[TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED] = "ConfigurationAndSWHardeningNeeded",
	[TDX_RELAUNCH_ADVISED] = "TDRelaunchAdvised",
	[TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED] = "TDRelaunchAdvisedConfigurationNeeded",
	[TDX_OUT_OF_DATE] = "OutOfDate",
	[TDX_OUT_OF_DATE_CONFIGURATION_NEEDED] = "OutOfDateConfigurationNeeded",
	[TDX_REVOKED] = "Revoked",
	[TDX_NOT_SUPPORTED] = "NotSupported",
	NULL,
};

/* Those that a policy may accept: revoked and unknown levels are not among them. */
static const char *const acceptable_words[] = {
	"UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded",
	"TDRelaunchAdvised", "TDRelaunchAdvisedConfigurationNeeded", "OutOfDate", "OutOfDateConfigurationNeeded",
	NULL,
};

const struct policy_key tdx_policy_keys[] = {
	{ .name = "report_data", .kind = POLICY_SET, .offset = AT(report_data), .max = 64 },
	{ .name = "mrtd", .kind = POLICY_SET, .offset = AT(mrtd), .max = 48 },
	{ .name = "rtmr0", .kind = POLICY_SET, .offset = AT(rtmr0), .max = 48 },
	{ .name = "rtmr1", .kind = POLICY_SET, .offset = AT(rtmr1), .max = 48 },
	{ .name = "rtmr2", .kind = POLICY_SET, .offset = AT(rtmr2), .max = 48 },
	{ .name = "rtmr3", .kind = POLICY_SET, .offset = AT(rtmr3), .max = 48 },
	{ .name = "mrseam", .kind = POLICY_SET, .offset = AT(mrseam), .max = 48 },
	{ .name = "mrconfigid", .kind = POLICY_SET, .offset = AT(mrconfigid), .max = 48 },
	{ .name = "mrowner", .kind = POLICY_SET, .offset = AT(mrowner), .max = 48 },
	{ .name = "mrownerconfig", .kind = POLICY_SET, .offset = AT(mrownerconfig), .max = 48 },
	{ .name = "mrservicetd", .kind = POLICY_SET, .offset = AT(mrservicetd), .max = 48 },
	{ .name = "ppids", .kind = POLICY_SET, .offset = AT(ppids), .max = 16 },
	{ .name = "deny_ppids", .kind = POLICY_SET, .offset = AT(deny_ppids), .max = 16 },
	{ .name = "platforms", .kind = POLICY_SET, .offset = AT(platforms), .max = 16 },
	{ .name = "deny_platforms", .kind = POLICY_SET, .offset = AT(deny_platforms), .max = 16 },
	{ .name = "fmspcs", .kind = POLICY_SET, .offset = AT(fmspcs), .max = 6 },
	{ .name = "deny_fmspcs", .kind = POLICY_SET, .offset = AT(deny_fmspcs), .max = 6 },
	{ .name = "tcb_statuses", .kind = POLICY_WORDS, .offset = AT(tcb_statuses), .words = acceptable_words },
	{ .name = "accept_advisories", .kind = POLICY_TEXTS, .offset = AT(accept_advisories) },
	{ .name = "deny_advisories", .kind = POLICY_TEXTS, .offset = AT(deny_advisories) },
	{ .name = "min_tcb_evaluation", .kind = POLICY_UINT, .offset = AT(min_tcb_evaluation), .max = UINT32_MAX },
	{ .name = "allow_debug", .kind = POLICY_BOOL, .offset = AT(allow_debug) },
	{ .name = "allow_sept_ve", .kind = POLICY_BOOL, .offset = AT(allow_sept_ve) },
	{ .name = "xfam", .kind = POLICY_SET, .offset = AT(xfam), .max = 8 },
	{ 0 },
};

void tdx_policy_defaults(struct tdx_policy *p)
{
	*p = (struct tdx_policy){ .tcb_statuses = 1u << TDX_UP_TO_DATE };
}

void tdx_policy_done(struct tdx_policy *p)
{
	struct policy_set *sets[] = {
		&p->report_data, &p->mrtd, &p->rtmr0, &p->rtmr1, &p->rtmr2, &p->rtmr3, &p->mrseam,
		&p->mrconfigid, &p->mrowner, &p->mrownerconfig, &p->mrservicetd, &p->ppids, &p->deny_ppids,
		&p->platforms, &p->deny_platforms, &p->fmspcs, &p->deny_fmspcs, &p->xfam,
	};

	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		policy_set_done(sets[i]);
	policy_texts_done(&p->accept_advisories);
	policy_texts_done(&p->deny_advisories);
}
