// SPDX-License-Identifier: Apache-2.0
/* Recorded quotes, keys and certificates: each gets the verdict that their index states. */
#include "attest/tpm_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <openssl/pem.h>
#include <string.h>

#include "attest/eventlog.h"
#include "attest/tpm_signature.h"
#include "tests/unit/attest/covered.h"
#include "tests/unit/attest/tpm_maker.h"
#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"

#define AT 1767225600 /* 2026-01-01 */
#define AT_FULL 1795219200 /* 2026-11-21: the software TPM was made the day before */
#define FULL "tpm/swtpm-full/"
#define GCE "tpm/gce-cos-85-no-nonce/"
#define KEYLIME "tpm/keylime-pcr15-16-22/"

static bool here;

/* Judges under a policy; the finding of field must have the verdict. */
static void expect(const struct attest_tpm *in, const char *policy, enum attest_status want, const char *field,
		   enum attest_verdict verdict)
{
	struct attest_policy p;
	struct attest_result res;
	struct policy_error e = { { 0 } };
	const struct attest_finding *f;
	enum attest_status got;

	attest_policy_init(&p);
	if (policy && attest_policy_read(&p, span_of(policy), &e) < 0)
		fail_msg("%s", e.text);
	attest_result_init(&res, "tpm", AT);
	assert_int_equal(attest_verify_tpm(in, &p, &res), 0);
	got = attest_appraise(&res, &p);
	f = attest_finding(&res, field);
	if (got != want || !f || f->verdict != verdict) {
		for (unsigned i = 0; i < res.n_findings; i++)
			print_message("%s %s: %s\n", attest_verdict_text(res.findings[i].verdict),
				      res.findings[i].field, res.findings[i].reason);
		fail_msg("%s: %s, expected %s", field, attest_status_text(got), attest_status_text(want));
	}
	attest_result_done(&res);
	attest_policy_done(&p);
}

static void add_certs(struct x509_certs *c, const char *name)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(x509_certs_add(c, judged(name, &b)), 0);
}

static int chain(const char *leaf, const char *intermediate, const char *root, int64_t at)
{
	_cleanup_certs_ struct x509_certs l = { 0 }, i = { 0 }, r = { 0 };
	const char *why;

	add_certs(&l, leaf);
	add_certs(&i, intermediate);
	add_certs(&r, root);
	return x509_verify(l.cert[0], &(struct x509_trust){ .roots = &r, .untrusted = &i, .at = at }, NULL, &why);
}

static void clouds_certificates_chain_to_their_root(void **state)
{
	static const char *const leaves[] = {
		"tpm/gce-certs/pca_tpm_ecc_enc_cert.pem", "tpm/gce-certs/pca_tpm_ecc_sign_cert.pem",
		"tpm/gce-certs/pca_tpm_rsa_enc_cert.pem", "tpm/gce-certs/pca_tpm_rsa_sign_cert.pem",
	};
	const char *new_ca = "tpm/roots/gcp_ek_ak_ca_intermediate_v3.crt", *new_root = "tpm/roots/gcp_ek_ak_ca_root.crt";
	const char *old_root = "tpm/roots/tpm_ek_root_1.cer", *old_ca = "tpm/roots/tpm_ek_intermediate_2.crt";

	if (!here)
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
		assert_int_equal(chain(leaves[i], new_ca, new_root, AT), 0);
		assert_int_equal(chain(leaves[i], new_ca, old_root, AT), -EKEYREJECTED);
		assert_int_equal(chain(leaves[i], old_ca, new_root, AT), -EKEYREJECTED);
		assert_int_equal(chain(leaves[i], new_ca, new_root, 1600000000), -EKEYREJECTED); /* not yet */
	}
	assert_int_equal(chain(GCE "ak_cert.der", old_ca, old_root, AT), 0);
	assert_int_equal(chain(GCE "ak_cert.der", "tpm/roots/tpm_ek_intermediate_3.crt", old_root, AT), -EKEYREJECTED);
	assert_int_equal(chain("tpm/roots/tpm_ek_intermediate_3.crt", old_ca, old_root, AT), 0);
	assert_int_equal(chain(FULL "ek_rsa.crt", FULL "issuer.pem", FULL "root.pem", AT_FULL), 0);
	assert_int_equal(chain(FULL "ek_rsa.crt", FULL "issuer.pem", old_root, AT_FULL), -EKEYREJECTED);
}

