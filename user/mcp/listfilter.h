/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_LISTFILTER_H
#define TOLLGATE_MCP_LISTFILTER_H

#include <stdbool.h>
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

/* Cuts the elements i of an array with drop[i] != 0 (n flags; elements beyond are cut), each with one
 * comma. Works for a list of a result and for a batch. 0 or -ENOMEM. */
int splice_cut(struct splice *s, const struct tape *t, uint32_t array, const uint8_t *drop, size_t n);

/* "cacheScope":"public" of a result becomes "private" (2026-07-28: what was filtered for one principal
 * must not be shared). Nothing to do is fine. 0 or -ENOMEM. */
int splice_private(struct splice *s, const struct tape *t, uint32_t result);

/* Appends the edited message to out. 0, -EINVAL (edits overlap or lie outside), or buf_append()'s. */
int splice_apply(struct splice *s, struct span bytes, struct buf *out);

/* The usual whole: a list result with dropped elements cut, and its cache scope narrowed when something was cut
 * or with force_private (another page of the same list was cut). 1: out holds the message to
 * send; 0: nothing to change, forward the received bytes; or -errno. */
int list_filter(const struct tape *t, uint32_t result, uint32_t array, const uint8_t *drop, size_t n,
		bool force_private, struct buf *out);

#endif
