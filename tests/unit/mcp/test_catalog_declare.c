// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/catalog_declare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/mcp/canon.h"

#define DIGEST "\"sha256:0000000000000000000000000000000000000000000000000000000000000001\""
#define MEASURED(path) "{\"path\":\"" path "\",\"digest\":" DIGEST "}"

/* A catalog of one tool whose server's spawn has these members behind the command. */
static void text_of(struct buf *b, const char *members)
{
	static const char definition[] = "{\"description\":\"d\",\"input_schema\":{}}";
	_cleanup_buf_ struct buf scratch = { 0 };
	char hash[SHA256_PREFIXED_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, span_of(definition), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &scratch, digest), 0);
	tape_done(&t);
	sha256_prefixed(digest, hash);
	buf_printf(b, "[{\"tool_name\":\"t\",\"server\":{\"display_name\":\"s\",\"transport\":\"stdio\",\"spawn\":"
		   "{\"command\":\"/bin/s\"%s%s}},\"approved_definition\":%s,\"definition_hash\":\"%s\","
		   "\"added_at\":\"2026-06-04T00:00:00Z\",\"approved_by\":\"me\"}]", *members ? "," : "", members,
		   definition, hash);
}

static struct catalog *parse(const char *members, char err[CATALOG_ERROR_MAX])
{
	_cleanup_buf_ struct buf b = { 0 };
	struct catalog *c = NULL;

	text_of(&b, members);
	(void)catalog_parse(buf_span(&b), "c", (struct span){ NULL, 0 }, NULL, &c, err);
	return c;
}

static struct catalog *parse_ok(const char *members)
{
	char err[CATALOG_ERROR_MAX];
	struct catalog *c = parse(members, err);

	if (!c)
		fail_msg("%s: %s", members, err);
	return c;
}

static void refused(const char *members, const char *want)
{
	char err[CATALOG_ERROR_MAX];

	if (parse(members, err) || !strstr(err, want))
		fail_msg("%s\nsaid: %s\nwanted: %s", members, err, want);
}

static void what_is_declared_is_read(void **state)
{
	struct catalog *c = parse_ok("\"measured\":[" MEASURED("/bin/s") "," MEASURED("/srv/x") "],\"confine\":{\"network\":true,"
				     "\"filesystem\":{\"read\":[\"/\",\"/a/b.c\"],\"write\":[\"/var\"]},\"env\":[\"A_1\",\"_\"]}");
	const struct catalog_server *s = catalog_server(c, 0);
	uint8_t digest[SHA256_SIZE], one[SHA256_SIZE] = { [SHA256_SIZE - 1] = 1 };
	struct catalog_confine f;
	struct span path;

	catalog_measured(c, tape_first(catalog_tape(c), s->measured), &path, digest);
	assert_true(span_is(path, "/bin/s"));
	assert_memory_equal(digest, one, sizeof(one));
	assert_true(catalog_confine(c, s, &f));
	assert_true(f.network);
	assert_int_equal(catalog_tape(c)->tok[f.read].count, 2);
	assert_int_equal(catalog_tape(c)->tok[f.write].count, 1);
	assert_int_equal(catalog_tape(c)->tok[f.env].count, 2);
	catalog_free(c);
}

static void what_is_absent_allows_nothing(void **state)
{
	static const uint8_t none[SHA256_SIZE];
	struct catalog *c = parse_ok("\"confine\":{}");
	struct catalog_confine f = { .network = true };

	assert_true(catalog_confine(c, catalog_server(c, 0), &f));
	assert_false(f.network);
	assert_true(f.read == TAPE_NONE && f.write == TAPE_NONE && f.env == TAPE_NONE);
	assert_memory_not_equal(catalog_server(c, 0)->declared, none, sizeof(none));
	catalog_free(c);
	c = parse_ok("\"confine\":{\"network\":false,\"filesystem\":{}}");
	assert_true(catalog_confine(c, catalog_server(c, 0), &f));
	assert_false(f.network);
	assert_int_equal(f.read, TAPE_NONE);
	catalog_free(c);
	c = parse_ok("");
	assert_false(catalog_confine(c, catalog_server(c, 0), &f));
	assert_memory_equal(catalog_server(c, 0)->declared, none, sizeof(none));
	catalog_free(c);
}

