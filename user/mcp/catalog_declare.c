// SPDX-License-Identifier: Apache-2.0
/*
 * Declarations of stdio servers. Read wherever a catalog is; acted upon in the supervisor.
 */
#include "user/mcp/catalog_declare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/mcp/canon.h"
#include "user/mcp/catalog_impl.h"

/* Absolute, and of one spelling: two lists that mean the same are the same. */
static bool is_path(struct span s)
{
	size_t from = 1;

	if (s.n == 0 || s.n > CATALOG_DECLARED_PATH_MAX || s.p[0] != '/' || !catalog_is_name(s))
		return false;
	if (s.n == 1)
		return true;
	for (size_t i = 1; i <= s.n; i++) {
		struct span part = { s.p + from, i - from };

		if (i < s.n && s.p[i] != '/')
			continue;
		if (part.n == 0 || span_is(part, ".") || span_is(part, ".."))
			return false;
		from = i + 1;
	}
	return true;
}

/* What a shell takes for a name. */
static bool is_variable(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '_' && !(i && c >= '0' && c <= '9'))
			return false;
	}
	return s.n > 0 && s.n < 256;
}

static const struct catalog_field measured_fields[] = {
	{ "path", true, false, TAPE_STRING, is_path, "an absolute path without \".\", \"..\" and \"//\"" },
	{ "digest", true, false, TAPE_STRING, catalog_is_digest, "\"sha256:\" and 64 lower-case hex digits" },
};

static const struct catalog_field confine_fields[] = {
	{ "network", false, false, TAPE_TRUE, NULL, NULL },
	{ "filesystem", false, false, TAPE_OBJECT, NULL, NULL },
	{ "env", false, false, TAPE_ARRAY, NULL, NULL },
};

static const struct catalog_field filesystem_fields[] = {
	{ "read", false, false, TAPE_ARRAY, NULL, NULL },
	{ "write", false, false, TAPE_ARRAY, NULL, NULL },
};

static int check_measured(const struct catalog_reader *r, uint32_t spawn, uint32_t list)
{
	struct span command = tape_text(r->t, tape_get(r->t, spawn, "command"));
	bool whole = false;
	int e = 0;

	if (list == TAPE_NONE)
		return 0;
	if (r->t->tok[list].count > CATALOG_MEASURED_MAX)
		return catalog_fail(r, list, "measured: more than %d", CATALOG_MEASURED_MAX);
	for (uint32_t i = tape_first(r->t, list); i != TAPE_NONE && e == 0; i = tape_next(r->t, list, i)) {
		e = catalog_check_object(r, i, "measured", measured_fields, ARRAY_SIZE(measured_fields));
		whole |= e == 0 && span_eq(tape_text(r->t, tape_get(r->t, i, "path")), command);
	}
	if (e == 0 && !whole)
		return catalog_fail(r, list, "measured: the command itself is not among them");
	return e;
}

static int check_list(const struct catalog_reader *r, uint32_t list, const char *what, unsigned max,
		      bool (*check)(struct span), const char *expected)
{
	if (list == TAPE_NONE)
		return 0;
	if (r->t->tok[list].count > max)
		return catalog_fail(r, list, "confine: %s: more than %u", what, max);
	for (uint32_t i = tape_first(r->t, list); i != TAPE_NONE; i = tape_next(r->t, list, i))
		if (!tape_is(r->t, i, TAPE_STRING) || !check(tape_text(r->t, i)))
			return catalog_fail(r, i, "confine: %s must hold %s", what, expected);
	return 0;
}

static int check_confine(const struct catalog_reader *r, uint32_t confine)
{
	uint32_t fs = tape_get(r->t, confine, "filesystem"), env = tape_get(r->t, confine, "env");
	size_t bytes = 0;
	int e = 0;

	if (confine == TAPE_NONE)
		return 0;
	e = catalog_check_object(r, confine, "confine", confine_fields, ARRAY_SIZE(confine_fields));
	if (e == 0 && fs != TAPE_NONE)
		e = catalog_check_object(r, fs, "filesystem", filesystem_fields, ARRAY_SIZE(filesystem_fields));
	if (e == 0)
		e = check_list(r, tape_get(r->t, fs, "read"), "filesystem.read", CATALOG_PATHS_MAX, is_path,
			       measured_fields[0].expected);
	if (e == 0)
		e = check_list(r, tape_get(r->t, fs, "write"), "filesystem.write", CATALOG_PATHS_MAX, is_path,
			       measured_fields[0].expected);
	if (e == 0)
		e = check_list(r, env, "env", CATALOG_ENV_MAX, is_variable, "names of variables");
	for (uint32_t i = tape_first(r->t, env); e == 0 && i != TAPE_NONE; i = tape_next(r->t, env, i)) {
		bytes += tape_text(r->t, i).n + 1;
		if (bytes > CATALOG_ENV_MAX)
			return catalog_fail(r, env, "confine: env: more than %d bytes of names", CATALOG_ENV_MAX);
	}
	return e;
}

int catalog_check_declaration(const struct catalog_reader *r, uint32_t spawn)
{
	int e = check_measured(r, spawn, tape_get(r->t, spawn, "measured"));

	return e < 0 ? e : check_confine(r, tape_get(r->t, spawn, "confine"));
}