/* Some tools keep everything in one file; ours are taken from it. */
static void expect_inside(const struct buf *whole, const char *name)
{
	_cleanup_buf_ struct buf part = { 0 };
	struct span s = judged(name, &part), w = buf_span(whole);

	assert_non_null(memmem(w.p, w.n, s.p, s.n));
}

static void a_clouds_quotes_replay_their_log(void **state)
{
	static const char *const banks[] = { "sha1", "sha256", "sha384" };
	_cleanup_buf_ struct buf ak = { 0 }, leaf = { 0 }, log = { 0 }, whole = { 0 };
	_cleanup_certs_ struct x509_certs roots = { 0 }, other = { 0 };
	_cleanup_buf_ struct buf both = { 0 };
	char policy[512], hex[97];

	if (!here)
		skip();
	judged(GCE "attestation.pb", &whole);
	judged(GCE "ak.pub", &ak);
	judged(GCE "ak_cert.der", &leaf);
	judged(GCE "eventlog.bin", &log);
	expect_inside(&whole, GCE "eventlog.bin");
	expect_inside(&whole, GCE "ak.pub");
	add_certs(&roots, "tpm/roots/tpm_ek_root_1.cer");
	add_certs(&roots, "tpm/roots/tpm_ek_intermediate_2.crt"); /* trusted here as the authority itself */
	add_certs(&other, "tpm/roots/gcp_ek_ak_ca_root.crt");
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_buf_ struct buf quote = { 0 }, sig = { 0 }, pcrs = { 0 };
		size_t size = tpm_hash_size(tpm_hash_by_name(span_of(banks[i])));
		struct attest_tpm in = { .ak = buf_span(&ak), .ak_certs = buf_span(&leaf), .roots = &roots };
		char name[96];

		(void)snprintf(name, sizeof(name), GCE "quote-%s.msg", banks[i]);
		in.quote.quote = judged(name, &quote);
		expect_inside(&whole, name);
		(void)snprintf(name, sizeof(name), GCE "quote-%s.sig", banks[i]);
		in.quote.signature = judged(name, &sig);
		expect_inside(&whole, name);
		(void)snprintf(name, sizeof(name), GCE "pcrs-%s.bin", banks[i]);
		in.quote.pcrs = judged(name, &pcrs);
		in.quote.event_log = buf_span(&log);
		hex_encode(in.quote.pcrs.p, size, hex);
		(void)snprintf(policy, sizeof(policy),
			       "{\"version\":1,\"optional\":[\"tpm.nonce\"],\"tpm\":{\"pcrs\":{\"%s\":{\"0\":\"%s\"}}}}",
			       i == 0 ? "sha256" : banks[i], i == 0 ? "00000000000000000000000000000000"
			       "00000000000000000000000000000000" : hex);
		/* Nobody asked for these quotes: sound, but they may be old, and nothing was expected. */
		expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.nonce", ATTEST_NOT_CHECKED);
		expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.ak.certificate", ATTEST_PASS);
		expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.eventlog", ATTEST_PASS);
		expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.eventlog_data", ATTEST_PASS);
		expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.bank", i == 0 ? ATTEST_FAIL : ATTEST_PASS);
		if (i == 0)
			expect(&in, policy, ATTEST_REJECTED, "tpm.expected", ATTEST_FAIL);
		else
			expect(&in, policy, ATTEST_AFFIRMING, "tpm.expected", ATTEST_PASS);
		in.quote.nonce = SPAN("a nonce that was required");
		in.quote.have_nonce = true;
		expect(&in, policy, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
		in.quote.have_nonce = false;
		in.roots = &other;
		expect(&in, policy, ATTEST_REJECTED, "tpm.ak.certificate", ATTEST_FAIL);
	}
}

