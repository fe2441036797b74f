// SPDX-License-Identifier: Apache-2.0
/* The commands of `tollgate policy`, with what they print caught in files. */
#include "tests/unit/cli/capture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

static char dir[] = "/tmp/cli-policy-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[4][128];
	static unsigned k;

	k = (k + 1) % 4;
	snprintf(path[k], sizeof(path[k]), "%s/%s", dir, name);
	return path[k];
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(name), text, strlen(text), 0600), 0);
}

static int run_words(const char *const *words, struct buf *out, struct buf *err)
{
	struct cli cli = { 0 };

	return capture(cli_policy, &cli, "policy", words, out, err);
}

static int run(const char *a, const char *b, const char *c, struct buf *out, struct buf *err)
{
	return run_words((const char *const[]){ a, b, c, NULL }, out, err);
}

static void good_files(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	write_file(
		"good",
		"permit(principal, action, resource);\n@id(\"x\") forbid(principal, action, resource);");
	assert_int_equal(run("check", path_of("good"), NULL, &out, &err), CLI_OK);
	assert_string_equal(buf_cstr(&out), "2 policies in 1 file, no errors\n");
	assert_int_equal(buf_len(&err), 0);
}

static void errors_are_explained(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[512];

	write_file(
		"bad",
		"permit(principal, action, resource)\nwhen {\n\tcontext.a = 1\n};\n\nallow(x);\n");
	assert_int_equal(run("check", path_of("bad"), NULL, &out, &err), CLI_FAILED);
	snprintf(want, sizeof(want),
		 "%s/bad:3:12: `=` is no operator: write `==`\n"
		 "    \tcontext.a = 1\n"
		 "    \t          ^\n"
		 "%s/bad:6:1: unexpected `allow`, expected `permit` or `forbid`\n"
		 "    allow(x);\n"
		 "    ^\n",
		 dir, dir);
	assert_string_equal(buf_cstr(&err), want);
	assert_int_equal(buf_len(&out), 0);
}

static void odd_texts(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char line[2048];

	write_file("empty", "");
	assert_int_equal(run("check", path_of("empty"), NULL, &out, &err), CLI_OK);
	memset(line, ' ', sizeof(line));
	strcpy(line + sizeof(line) - 20, "\xc3\xa9\xc3\xa9(\x01)");
	write_file("long", line);
	assert_int_equal(run("check", path_of("long"), NULL, &out, &err), CLI_FAILED);
	assert_true(buf_len(&err) < 400);
	write_file("broken", "permit(\xff");
	buf_clear(&err);
	assert_int_equal(run("check", path_of("broken"), NULL, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "broken:1:8: the text is not valid UTF-8"));
	buf_clear(&err);
	write_file("end", "permit(principal");
	assert_int_equal(run("check", path_of("end"), NULL, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "end:1:17: unexpected end of the text"));
}

static void json_is_one_document(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[512];

	write_file("bad", "permit(principal, action);");
	assert_int_equal(run("check", "--json", path_of("bad"), &out, &err), CLI_FAILED);
	snprintf(
		want, sizeof(want),
		"{\"files\":[{\"file\":\"%s/bad\",\"policies\":0,\"errors\":[{\"line\":1,\"column\":25,\"offset\":24,"
		"\"message\":\"the scope lacks `resource`: it is (principal, action, resource)\"}]}],"
		"\"policies\":0,\"ok\":false}\n",
		dir);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(buf_len(&err), 0);
	buf_clear(&out);
	assert_int_equal(run("check", "/nonexistent/x", "--json", &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&out), "\"message\":\"cannot be read: "));
}

/* Tests run in the top folder. */
static void examples(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	assert_int_equal(run("check", "policy/examples/coding-agents.cedar",
			     "policy/examples/sensitive.cedar", &out, &err),
			 CLI_OK);
	assert_string_equal(buf_cstr(&out), "9 policies in 2 files, no errors\n");
}

/* --- format ----------------------------------------------------------------------------------- */

