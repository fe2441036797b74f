// SPDX-License-Identifier: Apache-2.0
/*
 * The notary role: holds the log key, reads the producers' rings, chains, stores and signs. It never sees an
 * MCP byte, only records.
 */
#include "user/role/notary_role.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "attest/attest.h"
#include "user/notary/claims.h"
#include "user/notary/disclosure.h"
#include "user/notary/notary.h"
#include "user/notary/salt.h"
#include "user/gate/gate.h"
#include "user/query/query.h"
#include "user/role/member.h"
#include "user/role/notary_evidence.h"
#include "user/role/notary_open.h"

#define PRODUCERS_MAX 80
#define NS_PER_S UINT64_C(1000000000)
/* What goes for its age goes for good, and a clock that was set says nothing of ages: removal waits for an hour in
 * which nothing but small corrections was made. */
#define RETAIN_STEADY (3600 * NS_PER_S)
#define RETAIN_STEP (60 * NS_PER_S)
#define RETAIN_PERIOD (600 * NS_PER_S) /* between two looks for segments that are too old */
#define AGAIN_NS UINT64_C(100000000) /* between two tries of storage that refused */
#define DRAIN_AT_ONCE 512 /* records between two looks at the loop */

struct producer {
	bool used;
	bool taken; /* by sessions of a producer that died: its successor is told of the ring once they are closed */
	int number; /* of notary_add_ring() */
	int ring, wake, progress;
	struct loop_io *io;
};

struct notary_role {
	struct member member;
	struct notary *notary;
	struct loop_timer *timer, *retain_timer;
	struct clock_steady steady;
	struct producer producers[PRODUCERS_MAX];
	uint8_t node_key[SALT_SIZE];
	uint64_t instances;
	int log_dirfd;
	struct notary_hands hands;
	int hands_error;
	char producer[64]; /* as claims name it */
	char sealed_path[PROC_PATH_MAX + 16], evidence_path[PROC_PATH_MAX + 16];
	struct msg_notary_up up;
	struct msg_setup setup;
};

static int free_ring(struct notary_role *n, uint32_t producer);

/* Whether storage still refuses to close what dead producers left. */
static bool free_rings(struct notary_role *n)
{
	bool any = false;

	for (uint32_t i = 0; i < PRODUCERS_MAX; i++) {
		if (n->producers[i].taken)
			(void)free_ring(n, i);
		any |= n->producers[i].taken;
	}
	return any;
}

static void drain(struct notary_role *n)
{
	uint64_t wait;
	int r;

	if (!n->notary)
		return; /* closed: the loop ends after this round */
	do {
		r = notary_drain(n->notary, DRAIN_AT_ONCE);
		/* Storage refused: it is published to the producers, who deny; try again later. */
		wait = r < 0 ? AGAIN_NS : notary_rest(n->notary);
	} while (wait == 0);
	if (r >= 0 && free_rings(n) && wait > AGAIN_NS)
		wait = AGAIN_NS;
	if (wait != UINT64_MAX)
		(void)loop_timer_arm(n->timer, wait, 0);
}

static void on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	drain(arg);
}

/* Old segments; what cannot be removed now is tried again. */
static void on_retain(struct loop_timer *t, void *arg)
{
	struct notary_role *n = arg;
	uint64_t now = clock_real_ns();
	int r;

	(void)t;
	if (!n->notary || !clock_is_steady(&n->steady, clock_mono_ns(), now, RETAIN_STEP, RETAIN_STEADY))
		return;
	r = notary_retain(n->notary, n->setup.log_retention_s * NS_PER_S, now);
	if (r < 0)
		log_warn("remove old segments of the log: %s", err_text(r));
	else if (r > 0)
		(void)loop_timer_arm(n->retain_timer, NS_PER_S, RETAIN_PERIOD);
	drain(n);
}

