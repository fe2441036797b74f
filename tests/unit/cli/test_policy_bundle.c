// SPDX-License-Identifier: Apache-2.0
/* Hashes and signatures of policies and of cMCP bundles: `tollgate policy hash` and `sign`. */
#include "user/cli/policy_bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "attest/json_text.h"
#include "tests/unit/cli/capture.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

#define MANIFEST \
	"{\"version\":\"1.0.0\",\"authored_at\":\"2026-06-04T00:00:00Z\",\"author_identity\":\"J\xc3\xb6rg\"," \
	"\"commit_sha\":\"c0ffee\",\"approval_chain\":[]"
#define ALLOW "permit (principal, action, resource);\n"

static char dir[] = "/tmp/cli-bundle-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[16][160]; /* one run() takes five */
	static unsigned k;

	k = (k + 1) % 16;
	snprintf(path[k], sizeof(path[k]), "%s/%s", dir, name);
	return path[k];
}

static void write_file(const char *name, const char *text)
{
	assert_int_equal(file_replace(path_of(name), text, strlen(text), 0600), 0);
}

static void expect_file(const char *name, const char *want)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(file_read(path_of(name), 1 << 20, &b), 0);
	assert_string_equal(buf_cstr(&b), want);
}

/* What the last run printed. */
static struct buf out, err;

static int run(const char *const *words)
{
	struct cli cli = { .config = path_of("tollgate.conf") };

	return capture(cli_policy, &cli, "policy", words, &out, &err);
}
#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static void expect_error(const char *part)
{
	if (!strstr(buf_cstr(&err), part))
		fail_msg("\"%s\" is not in: %s", part, buf_cstr(&err));
	assert_int_equal(buf_len(&out), 0);
}

static void write_bundle(void)
{
	write_file("bundle/manifest.json", MANIFEST "}");
	write_file("bundle/schema.cedarschema", "{}");
	write_file("bundle/b.cedar", ALLOW);
	write_file("bundle/sub/a.cedar", "// nothing\n");
}

/* --- hashes of files ----------------------------------------------------------------------------- */

static void files_hash_as_records_name_them(void **state)
{
	char a[128], b[128], hash[SHA256_PREFIXED_SIZE], want[200];
	struct mcp_policy_text texts[2] = { { b, SPAN("") }, { a, SPAN(ALLOW) } };

	snprintf(a, sizeof(a), "%s/p.cedar", dir);
	snprintf(b, sizeof(b), "%s/q.cedar", dir);
	write_file("p.cedar", ALLOW);
	write_file("q.cedar", "");
	assert_int_equal(mcp_texts_hash(texts, 2, hash), 0);
	snprintf(want, sizeof(want), "%s\n", hash);
	assert_int_equal(RUN("hash", a, b), CLI_OK);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(RUN("hash", b, a), CLI_OK);
	assert_string_equal(buf_cstr(&out), want);
	assert_int_equal(RUN("hash", "--json", a, b), CLI_OK);
	snprintf(want, sizeof(want), "{\"hash\":\"%s\"}\n", hash);
	assert_string_equal(buf_cstr(&out), want);
	write_file("q.cedar", " ");
	assert_int_equal(RUN("hash", "--json", a, b), CLI_OK);
	assert_string_not_equal(buf_cstr(&out), want);
	assert_int_equal(RUN("hash", a, "/nonexistent/x"), CLI_FAILED);
	expect_error("/nonexistent/x: No such file");
}

static void without_files_the_configuration_says_which(void **state)
{
	_cleanup_buf_ struct buf want = { 0 };
	char conf[300];

	write_file("d/1.cedar", ALLOW);
	write_file("d/2.cedar", "");
	write_file("d/readme", "no policy");
	snprintf(conf, sizeof(conf), "agents: []\npolicy: [%s]\n", path_of("d"));
	write_file("tollgate.conf", conf);
	assert_int_equal(RUN("hash", path_of("d/2.cedar"), path_of("d/1.cedar")), CLI_OK);
	assert_int_equal(buf_append(&want, buf_span(&out).p, buf_len(&out)), 0);
	if (RUN("hash") != CLI_OK) /* say why */
		fail_msg("%s", buf_cstr(&err));
	assert_string_equal(buf_cstr(&out), buf_cstr(&want));
	write_file("tollgate.conf", "agents: []\npolicy: 7\n");
	assert_int_equal(RUN("hash"), CLI_FAILED);
	expect_error("tollgate.conf:2:");
}

