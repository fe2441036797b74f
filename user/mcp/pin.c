// SPDX-License-Identifier: Apache-2.0
/*
 * A definition on the wire against the approved one. Runs in the proxy on hostile bytes. Names are
 * compared exactly and belong to one server; whatever cannot be compared has changed.
 */
#include "user/mcp/catalog_impl.h"

#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"

#define NAME_SHOWN 48 /* of a member's name in a message */

/* Appends "name (why)", printable, to a comma-separated list that is cut at its end. */
static void list_add(char *list, size_t size, struct span name, const char *why)
{
	size_t n = strlen(list);
	char shown[NAME_SHOWN + 1];
	size_t k = name.n < NAME_SHOWN ? name.n : NAME_SHOWN;

	for (size_t i = 0; i < k; i++)
		shown[i] = name.p[i] >= 0x20 && name.p[i] < 0x7f ? name.p[i] : '?';
	shown[k] = '\0';
	snprintf(list + n, size - n, "%s%s%s%s%s", n ? ", " : "", shown, why ? " (" : "", why ? why : "",
		 why ? ")" : "");
}

static const struct pin_member *member_of(const struct catalog_tool_full *f, struct span name)
{
	for (unsigned i = 0; i < f->member_n; i++)
		if (span_eq(f->member[i].name, name))
			return &f->member[i];
	return NULL;
}

