// SPDX-License-Identifier: Apache-2.0
/*
 * When servers are confined. Where the catalog knows a command, its exec inside of a scope is stopped by the exec
 * guard, and the server gets its cage before its first instruction; else at its takeover. What was decided at the exec
 * is kept here until then.
 *
 * A server that is not made of what the catalog says is not let go at its exec either. It stands still for its host to
 * say something, so that this can be answered with the reason; a host that says nothing soon finds it killed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/kern/guard.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/mcp/catalog_declare.h"
#include "user/proc/tree.h"
#include "user/gate/snapshot.h"
#include "user/role/cage.h"
#include "user/role/sup.h"

#define CAGED_MAX 4096 /* one that is not kept is confined once more at its takeover, which does no harm */
#define REFUSED_WAIT_NS 10000000000ull /* for its host's first message: hosts write it at once */
#define SWEEP_TICKS 10
#define CAGE_TIMEOUT_MS 3000

struct sup_caged {
	struct sup_caged *next;
	pid_t pid;
	uint64_t ticks; /* its start, as /proc/PID/stat has it */
	uint64_t since;
	uint32_t agent;
	struct cage cage; /* without a ruleset */
};

bool sup_cage_holds(const struct supervisor *s, const struct cage *cage)
{
	return cage->confined && s->conf.mode == CONF_MODE_ENFORCING && s->conf.enforcement != CONF_OBSERVE;
}

uint32_t sup_cage_order(const struct supervisor *s, const struct cage *cage)
{
	return cage->ruleset >= 0 && sup_cage_holds(s, cage) ? MSG_CAGED_TOO : MSG_CAGED_NOT;
}

int sup_cage_send(struct supervisor *s, uint64_t cookie, const struct cage *cage)
{
	return ipc_send(s->injector, MSG_CAGE, cookie, &cage->how, sizeof(cage->how), &cage->ruleset, 1);
}

int sup_cage_send_only(struct supervisor *s, uint64_t cookie, pid_t pid, uint64_t ticks, const struct cage *cage)
{
	struct msg_takeover m = { .server_pid = pid, .server_start = ticks, .timeout_ms = CAGE_TIMEOUT_MS,
				  .caged = MSG_CAGED_ONLY };
	int r = ipc_send(s->injector, MSG_TAKEOVER, cookie, &m, sizeof(m), NULL, 0);

	if (r >= 0)
		r = sup_cage_send(s, cookie, cage);
	return r < 0 ? log_err(r, "confine pid %d: %s", (int)pid, err_text(r)) : 0;
}

unsigned sup_cage_details(const struct supervisor *s, const struct cage *cage, struct record_kv *kv)
{
	unsigned n = 0;

	if (!cage->confined)
		return 0;
	if (!sup_cage_holds(s, cage)) {
		kv[n++] = (struct record_kv){ .key = "cage", .s = SPAN("observed") };
		return n;
	}
	kv[n++] = (struct record_kv){ .key = "cage", .s = cage->at_exec ? SPAN("exec") : SPAN("takeover") };
	/* What a running server has copied of its environment, or sent on, is out of reach. */
	kv[n++] = (struct record_kv){ .key = "cage_env",
				      .s = cage->at_exec ? SPAN("scrubbed") : SPAN("env-unscrubbed") };
	kv[n++] = (struct record_kv){ .key = "cage_landlock", .i = cage->how.abi };
	kv[n++] = (struct record_kv){ .key = "cage_network", .s = cage->how.network ? SPAN("agent") : SPAN("none") };
	return n;
}

/* --- which programs are stopped -------------------------------------------------------------------- */

static bool known_key(const struct kern_selector *sel, size_t n, const struct tg_file_key *k)
{
	for (size_t i = 0; i < n; i++)
		if (sel[i].exe.ino == k->ino && sel[i].exe.dev == k->dev)
			return true;
	return false;
}

size_t sup_cage_selectors(const struct supervisor *s, struct kern_selector *ret)
{
	const struct catalog *c = s->current.snap ? s->current.snap->catalog : NULL;
	size_t n = 0;

	if (s->conf.mode != CONF_MODE_ENFORCING || s->conf.enforcement == CONF_OBSERVE)
		return 0;
	for (unsigned i = 0; c && i < catalog_server_count(c) && n < SUP_CAGE_SELECTORS; i++) {
		const struct catalog_server *server = catalog_server(c, i);
		char path[PROC_PATH_MAX];

		if (server->confine == TAPE_NONE || server->command.n >= sizeof(path))
			continue;
		(void)snprintf(path, sizeof(path), "%.*s", (int)server->command.n, server->command.p);
		ret[n] = (struct kern_selector){ .kind = TG_SEL_SERVER };
		if (kern_file_key(path, &ret[n].exe) == 0 && !known_key(ret, n, &ret[n].exe))
			n++;
	}
	return n;
}

/* --- what was decided at execs ---------------------------------------------------------------------- */

static struct sup_caged *find(const struct supervisor *s, pid_t pid, uint64_t ticks)
{
	struct sup_caged *e = s->caged;

	while (e && (e->pid != pid || e->ticks != ticks))
		e = e->next;
	return e;
}

