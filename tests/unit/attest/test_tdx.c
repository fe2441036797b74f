// SPDX-License-Identifier: Apache-2.0
/* TDX quotes and collateral made with keys and authorities of our own. */
#include "attest/attest_verify.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "attest/tdx_pck.h"
#include "attest/tdx_tcb.h"
#include "tests/unit/attest/tdx_maker.h"
#include "user/base/cleanup.h"

struct world {
	struct buf quote, info, identity;
	bool no_crls;
	const char *policy;
};

/* Two levels: SGX components 5, PCESVN 11, TDX components 5 0 3 with the first status; 3, 5, 3 0 2 with the
 * second. */
static void set_info(struct world *w, const char *first, const char *second, const char *module_new, const char *module_old)
{
	static const unsigned tdx[3] = { 5, 0, 3 }, old_tdx[3] = { 3, 0, 2 };
	struct buf b = { 0 };

	put_tcb_head(&b);
	put_module(&b, module_new, module_old);
	assert_int_equal(buf_append_str(&b, "\"tcbLevels\":["), 0);
	put_level(&b, 5, 11, tdx, first, "");
	assert_int_equal(buf_append_str(&b, ","), 0);
	put_level(&b, 3, 5, old_tdx, second, ",\"advisoryIDs\":[\"INTEL-SA-00001\"]");
	assert_int_equal(buf_append_str(&b, "]}"), 0);
	make_statement(&w->info, "tcbInfo", buf_cstr(&b));
	buf_done(&b);
}

static const struct quote_make good4 = { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 } };
static const struct quote_make good5 = { .version = 5, .body = TDX_BODY_15, .svn = { 6, 1, 3 }, .svn2 = { 6, 1, 3 } };