enum edit { DROP, DOUBLE, DIGEST, DATA, SILENCE, EDITS };

/* The recorded log with one event changed; false when the change would change nothing. */
static bool edited(const struct buf *log, unsigned which, enum edit edit, struct buf *out)
{
	struct span whole = buf_span(log), from, rest;
	struct eventlog_event e;
	struct eventlog l;
	unsigned i = 0;
	size_t at;

	assert_int_equal(eventlog_open(whole, &l), 0);
	do {
		from = l.rest;
		if (eventlog_next(&l, &e) != 1)
			return false;
	} while (i++ < which);
	rest = l.rest;
	at = (size_t)(from.p - whole.p);
	buf_append(out, whole.p, at);
	if (edit != DROP)
		buf_append(out, from.p, from.n - rest.n);
	if (edit == DOUBLE)
		buf_append(out, from.p, from.n - rest.n);
	if (edit == DIGEST)
		out->data[at + (size_t)(eventlog_digest(&e, TPM_HASH_SHA256).p - from.p)] ^= 1;
	if (edit == DATA && e.data.n)
		out->data[at + (size_t)(e.data.p - from.p)] ^= 1;
	if (edit == SILENCE)
		memcpy(out->data + at + 4, "\3\0\0\0", 4); /* EV_NO_ACTION: told, not extended */
	buf_append(out, rest.p, rest.n);
	return e.type != EV_NO_ACTION &&
	       (edit != DATA || eventlog_data_check(&e, TPM_HASH_SHA256) == EVENTLOG_DATA_COVERED);
}

static void an_edited_log_is_refused(void **state)
{
	_cleanup_buf_ struct buf ak = { 0 }, log = { 0 }, quote = { 0 }, sig = { 0 }, pcrs = { 0 };
	struct attest_tpm in = { 0 };
	unsigned refused[EDITS] = { 0 };

	if (!here)
		skip();
	in.ak = judged(GCE "ak.pub", &ak);
	in.quote.quote = judged(GCE "quote-sha256.msg", &quote);
	in.quote.signature = judged(GCE "quote-sha256.sig", &sig);
	in.quote.pcrs = judged(GCE "pcrs-sha256.bin", &pcrs);
	judged(GCE "eventlog.bin", &log);
	for (unsigned which = 0; which < 44; which++)
		for (enum edit edit = DROP; edit < EDITS; edit++) {
			_cleanup_buf_ struct buf b = { 0 };

			if (!edited(&log, which, edit, &b))
				continue;
			in.quote.event_log = buf_span(&b);
			expect(&in, NULL, ATTEST_REJECTED, edit == DATA ? "tpm.eventlog_data" : "tpm.eventlog",
			       ATTEST_FAIL);
			refused[edit]++;
		}
	assert_int_equal(refused[DROP], 44);
	assert_int_equal(refused[DIGEST], 44);
	assert_int_equal(refused[DATA], 17);
}

/* The recording has the key only as PEM; with the template of that project it has the recorded Name. */
static void public_of_pem(struct span pem, struct buf *out)
{
	struct tpm_public pub;
	EVP_PKEY *key = NULL;
	bool has;

	assert_int_equal(tpm_ak_read(pem, &key, &pub, &has), 0);
	assert_false(has);
	make_public(out, key, MAKER_AK, TPM_ALG_RSASSA);
	EVP_PKEY_free(key);
}