#define UGLY "permit(principal,action,resource)when{ // why\n1<2};"
#define PRETTY "permit (principal, action, resource)\nwhen\n{ // why\n  1 < 2\n};\n"

static void expect_file(const char *name, const char *want)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(file_read(path_of(name), 1 << 20, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
}

static void format_in_place(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[256];
	struct stat st;

	write_file("a", UGLY);
	write_file("b", PRETTY);
	assert_int_equal(chmod(path_of("a"), 0640), 0);
	assert_int_equal(symlink("a", path_of("link")), 0);
	snprintf(want, sizeof(want), "%s/a: would change\n", dir);
	assert_int_equal(run_words((const char *const[]){ "format", "--check", path_of("a"), path_of("b"), NULL },
				   &out, &err),
			 CLI_FAILED);
	assert_string_equal(buf_cstr(&out), want);
	expect_file("a", UGLY);
	assert_int_equal(run("format", path_of("link"), path_of("b"), &out, &err), CLI_OK);
	snprintf(want, sizeof(want), "%s/link: formatted\n", dir);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(buf_len(&err), 0);
	expect_file("a", PRETTY);
	assert_int_equal(lstat(path_of("link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path_of("a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(run("format", "--check", path_of("a"), &out, &err), CLI_OK);
	assert_int_equal(buf_len(&out), 0);
}

/* One bad file does not keep the others from being formatted, and is left as it is. */
static void format_bad_files(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	write_file("bad", "permit(principal, action);");
	write_file("a", UGLY);
	assert_int_equal(run("format", path_of("bad"), path_of("a"), &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "bad:1:25: the scope lacks `resource`"));
	expect_file("bad", "permit(principal, action);");
	expect_file("a", PRETTY);
	assert_int_equal(run("format", "/nonexistent/x", NULL, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "cannot be read"));
}

static void format_options(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	static const char *const widths[] = { "0", "x", "", "-1", "1001", "80x", "99999999999999999999" };
	char want[256];

	write_file("a", "permit(principal,action,resource)when{context.aa==context.bb};");
	assert_int_equal(
		run_words((const char *const[]){ "format", path_of("a"), "--width", "30", NULL }, &out, &err),
		CLI_OK);
	expect_file("a", "permit\n(principal, action, resource)\nwhen\n{ context.aa == context.bb };\n");
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++)
		assert_int_equal(run_words((const char *const[]){ "format", "--width", widths[i], path_of("a"), NULL },
					   &out, &err),
				 CLI_USAGE);
	assert_int_equal(run("format", path_of("a"), "--width", &out, &err), CLI_USAGE);
	assert_int_equal(run("format", "--frob", path_of("a"), &out, &err), CLI_USAGE);
	assert_int_equal(run("format", "--check", NULL, &out, &err), CLI_USAGE);
	write_file("b", PRETTY);
	assert_int_equal(run("format", "--json", path_of("b"), &out, &err), CLI_OK);
	snprintf(want, sizeof(want),
		 "{\"files\":[{\"file\":\"%s/b\",\"changed\":false,\"errors\":[]}],\"ok\":true}\n", dir);
	assert_string_equal(buf_cstr(&out), want);
}

/* --- translate -------------------------------------------------------------------------------- */

#define JSON_SET \
	"{\"templates\":{},\"staticPolicies\":{\"policy0\":{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"}," \
	"\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\"," \
	"\"body\":{\"<\":{\"left\":{\"Value\":1},\"right\":{\"Value\":2}}}}]}},\"templateLinks\":[]}"

static void translate_both_ways(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[1024];

	write_file("a", UGLY);
	assert_int_equal(run_words((const char *const[]){ "translate", "--to", "json", path_of("a"), NULL }, &out, &err),
			 CLI_OK);
	assert_string_equal(buf_cstr(&out), JSON_SET "\n");
	write_file("b", JSON_SET);
	assert_int_equal(run_words((const char *const[]){ "translate", path_of("b"), "--to", "cedar", NULL }, &out, &err),
			 CLI_OK);
	assert_string_equal(buf_cstr(&out),
			    "permit(\n  principal,\n  action,\n  resource\n) when {\n  1 < 2\n};\n");
	assert_int_equal(
		run_words((const char *const[]){ "translate", "--json", "--to", "json", path_of("a"), NULL }, &out, &err),
		CLI_OK);
	snprintf(want, sizeof(want),
		 "{\"file\":\"%s/a\",\"policies\":1,\"templates\":0,\"errors\":[],\"json\":" JSON_SET "}\n", dir);
	assert_string_equal(buf_cstr(&out), want);
}

static void translate_errors(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	write_file("bad", "{\"effect\":\"permit\",\n\"principle\":1}");
	assert_int_equal(run_words((const char *const[]){ "translate", "--to", "cedar", path_of("bad"), NULL }, &out,
				   &err),
			 CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "bad:2:13: the key `principle` is not known here"));
	assert_int_equal(buf_len(&out), 0);
	write_file("b", "{\"templates\":{\"t\":{\"effect\":\"permit\",\"principal\":{\"op\":\"==\",\"slot\":\"?principal\"},"
			"\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[]}},\"templateLinks\":"
			"[{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?principal\":{\"type\":\"U\",\"id\":\"a\"}}}]}");
	assert_int_equal(run_words((const char *const[]){ "translate", "--to", "cedar", path_of("b"), NULL }, &out, &err),
			 CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "no form for the links"));
	assert_int_equal(run("translate", path_of("b"), NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run_words((const char *const[]){ "translate", "--to", "xml", path_of("b"), NULL }, &out, &err),
			 CLI_USAGE);
	assert_int_equal(run_words((const char *const[]){ "translate", "--to", "json", "x", "y", NULL }, &out, &err),
			 CLI_USAGE);
	assert_int_equal(run("translate", "x", "--to", &out, &err), CLI_USAGE);
}

static void usage(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	assert_int_equal(run(NULL, NULL, NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("check", NULL, NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("chekc", "x", NULL, &out, &err), CLI_USAGE);
	assert_int_equal(run("check", "--frob", "x", &out, &err), CLI_USAGE);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(run("--help", NULL, NULL, &out, &err), CLI_OK);
	assert_true(buf_len(&out) > 0);
}

static void schema_is_asked(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[900];

	write_file("schema", "entity User { name: String, boss?: User }; entity Doc { owner: User };\n"
			     "action view appliesTo { principal: User, resource: Doc };\n");
	write_file("good", "permit(principal, action, resource) when { resource.owner == principal };\n");
	write_file("wrong", "permit(principal, action == Action::\"veiw\", resource);\n"
			    "permit(principal, action, resource)\nwhen { resource.owner.nam == \"x\" };\n"
			    "forbid(principal, action, resource) when { false };\n");
	assert_int_equal(run_words((const char *const[]){ "check", "--schema", path_of("schema"), path_of("good"), NULL }, &out, &err),
			 CLI_OK);
	assert_string_equal(buf_cstr(&out), "1 policies in 1 file, no errors\n");
	assert_int_equal(run_words((const char *const[]){ "check", path_of("wrong"), "--schema", path_of("schema"), NULL }, &out, &err),
			 CLI_FAILED);
	snprintf(want, sizeof(want),
		 "%s/wrong:1:19: error: policy0: unknown action `Action::\"veiw\"`; did you mean `Action::\"view\"`?\n"
		 "    permit(principal, action == Action::\"veiw\", resource);\n                      ^\n"
		 "%s/wrong:3:23: error: policy1: no attribute `nam` in User; did you mean `name`?\n"
		 "    when { resource.owner.nam == \"x\" };\n                          ^\n"
		 "%s/wrong:4:1: warning: policy2: the policy is false for every request that the schema allows\n"
		 "    forbid(principal, action, resource) when\n    ^\n",
		 dir, dir, dir);
	assert_string_equal(buf_cstr(&err), want);
	assert_int_equal(buf_len(&out), 0);
	assert_int_equal(run_words((const char *const[]){ "check", "--level", "1", "--json", "--schema", path_of("schema"),
							  path_of("good"), NULL },
				   &out, &err),
			 CLI_OK);
	assert_non_null(strstr(buf_cstr(&out), "\"schema\":{\"file\":\""));
	assert_non_null(strstr(buf_cstr(&out), "\"findings\":[],\"policies\":1,\"ok\":true}"));
	assert_int_equal(run_words((const char *const[]){ "check", "--level", "0", "--json", "--schema", path_of("schema"),
							  path_of("good"), NULL },
				   &out, &err),
			 CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&out), "\"policy\":\"policy0\",\"severity\":\"error\",\"line\":1,\"column\":53"));
	/* What is wrong with the schema is said with its place. */
	write_file("schema", "entity User { a: Nope };");
	assert_int_equal(run_words((const char *const[]){ "check", "--schema", path_of("schema"), path_of("good"), NULL }, &out, &err),
			 CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "schema:1:18: no entity type, type or builtin is called `Nope`\n"
					       "    entity User { a: Nope };\n"));
	assert_int_equal(run("check", path_of("good"), "--schema", &out, &err), CLI_USAGE);
	assert_int_equal(run_words((const char *const[]){ "check", path_of("good"), "--level", "1", NULL }, &out, &err), CLI_USAGE);
	assert_int_equal(run_words((const char *const[]){ "check", path_of("good"), "--schema", "x", "--level", "1x", NULL }, &out,
				   &err),
			 CLI_USAGE);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "good", "bad", "empty", "long", "broken", "end",
					     "a",    "b",   "link",  "out",  "err",
					     "schema", "wrong", "catalog.json", "p", "tests.json" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

#define CATALOG \
	"[{\"tool_name\":\"read\",\"server\":{\"display_name\":\"fs\",\"transport\":\"stdio\",\"spawn\":{\"command\":\"/f\"," \
	"\"args\":[],\"binary_digest\":null,\"measure_target\":null}},\"approved_definition\":{\"description\":\"R\"," \
	"\"input_schema\":{\"type\":\"object\",\"properties\":{\"path\":{\"type\":\"string\"}},\"required\":[\"path\"]}," \
	"\"output_schema\":null},\"definition_hash\":" \
	"\"sha256:599dc48709344b2274ec373ed44dacaf50e81f69c8c45df8ab1313028cb9144f\"," \
	"\"added_at\":\"2026-11-21T00:00:00Z\",\"approved_by\":\"t\"}]"
#define SRV "@id(\"srv\") permit(principal, action == Action::\"fs/read\", resource) when { context.input.path like \"/srv/*\" };"

static void a_catalog_gives_the_schema(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char catalog[128], policies[128];

	snprintf(catalog, sizeof(catalog), "%s/catalog.json", dir);
	snprintf(policies, sizeof(policies), "%s/p", dir);
	write_file("catalog.json", CATALOG);
	assert_int_equal(run("schema", "--catalog", catalog, &out, &err), CLI_OK);
	assert_non_null(strstr(buf_cstr(&out), "action \"fs/read\" in [\"tools/call\"] appliesTo {"));
	assert_non_null(strstr(buf_cstr(&out), "\"path\": String,"));
	write_file("p", SRV);
	assert_int_equal(run_words((const char *const[]){ "check", "--catalog", catalog, policies, NULL }, &out, &err),
			 CLI_OK);
	write_file("p", "permit(principal, action == Action::\"fs/raed\", resource);");
	assert_int_equal(run_words((const char *const[]){ "check", "--catalog", catalog, policies, NULL }, &out, &err),
			 CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "did you mean `Action::\"fs/read\"`?"));
	write_file("catalog.json", "[{}]");
	assert_int_equal(run("schema", "--catalog", catalog, &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "cannot be used"));
	assert_int_equal(run("schema", "--catalog", NULL, &out, &err), CLI_USAGE);
}