static void bad_declarations_are_refused(void **state)
{
	refused("\"confine\":[]", "confine must be an object");
	refused("\"confine\":{\"net\":true}", "unknown member \"net\"");
	refused("\"confine\":{\"Network\":true}", "unknown member \"Network\"");
	refused("\"confine\":{\"network\":\"yes\"}", "network must be true or false");
	refused("\"confine\":{\"network\":null}", "network must be true or false");
	refused("\"confine\":{\"filesystem\":{\"execute\":[]}}", "unknown member \"execute\"");
	refused("\"confine\":{\"filesystem\":{\"read\":\"/\"}}", "read must be an array");
	refused("\"confine\":{\"filesystem\":{\"read\":[\"data\"]}}", "filesystem.read must hold an absolute path");
	refused("\"confine\":{\"filesystem\":{\"write\":[\"/a/../b\"]}}", "filesystem.write must hold an absolute path");
	refused("\"confine\":{\"filesystem\":{\"read\":[\"/a/.\"]}}", "absolute path");
	refused("\"confine\":{\"filesystem\":{\"read\":[\"//a\"]}}", "absolute path");
	refused("\"confine\":{\"filesystem\":{\"read\":[\"/a/\"]}}", "absolute path");
	refused("\"confine\":{\"filesystem\":{\"read\":[\"/a\\u0000\"]}}", "absolute path");
	refused("\"confine\":{\"filesystem\":{\"read\":[5]}}", "absolute path");
	refused("\"confine\":{\"env\":[\"A=B\"]}", "env must hold names");
	refused("\"confine\":{\"env\":[\"1A\"]}", "env must hold names");
	refused("\"confine\":{\"env\":[\"\"]}", "env must hold names");
	refused("\"measured\":{}", "measured must be an array");
	refused("\"measured\":[]", "the command itself is not among them");
	refused("\"measured\":[" MEASURED("/bin/t") "]", "the command itself is not among them");
	refused("\"measured\":[{\"path\":\"/bin/s\"}]", "digest is missing");
	refused("\"measured\":[{\"path\":\"/bin/s\",\"digest\":\"sha256:0\"}]", "digest must be");
	refused("\"measured\":[{\"path\":\"s\",\"digest\":" DIGEST "}]", "path must be an absolute path");
	refused("\"measured\":[{\"path\":\"/bin/s\",\"digest\":" DIGEST ",\"mode\":1}]", "unknown member \"mode\"");
}

static void limits_are_kept(void **state)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct catalog *c;

	for (unsigned extra = 0; extra < 2; extra++) {
		buf_clear(&b);
		buf_append_str(&b, "\"confine\":{\"filesystem\":{\"read\":[");
		for (unsigned i = 0; i < CATALOG_PATHS_MAX + extra; i++)
			buf_printf(&b, "%s\"/%u\"", i ? "," : "", i);
		buf_append_str(&b, "]}}");
		if (extra) {
			refused(buf_cstr(&b), "filesystem.read: more than 64");
			continue;
		}
		c = parse_ok(buf_cstr(&b));
		catalog_free(c);
	}
	buf_clear(&b);
	buf_append_str(&b, "\"confine\":{\"env\":[\"A\"");
	for (unsigned i = 0; i < CATALOG_ENV_MAX / 4; i++)
		buf_append_str(&b, ",\"ABC\"");
	buf_append_str(&b, "]}");
	refused(buf_cstr(&b), "env: more than 4096 bytes");
	buf_clear(&b);
	buf_printf(&b, "\"measured\":[" MEASURED("/bin/s"));
	for (unsigned i = 0; i < CATALOG_MEASURED_MAX; i++)
		buf_append_str(&b, "," MEASURED("/x"));
	buf_append_str(&b, "]");
	refused(buf_cstr(&b), "measured: more than 64");
	buf_clear(&b);
	buf_append_str(&b, "\"confine\":{\"filesystem\":{\"read\":[\"/");
	for (unsigned i = 0; i < CATALOG_DECLARED_PATH_MAX; i++)
		buf_append_str(&b, "x");
	buf_append_str(&b, "\"]}}");
	refused(buf_cstr(&b), "absolute path");
}

