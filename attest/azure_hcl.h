/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AZURE_HCL_H
#define TOLLGATE_AZURE_HCL_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/base/span.h"

/*
 * What Azure's paravisor (HCL) keeps in NV index 0x01400001 of a confidential guest's virtual TPM: the
 * hardware's report, and the runtime data, a JSON text of which the report carries the hash. "Guest
 * attestation for confidential VMs", Azure documentation; versions 1 and 2 have the same layout.
 */
#define AZURE_HCL_MAX 16384 /* the index has 2600 bytes */
#define AZURE_HCL_SNP 2
#define AZURE_HCL_TDX 4
#define AZURE_TD_REPORT_SIZE 1024

struct azure_hcl {
	uint32_t version;
	uint32_t type; /* AZURE_HCL_SNP or AZURE_HCL_TDX */
	struct span report; /* SNP report, or a TD report, which only the CPU that made it can check */
	struct span runtime_data;
};

/* Borrows from bytes. 0 or -EBADMSG. */
int azure_hcl_parse(struct span bytes, struct azure_hcl *ret);

struct azure_runtime {
	EVP_PKEY *ak; /* HCLAkPub: the attestation key of the virtual TPM; owned */
	bool secure_boot; /* as the paravisor saw it */
	char vm_id[40]; /* "" when there is none */
	char user_data[129]; /* hex, lower case; "" when there is none */
};

/* 0, -EBADMSG when it is no JSON object with exactly one RSA HCLAkPub of 2048 bits or more, -ENOMEM. */
int azure_runtime_parse(struct span json, struct azure_runtime *ret);
void azure_runtime_done(struct azure_runtime *r);

#endif
