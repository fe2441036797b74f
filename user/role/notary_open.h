/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_OPEN_H
#define TOLLGATE_NOTARY_OPEN_H

#include "attest/attest.h"
#include "user/notary/key_source.h"
#include "user/role/msg.h"

/* What the notary takes in hand as root, before it is locked in: the TPM, the kernel's measurement logs and
 * the log key. */
struct notary_hands {
	struct key_tpm *tpm; /* NULL: none, or none to be used */
	struct attest_logs logs;
	struct key_source keys;
	const char *platform; /* what evidence comes from: "azure", "tpm" or "software-only" */
	char text[MSG_TEXT_MAX]; /* why it failed, and what to do */
};

/* 0, or -errno with text filled. What can be done without (a TPM that nobody asked for) is logged. */
int notary_hands_open(const struct msg_spawn *spec, struct notary_hands *ret);
void notary_hands_done(struct notary_hands *h);

#endif
