/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_BUNDLE_H
#define TOLLGATE_GATE_BUNDLE_H

#include <stddef.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * A list of byte strings, each with its length before it (32 bits, host order): how the supervisor hands
 * files that it has read to proxies that may not read any. Reading is total: a short item ends it.
 */
#define BUNDLE_MAX (64u << 20)

int bundle_add(struct buf *b, struct span item);
int bundle_add_str(struct buf *b, const char *item); /* NULL is an empty item */

/* Takes the next item off the front of *rest. 1, 0 at the end, or -EBADMSG. */
int bundle_next(struct span *rest, struct span *ret);

/* The same, as a NUL-terminated string owned by the caller; one that holds a NUL is -EBADMSG. */
int bundle_next_str(struct span *rest, char **ret);

#endif
