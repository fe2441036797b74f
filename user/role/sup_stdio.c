// SPDX-License-Identifier: Apache-2.0
/*
 * Takeover of stdio conversations. A stream whose bytes may be MCP is held by the kernel programs; here it is
 * looked at (by a proxy), taken over (by an injector), handed to the agent's proxy, and its server let go or
 * killed by that proxy's word. Every step has one outcome that lets the server run: the last.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/loop.h"
#include "user/kern/guard.h"
#include "user/kern/kern.h"
#include "user/kern/stdio.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"
#include "user/role/cage.h"
#include "user/role/sup.h"
#include "user/stdio/takeover.h"

#define JOBS_MAX 256 /* servers that may stand still at once; more are killed when enforcing */
#define LOOK_AGAIN_NS 20000000ull
#define LOOK_LONGEST_NS 2000000000ull /* what does not show for so long, and was only suspected, is let go */
#define TAKE_TIMEOUT_MS 3000

enum stage {
	JOB_LOOK = 0, /* a proxy is asked what it is */
	JOB_AGAIN, /* undecided: look again in a moment */
	JOB_READER, /* MCP, but who will read it does not show yet: a wrapper runs on, its reads are held */
	JOB_QUEUED, /* waits for an injector */
	JOB_TAKING,
	JOB_JUDGING, /* the proxy judges what the server had read already */
};

struct sup_job {
	struct sup_job *next;
	uint64_t cookie;
	enum stage stage;
	uint64_t key; /* of the input stream; 0: a running conversation that is not followed */
	uint32_t why; /* enum tg_trigger_why */
	uint64_t since;
	uint64_t taken; /* bytes that the server had in hand at the last look */
	uint32_t agent, outer;
	pid_t host, server;
	uint64_t server_ticks; /* its start, as /proc/PID/stat has it */
	mode_t mode0, mode1;
	uint64_t ino0, ino1;
	bool running;
	bool exec; /* it is only to be confined */
	struct cage cage; /* what the catalog declares of the server, from when it is known until it is let go */
	pid_t holders[MSG_HOLDERS_MAX];
	unsigned nholders;
};

/* --- the list ------------------------------------------------------------------------------------- */

static struct sup_job *find(struct supervisor *s, uint64_t cookie)
{
	struct sup_job *j = s->jobs;

	while (j && j->cookie != cookie)
		j = j->next;
	return j;
}

static bool known(struct supervisor *s, uint64_t key)
{
	for (struct sup_job *j = s->jobs; j; j = j->next)
		if (j->key == key)
			return true;
	return false;
}

int sup_stdio_accounts_for(const struct supervisor *s, pid_t pid)
{
	for (const struct sup_job *j = s->jobs; j; j = j->next) {
		if (j->server == pid)
			return j->stage >= JOB_QUEUED && !j->exec ? 2 : 1;
		for (unsigned i = 0; i < j->nholders; i++)
			if (j->holders[i] == pid)
				return 1;
	}
	return 0;
}

static void finish(struct supervisor *s, struct sup_job *job)
{
	for (struct sup_job **at = &s->jobs; *at; at = &(*at)->next)
		if (*at == job) {
			*at = job->next;
			break;
		}
	cage_done(&job->cage);
	free(job);
	sup_leave(s);
}

static struct sup_job *add(struct supervisor *s)
{
	struct sup_job **at = &s->jobs, *job;
	unsigned n = 0;

	for (; *at; at = &(*at)->next)
		n++;
	if (n >= JOBS_MAX)
		return NULL;
	job = calloc(1, sizeof(*job));
	if (!job)
		return NULL;
	job->cage.ruleset = -1;
	job->cookie = ++s->last_cookie;
	job->since = clock_mono_ns();
	*at = job;
	return job;
}

/* --- outcomes ------------------------------------------------------------------------------------- */

static void record_spawn(struct supervisor *s, const struct sup_job *job, enum record_decision d,
			 const char *code, const char *reason)
{
	struct record_kv kv[SUP_CAGE_DETAILS];
	struct record rec;

	sup_record_init(&rec, RECORD_SPAWN, d);
	rec.agent = span_of(s->conf.agents[job->agent - 1].name);
	rec.agent_pid = job->host;
	rec.server_pid = job->server;
	rec.transport = SPAN("stdio");
	rec.reason_code = span_of(code);
	rec.reason = span_of(reason);
	rec.detail = kv;
	rec.detail_n = d == RECORD_ALLOW ? sup_cage_details(s, &job->cage, kv) : 0;
	(void)sup_record(s, &rec);
}