static void on_wake(struct loop_io *io, uint32_t events, void *arg)
{
	struct notary_role *n = arg;
	uint64_t count;

	(void)events;
	if (read(loop_io_fd(io), &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	drain(n);
}

static void on_alarm(void *arg, int ring, const char *text)
{
	(void)arg;
	if (ring >= 0)
		log_warn("ring %d: %s", ring, text);
	else
		log_warn("%s", text);
}

static int take_report(void *arg, const uint8_t nonce[CLAIM_NONCE_SIZE], struct claim_report *ret)
{
	struct notary_role *n = arg;

	return notary_session_report(&n->hands, nonce, ret);
}

static void on_producer_failed(void *arg, int ring)
{
	struct notary_role *n = arg;
	struct msg_ring m = { 0 };

	for (unsigned i = 0; i < PRODUCERS_MAX; i++)
		if (n->producers[i].used && n->producers[i].number == ring) {
			m.producer = i;
			(void)member_tell(&n->member, MSG_NOTARY_PRODUCER, 0, &m, sizeof(m));
		}
}

/* Payload commitments of one life of one producer use a key of their own. */
static int tell_instance(struct notary_role *n, uint32_t producer)
{
	struct msg_instance m = { .producer = producer };
	int r;

	(void)snprintf(m.epoch, sizeof(m.epoch), "%" PRIx64 "-%" PRIu64, clock_real_ns(), ++n->instances);
	salt_instance_key(n->node_key, span_of(m.epoch), m.key);
	r = member_tell(&n->member, MSG_NOTARY_INSTANCE, 0, &m, sizeof(m));
	OPENSSL_cleanse(&m, sizeof(m));
	return r;
}

/* Storage may refuse to close the dead producer's sessions. Its successor is then told nothing yet, and so records
 * nothing: what it had put in would be taken for the dead one's. */
static int free_ring(struct notary_role *n, uint32_t producer)
{
	struct producer *p = &n->producers[producer];
	int r = notary_ring_restarted(n->notary, p->number);

	if (r < 0 && !p->taken)
		log_warn("reset ring %d: %s; it is tried again", p->number, err_text(r));
	p->taken = r < 0;
	return r < 0 ? 0 : tell_instance(n, producer);
}

static int on_ring(struct notary_role *n, struct ipc_msg *m)
{
	const struct msg_ring *ring = m->body;
	struct producer *p;
	int r;

	if (m->len != sizeof(*ring) || m->nfds != 3 || ring->producer >= PRODUCERS_MAX)
		return -EBADMSG;
	p = &n->producers[ring->producer];
	if (p->used) { /* told again by a restarted supervisor, whose own ring begins anew */
		r = ring->producer == 0 || p->taken ? free_ring(n, ring->producer) :
						      tell_instance(n, ring->producer);
		drain(n);
		return r;
	}
	p->ring = ipc_take_fd(m, 0);
	p->wake = ipc_take_fd(m, 1);
	p->progress = ipc_take_fd(m, 2);
	r = notary_add_ring(n->notary, p->ring, p->progress, ring->synced,
			    ring->producer ? "proxy" : "supervisor");
	if (r < 0)
		return log_err(r, "add ring %u: %s", ring->producer, err_text(r));
	p->number = r;
	p->used = true;
	r = loop_io_add(n->member.loop, p->wake, EPOLLIN, on_wake, n, &p->io);
	if (r < 0)
		return r;
	drain(n);
	return tell_instance(n, ring->producer);
}

static int on_restarted(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_ring *ring = m->body;
	int r;

	if (m->len != sizeof(*ring) || ring->producer >= PRODUCERS_MAX)
		return -EBADMSG;
	if (!n->producers[ring->producer].used)
		return 0;
	r = free_ring(n, ring->producer);
	drain(n);
	return r;
}

static int tell_status(struct notary_role *n, const struct ipc_msg *m)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct notary_status s;
	struct json_out j;

	notary_status(n->notary, &s);
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_member_int(&j, "records", (int64_t)s.size);
	json_out_member_int(&j, "synced", (int64_t)s.synced);
	json_out_member_int(&j, "signed", (int64_t)s.signed_size);
	json_out_member_int(&j, "sessions", (int64_t)s.sessions);
	json_out_member_int(&j, "faults", (int64_t)s.faults);
	json_out_member_int(&j, "checkpoints", (int64_t)s.checkpoints);
	json_out_member_int(&j, "counter", (int64_t)s.counter);
	json_out_member_str(&j, "key", n->up.key_tier);
	json_out_member_str(&j, "error", s.error ? err_text(s.error) : NULL);
	json_out_member_str(&j, "public_key", n->up.verifier_key);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return -ENOMEM;
	return member_tell(&n->member, MSG_NOTARY_STATUS_IS, m->cookie, buf_span(&text).p,
			   buf_len(&text));
}

static int keep_next_key(void *arg)
{
	struct notary_role *n = arg;

	return key_source_commit(n->sealed_path);
}

/* Only a sealed key outlives the boot, so only that is ever old. */
static int rotate(struct notary_role *n)
{
	struct log_key *next = NULL;
	int r = n->hands.keys.tier == KEY_SEALED ? key_source_next(n->hands.tpm, n->sealed_path, &next) : -EOPNOTSUPP;

	if (r == 0)
		r = notary_rotate(n->notary, next, keep_next_key, n);
	if (r < 0) {
		log_key_free(next);
		log_warn("rotate the log key: %s", err_text(r));
	}
	return r;
}

static void describe_key(struct notary_role *n);

static int tell_rotated(struct notary_role *n)
{
	struct msg_notary_up up;
	int r = rotate(n);

	if (r == 0)
		describe_key(n);
	up = n->up;
	up.error = r;
	(void)snprintf(up.text, sizeof(up.text), "%s", r == -EOPNOTSUPP ?
		       "the log key is not sealed to a TPM: it is new at each boot" : r < 0 ? err_text(r) : "");
	return member_tell(&n->member, MSG_NOTARY_ROTATED, 0, &up, sizeof(up));
}

static int tell_evidence(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_evidence *ask = m->body;
	_cleanup_buf_ struct buf json = { 0 };
	struct msg_evidence_is is = { 0 };
	_cleanup_close_ int fd = -1;

	if (m->len != sizeof(*ask) || ask->nonce_n > sizeof(ask->nonce) ||
	    !msg_string_ok(ask->policy_hash, sizeof(ask->policy_hash)) ||
	    !msg_string_ok(ask->catalog_hash, sizeof(ask->catalog_hash)))
		return -EBADMSG;
	is.serial = ask->serial;
	is.error = notary_evidence(&n->hands, n->notary, &n->setup, ask, &json);
	if (is.error == 0) {
		fd = memfd_sealed("evidence", buf_span(&json).p, buf_len(&json));
		is.error = fd < 0 ? fd : 0;
	}
	if (is.error < 0)
		log_warn("make evidence: %s", err_text(is.error));
	return ipc_send(n->member.supervisor, MSG_NOTARY_EVIDENCE_IS, 0, &is, sizeof(is), &fd, is.error == 0);
}

static void write_refusal(struct json_out *j, const char *action, const char *object, const char *reason)
{
	json_out_key(j, "error");
	json_out_object(j);
	json_out_member_str(j, "action", action);
	json_out_member_str(j, "object", object);
	json_out_member_str(j, "reason", reason);
	json_out_object_end(j);
}

static const char *no_claim(int r)
{
	return r == -ENOENT ? "no such session is open" :
	       r == -EAGAIN ? "the session that it continues has no claim yet" :
	       r == -EINVAL ? "its records give none; see the log" : err_text(r);
}

static int tell_claim(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_session *ask = m->body;
	_cleanup_buf_ struct buf text = { 0 };
	struct claim_made made;
	struct json_out j;
	int r;

	if (m->len != sizeof(*ask) || !msg_string_ok(ask->id, sizeof(ask->id)))
		return -EBADMSG;
	r = notary_claim(n->notary, ask->id, &made);
	json_out_init(&j, &text);
	json_out_object(&j);
	if (r < 0) {
		write_refusal(&j, "claim", ask->id, no_claim(r));
	} else {
		json_out_member_str(&j, "claim_hash", made.hash);
		json_out_member_str(&j, "durability", record_durability_text(made.weakest));
		json_out_member_int(&j, "number", (int64_t)made.number);
		json_out_member_int(&j, "records", (int64_t)made.length);
		json_out_member_str(&j, "session_id", made.session);
	}
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return -ENOMEM;
	return member_tell(&n->member, MSG_NOTARY_CLAIM_IS, m->cookie, buf_span(&text).p, buf_len(&text));
}

/* That payloads were opened is on file before their salts go out. */
static int record_opened(struct notary_role *n, const struct msg_salt *ask)
{
	char names[64] = "";
	struct record_kv kv[] = {
		{ "opened", { names, 0 }, 0 },
		{ "opened_sequence", { NULL, 0 }, (int64_t)(ask->sequence & RECORD_INT_MAX) },
		{ "opened_session", span_of(ask->session), 0 },
	};
	struct record rec;

	for (unsigned i = 0; disclosure_name(i); i++)
		if (ask->fields & 1u << i)
			(void)snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
				       *names ? " " : "", disclosure_name(i));
	kv[0].s.n = strlen(names);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason = SPAN("payload commitments were opened by order");
	rec.reason_code = SPAN("payload_opened");
	rec.detail = kv;
	rec.detail_n = ARRAY_SIZE(kv);
	return notary_record(n->notary, &rec);
}

