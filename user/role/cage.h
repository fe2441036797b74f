/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ROLE_CAGE_H
#define TOLLGATE_ROLE_CAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/gate/conv.h"
#include "user/role/msg.h"

struct catalog;
struct catalog_server;
struct proc_identity;

/*
 * What the catalog declares of a stdio server (user/mcp/catalog_declare.h), held against the process that is about to
 * serve: its parts are measured, and the rules of its confinement are made. Supervisor only: it may read any file.
 */
struct cage {
	struct gate_spawn spawn;
	bool confined; /* the server declares confine; the following is how */
	bool at_exec; /* it was confined before it ran */
	int ruleset; /* Landlock's, -1 */
	struct msg_cage how;
};

/*
 * The process stands still. Of one that the catalog does not know, or declares nothing of, all stays zero. Whatever
 * cannot be found out, measured or ruled makes ret->spawn.refused say so: nothing else than that text tells of a
 * failure. Takes as long as it takes to read the parts (bounded by PACKAGE_BYTES_MAX), during which the supervisor does
 * nothing else. cage_done() afterwards.
 */
void cage_open(const struct catalog *c, pid_t pid, struct cage *ret);
void cage_done(struct cage *cage);
/* Hands a cage over. */
struct cage cage_take(struct cage *cage);

/* Compares all parts. True when all have their digests; else why says which has not, and, with *ret_wrong, that it is
 * another than declared or cannot be measured. Not measured at all is no wrong. */
bool cage_measure(const struct catalog *c, const struct catalog_server *s, const struct proc_identity *id,
		  char why[256], bool *ret_wrong);

#endif
