/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SANDBOX_H
#define TOLLGATE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum role {
	ROLE_KEEPER,
	ROLE_SUPERVISOR,
	ROLE_INJECTOR,
	ROLE_PROXY,
	ROLE_NOTARY,
	ROLE_QUERY,
	ROLE_CANARY,
	ROLE_MAX_,
};

#define SANDBOX_PATHS_MAX 16

/* A file or folder (with all below it) that stays reachable. */
struct sandbox_path {
	const char *path;
	bool write; /* also create, write, rename, remove; else read only */
};

struct sandbox_spec {
	uid_t uid; /* what the role becomes; 0 for the roles that stay root */
	gid_t gid;
	gid_t extra_gid; /* one supplementary group, 0: none */
	struct sandbox_path paths[SANDBOX_PATHS_MAX]; /* proxy: must be none */
	unsigned npaths;
	uint64_t nofile; /* descriptors wanted, 0: leave the limit */
	bool landlock_optional; /* enforcement is not `enforce`: start without Landlock where the kernel has
				 * none, and say so in the report. Seccomp is never optional */
};

struct sandbox_report {
	int landlock_abi; /* 0: the kernel has none */
	uint64_t nofile; /* limit in force; below spec.nofile it could not be raised, a warning */
	bool seccomp_log_only; /* a development build (-DSANDBOX_SECCOMP_LOG): violations are only logged */
};

/*
 * Puts the calling process, which must have one thread and be root, into the role's sandbox for good:
 * not dumpable, no core, no_new_privs, groups, uids, capabilities (bounding, permitted, effective;
 * ambient and inheritable empty), Landlock, seccomp, in this order. What the role needs open must be
 * open already, or be named in the paths. A forbidden system call kills the process (SIGSYS).
 * The keeper, whose children become the other roles, gets only what they all can live under.
 * 0 or -errno; after a failure the process is in between and must exit. ret_report may be NULL.
 */
int sandbox_enter(enum role role, const struct sandbox_spec *spec, struct sandbox_report *ret_report);

/* Landlock version of the running kernel, 0: none. */
int sandbox_landlock_abi(void);

#endif
