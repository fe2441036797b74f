// SPDX-License-Identifier: Apache-2.0
/*
 * Logs against the PCRs that a quote proved: a log that does not explain them is false.
 */
#include <stdio.h>
#include <string.h>

#include "attest/eventlog.h"
#include "attest/ima.h"
#include "attest/tpm_verify.h"
#include "user/base/cleanup.h"

/* What firmware and boot loader extend, and nothing after them: the log explains each that was quoted, and
 * one that it does not speak of still has its first value. PCR 10 is IMA's; systemd extends 11 to 13 and 15
 * long after the log was closed, so those are compared by nobody here. */
#define FIRMWARE_PCRS 0x43ffu

/* Strongest first: where several banks are quoted, the weakest one must not speak for the others. */
static const uint16_t banks[] = { TPM_HASH_SHA512, TPM_HASH_SHA384, TPM_HASH_SHA256, TPM_HASH_SHA1 };

static bool explained(const struct eventlog_replay *rep, const struct tpm_pcrs *pcrs, unsigned pcr)
{
	static const uint8_t zero[TPM_HASH_SIZE_MAX];
	struct span v = tpm_pcrs_value(pcrs, rep->alg, pcr);
	const uint8_t *want = rep->mask >> pcr & 1 ? rep->reg[pcr] : zero;

	return memcmp(v.p, want, v.n) == 0;
}

void tpm_judge_event_log(struct span log, const struct tpm_pcrs *pcrs, struct attest_result *res)
{
	struct eventlog_replay rep;
	uint32_t compare = 0;
	uint16_t alg = 0;
	int r = -ENOENT;

	if (log.n == 0) {
		attest_skipped(res, "tpm.eventlog", "no-log", "no event log was given");
		return;
	}
	if (!pcrs) {
		attest_unchecked(res, "tpm.eventlog", "no-values", "without proven PCRs there is nothing to compare");
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(banks) && r == -ENOENT; i++) {
		alg = banks[i];
		if (tpm_selection_mask(&pcrs->selection, alg))
			r = eventlog_replay(log, alg, &rep);
	}
	if (r < 0) {
		attest_fail(res, "tpm.eventlog", r == -ENOENT ? "bank" : "malformed",
			    r == -ENOENT ? "the event log has no digests for a bank that was quoted" :
					   "the event log is malformed");
		return;
	}
	compare = tpm_selection_mask(&pcrs->selection, alg) & FIRMWARE_PCRS;
	for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
		if (compare >> pcr & 1 && !explained(&rep, pcrs, pcr)) {
			attest_fail(res, "tpm.eventlog", "replay",
				    "the event log does not lead to the quoted PCR %u", pcr);
			return;
		}
	if (!compare) {
		attest_unchecked(res, "tpm.eventlog", "nothing-quoted",
				 "no PCR that the event log explains was quoted");
		return;
	}
	attest_pass(res, "tpm.eventlog", "replay", "%u events lead to the %d quoted PCRs of the firmware", rep.events,
		    __builtin_popcount(compare));
	(void)attest_check(res, rep.false_data == 0, "tpm.eventlog_data", "data",
			   "%u events have data that their digest covers, %u data that only describes, %u false data",
			   rep.covered, rep.unproven, rep.false_data);
}

struct ima_walk {
	unsigned entries, matched; /* matched: entries that the quoted value covers, 0 while unknown */
	bool genuine, foreign, others;
	bool genuine_matched, foreign_matched, others_matched; /* as they stood at the match */
};

static void look(struct ima_walk *w, const struct ima_entry *e, const struct tpm_policy *p)
{
	struct span digest = { (const char *)e->digest, tpm_hash_size(e->alg) };
	bool is_program = p->program_path.n && span_is(e->path, p->program_path.text[0]);

	/* The kernel's own first entry; a file of that name would not be the first. */
	if (w->entries == 1 && span_is(e->path, "boot_aggregate"))
		return;
	if (is_program && policy_set_has(&p->programs, digest) && !e->violation)
		w->genuine = true;
	else if (is_program)
		w->foreign = true;
	else if (e->violation || !policy_set_has(&p->measured, digest))
		w->others = true;
}

