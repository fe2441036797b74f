/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_ATTEST_H
#define TOLLGATE_CLI_ATTEST_H

#include "attest/azure_verify.h"
#include "attest/policy.h"
#include "attest/result.h"
#include "attest/x509.h"
#include "user/base/buf.h"

/* `tollgate attest verify --provider NAME`: the options that are common to all are read by attest.c, the
 * provider's own by the row that it has in the table there. */
#define ATTEST_GIVEN_MAX 64
#define ATTEST_FILE_MAX (16u << 20) /* one input file: revocation lists of Intel are the largest */
#define CLI_INCOMPLETE 3

struct attest_option {
	const char *name; /* without dashes; each takes a value */
	bool required, repeated;
};

struct attest_given {
	const struct attest_option *option;
	const char *value;
};

struct attest_run {
	const struct attest_given *given;
	unsigned n_given;
	struct attest_policy policy; /* read already; a provider's options may set expectations in it */
	struct attest_result result;
};

struct attest_verb {
	const char *provider, *usage;
	const struct attest_option *options; /* ends with a NULL name */
	/* Reads the files and fills the result. CLI_OK, or an exit status after a message was printed. */
	int (*judge)(struct attest_run *run);
};

extern const struct attest_verb attest_verb_snp, attest_verb_tdx, attest_verb_tpm, attest_verb_azure;

/* The value of the i-th time an option was given, or NULL. */
const char *attest_arg(const struct attest_run *run, const char *option, unsigned i);

/* Reads the file that an option names. 0; CLI_USAGE after a message. An option not given reads nothing. */
int attest_arg_file(const struct attest_run *run, const char *option, unsigned i, struct buf *ret);

/* Makes the option's value the only member of a set of expectations, size bytes in hex; short says that
 * fewer are padded with zeros at their end. Not given: nothing changes. */
int attest_arg_expect(const struct attest_run *run, const char *option, size_t size, bool shorter,
		      struct policy_set *ret);

/* The value of --nonce, which a TPM's qualifying data must be. Not given: nothing changes. */
struct attest_nonce {
	uint8_t bytes[64]; /* no TPM takes more than its largest digest and an algorithm's number */
	size_t n;
	bool given;
};
int attest_arg_nonce(const struct attest_run *run, struct attest_nonce *ret);

/* Prints the findings for people; those that keep the result from affirming are marked. p may be NULL. */
void attest_print(const struct attest_result *res, const struct attest_policy *p);

/* `tollgate attest show` and `attest evidence`; they return exit statuses. */
struct cli;
int attest_show(struct cli *c, int argc, char **argv);
int attest_evidence_command(struct cli *c, int argc, char **argv);
int attest_show_usage(void);

/* Judges an evidence file of this product with the provider's options and with what is given to judge
 * Azure's silicon. CLI_OK, or an exit status after a message. *ret_is tells whether the bytes are such a
 * file. */
int attest_judge_bundle(struct attest_run *run, struct span json, const struct attest_azure *silicon,
			struct span proof, bool *ret_is);

/* The same for the file that --evidence names, which must be one. */
int attest_judge_evidence(struct attest_run *run, const struct attest_azure *silicon, struct span proof);

/* Adds every file of a folder, each of which must be a root; and of the one that --roots names. CLI_OK, or CLI_USAGE
 * after a message. */
int attest_read_roots(const char *dir, struct x509_certs *ret);
int attest_arg_roots(const struct attest_run *run, struct x509_certs *ret);

/* Prints and returns CLI_USAGE. */
int attest_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