int catalog_declaration_fill(struct catalog *c, const struct tape *t, uint32_t spawn, struct catalog_server *s)
{
	uint8_t both[2][SHA256_SIZE] = { 0 };
	int r = 0;

	s->measured = tape_get(t, spawn, "measured");
	s->confine = tape_get(t, spawn, "confine");
	if (s->measured == TAPE_NONE && s->confine == TAPE_NONE)
		return 0;
	if (s->measured != TAPE_NONE)
		r = catalog_canon(c, t, s->measured, both[0]);
	if (r == 0 && s->confine != TAPE_NONE)
		r = catalog_canon(c, t, s->confine, both[1]);
	if (r == 0)
		sha256(both, sizeof(both), s->declared);
	return r;
}

void catalog_measured(const struct catalog *c, uint32_t element, struct span *ret_path,
		      uint8_t ret_digest[SHA256_SIZE])
{
	const struct tape *t = catalog_tape(c);

	*ret_path = tape_text(t, tape_get(t, element, "path"));
	catalog_digest_of(tape_text(t, tape_get(t, element, "digest")), ret_digest);
}

bool catalog_confine(const struct catalog *c, const struct catalog_server *s, struct catalog_confine *ret)
{
	const struct tape *t = catalog_tape(c);
	uint32_t fs = tape_get(t, s->confine, "filesystem");

	if (s->confine == TAPE_NONE)
		return false;
	*ret = (struct catalog_confine){ .network = tape_is(t, tape_get(t, s->confine, "network"), TAPE_TRUE),
					 .read = tape_get(t, fs, "read"),
					 .write = tape_get(t, fs, "write"),
					 .env = tape_get(t, s->confine, "env") };
	return true;
}

bool catalog_covers(const struct catalog *c, const struct catalog_server *s, struct span path)
{
	const struct tape *t = catalog_tape(c);

	for (uint32_t i = tape_first(t, s->measured); i != TAPE_NONE; i = tape_next(t, s->measured, i)) {
		struct span at = tape_text(t, tape_get(t, i, "path"));

		if (at.n <= path.n && at.n > 0 && memcmp(at.p, path.p, at.n) == 0 &&
		    (at.n == path.n || at.n == 1 || path.p[at.n] == '/'))
			return true;
	}
	return false;
}

/* --- differences ------------------------------------------------------------------------------------ */

struct difference {
	const struct tape *a, *b;
	char *text; /* 256 bytes */
	struct buf scratch;
};

static void name_it(struct difference *d, const char *prefix, struct span name, const char *how)
{
	size_t at = strlen(d->text);

	(void)snprintf(d->text + at, 256 - at, "%s%s%.*s%s", at ? ", " : "", prefix,
		       (int)(name.n < 64 ? name.n : 64), name.p, how);
}

static bool value_same(struct difference *d, uint32_t x, uint32_t y)
{
	uint8_t one[SHA256_SIZE], two[SHA256_SIZE];

	return canon_digest(d->a, x, &d->scratch, one) == 0 && canon_digest(d->b, y, &d->scratch, two) == 0 &&
	       memcmp(one, two, sizeof(one)) == 0;
}

/* The value of the member so named, by its text: names may hold anything. */
static uint32_t member(const struct tape *t, uint32_t object, struct span name)
{
	for (uint32_t i = tape_first(t, object); i != TAPE_NONE; i = tape_next(t, object, i))
		if (span_eq(tape_text(t, i), name))
			return i + 1;
	return TAPE_NONE;
}

static void diff_members(struct difference *d, const char *prefix, uint32_t x, uint32_t y, bool inside)
{
	for (uint32_t i = tape_first(d->a, x); i != TAPE_NONE; i = tape_next(d->a, x, i)) {
		struct span name = tape_text(d->a, i);
		uint32_t other = member(d->b, y, name);

		if (other == TAPE_NONE)
			name_it(d, prefix, name, " (gone)");
		else if (!value_same(d, i + 1, other) && !(inside && span_is(name, "spawn")))
			name_it(d, prefix, name, "");
	}
	for (uint32_t i = tape_first(d->b, y); i != TAPE_NONE; i = tape_next(d->b, y, i))
		if (member(d->a, x, tape_text(d->b, i)) == TAPE_NONE)
			name_it(d, prefix, tape_text(d->b, i), " (new)");
}

void catalog_server_diff(const struct tape *a, uint32_t x, const struct tape *b, uint32_t y, char ret[256])
{
	struct difference d = { .a = a, .b = b, .text = ret };
	uint32_t s = tape_get(a, x, "spawn"), t = tape_get(b, y, "spawn");
	uint32_t c = tape_get(a, s, "confine"), e = tape_get(b, t, "confine");

	ret[0] = '\0';
	diff_members(&d, "", x, y, true);
	if (s != TAPE_NONE && t != TAPE_NONE)
		diff_members(&d, "spawn.", s, t, false);
	if (c != TAPE_NONE && e != TAPE_NONE)
		diff_members(&d, "spawn.confine.", c, e, false);
	buf_done(&d.scratch);
}