static int judge_tests(const char *tests, struct buf *out, struct buf *err)
{
	char catalog[128], file[128], policies[128];

	snprintf(catalog, sizeof(catalog), "%s/catalog.json", dir);
	snprintf(file, sizeof(file), "%s/tests.json", dir);
	snprintf(policies, sizeof(policies), "%s/p", dir);
	write_file("catalog.json", CATALOG);
	write_file("p", SRV);
	write_file("tests.json", tests);
	return run_words((const char *const[]){ "test", "--catalog", catalog, "--tests", file, policies, NULL }, out,
			 err);
}

#define READ(name, path, rest) \
	"{\"name\":\"" name "\",\"agent\":\"a\",\"server\":\"fs\",\"tool\":\"read\",\"input\":{\"path\":\"" path "\"}," rest "}"

static void expectations_are_compared(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };

	assert_int_equal(judge_tests("{\"tests\":[" READ("one", "/srv/x", "\"expect\":\"allow\",\"policies\":[\"srv\"]") ","
				   READ("two", "/etc/x", "\"expect\":\"deny\"") "]}", &out, &err), CLI_OK);
	assert_string_equal(buf_cstr(&out), "ok one\nok two\n2 passed, 0 failed\n");
	assert_int_equal(judge_tests("{\"tests\":[" READ("one", "/srv/x", "\"expect\":\"deny\"") ","
				   READ("two", "/srv/x", "\"expect\":\"allow\",\"policies\":[\"other\"]") ","
				   READ("three", "/etc/x", "\"expect\":\"maybe\"") ","
				   "{\"name\":\"four\",\"agent\":\"a\",\"expect\":\"deny\"}]}", &out, &err), CLI_FAILED);
	assert_string_equal(buf_cstr(&out),
			    "FAIL one: expected deny, got allow by srv\n"
			    "FAIL two: expected allow, got allow by srv\n"
			    "FAIL three: expected maybe, got a test whose \"expect\" is neither allow nor deny\n"
			    "FAIL four: expected deny, got a test that asks for nothing that can be judged\n"
			    "0 passed, 4 failed\n");
	assert_int_equal(judge_tests("{\"tests\":[]}", &out, &err), CLI_FAILED); /* nothing was shown */
	assert_int_equal(judge_tests("{\"tests\":", &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "tests.json: line 1"));
}

