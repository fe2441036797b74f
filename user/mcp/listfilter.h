/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_LISTFILTER_H
#define TOLLGATE_MCP_LISTFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/mcp/splice.h"
#include "user/mcp/tape.h"

/* "cacheScope":"public" of a result becomes "private" (2026-07-28: what was filtered for one
 * principal must not be shared). Nothing to do is fine. 0 or -ENOMEM. */
int list_private(struct splice *s, const struct tape *t, uint32_t result);

/* The usual whole: a list result with dropped elements cut, and its cache scope narrowed when
 * something was cut or with force_private (another page of the same list was cut). 1: out holds the
 * message to send; 0: nothing to change, forward the received bytes; or -errno. */
int list_filter(const struct tape *t, uint32_t result, uint32_t array, const uint8_t *drop, size_t n,
		bool force_private, struct buf *out);

#endif