/* --- bundles ------------------------------------------------------------------------------------- */

/* The digest of exactly this text, written down beside the code. */
static void a_bundle_hashes_as_the_format_says(void **state)
{
	static const char form[] =
		"{\"manifest\":{\"approval_chain\":[],\"author_identity\":\"J\\u00f6rg\","
		"\"authored_at\":\"2026-06-04T00:00:00Z\",\"commit_sha\":\"c0ffee\",\"version\":\"1.0.0\"},"
		"\"policy_files\":{\"b.cedar\":"
		"\"1111111111111111111111111111111111111111111111111111111111111111\",\"sub/a.cedar\":"
		"\"0000000000000000000000000000000000000000000000000000000000000000\"},\"schema_hash\":"
		"\"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}";
	char text[sizeof(form)], hex[SHA256_HEX_SIZE], want[SHA256_PREFIXED_SIZE + 1];
	uint8_t digest[SHA256_SIZE];

	write_bundle();
	memcpy(text, form, sizeof(form));
	sha256(ALLOW, strlen(ALLOW), digest);
	hex_encode(digest, sizeof(digest), hex);
	memcpy(strstr(text, "11111"), hex, SHA256_HEX_SIZE - 1);
	sha256("// nothing\n", 11, digest);
	hex_encode(digest, sizeof(digest), hex);
	memcpy(strstr(text, "00000"), hex, SHA256_HEX_SIZE - 1);
	sha256(text, sizeof(form) - 1, digest);
	sha256_prefixed(digest, want);
	strcat(want, "\n");
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_OK);
	assert_string_equal(buf_cstr(&out), want);
	/* Neither the layout of the manifest, nor a signature, nor line ends, nor other files change it. */
	write_file("bundle/manifest.json", "\r\n" MANIFEST ",\r\n \"signature\":\"x\"}\r");
	write_file("bundle/sub/a.cedar", "// nothing\r\n");
	write_file("bundle/b.cedar", "permit (principal, action, resource);\r");
	write_file("bundle/note.txt", "x");
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_OK);
	assert_string_equal(buf_cstr(&out), want);
	write_file("bundle/b.cedar", ALLOW "\n");
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_OK);
	assert_string_not_equal(buf_cstr(&out), want);
}

static void expect_refused(const char *file, const char *text, const char *why)
{
	if (text)
		write_file(file, text);
	else
		assert_int_equal(unlink(path_of(file)), 0);
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_FAILED);
	expect_error(why);
	expect_error(dir);
	write_bundle();
}

static void bad_bundles(void **state)
{
	write_bundle();
	expect_refused("bundle/manifest.json", "{\"version\":\"1\",\"authored_at\":\"x\",\"commit_sha\":\"y\"}",
		       "manifest.json: lacks the string \"author_identity\"");
	expect_refused("bundle/manifest.json", MANIFEST ",\"version\":\"2\"}", "manifest.json: line 1, column");
	expect_refused("bundle/manifest.json", "[]", "manifest.json: is no JSON object");
	expect_refused("bundle/manifest.json", MANIFEST ",\"n\":1.5}", "a number that is no integer");
	expect_refused("bundle/manifest.json", NULL, "manifest.json: No such file");
	expect_refused("bundle/schema.cedarschema", NULL, "schema.cedarschema: No such file");
	expect_refused("bundle/b.cedar", "\xff", "b.cedar: the text is not valid UTF-8");
	assert_int_equal(unlink(path_of("bundle/b.cedar")), 0);
	expect_refused("bundle/sub/a.cedar", NULL, "holds no policy");
	assert_int_equal(symlink("nowhere", path_of("bundle/l.cedar")), 0);
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_FAILED);
	expect_error("l.cedar: No such file");
	assert_int_equal(unlink(path_of("bundle/l.cedar")), 0);
	/* A link to a folder, here to itself, is not followed. */
	assert_int_equal(symlink(".", path_of("bundle/loop")), 0);
	assert_int_equal(RUN("hash", "--bundle", path_of("bundle")), CLI_OK);
	assert_int_equal(unlink(path_of("bundle/loop")), 0);
}

