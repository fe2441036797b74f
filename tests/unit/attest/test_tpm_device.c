// SPDX-License-Identifier: Apache-2.0
/* The provider against a software TPM, from endorsement to a stranger's verdict. */
#include "attest/tpm_device.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "attest/bundle.h"
#include "attest/tpm_enrolment.h"
#include "attest/tpm_esys.h"
#include "attest/tpm_signature.h"
#include "attest/tpm_verify.h"
#include "tests/unit/attest/swtpm.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"

#define POLICY_HASH "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define CATALOG_HASH "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define LOG_KEY "0123456789abcdef0123456789abcdef"

static bool here;
static EVP_PKEY *enroller;
static char enroller_hex[65];
static struct buf enrolment;

static struct tpm_dev *open_dev(void)
{
	struct tpm_dev *d = NULL;

	assert_int_equal(tpm_dev_open(swtpm_tcti, &d), 0);
	return d;
}

/* An enroller of the test's own: the endorsement certificate must chain to the maker's root, and only a TPM
 * with that key can answer for the attestation key. */
static void a_key_is_enrolled_by_credential_activation(void **state)
{
	_cleanup_buf_ struct buf ek_public = { 0 }, ek_cert = { 0 }, ak_public = { 0 }, blob = { 0 }, root = { 0 };
	_cleanup_buf_ struct buf issuer = { 0 };
	_cleanup_certs_ struct x509_certs cert = { 0 }, roots = { 0 }, issuers = { 0 };
	struct tpm_key ek = { 0 }, ak = { 0 };
	struct tpm_enrolment e = { .time = time(NULL) };
	uint8_t secret[32], opened[32];
	struct tpm_public pub;
	struct tpm_name name;
	const char *why = "";
	EVP_PKEY *key = NULL;
	struct tpm_dev *d;
	char path[160];
	size_t n;
	bool has;

	if (!here)
		skip();
	d = open_dev();
	assert_int_equal(tpm_ek_load(d, &ek, &ek_public, &ek_cert), 0);
	assert_int_equal(x509_certs_add(&cert, buf_span(&ek_cert)), 0);
	(void)snprintf(path, sizeof(path), "%s/ca/swtpm-localca-rootca-cert.pem", swtpm_dir);
	assert_int_equal(file_read(path, 65536, &root), 0);
	assert_int_equal(x509_certs_add(&roots, buf_span(&root)), 0);
	(void)snprintf(path, sizeof(path), "%s/ca/issuer.pem", swtpm_dir);
	assert_int_equal(file_read(path, 65536, &issuer), 0);
	assert_int_equal(x509_certs_add(&issuers, buf_span(&issuer)), 0);
	if (x509_verify(cert.cert[0], &(struct x509_trust){ .roots = &roots, .untrusted = &issuers, .at = time(NULL) },
			NULL, &why) < 0)
		fail_msg("endorsement certificate: %s", why);
	assert_int_equal(tpm_ak_read(buf_span(&ek_public), &key, &pub, &has), 0);
	assert_int_equal(EVP_PKEY_eq(key, X509_get0_pubkey(cert.cert[0])), 1);
	EVP_PKEY_free(key);

	assert_int_equal(tpm_ak_load(d, &ak, &ak_public), 0);
	assert_int_equal(tpm_public_parse(buf_span(&ak_public), &pub), 0);
	assert_int_equal(tpm_public_name(&pub, &name), 0);
	assert_int_equal(RAND_bytes(secret, sizeof(secret)), 1);
	assert_int_equal(tpm_credential_make(d, buf_span(&ek_public), tpm_name_span(&name),
					     (struct span){ (char *)secret, 32 }, &blob), 0);
	assert_int_equal(tpm_credential_activate(d, &ek, &ak, buf_span(&blob), opened, sizeof(opened), &n), 0);
	assert_int_equal(n, 32);
	assert_memory_equal(secret, opened, 32);
	e.ak_name = tpm_name_span(&name);
	sha256(buf_span(&ek_cert).p, buf_len(&ek_cert), e.ek_certificate);
	assert_int_equal(tpm_enrolment_write(&e, enroller, &enrolment), 0);
	/* For a key of another Name the TPM does not open it. */
	name.bytes[10] ^= 1;
	buf_clear(&blob);
	assert_int_equal(tpm_credential_make(d, buf_span(&ek_public), tpm_name_span(&name),
					     (struct span){ (char *)secret, 32 }, &blob), 0);
	assert_true(tpm_credential_activate(d, &ek, &ak, buf_span(&blob), opened, sizeof(opened), &n) < 0);
	tpm_key_done(&ak);
	tpm_key_done(&ek);
	tpm_dev_close(d);
}

