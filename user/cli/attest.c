// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest: judges evidence of hardware, offline, trusting nothing in it. Exit status 0 affirming,
 * 1 rejected, 3 sound but something that the policy needs is open, 2 usage or unreadable input.
 */
#include "user/cli/attest.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/ear.h"
#include "attest/jws.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/cli.h"
#include "user/cli/control_client.h"

#define OPTIONS_MAX 40
#define AT_MAX_S \
	7258118400ll /* the year 2200: later times are typing errors, and nanoseconds would wrap */

static const struct attest_verb *const verbs[] = {
	&attest_verb_snp,
	&attest_verb_tdx,
	&attest_verb_tpm,
	&attest_verb_azure,
};

static const struct attest_option common[] = {
	{ "provider", true, false },
	{ "policy", false, false },
	{ "at", false, false },
	{ "ear", false, false },
	{ "ear-key", false, false },
	{ 0 },
};

static void print_usage(FILE *f)
{
	fputs("usage: tollgate attest show [--provider NAME] [--tcti TCTI] [--token-socket PATH]\n"
	      "       tollgate attest evidence --nonce HEX [the same options]\n"
	      "       tollgate attest verify --provider PROVIDER OPTION... [--policy FILE] [--at TIME]\n"
	      "                              [--json | --ear | --ear-key FILE]\n\n",
	      f);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fputs(verbs[i]->usage, f);
	fputs("\n--policy  expected values and what may stay open, see tollgate(1)\n"
	      "--at      judge as of this time, 2026-11-21T09:00:00Z; now when not given\n"
	      "--ear     the answer as claims of an EAR (draft-ietf-rats-ear)\n"
	      "--ear-key FILE  the same signed, a JWT with ES256, by a P-256 key in PEM\n"
	      "Exit status: 0 affirming, 1 rejected, 2 usage or unreadable input, 3 sound but something that the\n"
	      "policy needs was not checked or is not met.\n",
	      f);
}

int attest_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("tollgate: attest verify: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("; `tollgate attest --help` shows how\n", stderr);
	return CLI_USAGE;
}

const char *attest_arg(const struct attest_run *run, const char *option, unsigned i)
{
	for (unsigned k = 0; k < run->n_given; k++)
		if (strcmp(run->given[k].option->name, option) == 0 && i-- == 0)
			return run->given[k].value;
	return NULL;
}

int attest_arg_file(const struct attest_run *run, const char *option, unsigned i, struct buf *ret)
{
	const char *path = attest_arg(run, option, i);
	int r = path ? file_read(path, ATTEST_FILE_MAX, ret) : 0;

	if (r < 0) {
		fprintf(stderr, "tollgate: read %s: %s\n", path, err_text(r));
		return CLI_USAGE;
	}
	return CLI_OK;
}

int attest_arg_expect(const struct attest_run *run, const char *option, size_t size, bool shorter,
		      struct policy_set *ret)
{
	const char *hex = attest_arg(run, option, 0);
	size_t len = hex ? strlen(hex) : 0;
	uint8_t bytes[64] = { 0 };

	if (!hex)
		return CLI_OK;
	if (size > sizeof(bytes) || len % 2 || len == 0 || len > 2 * size ||
	    (!shorter && len != 2 * size) || hex_decode(hex, len, bytes, len / 2) < 0)
		return attest_usage("--%s needs %s%zu hex digits", option,
				    shorter ? "at most " : "", 2 * size);
	if (policy_set_only(ret, (struct span){ (const char *)bytes, size }) < 0) {
		fputs("tollgate: attest verify: out of memory\n", stderr);
		return CLI_FAILED;
	}
	return CLI_OK;
}

static int read_policy(struct attest_run *run)
{
	const char *path = attest_arg(run, "policy", 0);
	_cleanup_buf_ struct buf text = { 0 };
	struct policy_error e = { { 0 } };
	int r = attest_arg_file(run, "policy", 0, &text);

	if (r != CLI_OK || !path)
		return r;
	r = attest_policy_read(&run->policy, buf_span(&text), &e);
	if (r < 0) {
		fprintf(stderr, "tollgate: read policy %s: %s\n", path,
			e.text[0] ? e.text : err_text(r));
		return CLI_USAGE;
	}
	return CLI_OK;
}

