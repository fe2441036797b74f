// SPDX-License-Identifier: Apache-2.0
/* Recorded TDX evidence gets the verdict that its index states; changed or mixed up, it is refused. */
#include "attest/attest_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "attest/eventlog.h"
#include "attest/roots.h"
#include "attest/tdx_collateral.h"
#include "attest/tdx_pck.h"
#include "attest/tdx_quote.h"
#include "attest/tdx_tcb.h"
#include "tests/unit/attest/index.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/digest.h"

#define FILES_MAX 8

static int64_t at(const char *iso)
{
	uint64_t ns = 0;

	assert_int_equal(clock_parse_iso(iso, &ns), 0);
	return (int64_t)(ns / 1000000000u);
}

struct input {
	struct buf quote, log, files[FILES_MAX];
	unsigned n;
	const char *when;
	const char *policy; /* members of "tdx" besides the expected values; "" for none */
	bool expect; /* the values of the quote as recorded are expected */
	char expected[1024];
};

static uint8_t *quote_bytes(struct input *in)
{
	return (uint8_t *)in->quote.data + in->quote.start;
}

static void load(struct input *in, const char *quote, const char *when)
{
	const char *code, *why;
	struct tdx_quote q;
	char path[128], hex[6][129];

	*in = (struct input){ .when = when, .policy = "", .expect = true };
	(void)snprintf(path, sizeof(path), "tdx/%s", quote);
	if (tdx_quote_parse(vector_read(path, &in->quote), &q, &code, &why) < 0)
		return;
	hex_encode(q.report_data.p, 64, hex[0]);
	hex_encode(q.mrtd.p, 48, hex[1]);
	for (unsigned i = 0; i < 4; i++)
		hex_encode(q.rtmr[i].p, 48, hex[2 + i]);
	(void)snprintf(in->expected, sizeof(in->expected),
		       "\"report_data\":\"%s\",\"mrtd\":\"%s\",\"rtmr0\":\"%s\",\"rtmr1\":\"%s\",\"rtmr2\":\"%s\",\"rtmr3\":\"%s\"", hex[0],
		       hex[1], hex[2], hex[3], hex[4], hex[5]);
}

static void add(struct input *in, const char *file)
{
	char path[128];

	assert_true(in->n < FILES_MAX);
	(void)snprintf(path, sizeof(path), "tdx/%s", file);
	vector_read(path, &in->files[in->n++]);
}

/* The collateral of March 2026, for the platform with this FMSPC. */
static void add_march(struct input *in, const char *fmspc)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "collateral-2026-03/tcb_info_%s.json", fmspc);
	add(in, path);
	add(in, "collateral-2026-03/td_qe_identity.json");
	add(in, "collateral-2026-03/tcb_signing_chain.pem");
	add(in, "collateral-2026-03/pck_crl_platform.der");
	add(in, "collateral-2026-03/root_ca_crl.der");
}

static void drop(struct input *in, unsigned file)
{
	buf_done(&in->files[file]);
	memmove(&in->files[file], &in->files[file + 1], (--in->n - file) * sizeof(in->files[0]));
}

static void replace(struct input *in, unsigned file, const char *with)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "tdx/%s", with);
	buf_clear(&in->files[file]);
	vector_read(path, &in->files[file]);
}

static void unload(struct input *in)
{
	buf_done(&in->quote);
	buf_done(&in->log);
	for (unsigned i = 0; i < in->n; i++)
		buf_done(&in->files[i]);
}

static enum attest_status judge(struct input *in, struct attest_result *res)
{
	struct span files[FILES_MAX];
	struct attest_tdx tdx = { .quote = buf_span(&in->quote), .event_log = buf_span(&in->log), .collateral = files,
				  .n_collateral = in->n };
	struct policy_error e = { { 0 } };
	struct attest_policy p;
	enum attest_status s;
	char text[4096];

	for (unsigned i = 0; i < in->n; i++)
		files[i] = buf_span(&in->files[i]);
	(void)snprintf(text, sizeof(text), "{\"version\":1,\"tdx\":{%s%s%s}}", in->expect ? in->expected : "",
		       in->expect && *in->policy ? "," : "", in->policy);
	attest_policy_init(&p);
	if (attest_policy_read(&p, span_of(text), &e) < 0)
		fail_msg("%s", e.text);
	attest_result_init(res, "tdx", at(in->when));
	assert_int_equal(attest_verify_tdx(&tdx, &p, res), 0);
	s = attest_appraise(res, &p);
	attest_policy_done(&p);
	return s;
}