/* --- evidence ----------------------------------------------------------------------------------- */
struct say { /* what the node says, and what the verifier expects */
	const char *policy, *catalog, *key, *nonce;
};
static const struct say genuine = { POLICY_HASH, CATALOG_HASH, LOG_KEY, "a fresh nonce" };

static void collect(const struct say *s, struct buf *json)
{
	const struct attest_config c = { .tcti = swtpm_tcti };
	_cleanup_buf_ struct buf cosign = { 0 };
	struct attest_evidence e = { 0 };
	struct attest_binding b = {
		.public_key = span_of(s->key), .policy_hash = span_of(s->policy), .catalog_hash = span_of(s->catalog),
		.mode = SPAN("enforcing"), .boot_id = SPAN("boot"), .origin = SPAN("node"),
	};

	assert_int_equal(attest_cosign_key(&c, &cosign), 0);
	b.cosign_key = buf_span(&cosign);
	assert_int_equal(attest_evidence(&c, span_of(s->nonce), &b, &e), 0);
	assert_string_equal(e.platform, "tpm");
	assert_int_equal(e.class, ATTEST_HARDWARE);
	assert_int_equal(attest_evidence_json(&e, &b, span_of(s->nonce), json), 0);
	attest_evidence_done(&e);
}

/* Expected values as an operator would have noted them when all was well. */
static char pcr0[65], pcr7[65];
static struct span ak_cert; /* and the roots that are pinned, for the test of them */
static const struct x509_certs *ak_roots;

static void note_pcrs(const struct buf *json)
{
	struct attest_bundle b;
	struct span pcrs;

	assert_int_equal(attest_bundle_read(buf_span(json), &b), 0);
	pcrs = attest_evidence_part(&b.evidence, "pcrs");
	assert_int_equal(pcrs.n, 16 * 32);
	hex_encode(pcrs.p, 32, pcr0);
	hex_encode(pcrs.p + 7 * 32, 32, pcr7);
	attest_bundle_done(&b);
}

static void expect_with(const char *optional, const struct buf *json, const struct say *s, enum attest_status want,
			const char *field)
{
	struct attest_bundle_input in = { .nonce = span_of(s->nonce), .have_nonce = true, .enrolment = buf_span(&enrolment) };
	const struct attest_finding *f;
	struct attest_bundle bundle;
	struct policy_error pe = { { 0 } };
	struct attest_policy p;
	struct attest_result res;
	char policy[2048], key[65];
	enum attest_status got;

	if (ak_cert.n) { /* the certificate vouches instead of the enroller */
		in.enrolment = (struct span){ 0 };
		in.ak_certs = ak_cert;
		in.roots = ak_roots;
	}
	hex_encode(s->key, 32, key);
	(void)snprintf(policy, sizeof(policy),
		       "{\"version\":1,\"optional\":[\"%s\"],\"binding\":{\"public_keys\":\"%s\",\"policy_hashes\":\"%s\",\"catalog_hashes\":\"%s\","
		       "\"modes\":[\"enforcing\"]},\"tpm\":{\"enrollers\":\"%s\",\"selection\":{\"sha256\":[\"0\",\"1\",\"2\",\"3\","
		       "\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\",\"12\",\"13\",\"14\",\"15\"]},"
		       "\"pcrs\":{\"sha256\":{\"0\":\"%s\",\"7\":\"%s\"}}}}",
		       optional, key, s->policy + 7, s->catalog + 7, enroller_hex, pcr0, pcr7);
	attest_policy_init(&p);
	if (attest_policy_read(&p, span_of(policy), &pe) < 0)
		fail_msg("%s", pe.text);
	assert_int_equal(attest_bundle_read(buf_span(json), &bundle), 0);
	in.bundle = &bundle;
	attest_result_init(&res, "tpm", time(NULL));
	assert_int_equal(attest_verify_bundle(&in, &p, &res), 0);
	got = attest_appraise(&res, &p);
	f = attest_finding(&res, field);
	if (got != want || !f || (want == ATTEST_REJECTED && f->verdict != ATTEST_FAIL)) {
		for (unsigned i = 0; i < res.n_findings; i++)
			print_message("%s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
				      res.findings[i].reason);
		fail_msg("%s: %s, expected %s", field, attest_status_text(got), attest_status_text(want));
	}
	attest_result_done(&res);
	attest_bundle_done(&bundle);
	attest_policy_done(&p);
}

