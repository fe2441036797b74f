// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/catalog.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/mcp/canon.h"

#define DEFINITION "{\"description\":\"d\",\"input_schema\":{}}"
#define SERVER "{\"display_name\":\"s\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/s\"}}"
#define STDIO "{\"display_name\":\"s\",\"transport\":\"stdio\""
#define HTTP "{\"display_name\":\"s\",\"transport\":\"http-sse\""
#define REST "\"added_at\":\"2026-06-04T00:00:00Z\",\"approved_by\":\"me\""

/* One entry, with the right definition_hash worked out; NULL parts are left out. */
static void entry(struct buf *b, const char *tool, const char *server, const char *definition, const char *rest)
{
	struct span d = span_of(definition ? definition : DEFINITION);
	_cleanup_buf_ struct buf scratch = { 0 };
	uint8_t digest[SHA256_SIZE];
	char text[SHA256_PREFIXED_SIZE];
	struct tape t = { 0 };

	if (tape_parse(&t, d, NULL) == 0)
		assert_int_equal(canon_digest(&t, 0, &scratch, digest), 0);
	else
		memset(digest, 0, sizeof(digest));
	tape_done(&t);
	sha256_prefixed(digest, text);
	buf_printf(b, "%s\n{\"tool_name\":%s,\n\"server\":%s,\n\"approved_definition\":%.*s,\n"
		   "\"definition_hash\":\"%s\",%s}", buf_len(b) ? "," : "[", tool, server ? server : SERVER,
		   (int)d.n, d.p, text, rest ? rest : REST);
}

static struct catalog *parse_ok(struct buf *b, const char *pins)
{
	char err[CATALOG_ERROR_MAX];
	struct catalog *c = NULL;

	buf_append_str(b, "]");
	if (catalog_parse(buf_span(b), "c.json", span_of(pins), "p.json", &c, err) != 0)
		fail_msg("%s\n%s", err, buf_cstr(b));
	return c;
}

static void refused(const char *text, const char *want)
{
	char err[CATALOG_ERROR_MAX];
	struct catalog *c = (struct catalog *)1;

	assert_true(catalog_parse(span_of(text), "c.json", (struct span){ NULL, 0 }, NULL, &c, err) < 0);
	assert_ptr_equal(c, (struct catalog *)1);
	if (!strstr(err, want))
		fail_msg("%s\nsaid: %s\nwanted: %s", text, err, want);
}

static void names_file_line_and_reason(void **state)
{
	refused("", "c.json:1: the text ends inside a value");
	refused("{\"entries\":[]}", "c.json:1: a catalog is an array");
	refused("[\n\n{\"a\":1,\n\"a\":2}]", "c.json:4: name occurs twice");
	refused("[\n5]", "c.json:2: entry must be an object");
	refused("[\n{}]", "c.json:2: entry: tool_name is missing");
	refused("[{\"tool_name\":5}]", "tool_name must be a string");
	refused("[{\"tool_name\":\"\"}]", "tool_name must be text");
	refused("[{\"tool_name\":\"a\\u0000b\"}]", "tool_name must be text");
	refused("[{\"Tool_name\":\"a\"}]", "unknown member \"Tool_name\"");
}