static void gets(struct input *in, enum attest_status want, const char *field, enum attest_verdict v, const char *code)
{
	struct attest_result res;
	enum attest_status s = judge(in, &res);
	const struct attest_finding *f = field ? attest_finding(&res, field) : NULL;

	if (s != want)
		for (unsigned i = 0; i < res.n_findings; i++)
			printf("%s %s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
			       res.findings[i].code, res.findings[i].reason);
	assert_int_equal(s, want);
	if (field && (!f || f->verdict != v || (code && strcmp(f->code, code) != 0)))
		fail_msg("%s is %s (%s: %s), not %s (%s)", field, f ? attest_verdict_text(f->verdict) : "not there",
			 f ? f->code : "", f ? f->reason : "", attest_verdict_text(v), code ? code : "");
	attest_result_done(&res);
}

/* Signature and chain are good whatever else is wrong. */
static void crypto_is_valid(struct input *in)
{
	struct attest_result res;
	static const char *const fields[] = { "tdx.quote", "tdx.chain", "tdx.qe", "tdx.signature" };

	(void)judge(in, &res);
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct attest_finding *f = attest_finding(&res, fields[i]);

		if (!f || f->verdict != ATTEST_PASS)
			fail_msg("%s: %s", fields[i], f ? f->reason : "not there");
	}
	attest_result_done(&res);
}

/* --- rows of the index -------------------------------------------------------------------------- */
static void v4_uptodate(const char *file)
{
	struct input in;

	load(&in, "v4-uptodate/quote.bin", "2025-06-20");
	add(&in, "v4-uptodate/collateral.json");
	crypto_is_valid(&in);
	gets(&in, ATTEST_AFFIRMING, "tdx.tcb", ATTEST_PASS, "accepted");
	in.when = "2026-02-20";
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "stale");
	gets(&in, ATTEST_REJECTED, "tdx.qe_identity", ATTEST_FAIL, "stale");
	gets(&in, ATTEST_REJECTED, "tdx.crl", ATTEST_FAIL, "revoked-or-stale");
	in.when = "2025-06-18";
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "not-yet-issued");
	in.when = "2025-06-20";
	in.expect = false;
	gets(&in, ATTEST_INCOMPLETE, "tdx.report_data", ATTEST_NOT_CHECKED, "no-expectation");
	gets(&in, ATTEST_INCOMPLETE, "tdx.mrtd", ATTEST_NOT_CHECKED, "no-expectation");
	unload(&in);
}

static void v5_uptodate(const char *file)
{
	struct input in;

	load(&in, "v5-uptodate/quote.bin", "2026-03-20");
	add_march(&in, "90c06f000000");
	crypto_is_valid(&in);
	gets(&in, ATTEST_AFFIRMING, "tdx.tcb", ATTEST_PASS, "accepted");
	gets(&in, ATTEST_AFFIRMING, "tdx.mrservicetd", ATTEST_PASS, "none");
	add(&in, "collateral-2026-03/tcb_info_50806f000000.json"); /* another platform's beside it */
	gets(&in, ATTEST_AFFIRMING, "tdx.tcb_info", ATTEST_PASS, "in-force");
	unload(&in);
}

static void v5_servtd(const char *file)
{
	struct input in;

	load(&in, "v5-servtd-alibaba/quote.bin", "2026-03-20");
	add_march(&in, "90c06f000000");
	crypto_is_valid(&in);
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "tcb-not-supported");
	gets(&in, ATTEST_REJECTED, "tdx.mrservicetd", ATTEST_FAIL, "unexpected");
	in.policy = "\"tcb_statuses\":[\"UpToDate\",\"OutOfDate\",\"OutOfDateConfigurationNeeded\"]"; /* never acceptable */
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "tcb-not-supported");
	unload(&in);
}

static void v4_debug(const char *file)
{
	struct input in;

	load(&in, "v4-debug-td/quote.bin", "2026-03-20");
	add_march(&in, "50806f000000");
	crypto_is_valid(&in);
	gets(&in, ATTEST_REJECTED, "tdx.debug", ATTEST_FAIL, "debug");
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "status-not-accepted");
	in.policy = "\"allow_debug\":true,\"tcb_statuses\":[\"OutOfDate\"]"; /* nothing else stood in the way */
	gets(&in, ATTEST_AFFIRMING, "tdx.tcb", ATTEST_PASS, "accepted");
	in.policy = "\"allow_debug\":true,\"tcb_statuses\":[\"OutOfDate\"],\"accept_advisories\":[]";
	gets(&in, ATTEST_REJECTED, "tdx.advisories", ATTEST_FAIL, "refused");
	in.policy = "\"allow_debug\":true,\"tcb_statuses\":[\"OutOfDate\"],\"deny_advisories\":[\"INTEL-SA-01036\"]";
	gets(&in, ATTEST_REJECTED, "tdx.advisories", ATTEST_FAIL, "refused");
	in.policy = "\"allow_debug\":true,\"tcb_statuses\":[\"OutOfDate\"],\"deny_advisories\":[\"INTEL-SA-99999\"]";
	gets(&in, ATTEST_AFFIRMING, "tdx.advisories", ATTEST_PASS, "accepted");
	unload(&in);
}