static void world(struct world *w, const struct quote_make *m)
{
	*w = (struct world){ .policy = "" };
	make_quote(&w->quote, m);
	set_info(w, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate");
	make_identity(&w->identity, "UpToDate");
}

static void end(struct world *w)
{
	buf_done(&w->quote);
	buf_done(&w->info);
	buf_done(&w->identity);
}

static void judged_with(struct world *w, const struct x509_certs *intel, enum attest_status want, const char *field,
			const char *code, const char *reason)
{
	const struct attest_roots roots = { .intel = intel };
	const struct span files[] = { buf_span(&w->info), buf_span(&w->identity), buf_span(&tdx_pki.signer_pem),
				      buf_span(&tdx_pki.root_crl), buf_span(&tdx_pki.pck_crl) };
	struct attest_tdx in = { .quote = buf_span(&w->quote), .collateral = files, .n_collateral = w->no_crls ? 3 : 5, .roots = &roots };
	const struct attest_finding *f;
	struct policy_error e = { { 0 } };
	struct attest_result res;
	struct attest_policy p;
	enum attest_status s;
	char text[1024];

	(void)snprintf(text, sizeof(text), "{\"version\":1,\"optional\":[\"tdx.report_data\",\"tdx.mrtd\",\"tdx.rtmr0\",\"tdx.rtmr1\","
		       "\"tdx.rtmr2\"],\"tdx\":{%s}}", w->policy);
	attest_policy_init(&p);
	assert_int_equal(attest_policy_read(&p, span_of(text), &e), 0);
	attest_result_init(&res, "tdx", PKI_NOW);
	assert_int_equal(attest_verify_tdx(&in, &p, &res), 0);
	s = attest_appraise(&res, &p);
	f = field ? attest_finding(&res, field) : NULL;
	if (s != want || (field && (!f || strcmp(f->code, code) != 0 || (reason && strncmp(f->reason, reason, strlen(reason)) != 0)))) {
		for (unsigned i = 0; i < res.n_findings; i++)
			printf("%s %s %s: %s\n", attest_verdict_text(res.findings[i].verdict), res.findings[i].field,
			       res.findings[i].code, res.findings[i].reason);
		fail_msg("%s, %s is not %s %s", attest_status_text(s), field ? field : "", code ? code : "", reason ? reason : "");
	}
	attest_result_done(&res);
	attest_policy_done(&p);
}

static void judged(struct world *w, enum attest_status want, const char *field, const char *code)
{
	judged_with(w, &tdx_pki.roots, want, field, code, NULL);
}

static void one(const struct quote_make *m, const char *policy, enum attest_status want, const char *field, const char *code)
{
	struct world w;

	world(&w, m);
	w.policy = policy;
	judged(&w, want, field, code);
	end(&w);
}

static void good_quotes_of_every_body(void **state)
{
	static const struct quote_make all[] = {
		{ .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 } },
		{ .version = 5, .body = TDX_BODY_10, .svn = { 6, 1, 3 } },
		{ .version = 5, .body = TDX_BODY_15, .svn = { 6, 1, 3 }, .svn2 = { 6, 1, 3 } },
		{ .version = 5, .body = TDX_BODY_15_EX, .svn = { 6, 1, 3 }, .svn2 = { 6, 1, 3 } },
		{ .version = 4, .body = TDX_BODY_10, .svn = { 5, 0, 3 } }, /* a module without its own version */
		{ .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .trailing = 39 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		struct world w;

		world(&w, &all[i]);
		judged(&w, ATTEST_AFFIRMING, "tdx.tcb", "accepted");
		judged_with(&w, NULL, ATTEST_REJECTED, "tdx.chain", "not-chained", NULL); /* not Intel's root */
		end(&w);
	}
}

static void three_signatures_tie_the_report_to_the_platform(void **state)
{
	struct quote_make m = good4;

	m.other_ak = true;
	one(&m, "", ATTEST_REJECTED, "tdx.qe", "other-key");
	m = good4;
	m.qe_data_tail = true;
	one(&m, "", ATTEST_REJECTED, "tdx.qe", "other-key");
	m = good4;
	m.qe_debug = true;
	one(&m, "", ATTEST_REJECTED, "tdx.qe_identity", "other-enclave");
	m = good4;
	m.qe_prodid = 1; /* the quoting enclave of SGX */
	one(&m, "", ATTEST_REJECTED, "tdx.qe_identity", "other-enclave");
	m = good4;
	m.mrsignerseam = 1;
	one(&m, "", ATTEST_REJECTED, "tdx.module", "other-module");
	m = good4;
	m.seam_attribute = 1;
	one(&m, "", ATTEST_REJECTED, "tdx.module", "other-module");
	m = good4;
	m.svn[1] = 9;
	one(&m, "", ATTEST_REJECTED, "tdx.module", "unknown-module");
}

/* Well signed all the same: what the header says decides what is understood at all. */
static void headers_that_are_not_understood(void **state)
{
	static const struct {
		struct quote_make m;
		const char *code;
	} cases[] = {
		{ { .version = 3, .body = TDX_BODY_10, .svn = { 6, 1, 3 } }, "sgx-quote" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .no_tee = true }, "sgx-quote" },
		{ { .version = 6, .body = TDX_BODY_10, .svn = { 6, 1, 3 } }, "unknown-version" },
		{ { .version = 2, .body = TDX_BODY_10, .svn = { 6, 1, 3 } }, "unknown-version" },
		{ { .version = 0xd2, .body = TDX_BODY_10, .svn = { 6, 1, 3 } }, "unsupported-format" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .tee = 0x82 }, "unknown-tee" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .key_type = 3 }, "unknown-algorithm" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .outer = 5 }, "bad-certification" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .inner = 6 }, "bad-certification" },
		{ { .version = 4, .body = TDX_BODY_10, .svn = { 6, 1, 3 }, .inside = 1 }, "bad-certification" },
		{ { .version = 5, .body = (enum tdx_body)5, .svn = { 6, 1, 3 } }, "unknown-body" },
		{ { .version = 5, .body = (enum tdx_body)1, .svn = { 6, 1, 3 } }, "sgx-quote" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		one(&cases[i].m, "", ATTEST_REJECTED, "tdx.quote", cases[i].code);
}

