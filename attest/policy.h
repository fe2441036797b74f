/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_POLICY_H
#define TOLLGATE_ATTEST_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attest/policy_binding.h"
#include "attest/policy_snp.h"
#include "attest/policy_tdx.h"
#include "attest/policy_tpm.h"
#include "attest/policy_types.h"

/*
 * What a verifier expects, read from a JSON file. Nothing in it loosens cryptography; it names expected
 * values, floors, allowed and denied things, and which fields may stay open.
 *
 *	{ "version": 1,
 *	  "require": ["snp.chip"], "optional": ["snp.crl"],
 *	  "snp": { ... }, "tdx": { ... }, "tpm": { ... }, "binding": { ... } }
 *
 * The sections' members stand in policy_snp.c, policy_tdx.c and their like. A key that is not known, is
 * given twice or has the wrong type refuses the whole file: a misspelt expectation must not turn into none.
 */
#define ATTEST_POLICY_MAX (1u << 20) /* a fleet's list of chips fits many times */

struct attest_policy {
	uint32_t version; /* 1 in a file */
	/* Field names of findings: open is not good enough; open is good enough. */
	struct policy_texts require, optional;
	struct binding_policy binding;
	struct snp_policy snp;
	struct tdx_policy tdx;
	struct tpm_policy tpm;
};

/* The policy without a file: no expected values, the strict defaults that the sections name. */
void attest_policy_init(struct attest_policy *p);
void attest_policy_done(struct attest_policy *p);

/* Reads a policy over the defaults. p must be initialised; on failure it holds nothing that was half
 * read. 0, -EINVAL with what is wrong and where in e, or -ENOMEM. */
int attest_policy_read(struct attest_policy *p, struct span json, struct policy_error *e);

#endif
