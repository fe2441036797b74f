// SPDX-License-Identifier: Apache-2.0
/*
 * Bringing processes into scope. An exec that a selector matches is held, by fanotify before it or by the
 * kernel's exec guard right after it; the process gets its cgroup, its label and its listener, and only then
 * goes on. What cannot be brought into scope does not run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/enrol/container.h"
#include "user/enrol/fanotify.h"
#include "user/enrol/inherited.h"
#include "user/enrol/match.h"
#include "user/enrol/programs.h"
#include "user/kern/cgroup.h"
#include "user/kern/guard.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/kern/stdio.h"
#include "user/proc/tree.h"
#include "user/role/sup.h"

#define UNIT_DEPTH 6 /* slices within slices that are searched for a unit */
#define UNUSED_TICKS 3 /* seconds that the programs that see system calls stay behind the last scope */
#define RESELECT_TICKS 2 /* an executable may be replaced, or appear: look again so often (seconds) */

static void closedir_p(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* --- records -------------------------------------------------------------------------------------- */

static void record_enrol(struct supervisor *s, const struct proc_identity *id, unsigned index,
			 unsigned outer, int error, const char *why)
{
	char exe[SHA256_PREFIXED_SIZE], script[SHA256_PREFIXED_SIZE];
	struct record rec;

	sup_record_init(&rec, RECORD_ENROL, error < 0 ? RECORD_DENY : RECORD_ALLOW);
	rec.agent = span_of(s->conf.agents[index].name);
	if (outer)
		rec.outer_agent = span_of(s->conf.agents[outer - 1].name);
	rec.agent_pid = id->pid;
	rec.agent_uid = id->uid;
	rec.agent_exe = span_of(id->exe);
	rec.agent_cgroup = span_of(id->cgroup);
	if (id->exe_measured) {
		sha256_prefixed(id->exe_digest, exe);
		rec.agent_exe_digest = span_of(exe);
	}
	if (*id->script)
		rec.agent_script = span_of(id->script);
	if (id->script_measured) {
		sha256_prefixed(id->script_digest, script);
		rec.agent_script_digest = span_of(script);
	}
	rec.reason = span_of(error < 0 ? err_text(error) : why);
	rec.reason_code = error < 0 ? SPAN("enrol_failed") : SPAN("enrolled");
	(void)sup_record(s, &rec);
}

/* --- scopes ------------------------------------------------------------------------- */

static bool agent_has_place(struct supervisor *s, uint32_t agent, const struct place *except)
{
	struct place *p;

	for (unsigned i = 0; (p = places_at(s->places, i)); i++)
		if (p != except && p->agent == agent)
			return true;
	return false;
}

/* The last process of a scope is gone. */
static void on_empty(struct place *p, void *arg)
{
	struct supervisor *s = arg;
	static const struct tg_label none;
	struct record rec;

	(void)kern_scope_cgroup(s->kern, p->id, &none);
	if (!p->outer)
		(void)kern_scope_detach(s->kern, p->id);
	if (!agent_has_place(s, p->agent, p))
		sup_listen_end(s, p->agent);
	sup_record_init(&rec, RECORD_ENROL, RECORD_NA);
	rec.agent = span_of(s->conf.agents[p->agent - 1].name);
	rec.reason = SPAN("the last process of the scope ended");
	rec.reason_code = SPAN("scope_empty");
	(void)sup_record(s, &rec);
}

static int attach(struct supervisor *s, struct place *p, const struct tg_label *label)
{
	int r = 0;

	if (!label->outer) {
		r = kern_scope_attach(s->kern, p->dir);
		if (r == -EEXIST)
			r = 0;
	}
	if (r >= 0)
		r = kern_scope_cgroup(s->kern, p->id, label);
	return r < 0 ? r : kern_stdio_attach(s->kern);
}

/* Service managers nest units in slices, so a unit is looked for by its name. */
static int find_unit(const char *dir, const char *unit, unsigned depth, char ret[PATH_MAX])
{
	_cleanup_(closedir_p) DIR *d = depth ? opendir(dir) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		char below[PATH_MAX];

		if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
		    snprintf(below, sizeof(below), "%s/%s", dir, e->d_name) >= (int)sizeof(below))
			continue;
		if (strcmp(e->d_name, unit) == 0) {
			memcpy(ret, below, sizeof(below));
			return 0;
		}
		if (find_unit(below, unit, depth - 1, ret) == 0)
			return 0;
	}
	return -ENOENT;
}

