// SPDX-License-Identifier: Apache-2.0
/*
 * The supervisor's side of every other role: which are there, what they have been given, and giving it again
 * when one of them, or the supervisor itself, was started anew.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/gate/snapshot.h"
#include "user/role/sandbox.h"
#include "user/role/spawn.h"
#include "user/role/sup.h"

static struct sup_proxy *proxy_of(struct supervisor *s, uint32_t agent)
{
	return agent && s->nproxies ? &s->proxies[(agent - 1) % s->nproxies] : NULL;
}

struct ipc *sup_proxy_of(struct supervisor *s, uint32_t agent)
{
	const struct sup_proxy *p = proxy_of(s, agent);

	return p ? p->channel : NULL;
}

struct ipc *sup_proxy_that_judges(struct supervisor *s, uint32_t agent)
{
	const struct sup_proxy *p = proxy_of(s, agent);

	return p && p->committed && p->recording ? p->channel : NULL;
}

/* --- what the keeper holds ------------------------------------------------------------------------ */

void sup_keep(struct supervisor *s, const char *key, int fd)
{
	struct msg_key k = { 0 };

	(void)snprintf(k.key, sizeof(k.key), "%s", key);
	if (ipc_send(s->keeper, MSG_KEEP, 0, &k, sizeof(k), &fd, 1) < 0)
		log_warn("keep %s: the keeper does not answer", key);
}

void sup_unkeep(struct supervisor *s, const char *key)
{
	struct msg_key k = { 0 };

	(void)snprintf(k.key, sizeof(k.key), "%s", key);
	(void)ipc_send(s->keeper, MSG_UNKEEP, 0, &k, sizeof(k), NULL, 0);
}

static int take_back(struct supervisor *s, struct ipc_msg *m)
{
	const struct msg_key *k = m->body;
	int fd, r;

	if (m->len != sizeof(*k) || m->nfds != 1 || !msg_string_ok(k->key, sizeof(k->key)))
		return -EBADMSG;
	fd = ipc_take_fd(m, 0);
	r = sup_listener_take_back(s, k->key, fd);
	if (r == -ENOENT)
		r = sup_ring_take_back(s, k->key, fd);
	if (r < 0)
		close(fd);
	return r == -ENOENT ? -EBADMSG : r;
}

void sup_members_again(struct supervisor *s)
{
	for (unsigned i = 0; i < s->nproxies; i++)
		if (!s->proxies[i].recording)
			sup_ring_tell_proxy(s, &s->proxies[i]);
}

/* --- the notary ----------------------------------------------------------------------------------- */

static int notary_is_up(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_notary_up *up = m->body;
	int r = 0;

	if (m->len != sizeof(*up) || !msg_string_ok(up->text, sizeof(up->text)) ||
	    !msg_string_ok(up->verifier_key, sizeof(up->verifier_key)) ||
	    !msg_string_ok(up->platform, sizeof(up->platform)) ||
	    !msg_string_ok(up->key_tier, sizeof(up->key_tier)))
		return -EBADMSG;
	if (up->error == -ENOSPC || up->error == -EDQUOT) {
		if (!s->notary_awaited)
			log_err(up->error, "%s; it is tried again every second", up->text);
		s->notary_awaited = true;
		return 0;
	}
	if (up->error < 0) {
		log_err(up->error, "%s", up->text);
		sup_exit(s, EXIT_FAILURE);
		return 0;
	}
	s->notary_awaited = false;
	s->notary_up = *up;
	s->notary_there = true;
	for (unsigned i = 0; i <= s->nproxies && r >= 0; i++)
		r = sup_ring_tell_notary(s, i);
	return r;
}

static int notary_instance(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_instance *in = m->body;
	struct sup_ring *r;

	if (m->len != sizeof(*in) || in->producer > s->nproxies ||
	    !msg_string_ok(in->epoch, sizeof(in->epoch)))
		return -EBADMSG;
	r = &s->rings[in->producer];
	r->instance = *in;
	r->instanced = true;
	if (in->producer > 0)
		sup_ring_tell_proxy(s, &s->proxies[in->producer - 1]);
	else
		(void)sup_record_start(s);
	sup_check_ready(s);
	return 0;
}

static int notary_accuses(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_ring *r = m->body;

	if (m->len != sizeof(*r) || r->producer > s->nproxies)
		return -EBADMSG;
	log_err(0, "producer %u: its ring holds what is no record", r->producer);
	/* Its channel closes, so it ends; the keeper starts another, whose ring is then reset. */
	if (r->producer > 0) {
		ipc_free(s->proxies[r->producer - 1].channel);
		s->proxies[r->producer - 1].channel = NULL;
	}
	return 0;
}