static void write_salts(struct notary_role *n, const struct msg_salt *ask, struct json_out *j)
{
	uint8_t instance[SALT_SIZE], session[SALT_SIZE], salt[SALT_SIZE];
	char hex[2 * SALT_SIZE + 1];

	salt_instance_key(n->node_key, span_of(ask->epoch), instance);
	salt_session_key(instance, span_of(ask->session), session);
	for (unsigned i = 0; disclosure_name(i); i++) {
		if (!(ask->fields & 1u << i))
			continue;
		salt_derive(session, ask->sequence, disclosure_member(i), salt);
		hex_encode(salt, sizeof(salt), hex);
		json_out_member_str(j, disclosure_name(i), hex);
	}
	OPENSSL_cleanse(instance, sizeof(instance));
	OPENSSL_cleanse(session, sizeof(session));
}

static int tell_salt(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_salt *ask = m->body;
	_cleanup_buf_ struct buf text = { 0 };
	struct json_out j;
	int r;

	if (m->len != sizeof(*ask) || !msg_string_ok(ask->session, sizeof(ask->session)) ||
	    !msg_string_ok(ask->epoch, sizeof(ask->epoch)))
		return -EBADMSG;
	r = record_opened(n, ask);
	json_out_init(&j, &text);
	json_out_object(&j);
	if (r < 0)
		write_refusal(&j, "open payloads", ask->session, err_text(r));
	else
		write_salts(n, ask, &j);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return -ENOMEM;
	return member_tell(&n->member, MSG_NOTARY_SALT_IS, m->cookie, buf_span(&text).p, buf_len(&text));
}

