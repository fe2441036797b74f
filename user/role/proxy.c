// SPDX-License-Identifier: Apache-2.0
/*
 * The proxy role: no privileges, no files, no kernel maps. It is given listeners, conversations, policy and a
 * ring to record into, and lets through what the gate allows.
 */
#include "user/role/proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/enrol/listener.h"
#include "user/gate/gate.h"
#include "user/gate/http_answer.h"
#include "user/gate/http_end.h"
#include "user/gate/http_session.h"
#include "user/gate/names.h"
#include "user/gate/snapshot.h"
#include "user/gate/stdio_end.h"
#include "user/kern/flow.h"
#include "user/net/net.h"
#include "user/net/resolver.h"
#include "user/notary/escrow.h"
#include "user/notary/recorder.h"
#include "user/role/member.h"
#include "user/role/owner_ask.h"
#include "user/role/peek.h"

#define SWEEP_NS 30000000000ull /* how often idle HTTP conversations are looked for */
#define NS_PER_MS 1000000ull
#define SNAPSHOT_FDS 4
#define NAMES_PORT 53

struct steered {
	struct steered *next;
	struct proxy *proxy;
	struct msg_listen at;
	struct net_listener *listener; /* or */
	struct name_stub *stub;
};

struct proxy {
	struct member member;
	struct gate *gate;
	struct net *net;
	struct resolver *resolver;
	struct gate_names *names; /* NULL: agents ask whom they like */
	struct gate_http_side http;
	struct owner_asks asks;
	struct steered *listeners;
	struct loop_timer *sweep, *room;
	struct loop_io *progress;
	int ring, wake, progress_fd;
	struct escrow escrow;
	struct msg_setup setup;
};

/* --- policy and catalog --------------------------------------------------------------------------- */

static int stage(struct proxy *p, struct ipc_msg *m, struct buf *errors)
{
	const struct msg_snapshot *s = m->body;
	struct buf text[SNAPSHOT_FDS] = { 0 };
	struct snapshot_input in = { .catalog_name = "catalog", .pins_name = "catalog pins" };
	struct snapshot *snap;
	int r = 0;

	for (unsigned i = 0; i < m->nfds && r >= 0; i++)
		r = file_read_at_start(m->fds[i], BUF_LIMIT_DEFAULT / 2, &text[i]);
	in.epoch = s->epoch;
	in.policies = buf_span(&text[0]);
	in.agents = buf_span(&text[1]);
	in.catalog = buf_span(&text[2]);
	if (s->has_pins)
		in.pins = buf_span(&text[3]);
	if (r >= 0)
		r = snapshot_new(&in, errors, &snap);
	if (r >= 0)
		gate_stage(p->gate, snap);
	for (unsigned i = 0; i < SNAPSHOT_FDS; i++)
		buf_done(&text[i]);
	return r;
}

static int on_snapshot(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_snapshot *s = m->body;
	struct msg_snapshot_done done = { 0 };
	_cleanup_buf_ struct buf errors = { .limit = 65536 };
	const struct snapshot *snap;

	if (m->len != sizeof(*s) || m->nfds != SNAPSHOT_FDS)
		return -EBADMSG;
	done.epoch = s->epoch;
	done.error = stage(p, m, &errors);
	if (done.error < 0) {
		struct span e = buf_span(&errors);

		memcpy(done.text, e.p ? e.p : "", e.n < sizeof(done.text) ? e.n : sizeof(done.text) - 1);
	} else {
		snap = p->gate->staged;
		memcpy(done.policy_hash, snap->policy_hash, sizeof(done.policy_hash));
		memcpy(done.catalog_hash, snap->catalog_hash, sizeof(done.catalog_hash));
	}
	return member_tell(&p->member, MSG_SNAPSHOT_DONE, m->cookie, &done, sizeof(done));
}

/* --- recording ------------------------------------------------------------------------------------ */