static void v4_spr(const char *file)
{
	struct input in;

	load(&in, "v4-spr-e4/quote.bin", "2026-03-20");
	add_march(&in, "50806f000000");
	crypto_is_valid(&in);
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "tcb-not-supported");
	gets(&in, ATTEST_REJECTED, "tdx.sept_ve", ATTEST_FAIL, "enabled");
	unload(&in);
}

/* The revocation lists of 2023 are in force in their window and not after. */
static void crl_2023(const char *file)
{
	struct input in;

	load(&in, "v4-spr-e4/quote.bin", "2023-06-20");
	add(&in, "v4-spr-e4/pck_platform.crl.der");
	gets(&in, ATTEST_INCOMPLETE, "tdx.crl", ATTEST_NOT_CHECKED, "no-crl"); /* one of two */
	add(&in, "v4-spr-e4/root.crl.der");
	gets(&in, ATTEST_INCOMPLETE, "tdx.crl", ATTEST_PASS, "not-revoked");
	in.when = strstr(file, "root") ? "2024-04-03" : "2023-07-09";
	gets(&in, ATTEST_REJECTED, "tdx.crl", ATTEST_FAIL, "revoked-or-stale");
	unload(&in);
}

static void signer_key(struct x509_certs *c)
{
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(x509_certs_add(c, vector_read("tdx/collateral-2026-03/tcb_signing_chain.pem", &b)), 0);
}

/* A statement alone: its bytes are signed by Intel's key, and its window is the one that is stated. */
static void statement_window(const char *file, const char *from, const char *to)
{
	_cleanup_certs_ struct x509_certs signer = { 0 };
	_cleanup_buf_ struct buf b = { 0 };
	struct tdx_qe_identity q = { 0 };
	struct tdx_tcb_info t = { 0 };
	struct tdx_statement s;
	struct tdx_validity *v;
	bool info;
	char path[128];

	(void)snprintf(path, sizeof(path), "tdx/%s", file);
	signer_key(&signer);
	vector_read(path, &b);
	info = tdx_statement_find(buf_span(&b), "tcbInfo", &s) == 0;
	if (!info)
		assert_int_equal(tdx_statement_find(buf_span(&b), "enclaveIdentity", &s), 0);
	assert_int_equal(x509_ecdsa_verify(X509_get0_pubkey(signer.cert[0]), EVP_sha256(), s.body, s.signature, s.signature + 32, 32), 0);
	s.body.n--;
	assert_int_equal(x509_ecdsa_verify(X509_get0_pubkey(signer.cert[0]), EVP_sha256(), s.body, s.signature, s.signature + 32, 32),
			 -EKEYREJECTED);
	s.body.n++;
	assert_int_equal(info ? tdx_tcb_info_parse(s.body, &t) : tdx_qe_identity_parse(s.body, &q), 0);
	v = info ? &t.validity : &q.validity;
	assert_true(v->issued / 86400 == at(from) / 86400 && v->next / 86400 == at(to) / 86400);
	tdx_tcb_info_done(&t);
	tdx_qe_identity_done(&q);
}

static void window_2023_info(const char *file)
{
	statement_window(file, "2023-06-18", "2023-07-18");
}

static void window_2023_identity(const char *file)
{
	statement_window(file, "2023-06-08", "2023-07-08");
}

static void window_march(const char *file)
{
	statement_window(file, "2026-03-16", "2026-04-15");
}

/* CRLs and chains of March 2026: used where they are in force, refused after. */
static void march(const char *file)
{
	struct input in;

	load(&in, "v5-uptodate/quote.bin", "2026-03-17");
	add_march(&in, "90c06f000000");
	gets(&in, ATTEST_AFFIRMING, "tdx.crl", ATTEST_PASS, "not-revoked");
	in.when = "2026-04-16";
	gets(&in, ATTEST_REJECTED, "tdx.crl", ATTEST_FAIL, "revoked-or-stale");
	unload(&in);
}

/* The two chains are the same certificates. */
static void march_qe_chain(const char *file)
{
	struct input in;

	load(&in, "v5-uptodate/quote.bin", "2026-03-20");
	add_march(&in, "90c06f000000");
	replace(&in, 2, "collateral-2026-03/qe_identity_signing_chain.pem");
	gets(&in, ATTEST_AFFIRMING, "tdx.qe_identity", ATTEST_PASS, "intel-enclave");
	unload(&in);
}