/* The tree goes on. Whoever the kernel stopped is on its list and must be struck off it first. */
static void let_go(struct supervisor *s, const struct sup_job *job)
{
	if (kern_stopped_continue(s->kern, job->server) == -ENOENT && job->nholders == 0)
		return; /* it was never stopped: the look came first */
	for (unsigned i = 0; i < job->nholders; i++)
		if (kern_stopped_continue(s->kern, job->holders[i]) < 0)
			stdio_resume(&job->holders[i], 1);
}

/* ticks: when it started, if that is known; whoever has its number since then is left alone. */
static void kill_pid(struct supervisor *s, pid_t pid, uint64_t ticks)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct proc_stat st;

	if (fd < 0 || (ticks && (proc_stat_read(pid, &st) < 0 || st.start_ticks != ticks)))
		return;
	if (kern_stopped_kill(s->kern, pid) < 0)
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
}

/* A named pipe's readers have no name by which they are found. */
static void kill_readers(struct supervisor *s, const struct sup_job *job)
{
	struct tg_stream st;

	if (job->ino0)
		sup_stray_kill_readers(s, job->mode0, job->ino0, job->host);
	else if (job->key && kern_stdio_read(s->kern, job->key, &st) == 0 && !(st.read_key & TG_KEY_NAMED))
		sup_stray_kill_readers(s, st.mode0 & S_IFMT, st.read_key, (pid_t)st.host_tgid);
}

/* A server that cannot be guarded does not run, unless the node only observes. */
static void fail(struct supervisor *s, struct sup_job *job, const char *code, const char *reason)
{
	bool kill_it = s->conf.enforcement != CONF_OBSERVE;

	log_warn("stdio server pid %d of agent %s: %s%s: %s", (int)job->server,
		 s->conf.agents[job->agent - 1].name, kill_it ? "killed: " : "not guarded: ", code, reason);
	record_spawn(s, job, kill_it ? RECORD_DENY : RECORD_ADVISORY_DENY, code, reason);
	if (kill_it) {
		kill_pid(s, job->server, job->server_ticks);
		for (unsigned i = 0; i < job->nholders; i++)
			kill_pid(s, job->holders[i], 0);
		kill_readers(s, job);
	} else {
		let_go(s, job);
	}
	if (job->key)
		(void)kern_stdio_forget(s->kern, job->key);
	finish(s, job);
}

static void look_later(struct supervisor *s, struct sup_job *job)
{
	job->stage = JOB_AGAIN;
	(void)loop_timer_arm(s->look_timer, LOOK_AGAIN_NS, 0);
}

static int runs_on(pid_t pid, const struct tg_stopped *st, void *arg)
{
	const struct sup_job *job = arg;
	int stands = st->kind == TG_STOP_STDIO && st->stream == job->key ? proc_stands(pid) : 1;

	return stands != 1 && stands != -ESRCH;
}

/* SIGCONT also undoes a stop that is only on its way, and a process that has not stopped yet may be leaving a read
 * with what nobody has judged: only who stands is let go. */
static void not_mcp(struct supervisor *s, struct sup_job *job)
{
	if (kern_stopped_each(s->kern, runs_on, job) != 0 ||
	    kern_stdio_release(s->kern, job->key, job->taken) == -EAGAIN)
		look_later(s, job);
	else
		finish(s, job);
}

/* The server is gone; if the kernel killed it, that is on record. */
static void ended(struct supervisor *s, struct sup_job *job)
{
	struct tg_stream st;

	if (job->key && kern_stdio_read(s->kern, job->key, &st) == 0 && st.flags & TG_STREAM_TRACED)
		fail(s, job, "traced", "a tracer could have continued it");
	else
		not_mcp(s, job);
}

/* --- taking --------------------------------------------------------------------------------------- */

static int describe(struct sup_job *job)
{
	struct stat st0, st1;
	int r = proc_fd_stat(job->server, 0, &st0);

	if (r >= 0)
		r = proc_fd_stat(job->server, 1, &st1);
	if (r < 0)
		return r;
	job->mode0 = st0.st_mode & S_IFMT;
	job->mode1 = st1.st_mode & S_IFMT;
	job->ino0 = st0.st_ino;
	job->ino1 = st1.st_ino;
	job->host = sup_server_host(job->server, job->mode0, job->ino0);
	return 0;
}