/* Written, and synced where calls are, before the answer to the question goes out. */
static int record_asked(struct notary_role *n, const struct msg_asked *ask)
{
	static const char *const reasons[] = {
		"the audit socket was asked", "the audit socket began to stream records",
		"a stream of records ended",
	};
	const struct record_kv kv[] = {
		{ "asked_path", span_of(ask->path), 0 },
		{ "asked_filter", span_of(ask->filter), 0 },
		{ "asked_pid", { NULL, 0 }, ask->pid },
		{ "asked_rows", { NULL, 0 }, (int64_t)(ask->rows & RECORD_INT_MAX) },
		{ "asked_status", { NULL, 0 }, ask->status },
		{ "asked_uid", { NULL, 0 }, ask->uid },
		{ "asked_unit", span_of(ask->unit), 0 },
	};
	struct record rec;

	record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason = span_of(reasons[ask->stream]);
	rec.reason_code = SPAN("audit_asked");
	rec.detail = kv;
	rec.detail_n = ARRAY_SIZE(kv);
	return notary_record(n->notary, &rec);
}

static int tell_asked(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_asked *ask = m->body;
	struct msg_asked_is is = { 0 };

	if (m->len != sizeof(*ask) || ask->stream > QUERY_STREAM_ENDS ||
	    !msg_string_ok(ask->path, sizeof(ask->path)) || !msg_string_ok(ask->filter, sizeof(ask->filter)) ||
	    !msg_string_ok(ask->unit, sizeof(ask->unit)))
		return -EBADMSG;
	is.serial = ask->serial;
	is.error = record_asked(n, ask);
	drain(n); /* arms the timer that signs */
	return member_tell(&n->member, MSG_NOTARY_ASKED_IS, 0, &is, sizeof(is));
}

