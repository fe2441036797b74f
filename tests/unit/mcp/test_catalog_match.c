// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/catalog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/mcp/catalog_write.h"
#include "user/proc/identity.h"

#define ONES "sha256:0101010101010101010101010101010101010101010101010101010101010101"
#define TWOS "sha256:0202020202020202020202020202020202020202020202020202020202020202"
#define FINGER "\"tls_fingerprint\":\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""

static struct catalog *catalog_of(const char *const *servers, size_t n)
{
	struct catalog_approval a = { "2026-11-21T00:00:00Z", "me" };
	_cleanup_buf_ struct buf b = { 0 };
	char err[CATALOG_ERROR_MAX];
	struct catalog *c = NULL;
	struct tape t = { 0 };

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(tape_parse(&t, SPAN("{\"name\":\"t\"}"), NULL), 0);
		buf_append_str(&b, i ? "," : "[");
		assert_int_equal(catalog_write_entry(&t, 0, span_of(servers[i]), &a, &b), 0);
	}
	buf_append_str(&b, "]");
	tape_done(&t);
	if (catalog_parse(buf_span(&b), "c", (struct span){ NULL, 0 }, NULL, &c, err) < 0)
		fail_msg("%s", err);
	return c;
}

/* A process: image with digest 01.., script (if any) with digest 02... */
static struct proc_identity process(const char *exe, const char *script, const char *args, size_t args_len)
{
	struct proc_identity id = { .pid = 1, .exe_measured = 1, .args_len = (uint32_t)args_len };

	snprintf(id.exe, sizeof(id.exe), "%s", exe);
	memset(id.exe_digest, 1, SHA256_SIZE);
	if (script) {
		snprintf(id.script, sizeof(id.script), "%s", script);
		memset(id.script_digest, 2, SHA256_SIZE);
		id.script_measured = 1;
	}
	memcpy(id.args, args, args_len);
	return id;
}

#define ARGS(s) s, sizeof(s)

static const char *const servers[] = {
	"{\"display_name\":\"js\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/usr/bin/node\",\"args\":[\"/s/a.js\",\"stdio\"],"
	"\"binary_digest\":\"" TWOS "\",\"measure_target\":\"/s/a.js\"}}",
	"{\"display_name\":\"js2\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/usr/bin/node\",\"args\":[\"/s/b.js\"],"
	"\"binary_digest\":\"" ONES "\",\"measure_target\":null}}",
	"{\"display_name\":\"native\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/n\",\"binary_digest\":\"" ONES "\"}}",
	"{\"display_name\":\"loose\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/l\",\"args\":[]}}",
	"{\"display_name\":\"npx\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"npx\",\"args\":[\"x\"]}}",
	"{\"display_name\":\"elsewhere\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/e\",\"binary_digest\":\"" ONES "\","
	"\"measure_target\":\"/s/other\"}}",
};

static struct catalog_match find(struct catalog *c, const struct proc_identity *id)
{
	struct catalog_match m;

	catalog_server_find_stdio(c, id, &m);
	return m;
}

static void expect(const struct catalog_match *m, const char *name, const char *reason)
{
	if (name ? !m->server || !span_is(m->server->name, name) : m->server != NULL)
		fail_msg("wanted %s, got %.*s: %s", name, m->server ? (int)m->server->name.n : 4,
			 m->server ? m->server->name.p : "none", m->reason);
	if (!strstr(m->reason, reason))
		fail_msg("wanted \"%s\", got \"%s\"", reason, m->reason);
}

static void matches_a_process(void **state)
{
	struct catalog *c = catalog_of(servers, ARRAY_SIZE(servers));
	struct proc_identity id = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js\0stdio"));
	struct catalog_match m = find(c, &id);

	expect(&m, "js", "");
	assert_string_equal(m.reason, "");
	assert_true(m.measured);
	assert_false(m.script_unmeasured);
	id = process("/usr/bin/node", "/s/b.js", ARGS("anything\0/s/b.js"));
	m = find(c, &id);
	expect(&m, "js2", "");
	assert_true(m.measured && m.script_unmeasured); /* the interpreter's digest says nothing of the script */
	id = process("/bin/n", NULL, ARGS("n"));
	m = find(c, &id);
	expect(&m, "native", "");
	assert_true(m.measured && !m.script_unmeasured);
	id = process("/bin/l", NULL, ARGS("l"));
	m = find(c, &id);
	expect(&m, "loose", "no digest");
	assert_false(m.measured);
	catalog_free(c);
}

