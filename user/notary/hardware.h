/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_HARDWARE_H
#define TOLLGATE_NOTARY_HARDWARE_H

#include "user/notary/notary_private.h"

/* What the TPM adds to a log: nothing, where the notary has none. */

/* Before the first record: the co-signing key's text in the log directory, and the counter held against what
 * the last checkpoint stated. 0 or -errno. */
int notary_hw_begin(struct notary *n);

/* Appends fault records about what notary_hw_begin() found. */
int notary_hw_report(struct notary *n);

/* Puts the counter into a checkpoint that is to be signed. force: the counter is to be raised now. */
void notary_hw_count(struct notary *n, struct checkpoint *cp, bool force);

/* Adds the second signature, unless the TPM is too slow to sign at this rate and force is not set. A TPM that
 * fails is told of and the note stays as it is. */
void notary_hw_cosign(struct notary *n, struct buf *note, bool force);

/* The checkpoint is on file: raises the counter to what it states. */
void notary_hw_raise(struct notary *n, const struct checkpoint *cp);

#endif