static void a_quote_over_resettable_registers(void **state)
{
	_cleanup_buf_ struct buf quote = { 0 }, sig = { 0 }, pcrs = { 0 }, pem = { 0 }, name = { 0 }, area = { 0 };
	struct attest_tpm in = { 0 };
	struct tpm_public pub;
	struct tpm_name n;
	struct tpm_attest a;
	char policy[512], hex[69];

	if (!here)
		skip();
	in.quote.quote = judged(KEYLIME "quote.out", &quote);
	in.quote.signature = judged(KEYLIME "quotesig.out", &sig);
	in.quote.pcrs = judged(KEYLIME "quotepcr.out", &pcrs);
	in.ak = judged(KEYLIME "akpub.pem", &pem);
	assert_int_equal(tpm_attest_parse(in.quote.quote, &a), 0);
	assert_int_equal(a.extra.n, 20);
	in.quote.nonce = a.extra;
	in.quote.have_nonce = true;
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.signature", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.ak.attributes", ATTEST_NOT_CHECKED);
	public_of_pem(buf_span(&pem), &area);
	assert_int_equal(tpm_public_parse(buf_span(&area), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &n), 0);
	assert_true(span_eq(tpm_name_span(&n), judged(KEYLIME "ak.name", &name)));
	in.ak = buf_span(&area);
	hex_encode(n.bytes, n.n, hex);
	(void)snprintf(policy, sizeof(policy), "{\"version\":1,\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{\"16\":"
		       "\"9dbb22387e019c04da95477333546082ce313152c4a7f8a6e1d5f0c77f4fb6f0\"}}}}", hex);
	expect(&in, policy, ATTEST_REJECTED, "tpm.expected", ATTEST_FAIL);
	(void)snprintf(policy, sizeof(policy), "{\"version\":1,\"tpm\":{\"ak_names\":\"%s\",\"pcrs\":{\"sha256\":{\"15\":"
		       "\"0000000000000000000000000000000000000000000000000000000000000000\"}}}}", hex);
	expect(&in, policy, ATTEST_AFFIRMING, "tpm.resettable_among", ATTEST_NOT_CHECKED);
}

static const char *names_policy(struct span ak, const char *more)
{
	static char policy[1024];
	struct tpm_public pub;
	struct tpm_name n;
	char hex[69];

	assert_int_equal(tpm_public_parse(ak, &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &n), 0);
	hex_encode(n.bytes, n.n, hex);
	(void)snprintf(policy, sizeof(policy), "{\"version\":1,\"tpm\":{\"ak_names\":\"%s\"%s}}", hex, more);
	return policy;
}

#define EXPECTED_14 \
	",\"selection\":{\"sha256\":[\"0\",\"4\",\"7\",\"14\"]},\"pcrs\":{\"sha256\":{\"14\":" \
	"\"3d42748de54348739b769bcfd71ca9283dd622004a1d081063c2c73214b2e6d2\"}}"

static void read_hex(const char *name, uint8_t ret[32])
{
	_cleanup_buf_ struct buf b = { 0 };
	struct span s = judged(name, &b);

	assert_int_equal(hex_decode(s.p, 64, ret, 32), 0);
}

static void a_software_tpms_quote_affirms(void **state)
{
	_cleanup_buf_ struct buf quote = { 0 }, sig = { 0 }, pcrs = { 0 }, ak = { 0 }, pem = { 0 }, name = { 0 };
	struct attest_tpm in = { 0 };
	struct tpm_public pub;
	struct tpm_name n;
	uint8_t nonce[32];

	if (!here)
		skip();
	read_hex(FULL "qualifying.hex", nonce);
	in.quote.quote = judged(FULL "quote.msg", &quote);
	in.quote.signature = judged(FULL "quote.sig", &sig);
	in.quote.pcrs = judged(FULL "quote.pcrs", &pcrs);
	in.quote.nonce = (struct span){ (char *)nonce, 32 };
	in.quote.have_nonce = true;
	in.ak = judged(FULL "ak.pub", &ak);
	expect(&in, names_policy(in.ak, EXPECTED_14), ATTEST_AFFIRMING, "tpm.expected", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.ak.provenance", ATTEST_NOT_CHECKED);
	assert_int_equal(tpm_public_parse(in.ak, &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &n), 0);
	assert_true(span_eq(tpm_name_span(&n), judged(FULL "ak.name", &name)));
	/* The same key as PEM signs as well, but says nothing of its attributes. */
	in.ak = judged(FULL "ak.pem", &pem);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.signature", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.ak.attributes", ATTEST_NOT_CHECKED);
}

