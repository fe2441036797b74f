// SPDX-License-Identifier: Apache-2.0
/*
 * Event log: what the registers must hold if the log is true.
 */
#include "attest/eventlog.h"

#include <errno.h>

/* Event types whose digest is, by the firmware profile, the hash of exactly the event's data. For the
 * others the data describes what was hashed elsewhere (an image, a variable's value, a string without
 * its prefix), and firmware differs. */
#define EV_SEPARATOR 0x00000004u
#define EV_EFI_VARIABLE_DRIVER_CONFIG 0x80000001u
#define EV_EFI_GPT_EVENT 0x80000006u
#define EV_EFI_ACTION 0x80000007u

enum eventlog_data eventlog_data_check(const struct eventlog_event *e, uint16_t alg)
{
	struct span want = eventlog_digest(e, alg);
	uint8_t got[TPM_HASH_SIZE_MAX];

	switch (e->type) {
	case EV_SEPARATOR:
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
	case EV_EFI_GPT_EVENT:
	case EV_EFI_ACTION:
		break;
	default:
		return EVENTLOG_DATA_UNPROVEN;
	}
	if (want.n == 0 || tpm_hash(alg, &e->data, 1, got) < 0)
		return EVENTLOG_DATA_FALSE;
	return memcmp(want.p, got, want.n) == 0 ? EVENTLOG_DATA_COVERED : EVENTLOG_DATA_FALSE;
}

/* The locality that started the TPM is PCR 0's first value, and nothing else tells it. */
static int startup_locality(const struct eventlog_event *e, struct eventlog_replay *rep)
{
	static const char signature[16] = "StartupLocality";

	if (e->data.n < sizeof(signature) || memcmp(e->data.p, signature, sizeof(signature)) != 0)
		return 0;
	/* Localities 0, 3 and 4 can start a TPM; after an extend the value could no longer be the first. */
	if (e->data.n != sizeof(signature) + 1 || e->index != 0 || (rep->mask & 1) ||
	    (e->data.p[16] != 0 && e->data.p[16] != 3 && e->data.p[16] != 4))
		return -EBADMSG;
	rep->reg[0][tpm_hash_size(rep->alg) - 1] = (uint8_t)e->data.p[16];
	rep->mask |= 1;
	return 0;
}

static int replay_event(const struct eventlog_event *e, struct eventlog_replay *rep)
{
	struct span digest;
	int r;

	rep->events++;
	if (e->type == EV_NO_ACTION)
		return startup_locality(e, rep);
	if (e->index >= EVENTLOG_REGISTERS)
		return -EBADMSG;
	digest = eventlog_digest(e, rep->alg);
	if (digest.n == 0)
		return -EBADMSG; /* an extend reaches every bank: this event hides its part in ours */
	r = tpm_hash_extend(rep->alg, rep->reg[e->index], digest.p);
	if (r < 0)
		return r;
	rep->mask |= 1u << e->index;
	switch (eventlog_data_check(e, rep->alg)) {
	case EVENTLOG_DATA_COVERED:
		rep->covered++;
		break;
	case EVENTLOG_DATA_FALSE:
		rep->false_data++;
		break;
	case EVENTLOG_DATA_UNPROVEN:
		rep->unproven++;
		break;
	}
	return 0;
}

static bool has_alg(const struct eventlog *log, uint16_t alg)
{
	if (log->legacy)
		return alg == TPM_HASH_SHA1;
	for (unsigned i = 0; i < log->nalgs; i++)
		if (log->algs[i].alg == alg)
			return tpm_hash_size(alg) > 0;
	return false;
}

int eventlog_replay(struct span bytes, uint16_t alg, struct eventlog_replay *ret)
{
	struct eventlog_replay rep = { .alg = alg };
	struct eventlog_event e;
	struct eventlog log;
	int r = eventlog_open(bytes, &log);

	if (r < 0)
		return r;
	if (!has_alg(&log, alg))
		return -ENOENT;
	while ((r = eventlog_next(&log, &e)) == 1) {
		r = replay_event(&e, &rep);
		if (r < 0)
			return r;
	}
	if (r == 0)
		*ret = rep;
	return r;
}