static void checks_every_field(void **state)
{
	static const struct {
		const char *tool, *server, *definition, *rest, *want;
	} c[] = {
		{ .server = "{\"transport\":\"stdio\"}",
		  .want = "display_name is missing" },
		{ .server = "{\"display_name\":\"s\",\"transport\":\"pipe\"}",
		  .want = "transport must be stdio" },
		{ .server = STDIO "}",
		  .want = "c.json:3: server: a stdio server needs spawn" },
		{ .server = STDIO ",\"spawn\":{}}",
		  .want = "command is missing" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\",\"env\":{}}}",
		  .want = "unknown member \"env\"" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\",\"args\":[1]}}",
		  .want = "args must be strings" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\",\"args\":[\"a\\u0000\"]}}",
		  .want = "args must be strings" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\",\"binary_digest\":\"sha256:AB\"}}",
		  .want = "binary_digest must be" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\"},\"rotation_mode\":\"x\"}",
		  .want = "unknown member" },
		{ .server = HTTP "}",
		  .want = "needs url and tls_fingerprint" },
		{ .server = HTTP ",\"url\":\"http://h/\",\"tls_fingerprint\":\"x\"}",
		  .want = "tls_fingerprint must be" },
		{ .server = HTTP ",\"url\":\"ftp://h/\",\"tls_fingerprint\":\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"}",
		  .want = "url must begin" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\"},\"spiffe_id\":\"x\"}",
		  .want = "spiffe_id must be" },
		{ .server = STDIO ",\"spawn\":{\"command\":\"c\"},\"provenance\":{}}",
		  .want = "record_path is missing" },
		{ .definition = "{\"description\":\"d\"}",
		  .want = "input_schema is missing" },
		{ .definition = "{\"description\":\"d\",\"input_schema\":[]}",
		  .want = "input_schema must be an object" },
		{ .definition = "{\"description\":\"d\",\"input_schema\":{},\"output_schema\":1}",
		  .want = "output_schema must be an object" },
		{ .definition = "{\"description\":\"d\",\"input_schema\":{},\"annotations\":{}}",
		  .want = "c.json:4: approved_definition: unknown member \"annotations\"" },
		{ .rest = "\"added_at\":\"yesterday\",\"approved_by\":\"me\"",
		  .want = "added_at must be a date" },
		{ .rest = "\"added_at\":\"2026-06-04T00:00:00Z\"",
		  .want = "approved_by is missing" },
		{ .rest = REST ",\"compliance_domain\":\"secret\"",
		  .want = "compliance_domain must be" },
		{ .rest = REST ",\"requires_baa\":\"yes\"",
		  .want = "requires_baa must be true or false" },
		{ .rest = REST ",\"schema_validation_mode\":\"strict\"",
		  .want = "unknown member" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		_cleanup_buf_ struct buf b = { 0 };

		entry(&b, "\"t\"", c[i].server, c[i].definition, c[i].rest);
		buf_append_str(&b, "]");
		refused(buf_cstr(&b), c[i].want);
	}
}

static void entries_hold_together(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };

	refused("[{\"tool_name\":\"t\",\"server\":" SERVER ",\"approved_definition\":" DEFINITION ","
		"\n\"definition_hash\":\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"," REST "}]",
		"c.json:2: definition_hash is not that of approved_definition, which is sha256:");
	entry(&b, "\"t\"", NULL, NULL, NULL);
	entry(&b, "\"u\"", NULL, NULL, NULL);
	entry(&b, "\"\\u0074\"", NULL, NULL, NULL);
	buf_append_str(&b, "]");
	refused(buf_cstr(&b), "c.json:10: tool \"t\" of server \"s\" is listed twice");
	buf_clear(&b);
	entry(&b, "\"t\"", NULL, NULL, NULL);
	entry(&b, "\"u\"", "{\"display_name\":\"s\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/x\"}}", NULL, NULL);
	buf_append_str(&b, "]");
	refused(buf_cstr(&b), "c.json:7: server \"s\" is described otherwise on line 3");
	buf_clear(&b);
	entry(&b, "\"t\"", NULL, NULL, NULL);
	entry(&b, "\"u\"", "{\"display_name\":\"s2\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/s\",\"args\":[]}}", NULL, NULL);
	buf_append_str(&b, "]");
	refused(buf_cstr(&b), "server \"s2\" is the same as \"s\"");
	buf_clear(&b);
	entry(&b, "\"b/c\"", "{\"display_name\":\"a\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/a\"}}", NULL, NULL);
	entry(&b, "\"c\"", "{\"display_name\":\"a/b\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/b\"}}", NULL, NULL);
	buf_append_str(&b, "]");
	refused(buf_cstr(&b), "\"a/b/c\" names another tool too");
}

