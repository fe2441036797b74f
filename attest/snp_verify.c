// SPDX-License-Identifier: Apache-2.0
/*
 * Verification of an SEV-SNP report: form, keys and chain in this file; what a policy says of it in
 * snp_policy_check.c.
 */
#include "attest/snp_verify.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <string.h>

#include "attest/bytes.h"
#include "attest/roots.h"
#include "user/base/cleanup.h"

static const char *const chain_names[SNP_PRODUCTS] = { "Milan", "Genoa", "Turin" };

/* The certificates to work with: what the caller brought, AMD's known intermediates, the roots. */
struct snp_pool {
	struct x509_certs brought, known, pinned;
	const struct x509_certs *roots;
	struct x509_crls crls;
	bool bad_crl;
};

static void pool_done(struct snp_pool *p)
{
	x509_certs_done(&p->brought);
	x509_certs_done(&p->known);
	x509_certs_done(&p->pinned);
	x509_crls_done(&p->crls);
}

static int pool_fill(struct snp_pool *p, const struct attest_snp *in, struct attest_result *res)
{
	int r = attest_roots_amd_intermediates(&p->known);

	if (r == 0)
		r = attest_roots_amd(&p->pinned);
	p->roots = in->roots && in->roots->amd ? in->roots->amd : &p->pinned;
	for (unsigned i = 0; r == 0 && i < in->n_certs; i++) {
		r = snp_certs_add(&p->brought, in->certs[i]);
		if (r == -EBADMSG || r == -EMSGSIZE) {
			attest_fail(res, "snp.certificates", "malformed",
				    "file %u is neither PEM nor DER nor a table", i + 1);
			r = 0;
		}
	}
	for (unsigned i = 0; r == 0 && i < in->n_crls; i++) {
		r = x509_crls_add(&p->crls, in->crls[i]);
		if (r == -EBADMSG || r == -EMSGSIZE) {
			p->bad_crl = true;
			attest_fail(res, "snp.crl", "malformed",
				    "revocation list %u is neither PEM nor DER", i + 1);
			r = 0;
		}
	}
	return r;
}

/* The one leaf of the kind that the report says it is signed with. */
static X509 *find_leaf(const struct snp_check *c, const struct snp_pool *p)
{
	static const char *const names[] = {
		[SNP_KEY_VCEK] = "SEV-VCEK", [SNP_KEY_VLEK] = "SEV-VLEK"
	};
	const char *want = names[c->report.key], *other = names[!c->report.key];
	bool seen_other = false;
	X509 *found = NULL;

	for (unsigned i = 0; i < p->brought.n; i++) {
		const X509_NAME *subject = X509_get_subject_name(p->brought.cert[i]);

		seen_other |= x509_cn_is(subject, other);
		if (!x509_cn_is(subject, want))
			continue;
		if (found && X509_cmp(found, p->brought.cert[i]) != 0) {
			attest_fail(c->res, "snp.certificates", "ambiguous",
				    "more than one %s certificate is given", want);
			return NULL;
		}
		found = p->brought.cert[i];
	}
	if (!found)
		attest_fail(c->res, "snp.certificates",
			    seen_other ? "wrong-signing-key" : "no-leaf",
			    "the report says it is signed by a %s, but no %s certificate is given",
			    want + 4, want);
	return found;
}

/* The product by three witnesses that must agree: the CPU in the report, the certificate, the caller. */
static bool find_product(struct snp_check *c, const char *asked)
{
	enum snp_product by_cpu = c->cert.product;

	if (c->report.version >= 3 && snp_product_of(&c->report, &by_cpu) < 0)
		return attest_check(c->res, false, "snp.product", "unknown-product",
				    "CPU family 0x%02x model 0x%02x is no product that is known",
				    c->report.family, c->report.model);
	c->product = c->cert.product;
	if (by_cpu != c->product)
		return attest_check(c->res, false, "snp.product", "product-mismatch",
				    "the report is from a %s, its certificate is for a %s",
				    snp_product_words[by_cpu], snp_product_words[c->product]);
	if (asked && strcmp(asked, snp_product_words[c->product]) != 0)
		return attest_check(c->res, false, "snp.product", "product-mismatch",
				    "%.20s was asked for, this is a %s", asked,
				    snp_product_words[c->product]);
	return true;
}