/* A software TPM has no kernel's list: the verifier says that it takes the daemon's word for who it is. */
static void expect(const struct buf *json, const struct say *s, enum attest_status want, const char *field)
{
	expect_with("binding.identity", json, s, want, field);
}

static void evidence_affirms_and_each_change_is_refused(void **state)
{
	_cleanup_buf_ struct buf json = { 0 }, tampered = { 0 }, later = { 0 };
	struct say other = genuine;
	struct tpm_dev *d;
	uint8_t digest[32] = { 1 };
	char *at;

	if (!here)
		skip();
	collect(&genuine, &json);
	note_pcrs(&json);
	expect(&json, &genuine, ATTEST_AFFIRMING, "tpm.certify.name");
	expect_with("x", &json, &genuine, ATTEST_INCOMPLETE, "binding.identity");
	other.nonce = "another nonce";
	expect(&json, &other, ATTEST_REJECTED, "binding.nonce");
	other = genuine;
	other.key = "another log key of thirty-two by";
	expect(&json, &other, ATTEST_REJECTED, "binding.public_key");
	other = genuine;
	other.policy = CATALOG_HASH;
	expect(&json, &other, ATTEST_REJECTED, "binding.policy_hash");
	other = genuine;
	other.catalog = POLICY_HASH;
	expect(&json, &other, ATTEST_REJECTED, "binding.catalog_hash");
	/* The statement edited to what is expected, under a quote of the other one. */
	other = genuine;
	other.policy = CATALOG_HASH;
	collect(&other, &tampered);
	at = strstr(buf_cstr(&tampered), "\"policy_hash\":\"" CATALOG_HASH);
	assert_non_null(at);
	memcpy(at + strlen("\"policy_hash\":\""), POLICY_HASH, strlen(POLICY_HASH));
	expect(&tampered, &genuine, ATTEST_REJECTED, "tpm.nonce");
	/* The machine boots something else. */
	d = open_dev();
	assert_int_equal(tpm_pcr_extend(d, 7, digest), 0);
	tpm_dev_close(d);
	collect(&genuine, &later);
	expect(&later, &genuine, ATTEST_REJECTED, "tpm.expected");
	expect(&json, &genuine, ATTEST_AFFIRMING, "tpm.expected"); /* the old one stays what it was */
}

static EVP_PKEY *read_ca_key(void)
{
	char path[160];
	EVP_PKEY *key;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/ca/key.pem", swtpm_dir);
	f = fopen(path, "r");
	assert_non_null(f);
	key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	fclose(f);
	assert_non_null(key);
	return key;
}

static void read_cert(const char *name, struct x509_certs *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[160];

	(void)snprintf(path, sizeof(path), "%s/ca/%s", swtpm_dir, name);
	assert_int_equal(file_read(path, 65536, &b), 0);
	assert_int_equal(x509_certs_add(ret, buf_span(&b)), 0);
}

