// SPDX-License-Identifier: Apache-2.0
/*
 * A TDX quote against a policy: what the TD may do, what it measured, where it runs.
 */
#include "attest/tdx_verify.h"

#include <errno.h>
#include <string.h>

#include "attest/bytes.h"
#include "attest/eventlog.h"
#include "attest/expect.h"

#define CCEL_FIRST_RTMR 1 /* register 0 of a CC event log is MRTD */

static void check_attributes(struct tdx_check *c)
{
	const uint64_t a = c->quote.td_attributes;

	attest_check(c->res,
		     !(a & TDX_ATTR_UNTRUSTED) ||
			     (c->policy->allow_debug && (a & 0xff) == TDX_ATTR_DEBUG),
		     "tdx.debug", a & TDX_ATTR_UNTRUSTED ? "debug" : "no-debug", "%s",
		     a & TDX_ATTR_UNTRUSTED ?
			     "the host may read the TD's memory (TDATTRIBUTES.TUD is set)" :
			     "the host may not debug the TD");
	if (a & TDX_ATTR_SEPT_VE_DISABLE)
		attest_pass(c->res, "tdx.sept_ve", "disabled",
			    "removed pages are fatal, not an exception to the TD");
	else if (c->policy->allow_sept_ve)
		attest_pass(c->res, "tdx.sept_ve", "allowed",
			    "SEPT_VE_DISABLE is clear, which the policy allows");
	else
		attest_unmet(c->res, "tdx.sept_ve", "enabled",
			     "the host can raise exceptions in the TD (allow_sept_ve)");
	if (a & TDX_ATTR_MIGRATABLE && !c->policy->mrservicetd.given)
		attest_unmet(c->res, "tdx.td_attributes", "migratable",
			     "a service TD can migrate it that the policy does not name");
	else if (a & ~(TDX_ATTR_KNOWN | TDX_ATTR_UNTRUSTED))
		attest_unmet(c->res, "tdx.td_attributes", "unknown-bits",
			     "TDATTRIBUTES 0x%llx has bits that are not known",
			     (unsigned long long)a);
	else
		attest_pass(c->res, "tdx.td_attributes", "known-bits", "TDATTRIBUTES 0x%llx",
			    (unsigned long long)a);
}

static void check_service_td(struct tdx_check *c)
{
	const struct span m = c->quote.mrservicetd;

	if (m.n == 0)
		attest_skipped(c->res, "tdx.mrservicetd", "not-in-body",
			       "a TD report 1.0 does not name service TDs");
	else if (c->policy->mrservicetd.given)
		attest_expect(c->res, "tdx.mrservicetd", &c->policy->mrservicetd, m, true);
	else
		attest_check(c->res, bytes_all_zero(m), "tdx.mrservicetd",
			     bytes_all_zero(m) ? "none" : "unexpected", "%s",
			     bytes_all_zero(m) ?
				     "no service TD is bound" :
				     "a service TD is bound that the policy does not name");
}

/* Every register must come out as quoted: a register that the log leaves alone must be zero, and events
 * that another did not explain would show as a difference. */
static void check_event_log(struct tdx_check *c, struct span log)
{
	struct eventlog_replay rep;
	int r;

	if (log.n == 0) {
		attest_skipped(c->res, "tdx.event_log", "no-log", "no event log is given");
		return;
	}
	r = eventlog_replay(log, TPM_HASH_SHA384, &rep);
	if (r < 0) {
		attest_fail(c->res, "tdx.event_log", "malformed", "%s",
			    r == -ENOENT ? "the event log has no SHA-384 digests" :
					   "the event log is malformed");
		return;
	}
	for (unsigned i = 0; i < TDX_RTMRS; i++)
		if (memcmp(rep.reg[i + CCEL_FIRST_RTMR], c->quote.rtmr[i].p, c->quote.rtmr[i].n) !=
		    0) {
			attest_fail(c->res, "tdx.event_log", "replay-differs",
				    "its events do not lead to RTMR%u", i);
			return;
		}
	for (unsigned i = TDX_RTMRS + CCEL_FIRST_RTMR; i < EVENTLOG_REGISTERS; i++)
		if (rep.mask >> i & 1) {
			attest_fail(c->res, "tdx.event_log", "unknown-register",
				    "it speaks of register %u, which no TD has", i);
			return;
		}
	attest_pass(c->res, "tdx.event_log", "replayed", "%u events lead to all four RTMRs",
		    rep.events);
	attest_check(c->res, rep.false_data == 0, "tdx.event_data",
		     rep.false_data ? "altered" : "covered",
		     "digest covers data: %u events; is of something else: %u; is false: %u",
		     rep.covered, rep.unproven, rep.false_data);
}

void tdx_check_policy(struct tdx_check *c, struct span event_log)
{
	const struct tdx_policy *p = c->policy;
	const struct tdx_quote *q = &c->quote;
	const struct span none = { 0 };

	check_attributes(c);
	check_service_td(c);
	attest_check(c->res, bytes_all_zero(q->mrsignerseam), "tdx.mrsignerseam",
		     bytes_all_zero(q->mrsignerseam) ? "intel" : "not-intel",
		     "the signer of the TDX module is %s",
		     bytes_all_zero(q->mrsignerseam) ? "Intel (zero)" : "not Intel");
	attest_expect(c->res, "tdx.mrtd", &p->mrtd, q->mrtd, true);
	attest_expect(c->res, "tdx.rtmr0", &p->rtmr0, q->rtmr[0], true);
	attest_expect(c->res, "tdx.rtmr1", &p->rtmr1, q->rtmr[1], true);
	attest_expect(c->res, "tdx.rtmr2", &p->rtmr2, q->rtmr[2], true);
	attest_expect(c->res, "tdx.rtmr3", &p->rtmr3, q->rtmr[3], false);
	attest_expect(c->res, "tdx.mrseam", &p->mrseam, q->mrseam, false);
	attest_expect(c->res, "tdx.mrconfigid", &p->mrconfigid, q->mrconfigid, false);
	attest_expect(c->res, "tdx.mrowner", &p->mrowner, q->mrowner, false);
	attest_expect(c->res, "tdx.mrownerconfig", &p->mrownerconfig, q->mrownerconfig, false);
	attest_expect(c->res, "tdx.xfam", &p->xfam, q->xfam, false);
	attest_expect(c->res, "tdx.report_data", &p->report_data, q->report_data, true);
	attest_expect_listed(c->res, "tdx.ppid", &p->ppids, &p->deny_ppids,
			     c->have_pck ? c->pck.ppid : none);
	attest_expect_listed(c->res, "tdx.platform", &p->platforms, &p->deny_platforms,
			     c->have_pck ? c->pck.platform_instance : none);
	attest_expect_listed(c->res, "tdx.fmspc", &p->fmspcs, &p->deny_fmspcs,
			     c->have_pck ? c->pck.fmspc : none);
	check_event_log(c, event_log);
}
