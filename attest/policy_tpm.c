// SPDX-License-Identifier: Apache-2.0
/*
 * The "tpm" section of a verifier's policy.
 */
#include "attest/policy_tpm.h"

#include "attest/tpm_hash.h"

#define AT(m) offsetof(struct tpm_policy, m)

const uint16_t tpm_policy_algs[TPM_POLICY_BANKS] = { TPM_HASH_SHA256, TPM_HASH_SHA384, TPM_HASH_SHA512 };

static const char *const pcr_words[] = {
	"0",  "1",  "2",  "3",  "4",  "5",  "6",  "7",  "8",  "9",  "10", "11", "12",
	"13", "14", "15", "16", "17", "18", "19", "20", "21", "22", "23", NULL,
};

#define PCR(bank, size, i) \
	{ .name = #i, .kind = POLICY_SET, .offset = AT(pcrs[bank][i]), .max = size }
#define BANK(bank, size) \
	PCR(bank, size, 0), PCR(bank, size, 1), PCR(bank, size, 2), PCR(bank, size, 3), PCR(bank, size, 4), \
	PCR(bank, size, 5), PCR(bank, size, 6), PCR(bank, size, 7), PCR(bank, size, 8), PCR(bank, size, 9), \
	PCR(bank, size, 10), PCR(bank, size, 11), PCR(bank, size, 12), PCR(bank, size, 13), \
	PCR(bank, size, 14), PCR(bank, size, 15), PCR(bank, size, 16), PCR(bank, size, 17), \
	PCR(bank, size, 18), PCR(bank, size, 19), PCR(bank, size, 20), PCR(bank, size, 21), \
	PCR(bank, size, 22), PCR(bank, size, 23), { 0 }

static const struct policy_key sha256_keys[] = { BANK(TPM_POLICY_SHA256, 32) };
static const struct policy_key sha384_keys[] = { BANK(TPM_POLICY_SHA384, 48) };
static const struct policy_key sha512_keys[] = { BANK(TPM_POLICY_SHA512, 64) };

static const struct policy_key pcrs_keys[] = {
	{ .name = "sha256", .kind = POLICY_OBJECT, .keys = sha256_keys },
	{ .name = "sha384", .kind = POLICY_OBJECT, .keys = sha384_keys },
	{ .name = "sha512", .kind = POLICY_OBJECT, .keys = sha512_keys },
	{ 0 },
};

static const struct policy_key selection_keys[] = {
	{ .name = "sha256", .kind = POLICY_WORDS, .offset = AT(selection[TPM_POLICY_SHA256]), .words = pcr_words },
	{ .name = "sha384", .kind = POLICY_WORDS, .offset = AT(selection[TPM_POLICY_SHA384]), .words = pcr_words },
	{ .name = "sha512", .kind = POLICY_WORDS, .offset = AT(selection[TPM_POLICY_SHA512]), .words = pcr_words },
	{ 0 },
};

const struct policy_key tpm_policy_keys[] = {
	{ .name = "ak_names", .kind = POLICY_SET, .offset = AT(ak_names), .max = 34 },
	{ .name = "enrollers", .kind = POLICY_SET, .offset = AT(enrollers), .max = 32 },
	{ .name = "firmware", .kind = POLICY_SET, .offset = AT(firmware), .max = 8 },
	{ .name = "pcrs", .kind = POLICY_OBJECT, .keys = pcrs_keys },
	{ .name = "selection", .kind = POLICY_OBJECT, .keys = selection_keys },
	{ .name = "min_resets", .kind = POLICY_UINT, .offset = AT(min_resets), .max = UINT32_MAX },
	{ .name = "program_path", .kind = POLICY_TEXTS, .offset = AT(program_path) },
	{ .name = "programs", .kind = POLICY_SET, .offset = AT(programs), .max = 32 },
	{ .name = "measured", .kind = POLICY_SET, .offset = AT(measured), .max = 32 },
	{ 0 },
};

void tpm_policy_done(struct tpm_policy *p)
{
	for (unsigned b = 0; b < TPM_POLICY_BANKS; b++)
		for (unsigned i = 0; i < TPM_PCRS; i++)
			policy_set_done(&p->pcrs[b][i]);
	policy_set_done(&p->ak_names);
	policy_set_done(&p->enrollers);
	policy_set_done(&p->firmware);
	policy_texts_done(&p->program_path);
	policy_set_done(&p->programs);
	policy_set_done(&p->measured);
}
