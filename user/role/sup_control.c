// SPDX-License-Identifier: Apache-2.0
/*
 * The verbs of the control socket. Who asks must be root and outside every agent's scope; a refusal is
 * recorded.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/gate/gate.h"
#include "user/gate/snapshot.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/kern/stdio.h"
#include "user/mcp/catalog.h"
#include "user/notary/disclosure.h"
#include "user/role/control.h"
#include "user/role/sup.h"

#define ANSWER_TICKS 5 /* seconds that the other roles have; after them the answer is without theirs */

/* A request whose answer needs other roles: `sessions` asks every proxy, `status` these and the notary. */
struct sup_question {
	struct sup_question *next;
	uint64_t cookie;
	struct control_peer *peer;
	unsigned awaited;
	uint64_t asked; /* tick */
	struct buf rows; /* of JSON, separated by commas */
	enum { ASK_SESSIONS, ASK_STATUS, ASK_NOTARY } what;
};

bool sup_in_scope(struct supervisor *s, pid_t pid)
{
	struct tg_label label;
	int r = kern_scope_of(s->kern, pid, &label);

	return r == 0 ? label.agent != 0 : r != -ENOENT;
}

/* --- agents --------------------------------------------------------------------------------------- */

struct counting {
	unsigned *of; /* [0] is agent number 1 */
	unsigned n;
};

static int count_one(const struct tg_scope_task *t, void *arg)
{
	struct counting *c = arg;

	if (t->label.agent && t->label.agent <= c->n)
		c->of[t->label.agent - 1]++;
	return 0;
}

static void selector_text(const struct conf_agent *a, char *ret, size_t size)
{
	int n = snprintf(ret, size, "%s%s%s%s", a->exe ? a->exe : "", a->script ? " " : "",
			 a->script ? a->script : "", a->cgroup ? " cgroup " : "");

	if (n >= 0 && (size_t)n < size && a->cgroup)
		n += snprintf(ret + n, size - (size_t)n, "%s", a->cgroup);
	if (n >= 0 && (size_t)n < size && a->unit)
		n += snprintf(ret + n, size - (size_t)n, " unit %s", a->unit);
	if (n >= 0 && (size_t)n < size && a->image)
		n += snprintf(ret + n, size - (size_t)n, " image %s", a->image);
	for (unsigned i = 0; i < a->nlabels && n >= 0 && (size_t)n < size; i++)
		n += snprintf(ret + n, size - (size_t)n, " label %s", a->labels[i]);
	if (n >= 0 && (size_t)n < size && a->uid != CONF_UID_ANY)
		(void)snprintf(ret + n, size - (size_t)n, " uid %u", (unsigned)a->uid);
}

/* Configured agents and how many processes of theirs are in scope. */
static void write_agents(struct supervisor *s, struct json_out *j)
{
	struct counting c = { .of = calloc(s->conf.nagents + 1, sizeof(*c.of)), .n = s->conf.nagents };
	char selector[2 * PROC_PATH_MAX];

	if (c.of)
		(void)kern_scope_each(s->kern, count_one, &c);
	json_out_key(j, "agents");
	json_out_array(j);
	for (unsigned i = 0; i < s->conf.nagents; i++) {
		const struct conf_agent *a = &s->conf.agents[i];
		unsigned n = c.of ? c.of[i] : 0;

		selector_text(a, selector, sizeof(selector));
		json_out_object(j);
		json_out_member_str(j, "name", a->name);
		json_out_member_str(j, "sponsor", a->sponsor);
		json_out_member_str(j, "selector", selector);
		json_out_member_str(j, "state", n ? "in scope" : "idle");
		json_out_member_int(j, "processes", n);
		json_out_object_end(j);
	}
	json_out_array_end(j);
	free(c.of);
}

static void answer_agents(struct supervisor *s, struct control_peer *peer)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct json_out j;

	json_out_init(&j, &text);
	json_out_object(&j);
	write_agents(s, &j);
	json_out_object_end(&j);
	(void)json_out_end(&j);
	control_reply(peer, buf_span(&text));
}

/* --- status ---------------------------------------------------------------------------------------- */

static const char *enforcement_text(enum conf_enforcement e)
{
	return e == CONF_ENFORCE ? "enforce" : e == CONF_ENFORCE_PARTIAL ? "enforce-partial" : "observe";
}

static void row(struct json_out *j, const char *name, const char *state, const char *text)
{
	json_out_object(j);
	json_out_member_str(j, "row", name);
	json_out_member_str(j, "state", state);
	json_out_member_str(j, "text", text);
	json_out_object_end(j);
}

