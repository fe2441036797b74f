// SPDX-License-Identifier: Apache-2.0
#include "attest/json_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "attest/jose.h"
#include "attest/shape.h"

static int read_text(const char *text)
{
	char error[JSON_TEXT_ERROR_SIZE] = "";
	_cleanup_json_ json_t *v = NULL;
	int r = json_text_read(span_of(text), &v, error);

	assert_true((r == 0) == (v != NULL) && (r == -EINVAL) == (error[0] != '\0'));
	return r;
}

static void refused(void **state)
{
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\":1,\"a\":1}", "\"\\ud800\"", "[\"\\u0000\"]",
					   "[9223372036854775808]", "{} {}", "[\"\xff\"]", "{a:1}", "[01]" };

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(read_text(bad[i]), -EINVAL);
	assert_int_equal(read_text("{\"a\":[1,-1,\"\\u00e4\"]}"), 0);
}

static void form(const char *text, enum json_form f, const char *want)
{
	char error[JSON_TEXT_ERROR_SIZE];
	_cleanup_json_ json_t *v = NULL;
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(json_text_read(span_of(text), &v, error), 0);
	assert_int_equal(json_canonical(v, f, "left out", &b), 0);
	assert_string_equal(buf_cstr(&b), want);
}

static void forms(void **state)
{
	/* Supplementary characters sort below U+FB33 by UTF-16 units, and above it by code point. */
	const char *names = "{\"\\ufb33\":1,\"\\ud83d\\ude00\":2,\"left out\":3,\"b\":4,\"a\":5}";

	form(names, JSON_FORM_JCS, "{\"a\":5,\"b\":4,\"\xf0\x9f\x98\x80\":2,\"\xef\xac\xb3\":1}");
	form(names, JSON_FORM_ASCII, "{\"a\":5,\"b\":4,\"\\ufb33\":1,\"\\ud83d\\ude00\":2}");
	form("[\"\\u007f\\u001f\\n\\\"\\\\/\xc3\xa4\",true,false,null,-7]", JSON_FORM_JCS,
	     "[\"\x7f\\u001f\\n\\\"\\\\/\xc3\xa4\",true,false,null,-7]");
	form("[\"\\u007f\\u001f\\n\\\"\\\\/\xc3\xa4\"]", JSON_FORM_ASCII, "[\"\\u007f\\u001f\\n\\\"\\\\/\\u00e4\"]");
}

static void no_form(void **state)
{
	static const struct {
		const char *text;
		int r;
	} cases[] = { { "[1.0]", -EDOM }, { "[9007199254740992]", -EDOM }, { "[-9007199254740992]", -EDOM },
		      { "[9007199254740991]", 0 } };
	char error[JSON_TEXT_ERROR_SIZE], deep[301];
	_cleanup_json_ json_t *v = NULL;
	_cleanup_buf_ struct buf b = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *one = NULL;

		assert_int_equal(json_text_read(span_of(cases[i].text), &one, error), 0);
		assert_int_equal(json_canonical(one, JSON_FORM_JCS, NULL, &b), cases[i].r);
	}
	memset(deep, '[', 150);
	memset(deep + 150, ']', 150);
	deep[300] = '\0';
	assert_int_equal(json_text_read(span_of(deep), &v, error), 0);
	assert_int_equal(json_canonical(v, JSON_FORM_JCS, NULL, &b), -ELOOP);
}

static void base64url_is_strict(void **state)
{
	uint8_t out[4];

	assert_int_equal(base64url_decode(SPAN("AQID"), out, 3), 0);
	assert_memory_equal(out, "\1\2\3", 3);
	assert_int_equal(base64url_decode(SPAN("-_8"), out, 2), 0);
	assert_memory_equal(out, "\xfb\xff", 2);
	assert_int_equal(base64url_decode(SPAN("-_9"), out, 2), -EINVAL); /* an unused bit is set */
	assert_int_equal(base64url_decode(SPAN("+/8"), out, 2), -EINVAL);
	assert_int_equal(base64url_decode(SPAN("-_8="), out, 2), -EINVAL);
	assert_int_equal(base64url_decode(SPAN("AQID"), out, 2), -EINVAL);
	assert_int_equal(base64url_decode(SPAN(""), out, 0), 0);
}

/* RFC 8037 appendix A: key, thumbprint, signature. */
static void ed25519_as_published(void **state)
{
	_cleanup_json_ json_t *jwk = json_pack("{s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "x",
					       "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
	uint8_t key[ED25519_KEY_SIZE], thumbprint[SHA256_SIZE], want[SHA256_SIZE];
	struct span message = SPAN("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
	struct span signature = SPAN("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_"
				     "MuM0KAg");

	assert_int_equal(jwk_ed25519(jwk, key), 0);
	jwk_ed25519_thumbprint(key, thumbprint);
	assert_int_equal(base64url_decode(SPAN("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"), want, 32), 0);
	assert_memory_equal(thumbprint, want, 32);
	assert_true(ed25519_verify_text(key, message, signature));
	message.n--;
	assert_false(ed25519_verify_text(key, message, signature));
	json_object_set_new(jwk, "crv", json_string("X25519"));
	assert_int_equal(jwk_ed25519(jwk, key), -EINVAL);
}

static void patterns(void **state)
{
	assert_true(shape_is_uri("https://a.example/x") && shape_is_uri("urn:x"));
	assert_false(shape_is_uri("a.example") || shape_is_uri(":x") || shape_is_uri("a b:c") || shape_is_uri("a:b c"));
	assert_true(shape_is_spiffe("spiffe://a/b"));
	assert_false(shape_is_spiffe("spiffe://") || shape_is_spiffe("https://a/b"));
	assert_false(shape_is_digest("sha256:ABCD") || shape_is_digest("md5:00"));
	assert_true(shape_is_base64url("a-_9"));
	assert_false(shape_is_base64url("") || shape_is_base64url("a="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(forms),
		cmocka_unit_test(no_form),
		cmocka_unit_test(base64url_is_strict),
		cmocka_unit_test(ed25519_as_published),
		cmocka_unit_test(patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
