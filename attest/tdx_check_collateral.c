// SPDX-License-Identifier: Apache-2.0
/*
 * A TDX quote against Intel's statements: are they Intel's, do they speak of this platform, are they in
 * force, and what status follows from them.
 */
#include "attest/tdx_verify.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <string.h>

#include "user/base/clock.h"

/* The signer of statements that this collateral brings and that chains to the root; NULL with a finding
 * when there is none. */
static int find_signer(struct tdx_check *c, const char *field, X509 **ret)
{
	const struct tdx_collateral *col = &c->collateral;
	const char *why = "no certificate of Intel SGX TCB Signing is given";
	struct x509_trust t = {
		.roots = c->roots, .untrusted = &col->certs, .at = c->res->at, .strict = true
	};
	int r = -EKEYREJECTED;

	for (unsigned i = 0; i < col->certs.n && r == -EKEYREJECTED; i++) {
		X509 *x = col->certs.cert[i];

		if (!x509_cn_is(X509_get_subject_name(x), "Intel SGX TCB Signing"))
			continue;
		t.crls = col->crls.n ? &col->crls : NULL;
		r = x509_verify(x, &t, NULL, &why);
		/* That a list is not there is told where the chain is checked. */
		if (r == -EKEYREJECTED && x509_lacks_crl(why)) {
			t.crls = NULL;
			r = x509_verify(x, &t, NULL, &why);
		}
		if (r == 0)
			*ret = x;
	}
	if (r == -EKEYREJECTED)
		attest_fail(c->res, field, "no-signer",
			    "its signer does not chain to Intel's root at that time: %s", why);
	return r;
}

static int check_statement(struct tdx_check *c, const struct tdx_statement *s, const char *field)
{
	X509 *signer = NULL;
	int r = find_signer(c, field, &signer);

	if (r < 0)
		return r;
	r = x509_key_is_ec(X509_get0_pubkey(signer), NID_X9_62_prime256v1) ?
		    x509_ecdsa_verify(X509_get0_pubkey(signer), EVP_sha256(), s->body, s->signature,
				      s->signature + 32, 32) :
		    -EKEYREJECTED;
	if (r == -EKEYREJECTED)
		attest_fail(c->res, field, "bad-signature",
			    "its bytes are not those that Intel signed");
	return r;
}

static bool check_validity(struct tdx_check *c, const struct tdx_validity *v, const char *field)
{
	const uint32_t floor = c->policy->min_tcb_evaluation;
	char from[CLOCK_ISO_SIZE], to[CLOCK_ISO_SIZE];

	clock_iso((uint64_t)v->issued * 1000000000u, from);
	clock_iso((uint64_t)v->next * 1000000000u, to);
	if (c->res->at < v->issued || c->res->at >= v->next) {
		attest_fail(c->res, field, c->res->at < v->issued ? "not-yet-issued" : "stale",
			    "issued %.19sZ, the next was due %.19sZ", from, to);
		return false;
	}
	if (v->evaluation < floor) {
		attest_fail(c->res, field, "old-evaluation",
			    "evaluation %u; the policy wants at least %u", v->evaluation, floor);
		return false;
	}
	return true;
}

