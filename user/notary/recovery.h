/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_RECOVERY_H
#define TOLLGATE_RECOVERY_H

#include "user/notary/store.h"

/* The opening half of store_open(): fills s->tree from the segments, mends the tree file and the tail. */
int recovery_run(struct store *s, store_seen_fn seen, void *arg, struct store_recovery *ret);

#endif
