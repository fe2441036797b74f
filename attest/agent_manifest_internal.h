/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_AGENT_MANIFEST_INTERNAL_H
#define TOLLGATE_ATTEST_AGENT_MANIFEST_INTERNAL_H

#include "attest/agent_manifest.h"
#include "attest/cose.h"
#include "attest/json_text.h"
#include "attest/shape.h"

extern const struct shape agent_manifest_shape;

/* A manifest that is taken apart and has the shape. */
struct manifest {
	json_t *document; /* owned; no member is null */
	bool is_cose;
	struct cose_sign1 cose; /* into the text */
};

static inline const char *manifest_text(const json_t *v, const char *path)
{
	const char *s = json_string_value(json_path(v, path));

	return s ? s : "";
}

/* Unix time of a member whose shape is a time, at most the year 2500's first second; 0 when absent. */
int64_t manifest_time(const json_t *v, const char *path);

/* Artifacts, approvals, delegation, attestation. 0 or -ENOMEM. */
int manifest_check_content(const struct manifest *m, const struct manifest_expect *expect,
			   struct attest_result *res);

#endif