/* What a privacy authority issues after a credential activation: the maker's authority stands in for it. */
static void issue(EVP_PKEY *ak, X509 *issuer, struct buf *pem)
{
	EVP_PKEY *ca = read_ca_key();
	BIO *bio = BIO_new(BIO_s_mem());
	X509 *cert = X509_new();
	BUF_MEM *mem;

	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 77);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	X509_set_pubkey(cert, ak);
	assert_true(X509_sign(cert, ca, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	assert_int_equal(PEM_write_bio_X509(bio, issuer), 1);
	BIO_get_mem_ptr(bio, &mem);
	assert_int_equal(buf_append(pem, mem->data, mem->length), 0);
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(ca);
}

static void the_makers_root_can_be_pinned(void **state)
{
	_cleanup_certs_ struct x509_certs issuer = { 0 }, root = { 0 }, unrelated = { 0 };
	_cleanup_buf_ struct buf json = { 0 }, pem = { 0 }, other_pem = { 0 };
	struct attest_bundle b;
	struct tpm_public pub;
	EVP_PKEY *ak = NULL;
	bool has;

	if (!here)
		skip();
	swtpm_stop();
	assert_true(swtpm_start());
	collect(&genuine, &json);
	assert_int_equal(attest_bundle_read(buf_span(&json), &b), 0);
	assert_int_equal(tpm_ak_read(attest_evidence_part(&b.evidence, "ak_public"), &ak, &pub, &has), 0);
	read_cert("issuer.pem", &issuer);
	read_cert("swtpm-localca-rootca-cert.pem", &root);
	issue(ak, issuer.cert[0], &pem);
	issue(enroller, issuer.cert[0], &other_pem);
	assert_int_equal(x509_certs_add(&unrelated, buf_span(&other_pem)), 0);
	X509_free(unrelated.cert[--unrelated.n]); /* leaves one that issued nothing */
	ak_cert = buf_span(&pem);
	ak_roots = &root;
	expect(&json, &genuine, ATTEST_AFFIRMING, "tpm.ak.certificate");
	ak_cert = buf_span(&other_pem); /* a true certificate, of another key */
	expect(&json, &genuine, ATTEST_REJECTED, "tpm.ak.certificate_key");
	ak_cert = buf_span(&pem);
	ak_roots = &(struct x509_certs){ 0 };
	expect(&json, &genuine, ATTEST_INCOMPLETE, "tpm.ak.certificate");
	ak_roots = &unrelated;
	expect(&json, &genuine, ATTEST_REJECTED, "tpm.ak.certificate");
	ak_cert = (struct span){ 0 };
	ak_roots = NULL;
	attest_bundle_done(&b);
	EVP_PKEY_free(ak);
}

/* Every part belongs to the same statement and key: none can come from other evidence. */
static void parts_cannot_be_exchanged(void **state)
{
	static const struct {
		const char *part, *field;
	} parts[] = {
		{ "quote", "tpm.signature" }, { "signature", "tpm.signature" }, { "pcrs", "tpm.pcrs" },
		{ "cosign_certify", "tpm.certify.signature" }, { "cosign_certify_signature", "tpm.certify.signature" },
		{ "cosign_public", "tpm.certify.name" },
	};
	_cleanup_buf_ struct buf json = { 0 }, other = { 0 };
	struct say s = genuine;

	if (!here)
		skip();
	swtpm_stop();
	assert_true(swtpm_start()); /* power-on: registers as at first */
	collect(&genuine, &json);
	s.nonce = "another nonce";
	collect(&s, &other);
	expect(&json, &genuine, ATTEST_AFFIRMING, "tpm.expected");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_buf_ struct buf mixed = { 0 };
		char name[64], *a, *b, *end;

		(void)snprintf(name, sizeof(name), "\"%s\":\"", parts[i].part);
		a = strstr(buf_cstr(&json), name) + strlen(name);
		b = strstr(buf_cstr(&other), name) + strlen(name);
		end = strchr(b, '"');
		buf_append(&mixed, buf_span(&json).p, (size_t)(a - buf_span(&json).p));
		buf_append(&mixed, b, (size_t)(end - b));
		if (strncmp(a, b, (size_t)(end - b)) == 0) { /* the same key in both: break it instead */
			char *c = mixed.data + mixed.end - (end - b) / 2;

			*c = *c == 'A' ? 'B' : 'A';
		}
		buf_append_str(&mixed, strchr(a, '"'));
		expect(&mixed, &genuine, ATTEST_REJECTED, parts[i].field);
	}
}

