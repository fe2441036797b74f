// SPDX-License-Identifier: Apache-2.0
/*
 * Findings folded into the eight members of an AR4SI vector.
 */
#include "attest/ear.h"

#include <string.h>

#include "user/base/cleanup.h"

#define EAR_PROFILE "tag:ietf.org,2026:rats/ear#04"

/* AR4SI: 0 no claim made, 2 affirmed, 32 a warning, 96 contraindicated, 99 cryptographic validation failed. */
enum {
	TIER_NONE = 0,
	TIER_AFFIRMING = 2,
	TIER_WARNING = 32,
	TIER_CONTRAINDICATED = 96,
};

static const char *const claim_names[EAR_CLAIMS] = {
	[EAR_INSTANCE_IDENTITY] = "instance-identity",
	[EAR_CONFIGURATION] = "configuration",
	[EAR_EXECUTABLES] = "executables",
	[EAR_FILE_SYSTEM] = "file-system",
	[EAR_HARDWARE] = "hardware",
	[EAR_RUNTIME_OPAQUE] = "runtime-opaque",
	[EAR_STORAGE_OPAQUE] = "storage-opaque",
	[EAR_SOURCED_DATA] = "sourced-data",
};

static const struct {
	const char *field;
	enum ear_claim claim;
} rows[] = {
	{ "snp.policy", EAR_CONFIGURATION },
	{ "snp.abi", EAR_CONFIGURATION },
	{ "snp.smt", EAR_CONFIGURATION },
	{ "snp.migration", EAR_CONFIGURATION },
	{ "snp.single_socket", EAR_CONFIGURATION },
	{ "snp.vmpl", EAR_CONFIGURATION },
	{ "snp.platform_info", EAR_CONFIGURATION },
	{ "snp.host_data", EAR_CONFIGURATION },
	{ "snp.debug", EAR_RUNTIME_OPAQUE },
	{ "snp.measurement", EAR_EXECUTABLES },
	{ "snp.id_key", EAR_EXECUTABLES },
	{ "snp.author_key", EAR_EXECUTABLES },
	{ "snp.family_id", EAR_EXECUTABLES },
	{ "snp.image_id", EAR_EXECUTABLES },
	{ "snp.guest_svn", EAR_EXECUTABLES },
	{ "snp.product", EAR_HARDWARE },
	{ "snp.tcb", EAR_HARDWARE },
	{ "snp.firmware", EAR_HARDWARE },
	{ "snp.minimum_tcb", EAR_HARDWARE },
	{ "snp.chain", EAR_HARDWARE },
	{ "snp.crl", EAR_HARDWARE },
	{ "snp.signature", EAR_HARDWARE },
	{ "snp.report_data", EAR_SOURCED_DATA },
	{ "binding.identity", EAR_EXECUTABLES },
	{ "binding.program_hash", EAR_EXECUTABLES },
	{ "binding.kernel_program_hash", EAR_EXECUTABLES },
	{ "binding.policy_hash", EAR_CONFIGURATION },
	{ "binding.catalog_hash", EAR_CONFIGURATION },
	{ "binding.mode", EAR_CONFIGURATION },
	{ "binding.nonce", EAR_SOURCED_DATA },
	{ "azure.runtime_data", EAR_CONFIGURATION },
	{ "azure.report_data_tail", EAR_CONFIGURATION },
	{ "azure.td_report", EAR_HARDWARE },
	{ "azure.hcl", EAR_HARDWARE },
	{ "tpm.expected", EAR_EXECUTABLES },
	{ "tpm.pcrs", EAR_EXECUTABLES },
	{ "tpm.eventlog", EAR_EXECUTABLES },
	{ "tpm.eventlog_data", EAR_EXECUTABLES },
	{ "tpm.ima", EAR_EXECUTABLES },
	{ "tpm.identity", EAR_EXECUTABLES },
	{ "tpm.selection", EAR_CONFIGURATION },
	{ "tpm.bank", EAR_CONFIGURATION },
	{ "tpm.resettable", EAR_CONFIGURATION },
	{ "tpm.firmware", EAR_HARDWARE },
	{ "tpm.signature", EAR_HARDWARE },
	{ "tpm.nonce", EAR_SOURCED_DATA },
	{ "tdx.mrtd", EAR_EXECUTABLES },
	{ "tdx.rtmr0", EAR_EXECUTABLES },
	{ "tdx.rtmr1", EAR_EXECUTABLES },
	{ "tdx.rtmr2", EAR_EXECUTABLES },
	{ "tdx.rtmr3", EAR_EXECUTABLES },
	{ "tdx.event_log", EAR_EXECUTABLES },
	{ "tdx.event_data", EAR_EXECUTABLES },
	{ "tdx.mrservicetd", EAR_EXECUTABLES },
	{ "tdx.debug", EAR_RUNTIME_OPAQUE },
	{ "tdx.td_attributes", EAR_CONFIGURATION },
	{ "tdx.sept_ve", EAR_CONFIGURATION },
	{ "tdx.xfam", EAR_CONFIGURATION },
	{ "tdx.mrconfigid", EAR_CONFIGURATION },
	{ "tdx.mrowner", EAR_CONFIGURATION },
	{ "tdx.mrownerconfig", EAR_CONFIGURATION },
	{ "tdx.signature", EAR_HARDWARE },
	{ "tdx.chain", EAR_HARDWARE },
	{ "tdx.crl", EAR_HARDWARE },
	{ "tdx.qe", EAR_HARDWARE },
	{ "tdx.qe_identity", EAR_HARDWARE },
	{ "tdx.tcb_info", EAR_HARDWARE },
	{ "tdx.tcb", EAR_HARDWARE },
	{ "tdx.module", EAR_HARDWARE },
	{ "tdx.mrseam", EAR_HARDWARE },
	{ "tdx.mrsignerseam", EAR_HARDWARE },
	{ "tdx.advisories", EAR_HARDWARE },
	{ "tdx.report_data", EAR_SOURCED_DATA },
};