static void fmspc_00a06d(const char *file)
{
	struct input in;

	load(&in, "v4-fmspc-00a06d080000/quote.bin", "2025-11-01");
	add(&in, "v4-fmspc-00a06d080000/tcbInfo.json");
	add(&in, "v4-fmspc-00a06d080000/enclaveIdentity.json");
	add(&in, "collateral-2026-03/tcb_signing_chain.pem");
	crypto_is_valid(&in);
	gets(&in, ATTEST_REJECTED, "tdx.module", ATTEST_PASS, "intel-module");
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "status-not-accepted"); /* PCESVN below 13 */
	in.policy = "\"tcb_statuses\":[\"OutOfDate\"]";
	gets(&in, ATTEST_INCOMPLETE, "tdx.tcb", ATTEST_PASS, "accepted"); /* no CRL of that date exists */
	gets(&in, ATTEST_INCOMPLETE, "tdx.crl", ATTEST_NOT_CHECKED, "no-crl");
	unload(&in);
}

static void window_00a06d_identity(const char *file)
{
	statement_window(file, "2025-10-28", "2025-11-27");
}

static void window_00a06d_info(const char *file)
{
	statement_window(file, "2025-10-27", "2025-11-26");
	fmspc_00a06d(file);
}

static void not_supported(const char *file)
{
	struct input in;

	load(&in, file, "2025-06-20");
	add(&in, "v4-uptodate/collateral.json");
	crypto_is_valid(&in);
	gets(&in, ATTEST_REJECTED, "tdx.tcb", ATTEST_FAIL, "tcb-not-supported");
	unload(&in);
}

static void with_log(const char *quote, const char *log, enum attest_status want, enum attest_verdict v, const char *code)
{
	struct input in;
	char path[128];

	load(&in, quote, "2026-06-01");
	(void)snprintf(path, sizeof(path), "tdx/%s", log);
	vector_read(path, &in.log);
	crypto_is_valid(&in);
	gets(&in, want, "tdx.event_log", v, code);
	unload(&in);
}

static void gcp_ccel(const char *file)
{
	with_log("v4-gcp-ccel/quote.bin", "v4-gcp-ccel/ccel.bin", ATTEST_INCOMPLETE, ATTEST_PASS, "replayed");
}

/* The table that says where the log lies is no log. */
static void gcp_acpi(const char *file)
{
	with_log("v4-gcp-ccel/quote.bin", "v4-gcp-ccel/ccel.acpi", ATTEST_REJECTED, ATTEST_FAIL, "malformed");
}

static void live_good(const char *file)
{
	with_log("v4-live-ccel/quote.bin", "v4-live-ccel/ccel-good.bin", ATTEST_INCOMPLETE, ATTEST_PASS, "replayed");
}

static void live_stale(const char *file)
{
	with_log("v4-live-ccel/quote.bin", "v4-live-ccel/ccel-stale.bin", ATTEST_REJECTED, ATTEST_FAIL, "replay-differs");
}

/* A report for the host's eyes only is no evidence. */
static void tdreport(const char *file)
{
	struct input in;

	load(&in, file, "2026-06-01");
	gets(&in, ATTEST_REJECTED, "tdx.quote", ATTEST_FAIL, NULL);
	unload(&in);
}

static void pinned_root(const char *file)
{
	_cleanup_certs_ struct x509_certs pinned = { 0 }, x = { 0 };
	_cleanup_buf_ struct buf b = { 0 };

	assert_int_equal(attest_roots_intel(&pinned), 0);
	assert_int_equal(x509_certs_add(&x, vector_read("tdx/intel-sgx-root-ca.der", &b)), 0);
	assert_int_equal(pinned.n, 1);
	assert_int_equal(X509_cmp(pinned.cert[0], x.cert[0]), 0);
	assert_int_equal(X509_verify(x.cert[0], X509_get0_pubkey(x.cert[0])), 1);
}