/* The list is read after the quote was made, so it may be longer: what the quoted value covers counts. */
static int walk(struct ima_log *log, struct span quoted, const struct tpm_policy *p, struct ima_walk *w)
{
	uint8_t reg[TPM_HASH_SIZE_MAX] = { 0 };
	struct ima_entry e;
	int r;

	while ((r = ima_next(log, &e)) == 1) {
		w->entries++;
		if (e.pcr != IMA_PCR)
			continue;
		r = tpm_hash_extend(log->bank, reg, e.extended);
		if (r < 0)
			return r;
		look(w, &e, p);
		if (memcmp(reg, quoted.p, quoted.n) == 0) {
			w->matched = w->entries;
			w->genuine_matched = w->genuine;
			w->foreign_matched = w->foreign;
			w->others_matched = w->others;
		}
	}
	return r;
}

/* A hash that the daemon states is its own word. It is measured when the kernel saw that file, and only
 * that file, run in its place, and when nothing ran beside it that could have spoken in its name. */
static void judge_identity(const struct ima_walk *w, const struct tpm_policy *p, struct attest_result *res)
{
	if (!p->program_path.n || !p->programs.given)
		attest_unchecked(res, "tpm.identity", "no-expectation",
				 "no daemon was expected (program_path, programs): its identity is self-asserted");
	else if (w->foreign_matched)
		attest_fail(res, "tpm.identity", "other-program",
			    "at %s the kernel measured a program that is not genuine", p->program_path.text[0]);
	else if (!w->genuine_matched)
		attest_fail(res, "tpm.identity", "not-measured", "the kernel measured no program at %s",
			    p->program_path.text[0]);
	else if (!p->measured.given)
		attest_unchecked(res, "tpm.identity", "others-not-judged",
				 "the genuine daemon ran, and so did programs that no list (measured) allows");
	else
		(void)attest_check(res, !w->others_matched, "tpm.identity", "measured", w->others_matched ?
				   "beside the genuine daemon something ran that the list (measured) does not have" :
				   "the kernel measured the genuine daemon and nothing that is not listed");
}

void tpm_judge_ima(struct span log, const struct tpm_pcrs *pcrs, const struct attest_policy *p,
		   struct attest_result *res)
{
	struct ima_walk w = { 0 };
	struct span quoted = { 0 };
	struct ima_log l;
	uint16_t alg = 0;
	int r;

	if (log.n == 0) {
		attest_skipped(res, "tpm.ima", "no-log", "no measurement list was given");
		if (p->tpm.programs.given)
			attest_unchecked(res, "tpm.identity", "no-log",
					 "no measurement list: the daemon is self-asserted");
		return;
	}
	for (unsigned i = 0; pcrs && i < ARRAY_SIZE(banks) && quoted.n == 0; i++) {
		alg = banks[i];
		quoted = tpm_pcrs_value(pcrs, alg, IMA_PCR);
	}
	if (quoted.n == 0) {
		attest_unchecked(res, "tpm.ima", "not-quoted",
				 "PCR %d was not proven: the list may be invented", IMA_PCR);
		return;
	}
	r = ima_open(log, alg, &l);
	if (r == 0)
		r = walk(&l, quoted, &p->tpm, &w);
	if (r < 0 || !w.matched) {
		attest_fail(res, "tpm.ima", r < 0 ? "malformed" : "replay",
			    r < 0 ? "the measurement list is malformed" :
				    "the measurement list does not lead to the quoted PCR 10");
		return;
	}
	attest_pass(res, "tpm.ima", "replay", "the first %u of %u entries lead to the quoted PCR 10", w.matched,
		    w.entries);
	judge_identity(&w, &p->tpm, res);
}
