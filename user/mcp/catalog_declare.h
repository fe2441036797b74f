/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CATALOG_DECLARE_H
#define TOLLGATE_MCP_CATALOG_DECLARE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/mcp/catalog.h"

/*
 * What a stdio server is made of and what it may reach, declared in the catalog and so covered by its hash:
 *
 *	"spawn": { "command": ..., "args": ...,
 *	  "measured": [ { "path": "/usr/bin/node", "digest": "sha256:..." },
 *	                { "path": "/srv/files",    "digest": "sha256:..." } ],
 *	  "confine": { "network": false, "filesystem": { "read": ["/srv/data"], "write": [] }, "env": ["LANG"] } }
 *
 * measured: files and directories whose digests (user/proc/package.h) must be these when the server starts; the
 * command is among them. confine: what the server may have; a member that is absent allows nothing. Paths are
 * absolute, as the server sees them, without "." and "..".
 */
#define CATALOG_MEASURED_MAX 64 /* each is read at every start */
#define CATALOG_PATHS_MAX 64 /* of each list: each is opened at every start and is a rule in the kernel */
#define CATALOG_ENV_MAX 4096 /* bytes of all names with a NUL each: they travel in one message */
#define CATALOG_DECLARED_PATH_MAX 1023

/* The path and the digest of one element of s->measured (a token). */
void catalog_measured(const struct catalog *c, uint32_t element, struct span *ret_path,
		      uint8_t ret_digest[SHA256_SIZE]);

struct catalog_confine {
	bool network; /* what the agent may reach, the server may reach too; false: no network at all */
	uint32_t read, write, env; /* arrays of strings (catalog_tape), or TAPE_NONE: nothing */
};

/* What s->confine says; false when the server declares nothing. */
bool catalog_confine(const struct catalog *c, const struct catalog_server *s, struct catalog_confine *ret);

/* Whether a path is measured: named by an element of s->measured, or below a directory that is. */
bool catalog_covers(const struct catalog *c, const struct catalog_server *s, struct span path);

/* The members in which two server objects differ, "spawn.args, spawn.confine (new)"; "" when they do not. */
void catalog_server_diff(const struct tape *a, uint32_t x, const struct tape *b, uint32_t y, char ret[256]);

#endif
