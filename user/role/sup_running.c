// SPDX-License-Identifier: Apache-2.0
/*
 * Agents that ran before the node did: what they go on to open is steered and judged, and the conversations that
 * they have with servers of the catalog are taken over.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"
#include "user/enrol/container.h"
#include "user/enrol/match.h"
#include "user/enrol/programs.h"
#include "user/gate/snapshot.h"
#include "user/kern/kern.h"
#include "user/mcp/catalog.h"
#include "user/proc/file.h"
#include "user/proc/tree.h"
#include "user/role/sup.h"

static bool talks_by_pipe(pid_t pid)
{
	struct stat st0, st1;

	return proc_fd_stat(pid, 0, &st0) == 0 && proc_fd_stat(pid, 1, &st1) == 0 &&
	       (S_ISFIFO(st0.st_mode) || S_ISSOCK(st0.st_mode)) &&
	       (S_ISFIFO(st1.st_mode) || S_ISSOCK(st1.st_mode));
}

/* Nothing was seen of what such a server was sent, so content cannot tell: the catalog does. */
static void scan_host(struct supervisor *s, pid_t host, uint32_t agent)
{
	struct proc_pids below = { 0 };
	struct proc_identity id;

	if (proc_descendants(host, &below) < 0)
		return;
	for (size_t i = 0; i < below.n; i++) {
		struct catalog_match m = { 0 };

		if (below.v[i] == host || !talks_by_pipe(below.v[i]) ||
		    proc_identity_read(below.v[i], &id) < 0)
			continue;
		catalog_server_find_stdio(s->current.snap->catalog, &id, &m);
		if (m.server && sup_stdio_take_running(s, below.v[i], agent) == 0)
			log_info("agent %s: server pid %d ran before the node: taking it over",
				 s->conf.agents[agent - 1].name, (int)below.v[i]);
	}
	proc_pids_done(&below);
}

/* Whether it is worth measuring a process: most of a machine's programs are nobody's agent, and measuring
 * reads the whole program. */
static bool may_match(const struct supervisor *s, pid_t pid)
{
	char path[32], exe[PROC_PATH_MAX];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return errno != ENOENT && errno != ESRCH; /* these: a kernel thread, or gone */
	exe[n] = '\0';
	if (n > 10 && strcmp(exe + n - 10, " (deleted)") == 0)
		exe[n - 10] = '\0'; /* replaced since: it is what was executed */
	for (unsigned i = 0; i < s->conf.nagents; i++) {
		const struct conf_agent *a = &s->conf.agents[i];

		if (sup_agent_is_former(a))
			continue;
		if (!a->exe || strcmp(a->exe, exe) == 0 || (a->exe_real && strcmp(a->exe_real, exe) == 0))
			return true;
	}
	return programs_suspect(s->programs, pid);
}

static void match_running(struct supervisor *s, const struct proc_identity *id, struct match *ret)
{
	_cleanup_(container_done) struct container container = { 0 };
	int found = sup_container_of(s, id->cgroup, &container);

	match_identity(&s->conf, id, found > 0 ? &container : NULL, ret);
}

void sup_running_scan(struct supervisor *s)
{
	struct proc_pids all = { 0 };
	struct proc_identity id;
	struct match m;
	int r;

	if (proc_all(&all) < 0)
		return;
	for (size_t i = 0; i < all.n; i++) {
		(void)kern_heartbeat(s->kern); /* measuring takes its time */
		if (all.v[i] <= 1 || all.v[i] == getpid() || !may_match(s, all.v[i]) ||
		    sup_in_scope(s, all.v[i]))
			continue;
		r = proc_identity_read(all.v[i], &id);
		if (r < 0) {
			if (r != -ESRCH)
				log_warn("pid %d ran before the node and cannot be looked at: %s", (int)all.v[i],
					 err_text(r));
			continue;
		}
		/* What cannot be told here has run for a while: no guess ends it. */
		if (programs_match(s->programs, &id, &m) <= 0)
			match_running(s, &id, &m);
		if (m.is != MATCH_AGENT)
			continue;
		log_warn("agent %s: pid %d ran before the node: connections that it has are not steered",
			 s->conf.agents[m.agent].name, (int)all.v[i]);
		sup_enrol_running(s, all.v[i], (unsigned)m.agent);
		scan_host(s, all.v[i], (uint32_t)m.agent + 1);
	}
	proc_pids_done(&all);
}
