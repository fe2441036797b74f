// SPDX-License-Identifier: Apache-2.0
/*
 * Chains of certificates, judged as of a given time against pinned roots.
 */
#include "attest/x509.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <string.h>

/* 112 bits of security: no SHA-1, no RSA under 2048 bits. */
#define AUTH_LEVEL 2
#define CHAIN_DEPTH_MAX 6

void x509_certs_done(struct x509_certs *c)
{
	for (unsigned i = 0; i < c->n; i++)
		X509_free(c->cert[i]);
	*c = (struct x509_certs){ 0 };
}

void x509_crls_done(struct x509_crls *c)
{
	for (unsigned i = 0; i < c->n; i++)
		X509_CRL_free(c->crl[i]);
	*c = (struct x509_crls){ 0 };
}

int x509_certs_ref(struct x509_certs *c, X509 *cert)
{
	if (c->n == X509_CERTS_MAX)
		return -EMSGSIZE;
	if (!X509_up_ref(cert))
		return -ENOMEM;
	c->cert[c->n++] = cert;
	return 0;
}

static int certs_take(void *list, const unsigned char *der, long n)
{
	struct x509_certs *c = list;
	const unsigned char *p = der;
	X509 *x;

	if (c->n == X509_CERTS_MAX || n > X509_DER_MAX)
		return -EMSGSIZE;
	x = d2i_X509(NULL, &p, n);
	if (!x || p != der + n) {
		X509_free(x);
		return -EBADMSG;
	}
	c->cert[c->n++] = x;
	return 0;
}

static int crls_take(void *list, const unsigned char *der, long n)
{
	struct x509_crls *c = list;
	const unsigned char *p = der;
	X509_CRL *x;

	if (c->n == X509_CRLS_MAX || n > (long)X509_CRL_MAX)
		return -EMSGSIZE;
	x = d2i_X509_CRL(NULL, &p, n);
	if (!x || p != der + n) {
		X509_CRL_free(x);
		return -EBADMSG;
	}
	c->crl[c->n++] = x;
	return 0;
}

typedef int take_fn(void *list, const unsigned char *der, long n);

static int read_pem(struct span text, const char *kind, take_fn *take, void *list)
{
	BIO *bio = BIO_new_mem_buf(text.p, (int)text.n);
	unsigned taken = 0;
	int r = bio ? 0 : -ENOMEM;

	while (r == 0) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		long n = 0;

		if (!PEM_read_bio(bio, &name, &header, &der, &n))
			break;
		if (strcmp(name, kind) == 0) {
			r = header[0] ? -EBADMSG : take(list, der, n);
			taken++;
		}
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	/* The way to tell the end of the text from a block that is broken. */
	if (r == 0 && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		r = -EBADMSG;
	ERR_clear_error();
	BIO_free(bio);
	return r < 0 ? r : taken ? 0 : -EBADMSG;
}

static int read_any(struct span bytes, const char *kind, take_fn *take, void *list)
{
	const char *nul;

	if (bytes.n == 0)
		return -EBADMSG;
	if (bytes.n > X509_PEM_MAX)
		return -EMSGSIZE;
	ERR_clear_error();
	if (bytes.p[0] == 0x30) {
		int r = take(list, (const unsigned char *)bytes.p, (long)bytes.n);

		ERR_clear_error();
		return r;
	}
	nul = memchr(bytes.p, 0, bytes.n);
	if (nul)
		bytes.n = (size_t)(nul - bytes.p);
	return read_pem(bytes, kind, take, list);
}

int x509_certs_add(struct x509_certs *c, struct span bytes)
{
	unsigned before = c->n;
	int r = read_any(bytes, PEM_STRING_X509, certs_take, c);

	while (r < 0 && c->n > before)
		X509_free(c->cert[--c->n]);
	return r;
}

int x509_crls_add(struct x509_crls *c, struct span bytes)
{
	unsigned before = c->n;
	int r = read_any(bytes, PEM_STRING_X509_CRL, crls_take, c);

	while (r < 0 && c->n > before)
		X509_CRL_free(c->crl[--c->n]);
	return r;
}

/* OpenSSL takes a list without a next update for one that never ends. */
static bool crls_have_ends(const struct x509_crls *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!X509_CRL_get0_nextUpdate(c->crl[i]))
			return false;
	return true;
}

