/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CANON_H
#define TOLLGATE_MCP_CANON_H

#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/mcp/tape.h"

/*
 * Canonical form C, that of all cMCP hashes: what Python's json.dumps(v, sort_keys=True,
 * separators=(",", ":"), ensure_ascii=True) writes for the value that json.loads() reads. Names are
 * sorted by code point, everything outside 0x20..0x7e is escaped, integers keep their digits (-0
 * becomes 0), other numbers become IEEE doubles and are written as Python's repr() does (1e16 is
 * 1e+16, 1.0 is 1.0, what overflows is Infinity).
 * LIMIT: two texts of one double hash alike (1.0, 1.00, 10e-1), and digits beyond a double's
 * precision are not seen.
 */

/* Appends form C of the value at token i. 0, -EINVAL (no such token), -ENOMEM or -EMSGSIZE. */
int canon_write(const struct tape *t, uint32_t i, struct buf *out);

/* SHA-256 over form C. scratch is cleared first and keeps its memory; same errors. */
int canon_digest(const struct tape *t, uint32_t i, struct buf *scratch, uint8_t ret[SHA256_SIZE]);

/* Appends one string, quoted. */
int canon_string(struct span text, struct buf *out);

/* Appends the value indented by two spaces per level, strings and numbers as written; for files
 * that people review. */
int canon_pretty(const struct tape *t, uint32_t i, unsigned level, struct buf *out);

#endif