/* What holds on this machine and what does not, said out loud. */
static void rows(struct supervisor *s, struct json_out *j, bool links_ok, const char *broken)
{
	char text[96];
	bool closed = sup_fence_tell(s, text, sizeof(text));
	bool hardware = strcmp(s->notary_up.key_tier, "tpm-sealed") == 0;
	char proxies[96];
	unsigned earlier = 0;

	json_out_key(j, "rows");
	json_out_array(j);
	row(j, "kernel programs", links_ok ? "closed" : "OPEN", links_ok ? "attached and pinned" : broken);
	row(j, "canary", *s->canary.problem ? "OPEN" : s->canary.passed ? "closed" : "open",
	    *s->canary.problem ? s->canary.problem :
	    s->canary.passed ? "its connections are steered and refused as an agent's" : "has not tried yet");
	for (unsigned i = 0; i < s->nproxies; i++)
		earlier += s->proxies[i].earlier;
	if (earlier) {
		(void)snprintf(proxies, sizeof(proxies), "%u of %u run the program from before the upgrade: they have "
			       "conversations", earlier, s->nproxies);
		row(j, "upgrade", "open", proxies);
	}
	row(j, "stdio MCP", "closed", "taken over when its content is JSON-RPC");
	row(j, "TCP", "closed", "steered; what is not HTTP/1.1 needs Action::\"connect\"");
	row(j, "HTTPS MCP", "open", "not judged yet: denied unless Action::\"connect\" permits the address");
	row(j, "other ways out", closed ? "closed" : "open", text);
	row(j, "seal", "open", "root outside every scope can remove the kernel programs");
	row(j, "attestation", hardware ? "closed" : "open", hardware ?
	    "the TPM holds the log key, signs checkpoints and vouches for claims" :
	    "software-only: no hardware stands behind the claims");
	json_out_array_end(j);
}

static void write_health(struct supervisor *s, struct json_out *j)
{
	const struct sup_health *h = &s->health;
	const char *broken = "";
	struct sup_problems p;

	sup_health_look(s, &p);
	json_out_member_bool(j, "healthy", p.n == 0);
	json_out_key(j, "problems");
	json_out_array(j);
	for (unsigned i = 0; i < p.n; i++)
		json_out_string(j, span_of(p.text[i]));
	json_out_array_end(j);
	json_out_member_int(j, "events_lost", (int64_t)h->events_lost);
	json_out_member_int(j, "events_missing", (int64_t)h->events_gap);
	json_out_key(j, "canary");
	json_out_object(j);
	json_out_member_int(j, "tries", (int64_t)s->canary.tries);
	json_out_member_int(j, "passed", (int64_t)s->canary.passed);
	json_out_object_end(j);
	rows(s, j, kern_verify(s->kern, &broken) == 0, broken);
}

static void write_rates(struct supervisor *s, struct json_out *j)
{
	const struct msg_counts *t = &s->health.total;
	struct sup_sample last;
	uint64_t sessions = 0;

	for (unsigned i = 0; i < s->nproxies; i++)
		sessions += s->proxies[i].channel ? s->proxies[i].counts.sessions : 0;
	sup_health_rates(s, &last);
	json_out_key(j, "messages");
	json_out_object(j);
	json_out_member_int(j, "judged", (int64_t)t->judged);
	json_out_member_int(j, "denied", (int64_t)t->denied);
	json_out_member_int(j, "unrecorded", (int64_t)t->unrecorded);
	json_out_member_int(j, "lately_seconds", (int64_t)(last.mono_ns / 1000000000u));
	json_out_member_int(j, "lately_judged", (int64_t)last.judged);
	json_out_member_int(j, "lately_denied", (int64_t)last.denied);
	json_out_object_end(j);
	json_out_member_int(j, "sessions", (int64_t)sessions);
}

static void write_counters(struct supervisor *s, struct json_out *j)
{
	uint64_t all[TG_STAT_MAX_];

	if (kern_stats(s->kern, all) < 0)
		return;
	json_out_key(j, "kernel_counters");
	json_out_object(j);
	for (unsigned i = 0; i < TG_STAT_MAX_; i++)
		json_out_member_int(j, kern_stat_name(i), (int64_t)all[i]);
	json_out_object_end(j);
}

