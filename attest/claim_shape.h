/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_SHAPE_H
#define TOLLGATE_ATTEST_CLAIM_SHAPE_H

#include "attest/shape.h"

extern const struct shape claim_shape; /* GatewayClaim, as cMCP's model (not its schema file) has it */
extern const struct shape bundle_shape;
extern const struct shape trust_record_shape; /* TRACE v0.2 */

#define TRACE_PROFILE "tag:agentrust-io.com,2026:trace-v0.2"

#endif
