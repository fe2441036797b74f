/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_H
#define TOLLGATE_NOTARY_H

#include <stdbool.h>
#include <stdint.h>

#include "user/notary/checkpoint.h"
#include "user/notary/record.h"
#include "user/notary/store.h"

/*
 * The engine of the notary role: rings in, log and checkpoints out. The role's main gives it
 * descriptors and calls notary_drain() when an eventfd or a timer fires; it makes no loop of its own
 * and does not log: what a human must hear goes to the alarm callback.
 */
struct notary;
struct record_facts;
struct claim_made;
struct claim_report;
struct key_source;
struct key_tpm;

#define NOTARY_RINGS_MAX 1024
#define NOTARY_SESSIONS_MAX 65536 /* open at one time; a record of one more is the producer's fault */

struct notary_config {
	int log_dirfd; /* the log directory, borrowed */
	const char *key_path; /* Ed25519 seed; NULL: ephemeral. Not looked at when there are keys: */
	struct key_source *keys; /* the log key and its predecessor, taken out of it when it opens; may be NULL */
	struct key_tpm *tpm; /* co-signs and counts; borrowed until notary_close(); NULL: there is none */
	const char *origin; /* node name, checkpoint_name_valid() */
	uint64_t segment_max; /* bytes; 0: 64 MiB */
	uint64_t checkpoint_records; /* sign at the latest after so many records; 0: 4096 */
	uint64_t checkpoint_ns; /* and so long after the first unsigned record; 0: 1 s */
	uint64_t sync_ns; /* fdatasync at the latest so long after a write; 0: 1 s. Synced-durability
			     rings are synced in every drain */
	uint64_t retain_bytes; /* that one removal reads through, while the rings wait; 0: 256 MiB */
	const struct record_facts *facts; /* for the notary's own session_start; may be NULL */
	const char *claims_producer; /* "tollgate/<version>": claims are made, claims.h; NULL: none. Borrowed */
	bool producers_gone; /* no producer lived on (first start since the keeper's): sessions that a
				crash left open are closed with a session_end of ours */

	/* A session's report from the hardware, as claims.h wants it; NULL: there is none. */
	int (*report)(void *arg, const uint8_t nonce[64], struct claim_report *ret);
	/* Something a human must hear; text is ASCII. ring is -1 when it concerns none. */
	void (*alarm)(void *arg, int ring, const char *text);
	/* The producer of this ring broke the rules: its ring is failed; end and restart it, then call
	 * notary_ring_restarted(). */
	void (*producer_failed)(void *arg, int ring);
	void *arg;
};

/* Opens the log, recovers, writes the notary's own session_start, signs. 0 or -errno (store_open(),
 * log_key_open(), tpm_device.h); alarm may have been called. */
int notary_open(const struct notary_config *c, struct notary **ret);
/* Drains, ends the notary's session, signs, syncs, frees. What could not be stored stays in the rings. */
void notary_close(struct notary *n);

/* Adds a ring; wake is the producer's eventfd. Both descriptors are borrowed until notary_close().
 * synced: the producer waits for RECORD_SYNCED. Returns the ring's number or -errno. */
int notary_add_ring(struct notary *n, int ring_fd, int wake, bool synced, const char *label);

/* The producer of a ring died: what it had pushed is stored, its open sessions are closed with a
 * session_end of ours, and the ring works again for its successor, which must not attach before. 0, or
 * -errno of storage: nothing is closed, call again. */
int notary_ring_restarted(struct notary *n, int ring);

/* Takes at most max records from all rings in turn, checks, appends, publishes; syncs and signs when
 * due. Returns the number taken (max: call again), or -errno of storage, which has been published to
 * all rings and is tried again at the next call. */
int notary_drain(struct notary *n, unsigned max);

/* Nanoseconds until notary_drain() must be called although nothing wakes us; UINT64_MAX: never.
 * Tells the rings how we rest; 0 when there is work already. Call it last before waiting. */
uint64_t notary_rest(struct notary *n);

/* A record of the notary's own session (reload, release, role deaths told by the keeper). */
int notary_record(struct notary *n, struct record *rec);
/* Makes a claim of a session as it stands now, open or just ended, beside those that are made of every session at
 * its end. 0 with *ret filled; -ENOENT: no such session is open or waits for its claim; -EAGAIN: the session that
 * it continues waits for its own; -EINVAL: its records give none; -EOPNOTSUPP; or -errno of storage. */
int notary_claim(struct notary *n, const char *session_id, struct claim_made *ret);
/* Another log key from here on: the one in force signs for it, and that is on disk when commit is called, which
 * makes the new key the one of the next start (a failure of it is an alarm). The key is taken on success. 0 or
 * -errno: nothing changed. */
int notary_rotate(struct notary *n, struct log_key *next, int (*commit)(void *arg), void *arg);
/* Signs now, with all that the node has. */
int notary_checkpoint(struct notary *n);

/* Removes whole segments whose records are all older than keep_ns before now_ns (Unix time), after a
 * record that names them has been signed (retention.h). The newest segment stays. 0 also when there is
 * nothing to remove; 1: there is more, call again soon, others wait; -errno: nothing is lost, call again later. */
int notary_retain(struct notary *n, uint64_t keep_ns, uint64_t now_ns);

struct notary_status {
	uint64_t size, synced, signed_size, sessions, faults, rejected, replayed, checkpoints;
	uint64_t torn_bytes; /* set aside at this start */
	int error; /* standing storage error, negative errno */
	uint8_t root[TREE_HASH]; /* of the last checkpoint */
	char session_id[40]; /* the notary's own */
	uint64_t counter; /* of the TPM, 0: not counting */
};
void notary_status(const struct notary *n, struct notary_status *ret);
const struct verifier_key *notary_key(const struct notary *n);

#endif
