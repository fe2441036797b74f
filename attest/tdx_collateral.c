// SPDX-License-Identifier: Apache-2.0
/*
 * Files of collateral, told apart by what is in them.
 */
#include "attest/tdx_collateral.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define CRL_HEX_MAX (2u * X509_CRL_MAX)

void tdx_collateral_done(struct tdx_collateral *c)
{
	x509_certs_done(&c->certs);
	x509_crls_done(&c->crls);
	for (unsigned i = 0; i < c->n_bundles; i++)
		json_decref(c->bundles[i]);
	*c = (struct tdx_collateral){ 0 };
}

static int add_statement(struct tdx_statement *list, unsigned *n, const struct tdx_statement *s)
{
	if (*n == TDX_STATEMENTS_MAX)
		return -EMSGSIZE;
	list[(*n)++] = *s;
	return 0;
}

static int add_der(struct tdx_collateral *c, struct span der)
{
	int r = x509_crls_add(&c->crls, der);

	return r == -EBADMSG ? x509_certs_add(&c->certs, der) : r;
}

static int add_hex(struct tdx_collateral *c, struct span hex)
{
	_cleanup_free_ uint8_t *der = NULL;

	while (hex.n > 0 && strchr("\r\n ", hex.p[hex.n - 1]))
		hex.n--;
	if (hex.n < 2 || hex.n % 2 || hex.n > CRL_HEX_MAX)
		return -EBADMSG;
	der = malloc(hex.n / 2);
	if (!der)
		return -ENOMEM;
	if (hex_decode(hex.p, hex.n, der, hex.n / 2) < 0)
		return -EBADMSG;
	return add_der(c, (struct span){ (const char *)der, hex.n / 2 });
}

static struct span text_of(const json_t *o, const char *name)
{
	const json_t *v = json_object_get(o, name);

	return (struct span){ json_string_value(v), json_string_length(v) };
}

/* A bundle holds the signed body as a string and its signature beside it. */
static int bundle_statement(const json_t *o, const char *body, const char *signature,
			    struct tdx_statement *list, unsigned *n)
{
	struct span hex = text_of(o, signature);
	struct tdx_statement s = { .body = text_of(o, body) };

	if (s.body.n == 0 && hex.n == 0)
		return 0;
	if (hex_decode(hex.p ? hex.p : "", hex.n, s.signature, sizeof(s.signature)) < 0)
		return -EBADMSG;
	return add_statement(list, n, &s);
}

static int add_bundle(struct tdx_collateral *c, json_t *o)
{
	static const char *const crls[] = { "root_ca_crl", "pck_crl" };
	static const char *const chains[] = {
		"tcb_info_issuer_chain",
		"qe_identity_issuer_chain",
		"pck_crl_issuer_chain",
	};
	unsigned before = c->n_tcb_info + c->n_qe_identity + c->certs.n + c->crls.n;
	int r = bundle_statement(o, "tcb_info", "tcb_info_signature", c->tcb_info, &c->n_tcb_info);

	if (r == 0)
		r = bundle_statement(o, "qe_identity", "qe_identity_signature", c->qe_identity,
				     &c->n_qe_identity);
	for (size_t i = 0; i < ARRAY_SIZE(crls) && r == 0; i++) {
		struct span s = text_of(o, crls[i]);

		if (s.n > 0 && s.p[0] == '-')
			r = x509_crls_add(&c->crls, s);
		else if (s.n > 0)
			r = add_hex(c, s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(chains) && r == 0; i++) {
		struct span s = text_of(o, chains[i]);

		if (s.n > 0)
			r = x509_certs_add(&c->certs, s);
	}
	if (r == 0 && before == c->n_tcb_info + c->n_qe_identity + c->certs.n + c->crls.n)
		return -EBADMSG;
	return r;
}

static int add_json(struct tdx_collateral *c, struct span in)
{
	struct tdx_statement s;
	json_t *o;
	int r = tdx_statement_find(in, "tcbInfo", &s);

	if (r == 0)
		return add_statement(c->tcb_info, &c->n_tcb_info, &s);
	if (r == -ENOENT)
		r = tdx_statement_find(in, "enclaveIdentity", &s);
	if (r == 0)
		return add_statement(c->qe_identity, &c->n_qe_identity, &s);
	if (r != -ENOENT || c->n_bundles == TDX_STATEMENTS_MAX)
		return r == -ENOENT ? -EMSGSIZE : r;
	o = json_loadb(in.p, in.n, JSON_REJECT_DUPLICATES, NULL);
	if (!o)
		return -EBADMSG;
	c->bundles[c->n_bundles++] = o;
	return add_bundle(c, o);
}

int tdx_collateral_add(struct tdx_collateral *c, struct span in)
{
	while (in.n > 0 && strchr(" \t\r\n", in.p[0]) && in.p[0])
		in = (struct span){ in.p + 1, in.n - 1 };
	if (in.n == 0)
		return -EBADMSG;
	if (in.p[0] == '{')
		return add_json(c, in);
	/* 0x30 begins a SEQUENCE and is the digit 0: hex of DER begins with "30". */
	if (in.p[0] == 0x30)
		return add_der(c, in);
	if (in.p[0] == '3')
		return add_hex(c, in);
	if (x509_certs_add(&c->certs, in) == 0)
		return 0;
	return x509_crls_add(&c->crls, in);
}
