/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CATALOG_H
#define TOLLGATE_MCP_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/digest.h"
#include "user/base/span.h"
#include "user/mcp/tape.h"

struct proc_identity;
struct catalog;

/*
 * The approved tools: catalog.json in the published cMCP format (an array of entries, JSON Schema
 * catalog-entry), and beside it catalog.pins.json, which covers every member of each definition
 * where the published format covers three. Digests are over canonical form C (user/mcp/canon.h).
 */
#define CATALOG_BYTES_MAX (64u << 20)
#define CATALOG_TOKENS_MAX (4u << 20)
#define CATALOG_ERROR_MAX 512
#define PIN_DEFINITION_MAX (1u << 20) /* bytes of a definition; a longer one is "changed" */

enum catalog_transport {
	CATALOG_STDIO,
	CATALOG_STREAMABLE_HTTP,
	CATALOG_HTTP_SSE,
};

/* One server, gathered from the entries that name it. Read only. Texts hold no control
 * characters. */
struct catalog_server {
	struct span name; /* display_name: unique in the catalog, the server's name in policies */
	enum catalog_transport transport;
	uint32_t index;
	struct span url, host; /* host without brackets, in the catalog's letter case */
	struct span path;
	uint16_t port;
	bool tls, has_spawn;
	struct span command, measure_target; /* measure_target is empty when null or absent */
	uint32_t args, args_n; /* token of the array (catalog_tape), or TAPE_NONE */
	bool has_digest;
	uint8_t binary_digest[SHA256_SIZE];
	/* Declarations (user/mcp/catalog_declare.h): their tokens in spawn, or TAPE_NONE, and a digest of both in form
	 * C, all zero when there is neither. */
	uint32_t measured, confine;
	uint8_t declared[SHA256_SIZE];
	uint32_t token; /* of the server object */
};

struct catalog_tool {
	const struct catalog_server *server;
	struct span name;
	uint32_t entry; /* token of the whole entry */
	uint32_t description, input_schema, output_schema; /* tokens; output_schema may be TAPE_NONE */
	struct span sensitivity, compliance; /* empty when absent */
	bool full; /* catalog.pins.json covers every member */
};

/* Loads from files. pins_path NULL: catalog.pins.json's name is derived from path, and its absence
 * is fine. 0 or -errno with "file:line: reason" in err. Nothing half-loaded is ever given out. */
int catalog_load(const char *path, const char *pins_path, struct catalog **ret,
		 char err[CATALOG_ERROR_MAX]);
/* The same from memory, for roles without file system; names are for messages. pins.p NULL:
 * none. */
int catalog_parse(struct span text, const char *name, struct span pins, const char *pins_name,
		  struct catalog **ret, char err[CATALOG_ERROR_MAX]);
void catalog_free(struct catalog *c);

/* The sidecar's name for a catalog's: "x/catalog.json" gives "x/catalog.pins.json". malloc()ed, or
 * NULL. */
char *catalog_pins_path(const char *path);

/* "sha256:" digest of the entries sorted by tool_name, in form C; and the same over the sidecar's
 * array (all zero without a sidecar). */
const uint8_t *catalog_hash(const struct catalog *c);
const uint8_t *catalog_pins_hash(const struct catalog *c);

const struct tape *catalog_tape(const struct catalog *c);
unsigned catalog_server_count(const struct catalog *c);
const struct catalog_server *catalog_server(const struct catalog *c, unsigned i);
unsigned catalog_tool_count(const struct catalog *c);
const struct catalog_tool *catalog_tool(const struct catalog *c, unsigned i);

/* Exact names. NULL when there is none. */
const struct catalog_server *catalog_server_named(const struct catalog *c, struct span name);
const struct catalog_tool *catalog_tool_find(const struct catalog *c,
					     const struct catalog_server *s, struct span tool);

/* Fills url, host, port, path and tls of a network server; spans point into url. NULL, or what is
 * wrong with the url (user, query and fragment are refused: a request's target could say them
 * differently). */
const char *catalog_url_parse(struct span url, struct catalog_server *s);

/* Which server is it? */
struct catalog_match {
	const struct catalog_server *server; /* NULL: none, see reason */
	bool measured; /* a digest in the catalog was compared with a measured one and agrees */
	bool script_unmeasured; /* the digest covers the interpreter, not the script it runs */
	char reason[256]; /* why not, or why not measured; "" else. Printable. */
};

/* By the identity of the process read at takeover. */
void catalog_server_find_stdio(const struct catalog *c, const struct proc_identity *id,
			       struct catalog_match *ret);

/* The caller vouches that the bytes go to this host and port. */
struct catalog_http_target {
	bool tls;
	bool loopback; /* the connection's original destination is a loopback address */
	struct span host; /* name or address without brackets and port */
	uint16_t port;
	/* of the request target, without query; p NULL: not compared (legacy SSE's second endpoint) */
	struct span path;
	const struct proc_identity *owner; /* of the listening socket; required on loopback */
};

void catalog_server_find_http(const struct catalog *c, const struct catalog_http_target *target,
			      struct catalog_match *ret);

/* The pin. */
enum pin_verdict {
	PIN_UNLISTED = 0, /* no server has it */
	PIN_COLLISION, /* the name belongs to another server */
	PIN_CHANGED,
	PIN_OK,
};

struct pin_result {
	enum pin_verdict verdict;
	const struct catalog_tool *tool; /* OK, CHANGED */
	const struct catalog_server *owner; /* COLLISION: one to which the name belongs */
	char changed[256]; /* CHANGED: members, "description, annotations (new), title (gone)" */
	char unpinned[256]; /* members on the wire that no digest covers (entry without full pin) */
};

/* Holds the definition (an object of a tools/list page) against the catalog. Total; errors are
 * CHANGED. */
void catalog_pin(struct catalog *c, const struct catalog_server *s, const struct tape *t,
		 uint32_t definition, struct pin_result *ret);

const char *pin_verdict_text(enum pin_verdict v);

/* The members in which two approved definitions differ, as pin_result.changed; "" when they do not.
 * What only one of them covers is not compared. */
void catalog_tool_diff(const struct catalog_tool *a, const struct catalog_tool *b, char ret[256]);

#endif
