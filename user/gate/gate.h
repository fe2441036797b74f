/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_H
#define TOLLGATE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/mcp/tape.h"
#include "user/notary/record.h"

struct escrow;
struct mcp_judge;
struct record_writer;
struct recorder;
struct snapshot;

enum gate_mode {
	GATE_ENFORCING = 0,
	GATE_ADVISORY, /* records what it would have denied */
	GATE_SILENT, /* records only */
};

const char *gate_mode_text(enum gate_mode m);

/* What the node states of itself in every session's first record. Texts are NUL-terminated. */
struct gate_facts {
	char node[64];
	char boot_id[40];
	char program_hash[SHA256_PREFIXED_SIZE], kernel_hash[SHA256_PREFIXED_SIZE];
	uint8_t public_key[SHA256_SIZE]; /* Ed25519, of the log */
	char salt_epoch[64];
	char escrow_key[2 * SHA256_SIZE + 1]; /* the recipient of payloads, in hex; "": none */
};

struct gate_limits {
	size_t message_max; /* bytes of one MCP message */
	unsigned conversations_max;
};

/*
 * The gate of one proxy: everything that its conversations share. A message is judged only while there is
 * a snapshot, a recorder, and a notary behind it; otherwise it is denied or held.
 */
struct gate {
	enum gate_mode mode;
	struct gate_facts facts;
	struct gate_limits limits;
	struct snapshot *current; /* NULL before the first commit */
	struct snapshot *staged;
	struct recorder *recorder;
	struct escrow *escrow; /* payloads are kept there, sealed, before they are recorded; NULL: they are not */
	bool notary_up;
	struct mcp_judge *judge;
	struct tape tape; /* of the message being judged */
	struct buf out; /* replacement or answer of the message being judged */
	struct gate_conv *convs; /* all that are open */
	unsigned nconvs;
	struct gate_held *held, **held_tail; /* wait for the log to hold something */
	struct gate_held *rooms, **rooms_tail; /* wait for the log to have room */
	void (*room_awaited)(void *arg); /* the first of them came: gate_expire() is due GATE_ROOM_NS later */
	void *room_arg;
	struct {
		uint64_t judged, denied, unrecorded;
	} count;
};

int gate_new(struct gate **ret);
void gate_free(struct gate *g);

/* Puts a snapshot (taken) aside until gate_commit() makes it the current one, atomically between two
 * messages; gate_abort() drops it. -ENOENT when nothing of that epoch is staged. */
void gate_stage(struct gate *g, struct snapshot *s);
int gate_commit(struct gate *g, uint64_t epoch);
void gate_abort(struct gate *g, uint64_t epoch);

/* Record first, release after: calls fn(arg) once the log has reached pos with the configured durability
 * and the notary is there; at once when that is so now. Order is kept. error is 0, or why it never will.
 * -ENOMEM: fn is not called and nothing may be released. */
typedef void (*gate_release_fn)(void *arg, int error);
int gate_when_recorded(struct gate *g, uint64_t pos, gate_release_fn fn, void *arg);

/* True when something recorded at pos may go now. */
bool gate_recorded(struct gate *g, uint64_t pos);

/* A log that has no room holds messages back before they are judged, and denies them only when none has come by
 * then: a notary that stands still for longer than a slow disk explains. */
#define GATE_ROOM_NS 5000000000ull

/* True when the log has room for what one message is likely to record, or will not have any by waiting. */
bool gate_room(struct gate *g);

/* Calls fn(arg) when the log has room again, or after GATE_ROOM_NS; then the message is judged, and denied when
 * there is still none. Order is kept. -ENOMEM: fn is not called. */
int gate_when_room(struct gate *g, void (*fn)(void *arg), void *arg);

/* Calls those who have waited GATE_ROOM_NS. Nanoseconds until the next is due, 0: nobody waits. */
uint64_t gate_expire(struct gate *g, uint64_t now_ns);

/* Forgets everything that waits with this arg. */
void gate_forget(struct gate *g, const void *arg);

/* The notary made progress, or came, or went. */
void gate_progress(struct gate *g);
void gate_set_notary(struct gate *g, bool up);

#endif