enum ear_claim ear_claim_of(const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].field, field) == 0)
			return rows[i].claim;
	return EAR_INSTANCE_IDENTITY;
}

static int tier_of(const struct attest_finding *f, const struct attest_policy *p)
{
	if (f->verdict == ATTEST_FAIL)
		return f->soft ? TIER_WARNING : TIER_CONTRAINDICATED;
	if (f->verdict == ATTEST_PASS)
		return TIER_AFFIRMING;
	return attest_blocks(f, p) ? TIER_WARNING : TIER_NONE;
}

static const char *status_of(enum attest_status s)
{
	return s == ATTEST_AFFIRMING	? "affirming"
	       : s == ATTEST_INCOMPLETE ? "warning"
					: "contraindicated";
}

int attest_ear(const struct attest_result *res, const struct attest_policy *p, int64_t iat,
	       const char *build, struct buf *out)
{
	int vector[EAR_CLAIMS] = { 0 };
	struct json_out j;

	for (unsigned i = 0; i < res->n_findings; i++) {
		int *worst = &vector[ear_claim_of(res->findings[i].field)];
		int tier = tier_of(&res->findings[i], p);

		if (tier > *worst)
			*worst = tier;
	}
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_member_str(&j, "eat_profile", EAR_PROFILE);
	json_out_member_int(&j, "iat", iat);
	json_out_key(&j, "ear.verifier-id");
	json_out_object(&j);
	json_out_member_str(&j, "build", build);
	json_out_member_str(&j, "developer", "tollgate");
	json_out_object_end(&j);
	json_out_key(&j, "submods");
	json_out_object(&j);
	json_out_key(&j, res->provider);
	json_out_object(&j);
	json_out_member_str(&j, "ear.status", status_of(attest_appraise(res, p)));
	json_out_key(&j, "ear.trustworthiness-vector");
	json_out_object(&j);
	for (unsigned i = 0; i < EAR_CLAIMS; i++)
		json_out_member_int(&j, claim_names[i], vector[i]);
	json_out_object_end(&j);
	json_out_object_end(&j);
	json_out_object_end(&j);
	json_out_object_end(&j);
	return json_out_end(&j);
}
