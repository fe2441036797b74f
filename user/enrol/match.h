/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MATCH_H
#define TOLLGATE_MATCH_H

#include <sys/types.h>

struct conf;
struct container;
struct proc_identity;

#define MATCH_REASON_MAX 512

enum match_is {
	MATCH_NONE = 0,
	MATCH_AGENT, /* agent is set */
	MATCH_LATER, /* during an exec hold only: a script selector may match, and only the new image tells.
		      * agent is what the process is otherwise, or -1. Ask again with match_identity()
		      * after the exec, before the process runs: the exec guard stops it there. */
};

struct match {
	enum match_is is;
	int agent; /* index in conf.agents, -1: none */
	char reason[MATCH_REASON_MAX]; /* "exe /usr/bin/node and script /opt/a.js", for the record */
};

/* Which agent a process is. Of the agents whose every selector holds, the most specific one: executable
 * and script, then executable, then cgroup, unit or container, then uid; of equals the one with more selectors,
 * then the first in the file. container: the one it lives in, NULL for none that is known.
 * A field that was not measured (empty) matches no selector. */
void match_identity(const struct conf *c, const struct proc_identity *id, const struct container *container,
		    struct match *ret);

/* The same for an exec that is held by fanotify: /proc/PID/exe is still the old image there, so the
 * executable is the held file, and the script is not known unless script says so (the held file was
 * itself a "#!" script; exe is then NULL). exe, script: real paths. cgroup: below the cgroup2 mount. */
void match_exec(const struct conf *c, const char *exe, const char *script, uid_t uid,
		const char *cgroup, struct match *ret);

#endif
