/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CBOR_WRITE_H
#define TOLLGATE_ATTEST_CBOR_WRITE_H

#include "attest/cbor.h"
#include "user/base/buf.h"

/* Writing what cbor.h reads: heads are the shortest, as the deterministic encoding has them; the order of
 * a map's names is the caller's to keep. 0 or -ENOMEM. */

/* The head of an item: value is the number, the length, or how many items follow. */
int cbor_put(struct buf *out, enum cbor_type type, uint64_t value);
int cbor_put_bytes(struct buf *out, enum cbor_type type, struct span bytes);

#endif