static int send_takeover(struct supervisor *s, const struct sup_job *job)
{
	struct msg_takeover m = {
		.host_pid = job->host, .server_pid = job->server, .server_start = job->server_ticks,
		.mode0 = job->mode0, .mode1 = job->mode1, .ino0 = job->ino0, .ino1 = job->ino1,
		.timeout_ms = TAKE_TIMEOUT_MS, .caged = sup_cage_order(s, &job->cage),
	};
	struct tg_sought what = { .ino = { job->ino0, job->ino1 }, .type = { job->mode0, job->mode1 } };
	int walks[STDIO_WALKS_SCOPE + STDIO_WALKS_ALL];
	unsigned n = 0;
	int r;

	if (job->exec)
		return sup_cage_send_only(s, job->cookie, job->server, job->server_ticks, &job->cage);
	r = kern_stdio_seek(s->kern, &what);
	if (r >= 0 && (r = kern_stdio_walks(s->kern, false, walks, STDIO_WALKS_SCOPE)) >= 0)
		n = STDIO_WALKS_SCOPE;
	if (r >= 0 && (r = kern_stdio_walks(s->kern, true, walks + n, STDIO_WALKS_ALL)) >= 0)
		n += STDIO_WALKS_ALL;
	if (r >= 0)
		r = ipc_send(s->injector, MSG_TAKEOVER, job->cookie, &m, sizeof(m), walks, n);
	if (r >= 0 && m.caged)
		r = sup_cage_send(s, job->cookie, &job->cage);
	for (unsigned i = 0; i < n; i++)
		close(walks[i]);
	return r < 0 ? log_err(r, "start a takeover: %s", err_text(r)) : 0;
}

static void start_next(struct supervisor *s)
{
	struct sup_job *job = s->jobs;

	for (struct sup_job *j = s->jobs; j; j = j->next)
		if (j->stage == JOB_TAKING)
			return;
	while (job && job->stage != JOB_QUEUED)
		job = job->next;
	if (!job || !s->injector)
		return;
	if (!job->exec)
		sup_cage_at_takeover(s, job->server, &job->cage);
	if (send_takeover(s, job) < 0)
		return;
	job->stage = JOB_TAKING;
	/* It does one, so the next waits for the next spare, however long this one takes to end. */
	s->taking = s->injector;
	s->injector = NULL;
}

static void queue(struct supervisor *s, struct sup_job *job)
{
	int r = describe(job);

	if (r < 0) {
		if (r == -ESRCH)
			ended(s, job);
		else
			fail(s, job, "unreadable", err_text(r));
		return;
	}
	job->stage = JOB_QUEUED;
	start_next(s);
}

static void await_reader(struct supervisor *s, struct sup_job *job)
{
	int r = sup_server_of(s, job->key, &job->server, &job->server_ticks);

	if (r == -ENOENT) {
		finish(s, job); /* and with the stream what was written */
	} else if (r == 0) {
		queue(s, job);
	} else {
		job->stage = JOB_READER;
		(void)loop_timer_arm(s->look_timer, LOOK_AGAIN_NS, 0);
	}
}

void sup_stdio_injector(struct supervisor *s)
{
	start_next(s);
}

void sup_stdio_injector_gone(struct supervisor *s)
{
	for (struct sup_job *j = s->jobs, *next; j; j = next) {
		next = j->next;
		if (j->stage == JOB_TAKING) /* the injector died over it; what it traced died with it */
			fail(s, j, "injector_died", "the takeover was interrupted");
	}
	start_next(s);
}

/* --- looking -------------------------------------------------------------------------------------- */

/* A descriptor of what the server has as its input, or -errno. */
static int borrow_input(pid_t server)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, server, 0);
	int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, 0, 0);

	return fd < 0 ? -errno : fd;
}

/* It may be on its way out. A server that lives on and reads its input by another descriptor than its first cannot be
 * taken over. */
static void no_input(struct supervisor *s, struct sup_job *job)
{
	struct tg_stream st;

	if (proc_ended(job->server))
		ended(s, job);
	else if (clock_mono_ns() - job->since < LOOK_LONGEST_NS)
		look_later(s, job);
	else if (kern_stdio_read(s->kern, job->key, &st) == 0 && kern_stdio_found(&st))
		fail(s, job, "input_elsewhere", "its input is not its descriptor 0 any more");
	else
		not_mcp(s, job);
}

