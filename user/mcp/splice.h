/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_SPLICE_H
#define TOLLGATE_MCP_SPLICE_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/mcp/tape.h"

/* Cuts of a received message: what is not cut or replaced leaves byte-identical. */
struct splice_edit {
	uint32_t off, len; /* of the received bytes */
	struct span text; /* put in their place; borrowed */
};

struct splice {
	struct splice_edit *edit;
	size_t n, cap;
};

/* Zero-initialised is empty. */
void splice_done(struct splice *s);

/* Replaces bytes. Edits must not overlap. 0 or -ENOMEM. */
int splice_add(struct splice *s, size_t off, size_t len, struct span text);

/* Cuts the elements i of an array with drop[i] != 0 (n flags; elements beyond are cut), each with
 * one comma. Works for a list of a result and for a batch. 0 or -ENOMEM. */
int splice_cut(struct splice *s, const struct tape *t, uint32_t array, const uint8_t *drop, size_t n);

/* Appends the edited message to out. 0, -EINVAL (edits overlap or lie outside), or
 * buf_append()'s. */
int splice_apply(struct splice *s, struct span bytes, struct buf *out);

#endif