static void network_servers_declare_nothing(void **state)
{
	static const char text[] =
		"[{\"tool_name\":\"t\",\"server\":{\"display_name\":\"s\",\"transport\":\"http-sse\",\"url\":\"http://x/\","
		"\"tls_fingerprint\":\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",\"spawn\":{\"command\":\"/bin/s\","
		"\"confine\":{}}},\"approved_definition\":{},\"definition_hash\":" DIGEST ",\"added_at\":\"2026-06-04T00:00:00Z\","
		"\"approved_by\":\"me\"}]";
	char err[CATALOG_ERROR_MAX];
	struct catalog *c;

	assert_true(catalog_parse(SPAN(text), "c", (struct span){ NULL, 0 }, NULL, &c, err) < 0);
	assert_non_null(strstr(err, "only a stdio server can declare"));
}

/* What is declared is part of what the catalog's hash pins, whatever its order in the file. */
static void the_hash_covers_it(void **state)
{
	struct catalog *a = parse_ok("\"confine\":{\"network\":false,\"env\":[]}");
	struct catalog *b = parse_ok("\"confine\":{\"env\":[],\"network\":false}");
	struct catalog *c = parse_ok("\"confine\":{\"env\":[],\"network\":true}");
	struct catalog *d = parse_ok("");

	assert_memory_equal(catalog_hash(a), catalog_hash(b), SHA256_SIZE);
	assert_memory_equal(catalog_server(a, 0)->declared, catalog_server(b, 0)->declared, SHA256_SIZE);
	assert_memory_not_equal(catalog_hash(a), catalog_hash(c), SHA256_SIZE);
	assert_memory_not_equal(catalog_server(a, 0)->declared, catalog_server(c, 0)->declared, SHA256_SIZE);
	assert_memory_not_equal(catalog_hash(a), catalog_hash(d), SHA256_SIZE);
	catalog_free(a);
	catalog_free(b);
	catalog_free(c);
	catalog_free(d);
}

static void a_path_is_covered_by_what_holds_it(void **state)
{
	struct catalog *c = parse_ok("\"measured\":[" MEASURED("/bin/s") "," MEASURED("/srv/x") "]");
	const struct catalog_server *s = catalog_server(c, 0);

	assert_true(catalog_covers(c, s, SPAN("/bin/s")));
	assert_true(catalog_covers(c, s, SPAN("/srv/x")));
	assert_true(catalog_covers(c, s, SPAN("/srv/x/y/z.js")));
	assert_false(catalog_covers(c, s, SPAN("/srv/xy")));
	assert_false(catalog_covers(c, s, SPAN("/srv")));
	assert_false(catalog_covers(c, s, SPAN("")));
	catalog_free(c);
	c = parse_ok("");
	assert_false(catalog_covers(c, catalog_server(c, 0), SPAN("/bin/s")));
	catalog_free(c);
}

static void differs(const char *a, const char *b, const char *want)
{
	struct catalog *x = parse_ok(a), *y = parse_ok(b);
	char how[256];

	catalog_server_diff(catalog_tape(x), catalog_server(x, 0)->token, catalog_tape(y), catalog_server(y, 0)->token,
			    how);
	assert_string_equal(how, want);
	catalog_free(x);
	catalog_free(y);
}

static void differences_are_named(void **state)
{
	differs("\"confine\":{}", "\"confine\":{}", "");
	differs("\"args\":[\"a\"]", "\"args\":[\"b\"]", "spawn.args");
	differs("", "\"confine\":{}", "spawn.confine (new)");
	differs("\"measured\":[" MEASURED("/bin/s") "]", "", "spawn.measured (gone)");
	differs("\"confine\":{\"network\":false,\"env\":[]}", "\"confine\":{\"network\":true,\"filesystem\":{}}",
		"spawn.confine, spawn.confine.network, spawn.confine.env (gone), spawn.confine.filesystem (new)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_declared_is_read),
		cmocka_unit_test(what_is_absent_allows_nothing),
		cmocka_unit_test(bad_declarations_are_refused),
		cmocka_unit_test(limits_are_kept),
		cmocka_unit_test(network_servers_declare_nothing),
		cmocka_unit_test(the_hash_covers_it),
		cmocka_unit_test(a_path_is_covered_by_what_holds_it),
		cmocka_unit_test(differences_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