static void validly_signed_negatives_are_refused(void **state)
{
	static const struct {
		const char *name, *ak, *pcrs, *field;
	} rows[] = {
		{ "neg-nomagic", "ak.pub", "quote.pcrs", "tpm.magic" },
		{ "neg-nononce", "ak.pub", "neg-nononce.pcrs", "tpm.nonce" },
		{ "neg-resettable", "ak.pub", "neg-resettable.pcrs", "tpm.resettable" },
		{ "neg-unrestricted", "neg-unrestricted-ak.pub", "quote.pcrs", "tpm.ak.attributes" },
	};

	if (!here)
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf quote = { 0 }, sig = { 0 }, pcrs = { 0 }, ak = { 0 };
		struct attest_tpm in = { .quote.have_nonce = true };
		struct tpm_attest a;
		uint8_t nonce[32];
		char path[96];

		read_hex(FULL "qualifying.hex", nonce);
		(void)snprintf(path, sizeof(path), FULL "%s.msg", rows[i].name);
		in.quote.quote = judged(path, &quote);
		(void)snprintf(path, sizeof(path), FULL "%s.sig", rows[i].name);
		in.quote.signature = judged(path, &sig);
		(void)snprintf(path, sizeof(path), FULL "%s", rows[i].pcrs);
		in.quote.pcrs = judged(path, &pcrs);
		(void)snprintf(path, sizeof(path), FULL "%s", rows[i].ak);
		in.ak = judged(path, &ak);
		in.quote.nonce = (struct span){ (char *)nonce, 32 };
		assert_int_equal(tpm_attest_parse(in.quote.quote, &a), 0);
		expect(&in, names_policy(in.ak, ""), ATTEST_REJECTED, "tpm.signature", ATTEST_PASS);
		if (strcmp(rows[i].field, "tpm.nonce") != 0)
			in.quote.nonce = a.extra; /* so that this is not the reason */
		expect(&in, names_policy(in.ak, ""), ATTEST_REJECTED, rows[i].field, ATTEST_FAIL);
	}
}

static EVP_PKEY *key_of(struct span ak)
{
	struct tpm_public pub;
	EVP_PKEY *key = NULL;
	bool has;

	assert_int_equal(tpm_ak_read(ak, &key, &pub, &has), 0);
	return key;
}

static void a_certified_key_and_its_name(void **state)
{
	_cleanup_buf_ struct buf attest = { 0 }, sig = { 0 }, sk = { 0 }, ak = { 0 }, pem = { 0 };
	EVP_PKEY *key, *object, *same;

	if (!here)
		skip();
	judged(FULL "certify.msg", &attest);
	judged(FULL "certify.sig", &sig);
	judged(FULL "sk.pub", &sk);
	key = key_of(judged(FULL "ak.pub", &ak));
	object = key_of(buf_span(&sk));
	same = key_of(judged(FULL "sk.pem", &pem));
	assert_int_equal(EVP_PKEY_eq(object, same), 1);
	for (unsigned i = 0; i < 2; i++) {
		struct attest_result res;

		attest_result_init(&res, "tpm", AT);
		tpm_judge_certify(buf_span(&attest), buf_span(&sig), key, buf_span(i ? &ak : &sk), &res);
		res.complete = true;
		assert_int_equal(attest_appraise(&res, NULL), i ? ATTEST_REJECTED : ATTEST_AFFIRMING);
		attest_result_done(&res);
	}
	EVP_PKEY_free(key);
	EVP_PKEY_free(object);
	EVP_PKEY_free(same);
}

