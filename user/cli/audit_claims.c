// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit claims, export: what the notary signed of sessions, and all of one session in files that
 * `tollgate verify DIR` judges anywhere. Runs in tollgate(1).
 */
#include "user/cli/audit_claims.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_client.h"
#include "user/cli/control_client.h"

#define CHAIN_MAX 10000 /* claims of one conversation that an export follows back */

const char audit_claims_usage[] =
	"       tollgate audit claims [--session ID] [--after NAME] [--limit COUNT]\n"
	"       tollgate audit claims --make ID\n"
	"       tollgate audit export ID [--number N] -o DIR\n";

static int usage(void)
{
	fprintf(stderr, "usage:\n%s", audit_claims_usage);
	return CLI_USAGE;
}

/* --- claims -------------------------------------------------------------------------------------- */

static int make_claim(struct cli *c, const char *id)
{
	_cleanup_buf_ struct buf line = { 0 };
	json_t *j;
	int r;

	if (strpbrk(id, " \n") || buf_printf(&line, "claim %s", id) < 0 || !buf_cstr(&line))
		return usage();
	r = control_ask(c, buf_cstr(&line), &j);
	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else
		printf("%s-%lld: %lld records, durability %s, %s\n", cli_text(j, "session_id", "?"),
		       (long long)json_integer_value(json_object_get(j, "number")),
		       (long long)json_integer_value(json_object_get(j, "records")), cli_text(j, "durability", "?"),
		       cli_text(j, "claim_hash", "?"));
	json_decref(j);
	return CLI_OK;
}

static int list(struct cli *c, struct buf *target)
{
	const json_t *row;
	json_t *j;
	size_t i;
	int r = buf_cstr(target) ? audit_get_json(c, buf_cstr(target), &j) : CLI_FAILED;

	if (r != CLI_OK)
		return r;
	if (c->json) {
		cli_print_json(j);
	} else {
		json_array_foreach(json_object_get(j, "claims"), i, row)
			printf("%s\n", cli_text(row, "name", "?"));
		if (json_is_true(json_object_get(j, "cut")))
			fputs("tollgate: there are more; ask with --after and the last name\n", stderr);
	}
	json_decref(j);
	return CLI_OK;
}

int audit_claims(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "session", required_argument, NULL, 's' }, { "after", required_argument, NULL, 'a' },
		{ "limit", required_argument, NULL, 'n' }, { "make", required_argument, NULL, 'm' }, { 0 },
	};
	_cleanup_buf_ struct buf target = { 0 };
	const char *make = NULL;
	int ch, at = 0, r = buf_append_str(&target, "/v1/claims");

	optind = 0; /* also after operands, which main() does not allow */
	while (r == 0 && (ch = getopt_long(argc, argv, "n:", longs, &at)) != -1) {
		if (ch == 'm')
			make = optarg;
		else if (ch == '?')
			return usage();
		else
			r = audit_param(&target, ch == 'n' ? "limit" : longs[at].name, optarg);
	}
	if (r < 0)
		return CLI_FAILED;
	if (optind != argc || (make && argc != 3))
		return usage();
	return make ? make_claim(c, make) : list(c, &target);
}

/* --- export -------------------------------------------------------------------------------------- */

struct exporting {
	struct cli *c;
	const char *dir;
};

