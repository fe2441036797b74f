/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_VERIFY_H
#define TOLLGATE_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "user/notary/checkpoint.h"
#include "user/notary/cosign.h"
#include "user/notary/segment.h"

/* Offline verification of a log directory; trusts nothing in it. Does not log. */

enum log_fault {
	LOG_FAULT_NONE = 0,
	LOG_FAULT_READ, /* a file could not be read */
	LOG_FAULT_SEGMENT, /* a segment is missing or begins at the wrong leaf */
	LOG_FAULT_TORN, /* the last line has no end */
	LOG_FAULT_FORM, /* a line is not a canonical record */
	LOG_FAULT_ENTRY_HASH, /* a record's content is not what its entry_hash says */
	LOG_FAULT_SEQUENCE, /* a session's numbers do not follow */
	LOG_FAULT_CHAIN, /* a session's previous hash is not the previous record's */
	LOG_FAULT_CHECKPOINT_FORM, /* the checkpoint is not a checkpoint */
	LOG_FAULT_SIGNATURE, /* the checkpoint is not signed by the key */
	LOG_FAULT_TRUNCATED, /* fewer records than the checkpoint covers */
	LOG_FAULT_ROOT, /* the records are not those the checkpoint was signed over */
	LOG_FAULT_HANDOVER, /* a record hands a trusted key over without its signature */
	LOG_FAULT_COSIGNATURE, /* the expected co-signing key did not sign the checkpoint */
	LOG_FAULT_COUNTER, /* the checkpoint states less than the TPM's counter: rolled back */
	LOG_FAULT_EVIDENCE, /* the log does not hold the records that evidence was bound to */
	LOG_FAULT_REMOVED, /* the first records are gone, and no record of the log says why */
};
const char *log_fault_text(enum log_fault f); /* a stable word */

struct log_finding {
	enum log_fault fault;
	bool placed; /* at is known */
	struct segment_at at;
	char session_id[40]; /* "" when it concerns none */
	char text[256]; /* what exactly, for people; ASCII */
};
typedef void (*log_finding_fn)(void *arg, const struct log_finding *f);

struct log_verdict {
	uint64_t records, sessions, open_sessions, faults;
	uint64_t torn_files; /* lines that were set aside by recovery */
	uint64_t fault_records; /* records of type fault: what the node itself reported */
	uint64_t removed; /* first records that retention took away; records counts those that are there */
	uint64_t removed_leaf; /* the record that says so */
	uint64_t cut_sessions; /* their beginnings went with them */
	struct checkpoint checkpoint;
	uint64_t uncovered; /* records after the checkpoint: chained but not signed */
	bool signature_ok, root_ok;
	uint64_t handovers; /* signed, from the given key on */
	uint64_t key_gaps; /* changes of the log's key that no signature carries */
	bool cosigned, cosign_checked; /* by the expected key */
	bool counter_checked; /* and not behind: the first checkpoint.counter_size records are no roll-back */
	bool evidence_checked; /* its records are the log's first ones */
	struct verifier_key signer; /* whose signature was looked for: the given key or a successor */
};

/* What a verifier knows from elsewhere, such as evidence that it has judged; zeroed: nothing. */
struct log_expect {
	const struct cosign_key *cosign;
	bool have_counter;
	uint64_t counter; /* of the TPM, certified */
	bool have_head;
	uint64_t size; /* a tree head that the log had */
	uint8_t root[TREE_HASH];
};

#define LOG_FINDINGS_MAX 1000 /* reported one by one; the count goes on */

/* Verifies all records and the checkpoint with the key, or the one that it handed over to by the record
 * where the checkpoint stands. 0 when the verdict was reached (verified when
 * ret->faults is 0), -ENOMEM or -errno of opening the directory. */
int log_verify(int dirfd, struct span checkpoint_note, const struct verifier_key *vk,
	       log_finding_fn fn, void *arg, struct log_verdict *ret);
/* The same, and what is expected. */
int log_verify_against(int dirfd, struct span checkpoint_note, const struct verifier_key *vk,
		       const struct log_expect *expect, log_finding_fn fn, void *arg, struct log_verdict *ret);

#endif
