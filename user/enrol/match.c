// SPDX-License-Identifier: Apache-2.0
/*
 * Which agent a process is, by the selectors of the configuration. Pure: looks at nothing but its
 * arguments. Runs in the supervisor. What is not known never counts as a match, and what could be one once
 * it is known is said so: an agent must not slip by because its script was asked for too early.
 */
#include "user/enrol/match.h"

#include <stdio.h>
#include <string.h>

#include "user/conf/conf.h"
#include "user/enrol/container.h"
#include "user/proc/identity.h"

/* What is known of a process. NULL: not known (yet). "": known to be none. */
struct subject {
	const char *exe, *script, *cgroup;
	uid_t uid;
	const struct container *container;
};

enum holds {
	HOLDS_NO,
	HOLDS_UNKNOWN,
	HOLDS_YES,
};

static bool below(const char *top, const char *path)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* The image was replaced after the exec: the path is still what was executed. */
static bool same_file(const char *want, const char *have)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(want);

	return strncmp(want, have, n) == 0 && (have[n] == '\0' || strcmp(have + n, deleted) == 0);
}

/* The unit's cgroup lies below slices only. A cgroup of that name elsewhere, say in a tree delegated to
 * a user, is not the system's unit, and must not lend that user the agent's name. */
static bool in_unit(const char *unit, const char *cgroup)
{
	size_t want = strlen(unit);

	while (*cgroup == '/') {
		const char *part = cgroup + 1;
		size_t n = strcspn(part, "/");

		if (n == want && strncmp(part, unit, n) == 0)
			return true;
		if (n < 6 || strncmp(part + n - 6, ".slice", 6) != 0)
			return false;
		cgroup = part + n;
	}
	return false;
}

static enum holds file_holds(const char *written, const char *real, const char *have)
{
	if (!written)
		return HOLDS_YES;
	if (!have)
		return HOLDS_UNKNOWN;
	return have[0] && same_file(real ? real : written, have) ? HOLDS_YES : HOLDS_NO;
}

static enum holds agent_holds(const struct conf_agent *a, const struct subject *s)
{
	enum holds exe = file_holds(a->exe, a->exe_real, s->exe);
	enum holds script = file_holds(a->script, a->script_real, s->script);

	if (!a->exe && !a->uid_name && !a->cgroup && !a->unit && !container_selects(a))
		return HOLDS_NO;
	if (!container_fits(a, s->container))
		return HOLDS_NO;
	/* A user name that was not resolved is no selector that anything could pass. */
	if (a->uid_name && (a->uid == CONF_UID_ANY || a->uid != s->uid))
		return HOLDS_NO;
	if (a->cgroup && !below(a->cgroup, s->cgroup))
		return HOLDS_NO;
	if (a->unit && !in_unit(a->unit, s->cgroup))
		return HOLDS_NO;
	return exe < script ? exe : script;
}

/* Larger is more specific. */
static unsigned rank(const struct conf_agent *a)
{
	unsigned n = !!a->exe + !!a->script + !!a->uid_name + !!a->cgroup + !!a->unit + !!a->image + !!a->nlabels;
	unsigned class = a->exe && a->script ? 4 : a->exe ? 3 : a->uid_name && n == 1 ? 1 : 2;

	return class * 8 + n;
}

/* Of equals the first in the file, whatever order the list has. */
static bool goes_before(const struct conf_agent *a, const struct conf_agent *b)
{
	return rank(a) != rank(b) ? rank(a) > rank(b) : a->line < b->line;
}

static void describe(const struct conf_agent *a, char *ret, size_t size)
{
	char uid[32] = "";
	int n;

	if (a->uid_name)
		(void)snprintf(uid, sizeof(uid), " uid %u", (unsigned)a->uid);
	n = snprintf(ret, size, "agent %s:%s%s%s%s%s%s%s%s%s%s%s%s%s", a->name, a->exe ? " exe " : "",
		     a->exe ? a->exe : "", a->script ? " script " : "", a->script ? a->script : "", uid,
		     a->cgroup ? " cgroup " : "", a->cgroup ? a->cgroup : "", a->unit ? " unit " : "",
		     a->unit ? a->unit : "", a->image ? " image " : "", a->image ? a->image : "",
		     a->nlabels ? " label " : "", a->nlabels ? a->labels[0] : "");
	if (n < 0)
		ret[0] = '\0';
}

static void match(const struct conf *c, const struct subject *s, struct match *ret)
{
	const struct conf_agent *yes = NULL, *unknown = NULL;

	for (unsigned i = 0; i < c->nagents; i++) {
		const struct conf_agent *a = &c->agents[i];
		enum holds h = agent_holds(a, s);

		if (h == HOLDS_YES && (!yes || goes_before(a, yes)))
			yes = a;
		if (h == HOLDS_UNKNOWN && (!unknown || goes_before(a, unknown)))
			unknown = a;
	}
	*ret = (struct match){ .agent = yes ? (int)(yes - c->agents) : -1 };
	if (unknown && (!yes || goes_before(unknown, yes))) {
		ret->is = MATCH_LATER;
		describe(unknown, ret->reason, sizeof(ret->reason));
	} else if (yes) {
		ret->is = MATCH_AGENT;
		describe(yes, ret->reason, sizeof(ret->reason));
	} else {
		(void)snprintf(ret->reason, sizeof(ret->reason), "no agent has selectors for exe %s uid %u",
			       s->exe && s->exe[0] ? s->exe : "(not known)", (unsigned)s->uid);
	}
}

void match_identity(const struct conf *c, const struct proc_identity *id, const struct container *container,
		    struct match *ret)
{
	match(c, &(struct subject){ id->exe, id->script, id->cgroup, id->uid, container }, ret);
}

void match_exec(const struct conf *c, const char *exe, const char *script, uid_t uid,
		const char *cgroup, struct match *ret)
{
	match(c, &(struct subject){ exe, script, cgroup, uid, NULL }, ret);
}
