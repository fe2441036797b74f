// SPDX-License-Identifier: Apache-2.0
/* A catalog and its sidecar, separated by a NUL; then the input itself as a definition on the
 * wire. */
#include <stdlib.h>
#include <string.h>

#include "user/mcp/catalog_declare.h"
#include "user/proc/identity.h"

/* Whatever was declared is read back, and differs from nothing. */
static void declared(const struct catalog *c, const struct catalog_server *s)
{
	struct catalog_confine f;
	uint8_t digest[SHA256_SIZE];
	struct span path;
	char how[256];

	for (uint32_t i = tape_first(catalog_tape(c), s->measured); i != TAPE_NONE;
	     i = tape_next(catalog_tape(c), s->measured, i)) {
		catalog_measured(c, i, &path, digest);
		if (!catalog_covers(c, s, path) || path.p[0] != '/')
			abort();
	}
	(void)catalog_confine(c, s, &f);
	catalog_server_diff(catalog_tape(c), s->token, catalog_tape(c), s->token, how);
	if (*how)
		abort();
	catalog_server_diff(catalog_tape(c), s->token, catalog_tape(c), catalog_server(c, 0)->token, how);
}

static void use(struct catalog *c, struct span wire)
{
	struct proc_identity id = { .exe = "/bin/s", .exe_measured = 1, .args = "s", .args_len = 2 };
	struct catalog_http_target http = { .host = SPAN("localhost"), .port = 1, .path = SPAN("/") };
	struct catalog_match m;
	struct pin_result r;
	static struct tape t;

	for (unsigned k = 0; k < catalog_server_count(c); k++)
		declared(c, catalog_server(c, k));
	catalog_server_find_stdio(c, &id, &m);
	catalog_server_find_http(c, &http, &m);
	if (tape_parse(&t, wire, NULL) < 0)
		return;
	for (unsigned k = 0; k < catalog_server_count(c); k++)
		for (uint32_t i = 0; i < t.count; i++) {
			catalog_pin(c, catalog_server(c, k), &t, i, &r);
			if (r.verdict == PIN_CHANGED && !r.changed[0])
				abort();
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nul = memchr(data, 0, size);
	struct span text = { (const char *)data, nul ? (size_t)(nul - (const char *)data) : size };
	struct span pins = { nul ? nul + 1 : NULL, nul ? size - text.n - 1 : 0 };
	char err[CATALOG_ERROR_MAX];
	struct catalog *c;

	if (catalog_parse(text, "c", pins, "p", &c, err) < 0) {
		if (!err[0])
			abort();
		return 0;
	}
	use(c, text);
	use(c, pins);
	catalog_free(c);
	return 0;
}
