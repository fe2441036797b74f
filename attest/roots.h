/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_ROOTS_H
#define TOLLGATE_ATTEST_ROOTS_H

#include "attest/x509.h"

/* The pinned roots, and known intermediates, as hex of DER. */
extern const char attest_milan_ark[], attest_milan_ask[], attest_milan_asvk[];
extern const char attest_genoa_ark[], attest_genoa_ask[], attest_genoa_asvk[];
extern const char attest_turin_ark[], attest_turin_ask[], attest_turin_asvk[];
extern const char attest_intel_sgx_root[];

/* Add them to lists. 0 or -ENOMEM. */
int attest_roots_amd(struct x509_certs *ret);
int attest_roots_amd_intermediates(struct x509_certs *ret);
int attest_roots_intel(struct x509_certs *ret);

#endif