/* The set agrees with itself and with a root that calls itself Intel's: every part of it is refused. */
static void fake_root(const char *file)
{
	static const char *const others[] = {
		"intermediateCaCrl.der", "pckCert.pem", "pckSignChain.pem", "qeIdentity.json",
		"rootCaCrl.der", "tcbInfo.json", "tcbSignChain.pem", "trustedRootCaCert.pem",
	};
	_cleanup_certs_ struct x509_certs pinned = { 0 }, certs = { 0 };
	struct x509_trust t = { .roots = &pinned, .untrusted = &certs, .at = at("2023-06-01") };
	struct input in;
	char path[128];
	const char *why;

	assert_int_equal(attest_roots_intel(&pinned), 0);
	load(&in, "negative-fake-root/quote.dat", "2023-06-01");
	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		(void)snprintf(path, sizeof(path), "negative-fake-root/%s", others[i]);
		add(&in, path);
	}
	gets(&in, ATTEST_REJECTED, "tdx.chain", ATTEST_FAIL, NULL);
	unload(&in);
	if (strstr(file, ".pem")) { /* by itself: not even the certificate that is called as the root is */
		_cleanup_buf_ struct buf b = { 0 };

		(void)snprintf(path, sizeof(path), "tdx/%s", file);
		assert_int_equal(x509_certs_add(&certs, vector_read(path, &b)), 0);
		for (unsigned i = 0; i < certs.n; i++)
			assert_int_equal(x509_verify(certs.cert[i], &t, NULL, &why), -EKEYREJECTED);
	}
	if (strstr(file, ".json")) { /* with a genuine quote: not signed by Intel */
		bool info = strstr(file, "tcbInfo") != NULL;

		load(&in, "v5-uptodate/quote.bin", "2026-03-20");
		add_march(&in, "90c06f000000");
		replace(&in, info ? 0 : 1, file);
		gets(&in, ATTEST_REJECTED, info ? "tdx.tcb_info" : "tdx.qe_identity", ATTEST_FAIL, NULL);
		unload(&in);
	}
	if (strstr(file, ".der")) { /* with a genuine quote: not a list of its issuers */
		bool root = strstr(file, "rootCa") != NULL;

		load(&in, "v5-uptodate/quote.bin", "2026-03-20");
		add_march(&in, "90c06f000000");
		replace(&in, root ? 4 : 3, file);
		gets(&in, root ? ATTEST_REJECTED : ATTEST_INCOMPLETE, "tdx.crl", root ? ATTEST_FAIL : ATTEST_NOT_CHECKED, NULL);
		unload(&in);
	}
}

#define FAKE "REJECT with the pinned Intel root"
#define MARCH "2026-03-16..2026-04-15"
static const struct index_row rows[] = {
	{ "collateral-2026-03/pck_crl_platform.der", MARCH, march },
	{ "collateral-2026-03/qe_identity_signing_chain.pem", MARCH, march_qe_chain },
	{ "collateral-2026-03/root_ca_crl.der", MARCH, march },
	{ "collateral-2026-03/tcb_info_50806f000000.json", MARCH, window_march },
	{ "collateral-2026-03/tcb_info_90c06f000000.json", MARCH, window_march },
	{ "collateral-2026-03/tcb_signing_chain.pem", MARCH, march },
	{ "collateral-2026-03/td_qe_identity.json", MARCH, window_march },
	{ "intel-sgx-root-ca.der", "pin this", pinned_root },
	{ "negative-fake-root/intermediateCaCrl.der", FAKE, fake_root },
	{ "negative-fake-root/pckCert.pem", FAKE, fake_root },
	{ "negative-fake-root/pckSignChain.pem", FAKE, fake_root },
	{ "negative-fake-root/qeIdentity.json", FAKE, fake_root },
	{ "negative-fake-root/quote.dat", FAKE, fake_root },
	{ "negative-fake-root/rootCaCrl.der", FAKE, fake_root },
	{ "negative-fake-root/tcbInfo.json", FAKE, fake_root },
	{ "negative-fake-root/tcbSignChain.pem", FAKE, fake_root },
	{ "negative-fake-root/trustedRootCaCert.pem", FAKE, fake_root },
	{ "v4-debug-td/quote.bin", "POLICY REJECT debug TD; TCB OutOfDate", v4_debug },
	{ "v4-fmspc-00a06d080000/enclaveIdentity.json", "2025-10-28..2025-11-27", window_00a06d_identity },
	{ "v4-fmspc-00a06d080000/quote.bin", "crypto VALID", fmspc_00a06d },
	{ "v4-fmspc-00a06d080000/tcbInfo.json", "2025-10-27..2025-11-26", window_00a06d_info },
	{ "v4-gcp-ccel/ccel.acpi", "-", gcp_acpi },
	{ "v4-gcp-ccel/ccel.bin", "replays to RTMR0..3", gcp_ccel },
	{ "v4-gcp-ccel/quote.bin", "crypto VALID", gcp_ccel },
	{ "v4-live-ccel/ccel-good.bin", "replays to all 4 RTMRs", live_good },
	{ "v4-live-ccel/ccel-stale.bin", "NEGATIVE: RTMR2 replay differs", live_stale },
	{ "v4-live-ccel/quote.bin", "crypto VALID", live_good },
	{ "v4-live-ccel/tdreport.bin", "-", tdreport },
	{ "v4-spr-e4/pck_platform.crl.der", "2023", crl_2023 },
	{ "v4-spr-e4/qe_identity.json", "2023-06-08..2023-07-08", window_2023_identity },
	{ "v4-spr-e4/quote.bin", "TCB_NOT_SUPPORTED with 2026-03", v4_spr },
	{ "v4-spr-e4/root.crl.der", "2023", crl_2023 },
	{ "v4-spr-e4/tcb_info.json", "2023-06-18..2023-07-18", window_2023_info },
	{ "v4-tcb-not-supported/quote-tappd.bin", "same", not_supported },
	{ "v4-tcb-not-supported/quote.bin", "TCB_NOT_SUPPORTED", not_supported },
	{ "v4-uptodate/collateral.json", "2025-06-19..2025-07-19", v4_uptodate },
	{ "v4-uptodate/quote.bin", "UpToDate at 2025-06-20", v4_uptodate },
	{ "v5-servtd-alibaba/quote.bin", "TCB_NOT_SUPPORTED with 2026-03", v5_servtd },
	{ "v5-uptodate/quote.bin", "UpToDate with", v5_uptodate },
};

