/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_X509_H
#define TOLLGATE_ATTEST_X509_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * Certificates and revocation lists over OpenSSL, for verification without a network: a chain ends at a
 * root that the caller pins, every date is compared with a time that the caller gives, nothing is fetched
 * and no store of the system is asked (RFC 5280).
 */
#define X509_DER_MAX 16384 /* one certificate; the largest seen is under 4 KiB */
#define X509_CERTS_MAX 32 /* leaf, intermediates and root of several hierarchies in one bundle */
#define X509_CRLS_MAX 8
#define X509_CRL_MAX (4u << 20)
#define X509_PEM_MAX (8u << 20)

struct x509_certs {
	X509 *cert[X509_CERTS_MAX];
	unsigned n;
};

struct x509_crls {
	X509_CRL *crl[X509_CRLS_MAX];
	unsigned n;
};

/* Add what the bytes hold to a zero-initialised or filled list: PEM with one or more blocks of the kind
 * (text between them is ignored, a NUL ends it), or exactly one DER object without trailing bytes.
 * 0, -EBADMSG when there is none or one is malformed, -EMSGSIZE beyond a limit, -ENOMEM. On failure the
 * list is as before. */
int x509_certs_add(struct x509_certs *c, struct span bytes);
int x509_crls_add(struct x509_crls *c, struct span bytes);
/* Adds a reference to a certificate. */
int x509_certs_ref(struct x509_certs *c, X509 *cert);
void x509_certs_done(struct x509_certs *c);
void x509_crls_done(struct x509_crls *c);
#define _cleanup_certs_ __attribute__((cleanup(x509_certs_done)))
#define _cleanup_crls_ __attribute__((cleanup(x509_crls_done)))

struct x509_trust {
	const struct x509_certs *roots; /* the only ends a chain may have */
	const struct x509_certs *untrusted; /* intermediates that may be used; may be NULL */
	/* NULL: no revocation is asked about. Else every certificate of the chain needs a list, the root its own,
	 * that is signed by its issuer and in force at that time. */
	const struct x509_crls *crls;
	int64_t at; /* Unix time */
	/* RFC 5280 to the letter (OpenSSL's X509_STRICT). AMD's leaves have no key identifiers and fail it. */
	bool strict;
};

/* Verifies that leaf chains to a pinned root. 0, with the chain, leaf first, root last, in ret_chain
 * (NULL when not wanted; x509_certs_done() it); -EKEYREJECTED with a static reason in *ret_why, -ENOMEM. */
int x509_verify(X509 *leaf, const struct x509_trust *t, struct x509_certs *ret_chain, const char **ret_why);

/* True when a list names a certificate of the chain as its issuer, but that one did not sign it. OpenSSL
 * passes over such a list as if it were not there; what is there and false must not count as absent. */
bool x509_crls_forged(const struct x509_crls *crls, const struct x509_certs *chain);

/* True when that reason is that no revocation list of an issuer was among those given. */
bool x509_lacks_crl(const char *why);

/* True when the name has exactly one common name and it is this one. */
bool x509_cn_is(const X509_NAME *name, const char *cn);
/* The common name as text cut to size, for a reason; "?" when there is none. */
const char *x509_cn(const X509_NAME *name, char *ret, size_t size);

/* The value bytes of the only extension with this OID in dotted form, borrowed from the certificate;
 * -ENOENT when absent, -EBADMSG when there is more than one. */
int x509_extension(const X509 *cert, const char *oid, struct span *ret);

/* The leading DER object of the bytes, for containers that are longer than the certificate in them:
 * what follows must be all 0x00 or all 0xff. 0 or -EBADMSG. */
int x509_der_trim(struct span bytes, struct span *ret);

/* True when the key is on this named curve ("P-256", "P-384"), given as NID. */
bool x509_key_is_ec(EVP_PKEY *key, int nid);

/* ECDSA over data with a signature given as two big-endian numbers of n bytes. 0, -EKEYREJECTED when it
 * does not verify or a number is out of range, -ENOMEM. */
int x509_ecdsa_verify(EVP_PKEY *key, const EVP_MD *md, struct span data, const uint8_t *r, const uint8_t *s,
		      size_t n);

/* A P-256 public key from its raw coordinates; refuses points off the curve. 0 or -EBADMSG; the caller
 * frees the key with EVP_PKEY_free(). */
int x509_p256_key(const uint8_t xy[64], EVP_PKEY **ret);

#endif