/* Latest first. */
static void write_recent(const struct supervisor *s, struct json_out *j)
{
	const struct sup_health *h = &s->health;
	unsigned n = h->nrecent < SUP_RECENT_MAX ? h->nrecent : SUP_RECENT_MAX;
	char time[CLOCK_ISO_SIZE];

	json_out_key(j, "recent");
	json_out_array(j);
	for (unsigned i = 1; i <= n; i++) {
		const struct sup_recent *r = &h->recent[(h->nrecent - i) % SUP_RECENT_MAX];

		clock_iso(r->real_ns, time);
		json_out_object(j);
		json_out_member_str(j, "time", time);
		json_out_member_str(j, "kind", r->kind);
		json_out_member_str(j, "text", r->text);
		json_out_object_end(j);
	}
	json_out_array_end(j);
}

static void write_epoch(struct supervisor *s, struct json_out *j)
{
	const struct snapshot *now = s->current.snap;

	json_out_member_int(j, "epoch", (int64_t)s->current.epoch);
	json_out_member_str(j, "policy_hash", now->policy_hash);
	json_out_member_str(j, "catalog_hash", now->catalog_hash);
	json_out_member_int(j, "catalog_servers", catalog_server_count(now->catalog));
	json_out_member_int(j, "catalog_tools", catalog_tool_count(now->catalog));
	json_out_member_str(j, "program_hash", s->setup.program_hash);
	json_out_member_str(j, "kernel_hash", s->setup.kernel_hash);
}

static void status_head(struct supervisor *s, struct json_out *j)
{
	char started[CLOCK_ISO_SIZE];
	unsigned live = 0, n = 0;

	while (places_at(s->places, live))
		live++;
	for (struct sup_listener *l = s->listeners; l; l = l->next)
		n++;
	clock_iso(s->health.started_ns, started);
	json_out_member_str(j, "node", s->setup.node);
	json_out_member_str(j, "started", started);
	json_out_member_str(j, "enforcement", enforcement_text(s->conf.enforcement));
	json_out_member_str(j, "mode", gate_mode_text((enum gate_mode)s->setup.mode));
	json_out_member_str(j, "durability", record_durability_text((enum record_durability)s->setup.durability));
	json_out_member_str(j, "attestation", s->notary_up.platform);
	write_epoch(s, j);
	json_out_member_int(j, "live_agents", live);
	json_out_member_int(j, "listeners", n);
	json_out_member_bool(j, "stdio_hooks", kern_stdio_attached(s->kern));
	write_agents(s, j);
	write_rates(s, j);
	write_counters(s, j);
	write_health(s, j);
	write_recent(s, j);
	json_out_key(j, "warnings");
	json_out_array(j);
	for (unsigned i = 0; i < s->conf.nwarnings; i++)
		json_out_string(j, span_of(s->conf.warnings[i]));
	json_out_array_end(j);
}

/* --- questions that wait -------------------------------------------------------------------------- */

static void forget(struct supervisor *s, struct sup_question *q)
{
	for (struct sup_question **at = &s->questions; *at; at = &(*at)->next)
		if (*at == q) {
			*at = q->next;
			break;
		}
	buf_done(&q->rows);
	free(q);
}

static void settle(struct supervisor *s, struct sup_question *q)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct json_out j;

	if (q->what == ASK_NOTARY) {
		if (buf_len(&q->rows))
			control_reply(q->peer, buf_span(&q->rows));
		else
			control_refuse(q->peer, "notary", "ask", "it is not there");
		forget(s, q);
		return;
	}
	json_out_init(&j, &text);
	json_out_object(&j);
	if (q->what == ASK_STATUS) {
		status_head(s, &j);
		json_out_key(&j, "log");
		json_out_raw(&j, buf_len(&q->rows) ? buf_span(&q->rows) : SPAN("null"));
	} else {
		json_out_key(&j, "sessions");
		json_out_array(&j);
		if (buf_len(&q->rows))
			json_out_raw(&j, buf_span(&q->rows));
		json_out_array_end(&j);
	}
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		control_refuse(q->peer, "control", "answer", "not enough memory");
	else
		control_reply(q->peer, buf_span(&text));
	forget(s, q);
}

int sup_control_answer(struct supervisor *s, uint64_t cookie, struct span json)
{
	struct sup_question *q = s->questions;

	while (q && q->cookie != cookie)
		q = q->next;
	if (!q)
		return 0;
	if (q->what == ASK_SESSIONS) { /* an array of rows: take the brackets off */
		if (json.n < 2)
			return -EBADMSG;
		json.p++;
		json.n -= 2;
	}
	if (json.n) {
		if (buf_len(&q->rows) && buf_append(&q->rows, ",", 1) < 0)
			return -ENOMEM;
		if (buf_append(&q->rows, json.p, json.n) < 0)
			return -ENOMEM;
	}
	if (--q->awaited == 0)
		settle(s, q);
	return 0;
}