static bool differs(struct catalog *c, const struct tape *t, uint32_t v, const uint8_t want[SHA256_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	return catalog_canon(c, t, v, digest) < 0 || memcmp(digest, want, sizeof(digest)) != 0;
}

static void compare_full(struct catalog *c, const struct catalog_tool_full *f, const struct tape *t,
			 uint32_t d, struct pin_result *ret)
{
	for (uint32_t i = tape_first(t, d); i != TAPE_NONE; i = tape_next(t, d, i)) {
		struct span name = tape_text(t, i);
		const struct pin_member *m = member_of(f, name);

		if (!m)
			list_add(ret->changed, sizeof(ret->changed), name, "new");
		else if (differs(c, t, i + 1, m->digest))
			list_add(ret->changed, sizeof(ret->changed), name, NULL);
	}
	/* names are unique on both sides, so fewer on the wire means that one is gone */
	for (unsigned k = 0; k < f->member_n; k++) {
		uint32_t i = tape_first(t, d);

		while (i != TAPE_NONE && !span_eq(tape_text(t, i), f->member[k].name))
			i = tape_next(t, d, i);
		if (i == TAPE_NONE)
			list_add(ret->changed, sizeof(ret->changed), f->member[k].name, "gone");
	}
}

/* The members that the published entry covers; absent on the wire means its default. */
static void compare_triple(struct catalog *c, const struct catalog_tool_full *f, const struct tape *t,
			   uint32_t d, struct pin_result *ret)
{
	const struct {
		const char *name, *absent;
		const uint8_t *digest;
	} triple[] = {
		{ "description", "\"\"", f->description },
		{ "inputSchema", "{}", f->input },
		{ "outputSchema", "null", f->output },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(triple); k++) {
		uint32_t v = tape_get(t, d, triple[k].name);
		uint8_t absent[SHA256_SIZE];
		bool changed;

		sha256(triple[k].absent, strlen(triple[k].absent), absent);
		changed = v != TAPE_NONE ? differs(c, t, v, triple[k].digest) :
					   memcmp(absent, triple[k].digest, sizeof(absent)) != 0;
		if (changed)
			list_add(ret->changed, sizeof(ret->changed), span_of(triple[k].name), NULL);
		if (tape_has_lookalike(t, d, triple[k].name))
			list_add(ret->changed, sizeof(ret->changed), span_of(triple[k].name),
				 "in other letter case");
	}
	for (uint32_t i = tape_first(t, d); i != TAPE_NONE; i = tape_next(t, d, i)) {
		struct span name = tape_text(t, i);

		if (!span_is(name, "name") && !span_is(name, triple[0].name) &&
		    !span_is(name, triple[1].name) && !span_is(name, triple[2].name))
			list_add(ret->unpinned, sizeof(ret->unpinned), name, NULL);
	}
}

static void compare(struct catalog *c, struct catalog_tool_full *f, const struct tape *t, uint32_t d,
		    struct pin_result *ret)
{
	struct span raw = tape_raw(t, d);
	uint8_t digest[SHA256_SIZE];

	ret->verdict = PIN_CHANGED;
	ret->tool = &f->tool;
	if (raw.n > PIN_DEFINITION_MAX) {
		list_add(ret->changed, sizeof(ret->changed), SPAN("definition"), "too long to compare");
		return;
	}
	hasher_sha256(c->hasher, &raw, 1, digest);
	if (f->tool.full && f->seen && memcmp(digest, f->seen_raw, sizeof(digest)) == 0) {
		ret->verdict = PIN_OK;
		return;
	}
	if (tape_has_lookalike(t, d, "name"))
		list_add(ret->changed, sizeof(ret->changed), SPAN("name"), "in other letter case");
	if (f->tool.full)
		compare_full(c, f, t, d, ret);
	else
		compare_triple(c, f, t, d, ret);
	if (ret->changed[0])
		return;
	ret->verdict = PIN_OK;
	f->seen = true;
	memcpy(f->seen_raw, digest, sizeof(digest));
}

void catalog_pin(struct catalog *c, const struct catalog_server *s, const struct tape *t,
		 uint32_t definition, struct pin_result *ret)
{
	uint32_t at = tape_get(t, definition, "name");
	struct span name = tape_text(t, at);
	struct catalog_tool_full *f;
	unsigned i;

	*ret = (struct pin_result){ .verdict = PIN_UNLISTED };
	if (!tape_is(t, at, TAPE_STRING))
		return;
	f = s ? catalog_tool_full(c, s, name) : NULL;
	if (f) {
		compare(c, f, t, definition, ret);
		return;
	}
	i = catalog_name_first(c, name);
	if (i < c->tool_n && span_eq(c->tool[i].tool.name, name)) {
		ret->verdict = PIN_COLLISION;
		ret->owner = c->tool[i].tool.server;
	}
}

void catalog_tool_diff(const struct catalog_tool *a, const struct catalog_tool *b, char ret[256])
{
	const struct catalog_tool_full *x = (const struct catalog_tool_full *)a;
	const struct catalog_tool_full *y = (const struct catalog_tool_full *)b;

	ret[0] = '\0';
	if (!a->full || !b->full) {
		if (memcmp(x->description, y->description, SHA256_SIZE) != 0)
			list_add(ret, 256, SPAN("description"), NULL);
		if (memcmp(x->input, y->input, SHA256_SIZE) != 0)
			list_add(ret, 256, SPAN("inputSchema"), NULL);
		if (memcmp(x->output, y->output, SHA256_SIZE) != 0)
			list_add(ret, 256, SPAN("outputSchema"), NULL);
		return;
	}
	for (unsigned i = 0; i < y->member_n; i++) {
		const struct pin_member *m = member_of(x, y->member[i].name);

		if (!m)
			list_add(ret, 256, y->member[i].name, "new");
		else if (memcmp(m->digest, y->member[i].digest, SHA256_SIZE) != 0)
			list_add(ret, 256, m->name, NULL);
	}
	for (unsigned i = 0; i < x->member_n; i++)
		if (!member_of(y, x->member[i].name))
			list_add(ret, 256, x->member[i].name, "gone");
}

const char *pin_verdict_text(enum pin_verdict v)
{
	static const char *const text[] = {
		[PIN_UNLISTED] = "unlisted",
		[PIN_COLLISION] = "collision",
		[PIN_CHANGED] = "changed",
		[PIN_OK] = "ok",
	};

	return (unsigned)v < ARRAY_SIZE(text) ? text[v] : "unknown";
}
