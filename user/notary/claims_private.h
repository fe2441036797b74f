/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLAIMS_PRIVATE_H
#define TOLLGATE_CLAIMS_PRIVATE_H

#include <uthash.h>

#include "user/notary/claims.h"

/* Shared by claims.c, claim_report_file.c and claim_write.c only. */
struct claims_session {
	char id[40], next_id[40];
	struct claim_fold *fold;
	bool ended, lost;
	bool made; /* its last claim is written, and not yet in the log */
	bool restored; /* found at the start */
	bool unreported; /* waits for its report */
	uint64_t number; /* of the conversation's last claim; 0: there is none */
	char previous[SHA256_PREFIXED_SIZE];
	struct claims_session *next; /* that waits */
	struct claims_session *next_unreported;
	UT_hash_handle hh;
};

struct claims {
	struct claims_config cfg;
	struct claims_session *all, *waiting, **waiting_tail, *unreported, **unreported_tail;
	uint64_t waiting_n, unreported_n, skipped, leaf;
	struct segment_reader *reader;
	const char *own_id;
};

void claims_drop(struct claims *c, struct claims_session *s);

/* Queues the session for its report, unless there is nobody to ask or too many wait; and takes it off again. */
void claims_want_report(struct claims *c, struct claims_session *s);
int claims_report(struct claims *c, struct claims_session *s); /* now; the session does not wait any more */
void claims_drop_report(struct claims *c, struct claims_session *s);
/* The report on file that covers the key in force; -ENOENT: there is none. */
int claims_read_report(const struct claims *c, const struct claims_session *s, struct claim_report *ret);
/* The same, taken anew when a claim on it would be stale before its day is over. */
int claims_fresh_report(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_report *ret);
/* Whole or not at all, and on disk before anything says that it is there; name lies in CLAIMS_DIR. */
int claims_write_file(const struct claims *c, const char *name, struct span text);

/* Makes the session's documents and their file; fills ret->hash. */
int claims_write(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_made *ret);

#endif