/* The cgroup that a selector names: by path, or as a unit. */
static int selector_cgroup(const struct conf_agent *a, char ret[PATH_MAX])
{
	char root[PATH_MAX];
	int r = cgroup_root(root);

	if (r < 0)
		return r;
	if (a->unit)
		return find_unit(root, a->unit, UNIT_DEPTH, ret);
	return snprintf(ret, PATH_MAX, "%s%s", root, a->cgroup) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static bool stays(const struct conf_agent *a)
{
	return !a->exe && (a->cgroup || a->unit || container_selects(a));
}

/* An agent that is a unit, a slice or a container has its scope already: its cgroup. Nothing is moved then. */
static int own_scope(struct supervisor *s, pid_t pid, const struct conf_agent *a, uint32_t number, struct place **ret)
{
	char dir[PATH_MAX];
	uint64_t id;
	int r = container_selects(a) ? sup_container_scope(pid, dir) : selector_cgroup(a, dir);

	if (r >= 0)
		r = cgroup_id(dir, &id);
	if (r < 0)
		return r;
	*ret = places_by_id(s->places, id);
	return *ret ? 0 : place_adopt(s->places, dir, number, false, ret);
}

static int open_scope(struct supervisor *s, pid_t pid, const struct conf_agent *a, uint32_t number,
		      struct place **ret)
{
	char dir[PATH_MAX];
	int r = cgroup_of_pid(pid, dir);

	return r < 0 ? r : place_open(s->places, dir, a->name, number, ret);
}

/* Everything that makes a process an agent's, in the order that leaves no gap: programs and listener are
 * there before the process is inside, and it is inside before it runs. */
static int bring_in(struct supervisor *s, pid_t pid, unsigned index, const struct tg_label *before,
		    uint32_t *ret_outer)
{
	const struct conf_agent *a = &s->conf.agents[index];
	struct tg_label label = { .agent = index + 1, .instance = ++s->instances };
	struct place *p;
	int r;

	if (before->agent && before->agent != label.agent)
		label.outer = before->outer ? before->outer : before->agent;
	*ret_outer = label.outer;
	r = stays(a) ? own_scope(s, pid, a, label.agent, &p) : open_scope(s, pid, a, label.agent, &p);
	if (r < 0)
		return r;
	r = attach(s, p, &label);
	if (r >= 0)
		r = sup_listen_for(s, pid, label.agent);
	if (r >= 0)
		r = kern_scope_label(s->kern, pid, &label);
	if (r >= 0 && !stays(a))
		r = place_enter(p, pid);
	if (r < 0 && !stays(a))
		place_drop(s->places, p);
	return r;
}

static void warn_inherited(struct supervisor *s, pid_t pid, const char *agent)
{
	struct inherited_list l = { 0 };

	(void)s;
	if (inherited_scan(pid, &l) < 0)
		return;
	for (unsigned i = 0; i < l.n; i++)
		if (l.items[i].connected && !l.items[i].cloexec)
			log_warn("agent %s: pid %d brings a connected socket that is not steered: %s",
				 agent, (int)pid, l.items[i].text);
	inherited_done(&l);
}

static int enrol(struct supervisor *s, const struct proc_identity *id, unsigned index, const char *why)
{
	const struct conf_agent *a = &s->conf.agents[index];
	struct tg_label before = { 0 };
	uint32_t outer = 0;
	int r;

	(void)kern_scope_of(s->kern, id->pid, &before);
	if (before.agent == index + 1)
		return 0;
	r = bring_in(s, id->pid, index, &before, &outer);
	record_enrol(s, id, index, outer, r, why);
	if (r < 0)
		return log_err(r, "enrol pid %d as %s: %s", id->pid, a->name, err_text(r));
	log_info("agent %s: pid %d in scope (%s)", a->name, id->pid, why);
	warn_inherited(s, id->pid, a->name);
	return 0;
}

int sup_enrol_process(struct supervisor *s, pid_t pid, unsigned agent_index, const char *why)
{
	struct proc_identity id;
	int r = proc_identity_read(pid, &id);

	return r < 0 ? r : enrol(s, &id, agent_index, why);
}

#define RUNNING_PASSES 8 /* over a tree that may go on forking outside the scope */

/* What was there before the node goes on where it is, but new connections are steered and new conversations judged. */
void sup_enrol_running(struct supervisor *s, pid_t pid, unsigned agent_index)
{
	size_t before = 0;

	for (int i = 0; i < RUNNING_PASSES; i++) {
		_cleanup_pids_ struct proc_pids tree = { 0 };

		if (proc_descendants(pid, &tree) < 0 || tree.n == before)
			return;
		before = tree.n;
		for (size_t k = 0; k < tree.n; k++) {
			(void)kern_heartbeat(s->kern); /* measuring takes its time */
			if (sup_enrol_process(s, tree.v[k], agent_index, "it ran before the node") == 0)
				(void)kern_stdio_follow(s->kern, tree.v[k]);
		}
	}
}

/* --- the exec guard: the new image stands at its first instruction -------------------------------- */

/* Which agent the process is, or none; -errno: that cannot be told, and ret->reason says why. A program that was run by
 * a detour is more than what the process looks like. */
static int judge(struct supervisor *s, pid_t pid, struct proc_identity *id, struct match *ret)
{
	_cleanup_(container_done) struct container container = { 0 };
	int found, r = proc_identity_read(pid, id);

	*ret = (struct match){ .agent = -1 };
	if (r < 0) {
		(void)snprintf(ret->reason, sizeof(ret->reason), "it cannot be looked at: %s", err_text(r));
		return r;
	}
	r = programs_match(s->programs, id, ret);
	if (r != 0)
		return r < 0 ? r : 0;
	found = sup_container_of(s, id->cgroup, &container);
	if (found < 0) {
		(void)snprintf(ret->reason, sizeof(ret->reason), "its container cannot be looked at: %s",
			       err_text(found));
		return found;
	}
	match_identity(&s->conf, id, found ? &container : NULL, ret);
	return 0;
}

static void judge_stopped(struct supervisor *s, pid_t pid)
{
	char reason[MATCH_REASON_MAX + 64];
	struct proc_identity id;
	struct match m;
	int r = judge(s, pid, &id, &m);

	if (r >= 0 && m.is == MATCH_AGENT)
		r = enrol(s, &id, (unsigned)m.agent, m.reason);
	if (r == -ESRCH)
		return;
	if (r < 0 && s->conf.enforcement != CONF_OBSERVE) {
		(void)snprintf(reason, sizeof(reason), "exec of pid %d: killed: %s", (int)pid, m.reason);
		log_warn("%s", reason);
		sup_record_node(s, "exec_killed", reason);
		(void)kern_stopped_kill(s->kern, pid);
		return;
	}
	sup_container_settle(s, &id);
	if (sup_cage_at_exec(s, pid))
		return;
	r = kern_stopped_continue(s->kern, pid);
	if (r < 0 && r != -ESRCH)
		log_warn("continue pid %d: %s", (int)pid, err_text(r));
}

void sup_enrol_event(struct supervisor *s, const struct tg_event *e)
{
	char reason[128];

	if (e->type == TG_EV_CONNECT) {
		log_debug("connect of pid %u refused, reason %u", e->tgid, e->connect.reason);
		return;
	}
	if (e->exec.flags & TG_EXEC_KILLED) {
		(void)snprintf(reason, sizeof(reason), "exec of pid %u outside a scope: killed (flags 0x%x)",
			       e->tgid, e->exec.flags);
		sup_record_node(s, "exec_killed", reason);
		return;
	}
	if (e->exec.flags & TG_EXEC_STOPPED)
		judge_stopped(s, (pid_t)e->tgid);
}

static int rescan_one(pid_t pid, const struct tg_stopped *st, void *arg)
{
	if (st->kind == TG_STOP_EXEC)
		judge_stopped(arg, pid);
	return 0;
}

void sup_enrol_rescan(struct supervisor *s)
{
	(void)kern_stopped_each(s->kern, rescan_one, s);
}

/* --- fanotify: the image that will run is known, its arguments are not ---------------------------- */

static uid_t uid_of(pid_t pid)
{
	char path[32];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) == 0 ? st.st_uid : (uid_t)-1;
}

