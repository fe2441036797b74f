/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_BUNDLE_H
#define TOLLGATE_CLI_POLICY_BUNDLE_H

#include <jansson.h>

#include "policy/mcp_model.h"
#include "user/base/buf.h"
#include "user/base/digest.h"

/*
 * Policy bundles of the cMCP runtime: a folder with manifest.json, schema.cedarschema and, at any depth,
 * policies in *.cedar. Texts are read as that runtime reads them, with "\n" for every line end.
 */

#define POLICY_BUNDLE_ERROR_MAX 512

struct policy_bundle {
	char *manifest_path;
	json_t *manifest;
	struct mcp_policy_text *texts; /* by name, which is relative to the folder */
	struct buf *contents; /* of texts */
	size_t n_texts;
	struct buf schema; /* hashed, but nothing is validated against it, as there */
	char hash[SHA256_PREFIXED_SIZE];
};

/* Reads a bundle and computes its hash: SHA-256 over the manifest without its signature, the digest of
 * every policy by its name and that of the schema, in the canonical form of Python's json module. 0, or
 * -errno with "file: reason" in error. policy_bundle_done() in either case. */
int policy_bundle_load(const char *dir, struct policy_bundle *ret, char error[POLICY_BUNDLE_ERROR_MAX]);
void policy_bundle_done(struct policy_bundle *b);
#define _cleanup_policy_bundle_ _cleanup_(policy_bundle_done)

/* Appends what a signature of the bundle is made over. 0, -ENOMEM. */
int policy_bundle_signed_text(const struct policy_bundle *b, struct buf *out);

#endif