static void every_row_of_the_index(void **state)
{
	unsigned ran = 0;

	if (!vectors_here())
		skip();
	assert_int_equal(index_run("tdx/", rows, ARRAY_SIZE(rows), &ran), 0);
	assert_int_equal(ran, ARRAY_SIZE(rows));
	print_message("rows of the index checked: %u\n", ran);
}

/* --- what the index says to derive -------------------------------------------------------------- */
static void v5(struct input *in)
{
	load(in, "v5-uptodate/quote.bin", "2026-03-20");
	add_march(in, "90c06f000000");
}

static void flip(struct input *in, struct span part, size_t i, const char *field)
{
	uint8_t *at_byte = (uint8_t *)part.p + i;

	assert_true(i < part.n);
	*at_byte ^= 1;
	gets(in, ATTEST_REJECTED, field, ATTEST_FAIL, NULL);
	*at_byte ^= 1;
}

static void a_flipped_bit_is_refused(void **state)
{
	const char *code, *why;
	struct tdx_quote q;
	struct input in;

	if (!vectors_here())
		skip();
	v5(&in);
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	assert_int_equal(tdx_quote_parse(buf_span(&in.quote), &q, &code, &why), 0);
	for (size_t i = 0; i < q.signed_bytes.n; i += 13)
		flip(&in, q.signed_bytes, i, NULL);
	for (size_t i = 0; i < 64; i += 3) {
		flip(&in, q.signature, i, "tdx.signature");
		flip(&in, q.attestation_key, i, "tdx.qe");
		flip(&in, q.qe_signature, i, "tdx.qe");
	}
	for (size_t i = 0; i < q.qe_report.n; i += 7)
		flip(&in, q.qe_report, i, "tdx.qe");
	for (size_t i = 0; i < q.qe_auth.n; i++)
		flip(&in, q.qe_auth, i, "tdx.qe");
	for (size_t i = 30; i < 1700; i += 97) /* inside the first certificate */
		flip(&in, q.pck_chain, i, "tdx.chain");
	unload(&in);
}

static void a_cut_quote_is_refused(void **state)
{
	struct input in;
	size_t whole;

	if (!vectors_here())
		skip();
	v5(&in);
	whole = buf_len(&in.quote);
	for (size_t n = 0; n < whole; n += n < 800 ? 7 : 101) {
		in.quote.end = in.quote.start + n;
		gets(&in, ATTEST_REJECTED, "tdx.quote", ATTEST_FAIL, NULL);
	}
	in.quote.end = in.quote.start + whole;
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	quote_bytes(&in)[48] = 1; /* a body of SGX */
	gets(&in, ATTEST_REJECTED, "tdx.quote", ATTEST_FAIL, "sgx-quote");
	quote_bytes(&in)[48] = 2; /* a 1.0 body of 1.5's size */
	gets(&in, ATTEST_REJECTED, "tdx.quote", ATTEST_FAIL, "unknown-body");
	quote_bytes(&in)[48] = 3;
	quote_bytes(&in)[12] ^= 1; /* another vendor's enclave */
	gets(&in, ATTEST_REJECTED, "tdx.quote", ATTEST_FAIL, "unknown-vendor");
	unload(&in);
}

