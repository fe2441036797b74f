/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_CATALOG_IMPL_H
#define TOLLGATE_MCP_CATALOG_IMPL_H

#include "user/base/buf.h"
#include "user/base/hasher.h"
#include "user/mcp/catalog.h"

/* Private to catalog*.c and pin.c. */
#define CATALOG_SERVERS_MAX 4096
#define PIN_MEMBERS_MAX 64 /* members of one definition in the sidecar; MCP has nine */

struct pin_member {
	struct span name;
	uint8_t digest[SHA256_SIZE];
};

struct catalog_tool_full {
	struct catalog_tool tool; /* first: the public part */
	uint8_t description[SHA256_SIZE], input[SHA256_SIZE], output[SHA256_SIZE]; /* of form C */
	struct pin_member *member; /* with tool.full */
	unsigned member_n;
	/* the bytes of the last definition that was found unchanged, so the same page costs one
	 * digest */
	bool seen;
	uint8_t seen_raw[SHA256_SIZE];
};

struct catalog {
	char *text, *pins_text;
	struct tape tape, pins;
	struct catalog_server *server;
	unsigned server_n;
	struct catalog_tool_full *tool; /* sorted by name, then server */
	unsigned tool_n;
	uint8_t hash[SHA256_SIZE], pins_hash[SHA256_SIZE];
	struct buf scratch;
	struct hasher *hasher;
};

/* Where an error is said: a file under reading. */
struct catalog_reader {
	struct catalog *c;
	const struct tape *t;
	const char *name;
	char *err; /* CATALOG_ERROR_MAX */
};

/* Writes "name:line: text" and returns -EINVAL. */
int catalog_fail(const struct catalog_reader *r, uint32_t token, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* One member of an object that the schema describes. */
struct catalog_field {
	const char *name;
	bool required, nullable;
	enum tape_type type; /* TAPE_TRUE stands for either boolean */
	bool (*check)(struct span text); /* of strings; may be NULL */
	const char *expected; /* what check() wants, for the message */
};

/* Checks an object against its fields; other members are errors. */
int catalog_check_object(const struct catalog_reader *r, uint32_t object, const char *what,
			 const struct catalog_field *f, unsigned n);

/* Checks one entry of catalog.json against the schema. */
int catalog_check_entry(const struct catalog_reader *r, uint32_t entry);

/* Checks spawn.measured and spawn.confine, whose members' types are known to be right. */
int catalog_check_declaration(const struct catalog_reader *r, uint32_t spawn);
/* Fills what a server with spawn declares. 0 or the errors of canon_write(). */
int catalog_declaration_fill(struct catalog *c, const struct tape *t, uint32_t spawn, struct catalog_server *s);

bool catalog_is_digest(struct span s); /* sha256:<64 lower-case hex> */
void catalog_digest_of(struct span s, uint8_t ret[SHA256_SIZE]); /* of a checked one */
bool catalog_is_name(struct span s); /* not empty, no control characters */

/* Reads catalog.pins.json, parsed in c->pins, into the tools. */
int catalog_pins_read(const struct catalog_reader *r);

/* SHA-256 over form C with the catalog's scratch. */
int catalog_canon(struct catalog *c, const struct tape *t, uint32_t token, uint8_t ret[SHA256_SIZE]);

/* Order of UTF-8 bytes, which is that of code points. */
int catalog_text_cmp(struct span a, struct span b);
/* Index of the first tool whose name is not less than this one. */
unsigned catalog_name_first(const struct catalog *c, struct span name);
struct catalog_tool_full *catalog_tool_full(const struct catalog *c, const struct catalog_server *s,
					    struct span name);

#endif