static void finds_exactly(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	const struct catalog_server *s, *s2;
	struct catalog *c;

	entry(&b, "\"b\"", NULL, NULL, NULL);
	entry(&b, "\"a\"", "{\"display_name\":\"s2\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/bin/z\"}}", NULL, NULL);
	entry(&b, "\"a\"", NULL, NULL, NULL);
	c = parse_ok(&b, NULL);
	assert_int_equal(catalog_server_count(c), 2);
	assert_int_equal(catalog_tool_count(c), 3);
	s = catalog_server_named(c, SPAN("s"));
	s2 = catalog_server_named(c, SPAN("s2"));
	assert_non_null(s);
	assert_non_null(s2);
	assert_null(catalog_server_named(c, SPAN("S")));
	assert_ptr_equal(catalog_tool_find(c, s, SPAN("a"))->server, s);
	assert_ptr_equal(catalog_tool_find(c, s2, SPAN("a"))->server, s2);
	assert_null(catalog_tool_find(c, s2, SPAN("b")));
	assert_null(catalog_tool_find(c, s, SPAN("A")));
	assert_null(catalog_tool_find(c, s, SPAN("")));
	assert_null(catalog_tool(c, 3));
	catalog_free(c);
	buf_clear(&b);
	buf_append_str(&b, "[");
	c = parse_ok(&b, NULL); /* nothing approved is a catalog too */
	assert_int_equal(catalog_tool_count(c), 0);
	catalog_free(c);
}

static const char *vectors(void)
{
	const char *root = getenv("TOLLGATE_VECTORS");

	return root ? root : "../shared/vectors";
}

static void reproduces_the_golden_hashes(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct tape t = { 0 };
	char path[1024];
	uint32_t list;
	unsigned seen = 0;

	snprintf(path, sizeof(path), "%s/trace/derived/cmcp-golden-hashes.json", vectors());
	if (file_read(path, 1 << 20, &b) < 0) {
		print_message("no vectors: %s\n", path);
		skip();
	}
	assert_int_equal(tape_parse(&t, buf_span(&b), NULL), 0);
	list = tape_get(&t, 0, "catalogs");
	for (uint32_t i = tape_first(&t, list); i != TAPE_NONE; i = tape_next(&t, list, i), seen++) {
		struct span file = tape_text(&t, tape_get(&t, i, "file"));
		struct span want = tape_text(&t, tape_get(&t, i, "catalog_hash"));
		char err[CATALOG_ERROR_MAX], text[SHA256_PREFIXED_SIZE];
		struct catalog *c;

		snprintf(path, sizeof(path), "%s/trace/cmcp/%.*s", vectors(), (int)file.n, file.p);
		if (catalog_load(path, NULL, &c, err) < 0) /* verifies every definition_hash */
			fail_msg("%s", err);
		sha256_prefixed(catalog_hash(c), text);
		assert_true(span_is(want, text));
		assert_int_equal(catalog_tool_count(c), t.tok[tape_get(&t, i, "entries")].count);
		catalog_free(c);
	}
	tape_done(&t);
	assert_int_equal(seen, 5);
}

static void loads_from_files(void **state)
{
	char dir[] = "/tmp/test_catalog.XXXXXX", path[128], pins[128], err[CATALOG_ERROR_MAX];
	_cleanup_buf_ struct buf b = { 0 };
	struct catalog *c = NULL;
	uint8_t zero[SHA256_SIZE] = { 0 };

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/catalog.json", dir);
	snprintf(pins, sizeof(pins), "%s/catalog.pins.json", dir);
	assert_int_equal(catalog_load(path, NULL, &c, err), -ENOENT);
	assert_non_null(strstr(err, "catalog.json: No such file"));
	entry(&b, "\"t\"", NULL, NULL, NULL);
	buf_append_str(&b, "]");
	assert_int_equal(file_replace(path, b.data, buf_len(&b), 0600), 0);
	assert_int_equal(catalog_load(path, NULL, &c, err), 0);
	assert_memory_equal(catalog_pins_hash(c), zero, sizeof(zero));
	catalog_free(c);
	assert_int_equal(catalog_load(path, pins, &c, err), -ENOENT); /* asked for by name */
	assert_int_equal(file_replace(pins, "", 0, 0600), 0);
	assert_true(catalog_load(path, NULL, &c, err) < 0); /* an empty sidecar is a broken one */
	assert_non_null(strstr(err, "catalog.pins.json:1: "));
	assert_int_equal(file_replace(pins, "[]", 2, 0600), 0);
	assert_int_equal(catalog_load(path, NULL, &c, err), 0);
	catalog_free(c);
	unlink(path);
	unlink(pins);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_file_line_and_reason),
		cmocka_unit_test(checks_every_field),
		cmocka_unit_test(entries_hold_together),
		cmocka_unit_test(finds_exactly),
		cmocka_unit_test(reproduces_the_golden_hashes),
		cmocka_unit_test(loads_from_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