static void look(struct supervisor *s, struct sup_job *job)
{
	struct ipc *proxy = sup_proxy_of(s, job->agent);
	struct msg_look m = { 0 };
	_cleanup_close_ int fd = -1;
	struct stat st;
	size_t n = 0;
	int r;

	look_later(s, job);
	job->taken = 0;
	if (!proxy)
		return; /* it comes back; the server stays held */
	fd = borrow_input(job->server);
	if (fd < 0 || fstat(fd, &st) < 0) {
		no_input(s, job);
		return;
	}
	m.socket = S_ISSOCK(st.st_mode);
	/* What its reader has in hand lies in no queue any more. */
	r = kern_stdio_taken(s->kern, job->key, (uint8_t *)m.head, &n, &job->taken);
	if (r == -EAGAIN)
		return;
	if (r < 0 || job->taken == 0) {
		(void)kern_stdio_head(s->kern, job->key, (uint8_t *)m.head, &n);
	} else {
		m.in_hand = 1;
		m.gap = job->taken != n;
	}
	m.head_len = (uint32_t)n;
	if (ipc_send(proxy, MSG_LOOK, job->cookie, &m, sizeof(m), &fd, 1) >= 0)
		job->stage = JOB_LOOK;
}

/* A line names "jsonrpc", or hides a letter behind an escape, and has not ended: its reader waits until it does, and
 * when it cannot end, it is taken for what it may be. Where nothing was seen (bytes from elsewhere, or queued before)
 * what there is may go: the reader is searched as it reads. */
static void undecided(struct supervisor *s, struct sup_job *job, const struct msg_looked *l)
{
	struct tg_stream st;
	bool seen = kern_stdio_read(s->kern, job->key, &st) == 0 &&
		    (kern_stdio_found(&st) || st.flags & TG_STREAM_UNSEARCHED);
	bool old = clock_mono_ns() - job->since >= LOOK_LONGEST_NS;

	if (seen && (l->full || l->ended) && !l->empty)
		await_reader(s, job);
	else if (l->full || l->ended || (old && (!seen || l->empty)))
		not_mcp(s, job);
	else
		look_later(s, job);
}

int sup_stdio_looked(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_looked *l = m->body;
	struct sup_job *job;

	if (m->len != sizeof(*l))
		return -EBADMSG;
	job = find(s, m->cookie);
	if (!job || job->stage != JOB_LOOK)
		return 0;
	if (l->is == MSG_LOOKED_MCP)
		await_reader(s, job);
	else if (l->is == MSG_LOOKED_NOT)
		not_mcp(s, job);
	else
		undecided(s, job, l);
	return 0;
}

static void begin(struct supervisor *s, uint64_t key, const struct tg_stream *st, uint32_t why)
{
	struct sup_job *job;

	if (known(s, key) || st->agent == 0 || st->agent > s->conf.nagents)
		return;
	job = add(s);
	if (!job) {
		kill_pid(s, (pid_t)st->server_tgid, kern_start_ticks(st->server_start));
		sup_record_node(s, "takeover_limit", "too many servers wait for takeover: one was killed");
		return;
	}
	job->key = key;
	job->why = why;
	job->agent = st->agent;
	job->outer = st->outer;
	job->server = (pid_t)st->server_tgid;
	job->server_ticks = kern_start_ticks(st->server_start);
	look(s, job);
}

void sup_stdio_event(struct supervisor *s, const struct tg_event *e)
{
	struct tg_stream st;

	if (e->type == TG_EV_UNFOLLOWED) {
		sup_record_node(s, "stream_unfollowed", "the table of followed streams is full");
		return;
	}
	if (kern_stdio_read(s->kern, e->stdio.key, &st) == 0 && st.id == e->stdio.id)
		begin(s, e->stdio.key, &st, e->stdio.why);
}

static int rescan_one(uint64_t key, const struct tg_stream *st, void *arg)
{
	if (st->flags & TG_STREAM_TRIGGERED)
		begin(arg, key, st, TG_WHY_KEYWORD);
	return 0;
}

void sup_stdio_rescan(struct supervisor *s)
{
	(void)kern_stdio_each(s->kern, rescan_one, s);
	sup_stray_kill(s);
}

void sup_stdio_look_again(struct supervisor *s)
{
	for (struct sup_job *j = s->jobs, *next; j; j = next) {
		next = j->next;
		if (j->stage == JOB_AGAIN)
			look(s, j);
		else if (j->stage == JOB_READER)
			await_reader(s, j);
	}
}

/* --- handing over --------------------------------------------------------------------------------- */

/* Our far ends and with them the server's new ends: what flows there is judged already. */
static void mark_ours(struct supervisor *s, const struct ipc_msg *m)
{
	(void)kern_stdio_ours(s->kern, m->fds[2]);
	(void)kern_stdio_ours(s->kern, m->fds[3]);
}

