/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_SNP_H
#define TOLLGATE_ATTEST_POLICY_SNP_H

#include "attest/policy_types.h"

/* Products differ in roots, in the layout of their TCB version and in what is known to be broken. */
enum snp_product {
	SNP_MILAN,
	SNP_GENOA,
	SNP_TURIN,
	SNP_PRODUCTS,
};
extern const char *const snp_product_words[]; /* "milan", "genoa", "turin", NULL */

struct snp_tcb {
	uint32_t fmc; /* Turin only */
	uint32_t bootloader, tee, snp, microcode;
};

/* Section "snp". Defaults are zero and not given, but for the words and numbers named here. */
struct snp_policy {
	struct policy_set report_data, measurements, host_data, id_key_digests, author_key_digests;
	struct policy_set family_ids, image_ids;
	struct policy_set chips, deny_chips; /* CHIP_ID, 64 bytes */
	struct policy_texts csp_ids; /* providers whose VLEKs are good, as the certificate names them */
	uint32_t products; /* default: all */
	uint32_t deny_products;
	uint32_t signing_keys; /* bit 0 VCEK, bit 1 VLEK; default both */
	bool allow_debug, allow_migration, allow_provisional_firmware;
	bool forbid_smt, require_single_socket;
	uint32_t max_vmpl; /* SNP_VMPL_UNSET: 0 is expected, more is open rather than false */
	uint32_t min_abi_major, min_abi_minor, min_guest_svn;
	uint32_t platform_set, platform_clear; /* bits of PLATFORM_INFO */
	uint32_t policy_set, policy_clear; /* bits 16 and up of the guest POLICY, bit 0 is bit 16 */
	struct snp_tcb minimum_tcb[SNP_PRODUCTS]; /* of the reported and the launch TCB */
};
#define SNP_VMPL_UNSET UINT32_MAX

extern const struct policy_key snp_policy_keys[];
void snp_policy_defaults(struct snp_policy *p);
void snp_policy_done(struct snp_policy *p);

#endif