/* --- signatures ---------------------------------------------------------------------------------- */

static void write_key(const char *name, int type, bool private, uint8_t raw[32])
{
	uint8_t seed[32] = { (uint8_t)type, 1, 2, 3 };
	EVP_PKEY *key = type == EVP_PKEY_ED25519 ? EVP_PKEY_new_raw_private_key(type, NULL, seed, 32) :
						   EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, seed, 32);
	FILE *f = fopen(path_of(name), "we");
	size_t n = 32;

	assert_non_null(key);
	assert_non_null(f);
	assert_int_equal(private ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) : PEM_write_PUBKEY(f, key), 1);
	if (raw)
		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &n), 1);
	fclose(f);
	EVP_PKEY_free(key);
}

static void what_is_signed_verifies(void **state)
{
	char key[128], public[128], bundle[128], hex[65];
	uint8_t raw[32];
	struct stat st;

	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(public, sizeof(public), "%s/public", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	write_key("key", EVP_PKEY_ED25519, true, raw);
	write_key("public", EVP_PKEY_ED25519, false, NULL);
	hex_encode(raw, sizeof(raw), hex);
	write_bundle();
	assert_int_equal(RUN("hash", "--bundle", bundle, "--verify-key", public), CLI_FAILED);
	expect_error("manifest.json: is not signed");
	assert_int_equal(chmod(path_of("bundle/manifest.json"), 0640), 0);
	assert_int_equal(RUN("sign", "--bundle", bundle, "--key", key), CLI_OK);
	assert_non_null(strstr(buf_cstr(&out), "/bundle/manifest.json: signed sha256:"));
	assert_int_equal(stat(path_of("bundle/manifest.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(RUN("hash", "--bundle", bundle, "--verify-key", public), CLI_OK);
	assert_non_null(strstr(buf_cstr(&out), "\nsignature valid\n"));
	assert_int_equal(RUN("hash", "--json", "--bundle", bundle, "--verify-key", hex), CLI_OK);
	assert_non_null(strstr(buf_cstr(&out), ",\"signature\":\"valid\"}\n"));
	/* Once more is the same signature, as Ed25519 has no chance in it. */
	{
		_cleanup_buf_ struct buf once = { 0 };

		assert_int_equal(file_read(path_of("bundle/manifest.json"), 1 << 20, &once), 0);
		assert_int_equal(RUN("sign", "--bundle", bundle, "--key", key), CLI_OK);
		expect_file("bundle/manifest.json", buf_cstr(&once));
	}
	hex[0] = hex[0] == '0' ? '1' : '0';
	assert_int_equal(RUN("hash", "--bundle", bundle, "--verify-key", hex), CLI_FAILED);
	expect_error("the signature is not by this key over sha256:");
	write_file("bundle/b.cedar", ALLOW ALLOW);
	assert_int_equal(RUN("hash", "--bundle", bundle, "--verify-key", public), CLI_FAILED);
	expect_error("or the bundle was changed since");
}

/* The message is the domain and the hash as text, not a digest of it. */
static void the_signed_text_is_fixed(void **state)
{
	_cleanup_policy_bundle_ struct policy_bundle b;
	char error[POLICY_BUNDLE_ERROR_MAX] = "";
	_cleanup_buf_ struct buf text = { 0 };

	write_bundle();
	assert_int_equal(policy_bundle_load(path_of("bundle"), &b, error), 0);
	assert_int_equal(policy_bundle_signed_text(&b, &text), 0);
	assert_int_equal(buf_len(&text), strlen("cmcp-policy-bundle-v1|sha256:") + 64);
	assert_memory_equal(buf_span(&text).p, "cmcp-policy-bundle-v1|sha256:", 29);
	assert_string_equal(buf_cstr(&text) + 22, b.hash);
	assert_int_equal(b.n_texts, 2);
	assert_string_equal(b.texts[0].name, "b.cedar");
	assert_string_equal(b.texts[1].name, "sub/a.cedar");
}

static void bad_keys(void **state)
{
	char key[128], bundle[128];

	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	write_bundle();
	write_file("key", "no PEM");
	assert_int_equal(RUN("sign", "--bundle", bundle, "--key", key), CLI_FAILED);
	expect_error("/key: holds no private key in PEM");
	write_key("key", EVP_PKEY_X25519, true, NULL);
	assert_int_equal(RUN("sign", "--bundle", bundle, "--key", key), CLI_FAILED);
	expect_error("/key: the key is not of Ed25519");
	assert_int_equal(RUN("sign", "--bundle", bundle, "--key", "/nonexistent/k"), CLI_FAILED);
	expect_error("/nonexistent/k: No such file");
	assert_int_equal(RUN("sign", "--bundle", "/nonexistent", "--key", key), CLI_FAILED);
	expect_error("/nonexistent/manifest.json: No such file");
	expect_file("bundle/manifest.json", MANIFEST "}");
	assert_int_equal(RUN("hash", "--bundle", bundle, "--verify-key", key), CLI_FAILED);
	expect_error("/key: holds no public key in PEM");
	assert_int_equal(RUN("sign", "--bundle", bundle), CLI_USAGE);
	assert_int_equal(RUN("sign", "--key", key), CLI_USAGE);
	assert_int_equal(RUN("sign", bundle), CLI_USAGE);
	assert_int_equal(RUN("hash", "--verify-key", key), CLI_USAGE);
	assert_int_equal(RUN("hash", "--bundle", bundle, key), CLI_USAGE);
	assert_int_equal(RUN("hash", "--bundle"), CLI_USAGE);
}

/* --- deciding ------------------------------------------------------------------------------------ */

static int judge(const char *bundle, const char *tests)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/tests.json", dir);
	write_file("tests.json", tests);
	return RUN("test", "--dialect", "cmcp", "--bundle", bundle, "--tests", file);
}

static void bundles_are_tested_in_their_dialect(void **state)
{
	char bundle[128];

	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	write_bundle();
	write_file("bundle/sub/a.cedar",
		   "@id(\"big\") @approver(\"desk\") forbid(principal, action == Action::\"PayOut\", resource)\n"
		   "when { context has arguments && context.arguments.amount == \"1000.5\" };\n");
	assert_int_equal(judge(bundle,
			       "{\"tests\":[{\"name\":\"one\",\"tool\":\"pay_out\",\"arguments\":{\"amount\":1000.5},"
			       "\"expect\":\"step_up\",\"policies\":[\"big\"]},"
			       "{\"name\":\"two\",\"tool\":\"pay_out\",\"arguments\":{\"amount\":1},\"expect\":\"allow\","
			       "\"policies\":[\"policy0\"]},"
			       "{\"name\":\"back\",\"tool\":\"pay_out\",\"egress\":{\"sensitivity_level\":3},"
			       "\"expect\":\"allow\"}]}"), CLI_OK);
	assert_string_equal(buf_cstr(&out), "ok one\nok two\nok back\n3 passed, 0 failed\n");
	assert_int_equal(judge(bundle,
			       "{\"tests\":[{\"name\":\"one\",\"tool\":\"pay_out\",\"arguments\":{\"amount\":1000.5},"
			       "\"expect\":\"deny\"},{\"name\":\"two\",\"tool\":\"x\",\"arguments\":[],\"expect\":\"allow\"},"
			       "{\"name\":\"three\",\"tool\":\"x\",\"expect\":\"modify\"},"
			       "{\"name\":\"four\",\"expect\":\"allow\"},"
			       "{\"name\":\"five\",\"tool\":\"x\",\"expect\":\"allow\",\"policies\":[\"big\"]}]}"),
			 CLI_FAILED);
	assert_string_equal(
		buf_cstr(&out),
		"FAIL one: expected deny, got step_up by big\n"
		"FAIL two: expected allow, got deny (the arguments are no JSON object)\n"
		"FAIL three: expected modify, got a test whose \"expect\" is none of allow, deny, step_up, defer\n"
		"FAIL four: expected allow, got deny (the tool's name cannot be put to policies of this dialect)\n"
		"FAIL five: expected allow, got allow by policy0\n"
		"0 passed, 5 failed\n");
	assert_int_equal(judge(bundle, "{\"tests\":[]}"), CLI_FAILED);
	write_file("bundle/sub/a.cedar", "nonsense");
	assert_int_equal(judge(bundle, "{\"tests\":[]}"), CLI_FAILED);
	expect_error("sub/a.cedar:1:1: unexpected `nonsense`");
	assert_int_equal(judge("/nonexistent", "{\"tests\":[]}"), CLI_FAILED);
	expect_error("/nonexistent/manifest.json: No such file");
	assert_int_equal(RUN("test", "--dialect", "other", "--bundle", bundle, "--tests", bundle), CLI_USAGE);
	assert_int_equal(RUN("test", "--dialect", "cmcp", "--bundle", bundle), CLI_USAGE);
	assert_int_equal(RUN("test", "--dialect", "cmcp", "--bundle", bundle, "--tests", bundle, "x"), CLI_USAGE);
}

/* --- bundles that others made -------------------------------------------------------------------- */

static void published_bundles_have_their_hashes(void **state)
{
	const char *vectors = getenv("TOLLGATE_VECTORS"), *root = vectors ? vectors : "../shared/vectors";
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_json_ json_t *golden = NULL;
	char path[512], want[100], why[JSON_TEXT_ERROR_SIZE];
	const json_t *bundles;

	snprintf(path, sizeof(path), "%s/trace/derived/cmcp-golden-hashes.json", root);
	if (access(path, R_OK) < 0) {
		print_message("skip: no %s\n", path);
		skip();
	}
	assert_int_equal(file_read(path, 1 << 20, &text), 0);
	assert_int_equal(json_text_read(buf_span(&text), &golden, why), 0);
	bundles = json_object_get(golden, "bundles");
	assert_true(json_array_size(bundles) >= 4);
	for (size_t i = 0; i < json_array_size(bundles); i++) {
		const json_t *b = json_array_get(bundles, i);

		snprintf(path, sizeof(path), "%s/trace/cmcp/%s", root, json_string_value(json_object_get(b, "dir")));
		snprintf(want, sizeof(want), "%s\n", json_string_value(json_object_get(b, "bundle_hash")));
		assert_int_equal(RUN("hash", "--bundle", path), CLI_OK);
		assert_string_equal(buf_cstr(&out), want);
	}
}

static void the_published_demo_decides(void **state)
{
	const char *vectors = getenv("TOLLGATE_VECTORS");
	char path[512];

	snprintf(path, sizeof(path), "%s/trace/cmcp/examples/bfsi-demo/policies", vectors ? vectors : "../shared/vectors");
	if (access(path, R_OK) < 0) {
		print_message("skip: no %s\n", path);
		skip();
	}
	assert_int_equal(judge(path,
			       "{\"tests\":[{\"name\":\"query\",\"tool\":\"crm.query\",\"arguments\":{\"q\":0.5},"
			       "\"session_max_sensitivity\":\"mnpi\",\"expect\":\"allow\",\"policies\":[\"policy0\"]},"
			       "{\"name\":\"send\",\"tool\":\"communication.send\",\"session_max_sensitivity\":\"mnpi\","
			       "\"expect\":\"deny\",\"policies\":[\"policy1\"]},"
			       "{\"name\":\"phi\",\"tool\":\"kyc.verify\",\"requires_baa\":true,"
			       "\"session_max_sensitivity\":\"hipaa_phi\",\"expect\":\"deny\",\"policies\":[\"policy2\"]}]}"),
			 CLI_OK);
}

static int make_dirs(void **state)
{
	return !mkdtemp(dir) || mkdir(path_of("bundle"), 0700) || mkdir(path_of("bundle/sub"), 0700) ||
	       mkdir(path_of("d"), 0700);
}

static int remove_dirs(void **state)
{
	char command[64];

	buf_done(&out);
	buf_done(&err);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_hash_as_records_name_them),
		cmocka_unit_test(without_files_the_configuration_says_which),
		cmocka_unit_test(a_bundle_hashes_as_the_format_says),
		cmocka_unit_test(bad_bundles),
		cmocka_unit_test(what_is_signed_verifies),
		cmocka_unit_test(the_signed_text_is_fixed),
		cmocka_unit_test(bad_keys),
		cmocka_unit_test(bundles_are_tested_in_their_dialect),
		cmocka_unit_test(published_bundles_have_their_hashes),
		cmocka_unit_test(the_published_demo_decides),
	};

	return cmocka_run_group_tests(tests, make_dirs, remove_dirs);
}