static int from_notary(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct supervisor *s = arg;

	(void)c;
	switch (m->type) {
	case MSG_NOTARY_UP:
		return notary_is_up(s, m);
	case MSG_NOTARY_INSTANCE:
		return notary_instance(s, m);
	case MSG_NOTARY_PRODUCER:
		return notary_accuses(s, m);
	case MSG_NOTARY_STATUS_IS:
	case MSG_NOTARY_CLAIM_IS:
	case MSG_NOTARY_SALT_IS:
		return sup_control_answer(s, m->cookie, (struct span){ m->body, m->len });
	case MSG_NOTARY_ROTATED:
		return sup_rotated(s, m);
	case MSG_NOTARY_EVIDENCE_IS:
		return sup_evidence_answer(s, m);
	case MSG_NOTARY_ASKED_IS:
		return sup_asked_answer(s, m);
	default:
		return -EBADMSG;
	}
}

/* --- proxies, query, injector --------------------------------------------------------------------- */

static int from_proxy(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct sup_proxy *p = arg;
	struct supervisor *s = p->sup;

	switch (m->type) {
	case MSG_SNAPSHOT_DONE:
		return sup_snapshot_done(s, p, m);
	case MSG_STDIO_VERDICT:
		return sup_stdio_verdict(s, m);
	case MSG_LOOKED:
		return sup_stdio_looked(s, m);
	case MSG_SESSIONS_ARE:
		return sup_control_answer(s, m->cookie, (struct span){ m->body, m->len });
	case MSG_COUNTS_ARE:
		return sup_health_counts(s, p, m);
	case MSG_OWNER: {
		struct msg_owner_is is;

		if (m->len != sizeof(struct msg_owner))
			return -EBADMSG;
		is = sup_owner_of(s, m->body);
		return ipc_send(c, MSG_OWNER_IS, m->cookie, &is, sizeof(is), NULL, 0);
	}
	default:
		return -EBADMSG;
	}
}

static int from_injector(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct supervisor *s = arg;

	return m->type == MSG_TAKEN && c == s->taking ? sup_stdio_taken(s, m) : -EBADMSG;
}

static int from_canary(struct ipc *c, struct ipc_msg *m, void *arg)
{
	(void)c;
	return sup_canary_tried(arg, m);
}

static int from_query(struct ipc *c, struct ipc_msg *m, void *arg)
{
	struct supervisor *s = arg;
	const struct msg_pid *p = m->body;
	struct msg_flag is;
	char reason[128];

	if (m->len != sizeof(*p))
		return -EBADMSG;
	switch (m->type) {
	case MSG_QUERY_SCOPE:
		is = (struct msg_flag){ .value = sup_in_scope(s, p->pid) };
		return ipc_send(c, MSG_QUERY_SCOPE_IS, m->cookie, &is, sizeof(is), NULL, 0);
	case MSG_QUERY_REFUSED:
		(void)snprintf(reason, sizeof(reason), "audit socket: refused pid %d, uid %u", p->pid,
			       p->uid);
		sup_record_node(s, "audit_refused", reason);
		return 0;
	default:
		return -EBADMSG;
	}
}

static void channel_closed(struct ipc *c, void *arg)
{
	struct supervisor *s = arg;
	struct ipc **all[] = { &s->notary, &s->query, &s->query_scope, &s->canary.channel };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (*all[i] == c)
			*all[i] = NULL;
	ipc_free(c);
}

/* An injector is gone when its channel says so: the keeper's word may come before its report is read. */
static void injector_closed(struct ipc *c, void *arg)
{
	struct supervisor *s = arg;

	if (s->injector == c)
		s->injector = NULL;
	if (s->taking == c) {
		s->taking = NULL;
		sup_stdio_injector_gone(s);
	}
	ipc_free(c);
}

static void proxy_closed(struct ipc *c, void *arg)
{
	struct sup_proxy *p = arg;

	if (p->channel == c)
		p->channel = NULL;
	ipc_free(c);
}

static const struct ipc_ops notary_ops = { .message = from_notary, .closed = channel_closed };
static const struct ipc_ops query_ops = { .message = from_query, .closed = channel_closed };
static const struct ipc_ops canary_ops = { .message = from_canary, .closed = channel_closed };
static const struct ipc_ops injector_ops = { .message = from_injector, .closed = injector_closed };
static const struct ipc_ops proxy_ops = { .message = from_proxy, .closed = proxy_closed };

static int connect_to(struct supervisor *s, struct ipc_msg *m, const struct ipc_ops *ops, void *arg,
		      struct ipc **at)
{
	int fd = ipc_take_fd(m, 0);
	struct ipc *c;
	int r = ipc_new(s->loop, fd, ops, arg, &c);

	if (r < 0) {
		close(fd);
		return r;
	}
	ipc_free(*at);
	*at = c;
	return 0;
}