/* What judge_tests() wrote, explained. */
static int explain(const char *more, const char *name, struct buf *out, struct buf *err)
{
	char catalog[128], file[128], policies[128];

	snprintf(catalog, sizeof(catalog), "%s/catalog.json", dir);
	snprintf(file, sizeof(file), "%s/tests.json", dir);
	snprintf(policies, sizeof(policies), "%s/p", dir);
	return run_words((const char *const[]){ "explain", "--catalog", catalog, "--tests", file, policies, more, name,
						NULL }, out, err);
}

#define MORE_POLICIES \
	SRV "\npermit(principal, action == Action::\"spawn\", resource);\n" \
	"@id(\"no-dots\") forbid(principal is Agent, action == Action::\"fs/read\", resource)\n" \
	"unless { principal.name == \"root\" || !(context.input.path like \"*..*\") };\n"

static void reasons_are_explained(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[1500];

	(void)judge_tests("{\"tests\":[" READ("in", "/srv/x", "\"expect\":\"allow\"") ","
			  READ("out", "/etc/x", "\"expect\":\"deny\"") "," READ("up", "/srv/../x", "\"expect\":\"deny\"") "]}",
			  &out, &err);
	write_file("p", MORE_POLICIES);
	assert_int_equal(explain(NULL, NULL, &out, &err), CLI_OK);
	snprintf(want, sizeof(want),
		 "in: allow by srv (for a)\n"
		 "  %s/p:1:1: permit srv: holds\n"
		 "  %s/p:3:1: forbid no-dots: does not hold: unless !(context.input.path like \"*..*\")\n"
		 "      context.input.path = \"/srv/x\"\n"
		 "  1 more: the scope is another\n"
		 "out: deny: no policy permits it (for a)\n"
		 "  %s/p:1:1: permit srv: does not hold: context.input.path like \"/srv/*\"\n"
		 "      context.input.path = \"/etc/x\"\n"
		 "  %s/p:3:1: forbid no-dots: does not hold: unless !(context.input.path like \"*..*\")\n"
		 "      context.input.path = \"/etc/x\"\n"
		 "  1 more: the scope is another\n"
		 "up: deny by no-dots (for a)\n"
		 "  %s/p:1:1: permit srv: holds\n"
		 "  %s/p:3:1: forbid no-dots: holds\n"
		 "  1 more: the scope is another\n",
		 dir, dir, dir, dir, dir, dir);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(explain("--test", "out", &out, &err), CLI_OK);
	assert_null(strstr(buf_cstr(&out), "up: "));
	assert_non_null(strstr(buf_cstr(&out), "out: deny: "));
	write_file("p", SRV "\n@id(\"many\") forbid(principal, action == Action::\"fs/read\", resource)\n"
		   "when { context.session.calls + 9223372036854775807 > 0 && context.input.path != \"\" };\n");
	write_file("tests.json", "{\"tests\":[" READ("much", "/srv/x", "\"session\":{\"calls\":1}") "]}");
	assert_int_equal(explain(NULL, NULL, &out, &err), CLI_OK);
	snprintf(want, sizeof(want),
		 "much: deny by many, for a forbid that fails denies (for a)\n"
		 "  %s/p:1:1: permit srv: holds\n"
		 "  %s/p:2:1: forbid many: fails: context.session.calls + 9223372036854775807 > 0\n"
		 "      integer overflow in adding\n"
		 "      context.session.calls = 1\n",
		 dir, dir);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(explain("--test", "nope", &out, &err), CLI_FAILED);
	assert_non_null(strstr(buf_cstr(&err), "tests.json: has no test of this name"));
	assert_int_equal(explain("--frob", NULL, &out, &err), CLI_USAGE);
}

