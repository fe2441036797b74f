// SPDX-License-Identifier: Apache-2.0
/*
 * The published schema of a catalog entry (catalog-entry.schema.json of cMCP), checked field by
 * field so that an error can name its line. Stricter in two points: names hold no control
 * characters, and what looks like a date must be one.
 */
#include "user/mcp/catalog_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"

int catalog_fail(const struct catalog_reader *r, uint32_t token, const char *fmt, ...)
{
	size_t off = token < r->t->count ? r->t->tok[token].off : r->t->offset;
	va_list ap;
	int n;

	n = snprintf(r->err, CATALOG_ERROR_MAX, "%s:%u: ", r->name, tape_line(r->t->bytes, off));
	va_start(ap, fmt);
	if (n >= 0 && n < CATALOG_ERROR_MAX)
		vsnprintf(r->err + n, CATALOG_ERROR_MAX - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static bool starts(struct span s, const char *with)
{
	size_t n = strlen(with);

	return s.n >= n && memcmp(s.p, with, n) == 0;
}

bool catalog_is_digest(struct span s)
{
	if (s.n != SHA256_PREFIXED_SIZE - 1 || !starts(s, "sha256:"))
		return false;
	for (size_t i = 7; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return true;
}

void catalog_digest_of(struct span s, uint8_t ret[SHA256_SIZE])
{
	if (hex_decode(s.p + 7, s.n - 7, ret, SHA256_SIZE) < 0)
		memset(ret, 0, SHA256_SIZE);
}

bool catalog_is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

static bool no_nul(struct span s)
{
	return s.n == 0 || !memchr(s.p, '\0', s.n);
}

static bool is_fingerprint(struct span s)
{
	if (!starts(s, "SHA256:") || s.n < 7 + 43 || s.n > 7 + 44)
		return false;
	for (size_t i = 7; i < s.n; i++) {
		char c = s.p[i], l = (char)(c | 0x20);

		if (!(l >= 'a' && l <= 'z') && !(c >= '0' && c <= '9') && c != '+' && c != '/' && c != '=')
			return false;
	}
	return true;
}

static bool is_spiffe(struct span s)
{
	return starts(s, "spiffe://");
}

static bool is_transport(struct span s)
{
	return span_is(s, "stdio") || span_is(s, "streamable-http") || span_is(s, "http-sse");
}

static bool is_domain(struct span s)
{
	static const char *const known[] = { "hipaa_phi", "pci_data", "mnpi", "pii",
					     "internal", "external", "public" };

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (span_is(s, known[i]))
			return true;
	return false;
}

static bool is_date_time(struct span s)
{
	char text[64];
	uint64_t ns;

	if (s.n >= sizeof(text) || !no_nul(s))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return clock_parse_iso(text, &ns) == 0;
}

#define DIGEST_WANTED "\"sha256:\" and 64 lower-case hex digits"
#define NAME_WANTED "text without control characters"

static const struct catalog_field entry_fields[] = {
	{ "tool_name", true, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "server", true, false, TAPE_OBJECT, NULL, NULL },
	{ "approved_definition", true, false, TAPE_OBJECT, NULL, NULL },
	{ "definition_hash", true, false, TAPE_STRING, catalog_is_digest, DIGEST_WANTED },
	{ "added_at", true, false, TAPE_STRING, is_date_time, "a date and time" },
	{ "approved_by", true, false, TAPE_STRING, no_nul, NAME_WANTED },
	{ "compliance_domain", false, false, TAPE_STRING, is_domain, "a known domain" },
	{ "requires_baa", false, false, TAPE_TRUE, NULL, NULL },
	{ "sensitivity_level", false, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "catalog_exception", false, false, TAPE_TRUE, NULL, NULL },
};

static const struct catalog_field server_fields[] = {
	{ "display_name", true, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "transport", true, false, TAPE_STRING, is_transport, "stdio, streamable-http or http-sse" },
	{ "url", false, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "tls_fingerprint", false, false, TAPE_STRING, is_fingerprint, "\"SHA256:\" and base64 of 32 bytes" },
	{ "spiffe_id", false, true, TAPE_STRING, is_spiffe, "spiffe://..." },
	{ "spawn", false, false, TAPE_OBJECT, NULL, NULL },
	{ "provenance", false, false, TAPE_OBJECT, NULL, NULL },
};

static const struct catalog_field spawn_fields[] = {
	{ "command", true, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "args", false, false, TAPE_ARRAY, NULL, NULL },
	{ "binary_digest", false, true, TAPE_STRING, catalog_is_digest, DIGEST_WANTED },
	{ "measure_target", false, true, TAPE_STRING, catalog_is_name, NAME_WANTED },
	/* not of the published schema, whose readers refuse such an entry: docs/decisions/0009 */
	{ "measured", false, false, TAPE_ARRAY, NULL, NULL },
	{ "confine", false, false, TAPE_OBJECT, NULL, NULL },
};

static const struct catalog_field provenance_fields[] = {
	{ "record_path", true, false, TAPE_STRING, catalog_is_name, NAME_WANTED },
	{ "publisher_jwk", true, false, TAPE_OBJECT, NULL, NULL },
};

static const struct catalog_field definition_fields[] = {
	{ "description", true, false, TAPE_STRING, NULL, NULL },
	{ "input_schema", true, false, TAPE_OBJECT, NULL, NULL },
	{ "output_schema", false, true, TAPE_OBJECT, NULL, NULL },
};

static const char *type_text(const struct catalog_field *f)
{
	switch (f->type) {
	case TAPE_STRING:
		return "a string";
	case TAPE_OBJECT:
		return "an object";
	case TAPE_ARRAY:
		return "an array";
	default:
		return "true or false";
	}
}

static int check_value(const struct catalog_reader *r, uint32_t v, const char *what,
		       const struct catalog_field *f)
{
	bool same = tape_is(r->t, v, f->type) || (f->type == TAPE_TRUE && tape_is(r->t, v, TAPE_FALSE));

	if (f->nullable && tape_is(r->t, v, TAPE_NULL))
		return 0;
	if (!same)
		return catalog_fail(r, v, "%s: %s must be %s", what, f->name, type_text(f));
	if (f->check && !f->check(tape_text(r->t, v)))
		return catalog_fail(r, v, "%s: %s must be %s", what, f->name, f->expected);
	return 0;
}

int catalog_check_object(const struct catalog_reader *r, uint32_t object, const char *what,
			 const struct catalog_field *f, unsigned n)
{
	int e;

	if (!tape_is(r->t, object, TAPE_OBJECT))
		return catalog_fail(r, object, "%s must be an object", what);
	for (uint32_t i = tape_first(r->t, object); i != TAPE_NONE; i = tape_next(r->t, object, i)) {
		struct span name = tape_text(r->t, i);
		unsigned k = 0;

		while (k < n && !span_is(name, f[k].name))
			k++;
		if (k == n)
			return catalog_fail(r, i, "%s: unknown member \"%.*s\"", what,
					    (int)(name.n < 64 ? name.n : 64), name.p);
		e = check_value(r, i + 1, what, &f[k]);
		if (e < 0)
			return e;
	}
	for (unsigned k = 0; k < n; k++)
		if (f[k].required && tape_get(r->t, object, f[k].name) == TAPE_NONE)
			return catalog_fail(r, object, "%s: %s is missing", what, f[k].name);
	return 0;
}

static int check_spawn(const struct catalog_reader *r, uint32_t spawn)
{
	uint32_t args = tape_get(r->t, spawn, "args");
	int e = catalog_check_object(r, spawn, "spawn", spawn_fields, ARRAY_SIZE(spawn_fields));

	if (e < 0)
		return e;
	for (uint32_t i = tape_first(r->t, args); i != TAPE_NONE; i = tape_next(r->t, args, i))
		if (!tape_is(r->t, i, TAPE_STRING) || !no_nul(tape_text(r->t, i)))
			return catalog_fail(r, i, "spawn: args must be strings without NUL");
	return catalog_check_declaration(r, spawn);
}

static int check_server(const struct catalog_reader *r, uint32_t server)
{
	uint32_t spawn = tape_get(r->t, server, "spawn");
	uint32_t provenance = tape_get(r->t, server, "provenance");
	int e = catalog_check_object(r, server, "server", server_fields, ARRAY_SIZE(server_fields));

	if (e == 0 && spawn != TAPE_NONE)
		e = check_spawn(r, spawn);
	if (e == 0 && provenance != TAPE_NONE)
		e = catalog_check_object(r, provenance, "provenance", provenance_fields,
					 ARRAY_SIZE(provenance_fields));
	if (e < 0)
		return e;
	if (tape_text_is(r->t, tape_get(r->t, server, "transport"), "stdio")) {
		if (spawn == TAPE_NONE)
			return catalog_fail(r, server, "server: a stdio server needs spawn");
	} else if (tape_get(r->t, spawn, "measured") != TAPE_NONE || tape_get(r->t, spawn, "confine") != TAPE_NONE) {
		return catalog_fail(r, spawn, "spawn: only a stdio server can declare measured or confine");
	} else if (tape_get(r->t, server, "url") == TAPE_NONE ||
		   tape_get(r->t, server, "tls_fingerprint") == TAPE_NONE) {
		return catalog_fail(r, server, "server: a network server needs url and tls_fingerprint");
	}
	return 0;
}

int catalog_check_entry(const struct catalog_reader *r, uint32_t entry)
{
	int e = catalog_check_object(r, entry, "entry", entry_fields, ARRAY_SIZE(entry_fields));

	if (e == 0)
		e = check_server(r, tape_get(r->t, entry, "server"));
	if (e == 0)
		e = catalog_check_object(r, tape_get(r->t, entry, "approved_definition"),
					 "approved_definition", definition_fields,
					 ARRAY_SIZE(definition_fields));
	return e;
}
