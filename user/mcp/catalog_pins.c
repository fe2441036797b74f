// SPDX-License-Identifier: Apache-2.0
/*
 * catalog.pins.json: a digest for every member of each approved definition. It can only narrow what
 * catalog.json approves: where both speak of a member they must agree, and a pin without an entry
 * is an error.
 */
#include "user/mcp/catalog_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"

static const struct catalog_field fields[] = {
	{ "server", true, false, TAPE_STRING, catalog_is_name, "text without control characters" },
	{ "tool_name", true, false, TAPE_STRING, catalog_is_name, "text without control characters" },
	{ "member_digests", true, false, TAPE_OBJECT, NULL, NULL },
	{ "digest", true, false, TAPE_STRING, catalog_is_digest, "\"sha256:\" and 64 lower-case hex digits" },
};

static int members_read(const struct catalog_reader *rd, uint32_t object, struct catalog_tool_full *f)
{
	const struct tape *t = rd->t;
	unsigned n = t->tok[object].count;

	if (n > PIN_MEMBERS_MAX)
		return catalog_fail(rd, object, "more than %d members", PIN_MEMBERS_MAX);
	f->member = calloc(n + 1, sizeof(*f->member));
	if (!f->member)
		return -ENOMEM;
	for (uint32_t i = tape_first(t, object); i != TAPE_NONE; i = tape_next(t, object, i)) {
		struct pin_member *m = &f->member[f->member_n];

		if (!catalog_is_digest(tape_text(t, i + 1)))
			return catalog_fail(rd, i + 1, "a member's digest must be %s", fields[3].expected);
		m->name = tape_text(t, i);
		catalog_digest_of(tape_text(t, i + 1), m->digest);
		f->member_n++;
	}
	return 0;
}

static const struct pin_member *member(const struct catalog_tool_full *f, const char *name)
{
	for (unsigned i = 0; i < f->member_n; i++)
		if (span_is(f->member[i].name, name))
			return &f->member[i];
	return NULL;
}

/* A member that is absent on the wire stands in the entry as its default. */
static int agrees(const struct catalog_reader *rd, uint32_t at, const struct catalog_tool_full *f,
		  const char *name, const uint8_t in_entry[SHA256_SIZE], struct span absent)
{
	const struct pin_member *m = member(f, name);
	uint8_t digest[SHA256_SIZE];

	if (m)
		memcpy(digest, m->digest, sizeof(digest));
	else
		sha256(absent.p, absent.n, digest);
	if (memcmp(digest, in_entry, sizeof(digest)) == 0)
		return 0;
	return catalog_fail(rd, at, "%s of tool \"%.*s\" is not the one in the catalog", name,
			    (int)f->tool.name.n, f->tool.name.p);
}

static int pin_check(const struct catalog_reader *rd, uint32_t pin, const struct catalog_tool_full *f)
{
	uint32_t object = tape_get(rd->t, pin, "member_digests");
	uint8_t digest[SHA256_SIZE], stated[SHA256_SIZE], name[SHA256_SIZE];
	int r;

	r = catalog_canon(rd->c, rd->t, object, digest);
	if (r < 0)
		return r;
	catalog_digest_of(tape_text(rd->t, tape_get(rd->t, pin, "digest")), stated);
	if (memcmp(digest, stated, sizeof(digest)) != 0)
		return catalog_fail(rd, pin, "digest is not that of member_digests");
	r = catalog_canon(rd->c, rd->t, tape_get(rd->t, pin, "tool_name"), name);
	if (r == 0)
		r = agrees(rd, pin, f, "name", name, SPAN(""));
	if (r == 0)
		r = agrees(rd, pin, f, "description", f->description, SPAN("\"\""));
	if (r == 0)
		r = agrees(rd, pin, f, "inputSchema", f->input, SPAN("{}"));
	if (r == 0)
		r = agrees(rd, pin, f, "outputSchema", f->output, SPAN("null"));
	return r;
}

static int pin_read(const struct catalog_reader *rd, uint32_t pin)
{
	const struct catalog_server *s;
	struct catalog_tool_full *f;
	struct span server, tool;
	int r;

	r = catalog_check_object(rd, pin, "pin", fields, ARRAY_SIZE(fields));
	if (r < 0)
		return r;
	server = tape_text(rd->t, tape_get(rd->t, pin, "server"));
	tool = tape_text(rd->t, tape_get(rd->t, pin, "tool_name"));
	s = catalog_server_named(rd->c, server);
	f = s ? catalog_tool_full(rd->c, s, tool) : NULL;
	if (!f)
		return catalog_fail(rd, pin, "the catalog has no tool \"%.*s\" of server \"%.*s\"",
				    (int)tool.n, tool.p, (int)server.n, server.p);
	if (f->tool.full)
		return catalog_fail(rd, pin, "tool \"%.*s\" of server \"%.*s\" is pinned twice", (int)tool.n,
				    tool.p, (int)server.n, server.p);
	r = members_read(rd, tape_get(rd->t, pin, "member_digests"), f);
	if (r == 0)
		r = pin_check(rd, pin, f);
	f->tool.full = r == 0;
	return r;
}

int catalog_pins_read(const struct catalog_reader *rd)
{
	int r = 0;

	if (!tape_is(rd->t, 0, TAPE_ARRAY))
		return catalog_fail(rd, 0, "pins are an array");
	for (uint32_t i = tape_first(rd->t, 0); i != TAPE_NONE && r == 0; i = tape_next(rd->t, 0, i))
		r = pin_read(rd, i);
	return r < 0 ? r : catalog_canon(rd->c, rd->t, 0, rd->c->pins_hash);
}
