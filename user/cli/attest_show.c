// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate attest show and tollgate attest evidence: what stands behind this node's statements, and the
 * proof of it for a nonce. The daemon gives it where it holds the hardware; else, and where options say so,
 * this program opens the devices, as root.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/attest.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/audit_client.h"
#include "user/cli/cli.h"
#include "user/cli/control_client.h"
#include "user/notary/checkpoint.h"

#define PROVIDERS_MAX 16

DEFINE_CLEANUP(json_t *, json_decref)

struct args {
	struct attest_config config;
	const char *nonce;
};

static int read_args(int argc, char **argv, bool with_nonce, struct args *ret)
{
	static const struct option longs[] = {
		{ "provider", required_argument, NULL, 'p' },
		{ "tcti", required_argument, NULL, 't' },
		{ "token-socket", required_argument, NULL, 's' },
		{ "nonce", required_argument, NULL, 'n' },
		{ 0 },
	};
	int ch;

	optind = 1;
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (ch == 'p')
			ret->config.provider = optarg;
		else if (ch == 't')
			ret->config.tcti = optarg;
		else if (ch == 's')
			ret->config.token_socket = optarg;
		else if (ch == 'n' && with_nonce)
			ret->nonce = optarg;
		else
			return attest_show_usage();
	}
	return optind == argc && (!with_nonce || ret->nonce) ? CLI_OK : attest_show_usage();
}

int attest_show_usage(void)
{
	fputs("usage: tollgate attest show [--provider NAME] [--tcti TCTI] [--token-socket PATH]\n"
	      "       tollgate attest evidence --nonce HEX [--provider NAME] [--tcti TCTI] [--token-socket PATH]\n",
	      stderr);
	return CLI_USAGE;
}

static void print_json(struct json_out *j, const struct buf *out)
{
	if (json_out_end(j) == 0) {
		(void)fwrite(buf_span(out).p, 1, buf_len(out), stdout);
		putchar('\n');
	}
}

static void show_json(const struct attest_found *found, unsigned n, const struct attest_found *used)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct json_out j;

	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_member_str(&j, "class", used ? attest_class_text(used->class) : NULL);
	json_out_member_str(&j, "platform", used ? used->name : NULL);
	json_out_key(&j, "providers");
	json_out_array(&j);
	for (unsigned i = 0; i < n; i++) {
		json_out_object(&j);
		json_out_member_str(&j, "class", attest_class_text(found[i].class));
		json_out_member_str(&j, "name", found[i].name);
		json_out_member_bool(&j, "present", found[i].present);
		json_out_member_bool(&j, "used", found[i].used);
		json_out_object_end(&j);
	}
	json_out_array_end(&j);
	json_out_object_end(&j);
	print_json(&j, &out);
}

static const char *meaning(enum attest_class c)
{
	return c == ATTEST_HARDWARE ? "hardware signs what this node states" :
	       c == ATTEST_VENDOR_ASSERTED ? "the runtime's vendor vouches for this node; no hardware is shown" :
					     "no hardware stands behind what this node states";
}

int attest_show(struct cli *c, int argc, char **argv)
{
	const struct attest_found *used = NULL;
	struct attest_found found[PROVIDERS_MAX];
	struct args a = { 0 };
	unsigned n;
	int r = read_args(argc, argv, false, &a);

	if (r != CLI_OK)
		return r;
	n = attest_detect(&a.config, found, PROVIDERS_MAX);
	for (unsigned i = 0; i < n; i++)
		if (found[i].used)
			used = &found[i];
	if (c->json) {
		show_json(found, n, used);
		return used && used->present ? CLI_OK : CLI_FAILED;
	}
	if (used && used->present)
		printf("class: %s (%s): %s\n\n", attest_class_text(used->class), used->name, meaning(used->class));
	else
		printf("class: none: provider %s is not here\n\n", a.config.provider ? a.config.provider : "?");
	puts("order of detection:");
	for (unsigned i = 0; i < n; i++)
		printf("%c %-14s %-16s %s\n", found[i].used ? '*' : ' ', found[i].name,
		       attest_class_text(found[i].class), found[i].present ? "found" : "not found");
	return used && used->present ? CLI_OK : CLI_FAILED;
}

/* What the daemon says of itself; its strings live as long as the answer. Without a daemon the statement
 * names no policy, and says so. */