static int read_time(const struct attest_run *run, int64_t *ret)
{
	const char *text = attest_arg(run, "at", 0);
	uint64_t ns = clock_real_ns();

	if (text && (clock_parse_iso(text, &ns) < 0 || ns / 1000000000u > AT_MAX_S))
		return attest_usage("--at %s: not a time like 2026-11-21T09:00:00Z", text);
	*ret = (int64_t)(ns / 1000000000u);
	return CLI_OK;
}

static void print_claims(struct span claims)
{
	json_t *o = json_loadb(claims.p, claims.n, 0, NULL), *v;
	const char *name;

	json_object_foreach(o, name, v)
	{
		char *text =
			json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

		printf("  %-22s %s\n", name,
		       text		   ? text
		       : json_is_string(v) ? json_string_value(v)
					   : "");
		free(text);
	}
	json_decref(o);
}

/* What stands in the way first, then what is open, then what is good. */
void attest_print(const struct attest_result *res, const struct attest_policy *p)
{
	static const enum attest_verdict order[] = { ATTEST_FAIL, ATTEST_NOT_CHECKED, ATTEST_PASS };

	for (size_t o = 0; o < ARRAY_SIZE(order); o++)
		for (unsigned i = 0; i < res->n_findings; i++) {
			const struct attest_finding *f = &res->findings[i];

			if (f->verdict == order[o])
				printf("%c %-11s %-22s %s: %s\n", attest_blocks(f, p) ? '!' : ' ',
				       attest_verdict_text(f->verdict), f->field, f->code, f->reason);
		}
}

static void print_text(struct attest_run *run, enum attest_status s)
{
	const struct attest_result *res = &run->result;

	printf("%s: %s\n", res->provider, attest_status_text(s));
	attest_print(res, &run->policy);
	for (unsigned i = 0; i < run->policy.require.n; i++)
		if (!attest_finding(res, run->policy.require.text[i]))
			printf("! not-checked %-22s required: this evidence has no such field\n",
			       run->policy.require.text[i]);
}

/* Without a key the claims set alone, which whoever passes it on may sign. */
static int make_ear(struct cli *c, const struct attest_run *run, struct span key, struct buf *out)
{
	_cleanup_buf_ struct buf claims = { 0 };
	int r = attest_ear(&run->result, &run->policy, (int64_t)(clock_real_ns() / 1000000000u), c->version, &claims);

	if (r == 0 && key.n)
		return jws_sign_es256(key, EAR_TYPE, buf_span(&claims), out);
	return r < 0 ? r : buf_append(out, buf_span(&claims).p, buf_len(&claims));
}

static int read_ear_key(const struct attest_run *run, struct buf *ret)
{
	int r = attest_arg_file(run, "ear-key", 0, ret);

	if (r == CLI_OK && attest_arg(run, "ear-key", 0) && !buf_len(ret)) {
		fprintf(stderr, "tollgate: read key %s: it is empty\n", attest_arg(run, "ear-key", 0));
		r = CLI_USAGE;
	}
	return r;
}

