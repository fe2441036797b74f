/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_CATALOG_ARGS_H
#define TOLLGATE_CLI_CATALOG_ARGS_H

#include <stdbool.h>

#include "user/base/buf.h"
#include "user/cli/catalog_live.h"
#include "user/mcp/catalog.h"

#define CATALOG_TOOLS_NAMED_MAX 256
#define CATALOG_PATHS_NAMED_MAX 32

/* The command line of `tollgate catalog`. */
struct catalog_args {
	const char *file, *name, *approved_by, *other, *entry;
	struct live_target target;
	const char *tool[CATALOG_TOOLS_NAMED_MAX];
	unsigned tool_n;
	const char *path[CATALOG_PATHS_NAMED_MAX];
	unsigned path_n;
	bool all, accept_server, check, json;
};

/* Prints "tollgate: catalog what: why" and returns CLI_FAILED. */
int catalog_complain(const char *what, const char *why);

/* The verbs; they print their own messages and return an exit status (CLI_USAGE: the words make no
 * sense). */
int catalog_scan(const struct catalog_args *a, bool pin);
int catalog_diff(const struct catalog_args *a);
int catalog_measure(const struct catalog_args *a);

/* The JSON text of a live server's object in an entry, with what the catalog (or NULL) declares of the server so
 * named. 0 or -errno. */
int catalog_server_out(const struct catalog_args *a, const struct live *l, const char *name, const struct catalog *c,
		       struct buf *out);
/* Says on standard error what of its identity a catalog cannot hold fast. */
void catalog_server_warn(const struct live *l);
/* --name, or what the server calls itself, made fit for a name; ret has 128 bytes and is
 * returned. */
const char *catalog_server_name(const struct catalog_args *a, const struct live *l, char ret[128]);
/* Is this object the one of that server, in form C? If not, ret_how names the members. */
bool catalog_server_same(const struct catalog *c, const struct catalog_server *s, const struct buf *json,
			 char ret_how[256]);

#endif