static int send_setup(struct supervisor *s, struct ipc *to)
{
	memcpy(s->setup.policy_hash, s->current.snap->policy_hash, sizeof(s->setup.policy_hash));
	memcpy(s->setup.catalog_hash, s->current.snap->catalog_hash, sizeof(s->setup.catalog_hash));
	return ipc_send(to, MSG_SETUP, 0, &s->setup, sizeof(s->setup), NULL, 0);
}

/* A disk without room is no reason to end the node: nothing passes until there is some. */
void sup_notary_again(struct supervisor *s)
{
	if (s->notary_awaited && s->notary)
		(void)send_setup(s, s->notary);
}

static int proxy_up(struct supervisor *s, struct ipc_msg *m, const struct msg_role *role)
{
	struct sup_proxy *p = &s->proxies[role->index];
	int r = connect_to(s, m, &proxy_ops, p, &p->channel);

	p->committed = p->offered = p->recording = false;
	p->pid = role->pid;
	p->earlier = role->status;
	if (p->earlier)
		p->counts.sessions = 1; /* until it has been asked */
	p->idle = 0;
	if (r >= 0)
		r = send_setup(s, p->channel);
	if (r >= 0)
		r = sup_offer_current(s, p);
	if (r < 0)
		return r;
	sup_ring_tell_proxy(s, p);
	return 0;
}

/* The question "is this process in a scope?" waits for its answer, so it has a channel of its own. */
static int query_up(struct supervisor *s, struct ipc_msg *m)
{
	const bool recorded = s->conf.audit_queries == CONF_QUERIES_RECORDED;
	int pair[2], fds[4] = { s->audit_fd, -1, -1, -1 }, r = connect_to(s, m, &query_ops, s, &s->query);

	if (r < 0)
		return r;
	r = ipc_pair(pair);
	if (r < 0)
		return r;
	ipc_free(s->query_scope);
	s->query_scope = NULL;
	fds[1] = pair[1];
	r = sup_evidence_channel(s, &fds[2]);
	if (r >= 0 && recorded)
		r = sup_asked_channel(s, &fds[3]);
	if (r >= 0)
		r = ipc_send(s->query, MSG_QUERY_LISTEN, 0, NULL, 0, fds, recorded ? 4 : 3);
	cleanup_close(&fds[2]);
	cleanup_close(&fds[3]);
	close(pair[1]);
	if (r >= 0)
		r = ipc_new(s->loop, pair[0], &query_ops, s, &s->query_scope);
	if (r < 0)
		close(pair[0]);
	return r;
}

static int introduce(struct supervisor *s, struct ipc_msg *m, const struct msg_role *role)
{
	int r;

	switch (role->role) {
	case ROLE_PROXY:
		return role->index < s->nproxies ? proxy_up(s, m, role) : -EBADMSG;
	case ROLE_NOTARY:
		r = connect_to(s, m, &notary_ops, s, &s->notary);
		/* Rings that this supervisor made have never had a producer: nor has any session in the log. */
		s->setup.fresh = s->rings_made && !s->notary_up.verifier_key[0];
		return r < 0 ? r : send_setup(s, s->notary);
	case ROLE_QUERY:
		return query_up(s, m);
	case ROLE_INJECTOR:
		r = connect_to(s, m, &injector_ops, s, &s->injector);
		if (r >= 0)
			sup_stdio_injector(s);
		return r;
	case ROLE_CANARY:
		r = connect_to(s, m, &canary_ops, s, &s->canary.channel);
		if (r >= 0)
			sup_canary_up(s, role->pid);
		return r;
	default:
		return -EBADMSG;
	}
}

static int role_up(struct supervisor *s, struct ipc_msg *m)
{
	const struct msg_role *role = m->body;
	int r;

	if (m->len != sizeof(*role) || m->nfds != 1)
		return -EBADMSG;
	r = introduce(s, m, role);
	/* It died before it heard of us: the keeper says so next, and no fault of the keeper's ends its channel. */
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static void notary_down(struct supervisor *s)
{
	struct msg_flag gone = { 0 };

	s->notary_there = false;
	(void)sup_rotated(s, NULL);
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel)
			(void)ipc_send(s->proxies[i].channel, MSG_NOTARY, 0, &gone, sizeof(gone), NULL, 0);
}

static void proxy_down(struct supervisor *s, unsigned index)
{
	struct sup_proxy *p = &s->proxies[index];
	struct msg_ring ring = { .producer = index + 1 };

	sup_offer_lost(s, p);
	p->recording = false;
	s->rings[index + 1].instanced = false;
	if (s->notary)
		(void)ipc_send(s->notary, MSG_NOTARY_RESTARTED, 0, &ring, sizeof(ring), NULL, 0);
	/* The keeper may say so before the channel's own end is seen: what waits for this proxy waits for nobody. */
	ipc_free(p->channel);
	p->channel = NULL;
	sup_stdio_proxy_lost(s);
}

