// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest verify --provider tdx: a quote of Intel TDX.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "attest/attest_verify.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/cli.h"

#define COLLATERAL_FILES_MAX 64

static const struct attest_option options[] = {
	{ "evidence", false, false }, { "nonce", false, false },
	{ "quote", false, false },    { "collateral", false, true },
	{ "eventlog", false, false }, { "report-data", false, false },
	{ "mrtd", false, false },     { 0 },
};

struct files {
	struct buf bytes[COLLATERAL_FILES_MAX];
	struct span spans[COLLATERAL_FILES_MAX];
	unsigned n;
};

static int add_file(struct files *f, const char *path)
{
	int r;

	if (f->n == COLLATERAL_FILES_MAX)
		return attest_usage("more than %d files of collateral", COLLATERAL_FILES_MAX);
	r = file_read(path, ATTEST_FILE_MAX, &f->bytes[f->n]);
	if (r < 0) {
		fprintf(stderr, "tollgate: read %s: %s\n", path, err_text(r));
		return CLI_USAGE;
	}
	f->spans[f->n] = buf_span(&f->bytes[f->n]);
	f->n++;
	return CLI_OK;
}

/* Every regular file of a folder but hidden ones. */
static int add_folder(struct files *f, const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort), r = CLI_OK;

	if (n < 0) {
		fprintf(stderr, "tollgate: read %s: %s\n", path, err_text(-errno));
		return CLI_USAGE;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];
		struct stat st;

		(void)snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		if (r == CLI_OK && names[i]->d_name[0] != '.' && stat(file, &st) == 0 &&
		    S_ISREG(st.st_mode))
			r = add_file(f, file);
		free(names[i]);
	}
	free(names);
	return r;
}

static int add_collateral(struct files *f, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? add_folder(f, path) :
							     add_file(f, path);
}

static int judge_tdx(struct attest_run *run)
{
	_cleanup_buf_ struct buf quote = { 0 }, log = { 0 };
	struct files files = { .n = 0 };
	struct attest_tdx in = { .collateral = files.spans };
	const bool bundle = attest_arg(run, "evidence", 0);
	int r = attest_arg_file(run, "quote", 0, &quote);

	if (r == CLI_OK && bundle == !!attest_arg(run, "quote", 0))
		r = attest_usage("--provider tdx needs --evidence or --quote");
	if (r == CLI_OK)
		r = attest_arg_file(run, "eventlog", 0, &log);
	if (r == CLI_OK)
		r = attest_arg_expect(run, "report-data", 64, true, &run->policy.tdx.report_data);
	if (r == CLI_OK)
		r = attest_arg_expect(run, "mrtd", 48, false, &run->policy.tdx.mrtd);
	for (unsigned i = 0; r == CLI_OK && attest_arg(run, "collateral", i); i++)
		r = add_collateral(&files, attest_arg(run, "collateral", i));
	in.quote = buf_span(&quote);
	in.event_log = buf_span(&log);
	in.n_collateral = files.n;
	if (r == CLI_OK && bundle)
		r = attest_judge_evidence(run, &(struct attest_azure){ .collateral = files.spans,
								       .n_collateral = files.n }, (struct span){ 0 });
	else if (r == CLI_OK && attest_verify_tdx(&in, &run->policy, &run->result) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		r = CLI_FAILED;
	}
	for (unsigned i = 0; i < files.n; i++)
		buf_done(&files.bytes[i]);
	return r;
}

const struct attest_verb attest_verb_tdx = {
	.provider = "tdx",
	.usage = "tdx: --evidence FILE [--nonce HEX], or --quote FILE\n"
		 "     [--collateral FILE|FOLDER]... [--eventlog FILE] [--report-data HEX] [--mrtd HEX]\n",
	.options = options,
	.judge = judge_tdx,
};