/* AMD signs everything in its chains with RSASSA-PSS and SHA-384. */
static bool is_amd_signature(X509 *x)
{
	int md = NID_undef, pk = NID_undef;

	return X509_get_signature_info(x, &md, &pk, NULL, NULL) == 1 && md == NID_sha384 &&
	       pk == NID_rsassaPss;
}

/* The names must be those of this product and this kind of key: a VLEK under the authority for VCEKs, or
 * the other way round, is not the key that the report claims. */
static bool names_fit(const struct snp_check *c, const struct x509_certs *chain)
{
	const char *product = chain_names[c->product];
	char issuer[40], root[40];

	(void)snprintf(issuer, sizeof(issuer), "SEV-%s%s",
		       c->report.key == SNP_KEY_VLEK ? "VLEK-" : "", product);
	(void)snprintf(root, sizeof(root), "ARK-%s", product);
	return chain->n == 3 && x509_cn_is(X509_get_subject_name(chain->cert[1]), issuer) &&
	       x509_cn_is(X509_get_subject_name(chain->cert[2]), root) &&
	       is_amd_signature(chain->cert[0]) && is_amd_signature(chain->cert[1]);
}

/* Two generations of an intermediate share a name and leaves say nothing of their issuer's key, so each
 * candidate is tried by itself. */
static int try_intermediates(struct snp_check *c, const struct snp_pool *p,
			     const struct x509_certs *from, struct x509_certs *ret,
			     const char **ret_why)
{
	const X509_NAME *issuer = X509_get_issuer_name(c->leaf);
	int r = -EKEYREJECTED;

	for (unsigned i = 0; i < from->n && r == -EKEYREJECTED; i++) {
		struct x509_certs one = { .cert = { from->cert[i] }, .n = 1 };
		const struct x509_trust t = { .roots = p->roots,
					      .untrusted = &one,
					      .at = c->res->at };

		if (X509_NAME_cmp(X509_get_subject_name(from->cert[i]), issuer) == 0)
			r = x509_verify(c->leaf, &t, ret, ret_why);
	}
	return r;
}

static int check_chain(struct snp_check *c, const struct snp_pool *p, struct x509_certs *ret)
{
	const char *why = "its issuer is not given and not known";
	char cn[80];
	int r = try_intermediates(c, p, &p->brought, ret, &why);

	if (r == -EKEYREJECTED)
		r = try_intermediates(c, p, &p->known, ret, &why);
	if (r == -EKEYREJECTED)
		attest_fail(c->res, "snp.chain", "not-chained",
			    "no chain to AMD's root at that time: %s", why);
	if (r < 0)
		return r;
	if (!names_fit(c, ret)) {
		attest_fail(c->res, "snp.chain", "wrong-chain",
			    "the key chains to AMD through %s, not as a %s of a %s does",
			    x509_cn(X509_get_subject_name(ret->cert[1]), cn, sizeof(cn)),
			    c->report.key == SNP_KEY_VLEK ? "VLEK" : "VCEK",
			    snp_product_words[c->product]);
		return -EKEYREJECTED;
	}
	attest_pass(c->res, "snp.chain", "chained", "to %s",
		    x509_cn(X509_get_subject_name(ret->cert[2]), cn, sizeof(cn)));
	return 0;
}