static void the_co_signing_key_signs_only_in_its_state(void **state)
{
	_cleanup_buf_ struct buf public = { 0 }, signature = { 0 }, again = { 0 };
	struct tpm_key key = { 0 };
	struct tpm_signature sig;
	struct tpm_public pub;
	EVP_PKEY *pkey = NULL;
	struct tpm_dev *d;
	uint8_t digest[32];
	bool has;

	if (!here)
		skip();
	swtpm_stop();
	assert_true(swtpm_start());
	d = open_dev();
	sha256("checkpoint", 10, digest);
	assert_int_equal(tpm_cosign_load(d, TPM_COSIGN_MASK, &key, &public), 0);
	assert_int_equal(tpm_cosign_sign(d, &key, TPM_COSIGN_MASK, digest, &signature), 0);
	assert_int_equal(tpm_ak_read(buf_span(&public), &pkey, &pub, &has), 0);
	assert_int_equal(tpm_signature_parse(buf_span(&signature), pkey, &sig), 0);
	assert_int_equal(tpm_signature_verify(&sig, pkey, SPAN("checkpoint")), 0);
	assert_int_equal(tpm_signature_verify(&sig, pkey, SPAN("another")), -EKEYREJECTED);
	assert_int_equal(tpm_pcr_extend(d, 7, digest), 0);
	assert_int_equal(tpm_cosign_sign(d, &key, TPM_COSIGN_MASK, digest, &signature), -ESTALE);
	tpm_key_done(&key);
	assert_int_equal(tpm_cosign_load(d, TPM_COSIGN_MASK, &key, &again), 0);
	assert_false(span_eq(buf_span(&public), buf_span(&again))); /* another state, another key */
	tpm_key_done(&key);
	EVP_PKEY_free(pkey);
	tpm_dev_close(d);
	/* The same state gives the same key, after a reboot too. */
	swtpm_stop();
	assert_true(swtpm_start());
	d = open_dev();
	buf_clear(&again);
	assert_int_equal(tpm_cosign_load(d, TPM_COSIGN_MASK, &key, &again), 0);
	assert_true(span_eq(buf_span(&public), buf_span(&again)));
	tpm_key_done(&key);
	tpm_dev_close(d);
}

static void a_sealed_key_comes_back_only_in_its_state(void **state)
{
	const struct span seed = SPAN("0123456789abcdef0123456789abcdef");
	_cleanup_buf_ struct buf blob = { 0 };
	uint8_t out[64], digest[32] = { 7 };
	struct tpm_dev *d;
	size_t n = 0;

	if (!here)
		skip();
	swtpm_stop();
	assert_true(swtpm_start());
	d = open_dev();
	assert_int_equal(tpm_seal(d, TPM_COSIGN_MASK, seed, &blob), 0);
	assert_null(memmem(buf_span(&blob).p, buf_len(&blob), seed.p, seed.n));
	assert_int_equal(tpm_unseal(d, buf_span(&blob), out, sizeof(out), &n), 0);
	assert_int_equal(n, 32);
	assert_memory_equal(out, seed.p, 32);
	assert_int_equal(tpm_unseal(d, buf_span(&blob), out, 16, &n), -EMSGSIZE);
	for (size_t i = 0; i < buf_len(&blob); i += 7) {
		blob.data[blob.start + i] ^= 1;
		assert_true(tpm_unseal(d, buf_span(&blob), out, sizeof(out), &n) < 0);
		blob.data[blob.start + i] ^= 1;
	}
	for (size_t i = 0; i < buf_len(&blob); i += 5)
		assert_true(tpm_unseal(d, (struct span){ buf_span(&blob).p, i }, out, sizeof(out), &n) < 0);
	assert_int_equal(tpm_pcr_extend(d, 0, digest), 0);
	assert_int_equal(tpm_unseal(d, buf_span(&blob), out, sizeof(out), &n), -ESTALE);
	tpm_dev_close(d);
	swtpm_stop();
	assert_true(swtpm_start());
	d = open_dev();
	assert_int_equal(tpm_unseal(d, buf_span(&blob), out, sizeof(out), &n), 0);
	assert_memory_equal(out, seed.p, 32);
	tpm_dev_close(d);
	assert_int_equal(tpm_seal(NULL, 0, SPAN(""), &blob), -EINVAL);
}

static struct span certified(struct tpm_dev *d, uint32_t index, uint32_t kind, struct buf *attest)
{
	_cleanup_buf_ struct buf ak_public = { 0 }, signature = { 0 }, public = { 0 };
	struct attest_result res;
	struct tpm_key ak = { 0 };
	struct tpm_public pub;
	EVP_PKEY *key = NULL;
	struct span v;
	bool has;

