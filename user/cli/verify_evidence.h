/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_VERIFY_EVIDENCE_H
#define TOLLGATE_CLI_VERIFY_EVIDENCE_H

#include "attest/bundle.h"
#include "user/notary/verify.h"

/* What a log is held against, read from an evidence file. The file is judged by `tollgate attest verify`; here
 * its statement is taken as it stands. */
struct verify_evidence {
	struct attest_bundle bundle;
	struct verifier_key key; /* the log key that it states, under the log's name */
	struct cosign_key cosign;
	struct log_expect expect; /* points into this struct */
};

/* CLI_OK, or an exit status after a message; release after CLI_OK. */
int verify_evidence_read(const char *path, struct verify_evidence *ret);
void verify_evidence_done(struct verify_evidence *e);

#endif