static void an_endorsement_key_is_in_its_certificate(void **state)
{
	_cleanup_buf_ struct buf ek = { 0 }, blob = { 0 }, secret = { 0 };
	_cleanup_certs_ struct x509_certs cert = { 0 };
	struct tpm_public pub;
	struct bytes b;
	EVP_PKEY *key;

	if (!here)
		skip();
	key = key_of(judged(FULL "ek.pub", &ek));
	add_certs(&cert, FULL "ek_rsa.crt");
	assert_int_equal(EVP_PKEY_eq(key, X509_get0_pubkey(cert.cert[0])), 1);
	EVP_PKEY_free(key);
	assert_int_equal(tpm_public_parse(buf_span(&ek), &pub), 0);
	assert_true(pub.attributes & TPM_OBJ_DECRYPT); /* so it is no attestation key */
	/* Only the TPM could open the credential; its parts are where they should be. */
	b = bytes_of(judged(FULL "credential.blob", &blob));
	assert_int_equal(bytes_u32be(&b), 0xbadcc0de);
	assert_int_equal(bytes_u32be(&b), 1);
	assert_int_equal(bytes_lp16be(&b).n, 68); /* HMAC and wrapped secret */
	assert_int_equal(bytes_lp16be(&b).n, 256); /* under the 2048-bit key */
	assert_int_equal(bytes_end(&b), 0);
	assert_int_equal(judged(FULL "credential.secret", &secret).n, 32);
}

/* The recordings have the index's public area as tpm2-tools prints it; none has a policy. */
static void nv_public(const char *name, struct buf *out)
{
	_cleanup_buf_ struct buf text = { 0 };
	unsigned index, attributes, size;
	const char *s;

	judged(name, &text);
	s = buf_cstr(&text);
	assert_int_equal(sscanf(s, "0x%x:", &index), 1);
	assert_int_equal(sscanf(strstr(strstr(s, "attributes:"), "value:"), "value: 0x%x", &attributes), 1);
	assert_int_equal(sscanf(strstr(s, "size:"), "size: %u", &size), 1);
	be(out, index, 4);
	be(out, TPM_HASH_SHA256, 2);
	be(out, attributes, 4);
	be(out, 0, 2);
	be(out, size, 2);
}

static struct span certified(const char *base, EVP_PKEY *ak, const struct buf *pub, uint32_t kind, struct span nonce,
			     struct buf *msg, enum attest_status want)
{
	_cleanup_buf_ struct buf sig = { 0 };
	struct attest_result res;
	struct span contents;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s.msg", base);
	buf_clear(msg);
	judged(path, msg);
	(void)snprintf(path, sizeof(path), "%s.sig", base);
	judged(path, &sig);
	attest_result_init(&res, "tpm", AT);
	contents = tpm_judge_nv(buf_span(msg), buf_span(&sig), ak, buf_span(pub), kind, nonce, &res);
	res.complete = true;
	assert_int_equal(attest_appraise(&res, NULL), want);
	attest_result_done(&res);
	return contents;
}