/* The certificates of the quote in another order, same length. */
static void a_shuffled_chain_is_refused(void **state)
{
	static const char end[] = "-----END CERTIFICATE-----\n";
	const char *code, *why, *first_end, *second_end;
	struct tdx_quote q;
	struct input in;
	char other[8192];
	size_t a, b;

	if (!vectors_here())
		skip();
	v5(&in);
	assert_int_equal(tdx_quote_parse(buf_span(&in.quote), &q, &code, &why), 0);
	assert_true(q.pck_chain.n < sizeof(other));
	first_end = memmem(q.pck_chain.p, q.pck_chain.n, end, sizeof(end) - 1);
	assert_non_null(first_end);
	a = (size_t)(first_end - q.pck_chain.p) + sizeof(end) - 1;
	second_end = memmem(q.pck_chain.p + a, q.pck_chain.n - a, end, sizeof(end) - 1);
	assert_non_null(second_end);
	b = (size_t)(second_end - q.pck_chain.p) + sizeof(end) - 1 - a;
	memcpy(other, q.pck_chain.p + a, b);
	memcpy(other + b, q.pck_chain.p, a);
	memcpy((char *)q.pck_chain.p, other, a + b);
	gets(&in, ATTEST_REJECTED, "tdx.chain", ATTEST_FAIL, "wrong-order");
	unload(&in);
}

static void other_collateral_is_refused(void **state)
{
	struct input in;

	if (!vectors_here())
		skip();
	load(&in, "v5-servtd-alibaba/quote.bin", "2026-03-20");
	add_march(&in, "50806f000000");
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "fmspc-mismatch");
	unload(&in);
	v5(&in); /* no identity of the quoting enclave: never affirmed */
	drop(&in, 1);
	gets(&in, ATTEST_INCOMPLETE, "tdx.qe_identity", ATTEST_NOT_CHECKED, "no-qe-identity");
	gets(&in, ATTEST_INCOMPLETE, "tdx.tcb", ATTEST_NOT_CHECKED, "no-qe-identity");
	unload(&in);
	v5(&in); /* nor without TCB information, revocation lists or signer */
	drop(&in, 0);
	gets(&in, ATTEST_INCOMPLETE, "tdx.tcb", ATTEST_NOT_CHECKED, "no-tcb-info");
	unload(&in);
	v5(&in);
	drop(&in, 4);
	gets(&in, ATTEST_INCOMPLETE, "tdx.crl", ATTEST_NOT_CHECKED, "no-crl");
	unload(&in);
	v5(&in);
	drop(&in, 2);
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "no-signer");
	unload(&in);
	v5(&in);
	in.policy = "\"min_tcb_evaluation\":19";
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "old-evaluation");
	in.policy = "\"min_tcb_evaluation\":18";
	gets(&in, ATTEST_AFFIRMING, NULL, ATTEST_PASS, NULL);
	add(&in, "collateral-2026-03/tcb_info_90c06f000000.json");
	gets(&in, ATTEST_REJECTED, "tdx.tcb_info", ATTEST_FAIL, "ambiguous");
	unload(&in);
}

/* Puts text at the first place where mark stands, before or instead of it. */
static void edit(struct buf *b, const char *mark, const char *text, bool instead)
{
	struct span s = buf_span(b);
	const char *p = memmem(s.p, s.n, mark, strlen(mark));
	struct buf out = { 0 };

	assert_non_null(p);
	assert_int_equal(buf_append(&out, s.p, (size_t)(p - s.p)), 0);
	assert_int_equal(buf_append_str(&out, text), 0);
	p += instead ? strlen(mark) : 0;
	assert_int_equal(buf_append(&out, p, (size_t)(s.p + s.n - p)), 0);
	buf_done(b);
	*b = out;
}

static void edited_json_is_refused(void **state)
{
	static const struct {
		unsigned file; /* 0 TCB information, 1 identity */
		const char *mark, *text;
		bool instead;
		const char *field, *code;
	} cases[] = {
		{ 0, "\"tcbLevels\":[{\"tcb\":{\"sgx", " ", false, "tdx.tcb_info", "bad-signature" },
		{ 0, "\"tcbStatus\":\"OutOfDate\"", "\"tcbStatus\":\"UpToDate\"", true, "tdx.tcb_info", "bad-signature" },
		{ 0, "\"nextUpdate\":\"2026", "\"nextUpdate\":\"2036", true, "tdx.tcb_info", "bad-signature" },
		{ 0, "\"version\":3", "\"version\":3,\"version\":3", true, "tdx.collateral", "malformed" },
		{ 0, "{\"tcbInfo\"", "{\"tcbInfo\":{},\"tcbInfo\"", true, "tdx.collateral", "malformed" },
		{ 0, "\"signature\"", "\"more\":1,\"signature\"", true, "tdx.collateral", "malformed" },
		{ 0, "\"signature\":\"", "\"signature\":\"0", true, "tdx.collateral", "malformed" },
		{ 1, "\"isvprodid\":2", "\"isvprodid\": 2", true, "tdx.qe_identity", "bad-signature" },
		{ 1, "\"isvsvn\":4", "\"isvsvn\":1", true, "tdx.qe_identity", "bad-signature" },
		{ 1, "\"id\":\"TD_QE\"", "\"id\":\"QE\"", true, "tdx.qe_identity", "not-of-tdx" },
		{ 1, "\"id\":\"TD_QE\"", "\"id\":\"TD_QE\",\"id\":\"TD_QE\"", true, "tdx.collateral", "malformed" },
	};
	struct input in;

	if (!vectors_here())
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		v5(&in);
		edit(&in.files[cases[i].file], cases[i].mark, cases[i].text, cases[i].instead);
		gets(&in, ATTEST_REJECTED, cases[i].field, ATTEST_FAIL, cases[i].code);
		unload(&in);
	}
	v5(&in); /* outside the signed bytes white space means nothing */
	edit(&in.files[0], "{\"tcbInfo\":{", " {\n \"tcbInfo\" : {", true);
	gets(&in, ATTEST_AFFIRMING, "tdx.tcb_info", ATTEST_PASS, "in-force");
	unload(&in);
}