static enum fan_verdict on_exec(const struct fan_event *e, void *arg)
{
	struct supervisor *s = arg;
	struct proc_identity id;
	char dir[PATH_MAX];
	struct match m = { 0 };
	const char *below, *exe;

	if (cgroup_of_pid(e->pid, dir) < 0)
		return FAN_VERDICT_ALLOW; /* it is gone */
	below = cgroup_relative(dir);
	/* By the watch, not by the path that was used: a hard link is the same program. */
	exe = e->watch >= 0 ? fan_path(s->fan, e->watch) : e->path;
	match_exec(&s->conf, exe, NULL, uid_of(e->pid), below ? below : "/", &m);
	if (m.is != MATCH_AGENT)
		return FAN_VERDICT_ALLOW; /* a script selector is judged by the guard, after the exec */
	if (proc_identity_read(e->pid, &id) < 0)
		return FAN_VERDICT_DENY;
	(void)snprintf(id.exe, sizeof(id.exe), "%.*s", PROC_PATH_MAX - 1, exe);
	id.exe_measured = id.script_measured = 0; /* what was read is the image before the exec */
	id.script[0] = '\0';
	if (enrol(s, &id, (unsigned)m.agent, m.reason) < 0 && s->conf.enforcement != CONF_OBSERVE)
		return FAN_VERDICT_DENY;
	return FAN_VERDICT_ALLOW;
}

