/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TDX_TCB_H
#define TOLLGATE_ATTEST_TDX_TCB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "attest/policy_tdx.h"
#include "attest/tdx_pck.h"
#include "attest/tdx_quote.h"

/*
 * Intel's statements about security versions: TCB information (version 3, of TDX) and the identity of the
 * quoting enclave (version 2), as JSON that Intel signs ("Intel SGX and TDX Provisioning Certification
 * Service"). The signature covers the very bytes of one member's value, so these are found first; what
 * stands in them counts once they are verified.
 */
#define TDX_LEVELS_MAX 64
#define TDX_MODULES_MAX 16
#define TDX_ADVISORIES_MAX 128
#define TDX_JSON_MAX (1u << 20) /* Intel's have under 10 KiB */

/* A signed statement: the signed bytes inside the text, and the raw signature. */
struct tdx_statement {
	struct span body;
	uint8_t signature[64];
};

/* Finds the value of the member (tcbInfo, enclaveIdentity) in {"member":{...},"signature":"hex"}, which
 * must have these two members and no other. 0, -ENOENT when the text is JSON without that member, or
 * -EBADMSG. */
int tdx_statement_find(struct span text, const char *member, struct tdx_statement *ret);

struct tdx_level {
	uint8_t sgx[16], tdx[16];
	uint32_t pcesvn;
	uint32_t isvsvn; /* of modules and enclaves, which have no other number */
	enum tdx_status status;
	json_t *advisories; /* borrowed from the document; may be NULL */
};

struct tdx_levels {
	struct tdx_level level[TDX_LEVELS_MAX]; /* as in the document: best first */
	unsigned n;
};

struct tdx_module {
	uint8_t version; /* TDX_01: 1 */
	uint8_t mrsigner[48], attributes[8], mask[8];
	struct tdx_levels levels;
};

/* What both statements have. */
struct tdx_validity {
	int64_t issued, next;
	uint32_t evaluation;
};

struct tdx_tcb_info {
	json_t *doc; /* owned */
	struct tdx_validity validity;
	uint8_t fmspc[6], pceid[2];
	struct tdx_module module; /* for modules without a version of their own; no levels */
	struct tdx_module modules[TDX_MODULES_MAX];
	unsigned n_modules;
	struct tdx_levels levels;
};

struct tdx_qe_identity {
	json_t *doc; /* owned */
	struct tdx_validity validity;
	uint8_t miscselect[4], miscselect_mask[4], attributes[16], attributes_mask[16], mrsigner[32];
	uint32_t isvprodid;
	struct tdx_levels levels;
};

/* Read a statement's body. Zero-initialise; 0, -ENOENT when it is of another kind (SGX), -EBADMSG. */
int tdx_tcb_info_parse(struct span body, struct tdx_tcb_info *ret);
int tdx_qe_identity_parse(struct span body, struct tdx_qe_identity *ret);
void tdx_tcb_info_done(struct tdx_tcb_info *t);
void tdx_qe_identity_done(struct tdx_qe_identity *q);

/* The identity that fits the module of this TEE_TCB_SVN: by its version, or the common one when that is
 * zero; NULL when Intel knows none. */
const struct tdx_module *tdx_module_of(const struct tdx_tcb_info *t, struct span svn);

/* The judgement on one TEE_TCB_SVN: the platform's level, its module's level and the quoting enclave's,
 * converged. Levels that decided are given for their advisories; NULL where none fits. */
struct tdx_judgement {
	enum tdx_status status;
	const struct tdx_level *platform, *module;
};
struct tdx_judgement tdx_judge(const struct tdx_tcb_info *t, const struct tdx_pck *pck, struct span svn,
			       enum tdx_status qe);

/* The level of an enclave or module by its ISVSVN; NULL when none fits. */
const struct tdx_level *tdx_level_by_isvsvn(const struct tdx_levels *l, uint32_t isvsvn);

/* An old status of a part makes the whole old. */
enum tdx_status tdx_converge(enum tdx_status whole, enum tdx_status part);

/* Launched under an old module, running under a good one: starting the TD again is all that is needed. */
enum tdx_status tdx_relaunch(enum tdx_status launch, enum tdx_status current);

#endif
