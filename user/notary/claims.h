/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLAIMS_H
#define TOLLGATE_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/claim_make.h"
#include "attest/claim_report.h"
#include "user/notary/claim_fold.h"
#include "user/notary/view.h"

/*
 * The claims of a log: which sessions want one, from the log as it stands on file, and the files they
 * are written to,
 *
 *	claims/SESSION-N.json    {"bundle_signature":…,"claim":…,"trust_record":…}
 *
 * in the log directory, readable as the log is. N counts the claims of one conversation from 1: one on
 * demand and the one at the session's end, and on through the sessions that continue it. The last file of
 * a session holds all that an auditor needs beside its records. Where there is hardware, a session's claims
 * stand on its report,
 *
 *	claims/SESSION.KEY.evidence.json	claim_report.h; KEY: the first 8 hex digits of the signing key
 *
 * which is taken once, when the session has begun. Runs in the notary.
 */
struct claims;

#define CLAIMS_DIR "claims"
#define CLAIMS_CODE "claim_made" /* reason_code of the notary's record of a claim */
#define CLAIMS_NAME_SIZE 80
#define CLAIMS_KEY_DIGITS 8
/* Ended sessions that wait for their claim: each keeps what it folded, at most some 50 KiB. One more goes without,
 * and the log says so. */
#define CLAIMS_WAITING_MAX 4096
/* Sessions that wait for their report, when they begin faster than the hardware answers. One more goes without. */
#define CLAIMS_REPORTS_MAX 1024

struct claims_config {
	int log_dirfd; /* borrowed */
	const char *origin; /* the log's name; borrowed */
	const char *producer; /* "tollgate/<version>"; borrowed */
	struct claim_signer signer;
	/* Asks the hardware; 0 or -errno. NULL: there is none, and claims say so. */
	int (*report)(void *arg, const uint8_t nonce[CLAIM_NONCE_SIZE], struct claim_report *ret);
	void *report_arg;
};

int claims_new(const struct claims_config *c, struct claims **ret);
void claims_free(struct claims *c);
/* The signer signs with this key from here on; sessions that are open get reports for it. */
void claims_key(struct claims *c, const uint8_t public_key[ED25519_KEY_SIZE]);

/* A record found at the start, in order; own: the notary wrote it. 0 or -ENOMEM. */
int claims_seen(struct claims *c, const struct record_view *v, bool own);
/* From leaf on, claims_follow() reads what is written. own_id: the notary's session of this start, borrowed. */
void claims_start(struct claims *c, uint64_t leaf, const char *own_id);
/* Takes in what was flushed since. 0 or -errno; what could not be read leaves sessions without a claim. */
int claims_follow(struct claims *c);

/* What the notary must record of a claim it has made, and a later claim stands on. */
struct claim_made {
	char session[40];
	uint64_t number, length;
	char hash[SHA256_PREFIXED_SIZE]; /* of the claim with its signature */
	char root[SHA256_HEX_SIZE], tip[SHA256_HEX_SIZE];
	enum record_durability weakest;
	char platform[24]; /* that the claim names */
};

/* Takes the report of the session that has waited longest for it. 0 also when none waits; -errno: the session goes
 * without, and its claims are software-only. Hardware may take half a second. */
int claims_report_next(struct claims *c);
uint64_t claims_unreported(const struct claims *c);

/* Makes the claim of the session that has waited longest, of those that do not wait for their report. 0; -ENOENT:
 * there is none; -EINVAL: its records give none, *ret_why says why, and it waits no longer; -errno of storage or
 * signing: it waits on. In either case *ret names the session. What is signed must be on disk before. */
int claims_make_next(struct claims *c, uint64_t now_ns, struct claim_made *ret, const char **ret_why);
/* The same for one that is open or waits. -ENOENT: no such session; -EAGAIN: one before it has none yet. */
int claims_make(struct claims *c, const char *id, uint64_t now_ns, struct claim_made *ret, const char **ret_why);
uint64_t claims_waiting(const struct claims *c);
/* Claims that were made and could not be recorded are to be made again. */
void claims_unmade(struct claims *c);
/* How many sessions went without a claim since this was asked. */
uint64_t claims_skipped(struct claims *c);
/* The name of a session's report under a key, below the log directory. */
void claims_report_name(const char *id, const char *key_hex, char ret[CLAIMS_NAME_SIZE]);

#endif