static void chains_of_another_shape_are_refused(void **state)
{
	X509 *stranger = pki_cert("Someone", tdx_pki.pck_key, tdx_pki.ca, 11, false, true);
	X509 *other_ca = pki_signed(pki_cert("Intel SGX Other CA", tdx_pki.ca_key, tdx_pki.root, 12, true, true), tdx_pki.root_key,
				    PKI_ECDSA_SHA256);
	X509 *elsewhere = pki_cert("Intel SGX PCK Certificate", tdx_pki.pck_key, other_ca, 13, false, true);
	struct buf ext = { 0 };
	const struct {
		X509 *cert[4];
		enum attest_status want;
		const char *code;
	} cases[] = {
		{ { tdx_pki.pck, tdx_pki.ca }, ATTEST_AFFIRMING, "chained" }, /* the root is known */
		{ { tdx_pki.pck }, ATTEST_REJECTED, "wrong-order" },
		{ { tdx_pki.pck, tdx_pki.root, tdx_pki.ca }, ATTEST_REJECTED, "wrong-order" },
		{ { tdx_pki.ca, tdx_pki.root }, ATTEST_REJECTED, "wrong-order" },
		{ { tdx_pki.pck, tdx_pki.ca, tdx_pki.root, tdx_pki.root }, ATTEST_REJECTED, "wrong-order" },
		{ { stranger, tdx_pki.ca, tdx_pki.root }, ATTEST_REJECTED, "wrong-order" },
		{ { elsewhere, other_ca, tdx_pki.root }, ATTEST_REJECTED, "wrong-order" },
	};
	struct buf usual = tdx_pki.chain;

	pck_extension(&ext, 5, 11, "");
	pki_raw_ext(stranger, "1.2.840.113741.1.13.1", buf_span(&ext).p, buf_len(&ext));
	pki_raw_ext(elsewhere, "1.2.840.113741.1.13.1", buf_span(&ext).p, buf_len(&ext));
	pki_signed(stranger, tdx_pki.ca_key, PKI_ECDSA_SHA256);
	pki_signed(elsewhere, tdx_pki.ca_key, PKI_ECDSA_SHA256);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		tdx_pki.chain = (struct buf){ 0 };
		for (unsigned k = 0; k < 4 && cases[i].cert[k]; k++)
			pki_pem(cases[i].cert[k], &tdx_pki.chain);
		one(&good4, "", cases[i].want, "tdx.chain", cases[i].code);
		buf_done(&tdx_pki.chain);
	}
	tdx_pki.chain = usual;
	buf_done(&ext);
	X509_free(stranger);
	X509_free(other_ca);
	X509_free(elsewhere);
}

static void td_attributes(void **state)
{
	struct quote_make m = good5;

	memcpy(m.attributes, "\x01\0\0\x10\0\0\0\0", 8);
	one(&m, "", ATTEST_REJECTED, "tdx.debug", "debug");
	one(&m, "\"allow_debug\":true", ATTEST_AFFIRMING, "tdx.debug", "debug");
	memcpy(m.attributes, "\x02\0\0\x10\0\0\0\0", 8); /* another way to be untrusted */
	one(&m, "\"allow_debug\":true", ATTEST_REJECTED, "tdx.debug", "debug");
	memcpy(m.attributes, "\0\0\0\x40\0\0\0\0", 8);
	one(&m, "", ATTEST_INCOMPLETE, "tdx.sept_ve", "enabled");
	one(&m, "\"allow_sept_ve\":true", ATTEST_AFFIRMING, "tdx.sept_ve", "allowed");
	memcpy(m.attributes, "\0\0\0\x30\0\0\0\0", 8);
	one(&m, "", ATTEST_INCOMPLETE, "tdx.td_attributes", "migratable");
	memcpy(m.attributes, "\0\x01\0\x10\0\0\0\0", 8);
	one(&m, "", ATTEST_INCOMPLETE, "tdx.td_attributes", "unknown-bits");
	m = good5;
	m.servtd = 0x5d;
	one(&m, "", ATTEST_REJECTED, "tdx.mrservicetd", "unexpected");
	one(&m, "\"mrservicetd\":\"5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d5d\"",
	    ATTEST_AFFIRMING, "tdx.mrservicetd", "expected");
}

