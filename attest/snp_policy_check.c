// SPDX-License-Identifier: Apache-2.0
/*
 * An SEV-SNP report against a policy: guest policy bits, firmware, floors, lists and expected values.
 */
#include "attest/snp_verify.h"

#include "attest/bytes.h"
#include "attest/expect.h"

static bool version_at_least(const struct snp_version *a, const struct snp_version *b)
{
	return (a->major << 16 | a->minor << 8 | a->build) >=
	       (b->major << 16 | b->minor << 8 | b->build);
}

/* Committed firmware cannot be rolled back; what runs beyond it can. */
static void check_firmware(struct snp_check *c)
{
	const struct snp_report *r = &c->report;
	bool same = snp_tcb_equal(&c->committed, &c->current) &&
		    version_at_least(&r->committed, &r->current);

	if (!snp_tcb_at_least(&c->committed, &c->reported) ||
	    !snp_tcb_at_least(&c->current, &c->committed) ||
	    !version_at_least(&r->current, &r->committed))
		attest_fail(c->res, "snp.firmware", "order",
			    "reported, committed and current TCB do not rise");
	else if (same)
		attest_pass(c->res, "snp.firmware", "committed",
			    "the firmware that runs is committed");
	else if (c->policy->allow_provisional_firmware)
		attest_pass(c->res, "snp.firmware", "provisional-allowed",
			    "firmware runs that is not committed");
	else
		attest_unmet(c->res, "snp.firmware", "provisional",
			     "what runs may be rolled back (allow_provisional_firmware)");
}

void snp_check_tcb_policy(struct snp_check *c)
{
	const struct snp_tcb none = { 0 }, *min = &c->policy->minimum_tcb[c->product];
	char a[SNP_TCB_TEXT], b[SNP_TCB_TEXT];

	json_out_member_str(&c->res->claims, "reported_tcb",
			    snp_tcb_text(&c->reported, c->product, a));
	json_out_member_str(&c->res->claims, "committed_tcb",
			    snp_tcb_text(&c->committed, c->product, a));
	json_out_member_str(&c->res->claims, "current_tcb",
			    snp_tcb_text(&c->current, c->product, a));
	json_out_member_str(&c->res->claims, "launch_tcb", snp_tcb_text(&c->launch, c->product, a));
	check_firmware(c);
	if (snp_tcb_equal(min, &none)) {
		attest_skipped(c->res, "snp.minimum_tcb", "no-expectation",
			       "no minimum is given for a %s", snp_product_words[c->product]);
		return;
	}
	snp_tcb_text(min, c->product, b);
	if (!snp_tcb_at_least(&c->reported, min))
		attest_fail(c->res, "snp.minimum_tcb", "below", "reported %s; at least %s",
			    snp_tcb_text(&c->reported, c->product, a), b);
	else if (!snp_tcb_at_least(&c->launch, min))
		attest_fail(c->res, "snp.minimum_tcb", "below", "launched under %s; at least %s",
			    snp_tcb_text(&c->launch, c->product, a), b);
	else
		attest_pass(c->res, "snp.minimum_tcb", "reached", "at least %s", b);
}

/* A VLEK is a provider's: any provider has one, so whose it is matters more than that it is one. */
static void check_provider(struct snp_check *c)
{
	const struct policy_texts *allow = &c->policy->csp_ids;
	const struct span id = c->cert.csp_id;
	bool allowed = false;

	if (c->report.key != SNP_KEY_VLEK)
		return;
	json_out_member_span(&c->res->claims, "csp_id", id);
	for (unsigned i = 0; i < allow->n; i++)
		allowed |= span_is(id, allow->text[i]);
	if (!allow->given)
		attest_skipped(c->res, "snp.csp", "no-expectation", "no list is given; it is %.*s",
			       (int)id.n, id.p ? id.p : "");
	else
		attest_check(c->res, allowed, "snp.csp", allowed ? "allowed" : "not-allowed",
			     "the key is %.*s's", (int)id.n, id.p ? id.p : "");
}

void snp_check_product_policy(struct snp_check *c)
{
	const uint32_t bit = 1u << c->product;

	check_provider(c);
	if (c->policy->deny_products & bit)
		attest_fail(c->res, "snp.product", "denied", "%s is denied by the policy",
			    snp_product_words[c->product]);
	else if (!(c->policy->products & bit))
		attest_fail(c->res, "snp.product", "not-allowed", "%s is not allowed by the policy",
			    snp_product_words[c->product]);
	else
		attest_pass(c->res, "snp.product", "allowed", "%s", snp_product_words[c->product]);
}

