/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_CATALOG_FILE_H
#define TOLLGATE_CLI_CATALOG_FILE_H

#include <stdbool.h>

#include "user/base/buf.h"
#include "user/base/span.h"
#include "user/mcp/catalog.h"
#include "user/mcp/catalog_write.h"

/* catalog.json and its sidecar being made anew: what is kept is copied as it stands, what is new is
 * added, and both files are read back before they replace the old ones. */
struct catalog_file {
	const char *path;
	char *pins_path;
	struct catalog *old; /* NULL: there was no file */
	struct tape pins; /* of the old sidecar; count 0 without */
	struct buf pins_text;
	struct buf entries, new_pins; /* arrays under construction */
	unsigned kept, added;
};

/* missing_ok: a file that does not exist is an empty catalog. 0 or -errno with a message. */
int catalog_file_open(const char *path, bool missing_ok, struct catalog_file *ret,
		      char err[CATALOG_ERROR_MAX]);
void catalog_file_done(struct catalog_file *f);

/* Copies an old entry and its pin; server: JSON text that takes the place of the entry's server
 * object (empty: as it is). 0 or -errno. */
int catalog_file_keep(struct catalog_file *f, const struct catalog_tool *tool, struct span server);

/* Adds a definition that a server sent. Errors of catalog_write_entry(). */
int catalog_file_add(struct catalog_file *f, const struct tape *t, uint32_t definition, struct span server,
		     struct span server_name, const struct catalog_approval *a);

/* Checks and writes both files. */
int catalog_file_write(struct catalog_file *f, char err[CATALOG_ERROR_MAX]);

#endif
