// SPDX-License-Identifier: Apache-2.0
/*
 * Agents that are containers. Runs in the supervisor. The first exec in a container's cgroup is stopped by the kernel's
 * exec guard; what its engine wrote down tells whether it is an agent, and from then on the cgroup is settled.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/log.h"
#include "user/enrol/container.h"
#include "user/kern/cgroup.h"
#include "user/kern/guard.h"
#include "user/proc/identity.h"
#include "user/role/sup.h"

static bool wanted(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->conf.nagents; i++)
		if (container_selects(&s->conf.agents[i]))
			return true;
	return false;
}

/* A container's cgroup is made by its engine, in a place that is root's: elsewhere its name says nothing. */
static int made_by_root(const struct supervisor *s, const char *cgroup, size_t n)
{
	char dir[PATH_MAX], root[PATH_MAX];
	int r = cgroup_root(root);

	if (r < 0)
		return r;
	if (snprintf(dir, sizeof(dir), "%s%.*s", root, (int)n, cgroup) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	*strrchr(dir, '/') = '\0';
	r = places_delegated(s->places, dir);
	return r < 0 ? r : r == 0;
}

int sup_container_of(struct supervisor *s, const char *cgroup, struct container *ret)
{
	char id[CONTAINER_ID_DIGITS + 1];
	size_t n = wanted(s) ? container_of_cgroup(cgroup, id) : 0;
	int r;

	if (n == 0)
		return 0;
	r = made_by_root(s, cgroup, n);
	if (r <= 0)
		return r;
	r = container_read(&s->conf, id, ret);
	if (r == 0)
		log_warn("container %s: not looked at as an agent: no folder of container_stores knows it; add its "
			 "engine's if it should be one", id);
	return r;
}

int sup_container_scope(pid_t pid, char ret[static PATH_MAX])
{
	char id[CONTAINER_ID_DIGITS + 1];
	const char *below;
	size_t n;
	int r = cgroup_of_pid(pid, ret);

	if (r < 0)
		return r;
	below = cgroup_relative(ret);
	n = below ? container_of_cgroup(below, id) : 0;
	if (n == 0)
		return -ENOENT;
	ret[(size_t)(below - ret) + n] = '\0';
	return 0;
}

void sup_container_settle(struct supervisor *s, const struct proc_identity *p)
{
	char id[CONTAINER_ID_DIGITS + 1], root[PATH_MAX], dir[PATH_MAX];
	uint64_t cgroup;

	if (!wanted(s) || container_of_cgroup(p->cgroup, id) == 0 || cgroup_root(root) < 0 ||
	    snprintf(dir, sizeof(dir), "%s%s", root, p->cgroup) >= (int)sizeof(dir) || cgroup_id(dir, &cgroup) < 0)
		return;
	(void)kern_container_settle(s->kern, cgroup);
}