	assert_int_equal(tpm_ak_load(d, &ak, &ak_public), 0);
	buf_clear(attest);
	assert_int_equal(tpm_nv_certify(d, &ak, index, SPAN("asked"), attest, &signature, &public), 0);
	tpm_key_done(&ak);
	assert_int_equal(tpm_ak_read(buf_span(&ak_public), &key, &pub, &has), 0);
	attest_result_init(&res, "tpm", 0);
	v = tpm_judge_nv(buf_span(attest), buf_span(&signature), key, buf_span(&public), kind, SPAN("asked"), &res);
	attest_result_done(&res);
	EVP_PKEY_free(key);
	return v;
}

static void indices_only_move_forward(void **state)
{
	_cleanup_buf_ struct buf pre_attest = { 0 }, post_attest = { 0 }, json = { 0 };
	uint8_t digest[32] = { 9 }, chain[64], want[32], zero[64] = { 0 };
	uint64_t first = 0, second = 0;
	struct span pre, post, counter;
	struct tpm_dev *d;

	if (!here)
		skip();
	d = open_dev();
	assert_int_equal(tpm_nv_read(d, TPM_INDEX_MEASURED, &pre_attest), -ENOENT);
	assert_int_equal(tpm_nv_extend(d, TPM_INDEX_MEASURED, digest), 0);
	pre = certified(d, TPM_INDEX_MEASURED, TPM_NT_EXTEND, &pre_attest);
	memcpy(zero + 32, digest, 32);
	sha256(zero, 64, want);
	assert_int_equal(pre.n, 32);
	assert_memory_equal(pre.p, want, 32);
	digest[0] = 10;
	assert_int_equal(tpm_nv_extend(d, TPM_INDEX_MEASURED, digest), 0);
	post = certified(d, TPM_INDEX_MEASURED, TPM_NT_EXTEND, &post_attest);
	memcpy(chain, pre.p, 32);
	memcpy(chain + 32, digest, 32);
	sha256(chain, 64, want);
	assert_memory_equal(post.p, want, 32);
	assert_int_equal(tpm_nv_increment(d, TPM_INDEX_COUNTER, &first), 0);
	assert_int_equal(tpm_nv_increment(d, TPM_INDEX_COUNTER, &second), 0);
	assert_int_equal(second, first + 1);
	counter = certified(d, TPM_INDEX_COUNTER, TPM_NT_COUNTER, &post_attest);
	assert_int_equal(counter.n, 8);
	assert_int_equal((uint8_t)counter.p[7], (uint8_t)second);
	assert_null(certified(d, TPM_INDEX_COUNTER, TPM_NT_EXTEND, &post_attest).p); /* one kind is not the other */
	tpm_dev_close(d);
	swtpm_stop();
	assert_true(swtpm_start());
	collect(&genuine, &json);
	assert_non_null(strstr(buf_cstr(&json), "\"nv_counter\""));
	expect(&json, &genuine, ATTEST_AFFIRMING, "tpm.nv.contents");
}

/* --- which provider ----------------------------------------------------------------------------- */
static const struct attest_found *row(const struct attest_found *f, const char *name)
{
	while (strcmp(f->name, name) != 0)
		f++;
	return f;
}

/* A paravisor's report in NV makes it Azure's TPM; without its key the evidence fails, and nothing weaker
 * takes its place. */