/* AMD revokes intermediates only: its lists are the root's, and none is about leaves. */
static int check_crl(struct snp_check *c, const struct snp_pool *p, const struct x509_certs *chain)
{
	const struct x509_trust t = { .roots = p->roots, .crls = &p->crls, .at = c->res->at };
	const char *why;
	int r;

	if (p->bad_crl)
		return 0;
	if (p->crls.n == 0) {
		attest_unchecked(c->res, "snp.crl", "no-crl", "no revocation list is given");
		return 0;
	}
	if (x509_crls_forged(&p->crls, chain)) {
		attest_fail(c->res, "snp.crl", "forged",
			    "a revocation list is not signed by its issuer");
		return 0;
	}
	r = x509_verify(chain->cert[1], &t, NULL, &why);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		attest_pass(c->res, "snp.crl", "not-revoked",
			    "the signer of the key is not revoked");
	else if (x509_lacks_crl(why))
		attest_unchecked(c->res, "snp.crl", "no-crl",
				 "no revocation list of this product is given");
	else
		attest_fail(c->res, "snp.crl", "revoked-or-stale", "%s", why);
	return 0;
}

static int check_signature(struct snp_check *c)
{
	EVP_PKEY *key = X509_get0_pubkey(c->leaf);
	int r;

	if (!x509_key_is_ec(key, NID_secp384r1)) {
		attest_fail(c->res, "snp.signature", "wrong-key",
			    "the certificate's key is not on P-384");
		return 0;
	}
	r = x509_ecdsa_verify(key, EVP_sha384(), c->report.signed_bytes, c->report.r, c->report.s,
			      sizeof(c->report.r));
	if (r == -ENOMEM)
		return r;
	attest_check(c->res, r == 0, "snp.signature", r == 0 ? "valid" : "bad-signature",
		     "%s the key of the certificate", r == 0 ? "signed by" : "not signed by");
	return 0;
}

/* The certificate is for the TCB that the report reports, not for the one that runs. */
static void check_tcb(struct snp_check *c)
{
	char a[SNP_TCB_TEXT], b[SNP_TCB_TEXT];

	snp_tcb_text(&c->reported, c->product, a);
	snp_tcb_text(&c->cert.tcb, c->product, b);
	if (snp_tcb_equal(&c->reported, &c->cert.tcb))
		attest_pass(c->res, "snp.tcb", "certified", "%s", a);
	else
		attest_fail(c->res, "snp.tcb", "tcb-mismatch", "reported %s; the key is for %s", a,
			    b);
}

static void check_chip(struct snp_check *c)
{
	const struct span id = c->report.chip_id, hwid = c->cert.hwid;
	const bool zero = bytes_all_zero(id);

	if (c->report.mask_chip_key && !zero) {
		attest_fail(c->res, "snp.chip", "mask-ignored",
			    "MASK_CHIP_KEY is set, yet a chip is named");
	} else if (c->report.key == SNP_KEY_VLEK) {
		attest_skipped(c->res, "snp.chip", "vlek", "a provider's key names no chip");
	} else if (c->report.mask_chip_key) {
		attest_unchecked(c->res, "snp.chip", "masked",
				 "MASK_CHIP_KEY is set: the report names no chip");
	} else {
		const struct span rest = { id.p + hwid.n, id.n - hwid.n };

		if (!zero && memcmp(id.p, hwid.p, hwid.n) == 0 && bytes_all_zero(rest))
			attest_pass(c->res, "snp.chip", "same-chip",
				    "CHIP_ID is the certificate's hardware identifier");
		else
			attest_fail(c->res, "snp.chip", "chip-mismatch", "%s",
				    zero ? "CHIP_ID is zero though MASK_CHIP_KEY is clear" :
					   "CHIP_ID is not the certificate's hardware identifier");
	}
}