static int watch_executables(struct supervisor *s)
{
	int r = fan_new(s->loop, on_exec, s, &s->fan);

	if (r < 0)
		return log_err(r, "hold execs by fanotify: %s", err_text(r));
	for (unsigned i = 0; i < s->conf.nagents; i++) {
		const struct conf_agent *a = &s->conf.agents[i];

		/* With a script only the guard can tell; to hold every exec of an interpreter is for nothing. */
		if (a->exe && !a->script) {
			r = fan_watch(s->fan, a->exe); /* as written: a link may come to point elsewhere */
			if (r < 0)
				log_warn("watch %s: %s", a->exe, err_text(r));
		}
	}
	return 0;
}

/* --- selectors for the kernel --------------------------------------------------------------------- */

static int selector_of(const struct conf_agent *a, uint32_t number, struct kern_selector *ret)
{
	char dir[PATH_MAX];
	int r;

	if (sup_agent_is_former(a))
		return -ENOENT;
	*ret = (struct kern_selector){ .agent = number };
	if (a->exe) {
		ret->kind = a->script ? TG_SEL_SCRIPT : TG_SEL_EXE;
		ret->script = a->script ? strrchr(a->script, '/') + 1 : NULL;
		return kern_file_key(a->exe_real ? a->exe_real : a->exe, &ret->exe);
	}
	if (a->cgroup || a->unit) {
		ret->kind = TG_SEL_CGROUP;
		r = selector_cgroup(a, dir);
		return r < 0 ? r : cgroup_id(dir, &ret->cgroup);
	}
	if (container_selects(a)) {
		ret->kind = TG_SEL_CONTAINER;
		return 0;
	}
	ret->kind = TG_SEL_UID;
	ret->uid = a->uid;
	return 0;
}

/* The place of a program as well as the file: what replaces it by rename runs before anybody looks again. A script's
 * interpreter is watched as a file only. */