static int answer(struct cli *c, struct attest_run *run)
{
	enum attest_status s = attest_appraise(&run->result, &run->policy);
	_cleanup_buf_ struct buf out = { 0 }, judgement = { 0 }, key = { 0 };
	int r = read_ear_key(run, &key);

	if (r != CLI_OK)
		return r;
	r = attest_result_json(&run->result, &run->policy, &judgement);
	if (r == 0 && (attest_arg(run, "ear", 0) || buf_len(&key)))
		r = make_ear(c, run, buf_span(&key), &out);
	else if (r == 0 && c->json)
		r = buf_append(&out, buf_span(&judgement).p, buf_len(&judgement));
	if (key.data)
		OPENSSL_cleanse(key.data, key.cap);
	if (r < 0) {
		fprintf(stderr, "tollgate: write verdict: %s\n",
			r == -EBADMSG ? "--ear-key is no P-256 private key in PEM" : err_text(r));
		return CLI_FAILED;
	}
	if (buf_len(&out) > 0) {
		(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
		putchar('\n');
	} else {
		print_text(run, s);
		print_claims(buf_span(&run->result.claims_text));
	}
	return attest_exit_status(s);
}

static int judge(struct cli *c, const struct attest_verb *v, struct attest_run *run)
{
	int64_t at = 0;
	int r = read_time(run, &at);

	attest_policy_init(&run->policy);
	attest_result_init(&run->result, v->provider, at);
	if (r == CLI_OK)
		r = read_policy(run);
	if (r == CLI_OK)
		r = v->judge(run);
	if (r == CLI_OK)
		r = answer(c, run);
	attest_result_done(&run->result);
	attest_policy_done(&run->policy);
	return r;
}

static const struct attest_option *find_option(const struct attest_option *o, const char *name)
{
	for (; o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* The provider decides which options there are, so it is looked for before they are read. */
static const struct attest_verb *find_verb(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = NULL;

		if (strcmp(argv[i], "--provider") == 0 && i + 1 < argc)
			name = argv[i + 1];
		else if (strncmp(argv[i], "--provider=", 11) == 0)
			name = argv[i] + 11;
		for (size_t k = 0; name && k < ARRAY_SIZE(verbs); k++)
			if (strcmp(verbs[k]->provider, name) == 0)
				return verbs[k];
	}
	return NULL;
}

static int add_given(struct attest_given *given, unsigned *n, const struct attest_option *o,
		     const char *value)
{
	for (unsigned i = 0; i < *n; i++)
		if (given[i].option == o && !o->repeated)
			return attest_usage("--%s is given twice", o->name);
	if (*n == ATTEST_GIVEN_MAX)
		return attest_usage("more than %d options", ATTEST_GIVEN_MAX);
	given[(*n)++] = (struct attest_given){ o, value ? value : "" };
	return CLI_OK;
}

static int verify(struct cli *c, int argc, char **argv)
{
	const struct attest_verb *v = find_verb(argc, argv);
	struct attest_given given[ATTEST_GIVEN_MAX];
	struct option longs[OPTIONS_MAX] = { 0 };
	struct attest_run run = { .given = given };
	unsigned n = 0;
	int ch, at;

	if (!v)
		return attest_usage("needs --provider and a provider's name");
	for (const struct attest_option *o = common; o->name; o++)
		longs[n++] = (struct option){ o->name,
					      strcmp(o->name, "ear") == 0 ? no_argument
									  : required_argument,
					      NULL, 'x' };
	for (const struct attest_option *o = v->options; o->name && n < OPTIONS_MAX - 1; o++)
		longs[n++] = (struct option){ o->name, required_argument, NULL, 'x' };
	optind = 1;
	while ((ch = getopt_long(argc, argv, "", longs, &at)) != -1) {
		const struct attest_option *o =
			ch == 'x' ? find_option(common, longs[at].name) : NULL;

		if (ch == 'x' && !o)
			o = find_option(v->options, longs[at].name);
		if (!o || add_given(given, &run.n_given, o, optarg) != CLI_OK)
			return CLI_USAGE;
	}
	if (optind != argc)
		return attest_usage("'%s' is no option", argv[optind]);
	for (const struct attest_option *o = v->options; o->name; o++)
		if (o->required && !attest_arg(&run, o->name, 0))
			return attest_usage("--provider %s needs --%s", v->provider, o->name);
	return judge(c, v, &run);
}

int cli_attest(struct cli *c, int argc, char **argv)
{
	if (cli_wants_help(argc, argv)) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "verify") == 0)
		return verify(c, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return attest_show(c, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "evidence") == 0)
		return attest_evidence_command(c, argc - 1, argv + 1);
	print_usage(stderr);
	return CLI_USAGE;
}