/* One part of a claim into DIR/ID-N.SUFFIX.json; *ret, when asked for, is the document. */
static int save(struct exporting *x, const char *id, long long number, const char *part, const char *suffix,
		json_t **ret)
{
	_cleanup_buf_ struct buf target = { 0 }, body = { 0 };
	char path[PATH_MAX], text[32];
	json_error_t e;
	int r;

	(void)snprintf(text, sizeof(text), "%lld", number);
	if (buf_append_str(&target, "/v1/claim") < 0 || audit_param(&target, "session", id) < 0 ||
	    audit_param(&target, "number", text) < 0 || audit_param(&target, "part", part) < 0 ||
	    !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get(x->c, buf_cstr(&target), &body);
	if (r != CLI_OK)
		return r;
	if (ret && !(*ret = json_loadb(buf_span(&body).p, buf_len(&body), JSON_REJECT_DUPLICATES, &e))) {
		fprintf(stderr, "tollgate: parse %s of %s: %s\n", part, id, e.text);
		return CLI_FAILED;
	}
	if (snprintf(path, sizeof(path), "%s/%s-%lld.%s.json", x->dir, id, number, suffix) >= (int)sizeof(path))
		r = -ENAMETOOLONG;
	else
		r = file_replace(path, buf_span(&body).p, buf_len(&body), 0640);
	if (r == 0)
		return CLI_OK;
	fprintf(stderr, "tollgate: write %s: %s\n", x->dir, err_text(r));
	if (ret)
		json_decref(*ret);
	return CLI_FAILED;
}

static const char *text_of(const json_t *v, const char *object, const char *member)
{
	return json_string_value(json_object_get(json_object_get(v, object), member));
}

/* The session that this one goes on from, as its first record names it; NULL: none. */
static const char *continues(const json_t *bundle)
{
	return text_of(json_array_get(json_object_get(bundle, "entries"), 0), "detail", "continues");
}

/* Beside a claim that names hardware: what the hardware said. */
static int save_evidence(struct exporting *x, const char *id, long long number, const json_t *claim)
{
	const char *platform = text_of(json_object_get(claim, "trace"), "runtime", "platform");

	if (!platform || strcmp(platform, "software-only") == 0)
		return CLI_OK;
	return save(x, id, number, "evidence", "evidence", NULL);
}

/* The claims that the one stands on, back to the first of the conversation: a verifier wants each one's
 * predecessor. Sessions are followed back through their bundles, which are written too. */
static int save_line(struct exporting *x, const char *id, long long number, const json_t *bundle)
{
	char session[64];
	json_t *before = NULL;
	int r = CLI_OK;

	(void)snprintf(session, sizeof(session), "%s", id);
	for (unsigned i = 0; r == CLI_OK && number > 1 && i < CHAIN_MAX; i++) {
		_cleanup_buf_ struct buf target = { 0 };
		json_t *names = NULL, *claim = NULL;
		bool same = false;

		number--;
		if (buf_append_str(&target, "/v1/claims") < 0 || audit_param(&target, "session", session) < 0 ||
		    audit_param(&target, "limit", "1") < 0 || !buf_cstr(&target))
			return CLI_FAILED;
		r = audit_get_json(x->c, buf_cstr(&target), &names);
		if (r == CLI_OK) {
			const json_t *first = json_array_get(json_object_get(names, "claims"), 0);

			same = json_integer_value(json_object_get(first, "number")) <= number;
			json_decref(names);
		}
		if (r == CLI_OK && !same) {
			const char *from = continues(bundle);

			if (!from || strlen(from) >= sizeof(session))
				break; /* the verifier will say that it was not at hand */
			(void)snprintf(session, sizeof(session), "%s", from);
		}
		if (r == CLI_OK)
			r = save(x, session, number, "claim", "claim", &claim);
		if (r == CLI_OK)
			r = save_evidence(x, session, number, claim);
		json_decref(claim);
		if (r == CLI_OK && !same && number > 1) {
			json_decref(before);
			before = NULL;
			r = save(x, session, number, "bundle", "bundle", &before);
			bundle = before;
		}
	}
	json_decref(before);
	return r;
}

static int latest(struct cli *c, const char *id, long long *ret)
{
	_cleanup_buf_ struct buf target = { 0 };
	const json_t *gateway;
	json_t *j;
	int r;

	if (buf_append_str(&target, "/v1/claim") < 0 || audit_param(&target, "session", id) < 0 ||
	    audit_param(&target, "part", "claim") < 0 || !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get_json(c, buf_cstr(&target), &j);
	if (r != CLI_OK)
		return r;
	gateway = json_object_get(j, "gateway");
	*ret = json_integer_value(json_object_get(gateway, "sequence_number"));
	json_decref(j);
	return CLI_OK;
}

static int export_session(struct exporting *x, const char *id, long long number)
{
	json_t *bundle = NULL, *claim = NULL;
	int r = save(x, id, number, "claim", "claim", &claim);

	if (r == CLI_OK)
		r = save_evidence(x, id, number, claim);
	json_decref(claim);
	if (r == CLI_OK)
		r = save(x, id, number, "trust_record", "trust-record", NULL);
	if (r == CLI_OK)
		r = save(x, id, number, "bundle", "bundle", &bundle);
	if (r != CLI_OK)
		return r;
	r = save_line(x, id, number, bundle);
	json_decref(bundle);
	return r;
}

int audit_export(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = { { "number", required_argument, NULL, 'N' },
					       { "output", required_argument, NULL, 'o' }, { 0 } };
	struct exporting x = { .c = c };
	long long number = 0;
	char *end = (char *)"";
	int ch, r = CLI_OK;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (ch == 'o')
			x.dir = optarg;
		else if (ch == 'N')
			number = strtoll(optarg, &end, 10);
		else
			return usage();
	}
	if (optind + 1 != argc || !x.dir || *end || number < 0)
		return usage();
	if (mkdir(x.dir, 0750) < 0 && errno != EEXIST) {
		fprintf(stderr, "tollgate: make directory %s: %s\n", x.dir, err_text(-errno));
		return CLI_FAILED;
	}
	if (!number)
		r = latest(c, argv[optind], &number);
	if (r == CLI_OK)
		r = export_session(&x, argv[optind], number);
	if (r == CLI_OK && !c->json)
		printf("%s: claim %lld of session %s, its Trust Record and bundle; check with: tollgate verify %s\n",
		       x.dir, number, argv[optind], x.dir);
	return r;
}