static int name_selector_of(const struct conf_agent *a, uint32_t number, struct kern_selector *ret)
{
	const char *path = a->exe_real ? a->exe_real : a->exe;
	char dir[PATH_MAX];

	if (!path || a->script)
		return -ENOENT;
	*ret = (struct kern_selector){ .kind = TG_SEL_NAME, .agent = number, .script = strrchr(path, '/') + 1 };
	(void)snprintf(dir, sizeof(dir), "%.*s/", (int)(ret->script - 1 - path), path);
	return kern_file_key(dir, &ret->exe);
}

static int set_selectors(struct supervisor *s)
{
	_cleanup_free_ struct kern_selector *sel = calloc((2 + PROGRAMS_SELECTORS) * s->conf.nagents +
								 SUP_CAGE_SELECTORS + 1, sizeof(*sel));
	size_t n;

	if (!sel)
		return -ENOMEM;
	programs_refresh(s->programs);
	n = programs_selectors(s->programs, sel);
	for (unsigned i = 0; i < s->conf.nagents; i++) {
		if (selector_of(&s->conf.agents[i], i + 1, &sel[n]) == 0)
			n++;
		if (name_selector_of(&s->conf.agents[i], i + 1, &sel[n]) == 0)
			n++;
	}
	n += sup_cage_selectors(s, sel + n);
	return kern_selectors_set(s->kern, sel, n);
}

/* --- start, tick, stop ---------------------------------------------------------------------------- */

static int agent_of_name(const struct supervisor *s, const char *name)
{
	for (unsigned i = 0; i < s->conf.nagents; i++)
		if (strcmp(s->conf.agents[i].name, name) == 0)
			return (int)i;
	return -ENOENT;
}

/* A scope that an earlier supervisor left: only what has our programs attached is trusted as one. */
static int adopt(const char *dir, const char *name, uint64_t id, void *arg)
{
	struct supervisor *s = arg;
	int index = agent_of_name(s, name), r;
	struct place *p;

	(void)id;
	if (index < 0 || place_adopt(s->places, dir, (unsigned)index + 1, true, &p) < 0 || p->outer)
		return 0;
	/* What somebody detached since: its processes would connect past us for as long as they live. */
	r = kern_scope_repair(s->kern, dir);
	return r < 0 ? log_err(r, "attach to %s again: %s", dir, err_text(r)) : 0;
}

int sup_enrol_start(struct supervisor *s)
{
	int r = places_new(s->loop, on_empty, s, &s->places);

	kern_containers_forget(s->kern);
	if (r >= 0 && kern_adopted(s->kern))
		r = places_scan(adopt, s);
	if (r >= 0)
		r = sup_listen_again(s);
	if (r >= 0)
		r = watch_executables(s);
	if (r >= 0)
		r = programs_new(&s->conf, &s->programs);
	if (r >= 0)
		r = set_selectors(s);
	if (r >= 0 && places_at(s->places, 0))
		r = kern_stdio_attach(s->kern);
	return r < 0 ? log_err(r, "start enrolment: %s", err_text(r)) : 0;
}

/* Not at once: the next agent often follows, and what the last one's servers were killed for is to be recorded. */
static void detach_unused(struct supervisor *s)
{
	if (places_at(s->places, 0) || s->jobs || !kern_stdio_attached(s->kern))
		s->unused_ticks = 0;
	else if (++s->unused_ticks >= UNUSED_TICKS)
		(void)kern_stdio_detach(s->kern);
}

void sup_enrol_tick(struct supervisor *s)
{
	detach_unused(s);
	sup_cage_tick(s);
	if (s->ticks % RESELECT_TICKS)
		return;
	(void)fan_recheck(s->fan);
	(void)set_selectors(s);
}

void sup_enrol_stop(struct supervisor *s)
{
	fan_free(s->fan);
	s->fan = NULL;
	places_free(s->places);
	s->places = NULL;
	programs_free(s->programs);
	s->programs = NULL;
	sup_cage_stop(s);
}
