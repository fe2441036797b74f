// SPDX-License-Identifier: Apache-2.0
/*
 * The node's own records: start and stop, enrolments, takeovers, reloads, refusals. The supervisor is one more
 * producer of the notary, with a ring and a session of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/gate/gate.h"
#include "user/gate/snapshot.h"
#include "user/kern/kern.h"
#include "user/notary/recorder.h"
#include "user/role/sup.h"

static int begin_session(struct supervisor *s)
{
	struct record_kv kv[RECORD_DETAIL_MAX];
	struct record_facts facts = {
		.policy_hash = span_of(s->current.snap->policy_hash),
		.catalog_hash = span_of(s->current.snap->catalog_hash),
		.mode = span_of(gate_mode_text((enum gate_mode)s->setup.mode)),
		.program_hash = span_of(s->setup.program_hash),
		.kernel_program_hash = span_of(s->setup.kernel_hash),
		.boot_id = span_of(s->setup.boot_id),
		.attestation_platform = span_of(s->notary_up.platform),
		.salt_epoch = span_of(s->rings[0].instance.epoch),
		.node = span_of(s->setup.node),
	};
	struct record rec;
	uint64_t pos;

	sup_record_init(&rec, RECORD_SESSION_START, RECORD_NA);
	rec.detail_n = record_facts_detail(&facts, kv);
	rec.detail = kv;
	return recorder_begin(s->recorder, &s->chain, &rec, &pos);
}

int sup_record_start(struct supervisor *s)
{
	struct sup_ring *r0 = &s->rings[0];
	int r;

	if (s->recorder || !r0->instanced || !s->current.snap)
		return 0;
	r = recorder_new(r0->ring, r0->wake, (enum record_durability)s->setup.durability,
			 r0->instance.key, &s->recorder);
	if (r >= 0)
		r = begin_session(s);
	if (r < 0) {
		recorder_free(s->recorder);
		s->recorder = NULL;
		if (!s->record_awaited)
			log_err(r, "begin the node's session: %s; it is tried again every second", err_text(r));
		s->record_awaited = true;
		return r;
	}
	s->record_awaited = false;
	s->chain_open = true;
	sup_record_node(s, "start", "the node starts to enforce");
	if (kern_renewed(s->kern))
		sup_record_node(s, "programs_replaced", "the kernel programs in force were replaced, none of them "
				"before its successor was");
	sup_fence_record(s);
	return 0;
}

void sup_record_init(struct record *rec, enum record_type type, enum record_decision d)
{
	record_init(rec, type, d);
}

int sup_record(struct supervisor *s, struct record *rec)
{
	uint64_t pos;
	int r = s->chain_open ? recorder_put(s->recorder, &s->chain, rec, &pos) : -EPIPE;

	if (r < 0)
		log_err(r, "record %s: %s", record_type_text(rec->type), err_text(r));
	return r;
}

void sup_record_node(struct supervisor *s, const char *code, const char *reason)
{
	struct record rec;

	sup_recent_add(s, code, reason);
	if (!s->chain_open)
		return;
	sup_record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason = span_of(reason);
	rec.reason_code = span_of(code);
	(void)sup_record(s, &rec);
}

void sup_record_stop(struct supervisor *s)
{
	struct record rec;

	if (!s->chain_open)
		return;
	sup_record_init(&rec, RECORD_SESSION_END, RECORD_NA);
	rec.reason = SPAN("the supervisor ends");
	(void)sup_record(s, &rec);
	s->chain_open = false;
	recorder_free(s->recorder);
	s->recorder = NULL;
	chain_done(&s->chain);
}