static void forget(struct supervisor *s, struct sup_caged *e)
{
	struct sup_caged **at = &s->caged;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	free(e);
}

static struct sup_caged *keep(struct supervisor *s, pid_t pid, uint64_t ticks, const struct cage *cage)
{
	struct sup_caged *e = find(s, pid, ticks); /* it may execute another server */
	unsigned n = 0;

	for (const struct sup_caged *o = s->caged; o; o = o->next)
		n++;
	if (!e && n < CAGED_MAX)
		e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	if (!find(s, pid, ticks)) {
		e->next = s->caged;
		s->caged = e;
	}
	e->pid = pid;
	e->ticks = ticks;
	e->since = clock_mono_ns();
	e->cage = *cage;
	e->cage.ruleset = -1;
	return e;
}

void sup_cage_put_on(struct supervisor *s, pid_t pid, uint64_t ticks, const struct cage *cage)
{
	struct sup_caged *e = keep(s, pid, ticks, cage);

	if (e)
		e->cage.at_exec = true;
}

static int stands_at_exec(pid_t pid, const struct tg_stopped *st, void *arg)
{
	return pid == *(pid_t *)arg && st->kind == TG_STOP_EXEC;
}

/* Measuring takes its time, and the kernel's programs are to know that somebody is there. */
static void look(struct supervisor *s, pid_t pid, struct cage *ret)
{
	(void)kern_heartbeat(s->kern);
	cage_open(s->current.snap->catalog, pid, ret);
	(void)kern_heartbeat(s->kern);
}

void sup_cage_at_takeover(struct supervisor *s, pid_t pid, struct cage *ret)
{
	const struct sup_caged *e = NULL;
	struct proc_stat st;

	cage_done(ret);
	if (s->caged && proc_stat_read(pid, &st) == 0)
		e = find(s, pid, st.start_ticks);
	if (e) {
		*ret = e->cage;
		return;
	}
	look(s, pid, ret);
	/* Its host's first message was looked at before its exec was: it has not run yet. */
	ret->at_exec = kern_stopped_each(s->kern, stands_at_exec, &pid) == 1;
}

/* --- at an exec ------------------------------------------------------------------------------------- */

/* Keeps one that must not run; false when it cannot be remembered, and so must be killed. */
static bool keep_refused(struct supervisor *s, pid_t pid, uint64_t ticks, uint32_t agent, const struct cage *cage)
{
	struct sup_caged *e = keep(s, pid, ticks, cage);

	if (e)
		e->agent = agent;
	return e;
}

bool sup_cage_at_exec(struct supervisor *s, pid_t pid)
{
	struct tg_label label = { 0 };
	struct proc_stat st;
	struct cage cage;
	bool mine = true;

	if (!s->current.snap || kern_scope_of(s->kern, pid, &label) < 0 || label.agent == 0 ||
	    label.agent > s->conf.nagents || proc_stat_read(pid, &st) < 0)
		return false;
	if (sup_stdio_accounts_for(s, pid) == 2)
		return true;
	look(s, pid, &cage);
	if (s->conf.mode != CONF_MODE_ENFORCING || s->conf.enforcement == CONF_OBSERVE)
		mine = false;
	else if (*cage.spawn.refused && !keep_refused(s, pid, st.start_ticks, label.agent, &cage))
		(void)kern_stopped_kill(s->kern, pid);
	else if (!*cage.spawn.refused)
		/* Too many wait already: its takeover will confine it. */
		mine = cage.confined && sup_stdio_confine(s, pid, st.start_ticks, label.agent, &cage) == 0;
	cage_done(&cage);
	return mine;
}

/* --- time ------------------------------------------------------------------------------------------- */

static void kill_refused(struct supervisor *s, struct sup_caged *e)
{
	struct record rec;

	log_warn("stdio server pid %d of agent %s: killed: %s", (int)e->pid, s->conf.agents[e->agent - 1].name,
		 e->cage.spawn.refused);
	sup_record_init(&rec, RECORD_SPAWN, RECORD_DENY);
	rec.agent = span_of(s->conf.agents[e->agent - 1].name);
	rec.server_pid = e->pid;
	rec.transport = SPAN("stdio");
	rec.reason_code = SPAN("spawn_refused");
	rec.reason = span_of(e->cage.spawn.refused);
	(void)sup_record(s, &rec);
	(void)kern_stopped_kill(s->kern, e->pid);
}

void sup_cage_tick(struct supervisor *s)
{
	uint64_t now = clock_mono_ns();

	for (struct sup_caged *e = s->caged, *next; e; e = next) {
		bool refused = *e->cage.spawn.refused;
		struct proc_stat st;

		next = e->next;
		if (!refused && s->ticks % SWEEP_TICKS)
			continue;
		if (proc_stat_read(e->pid, &st) < 0 || st.start_ticks != e->ticks || st.state == 'Z') {
			forget(s, e);
		} else if (refused && now - e->since > REFUSED_WAIT_NS && !sup_stdio_accounts_for(s, e->pid)) {
			kill_refused(s, e);
			forget(s, e);
		}
	}
}

void sup_cage_stop(struct supervisor *s)
{
	while (s->caged)
		forget(s, s->caged);
}
