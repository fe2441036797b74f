/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_SNP_CERT_H
#define TOLLGATE_ATTEST_SNP_CERT_H

#include "attest/snp_report.h"
#include "attest/x509.h"

/* VCEK and VLEK certificates (AMD document 57230) and the table in which hosts hand them over (GHCB
 * specification, AMD document 56421, "certificate data"). */
#define SNP_HWID_MAX 64

struct snp_cert {
	enum snp_key key;
	enum snp_product product;
	struct snp_tcb tcb; /* the one the key was derived for */
	struct span hwid; /* VCEK: 64 bytes, Turin 8 */
	struct span csp_id; /* VLEK: names the cloud provider; may be empty */
};

/* Reads the names and extensions of a leaf; the spans lie in the certificate. 0, or -EBADMSG with a code
 * and a reason, both static: what a verifier compares must be there, once, and well formed. */
int snp_cert_parse(const X509 *leaf, struct snp_cert *ret, const char **ret_code, const char **ret_why);

/* Adds the certificates of a file: table, PEM or DER. Errors as of x509_certs_add(). */
int snp_certs_add(struct x509_certs *c, struct span in);

#endif