static bool masked_equal(struct span value, const uint8_t *mask, const uint8_t *want, size_t n)
{
	if (value.n != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (((uint8_t)value.p[i] & mask[i]) != (want[i] & mask[i]))
			return false;
	return true;
}

/* The statement about this platform among those given. Which it is, is read before its signature is
 * verified; all else that is used of it after. 1 found, 0 with a finding, or -ENOMEM. */
static int choose_tcb_info(struct tdx_check *c)
{
	const struct tdx_collateral *col = &c->collateral;
	unsigned found = 0, bad = 0, use = 0;

	for (unsigned i = 0; i < col->n_tcb_info; i++) {
		struct tdx_tcb_info t = { 0 };
		int r = tdx_tcb_info_parse(col->tcb_info[i].body, &t);

		bad += r == -EBADMSG;
		if (r == 0 && memcmp(t.fmspc, c->pck.fmspc.p, sizeof(t.fmspc)) == 0 && found++ == 0)
			use = i;
		tdx_tcb_info_done(&t);
	}
	if (found == 1) {
		int r = check_statement(c, &col->tcb_info[use], "tdx.tcb_info");

		if (r == 0)
			r = tdx_tcb_info_parse(col->tcb_info[use].body, &c->tcb_info);
		return r == 0 ? 1 : r == -ENOMEM ? r : 0;
	}
	if (col->n_tcb_info == 0)
		attest_unchecked(c->res, "tdx.tcb_info", "no-tcb-info",
				 "no TCB information is given");
	else if (found > 1)
		attest_fail(c->res, "tdx.tcb_info", "ambiguous",
			    "more than one statement is about this platform");
	else
		attest_fail(c->res, "tdx.tcb_info", bad ? "malformed" : "fmspc-mismatch",
			    bad ? "TCB information is malformed" :
				  "the TCB information is about other platforms");
	return 0;
}

static bool check_tcb_info(struct tdx_check *c)
{
	const struct tdx_tcb_info *t = &c->tcb_info;

	if (!check_validity(c, &t->validity, "tdx.tcb_info"))
		return false;
	if (memcmp(t->pceid, c->pck.pceid.p, sizeof(t->pceid)) != 0) {
		attest_fail(c->res, "tdx.tcb_info", "pceid-mismatch", "it is about another PCE");
		return false;
	}
	attest_pass(c->res, "tdx.tcb_info", "in-force",
		    "signed by Intel, about this platform, evaluation %u", t->validity.evaluation);
	json_out_member_int(&c->res->claims, "tcb_evaluation", t->validity.evaluation);
	return true;
}

static int choose_qe_identity(struct tdx_check *c)
{
	const struct tdx_collateral *col = &c->collateral;
	unsigned found = 0, bad = 0, use = 0;

	for (unsigned i = 0; i < col->n_qe_identity; i++) {
		struct tdx_qe_identity q = { 0 };
		int r = tdx_qe_identity_parse(col->qe_identity[i].body, &q);

		bad += r == -EBADMSG;
		if (r == 0 && found++ == 0)
			use = i;
		tdx_qe_identity_done(&q);
	}
	if (found == 1) {
		int r = check_statement(c, &col->qe_identity[use], "tdx.qe_identity");

		if (r == 0)
			r = tdx_qe_identity_parse(col->qe_identity[use].body, &c->qe_identity);
		return r == 0 ? 1 : r == -ENOMEM ? r : 0;
	}
	if (col->n_qe_identity == 0)
		attest_unchecked(c->res, "tdx.qe_identity", "no-qe-identity",
				 "no identity of the quoting enclave is given");
	else
		attest_fail(c->res, "tdx.qe_identity",
			    found ? "ambiguous" :
			    bad	  ? "malformed" :
				    "not-of-tdx",
			    "%s",
			    found ? "more than one identity is given" :
			    bad	  ? "the identity is malformed" :
				    "the identity is not that of the enclave for TDX");
	return 0;
}

static void check_qe_identity(struct tdx_check *c)
{
	const struct tdx_qe_identity *id = &c->qe_identity;
	struct tdx_qe_report qe;

	if (!check_validity(c, &id->validity, "tdx.qe_identity"))
		return;
	tdx_qe_report_parse(c->quote.qe_report, &qe);
	if (!masked_equal(qe.miscselect, id->miscselect_mask, id->miscselect, 4) ||
	    !masked_equal(qe.attributes, id->attributes_mask, id->attributes, 16) ||
	    memcmp(qe.mrsigner.p, id->mrsigner, sizeof(id->mrsigner)) != 0 ||
	    qe.isvprodid != id->isvprodid) {
		attest_fail(c->res, "tdx.qe_identity", "other-enclave",
			    "the quoting enclave is not the one that Intel names");
		return;
	}
	c->qe_level = tdx_level_by_isvsvn(&id->levels, qe.isvsvn);
	c->qe_status = c->qe_level ? c->qe_level->status : TDX_NOT_SUPPORTED;
	attest_check(c->res, c->qe_status < TDX_STATUSES_ACCEPTABLE, "tdx.qe_identity",
		     c->qe_level ? "intel-enclave" : "not-supported", "ISVSVN %u is %s", qe.isvsvn,
		     tdx_status_words[c->qe_status]);
}

/* The module in SEAM mode is the one that Intel signs: by signer and attributes. */
static void check_module(struct tdx_check *c)
{
	const struct tdx_module *m = tdx_module_of(&c->tcb_info, c->quote.svn);

	if (!m)
		attest_fail(c->res, "tdx.module", "unknown-module",
			    "Intel names no TDX module of version %u", (uint8_t)c->quote.svn.p[1]);
	else if (memcmp(c->quote.mrsignerseam.p, m->mrsigner, sizeof(m->mrsigner)) != 0 ||
		 !masked_equal(c->quote.seam_attributes, m->mask, m->attributes, 8))
		attest_fail(c->res, "tdx.module", "other-module",
			    "signer or attributes of the TDX module are not Intel's");
	else
		attest_pass(c->res, "tdx.module", "intel-module", "TDX module of version %u",
			    (uint8_t)c->quote.svn.p[1]);
}

/* Which advisories a status rests on, and what the policy says of each. */
static void check_advisories(struct tdx_check *c, const struct tdx_judgement *j)
{
	const json_t *lists[] = {
		j->platform ? j->platform->advisories : NULL,
		j->module ? j->module->advisories : NULL,
		c->qe_level ? c->qe_level->advisories : NULL,
	};
	const struct policy_texts *accept = &c->policy->accept_advisories,
				  *deny = &c->policy->deny_advisories;
	const char *refused = NULL;
	unsigned n = 0;

	json_out_key(&c->res->claims, "advisories");
	json_out_array(&c->res->claims);
	for (unsigned i = 0; i < 3; i++)
		for (size_t k = 0; k < json_array_size(lists[i]); k++) {
			const char *id = json_string_value(json_array_get(lists[i], k));

			json_out_string(&c->res->claims, span_of(id));
			n++;
			if (policy_texts_have(deny, id) ||
			    (accept->given && !policy_texts_have(accept, id)))
				refused = refused ? refused : id;
		}
	json_out_array_end(&c->res->claims);
	if (refused)
		attest_fail(c->res, "tdx.advisories", "refused", "%.60s is not accepted", refused);
	else if (accept->given || deny->given || n == 0)
		attest_pass(c->res, "tdx.advisories", "accepted", "%u advisories, none refused", n);
	else
		attest_skipped(c->res, "tdx.advisories", "no-expectation", "%u advisories apply",
			       n);
}

static void check_status(struct tdx_check *c)
{
	struct tdx_judgement launch = tdx_judge(&c->tcb_info, &c->pck, c->quote.svn, c->qe_status);
	enum tdx_status s = launch.status;

	if (c->quote.svn2.n) {
		struct tdx_judgement now =
			tdx_judge(&c->tcb_info, &c->pck, c->quote.svn2, c->qe_status);

		s = tdx_relaunch(s, now.status);
	}
	json_out_member_str(&c->res->claims, "tcb_status", tdx_status_words[s]);
	check_advisories(c, &launch);
	if (s < TDX_STATUSES_ACCEPTABLE && c->policy->tcb_statuses >> s & 1)
		attest_pass(c->res, "tdx.tcb", "accepted", "%s", tdx_status_words[s]);
	else if (s == TDX_NOT_SUPPORTED)
		attest_fail(c->res, "tdx.tcb", "tcb-not-supported",
			    "no level that Intel knows fits this platform");
	else
		attest_fail(c->res, "tdx.tcb", s == TDX_REVOKED ? "revoked" : "status-not-accepted",
			    "%s%s", tdx_status_words[s],
			    s == TDX_REVOKED ? "" : " is not among tcb_statuses");
}

int tdx_check_collateral(struct tdx_check *c)
{
	int have_identity, have_info;

	if (!c->have_pck) {
		attest_unchecked(c->res, "tdx.tcb", "no-platform",
				 "which platform this is, is not proved");
		return 0;
	}
	have_identity = choose_qe_identity(c);
	if (have_identity < 0)
		return have_identity;
	if (have_identity && c->have_qe)
		check_qe_identity(c);
	have_info = choose_tcb_info(c);
	if (have_info < 0)
		return have_info;
	if (!have_info || !check_tcb_info(c)) {
		attest_unchecked(c->res, "tdx.tcb", "no-tcb-info",
				 "without TCB information there is no status");
		return 0;
	}
	check_module(c);
	if (c->qe_level)
		check_status(c);
	else
		attest_unchecked(c->res, "tdx.tcb", "no-qe-identity",
				 "without the quoting enclave's level there is no status");
	return 0;
}
