/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_SNP_REPORT_H
#define TOLLGATE_ATTEST_SNP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/policy_snp.h"
#include "user/base/span.h"

/* ATTESTATION_REPORT of the SEV-SNP firmware ABI (AMD document 56860), versions 2 to 5. */
#define SNP_REPORT_SIZE 1184
#define SNP_SIGNED_SIZE 0x2a0

enum snp_key {
	SNP_KEY_VCEK = 0, /* belongs to a chip */
	SNP_KEY_VLEK = 1, /* belongs to a cloud provider */
};

/* Bits of the guest POLICY. */
#define SNP_POLICY_SMT (1ull << 16)
#define SNP_POLICY_RESERVED_ONE (1ull << 17)
#define SNP_POLICY_MIGRATE_MA (1ull << 18)
#define SNP_POLICY_DEBUG (1ull << 19)
#define SNP_POLICY_SINGLE_SOCKET (1ull << 20)
#define SNP_POLICY_KNOWN 0x3ffffffull

struct snp_version {
	uint8_t build, minor, major;
};

struct snp_report {
	uint32_t version, guest_svn, vmpl;
	uint64_t policy, platform_info;
	enum snp_key key;
	bool author_key, mask_chip_key;
	struct span family_id, image_id, report_data, measurement, host_data, id_key_digest, author_key_digest;
	struct span report_id, report_id_ma, chip_id;
	uint64_t current_tcb, reported_tcb, committed_tcb, launch_tcb; /* as they stand: layouts differ */
	struct snp_version current, committed;
	uint8_t family, model, stepping; /* zero in version 2 */
	uint64_t launch_mitigations, current_mitigations; /* version 5 */
	struct span signed_bytes;
	uint8_t r[48], s[48]; /* big-endian */
};

/* Parses strictly: exact length, a known version and algorithm, zero where the document says reserved. The
 * spans lie in the input. 0, or -EBADMSG with a code and a reason, both static. Bits of POLICY and
 * PLATFORM_INFO that have no meaning yet are for the verifier's policy, not a fault of form. */
int snp_report_parse(struct span in, struct snp_report *ret, const char **ret_code, const char **ret_why);

/* The product by CPUID family and model. 0 or -ENOENT. */
int snp_product_of(const struct snp_report *r, enum snp_product *ret);

/* Splits a TCB_VERSION by the product's layout. 0, or -EBADMSG when a reserved byte is set. */
int snp_tcb_parse(uint64_t raw, enum snp_product product, struct snp_tcb *ret);

/* True when every component of a is at least b's: versions compare by component, never as numbers. */
bool snp_tcb_at_least(const struct snp_tcb *a, const struct snp_tcb *b);
bool snp_tcb_equal(const struct snp_tcb *a, const struct snp_tcb *b);

/* "bootloader 3, tee 0, snp 8, microcode 115" for reasons. */
#define SNP_TCB_TEXT 80
const char *snp_tcb_text(const struct snp_tcb *t, enum snp_product product, char ret[SNP_TCB_TEXT]);

#endif
