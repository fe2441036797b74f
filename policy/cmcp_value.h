/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_CMCP_VALUE_H
#define TOLLGATE_POLICY_CMCP_VALUE_H

#include "policy/json.h"

#define CMCP_NUMBER_MAX 1100 /* characters of a number with a fraction: doubles need 767 digits */
#define CMCP_FLOAT_SIZE 64

/* Writes a double as Python's repr() does: the fewest digits that read back as it, "1.0", "1e+16". */
void cmcp_float_text(double v, char ret[CMCP_FLOAT_SIZE]);

/* Puts a value of a message as the dialect has it (cmcp.h). text is what v was parsed from; mem must
 * live as long as the request. What cannot be put fails the build: -ERANGE for an integer or a length of
 * number beyond the limit, -EINVAL for an object that is an escape. */
void cmcp_put(struct cedar_build *b, struct arena *mem, struct span text, const struct json *v);

#endif