static int ask_daemon(struct cli *c, struct attest_binding *b, struct verifier_key *key, json_t **ret)
{
	const json_t *log;
	int r;

	if (access(c->control, F_OK) < 0) {
		fprintf(stderr, "tollgate: attest evidence: no daemon at %s: the statement names no policy, "
			"catalog or log key\n", c->control);
		return CLI_OK;
	}
	r = control_ask(c, "status", ret);
	if (r != CLI_OK)
		return r;
	b->policy_hash = span_of(cli_text(*ret, "policy_hash", ""));
	b->catalog_hash = span_of(cli_text(*ret, "catalog_hash", ""));
	b->mode = span_of(cli_text(*ret, "mode", ""));
	b->program_hash = span_of(cli_text(*ret, "program_hash", ""));
	b->kernel_program_hash = span_of(cli_text(*ret, "kernel_hash", ""));
	b->origin = span_of(cli_text(*ret, "node", ""));
	log = json_object_get(*ret, "log");
	if (verifier_key_parse(span_of(cli_text(log, "public_key", "")), key) == 0)
		b->public_key = (struct span){ (const char *)key->pub, sizeof(key->pub) };
	return CLI_OK;
}

static struct span read_boot_id(struct buf *b)
{
	struct span s;

	if (file_read("/proc/sys/kernel/random/boot_id", 64, b) < 0)
		return (struct span){ 0 };
	s = buf_span(b);
	while (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	return s;
}

static int fail(const struct attest_config *config, int r)
{
	fprintf(stderr, "tollgate: collect evidence from %s: %s%s\n",
		config->provider ? config->provider : "the strongest provider found", err_text(r),
		r == -EACCES ? ": the hierarchy has an owner, or run as root" :
		r == -ENODEV ? ": see tollgate attest show" : "");
	return CLI_FAILED;
}

/* Hardware whose devices the daemon's roles do not hold: this program, as root, opens them. */
static bool ours_to_collect(const struct attest_config *config)
{
	struct attest_found found[PROVIDERS_MAX];
	unsigned n;

	if (config->provider || config->tcti || config->token_socket)
		return true;
	n = attest_detect(config, found, PROVIDERS_MAX);
	for (unsigned i = 0; i < n; i++)
		if (found[i].used)
			return strcmp(found[i].name, "sev-snp") == 0 || strcmp(found[i].name, "tdx") == 0;
	return false;
}

static int from_daemon(struct cli *c, const char *nonce)
{
	_cleanup_buf_ struct buf target = { 0 }, body = { 0 };
	int r;

	if (buf_append_str(&target, "/v1/evidence") < 0 || audit_param(&target, "nonce", nonce) < 0 ||
	    !buf_cstr(&target)) {
		fputs("tollgate: attest evidence: out of memory\n", stderr);
		return CLI_FAILED;
	}
	r = audit_get(c, buf_cstr(&target), &body);
	if (r == CLI_OK) {
		(void)fwrite(buf_span(&body).p, 1, buf_len(&body), stdout);
		putchar('\n');
	}
	return r;
}

/* From the devices, bound to what the daemon says of itself. */
static int collect(struct cli *c, const struct attest_config *config, struct attest_binding *b)
{
	_cleanup_buf_ struct buf cosign = { 0 }, boot_id = { 0 }, out = { 0 };
	_cleanup_(json_decref_p) json_t *status = NULL;
	struct attest_evidence e = { 0 };
	struct verifier_key key;
	int r = ask_daemon(c, b, &key, &status);

	if (r != CLI_OK)
		return r;
	b->boot_id = read_boot_id(&boot_id);
	r = attest_cosign_key(config, &cosign);
	if (r == 0) {
		b->cosign_key = buf_span(&cosign);
		r = attest_evidence(config, b->nonce, b, &e);
	}
	if (r < 0)
		return fail(config, r);
	r = attest_evidence_json(&e, b, b->nonce, &out);
	fprintf(stderr, "tollgate: attest evidence: class %s (%s)\n", attest_class_text(e.class), e.platform);
	attest_evidence_done(&e);
	if (r < 0)
		return fail(config, r);
	(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	putchar('\n');
	return CLI_OK;
}

int attest_evidence_command(struct cli *c, int argc, char **argv)
{
	uint8_t nonce[ATTEST_NONCE_MAX];
	struct attest_binding b = { 0 };
	struct args a = { 0 };
	int r = read_args(argc, argv, true, &a);

	if (r != CLI_OK)
		return r;
	b.nonce.n = strlen(a.nonce) / 2;
	if (b.nonce.n == 0 || b.nonce.n > sizeof(nonce) || hex_decode(a.nonce, strlen(a.nonce), nonce, b.nonce.n) < 0) {
		fprintf(stderr, "tollgate: attest evidence: --nonce needs 2 to %d hex digits\n", 2 * ATTEST_NONCE_MAX);
		return CLI_USAGE;
	}
	b.nonce.p = (const char *)nonce;
	if (!c->control && cli_find_sockets(c) != CLI_OK)
		return CLI_FAILED;
	if (c->audit && access(c->audit, F_OK) == 0 && !ours_to_collect(&a.config))
		return from_daemon(c, a.nonce);
	return collect(c, &a.config, &b);
}
