/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_VERIFY_HARDWARE_H
#define TOLLGATE_CLI_VERIFY_HARDWARE_H

#include "attest/claim.h"

/* What `tollgate verify` was told about hardware: whose keys and roots count. */
#define VERIFY_COLLATERAL_MAX 16

/* As the options' getopt values. */
enum verify_option {
	VERIFY_AK_CERT = 1000,
	VERIFY_ROOTS,
	VERIFY_ENROLMENT,
	VERIFY_PROOF,
	VERIFY_CRL,
	VERIFY_COLLATERAL,
};

struct verify_hardware {
	struct claim_hardware known; /* points into the rest */
	struct buf ak_certs, enrolment, proof;
	struct x509_certs roots;
	struct buf crls[X509_CRLS_MAX], collateral[VERIFY_COLLATERAL_MAX];
	struct span crl_spans[X509_CRLS_MAX], collateral_spans[VERIFY_COLLATERAL_MAX];
	unsigned n_crls, n_collateral;
};

/* Reads what an option names. CLI_OK, or CLI_USAGE after a message; another option: CLI_USAGE. */
int verify_hardware_take(struct verify_hardware *h, int option, const char *path);
/* For a claim's expectations; the report is not in it. Borrowed, the struct must stay where it is. */
const struct claim_hardware *verify_hardware_known(struct verify_hardware *h);
void verify_hardware_done(struct verify_hardware *h);

#endif