static struct sup_question *new_question(struct supervisor *s, struct control_peer *peer)
{
	struct sup_question *q = calloc(1, sizeof(*q));

	if (!q) {
		control_refuse(peer, "control", "answer", "not enough memory");
		return NULL;
	}
	*q = (struct sup_question){ .peer = peer, .cookie = ++s->last_cookie,
				    .asked = s->ticks, .next = s->questions };
	s->questions = q;
	return q;
}

static void ask_notary(struct supervisor *s, struct sup_question *q, uint32_t type, const void *body, size_t n)
{
	if (s->notary && ipc_send(s->notary, type, q->cookie, body, n, NULL, 0) >= 0)
		q->awaited = 1;
	else
		settle(s, q);
}

static void ask_proxies(struct supervisor *s, struct sup_question *q, uint32_t type)
{
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel &&
		    ipc_send(s->proxies[i].channel, type, q->cookie, NULL, 0, NULL, 0) >= 0)
			q->awaited++;
	if (q->awaited == 0)
		settle(s, q);
}

static void ask_status(struct supervisor *s, struct control_peer *peer)
{
	struct sup_question *q = new_question(s, peer);

	if (!q)
		return;
	q->what = ASK_STATUS;
	if (s->notary && ipc_send(s->notary, MSG_NOTARY_STATUS, q->cookie, NULL, 0, NULL, 0) >= 0)
		q->awaited = 1;
	ask_proxies(s, q, MSG_COUNTS);
}

static void ask_sessions(struct supervisor *s, struct control_peer *peer)
{
	struct sup_question *q = new_question(s, peer);

	if (q)
		ask_proxies(s, q, MSG_SESSIONS);
}

/* A role that died or hangs must not keep an operator waiting, least of all then. What the notary alone makes may take
 * its time. */
void sup_control_tick(struct supervisor *s)
{
	struct sup_question *q = s->questions, *next;

	for (; q; q = next) {
		next = q->next;
		if (q->what != ASK_NOTARY && s->ticks - q->asked >= ANSWER_TICKS)
			settle(s, q);
	}
}

static void ask_claim(struct supervisor *s, struct control_peer *peer, const char *session)
{
	struct msg_session m = { 0 };
	struct sup_question *q;

	if (strlen(session) >= sizeof(m.id)) {
		control_refuse(peer, session, "claim", "it is no session");
		return;
	}
	memcpy(m.id, session, strlen(session));
	q = new_question(s, peer);
	if (!q)
		return;
	q->what = ASK_NOTARY;
	ask_notary(s, q, MSG_NOTARY_CLAIM, &m, sizeof(m));
}

/* Opens payloads of one record: for root, which could read the key; the notary records it. */
static void ask_salt(struct supervisor *s, struct control_peer *peer, unsigned n, char **words)
{
	struct msg_salt m = { 0 };
	struct sup_question *q;
	char *end = NULL;

	m.sequence = strtoull(words[2], &end, 10);
	if (strlen(words[1]) >= sizeof(m.session) || *end || strlen(words[3]) >= sizeof(m.epoch)) {
		control_refuse(peer, words[1], "open payloads", "malformed request");
		return;
	}
	strcpy(m.session, words[1]);
	strcpy(m.epoch, words[3]);
	for (unsigned i = 4; i < n; i++) {
		int field = disclosure_field(span_of(words[i]));

		if (field < 0) {
			control_refuse(peer, words[i], "open payloads", "there is no such field");
			return;
		}
		m.fields |= 1u << field;
	}
	q = new_question(s, peer);
	if (!q)
		return;
	q->what = ASK_NOTARY;
	ask_notary(s, q, MSG_NOTARY_SALT, &m, sizeof(m));
}

/* --- orders --------------------------------------------------------------------------------------- */

static void done(struct control_peer *peer, const char *text)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct json_out j;

	json_out_init(&j, &b);
	json_out_object(&j);
	json_out_member_str(&j, "done", text);
	json_out_object_end(&j);
	(void)json_out_end(&j);
	control_reply(peer, buf_span(&b));
}

static void run(struct supervisor *s, struct control_peer *peer, const char *name)
{
	bool any = strcmp(name, "-") == 0;
	int index = -1, r;

	for (unsigned i = 0; i < s->conf.nagents; i++) {
		if (sup_agent_is_former(&s->conf.agents[i]) ||
		    (!any && strcmp(s->conf.agents[i].name, name) != 0))
			continue;
		if (any && index >= 0) {
			index = -1;
			break;
		}
		index = (int)i;
	}
	if (index < 0) {
		control_refuse(peer, name, "run as agent", any ?
			       "there is not exactly one agent; name one with --agent" :
			       "no such agent in the configuration");
		return;
	}
	r = sup_enrol_process(s, control_peer_pid(peer), (unsigned)index, "by hand");
	if (r < 0)
		control_refuse(peer, name, "enrol", err_text(r));
	else
		done(peer, "enrolled");
}

