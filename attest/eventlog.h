/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_EVENTLOG_H
#define TOLLGATE_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attest/tpm_hash.h"
#include "user/base/span.h"

/*
 * The firmware's event log: TCG PC Client Platform Firmware Profile, section 10 (crypto agile, and the
 * older form with SHA-1 only), which TDX uses too for its registers (UEFI "CC Event Log"). A log explains
 * registers, it proves nothing by itself: replay it and compare with what hardware signed.
 */

#define EVENTLOG_MAX (4u << 20) /* real ones have 15 to 80 KiB; firmware tables reserve 64 KiB to 1 MiB */
#define EVENTLOG_ALGS_MAX 16 /* HASH_COUNT of TPM 2.0 */
#define EVENTLOG_REGISTERS 24 /* PCRs of a PC; a TDX log uses 0 to 4 */

/* Event types with a meaning here. */
#define EV_NO_ACTION 0x00000003u /* told, never extended */

struct eventlog {
	struct span rest; /* not yet read */
	bool legacy; /* SHA-1 digests only, no algorithm table */
	unsigned nalgs;
	struct {
		uint16_t alg, size;
	} algs[EVENTLOG_ALGS_MAX];
};

struct eventlog_event {
	uint32_t index; /* the register as the log counts: a PCR, or for a TDX log RTMR + 1 (0: MRTD) */
	uint32_t type;
	unsigned ndigests;
	struct {
		uint16_t alg;
		struct span bytes;
	} digests[EVENTLOG_ALGS_MAX];
	struct span data; /* an event's data is only as true as its digest covers it */
};

/* Reads the header; log borrows bytes, which must stay. 0, -EBADMSG malformed, -EMSGSIZE over the limit. */
int eventlog_open(struct span bytes, struct eventlog *ret);

/* 1 and the next event, 0 at the end (of the log or of its padding with 0x00 or 0xff), -EBADMSG. In a
 * legacy log the first event is like the others. */
int eventlog_next(struct eventlog *log, struct eventlog_event *ret);

/* The event's digest of that algorithm, empty when it has none. */
struct span eventlog_digest(const struct eventlog_event *e, uint16_t alg);

/* Whether the event's data is covered by its digest. Only for types whose digest is by definition the
 * hash of the data can a wrong one be told. */
enum eventlog_data {
	EVENTLOG_DATA_UNPROVEN, /* the digest is of something else, which the data merely describes */
	EVENTLOG_DATA_COVERED,
	EVENTLOG_DATA_FALSE, /* the data was altered or the digest invented */
};
enum eventlog_data eventlog_data_check(const struct eventlog_event *e, uint16_t alg);

struct eventlog_replay {
	uint16_t alg;
	unsigned events; /* after the header */
	unsigned covered, unproven, false_data; /* by eventlog_data_check(), of events that were extended */
	uint32_t mask; /* bit per register that the log speaks of */
	uint8_t reg[EVENTLOG_REGISTERS][TPM_HASH_SIZE_MAX]; /* first tpm_hash_size(alg) bytes */
};

/* The registers' values in the bank of alg after the whole log. 0; -ENOENT when the log has no digests of
 * that algorithm; -EBADMSG or -EMSGSIZE as above, then nothing of *ret may be used. */
int eventlog_replay(struct span bytes, uint16_t alg, struct eventlog_replay *ret);

#endif