static void a_stronger_provider_that_fails_is_a_failure(void **state)
{
	static const TPM2B_AUTH no_auth = { 0 };
	const struct attest_config c = { .tcti = swtpm_tcti };
	TPM2B_NV_PUBLIC public = {
		.nvPublic = { .nvIndex = TPM_INDEX_AZURE_HCL, .nameAlg = TPM2_ALG_SHA256,
			      .attributes = TPMA_NV_OWNERWRITE | TPMA_NV_OWNERREAD | TPMA_NV_AUTHREAD },
	};
	TPM2B_MAX_NV_BUFFER hcl = { .size = 32 + 1184 + 20 + 11 };
	const uint32_t fields[] = { 2, 32 + 1184 + 20 + 11, 2, 0 }, runtime[] = { 20 + 11, 1, 2, 1, 11 };
	struct attest_binding b = { .mode = SPAN("enforcing") };
	_cleanup_buf_ struct buf ak_public = { 0 };
	struct attest_found found[16];
	struct attest_evidence e = { 0 };
	ESYS_TR nv, persistent;
	struct tpm_key ak = { 0 };
	struct tpm_dev *d;

	if (!here)
		skip();
	assert_true(attest_detect(&c, found, 16) <= 16);
	assert_false(row(found, "azure")->present);
	assert_true(row(found, "tpm")->present && row(found, "tpm")->used);
	assert_false(row(found, "opaque")->present);
	memcpy(hcl.buffer, "HCLA", 4);
	memcpy(hcl.buffer + 4, fields, sizeof(fields));
	memcpy(hcl.buffer + 32 + 1184, runtime, sizeof(runtime));
	memcpy(hcl.buffer + 32 + 1184 + 20, "{\"keys\":[]}", 11);
	public.nvPublic.dataSize = hcl.size;
	d = open_dev();
	assert_int_equal(Esys_NV_DefineSpace(d->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					     &no_auth, &public, &nv), 0);
	for (uint16_t at = 0; at < hcl.size;) {
		TPM2B_MAX_NV_BUFFER part = { .size = (UINT16)(hcl.size - at < 512 ? hcl.size - at : 512) };

		memcpy(part.buffer, hcl.buffer + at, part.size);
		assert_int_equal(Esys_NV_Write(d->esys, ESYS_TR_RH_OWNER, nv, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					       &part, at), 0);
		at = (uint16_t)(at + part.size);
	}
	tpm_dev_close(d);
	(void)attest_detect(&c, found, 16);
	assert_true(row(found, "azure")->present && row(found, "azure")->used);
	assert_true(row(found, "tpm")->present && !row(found, "tpm")->used);
	assert_int_equal(attest_evidence(&c, SPAN("n"), &b, &e), -ENOENT);
	d = open_dev();
	assert_int_equal(tpm_ak_load(d, &ak, &ak_public), 0);
	assert_int_equal(Esys_EvictControl(d->esys, ESYS_TR_RH_OWNER, ak.tr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
					   TPM_HANDLE_AZURE_AK, &persistent), TPM2_RC_SUCCESS);
	tpm_key_done(&ak);
	tpm_dev_close(d);
	assert_int_equal(attest_evidence(&c, SPAN("n"), &b, &e), 0);
	assert_string_equal(e.platform, "azure");
	assert_int_equal(attest_evidence_part(&e, "hcl_report").n, hcl.size);
	assert_true(attest_evidence_part(&e, "quote").n > 0);
	attest_evidence_done(&e);
	/* The plain TPM is there for who asks for it by name. */
	assert_int_equal(attest_evidence(&(struct attest_config){ .provider = "tpm", .tcti = swtpm_tcti }, SPAN("n"), &b, &e),
			 0);
	assert_string_equal(e.platform, "tpm");
	attest_evidence_done(&e);
}

static void no_tpm_is_said(void **state)
{
	const struct attest_config c = { .provider = "tpm", .tcti = "swtpm:path=/nonexistent/sock" };
	struct attest_binding b = { .mode = SPAN("enforcing") };
	struct attest_evidence e = { 0 };
	struct tpm_dev *d = NULL;

	assert_int_equal(tpm_dev_open("swtpm:path=/nonexistent/sock", &d), -ENODEV);
	assert_int_equal(tpm_dev_open("nonsense", &d), -ENODEV);
	assert_int_equal(attest_evidence(&c, SPAN("n"), &b, &e), -ENODEV);
}

static int setup(void **state)
{
	size_t n = 32;
	uint8_t raw[32];

	here = swtpm_begin();
	enroller = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	assert_int_equal(EVP_PKEY_get_raw_public_key(enroller, raw, &n), 1);
	hex_encode(raw, 32, enroller_hex);
	return 0;
}

static int teardown(void **state)
{
	swtpm_end();
	EVP_PKEY_free(enroller);
	buf_done(&enrolment);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_enrolled_by_credential_activation),
		cmocka_unit_test(evidence_affirms_and_each_change_is_refused),
		cmocka_unit_test(the_makers_root_can_be_pinned),
		cmocka_unit_test(parts_cannot_be_exchanged),
		cmocka_unit_test(the_co_signing_key_signs_only_in_its_state),
		cmocka_unit_test(a_sealed_key_comes_back_only_in_its_state),
		cmocka_unit_test(indices_only_move_forward),
		cmocka_unit_test(a_stronger_provider_that_fails_is_a_failure),
		cmocka_unit_test(no_tpm_is_said),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