static void check_policy_bits(struct snp_check *c)
{
	const uint64_t policy = c->report.policy;
	const uint64_t set = (uint64_t)c->policy->policy_set << 16,
		       clear = (uint64_t)c->policy->policy_clear << 16;

	if (!(policy & SNP_POLICY_RESERVED_ONE))
		attest_fail(c->res, "snp.policy", "reserved-clear", "bit 17 of POLICY must be one");
	else if ((policy & set) != set || policy & clear)
		attest_fail(c->res, "snp.policy", "bits",
			    "POLICY 0x%llx has other bits than policy_set and policy_clear say",
			    (unsigned long long)policy);
	else if (policy & ~SNP_POLICY_KNOWN)
		attest_unmet(c->res, "snp.policy", "unknown-bits",
			     "POLICY 0x%llx has bits whose meaning is not known",
			     (unsigned long long)policy);
	else
		attest_pass(c->res, "snp.policy", "bits", "POLICY 0x%llx",
			    (unsigned long long)policy);
	attest_check(c->res, !(policy & SNP_POLICY_DEBUG) || c->policy->allow_debug, "snp.debug",
		     policy & SNP_POLICY_DEBUG ? "debug" : "no-debug", "%s",
		     policy & SNP_POLICY_DEBUG ?
			     "the host may read and write the guest's memory (DEBUG is set)" :
			     "the host may not debug the guest");
	attest_check(c->res, !(policy & SNP_POLICY_MIGRATE_MA) || c->policy->allow_migration,
		     "snp.migration",
		     policy & SNP_POLICY_MIGRATE_MA ? "migration-agent" : "no-migration", "%s",
		     policy & SNP_POLICY_MIGRATE_MA ? "a migration agent may move the guest" :
						      "no migration agent may move the guest");
	attest_check(c->res, !(policy & SNP_POLICY_SMT) || !c->policy->forbid_smt, "snp.smt",
		     policy & SNP_POLICY_SMT ? "smt-allowed" : "no-smt", "%s",
		     policy & SNP_POLICY_SMT ? "the guest may run on a host with SMT" :
					       "SMT is refused");
	attest_check(c->res, policy & SNP_POLICY_SINGLE_SOCKET || !c->policy->require_single_socket,
		     "snp.single_socket",
		     policy & SNP_POLICY_SINGLE_SOCKET ? "single-socket" : "any-socket", "%s",
		     policy & SNP_POLICY_SINGLE_SOCKET ? "one socket only" :
							 "more sockets are allowed");
}

static void check_abi(struct snp_check *c)
{
	const unsigned minor = c->report.policy & 0xff, major = c->report.policy >> 8 & 0xff;
	const unsigned min_major = c->policy->min_abi_major, min_minor = c->policy->min_abi_minor;

	if (min_major == 0 && min_minor == 0)
		attest_skipped(c->res, "snp.abi", "no-expectation",
			       "the guest demands ABI %u.%u or later", major, minor);
	else
		attest_check(c->res,
			     major > min_major || (major == min_major && minor >= min_minor),
			     "snp.abi", "demanded-abi",
			     "the guest demands ABI %u.%u, the policy %u.%u", major, minor,
			     min_major, min_minor);
}

static void check_vmpl(struct snp_check *c)
{
	const uint32_t vmpl = c->report.vmpl, max = c->policy->max_vmpl;

	if (vmpl > 3)
		attest_fail(c->res, "snp.vmpl", "not-from-guest",
			    "VMPL 0x%x: the host, not the guest, asked for it", vmpl);
	else if (max == SNP_VMPL_UNSET && vmpl > 0)
		attest_unmet(c->res, "snp.vmpl", "above-zero",
			     "asked for at VMPL %u, under other guest software (max_vmpl)", vmpl);
	else
		attest_check(c->res, max == SNP_VMPL_UNSET || vmpl <= max, "snp.vmpl", "vmpl",
			     "asked for at VMPL %u", vmpl);
}

static void check_platform(struct snp_check *c)
{
	const uint64_t info = c->report.platform_info;
	const uint32_t set = c->policy->platform_set, clear = c->policy->platform_clear;

	if (!set && !clear)
		attest_skipped(c->res, "snp.platform_info", "no-expectation",
			       "PLATFORM_INFO is 0x%llx", (unsigned long long)info);
	else
		attest_check(c->res, (info & set) == set && !(info & clear), "snp.platform_info",
			     "bits", "PLATFORM_INFO 0x%llx; 0x%x must be set, 0x%x clear",
			     (unsigned long long)info, set, clear);
}

/* A signer's key is named only where an ID block was given at launch; an author only where it says so. */
static void check_identity(struct snp_check *c)
{
	const struct snp_report *r = &c->report;
	const struct snp_policy *p = c->policy;

	attest_expect(c->res, "snp.measurement", &p->measurements, r->measurement, true);
	attest_expect(c->res, "snp.host_data", &p->host_data, r->host_data, false);
	attest_expect(c->res, "snp.family_id", &p->family_ids, r->family_id, false);
	attest_expect(c->res, "snp.image_id", &p->image_ids, r->image_id, false);
	attest_expect(c->res, "snp.id_key", &p->id_key_digests, r->id_key_digest, false);
	if (p->author_key_digests.given && !r->author_key)
		attest_fail(c->res, "snp.author_key", "no-author-key",
			    "the report names no author key (AUTHOR_KEY_EN)");
	else
		attest_expect(c->res, "snp.author_key", &p->author_key_digests,
			      r->author_key_digest, false);
	if (p->min_guest_svn == 0)
		attest_skipped(c->res, "snp.guest_svn", "no-expectation", "it is %u", r->guest_svn);
	else
		attest_check(c->res, r->guest_svn >= p->min_guest_svn, "snp.guest_svn", "guest-svn",
			     "%u; at least %u", r->guest_svn, p->min_guest_svn);
}

void snp_check_guest_policy(struct snp_check *c)
{
	const bool named = c->report.key == SNP_KEY_VCEK && !bytes_all_zero(c->report.chip_id);

	check_policy_bits(c);
	check_abi(c);
	check_vmpl(c);
	check_platform(c);
	check_identity(c);
	attest_check(c->res, c->policy->signing_keys >> c->report.key & 1, "snp.signing_key",
		     c->report.key == SNP_KEY_VLEK ? "vlek" : "vcek", "signed by a %s",
		     c->report.key == SNP_KEY_VLEK ? "provider's key (VLEK)" : "chip's key (VCEK)");
	attest_expect_listed(c->res, "snp.chip_list", &c->policy->chips, &c->policy->deny_chips,
			     named ? c->report.chip_id : (struct span){ 0 });
	attest_expect(c->res, "snp.report_data", &c->policy->report_data, c->report.report_data,
		      true);
}