static X509_STORE *make_store(const struct x509_trust *t)
{
	X509_STORE *store = X509_STORE_new();
	bool ok = store != NULL;

	for (unsigned i = 0; ok && i < t->roots->n; i++)
		ok = X509_STORE_add_cert(store, t->roots->cert[i]) == 1;
	for (unsigned i = 0; ok && t->crls && i < t->crls->n; i++)
		ok = X509_STORE_add_crl(store, t->crls->crl[i]) == 1;
	if (ok)
		return store;
	X509_STORE_free(store);
	return NULL;
}

static bool set_param(X509_STORE_CTX *ctx, const struct x509_trust *t)
{
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
	unsigned long flags = t->strict ? X509_V_FLAG_X509_STRICT : 0;

	if (t->crls)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	X509_VERIFY_PARAM_set_time(param, (time_t)t->at);
	X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	return X509_VERIFY_PARAM_set_flags(param, flags) == 1;
}

static int take_chain(X509_STORE_CTX *ctx, struct x509_certs *ret)
{
	const STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
	struct x509_certs c = { 0 };
	int r = 0;

	for (int i = 0; r == 0 && i < sk_X509_num(chain); i++)
		r = x509_certs_ref(&c, sk_X509_value(chain, i));
	if (r < 0)
		x509_certs_done(&c);
	else
		*ret = c;
	return r;
}

int x509_verify(X509 *leaf, const struct x509_trust *t, struct x509_certs *ret_chain,
		const char **ret_why)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	X509_STORE *store = make_store(t);
	int r = -ENOMEM;

	*ret_why = "out of memory";
	if (!ctx || !untrusted || !store)
		goto out;
	for (unsigned i = 0; t->untrusted && i < t->untrusted->n; i++)
		if (sk_X509_push(untrusted, t->untrusted->cert[i]) <= 0)
			goto out;
	if (!X509_STORE_CTX_init(ctx, store, leaf, untrusted) || !set_param(ctx, t))
		goto out;
	if (t->crls && !crls_have_ends(t->crls)) {
		*ret_why = "a revocation list does not say when the next one comes";
		r = -EKEYREJECTED;
	} else if (X509_verify_cert(ctx) != 1) {
		*ret_why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
		r = -EKEYREJECTED;
	} else {
		*ret_why = "";
		r = ret_chain ? take_chain(ctx, ret_chain) : 0;
	}
out:
	X509_STORE_CTX_free(ctx);
	sk_X509_free(untrusted);
	X509_STORE_free(store);
	ERR_clear_error();
	return r;
}

bool x509_lacks_crl(const char *why)
{
	return strcmp(why, X509_verify_cert_error_string(X509_V_ERR_UNABLE_TO_GET_CRL)) == 0;
}

static bool signed_by_one(X509_CRL *crl, const struct x509_certs *chain, bool *ret_named)
{
	*ret_named = false;
	for (unsigned i = 0; i < chain->n; i++) {
		X509 *x = chain->cert[i];

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(x)) != 0)
			continue;
		*ret_named = true;
		if (X509_CRL_verify(crl, X509_get0_pubkey(x)) == 1)
			return true;
	}
	return false;
}

bool x509_crls_forged(const struct x509_crls *crls, const struct x509_certs *chain)
{
	bool named, forged = false;

	for (unsigned i = 0; i < crls->n; i++)
		forged |= !signed_by_one(crls->crl[i], chain, &named) && named;
	ERR_clear_error();
	return forged;
}
