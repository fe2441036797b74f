// SPDX-License-Identifier: Apache-2.0
/*
 * The "snp" section of a verifier's policy.
 */
#include "attest/policy_snp.h"

#define AT(m) offsetof(struct snp_policy, m)

const char *const snp_product_words[] = { "milan", "genoa", "turin", NULL };
static const char *const key_words[] = { "vcek", "vlek", NULL };

/* PLATFORM_INFO by bit; 6 is set on real chips and has no public name. */
static const char *const platform_words[] = {
	"smt", "tsme", "ecc", "rapl_disabled", "ciphertext_hiding", "alias_check_complete", "bit_6", "tio", NULL,
};

/* The guest POLICY from bit 16; 17 is reserved as one, and debug and migration have their own keys. */
static const char *const policy_words[] = {
	"smt", "reserved", "migrate_ma", "debug", "single_socket", "cxl", "mem_aes_256_xts", "rapl_disabled",
	"ciphertext_hiding", "page_swap_disabled", NULL,
};

static const struct policy_key tcb_keys[] = {
	{ .name = "fmc", .kind = POLICY_UINT, .offset = offsetof(struct snp_tcb, fmc), .max = 255 },
	{ .name = "bootloader", .kind = POLICY_UINT, .offset = offsetof(struct snp_tcb, bootloader), .max = 255 },
	{ .name = "tee", .kind = POLICY_UINT, .offset = offsetof(struct snp_tcb, tee), .max = 255 },
	{ .name = "snp", .kind = POLICY_UINT, .offset = offsetof(struct snp_tcb, snp), .max = 255 },
	{ .name = "microcode", .kind = POLICY_UINT, .offset = offsetof(struct snp_tcb, microcode), .max = 255 },
	{ 0 },
};

static const struct policy_key minimum_keys[] = {
	{ .name = "milan", .kind = POLICY_OBJECT, .offset = AT(minimum_tcb[SNP_MILAN]), .keys = tcb_keys },
	{ .name = "genoa", .kind = POLICY_OBJECT, .offset = AT(minimum_tcb[SNP_GENOA]), .keys = tcb_keys },
	{ .name = "turin", .kind = POLICY_OBJECT, .offset = AT(minimum_tcb[SNP_TURIN]), .keys = tcb_keys },
	{ 0 },
};

const struct policy_key snp_policy_keys[] = {
	{ .name = "report_data", .kind = POLICY_SET, .offset = AT(report_data), .max = 64 },
	{ .name = "measurements", .kind = POLICY_SET, .offset = AT(measurements), .max = 48 },
	{ .name = "host_data", .kind = POLICY_SET, .offset = AT(host_data), .max = 32 },
	{ .name = "id_key_digests", .kind = POLICY_SET, .offset = AT(id_key_digests), .max = 48 },
	{ .name = "author_key_digests", .kind = POLICY_SET, .offset = AT(author_key_digests), .max = 48 },
	{ .name = "family_ids", .kind = POLICY_SET, .offset = AT(family_ids), .max = 16 },
	{ .name = "image_ids", .kind = POLICY_SET, .offset = AT(image_ids), .max = 16 },
	{ .name = "chips", .kind = POLICY_SET, .offset = AT(chips), .max = 64 },
	{ .name = "deny_chips", .kind = POLICY_SET, .offset = AT(deny_chips), .max = 64 },
	{ .name = "csp_ids", .kind = POLICY_TEXTS, .offset = AT(csp_ids) },
	{ .name = "products", .kind = POLICY_WORDS, .offset = AT(products), .words = snp_product_words },
	{ .name = "deny_products", .kind = POLICY_WORDS, .offset = AT(deny_products), .words = snp_product_words },
	{ .name = "signing_keys", .kind = POLICY_WORDS, .offset = AT(signing_keys), .words = key_words },
	{ .name = "allow_debug", .kind = POLICY_BOOL, .offset = AT(allow_debug) },
	{ .name = "allow_migration", .kind = POLICY_BOOL, .offset = AT(allow_migration) },
	{ .name = "allow_provisional_firmware", .kind = POLICY_BOOL, .offset = AT(allow_provisional_firmware) },
	{ .name = "forbid_smt", .kind = POLICY_BOOL, .offset = AT(forbid_smt) },
	{ .name = "require_single_socket", .kind = POLICY_BOOL, .offset = AT(require_single_socket) },
	{ .name = "max_vmpl", .kind = POLICY_UINT, .offset = AT(max_vmpl), .max = 3 },
	{ .name = "min_abi_major", .kind = POLICY_UINT, .offset = AT(min_abi_major), .max = 255 },
	{ .name = "min_abi_minor", .kind = POLICY_UINT, .offset = AT(min_abi_minor), .max = 255 },
	{ .name = "min_guest_svn", .kind = POLICY_UINT, .offset = AT(min_guest_svn), .max = UINT32_MAX },
	{ .name = "platform_set", .kind = POLICY_WORDS, .offset = AT(platform_set), .words = platform_words },
	{ .name = "platform_clear", .kind = POLICY_WORDS, .offset = AT(platform_clear), .words = platform_words },
	{ .name = "policy_set", .kind = POLICY_WORDS, .offset = AT(policy_set), .words = policy_words },
	{ .name = "policy_clear", .kind = POLICY_WORDS, .offset = AT(policy_clear), .words = policy_words },
	{ .name = "minimum_tcb", .kind = POLICY_OBJECT, .offset = 0, .keys = minimum_keys },
	{ 0 },
};

void snp_policy_defaults(struct snp_policy *p)
{
	*p = (struct snp_policy){
		.products = (1u << SNP_PRODUCTS) - 1, .signing_keys = 3, .max_vmpl = SNP_VMPL_UNSET,
	};
}

void snp_policy_done(struct snp_policy *p)
{
	struct policy_set *sets[] = {
		&p->report_data, &p->measurements, &p->host_data, &p->id_key_digests, &p->author_key_digests,
		&p->family_ids, &p->image_ids, &p->chips, &p->deny_chips,
	};

	for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		policy_set_done(sets[i]);
	policy_texts_done(&p->csp_ids);
}