static void expectations_that_differ_are_refused(void **state)
{
	static const struct {
		const char *policy, *field, *code;
	} cases[] = {
		{ "\"report_data\":[]", "tdx.report_data", "unexpected" }, { "\"mrtd\":[]", "tdx.mrtd", "unexpected" },
		{ "\"rtmr0\":[]", "tdx.rtmr0", "unexpected" }, { "\"rtmr1\":[]", "tdx.rtmr1", "unexpected" },
		{ "\"rtmr2\":[]", "tdx.rtmr2", "unexpected" }, { "\"rtmr3\":[]", "tdx.rtmr3", "unexpected" },
		{ "\"mrseam\":[]", "tdx.mrseam", "unexpected" }, { "\"mrconfigid\":[]", "tdx.mrconfigid", "unexpected" },
		{ "\"mrowner\":[]", "tdx.mrowner", "unexpected" },
		{ "\"mrownerconfig\":[]", "tdx.mrownerconfig", "unexpected" },
		{ "\"mrservicetd\":[]", "tdx.mrservicetd", "unexpected" }, { "\"xfam\":[]", "tdx.xfam", "unexpected" },
		{ "\"ppids\":[]", "tdx.ppid", "not-allowed" }, { "\"platforms\":[]", "tdx.platform", "not-allowed" },
		{ "\"fmspcs\":[]", "tdx.fmspc", "not-allowed" },
		{ "\"deny_fmspcs\":[\"90c06f000000\"]", "tdx.fmspc", "denied" },
	};
	struct input in;

	if (!vectors_here())
		skip();
	v5(&in);
	in.expect = false;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		in.policy = cases[i].policy;
		gets(&in, ATTEST_REJECTED, cases[i].field, ATTEST_FAIL, cases[i].code);
	}
	unload(&in);
}

/* An event dropped, doubled, exchanged or altered leads elsewhere. */
static void an_altered_log_is_refused(void **state)
{
	struct input in;
	struct eventlog log;
	struct eventlog_event e;
	const char *start[3];
	size_t size;

	if (!vectors_here())
		skip();
	load(&in, "v4-live-ccel/quote.bin", "2026-06-01");
	vector_read("tdx/v4-live-ccel/ccel-good.bin", &in.log);
	assert_int_equal(eventlog_open(buf_span(&in.log), &log), 0);
	for (unsigned i = 0; i < 3; i++) {
		start[i] = log.rest.p;
		assert_int_equal(eventlog_next(&log, &e), 1);
	}
	size = (size_t)(start[1] - start[0]);
	((char *)start[0])[14] ^= 1; /* the first byte of the digest: index, type, count, algorithm before it */
	gets(&in, ATTEST_REJECTED, "tdx.event_log", ATTEST_FAIL, "replay-differs");
	((char *)start[0])[14] ^= 1;
	gets(&in, ATTEST_INCOMPLETE, "tdx.event_log", ATTEST_PASS, "replayed");
	memmove((char *)start[0], start[1], (size_t)(in.log.data + in.log.end - start[1]));
	in.log.end -= size;
	gets(&in, ATTEST_REJECTED, "tdx.event_log", ATTEST_FAIL, "replay-differs");
	unload(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_index),
		cmocka_unit_test(a_flipped_bit_is_refused),
		cmocka_unit_test(a_cut_quote_is_refused),
		cmocka_unit_test(a_shuffled_chain_is_refused),
		cmocka_unit_test(other_collateral_is_refused),
		cmocka_unit_test(edited_json_is_refused),
		cmocka_unit_test(expectations_that_differ_are_refused),
		cmocka_unit_test(an_altered_log_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