static void on_progress(struct loop_io *io, uint32_t events, void *arg)
{
	struct proxy *p = arg;
	uint64_t n;

	(void)io;
	(void)events;
	if (read(p->progress_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return;
	gate_progress(p->gate);
}

static void on_room_due(struct loop_timer *t, void *arg)
{
	struct proxy *p = arg;
	uint64_t next = gate_expire(p->gate, clock_mono_ns());

	if (next)
		(void)loop_timer_arm(t, next, 0);
}

static void on_room_awaited(void *arg)
{
	struct proxy *p = arg;

	(void)loop_timer_arm(p->room, GATE_ROOM_NS, 0);
}

static int on_ring(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_recording *rec = m->body;
	int r;

	if (m->len != sizeof(*rec) || m->nfds != 3 ||
	    !msg_string_ok(rec->instance.epoch, sizeof(rec->instance.epoch)))
		return -EBADMSG;
	if (p->gate->recorder)
		return 0; /* a restarted supervisor says it again */
	p->ring = ipc_take_fd(m, 0);
	p->wake = ipc_take_fd(m, 1);
	p->progress_fd = ipc_take_fd(m, 2);
	r = recorder_new(p->ring, p->wake, (enum record_durability)p->setup.durability,
			 rec->instance.key, &p->gate->recorder);
	if (r >= 0)
		r = loop_io_add(p->member.loop, p->progress_fd, EPOLLIN, on_progress, p, &p->progress);
	if (r < 0)
		return log_err(r, "attach ring: %s", err_text(r));
	memcpy(p->gate->facts.public_key, rec->public_key, sizeof(rec->public_key));
	memcpy(p->gate->facts.salt_epoch, rec->instance.epoch, sizeof(rec->instance.epoch));
	return 0;
}

/* The first time, and whenever a file is full. */
static int on_escrow(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_escrow *e = m->body;

	if (m->len != sizeof(*e) || m->nfds != 1)
		return -EBADMSG;
	if (p->gate->escrow)
		close(p->escrow.fd);
	p->escrow.fd = ipc_take_fd(m, 0);
	memcpy(p->escrow.recipient, e->recipient, sizeof(e->recipient));
	hex_encode(e->recipient, sizeof(e->recipient), p->gate->facts.escrow_key);
	p->gate->escrow = &p->escrow;
	return 0;
}

/* --- HTTP ----------------------------------------------------------------------------------------- */

static void on_accept(struct net_listener *ls, int fd, void *arg)
{
	struct steered *s = arg;
	struct tg_origin o;

	/* No record, no connection; and a listener serves one agent only. */
	if (flow_origin(fd, &o) < 0 || o.agent != s->at.agent) {
		close(fd);
		return;
	}
	if (s->proxy->names && o.port == NAMES_PORT)
		gate_names_accept(s->proxy->names, fd, o.agent);
	else
		(void)gate_http_open(&s->proxy->http, ls, fd, &o);
}

static bool same_listener(const struct msg_listen *a, const struct msg_listen *b)
{
	return a->agent == b->agent && a->end == b->end && a->netns_cookie == b->netns_cookie;
}

static void unlisten(struct proxy *p, const struct msg_listen *at)
{
	for (struct steered **s = &p->listeners; *s; s = &(*s)->next)
		if (same_listener(&(*s)->at, at)) {
			struct steered *gone = *s;

			*s = gone->next;
			net_listener_free(gone->listener);
			gate_names_unlisten(gone->stub);
			free(gone);
			return;
		}
}

static int on_listen(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_listen *at = m->body;
	struct steered *s;
	int fd, r;

	if (m->len != sizeof(*at) || m->nfds != 1 || at->end >= LISTENER_ENDS)
		return -EBADMSG;
	unlisten(p, at);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->proxy = p;
	s->at = *at;
	fd = ipc_take_fd(m, 0);
	r = at->end == LISTENER_TCP4 || at->end == LISTENER_TCP6 ?
		    net_listener_new(p->net, fd, p->setup.connections_max, on_accept, s, &s->listener) :
		    p->names ? gate_names_listen(p->names, fd, at->agent, &s->stub) : 0;
	if (r < 0 || (!s->listener && !s->stub)) {
		close(fd);
		free(s);
		return r;
	}
	s->next = p->listeners;
	p->listeners = s;
	return 0;
}

static int ask_owner(uint64_t token, const struct tg_origin *o, void *arg)
{
	struct proxy *p = arg;
	struct msg_owner q = { .pid = (int32_t)o->tgid, .agent = o->agent, .port = o->port };

	memcpy(q.addr, o->dst, sizeof(q.addr));
	return owner_ask(&p->asks, &p->member, token, &q);
}

static int on_joined(struct member *m, void *arg)
{
	struct proxy *p = arg;

	owner_ask_again(&p->asks, m);
	return 0;
}

static const struct gate_http_ops http_ops = { .ask_owner = ask_owner };

static int on_owner_is(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_owner_is *is = m->body;

	if (m->len != sizeof(*is) || (is->error == 0 && !proc_identity_valid(&is->owner)))
		return -EBADMSG;
	owner_answered(&p->asks, m->cookie);
	gate_http_owner(&p->http, m->cookie, is->error == 0 ? &is->owner : NULL, is->socket);
	return 0;
}

/* --- stdio ---------------------------------------------------------------------------------------- */

struct asked {
	struct proxy *proxy;
	uint64_t cookie;
};

static void tell_verdict(struct proxy *p, uint64_t cookie, bool go, const char *reason)
{
	struct msg_stdio_verdict v = { .act = go ? MSG_STDIO_RELEASE : MSG_STDIO_KILL };

	(void)snprintf(v.reason, sizeof(v.reason), "%s", reason);
	(void)member_tell(&p->member, MSG_STDIO_VERDICT, cookie, &v, sizeof(v));
}

static void on_decided(void *arg, bool go, const char *reason)
{
	struct asked *a = arg;

	tell_verdict(a->proxy, a->cookie, go, reason);
	free(a);
}

static int on_stdio(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_stdio *s = m->body;
	struct gate_stdio_spec spec = { 0 };
	struct gate_spawn spawn = { 0 };
	struct asked *a;
	int r;

	if (m->len != sizeof(*s) || m->nfds != 4 || s->head_len > sizeof(s->head) ||
	    s->measured > 1 || !msg_string_ok(s->refused, sizeof(s->refused)) || !proc_identity_valid(&s->server))
		return -EBADMSG;
	spawn.measured = s->measured;
	memcpy(spawn.declared, s->declared, sizeof(spawn.declared));
	memcpy(spawn.refused, s->refused, sizeof(spawn.refused));
	spec.peers = (struct gate_peers){
		.agent = s->agent, .outer_agent = s->outer_agent, .agent_pid = s->host_pid,
		.agent_uid = s->server.uid, .transport = "stdio", .server = &s->server,
		.spawn = &spawn, .running = s->running,
	};
	spec.fds = (struct stdio_relay_fds){ ipc_take_fd(m, 0), ipc_take_fd(m, 1), ipc_take_fd(m, 2),
					     ipc_take_fd(m, 3) };
	spec.taken = s->taken;
	spec.head = (struct span){ s->head, s->head_len };
	a = malloc(sizeof(*a));
	if (a)
		*a = (struct asked){ p, m->cookie };
	r = a ? gate_stdio_open(p->gate, p->member.loop, &spec, on_decided, a) : -ENOMEM;
	if (r < 0) {
		tell_verdict(p, m->cookie, false, err_text(r));
		free(a);
	}
	return 0;
}

static int on_peek(struct proxy *p, struct ipc_msg *m)
{
	const struct msg_look *q = m->body;
	struct msg_looked answer;
	int fd;

	if (m->len != sizeof(*q) || m->nfds != 1 || q->head_len > sizeof(q->head))
		return -EBADMSG;
	fd = ipc_take_fd(m, 0);
	peek_classify(q, fd, &answer);
	close(fd); /* before the answer: a takeover that follows must find no holder it does not know */
	return member_tell(&p->member, MSG_LOOKED, m->cookie, &answer, sizeof(answer));
}

/* --- the rest ------------------------------------------------------------------------------------- */

static int on_setup(struct proxy *p, const struct ipc_msg *m)
{
	const struct msg_setup *s = m->body;
	struct gate_facts *f = &p->gate->facts;

	if (m->len != sizeof(*s) || !setup_valid(s))
		return -EBADMSG;
	p->setup = *s;
	p->gate->mode = (enum gate_mode)s->mode;
	p->gate->limits.message_max = s->message_max;
	p->gate->limits.conversations_max = (unsigned)s->conversations_max;
	memcpy(f->node, s->node, sizeof(f->node));
	memcpy(f->boot_id, s->boot_id, sizeof(f->boot_id));
	memcpy(f->program_hash, s->program_hash, sizeof(f->program_hash));
	memcpy(f->kernel_hash, s->kernel_hash, sizeof(f->kernel_hash));
	if (*s->name_servers && resolver_servers(p->resolver, s->name_servers) < 0)
		return -EBADMSG;
	if (s->own_names && !p->names) {
		if (gate_names_new(p->gate, p->member.loop, p->resolver, &p->names) < 0)
			return -ENOMEM;
		p->http.resolver = p->resolver;
		p->http.names = p->names;
	}
	if (!p->net) {
		struct net_limits l = { .body_max = s->message_max, .event_max = s->message_max,
					.idle_ms = s->idle_timeout_ms,
					.connect_ms = s->connect_timeout_ms,
					.head_ms = s->header_timeout_ms,
					.body_ms = s->body_timeout_ms,
					.response_ms = s->request_timeout_ms };

		return net_new(p->member.loop, &l, &p->net) < 0 ? -ENOMEM : (p->http.net = p->net, 0);
	}
	return 0;
}

static int on_sessions(struct proxy *p, const struct ipc_msg *m)
{
	_cleanup_buf_ struct buf text = { .limit = IPC_MESSAGE_MAX - 4096 };
	struct json_out j;

	json_out_init(&j, &text);
	json_out_array(&j);
	for (const struct gate_conv *c = p->gate->convs; c; c = c->next) {
		if (buf_len(&text) > IPC_MESSAGE_MAX - 8192)
			break; /* LIMIT: more conversations than fit one message are not listed */
		gate_conv_describe(c, &j);
	}
	json_out_array_end(&j);
	if (json_out_end(&j) < 0)
		return -ENOMEM;
	return member_tell(&p->member, MSG_SESSIONS_ARE, m->cookie, buf_span(&text).p, buf_len(&text));
}

static int on_counts(struct proxy *p, const struct ipc_msg *m)
{
	struct msg_counts c = { .judged = p->gate->count.judged, .denied = p->gate->count.denied,
				.unrecorded = p->gate->count.unrecorded, .sessions = p->gate->nconvs };

	return member_tell(&p->member, MSG_COUNTS_ARE, m->cookie, &c, sizeof(c));
}

static int on_epoch(struct proxy *p, const struct ipc_msg *m)
{
	const struct msg_epoch *e = m->body;

	if (m->len != sizeof(*e))
		return -EBADMSG;
	if (m->type == MSG_SNAPSHOT_ABORT)
		gate_abort(p->gate, e->epoch);
	else if (gate_commit(p->gate, e->epoch) < 0)
		return log_err(-EBADMSG, "commit epoch: nothing of that epoch is staged");
	return 0;
}

static int on_message(struct member *member, struct ipc_msg *m, void *arg)
{
	struct proxy *p = arg;
	const struct msg_flag *flag = m->body;

	(void)member;
	switch (m->type) {
	case MSG_SETUP:
		return on_setup(p, m);
	case MSG_SNAPSHOT:
		return on_snapshot(p, m);
	case MSG_SNAPSHOT_COMMIT:
	case MSG_SNAPSHOT_ABORT:
		return on_epoch(p, m);
	case MSG_ESCROW:
		return on_escrow(p, m);
	case MSG_RING:
		return on_ring(p, m);
	case MSG_NOTARY:
		if (m->len != sizeof(*flag))
			return -EBADMSG;
		gate_set_notary(p->gate, flag->value);
		return 0;
	case MSG_LISTEN:
		return p->net ? on_listen(p, m) : -EBADMSG;
	case MSG_UNLISTEN:
		if (m->len != sizeof(struct msg_listen))
			return -EBADMSG;
		unlisten(p, m->body);
		return 0;
	case MSG_STDIO:
		return on_stdio(p, m);
	case MSG_LOOK:
		return on_peek(p, m);
	case MSG_OWNER_IS:
		return on_owner_is(p, m);
	case MSG_SESSIONS:
		return on_sessions(p, m);
	case MSG_COUNTS:
		return on_counts(p, m);
	default:
		return -EBADMSG;
	}
}

static void on_sweep(struct loop_timer *t, void *arg)
{
	struct proxy *p = arg;

	(void)t;
	if (p->http.sessions)
		http_sessions_sweep(p->http.sessions, clock_mono_ns(),
				    p->setup.idle_timeout_ms * NS_PER_MS);
}

static int begin(struct proxy *p)
{
	int r = gate_new(&p->gate);

	if (r < 0)
		return r;
	p->http.gate = p->gate;
	p->http.ops = &http_ops;
	p->http.arg = p;
	r = http_sessions_new(p->gate, &p->http.sessions);
	if (r >= 0)
		r = resolver_new(p->member.loop, &p->resolver);
	if (r < 0)
		return r;
	p->gate->room_awaited = on_room_awaited;
	p->gate->room_arg = p;
	r = loop_timer_add(p->member.loop, on_room_due, p, &p->room);
	if (r >= 0)
		r = loop_timer_add(p->member.loop, on_sweep, p, &p->sweep);
	return r < 0 ? r : loop_timer_arm(p->sweep, SWEEP_NS, SWEEP_NS);
}

static void finish(struct proxy *p)
{
	while (p->listeners)
		unlisten(p, &p->listeners->at);
	gate_names_free(p->names);
	http_answers_free(&p->http);
	net_free(p->net);
	resolver_free(p->resolver);
	http_sessions_free(p->http.sessions);
	gate_free(p->gate);
}

int proxy_run(void)
{
	static const struct member_ops ops = { .message = on_message, .joined = on_joined };
	static struct proxy proxy;
	struct proxy *p = &proxy;
	struct sandbox_spec sandbox = { 0 };
	int r = member_init(&p->member, ROLE_PROXY);

	if (r >= 0)
		r = begin(p);
	if (r < 0) {
		log_err(r, "start: %s", err_text(r));
		return EXIT_FAILURE;
	}
	sandbox.uid = p->member.spec.uid;
	sandbox.gid = p->member.spec.gid;
	r = member_enter(&p->member, &sandbox, &ops, p);
	r = r < 0 ? EXIT_FAILURE : member_run(&p->member);
	finish(p);
	return r;
}