/* Opens the log as the role's own user, inside its sandbox. */
static int open_log(struct notary_role *n, const struct msg_setup *setup)
{
	static char salt_path[PROC_PATH_MAX + 16];
	const struct msg_spawn *spec = &n->member.spec;
	struct notary_config c = {
		.keys = &n->hands.keys, .tpm = n->hands.tpm, .origin = spec->node, .alarm = on_alarm,
		.producer_failed = on_producer_failed, .arg = n, .claims_producer = n->producer,
	};
	struct record_facts facts = {
		.policy_hash = span_of(setup->policy_hash), .catalog_hash = span_of(setup->catalog_hash),
		.mode = span_of(gate_mode_text((enum gate_mode)setup->mode)),
		.program_hash = span_of(setup->program_hash),
		.kernel_program_hash = span_of(setup->kernel_hash), .boot_id = span_of(setup->boot_id),
		.attestation_platform = span_of(n->up.platform), .node = span_of(setup->node),
	};
	int r;

	if (n->hands_error < 0)
		return n->hands_error;
	c.facts = &facts;
	c.report = n->hands.tpm ? take_report : NULL;
	c.segment_max = setup->log_segment_bytes;
	c.producers_gone = setup->fresh;
	(void)snprintf(salt_path, sizeof(salt_path), "%s/salt.key", spec->state_dir);
	if (n->log_dirfd > 0) /* of a try before */
		close(n->log_dirfd);
	n->log_dirfd = open(spec->log_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (n->log_dirfd < 0)
		return -errno;
	c.log_dirfd = n->log_dirfd;
	r = salt_key_open(salt_path, n->node_key);
	return r < 0 ? r : notary_open(&c, &n->notary);
}

static void describe_hands(struct notary_role *n)
{
	(void)snprintf(n->up.platform, sizeof(n->up.platform), "%s", n->hands.platform);
	(void)snprintf(n->up.key_tier, sizeof(n->up.key_tier), "%s", key_tier_text(n->hands.keys.tier));
}

static void describe(struct notary_role *n, int r)
{
	n->up.error = r;
	if (r < 0) {
		if (n->hands.text[0])
			memcpy(n->up.text, n->hands.text, sizeof(n->up.text));
		else
			(void)snprintf(n->up.text, sizeof(n->up.text), "open log: %s", err_text(r));
		return;
	}
	describe_key(n);
}

static void describe_key(struct notary_role *n)
{
	_cleanup_buf_ struct buf text = { 0 };
	const struct verifier_key *k = notary_key(n->notary);

	memcpy(n->up.public_key, k->pub, sizeof(n->up.public_key));
	if (verifier_key_text(k, &text) >= 0 && buf_cstr(&text))
		(void)snprintf(n->up.verifier_key, sizeof(n->up.verifier_key), "%s", buf_cstr(&text));
}

/* The log is opened when the supervisor has said what its first record must state. */
static int on_setup(struct notary_role *n, const struct ipc_msg *m)
{
	const struct msg_setup *s = m->body;
	int r;

	if (m->len != sizeof(*s) || !setup_valid(s))
		return -EBADMSG;
	n->setup = *s;
	if (s->log_retention_s)
		(void)loop_timer_arm(n->retain_timer, NS_PER_S, RETAIN_PERIOD);
	if (n->notary)
		return member_tell(&n->member, MSG_NOTARY_UP, 0, &n->up, sizeof(n->up));
	describe(n, open_log(n, s));
	r = member_tell(&n->member, MSG_NOTARY_UP, 0, &n->up, sizeof(n->up));
	if (n->notary) /* nobody waits for the TPM */
		notary_evidence_of_start(&n->hands, n->notary, s, n->evidence_path);
	return r;
}

static int on_message(struct member *member, struct ipc_msg *m, void *arg)
{
	struct notary_role *n = arg;

	(void)member;
	if (m->type == MSG_SETUP)
		return on_setup(n, m);
	if (!n->notary)
		return 0; /* the supervisor has been told why */
	switch (m->type) {
	case MSG_NOTARY_RING:
		return on_ring(n, m);
	case MSG_NOTARY_RESTARTED:
		return on_restarted(n, m);
	case MSG_NOTARY_STATUS:
		return tell_status(n, m);
	case MSG_NOTARY_ROTATE:
		return tell_rotated(n);
	case MSG_NOTARY_EVIDENCE:
		return tell_evidence(n, m);
	case MSG_NOTARY_CLAIM:
		return tell_claim(n, m);
	case MSG_NOTARY_SALT:
		return tell_salt(n, m);
	case MSG_NOTARY_ASKED:
		return tell_asked(n, m);
	default:
		return -EBADMSG;
	}
}

static void on_terminate(struct member *member, void *arg)
{
	struct notary_role *n = arg;

	notary_close(n->notary);
	n->notary = NULL;
	loop_stop(member->loop, EXIT_SUCCESS);
}

int notary_run(const char *version)
{
	static const struct member_ops ops = { .message = on_message, .terminate = on_terminate };
	static struct notary_role role;
	struct notary_role *n = &role;
	struct sandbox_spec sandbox = { .npaths = 2 };
	int r = member_init(&n->member, ROLE_NOTARY);

	(void)snprintf(n->producer, sizeof(n->producer), "tollgate/%s", version);
	/* While root, and before anything of others is read. What fails is told to the supervisor, who asks. */
	if (r >= 0) {
		(void)snprintf(n->sealed_path, sizeof(n->sealed_path), "%.*s/log.sealed", PROC_PATH_MAX - 1,
			       n->member.spec.state_dir);
		(void)snprintf(n->evidence_path, sizeof(n->evidence_path), "%.*s/evidence.json", PROC_PATH_MAX - 1,
			       n->member.spec.log_dir);
		n->hands_error = notary_hands_open(&n->member.spec, &n->hands);
		describe_hands(n);
	}
	if (r >= 0)
		r = loop_timer_add(n->member.loop, on_timer, n, &n->timer);
	if (r >= 0)
		r = loop_timer_add(n->member.loop, on_retain, n, &n->retain_timer);
	if (r < 0) {
		log_err(r, "start: %s", err_text(r));
		return EXIT_FAILURE;
	}
	sandbox.uid = n->member.spec.uid;
	sandbox.gid = n->member.spec.gid;
	sandbox.paths[0] = (struct sandbox_path){ n->member.spec.log_dir, true };
	sandbox.paths[1] = (struct sandbox_path){ n->member.spec.state_dir, true };
	r = member_enter(&n->member, &sandbox, &ops, n);
	if (r < 0)
		return EXIT_FAILURE;
	r = member_run(&n->member);
	notary_close(n->notary);
	notary_hands_done(&n->hands);
	OPENSSL_cleanse(n->node_key, sizeof(n->node_key));
	return r;
}