static int role_down(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_role *role = m->body;
	char reason[96];

	if (m->len != sizeof(*role))
		return -EBADMSG;
	if (role->role == ROLE_INJECTOR)
		return 0; /* one ends after every takeover; how it ended, its channel tells */
	(void)snprintf(reason, sizeof(reason), "role %s %u ended, wait status 0x%x",
		       role_name((enum role)role->role), role->index, (unsigned)role->status);
	sup_record_node(s, "role_ended", reason);
	if (role->role == ROLE_NOTARY)
		notary_down(s);
	else if (role->role == ROLE_PROXY && role->index < s->nproxies)
		proxy_down(s, role->index);
	return 0;
}

/* --- another program's ------------------------------------------------------------------------------- */

#define IDLE_LOOKS 3 /* a second each, in which its listeners wait already */

/* LIMIT: connections that are copied without being understood are no conversations, and end with it. */
static void retire(struct supervisor *s, struct sup_proxy *p)
{
	if (p->counts.sessions > 0 || s->jobs) {
		if (p->idle > 0)
			sup_listen_tell_proxy(s, p);
		p->idle = 0;
	} else if (p->idle++ == 0) {
		sup_listen_pause(s, p->channel);
	} else if (p->idle >= IDLE_LOOKS) {
		p->earlier = false;
		log_info("proxy %u has no conversation: the program of now takes its place", p->index);
		(void)kill(p->pid, SIGTERM);
		return;
	}
	(void)ipc_send(p->channel, MSG_COUNTS, 0, NULL, 0, NULL, 0);
}

void sup_members_tick(struct supervisor *s)
{
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].earlier && s->proxies[i].channel)
			retire(s, &s->proxies[i]);
}

/* --- start ---------------------------------------------------------------------------------------- */

static int set_attestation(const struct conf *c, struct msg_spawn *m)
{
	const char *tcti = c->attestation.tpm ? c->attestation.tpm : "";

	m->attestation = c->attestation.provider == CONF_ATTESTATION_SOFTWARE ? ATTESTATION_NONE :
			 c->attestation.provider == CONF_ATTESTATION_AUTO ? ATTESTATION_AUTO :
									    ATTESTATION_TPM;
	m->azure = c->attestation.provider == CONF_ATTESTATION_AZURE;
	m->pcrs = c->attestation.pcrs;
	return snprintf(m->tcti, sizeof(m->tcti), "%s", tcti) < (int)sizeof(m->tcti) &&
	       snprintf(m->run_dir, sizeof(m->run_dir), "%s", c->run_dir) < (int)sizeof(m->run_dir) ? 0 :
												    -ENAMETOOLONG;
}

static int spawn(struct supervisor *s, enum role role, unsigned index, const struct conf_user *u)
{
	struct msg_spawn m = { .role = role, .index = index, .uid = u ? u->uid : 0, .gid = u ? u->gid : 0,
			       .audit_gid = s->conf.audit_gid };
	const char *state = s->conf.state_dir;
	int n = snprintf(m.log_dir, sizeof(m.log_dir), "%s/log", state);
	int k = snprintf(m.state_dir, sizeof(m.state_dir), "%s/%s", state, role_name(role));

	if (n >= (int)sizeof(m.log_dir) || k >= (int)sizeof(m.state_dir))
		return -ENAMETOOLONG;
	(void)snprintf(m.node, sizeof(m.node), "%s", s->conf.node);
	if (role == ROLE_NOTARY && set_attestation(&s->conf, &m) < 0)
		return -ENAMETOOLONG;
	return ipc_send(s->keeper, MSG_SPAWN, 0, &m, sizeof(m), NULL, 0);
}

int sup_members_start(struct supervisor *s)
{
	int r = 0;

	for (unsigned i = 0; i <= s->nproxies && r >= 0; i++)
		r = sup_ring_make(s, i);
	if (r >= 0)
		r = spawn(s, ROLE_NOTARY, 0, &s->conf.notary);
	for (unsigned i = 0; i < s->nproxies && r >= 0; i++)
		r = spawn(s, ROLE_PROXY, i, &s->conf.proxy);
	if (r >= 0)
		r = spawn(s, ROLE_QUERY, 0, &s->conf.query);
	if (r >= 0)
		r = spawn(s, ROLE_INJECTOR, 0, NULL);
	/* It needs rights no more than who reads hostile bytes, and so is the same nobody. */
	if (r >= 0)
		r = spawn(s, ROLE_CANARY, 0, &s->conf.proxy);
	return r;
}

int sup_from_keeper(struct supervisor *s, struct ipc_msg *m)
{
	switch (m->type) {
	case MSG_KEPT:
		return take_back(s, m);
	case MSG_ROLE_UP:
		return role_up(s, m);
	case MSG_ROLE_DOWN:
		return role_down(s, m);
	default:
		return -EBADMSG;
	}
}