static void nv_indices_are_certified(void **state)
{
	_cleanup_buf_ struct buf pub = { 0 }, ext = { 0 }, ak = { 0 }, pem = { 0 }, digest = { 0 }, pre_b = { 0 };
	_cleanup_buf_ struct buf msg = { 0 }, ak2 = { 0 }, pem2 = { 0 };
	uint8_t nonce[32], chain[64], want[32], attr;
	struct span pre, post, counter, d;
	EVP_PKEY *key, *key2, *same;

	if (!here)
		skip();
	read_hex(FULL "qualifying.hex", nonce);
	nv_public(FULL "nvcounter.txt", &pub);
	key = key_of(judged(FULL "ak.pub", &ak));
	counter = certified(FULL "nvcounter", key, &pub, TPM_NT_COUNTER, (struct span){ (char *)nonce, 32 }, &msg,
			    ATTEST_AFFIRMING);
	assert_memory_equal(counter.p, "\0\0\0\0\0\0\0\3", 8);
	certified(FULL "nvcounter", key, &pub, TPM_NT_EXTEND, (struct span){ (char *)nonce, 32 }, &msg, ATTEST_REJECTED);
	certified(FULL "nvcounter", key, &pub, TPM_NT_COUNTER, SPAN("another"), &msg, ATTEST_REJECTED);
	attr = (uint8_t)pub.data[pub.start + 6];
	pub.data[pub.start + 6] ^= 0x20; /* as if it had not been written */
	certified(FULL "nvcounter", key, &pub, TPM_NT_COUNTER, (struct span){ (char *)nonce, 32 }, &msg, ATTEST_REJECTED);
	pub.data[pub.start + 6] = (char)attr;

	nv_public("tpm/swtpm-nvextend/nvpublic.txt", &ext);
	key2 = key_of(judged("tpm/swtpm-nvextend/ak.tpmt", &ak2));
	same = key_of(judged("tpm/swtpm-nvextend/ak.pem", &pem2));
	assert_int_equal(EVP_PKEY_eq(key2, same), 1);
	sha256("pre", 3, nonce);
	pre = certified("tpm/swtpm-nvextend/pre", key2, &ext, TPM_NT_EXTEND, (struct span){ (char *)nonce, 32 }, &pre_b,
			ATTEST_AFFIRMING);
	sha256("post", 4, nonce);
	post = certified("tpm/swtpm-nvextend/post", key2, &ext, TPM_NT_EXTEND, (struct span){ (char *)nonce, 32 }, &msg,
			 ATTEST_AFFIRMING);
	d = judged("tpm/swtpm-nvextend/digest.bin", &digest);
	memcpy(chain, pre.p, 32);
	memcpy(chain + 32, d.p, 32);
	sha256(chain, 64, want);
	assert_memory_equal(post.p, want, 32);
	certified("tpm/swtpm-nvextend/post", key, &ext, TPM_NT_EXTEND, (struct span){ (char *)nonce, 32 }, &msg,
		  ATTEST_REJECTED);
	EVP_PKEY_free(key);
	EVP_PKEY_free(key2);
	EVP_PKEY_free(same);
}

static void from_base64(const json_t *o, const char *name, struct buf *out)
{
	uint8_t bytes[1024];
	size_t n;

	assert_int_equal(base64_decode(span_of(json_string_value(json_object_get(o, name))), bytes, sizeof(bytes), &n), 0);
	buf_append(out, bytes, n);
}

static void sixty_four_bytes_of_qualifying_data(void **state)
{
	_cleanup_buf_ struct buf text = { 0 }, quote = { 0 }, sig = { 0 }, der = { 0 }, pcrs = { 0 };
	json_t *root, *q, *v;
	struct attest_tpm in = { .quote.have_nonce = true };
	struct tpm_attest a;
	const uint8_t *p;
	EVP_PKEY *key;
	BUF_MEM *mem;
	size_t i;
	BIO *bio;

	if (!here)
		skip();
	judged("tpm/trustee-swtpm-sha512nonce/tpm_evidence.json", &text);
	root = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	q = json_object_get(root, "tpm_quote");
	from_base64(q, "message", &quote);
	from_base64(q, "signature", &sig);
	from_base64(root, "ak_public", &der);
	json_array_foreach(json_object_get(q, "pcrs"), i, v) {
		uint8_t value[32];

		assert_int_equal(hex_decode(json_string_value(v), json_string_length(v), value, 32), 0);
		buf_append(&pcrs, value, 32);
	}
	p = (const uint8_t *)buf_span(&der).p;
	key = d2i_PUBKEY(NULL, &p, (long)buf_len(&der));
	assert_non_null(key);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	BIO_get_mem_ptr(bio, &mem);
	in.ak = (struct span){ mem->data, mem->length };
	in.quote.quote = buf_span(&quote);
	in.quote.signature = buf_span(&sig);
	in.quote.pcrs = buf_span(&pcrs);
	assert_int_equal(tpm_attest_parse(in.quote.quote, &a), 0);
	assert_int_equal(a.extra.n, 64);
	in.quote.nonce = a.extra;
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.signature", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.pcrs", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.nonce", ATTEST_PASS);
	in.quote.nonce.n = 32; /* half of it is another nonce */
	expect(&in, NULL, ATTEST_REJECTED, "tpm.nonce", ATTEST_FAIL);
	json_decref(root);
	EVP_PKEY_free(key);
	BIO_free(bio);
}

