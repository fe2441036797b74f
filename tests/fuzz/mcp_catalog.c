// SPDX-License-Identifier: Apache-2.0
/* A catalog and its sidecar, separated by a NUL; then the input itself as a definition on the
 * wire. */
#include <stdlib.h>
#include <string.h>

#include "user/mcp/catalog.h"
#include "user/proc/identity.h"

static void use(struct catalog *c, struct span wire)
{
	struct proc_identity id = { .exe = "/bin/s", .exe_measured = 1, .args = "s", .args_len = 2 };
	struct catalog_http_target http = { .host = SPAN("localhost"), .port = 1, .path = SPAN("/") };
	struct catalog_match m;
	struct pin_result r;
	static struct tape t;

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
