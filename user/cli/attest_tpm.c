// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest verify --provider tpm: a quote of a TPM 2.0.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "attest/bundle.h"
#include "attest/tpm_verify.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"

static const struct attest_option options[] = {
	{ "evidence", false, false }, { "quote", false, false }, { "signature", false, false }, { "ak", false, false },
	{ "ak-cert", false, false }, { "roots", false, false }, { "enrolment", false, false },
	{ "pcrs", false, false }, { "nonce", false, false }, { "eventlog", false, false }, { "ima", false, false },
	{ 0 },
};

/* One that cannot be read as a root is an error, not a root fewer. */
int attest_read_roots(const char *dir, struct x509_certs *ret)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0;

	if (!d) {
		fprintf(stderr, "tollgate: open %s: %s\n", dir, err_text(-errno));
		return CLI_USAGE;
	}
	while (r == 0 && (e = readdir(d))) {
		_cleanup_buf_ struct buf b = { 0 };
		char path[PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		r = file_read(path, X509_PEM_MAX, &b);
		if (r == 0)
			r = x509_certs_add(ret, buf_span(&b));
		if (r < 0)
			fprintf(stderr, "tollgate: read root %s: %s\n", path,
				r == -EBADMSG ? "not a certificate" : r == -EMSGSIZE ? "too many roots" : err_text(r));
	}
	closedir(d);
	return r < 0 ? CLI_USAGE : CLI_OK;
}

int attest_arg_roots(const struct attest_run *run, struct x509_certs *ret)
{
	const char *dir = attest_arg(run, "roots", 0);

	return dir ? attest_read_roots(dir, ret) : CLI_OK;
}

int attest_arg_nonce(const struct attest_run *run, struct attest_nonce *ret)
{
	const char *hex = attest_arg(run, "nonce", 0);
	size_t len = hex ? strlen(hex) : 0;

	if (!hex)
		return CLI_OK;
	if (len == 0 || len % 2 || len / 2 > sizeof(ret->bytes) || hex_decode(hex, len, ret->bytes, len / 2) < 0)
		return attest_usage("--nonce needs 2 to %zu hex digits", 2 * sizeof(ret->bytes));
	ret->n = len / 2;
	ret->given = true;
	return CLI_OK;
}

int attest_judge_bundle(struct attest_run *run, struct span json, const struct attest_azure *silicon,
			struct span proof, bool *ret_is)
{
	_cleanup_buf_ struct buf cert = { 0 }, enrolment = { 0 };
	_cleanup_certs_ struct x509_certs roots = { 0 };
	struct attest_bundle_input in = { .roots = &roots, .silicon = *silicon, .proof = proof };
	struct attest_nonce nonce = { 0 };
	struct attest_bundle bundle;
	int r = attest_bundle_read(json, &bundle);

	*ret_is = r == 0;
	if (r < 0)
		return CLI_OK;
	in.bundle = &bundle;
	r = attest_arg_nonce(run, &nonce);
	if (r == CLI_OK)
		r = attest_arg_roots(run, &roots);
	if (r == CLI_OK)
		r = attest_arg_file(run, "ak-cert", 0, &cert);
	if (r == CLI_OK)
		r = attest_arg_file(run, "enrolment", 0, &enrolment);
	in.nonce = (struct span){ (const char *)nonce.bytes, nonce.n };
	in.have_nonce = nonce.given;
	in.ak_certs = buf_span(&cert);
	in.enrolment = buf_span(&enrolment);
	if (r == CLI_OK && attest_verify_bundle(&in, &run->policy, &run->result) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		r = CLI_FAILED;
	}
	attest_bundle_done(&bundle);
	return r;
}

int attest_judge_evidence(struct attest_run *run, const struct attest_azure *silicon, struct span proof)
{
	_cleanup_buf_ struct buf json = { .limit = ATTEST_BUNDLE_MAX + 1 };
	const char *path = attest_arg(run, "evidence", 0);
	bool is = false;
	int r = file_read(path, ATTEST_BUNDLE_MAX, &json);

	if (r < 0) {
		fprintf(stderr, "tollgate: read %s: %s\n", path, err_text(r));
		return CLI_USAGE;
	}
	r = attest_judge_bundle(run, buf_span(&json), silicon, proof, &is);
	if (r == CLI_OK && !is) {
		attest_fail(&run->result, "binding.evidence", "malformed", "%s is no evidence file", path);
		run->result.complete = true;
	}
	return r;
}

static int judge_tpm(struct attest_run *run)
{
	_cleanup_buf_ struct buf quote = { 0 }, signature = { 0 }, ak = { 0 }, cert = { 0 }, enrolment = { 0 };
	_cleanup_buf_ struct buf pcrs = { 0 }, eventlog = { 0 }, ima = { 0 };
	_cleanup_certs_ struct x509_certs roots = { 0 };
	const struct {
		const char *option;
		struct buf *to;
	} files[] = {
		{ "quote", &quote }, { "signature", &signature }, { "ak", &ak }, { "ak-cert", &cert },
		{ "enrolment", &enrolment }, { "pcrs", &pcrs }, { "eventlog", &eventlog }, { "ima", &ima },
	};
	struct attest_nonce nonce = { 0 };
	struct attest_tpm in = { .roots = &roots };
	int r;

	if (attest_arg(run, "evidence", 0))
		return attest_judge_evidence(run, &(struct attest_azure){ 0 }, (struct span){ 0 });
	for (size_t i = 0; i < 3; i++)
		if (!attest_arg(run, files[i].option, 0))
			return attest_usage("--provider tpm needs --evidence, or --quote, --signature and --ak");
	r = attest_arg_nonce(run, &nonce);
	for (size_t i = 0; i < ARRAY_SIZE(files) && r == CLI_OK; i++)
		r = attest_arg_file(run, files[i].option, 0, files[i].to);
	if (r == CLI_OK)
		r = attest_arg_roots(run, &roots);
	if (r != CLI_OK)
		return r;
	in.quote = (struct tpm_quote){
		.quote = buf_span(&quote), .signature = buf_span(&signature), .pcrs = buf_span(&pcrs),
		.nonce = { (const char *)nonce.bytes, nonce.n }, .have_nonce = nonce.given,
		.event_log = buf_span(&eventlog), .ima = buf_span(&ima),
	};
	in.ak = buf_span(&ak);
	in.ak_certs = buf_span(&cert);
	in.enrolment = buf_span(&enrolment);
	if (attest_verify_tpm(&in, &run->policy, &run->result) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		return CLI_FAILED;
	}
	return CLI_OK;
}

const struct attest_verb attest_verb_tpm = {
	.provider = "tpm",
	.usage = "tpm: --evidence FILE, or --quote FILE --signature FILE --ak FILE\n"
		 "     [--ak-cert FILE --roots DIR] [--enrolment FILE] [--pcrs FILE] [--nonce HEX]\n"
		 "     [--eventlog FILE] [--ima FILE]\n",
	.options = options,
	.judge = judge_tpm,
};