/* A quote and the whole certificate of another key of the same vendor: the certificate must be the key's. */
static void a_trusted_launch_quote(void **state)
{
	_cleanup_buf_ struct buf quote = { 0 }, sig = { 0 }, pcrs = { 0 }, ak = { 0 }, hex = { 0 }, cert = { 0 };
	struct attest_tpm in = { .quote.have_nonce = true };
	uint8_t nonce[32];

	if (!here || access(vector_path("../trace/cmcp/tests/fixtures/hardware/azure-vtpm-2026-07-27/quote.msg"), R_OK) < 0)
		skip();
#define CAPTURE "../trace/cmcp/tests/fixtures/hardware/azure-vtpm-2026-07-27/"
	in.quote.quote = vector_read(CAPTURE "quote.msg", &quote);
	in.quote.signature = vector_read(CAPTURE "quote.sig", &sig);
	in.quote.pcrs = vector_read(CAPTURE "pcrs.bin", &pcrs);
	in.ak = vector_read(CAPTURE "ak.pub", &ak);
	vector_read(CAPTURE "nonce.hex", &hex);
	assert_int_equal(hex_decode(buf_span(&hex).p, 64, nonce, 32), 0);
	in.quote.nonce = (struct span){ (char *)nonce, 32 };
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.signature", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.nonce", ATTEST_PASS);
	expect(&in, NULL, ATTEST_INCOMPLETE, "tpm.pcrs", ATTEST_PASS);
	in.ak_certs = vector_read(CAPTURE "akcert_0x01C101D0.der", &cert);
	expect(&in, NULL, ATTEST_REJECTED, "tpm.ak.certificate_key", ATTEST_FAIL);
	quote.data[quote.start + 40] ^= 1;
	expect(&in, NULL, ATTEST_REJECTED, "tpm.signature", ATTEST_FAIL);
}

/* test_eventlog.c judges the logs against EXPECTED.json, and fails when one is missing there. */
static void every_row_is_judged(void **state)
{
	if (!here)
		skip();
	expect_all_covered("tpm/", "tpm/eventlogs/", 67);
}

static int setup(void **state)
{
	here = vectors_here();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clouds_certificates_chain_to_their_root),
		cmocka_unit_test(a_clouds_quotes_replay_their_log),
		cmocka_unit_test(an_edited_log_is_refused),
		cmocka_unit_test(a_quote_over_resettable_registers),
		cmocka_unit_test(a_software_tpms_quote_affirms),
		cmocka_unit_test(validly_signed_negatives_are_refused),
		cmocka_unit_test(a_certified_key_and_its_name),
		cmocka_unit_test(an_endorsement_key_is_in_its_certificate),
		cmocka_unit_test(nv_indices_are_certified),
		cmocka_unit_test(sixty_four_bytes_of_qualifying_data),
		cmocka_unit_test(a_trusted_launch_quote),
		cmocka_unit_test(every_row_is_judged),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