static void says_why_not(void **state)
{
	struct catalog *c = catalog_of(servers, ARRAY_SIZE(servers));
	struct proc_identity good = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js\0stdio")), id;
	struct catalog_match m;

#define NOT(change, why) do { id = good; change; m = find(c, &id); expect(&m, NULL, why); assert_false(m.measured); } while (0)
	NOT(id.exe[0] = '\0', "no server of the catalog runs");
	NOT(memcpy(id.exe, "/usr/bin/nod\n", 14), "runs /usr/bin/nod?");
	NOT(id = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js")), "with these arguments");
	NOT(id = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js\0stdio\0")), "with these arguments");
	NOT(id = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js\0stdio\0--eval")), "with these arguments");
	NOT(id = process("/usr/bin/node", "/s/a.js", ARGS("node\0-r\0/s/a.js\0stdio")), "with these arguments");
	NOT(id = process("/usr/bin/node", "/s/a.js", ARGS("node\0/s/a.js stdio")), "with these arguments");
	NOT(id.args_truncated = 1, "too long to compare");
	NOT(memcpy(id.loader, "NODE_OPTIONS,LD_PRELOAD", 24), "are set: NODE_OPTIONS,LD_PRELOAD");
	NOT(id.script_digest[31] ^= 1, "/s/a.js has digest sha256:02020202");
	NOT(id.script_measured = 0, "/s/a.js could not be measured");
	NOT(memcpy(id.script, "/s/c.js", 8), "measure_target /s/a.js is neither");
	NOT(id.script[0] = '\0', "measure_target /s/a.js is neither");
	NOT(id = process("/bin/n", NULL, ARGS("n")); id.exe_digest[0] ^= 1, "/bin/n has digest");
	NOT(id = process("/bin/n", NULL, ARGS("n")); id.exe_measured = 0, "could not be measured");
	NOT(id = process("/bin/n", NULL, ARGS("n\0x")), "with these arguments");
	NOT(id = process("/bin/e", "/s/x", ARGS("e")), "measure_target /s/other is neither");
	NOT(id = process("/usr/bin/npx", NULL, ARGS("npx\0x")), "no server of the catalog runs /usr/bin/npx");
	NOT(memset(id.exe, 'x', sizeof(id.exe)), "could not be identified"); /* not terminated */
	catalog_server_find_stdio(c, NULL, &m);
	expect(&m, NULL, "could not be identified");
	catalog_free(c);
}

static const char *const web[] = {
	"{\"display_name\":\"local\",\"transport\":\"streamable-http\",\"url\":\"http://localhost:3001/mcp\"," FINGER ","
	"\"spawn\":{\"command\":\"/bin/n\",\"binary_digest\":\"" ONES "\"}}",
	"{\"display_name\":\"bare\",\"transport\":\"streamable-http\",\"url\":\"http://127.0.0.1:3002\"," FINGER "}",
	"{\"display_name\":\"far\",\"transport\":\"streamable-http\",\"url\":\"http://Tools.example:8080/mcp\"," FINGER "}",
	"{\"display_name\":\"six\",\"transport\":\"streamable-http\",\"url\":\"http://[2001:db8::1]/mcp\"," FINGER "}",
	"{\"display_name\":\"tls\",\"transport\":\"streamable-http\",\"url\":\"https://tools.example/mcp\"," FINGER "}",
};

static void matches_an_endpoint(void **state)
{
	struct proc_identity owner = process("/bin/n", NULL, ARGS("n")), other = process("/bin/m", NULL, ARGS("m"));
	struct catalog *c = catalog_of(web, ARRAY_SIZE(web));
	const struct {
		struct catalog_http_target t;
		const char *name, *reason;
	} rows[] = {
		{ { false, true, SPAN("localhost"), 3001, SPAN("/mcp"), &owner }, "local", "" },
		{ { false, true, SPAN("127.0.0.1"), 3001, SPAN("/mcp"), &owner }, "local", "" },
		{ { false, true, SPAN("::1"), 3001, SPAN("/mcp"), &owner }, "local", "" },
		{ { false, true, SPAN("LocalHost"), 3001, { NULL, 0 }, &owner }, "local", "" },
		{ { false, true, SPAN("localhost"), 3001, SPAN("/mcp"), &other }, NULL, "no server of the catalog runs /bin/m" },
		{ { false, true, SPAN("localhost"), 3001, SPAN("/mcp"), NULL }, NULL, "owner of the listening socket is not known" },
		{ { false, true, SPAN("localhost"), 3001, SPAN("/mcp/"), &owner }, NULL, "at http://localhost:3001/mcp/" },
		{ { false, true, SPAN("localhost"), 3001, SPAN("/%6dcp"), &owner }, NULL, "no server of the catalog is at" },
		{ { false, true, SPAN("localhost"), 3002, SPAN("/"), &owner }, NULL, "has no spawn" },
		{ { false, false, SPAN("localhost"), 3001, SPAN("/mcp"), &owner }, NULL, "no server of the catalog is at" },
		{ { true, true, SPAN("localhost"), 3001, SPAN("/mcp"), &owner }, NULL, "no server of the catalog is at" },
		/* what goes to the loopback is not the far server, whatever the request calls it */
		{ { false, true, SPAN("tools.example"), 8080, SPAN("/mcp"), &owner }, NULL, "no server of the catalog is at" },
		{ { false, false, SPAN("tools.example"), 8080, SPAN("/mcp"), NULL }, "far", "" },
		{ { false, false, SPAN("TOOLS.EXAMPLE"), 8080, SPAN("/mcp"), NULL }, "far", "" },
		{ { false, false, SPAN("tools.example."), 8080, SPAN("/mcp"), NULL }, NULL, "no server" },
		{ { false, false, SPAN("xtools.example"), 8080, SPAN("/mcp"), NULL }, NULL, "no server" },
		{ { false, false, SPAN("tools.example"), 80, SPAN("/mcp"), NULL }, NULL, "no server" },
		{ { true, false, SPAN("tools.example"), 443, SPAN("/mcp"), NULL }, "tls", "" },
		{ { false, false, SPAN("2001:DB8:0::1"), 80, SPAN("/mcp"), NULL }, "six", "" },
		{ { false, false, SPAN("\n\x1b[31m"), 80, SPAN("/\x07"), NULL }, NULL, "at http://??[31m:80/?" },
		{ { false, false, SPAN(""), 0, SPAN(""), NULL }, NULL, "no server" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct catalog_match m;

		catalog_server_find_http(c, &rows[i].t, &m);
		expect(&m, rows[i].name, rows[i].reason);
	}
	catalog_free(c);
}

static void refuses_ambiguous_urls(void **state)
{
	static const char *const bad[] = {
		"http:///mcp", "http://", "//h/", "http://u@h/", "http://u:p@h/", "http://h:/", "http://h:0/",
		"http://h:65536/", "http://h:1a/", "http://h/?q", "http://h/#f", "http://h?q", "http://[::1/",
		"http://[::1]x/", "http://[h]]/", "http://h h/", "http://h/ ", "http://h\xc3\xa9/", "http://h%41/", "HTTP://h/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct catalog_approval a = { "2026-11-21T00:00:00Z", "me" };
		_cleanup_buf_ struct buf b = { 0 };
		char err[CATALOG_ERROR_MAX], server[512];
		struct catalog *c = NULL;
		struct tape t = { 0 };

		snprintf(server, sizeof(server), "{\"display_name\":\"s\",\"transport\":\"http-sse\",\"url\":\"%s\"," FINGER "}", bad[i]);
		assert_int_equal(tape_parse(&t, SPAN("{\"name\":\"t\"}"), NULL), 0);
		buf_append_str(&b, "[");
		assert_int_equal(catalog_write_entry(&t, 0, span_of(server), &a, &b), 0);
		buf_append_str(&b, "]");
		tape_done(&t);
		if (catalog_parse(buf_span(&b), "c", (struct span){ NULL, 0 }, NULL, &c, err) == 0)
			fail_msg("accepted %s", bad[i]);
		assert_non_null(strstr(err, "url"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_a_process),
		cmocka_unit_test(says_why_not),
		cmocka_unit_test(matches_an_endpoint),
		cmocka_unit_test(refuses_ambiguous_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