static void revocation(void **state)
{
	struct world w;

	world(&w, &good4);
	use_crls(10, -1);
	judged(&w, ATTEST_REJECTED, "tdx.crl", "revoked-or-stale");
	use_crls(-1, 2); /* the authority */
	judged(&w, ATTEST_REJECTED, "tdx.crl", "revoked-or-stale");
	use_crls(-1, 3); /* the signer of statements */
	judged(&w, ATTEST_REJECTED, "tdx.tcb_info", "no-signer");
	use_crls(-1, -1);
	judged(&w, ATTEST_AFFIRMING, "tdx.crl", "not-revoked");
	w.no_crls = true;
	judged(&w, ATTEST_INCOMPLETE, "tdx.crl", "no-crl");
	end(&w);
}

/* The whole way from numbers to a status, by the statement's words. */
static void statuses_converge(void **state)
{
	static const struct {
		uint8_t svn, sgx, pcesvn; /* the module's, the platform's */
		const char *first, *second, *module_new, *module_old, *qe, *want;
	} cases[] = {
		{ 6, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "UpToDate" },
		{ 7, 9, 12, "SWHardeningNeeded", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "SWHardeningNeeded" },
		{ 6, 5, 10, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "OutOfDate" }, /* PCESVN */
		{ 6, 4, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "OutOfDate" },
		{ 6, 2, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "no level" },
		{ 6, 5, 11, "Revoked", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "Revoked" },
		{ 5, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "OutOfDate" }, /* module */
		{ 5, 5, 11, "SWHardeningNeeded", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "OutOfDate" },
		{ 5, 5, 11, "ConfigurationNeeded", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "OutOfDateConfigurationNeeded" },
		{ 5, 5, 11, "ConfigurationAndSWHardeningNeeded", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate",
		  "OutOfDateConfigurationNeeded" },
		{ 3, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "Revoked" }, /* module revoked */
		{ 1, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "UpToDate", "no level" }, /* no module level */
		{ 6, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "OutOfDate", "OutOfDate" }, /* enclave */
		{ 6, 5, 11, "ConfigurationNeeded", "OutOfDate", "UpToDate", "OutOfDate", "OutOfDate", "OutOfDateConfigurationNeeded" },
		{ 6, 5, 11, "OutOfDateConfigurationNeeded", "OutOfDate", "UpToDate", "OutOfDate", "OutOfDate", "OutOfDateConfigurationNeeded" },
		{ 6, 5, 11, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate", "Revoked", "Revoked" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct quote_make m = good4;
		bool good = strcmp(cases[i].want, "UpToDate") == 0;
		bool none = strcmp(cases[i].want, "no level") == 0, revoked = strcmp(cases[i].want, "Revoked") == 0;
		struct world w;

		use_pck(make_pck(10, cases[i].sgx, cases[i].pcesvn, ""));
		m.svn[0] = cases[i].svn;
		world(&w, &m);
		set_info(&w, cases[i].first, cases[i].second, cases[i].module_new, cases[i].module_old);
		make_identity(&w.identity, cases[i].qe);
		judged_with(&w, &tdx_pki.roots, good ? ATTEST_AFFIRMING : ATTEST_REJECTED, "tdx.tcb",
			    good ? "accepted" : none ? "tcb-not-supported" : revoked ? "revoked" : "status-not-accepted",
			    none ? NULL : cases[i].want);
		if (!good && !none && !revoked) { /* a policy may accept it by its word */
			char accept[128];

			(void)snprintf(accept, sizeof(accept), "\"tcb_statuses\":[\"%s\"]", cases[i].want);
			w.policy = accept;
			judged(&w, ATTEST_AFFIRMING, "tdx.tcb", "accepted");
			w.policy = "\"tcb_statuses\":[\"UpToDate\",\"TDRelaunchAdvised\"]";
			judged(&w, ATTEST_REJECTED, "tdx.tcb", "status-not-accepted");
		}
		end(&w);
	}
	use_pck(make_pck(10, 5, 11, ""));
}

/* The module's own two components count where the module has no version of its own, and only there. */
static void td_components_choose_the_level(void **state)
{
	static const struct {
		uint8_t svn[3];
		const char *code, *reason;
	} cases[] = {
		{ { 6, 1, 3 }, "accepted", "UpToDate" }, { { 6, 1, 2 }, "status-not-accepted", "OutOfDate" },
		{ { 6, 1, 1 }, "tcb-not-supported", NULL }, { { 5, 0, 3 }, "accepted", "UpToDate" },
		{ { 4, 0, 3 }, "status-not-accepted", "OutOfDate" }, { { 2, 0, 3 }, "tcb-not-supported", NULL },
		{ { 5, 0, 2 }, "status-not-accepted", "OutOfDate" }, { { 5, 0, 1 }, "tcb-not-supported", NULL },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct quote_make m = good4;
		struct world w;

		memcpy(m.svn, cases[i].svn, 3);
		world(&w, &m);
		judged_with(&w, &tdx_pki.roots, strcmp(cases[i].code, "accepted") ? ATTEST_REJECTED : ATTEST_AFFIRMING,
			    "tdx.tcb", cases[i].code, cases[i].reason);
		end(&w);
	}
}

/* Every pair of words: an old part makes the whole old and keeps its need of configuration; nothing makes
 * a revoked or unknown part better. */
static void every_pair_converges(void **state)
{
	for (unsigned w = 0; w <= TDX_NOT_SUPPORTED; w++) {
		const enum tdx_status whole = (enum tdx_status)w;
		const bool configure = w == TDX_CONFIGURATION_NEEDED || w == TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED;

		assert_int_equal(tdx_converge(whole, TDX_UP_TO_DATE), whole);
		assert_int_equal(tdx_converge(TDX_UP_TO_DATE, whole), whole);
		assert_true(tdx_converge(whole, TDX_REVOKED) >= TDX_REVOKED);
		assert_true(tdx_converge(TDX_REVOKED, whole) >= TDX_REVOKED);
		assert_int_equal(tdx_converge(whole, TDX_NOT_SUPPORTED), TDX_NOT_SUPPORTED);
		if (w < TDX_RELAUNCH_ADVISED)
			assert_int_equal(tdx_converge(whole, TDX_OUT_OF_DATE),
					 configure ? TDX_OUT_OF_DATE_CONFIGURATION_NEEDED : TDX_OUT_OF_DATE);
		if (w < TDX_RELAUNCH_ADVISED)
			assert_int_equal(tdx_relaunch(TDX_OUT_OF_DATE, whole), configure ?
					 TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED : TDX_RELAUNCH_ADVISED);
		else
			assert_int_equal(tdx_relaunch(TDX_OUT_OF_DATE, whole), TDX_OUT_OF_DATE);
		if (w != TDX_OUT_OF_DATE && w != TDX_OUT_OF_DATE_CONFIGURATION_NEEDED)
			assert_int_equal(tdx_relaunch(whole, TDX_UP_TO_DATE), whole);
	}
	assert_int_equal(tdx_relaunch(TDX_OUT_OF_DATE_CONFIGURATION_NEEDED, TDX_UP_TO_DATE),
			 TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED);
	assert_int_equal(tdx_converge(TDX_OUT_OF_DATE, TDX_OUT_OF_DATE_CONFIGURATION_NEEDED),
			 TDX_OUT_OF_DATE_CONFIGURATION_NEEDED);
}

/* TDX 1.5 tells the module that launched the TD from the one that runs it. */
static void an_old_launch_under_a_good_module(void **state)
{
	static const struct {
		uint8_t svn, svn2;
		const char *first, *want;
	} cases[] = {
		{ 5, 6, "UpToDate", "TDRelaunchAdvised" },
		{ 5, 6, "ConfigurationNeeded", "TDRelaunchAdvisedConfigurationNeeded" },
		{ 5, 5, "UpToDate", "OutOfDate" },
		{ 3, 6, "UpToDate", "Revoked" }, /* a revoked launch is not made good */
		{ 6, 5, "UpToDate", "UpToDate" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct quote_make m = good5;
		bool good = strcmp(cases[i].want, "UpToDate") == 0;
		struct world w;

		m.svn[0] = cases[i].svn;
		m.svn2[0] = cases[i].svn2;
		world(&w, &m);
		set_info(&w, cases[i].first, "OutOfDate", "UpToDate", "OutOfDate");
		judged_with(&w, &tdx_pki.roots, good ? ATTEST_AFFIRMING : ATTEST_REJECTED, "tdx.tcb",
			    good ? "accepted" : strcmp(cases[i].want, "Revoked") ? "status-not-accepted" : "revoked", cases[i].want);
		end(&w);
	}
}

static void advisories(void **state)
{
	struct quote_make m = good4;
	struct world w;

	m.svn[0] = 5;
	world(&w, &m);
	w.policy = "\"tcb_statuses\":[\"OutOfDate\"]";
	judged(&w, ATTEST_AFFIRMING, "tdx.advisories", "no-expectation");
	w.policy = "\"tcb_statuses\":[\"OutOfDate\"],\"deny_advisories\":[\"INTEL-SA-00002\"]"; /* the module's */
	judged(&w, ATTEST_REJECTED, "tdx.advisories", "refused");
	w.policy = "\"tcb_statuses\":[\"OutOfDate\"],\"deny_advisories\":[\"INTEL-SA-00001\"]"; /* of a level that is not ours */
	judged(&w, ATTEST_AFFIRMING, "tdx.advisories", "accepted");
	w.policy = "\"tcb_statuses\":[\"OutOfDate\"],\"accept_advisories\":[\"INTEL-SA-00002\"]"; /* not the enclave's */
	judged(&w, ATTEST_REJECTED, "tdx.advisories", "refused");
	w.policy = "\"tcb_statuses\":[\"OutOfDate\"],\"accept_advisories\":[\"INTEL-SA-00002\",\"INTEL-SA-00003\"]";
	judged(&w, ATTEST_AFFIRMING, "tdx.advisories", "accepted");
	end(&w);
}

/* Below Intel's root there is more than one key: statements are signed by the one for them. */
static void only_the_signer_of_statements_signs_them(void **state)
{
	EVP_PKEY *signer = tdx_pki.signer_key;
	struct buf pem = tdx_pki.signer_pem;
	struct world w;

	tdx_pki.signer_key = tdx_pki.ca_key;
	tdx_pki.signer_pem = (struct buf){ 0 };
	pki_pem(tdx_pki.ca, &tdx_pki.signer_pem);
	world(&w, &good4);
	judged(&w, ATTEST_REJECTED, "tdx.tcb_info", "no-signer");
	buf_done(&tdx_pki.signer_pem);
	tdx_pki.signer_pem = pem;
	judged(&w, ATTEST_REJECTED, "tdx.tcb_info", "bad-signature");
	tdx_pki.signer_key = signer;
	end(&w);
}

static void statements_are_read_strictly(void **state)
{
	static const struct {
		const char *body, *code;
	} cases[] = {
		{ "{}", "fmspc-mismatch" }, /* another kind */
		{ "{\"id\":\"SGX\"}", "fmspc-mismatch" },
		{ "{\"id\":\"TDX\",\"version\":2}", "malformed" },
		{ "{\"id\":\"TDX\",\"version\":3}", "malformed" },
		{ "{\"id\":\"TDX\",\"version\":3,\"tcbType\":0," DATES "\"fmspc\":\"AABBCC000000\",\"pceId\":\"0000\"}", "malformed" },
	};
	static const struct {
		const char *from, *to, *code;
	} edits[] = {
		{ "\"tcbType\":0", "\"tcbType\":1", "malformed" },
		{ "\"tcbType\":0", "\"type\":0", "malformed" },
		{ "\"fmspc\":\"AABBCC000000\"", "\"fmspc\":\"AABBCC00000\"", "malformed" },
		{ "\"fmspc\":\"AABBCC000000\"", "\"fmspc\":\"AABBCC000001\"", "fmspc-mismatch" },
		{ "\"pceId\":\"0000\"", "\"pceId\":\"0001\"", "pceid-mismatch" },
		{ "2025-07-01T00:00:00Z", "2025-06-02T00:00:00Z", "stale" },
		{ "2025-06-01T00:00:00Z", "2025-06-20T00:00:00Z", "not-yet-issued" },
		{ "2025-06-01T00:00:00Z", "yesterday", "malformed" },
		{ "\"tcbEvaluationDataNumber\":17", "\"tcbEvaluationDataNumber\":\"17\"", "malformed" },
		{ "{\"svn\":5}", "{\"svn\":256}", "malformed" },
		{ "{\"svn\":5}", "{\"svn\":-1}", "malformed" },
		{ "{\"svn\":5},", "", "malformed" }, /* fifteen components */
		{ "\"pcesvn\":11", "\"pcesvn\":65536", "malformed" },
		{ "\"id\":\"TDX_01\"", "\"id\":\"SGX_01\"", "malformed" },
		{ "\"advisoryIDs\":[\"INTEL-SA-00001\"]", "\"advisoryIDs\":[1]", "malformed" },
		{ "\"advisoryIDs\":[\"INTEL-SA-00001\"]", "\"advisoryIDs\":\"none\"", "malformed" },
		{ "\"attributesMask\"", "\"mask\"", "malformed" },
		{ "\"tcbLevels\":[{\"tcb\":{\"sgx", "\"levels\":[{\"tcb\":{\"sgx", "malformed" },
	};
	struct world w;

	world(&w, &good4);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		make_statement(&w.info, "tcbInfo", cases[i].body);
		judged(&w, ATTEST_REJECTED, "tdx.tcb_info", cases[i].code);
	}
	set_info(&w, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate"); /* whole but for one word, signed anew each time */
	for (unsigned i = 0; i < ARRAY_SIZE(edits); i++) {
		struct tdx_statement s;
		struct buf b = { 0 };
		const char *at;

		assert_int_equal(tdx_statement_find(buf_span(&w.info), "tcbInfo", &s), 0);
		at = memmem(s.body.p, s.body.n, edits[i].from, strlen(edits[i].from));
		assert_non_null(at);
		assert_int_equal(buf_append(&b, s.body.p, (size_t)(at - s.body.p)), 0);
		assert_int_equal(buf_append_str(&b, edits[i].to), 0);
		at += strlen(edits[i].from);
		assert_int_equal(buf_append(&b, at, (size_t)(s.body.p + s.body.n - at)), 0);
		make_statement(&w.info, "tcbInfo", buf_cstr(&b));
		judged(&w, ATTEST_REJECTED, "tdx.tcb_info", edits[i].code);
		buf_done(&b);
		set_info(&w, "UpToDate", "OutOfDate", "UpToDate", "OutOfDate");
	}
	set_info(&w, "Excellent", "OutOfDate", "UpToDate", "OutOfDate");
	judged(&w, ATTEST_REJECTED, "tdx.tcb_info", "malformed");
	set_info(&w, "TDRelaunchAdvised", "OutOfDate", "UpToDate", "OutOfDate");
	judged(&w, ATTEST_REJECTED, "tdx.tcb_info", "malformed");
	end(&w);
}

/* The signature of one kind of statement is none for the other. */
static void the_signed_span_is_found(void **state)
{
	static const char good[] = " { \"tcbInfo\" : {\"a\":\"}]{\\\"\",\"b\":[{}]} , \"signature\":\""
				   "0000000000000000000000000000000000000000000000000000000000000000"
				   "0000000000000000000000000000000000000000000000000000000000000000\" } ";
	static const char *const bad[] = {
		"", "{", "[]", "{}", "null", "{\"tcbInfo\":{}}", "{\"tcbInfo\":{},\"signature\":\"00\"}",
		"{\"tcbInfo\":1,\"signature\":\"00\"}", "{\"tcbInfo\":[],\"tcbInfo\":[]}",
	};
	struct tdx_statement s;

	assert_int_equal(tdx_statement_find(span_of(good), "tcbInfo", &s), 0);
	assert_true(span_is(s.body, "{\"a\":\"}]{\\\"\",\"b\":[{}]}"));
	assert_int_equal(tdx_statement_find(span_of(good), "enclaveIdentity", &s), -ENOENT);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_true(tdx_statement_find(span_of(bad[i]), "tcbInfo", &s) < 0);
	for (size_t n = 0; n + 2 < sizeof(good); n++)
		assert_true(tdx_statement_find((struct span){ good, n }, "tcbInfo", &s) < 0);
}

static void pck_extensions_are_read_strictly(void **state)
{
	static const char *const skips[] = { "1", "2", "3", "4", "d", "m", "D", "x" };
	X509 *good = make_pck(10, 7, 72, "");
	struct buf ext = { 0 };
	struct tdx_pck p;

	assert_int_equal(tdx_pck_parse(good, &p), 0);
	assert_int_equal(p.svn[0] + p.svn[15], 14);
	assert_int_equal(p.pcesvn, 72);
	assert_int_equal(p.platform_instance.n, 16);
	X509_free(good);
	assert_int_equal(tdx_pck_parse(tdx_pki.ca, &p), -EBADMSG);
	good = make_pck(10, 0x87, 11, ""); /* negative */
	assert_int_equal(tdx_pck_parse(good, &p), -EBADMSG);
	X509_free(good);
	pck_extension(&ext, 5, 11, "");
	for (size_t n = 0; n <= buf_len(&ext); n++) { /* cut anywhere, and with a byte behind it */
		X509 *x = X509_new();
		struct buf cut = { 0 };

		put(&cut, buf_span(&ext).p, n);
		if (n == buf_len(&ext))
			put_fill(&cut, 0, 1);
		pki_raw_ext(x, "1.2.840.113741.1.13.1", buf_span(&cut).p ? buf_span(&cut).p : "", buf_len(&cut));
		assert_int_equal(tdx_pck_parse(x, &p), -EBADMSG);
		buf_done(&cut);
		X509_free(x);
	}
	for (size_t i = 0; i < 24; i++) { /* another tag, length or OID at its begin */
		X509 *x = X509_new();

		ext.data[ext.start + i] ^= 1;
		pki_raw_ext(x, "1.2.840.113741.1.13.1", buf_span(&ext).p, buf_len(&ext));
		ext.data[ext.start + i] ^= 1;
		assert_int_equal(tdx_pck_parse(x, &p), i >= 20 ? 0 : -EBADMSG); /* the PPID itself may be any */
		X509_free(x);
	}
	buf_done(&ext);
	for (unsigned i = 0; i < ARRAY_SIZE(skips); i++) {
		X509 *x = make_pck(10, 7, 11, skips[i]);
		struct world w;

		assert_int_equal(tdx_pck_parse(x, &p), -EBADMSG);
		use_pck(x);
		world(&w, &good4);
		judged(&w, ATTEST_REJECTED, "tdx.chain", "no-sgx-extension");
		end(&w);
	}
	use_pck(make_pck(10, 5, 11, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_quotes_of_every_body),
		cmocka_unit_test(three_signatures_tie_the_report_to_the_platform),
		cmocka_unit_test(headers_that_are_not_understood),
		cmocka_unit_test(chains_of_another_shape_are_refused),
		cmocka_unit_test(td_attributes),
		cmocka_unit_test(revocation),
		cmocka_unit_test(statuses_converge),
		cmocka_unit_test(td_components_choose_the_level),
		cmocka_unit_test(every_pair_converges),
		cmocka_unit_test(an_old_launch_under_a_good_module),
		cmocka_unit_test(advisories),
		cmocka_unit_test(only_the_signer_of_statements_signs_them),
		cmocka_unit_test(statements_are_read_strictly),
		cmocka_unit_test(the_signed_span_is_found),
		cmocka_unit_test(pck_extensions_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, tdx_pki_make, tdx_pki_drop);
}
