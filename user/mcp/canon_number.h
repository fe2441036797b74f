/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CANON_NUMBER_H
#define TOLLGATE_MCP_CANON_NUMBER_H

#include "user/base/buf.h"
#include "user/base/span.h"

/* Private to canon. Appends a JSON number in form C: Python's int or float repr of it. 0 or the
 * error of buf_append(); -EMSGSIZE for a fraction or exponent form of more than CANON_NUMBER_MAX
 * bytes. */
#define CANON_NUMBER_MAX 1024

int canon_number(struct span raw, struct buf *out);

#endif