static void claims(struct snp_check *c)
{
	struct attest_result *res = c->res;
	const struct snp_report *r = &c->report;
	char hex[19];

	json_out_member_int(&res->claims, "version", r->version);
	json_out_member_str(&res->claims, "signing_key", r->key == SNP_KEY_VLEK ? "vlek" : "vcek");
	attest_claim_hex(res, "measurement", r->measurement);
	attest_claim_hex(res, "report_data", r->report_data);
	attest_claim_hex(res, "host_data", r->host_data);
	attest_claim_hex(res, "family_id", r->family_id);
	attest_claim_hex(res, "image_id", r->image_id);
	attest_claim_hex(res, "id_key_digest", r->id_key_digest);
	attest_claim_hex(res, "author_key_digest", r->author_key_digest);
	attest_claim_hex(res, "chip_id", r->chip_id);
	attest_claim_hex(res, "report_id", r->report_id);
	json_out_member_int(&res->claims, "guest_svn", r->guest_svn);
	json_out_member_int(&res->claims, "vmpl", r->vmpl);
	(void)snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)r->policy);
	json_out_member_str(&res->claims, "policy", hex);
	(void)snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)r->platform_info);
	json_out_member_str(&res->claims, "platform_info", hex);
	(void)snprintf(hex, sizeof(hex), "%u.%u.%u", r->current.major, r->current.minor,
		       r->current.build);
	json_out_member_str(&res->claims, "firmware", hex);
	if (r->version < 5)
		return;
	(void)snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)r->launch_mitigations);
	json_out_member_str(&res->claims, "launch_mitigations", hex);
	(void)snprintf(hex, sizeof(hex), "0x%llx", (unsigned long long)r->current_mitigations);
	json_out_member_str(&res->claims, "current_mitigations", hex);
}

static bool split_tcbs(struct snp_check *c)
{
	const struct {
		uint64_t raw;
		struct snp_tcb *to;
	} t[] = {
		{ c->report.reported_tcb, &c->reported },
		{ c->report.committed_tcb, &c->committed },
		{ c->report.current_tcb, &c->current },
		{ c->report.launch_tcb, &c->launch },
	};
	bool ok = true;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		ok &= snp_tcb_parse(t[i].raw, c->product, t[i].to) == 0;
	if (!ok)
		attest_fail(c->res, "snp.tcb", "reserved-set",
			    "reserved bytes of a TCB version are not zero for a %s",
			    snp_product_words[c->product]);
	return ok;
}

/* Everything that needs a leaf. */
static int check_keys(struct snp_check *c, const struct attest_snp *in, struct snp_pool *p)
{
	_cleanup_certs_ struct x509_certs chain = { 0 };
	const char *code, *why;
	int r;

	c->leaf = find_leaf(c, p);
	if (!c->leaf)
		return 0;
	r = check_signature(c);
	if (r < 0)
		return r;
	if (snp_cert_parse(c->leaf, &c->cert, &code, &why) < 0) {
		attest_fail(c->res, "snp.certificates", code, "%s", why);
		return 0;
	}
	if (!find_product(c, in->product))
		return 0;
	json_out_member_str(&c->res->claims, "product", snp_product_words[c->product]);
	r = check_chain(c, p, &chain);
	if (r == 0)
		r = check_crl(c, p, &chain);
	if (r == -ENOMEM)
		return r;
	check_chip(c);
	if (split_tcbs(c)) {
		check_tcb(c);
		snp_check_tcb_policy(c);
	}
	snp_check_product_policy(c);
	if (r == 0)
		attest_pass(c->res, "snp.certificates", "understood",
			    "one leaf with product, TCB and identity");
	return 0;
}

int attest_verify_snp(const struct attest_snp *in, const struct attest_policy *p,
		      struct attest_result *res)
{
	_cleanup_(pool_done) struct snp_pool pool = { 0 };
	struct snp_check c = { .res = res, .policy = &p->snp };
	const char *code, *why;
	int r;

	if (snp_report_parse(in->report, &c.report, &code, &why) < 0) {
		attest_fail(res, "snp.report", code, "%s", why);
		res->complete = true;
		return 0;
	}
	attest_pass(res, "snp.report", "well-formed", "version %u", c.report.version);
	claims(&c);
	r = pool_fill(&pool, in, res);
	if (r == 0)
		r = check_keys(&c, in, &pool);
	if (r < 0)
		return -ENOMEM;
	snp_check_guest_policy(&c);
	res->complete = true;
	return 0;
}