static void rotate(struct supervisor *s, struct control_peer *peer)
{
	if (s->rotating || !s->notary_there || ipc_send(s->notary, MSG_NOTARY_ROTATE, 0, NULL, 0, NULL, 0) < 0)
		control_refuse(peer, "log key", "rotate", s->rotating ? "somebody else is waiting for that" :
									"the notary is not there");
	else
		s->rotating = peer;
}

int sup_rotated(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_notary_up *up = m ? m->body : NULL;
	struct control_peer *peer = s->rotating;

	if (m && (m->len != sizeof(*up) || !msg_string_ok(up->text, sizeof(up->text)) ||
		  !msg_string_ok(up->verifier_key, sizeof(up->verifier_key)) ||
		  !msg_string_ok(up->platform, sizeof(up->platform)) ||
		  !msg_string_ok(up->key_tier, sizeof(up->key_tier))))
		return -EBADMSG;
	s->rotating = NULL;
	if (up && up->error == 0)
		s->notary_up = *up;
	if (peer && up && up->error == 0)
		done(peer, up->verifier_key);
	else if (peer)
		control_refuse(peer, "log key", "rotate", up ? up->text : "the notary ended");
	return 0;
}

static void release(struct supervisor *s, struct control_peer *peer, bool force)
{
	struct record rec;

	if (!force && s->conf.enforcement != CONF_OBSERVE) {
		control_refuse(peer, "node", "release", "it enforces; say --force to end enforcement");
		return;
	}
	/* The record first: enforcement does not end without a trace. */
	sup_record_init(&rec, RECORD_NODE, RECORD_NA);
	rec.reason = SPAN("released by order: enforcement ends");
	rec.reason_code = SPAN("released");
	if (sup_record(s, &rec) < 0) {
		control_refuse(peer, "node", "release", "the log takes no record of it");
		return;
	}
	done(peer, "released: kernel programs are gone, agents run free");
	sup_enrol_stop(s);
	(void)kern_release(s->kern);
	s->kern = NULL;
	sup_numbers_forget(s);
	sup_exit(s, EXIT_SUCCESS);
}

static bool is_allowed(pid_t pid, uid_t uid, void *arg)
{
	struct supervisor *s = arg;
	char reason[96];

	if (uid == 0 && !sup_in_scope(s, pid))
		return true;
	(void)snprintf(reason, sizeof(reason), "control socket: refused pid %d, uid %u", (int)pid,
		       (unsigned)uid);
	sup_record_node(s, "control_refused", reason);
	return false;
}

static void on_request(struct control_peer *peer, unsigned n, char **words, void *arg)
{
	struct supervisor *s = arg;

	if (strcmp(words[0], "status") == 0 && n == 1)
		ask_status(s, peer);
	else if (strcmp(words[0], "sessions") == 0 && n == 1)
		ask_sessions(s, peer);
	else if (strcmp(words[0], "claim") == 0 && n == 2)
		ask_claim(s, peer, words[1]);
	else if (strcmp(words[0], "salt") == 0 && n >= 5)
		ask_salt(s, peer, n, words);
	else if (strcmp(words[0], "agents") == 0 && n == 1)
		answer_agents(s, peer);
	else if (strcmp(words[0], "reload") == 0 && n == 1)
		sup_reload(s, peer);
	else if (strcmp(words[0], "rotate-key") == 0 && n == 1)
		rotate(s, peer);
	else if (strcmp(words[0], "run") == 0 && n == 2)
		run(s, peer, words[1]);
	else if (strcmp(words[0], "release") == 0 && n <= 2)
		release(s, peer, n == 2 && strcmp(words[1], "force") == 0);
	else
		control_refuse(peer, words[0], "ask", "no such request");
}

int sup_control_start(struct supervisor *s)
{
	static const struct control_ops ops = { .allowed = is_allowed, .request = on_request };
	char path[PROC_PATH_MAX];
	int r;

	(void)snprintf(path, sizeof(path), "%s/control.sock", s->conf.run_dir);
	r = control_new(s->loop, path, &ops, s, &s->control);
	return r < 0 ? log_err(r, "listen on %s: %s", path, err_text(r)) : 0;
}