static void explanations_in_json(void **state)
{
	_cleanup_buf_ struct buf out = { 0 }, err = { 0 };
	char want[1000];

	(void)judge_tests("{\"tests\":[" READ("out", "/etc/x", "\"expect\":\"deny\"") ","
			  "{\"name\":\"none\",\"tool\":\"read\",\"server\":\"fs\",\"expect\":\"deny\"}]}", &out, &err);
	assert_int_equal(explain("--json", NULL, &out, &err), CLI_OK);
	snprintf(want, sizeof(want),
		 "{\"tests\":[{\"name\":\"out\",\"decision\":\"deny\",\"principal\":\"a\",\"error\":null,\"decided_by\":[],"
		 "\"policies\":[{\"policy\":\"srv\",\"effect\":\"permit\",\"file\":\"%s/p\",\"line\":1,\"column\":1,"
		 "\"standing\":\"does not hold\",\"unless\":false,\"conjunct\":\"context.input.path like \\\"/srv/*\\\"\","
		 "\"error\":null,\"values\":{\"context.input.path\":\"\\\"/etc/x\\\"\"}}]},"
		 "{\"name\":\"none\",\"decision\":\"deny\",\"principal\":\"\",\"error\":\"the agent is not known\","
		 "\"decided_by\":[],\"policies\":[]}]}\n",
		 dir);
	assert_string_equal(buf_cstr(&out), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_catalog_gives_the_schema),
		cmocka_unit_test(expectations_are_compared),
		cmocka_unit_test(reasons_are_explained),
		cmocka_unit_test(explanations_in_json),
		cmocka_unit_test(good_files), cmocka_unit_test(errors_are_explained),
		cmocka_unit_test(odd_texts),  cmocka_unit_test(json_is_one_document), cmocka_unit_test(schema_is_asked),
		cmocka_unit_test(examples),
		cmocka_unit_test(format_in_place),
		cmocka_unit_test(format_bad_files),
		cmocka_unit_test(format_options),
		cmocka_unit_test(translate_both_ways),
		cmocka_unit_test(translate_errors),
		cmocka_unit_test(usage),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
