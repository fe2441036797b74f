/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_EVIDENCE_H
#define TOLLGATE_NOTARY_EVIDENCE_H

#include "attest/claim_report.h"
#include "user/base/buf.h"
#include "user/notary/notary.h"
#include "user/role/notary_open.h"

/* Evidence for a nonce, bound to a checkpoint that is signed for it; the JSON of attest.h. 0 or -errno:
 * -EBUSY when the last one was just made (the notary has records to write). */
int notary_evidence(const struct notary_hands *h, struct notary *n, const struct msg_setup *setup,
		    const struct msg_evidence *ask, struct buf *json);

/* One session's report, for its claims. 0 or -errno. */
int notary_session_report(const struct notary_hands *h, const uint8_t nonce[CLAIM_NONCE_SIZE],
			  struct claim_report *ret);

/* Evidence of this start, for who comes later: bound to the notary's session id, kept at path, its digest in a
 * record of that session. Without a TPM there is nothing to keep. A failure is recorded in its place. */
void notary_evidence_of_start(const struct notary_hands *h, struct notary *n, const struct msg_setup *setup,
			      const char *path);

#endif