static void hand_over(struct supervisor *s, struct sup_job *job, struct ipc_msg *m)
{
	struct ipc *proxy = sup_proxy_of(s, job->agent);
	struct msg_stdio out = {
		.agent = job->agent, .outer_agent = job->outer, .host_pid = job->host,
		.server_pid = job->server, .running = job->running,
	};
	size_t n = 0;
	int r = proc_identity_read(job->server, &out.server);

	if (job->key && r >= 0)
		r = kern_stdio_taken(s->kern, job->key, (uint8_t *)out.head, &n, &out.taken);
	out.head_len = (uint32_t)n;
	out.measured = job->cage.spawn.measured;
	memcpy(out.declared, job->cage.spawn.declared, sizeof(out.declared));
	memcpy(out.refused, job->cage.spawn.refused, sizeof(out.refused));
	mark_ours(s, m);
	/* A conversation that ran before is followed since its host was brought into scope. */
	if (!job->key && kern_stdio_of_reader(s->kern, job->ino0, &job->key) < 0)
		job->key = 0;
	if (job->key)
		(void)kern_stdio_forget(s->kern, job->key);
	job->key = 0;
	if (r >= 0)
		r = proxy ? ipc_send(proxy, MSG_STDIO, job->cookie, &out, sizeof(out), m->fds, 4) : -EPIPE;
	if (r < 0) {
		fail(s, job, "handover", err_text(r));
		return;
	}
	job->stage = JOB_JUDGING;
}

int sup_stdio_confine(struct supervisor *s, pid_t server, uint64_t ticks, uint32_t agent, struct cage *cage)
{
	struct sup_job *job = add(s);

	if (!job)
		return -ENOSPC;
	job->exec = true;
	job->agent = agent;
	job->server = server;
	job->server_ticks = ticks;
	job->cage = cage_take(cage);
	job->stage = JOB_QUEUED;
	start_next(s);
	return 0;
}

int sup_stdio_taken(struct supervisor *s, struct ipc_msg *m)
{
	const struct msg_taken *t = m->body;
	struct sup_job *job = s->jobs;

	while (job && job->stage != JOB_TAKING)
		job = job->next;
	if (m->len != sizeof(*t) || t->nholders > MSG_HOLDERS_MAX || !msg_string_ok(t->text, sizeof(t->text)) ||
	    (t->reason == STDIO_DONE && m->nfds != (job && job->exec ? 0 : 4)))
		return -EBADMSG;
	if (!job)
		return 0;
	job->nholders = t->nholders;
	memcpy(job->holders, t->holders, sizeof(job->holders));
	if (t->reason == STDIO_DONE && job->exec) {
		sup_cage_put_on(s, job->server, job->server_ticks, &job->cage);
		let_go(s, job);
		finish(s, job);
	} else if (t->reason == STDIO_DONE)
		hand_over(s, job, m);
	else if (t->reason == STDIO_GONE && !t->dirty)
		ended(s, job);
	else
		fail(s, job, stdio_reason_name((enum stdio_reason)t->reason), t->text);
	return 0;
}

int sup_stdio_verdict(struct supervisor *s, const struct ipc_msg *m)
{
	const struct msg_stdio_verdict *v = m->body;
	struct sup_job *job;

	if (m->len != sizeof(*v) || !msg_string_ok(v->reason, sizeof(v->reason)))
		return -EBADMSG;
	job = find(s, m->cookie);
	if (!job || job->stage != JOB_JUDGING)
		return 0;
	if (v->act != MSG_STDIO_RELEASE) {
		fail(s, job, *job->cage.spawn.refused ? "spawn_refused" : "denied_early", v->reason);
		return 0;
	}
	record_spawn(s, job, RECORD_ALLOW, "taken_over", "the server's stdio goes through the gate");
	let_go(s, job);
	finish(s, job);
	return 0;
}

void sup_stdio_proxy_lost(struct supervisor *s)
{
	for (struct sup_job *j = s->jobs, *next; j; j = next) {
		next = j->next;
		if (sup_proxy_of(s, j->agent))
			continue;
		if (j->stage == JOB_JUDGING) /* its descriptors went with the proxy */
			fail(s, j, "proxy_lost", "the proxy ended while it judged");
		else if (j->stage == JOB_LOOK)
			look_later(s, j);
	}
}

int sup_stdio_take_running(struct supervisor *s, pid_t server, uint32_t agent)
{
	struct sup_job *job = add(s);

	if (!job)
		return -ENOSPC;
	job->agent = agent;
	job->server = server;
	job->running = true;
	queue(s, job);
	return 0;
}
