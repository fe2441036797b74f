// SPDX-License-Identifier: Apache-2.0
/*
 * Opening payloads of a record for an auditor, and judging what was opened. Runs in tollgate(1). The salts
 * come from the notary, which records that it gave them; the payloads come from whoever kept them.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/attest.h"
#include "user/cli/audit_client.h"
#include "user/cli/control_client.h"
#include "user/cli/verifier.h"
#include "user/notary/disclosure.h"
#include "user/notary/view.h"

static int fail(const char *action, const char *object, const char *reason)
{
	fprintf(stderr, "tollgate: %s %s: %s\n", action, object, reason);
	return CLI_FAILED;
}

static int usage(void)
{
	fputs("usage: tollgate audit prove --disclose LEAF FIELD[=FILE]... [-o FILE]\n"
	      "       tollgate verify disclosure FILE --key FILE|STRING [FIELD=FILE]...\n"
	      "FIELD is request, response or request_id; FILE holds the very bytes of that payload.\n",
	      stderr);
	return CLI_USAGE;
}

/* FIELD or FIELD=FILE; the number of the field in *ret. */
static int take_field(struct disclosure *d, const char *arg, int *ret)
{
	const char *eq = strchr(arg, '=');
	struct span name = { arg, eq ? (size_t)(eq - arg) : strlen(arg) };
	struct disclosed *f;
	int r;

	*ret = disclosure_field(name);
	if (*ret < 0)
		return usage();
	f = &d->fields[*ret];
	if (!eq)
		return CLI_OK;
	buf_clear(&f->payload);
	r = file_read(eq + 1, DISCLOSURE_PAYLOAD_MAX, &f->payload);
	f->has_payload = r == 0;
	return r < 0 ? fail("read", eq + 1, err_text(r)) : CLI_OK;
}

/* --- tollgate audit prove --disclose ------------------------------------------------------------- */

static int get_receipt(struct cli *c, const char *leaf, struct disclosure *d)
{
	_cleanup_buf_ struct buf target = { 0 };
	int r;

	if (buf_append_str(&target, "/v1/proof") < 0 || audit_param(&target, "record", leaf) < 0 ||
	    audit_param(&target, "form", "receipt") < 0 || !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get(c, buf_cstr(&target), &d->receipt);
	if (r == CLI_OK && proof_parse(buf_span(&d->receipt), &d->proof) < 0)
		r = fail("parse receipt of", leaf, "it is malformed");
	return r;
}

/* The name of the key that the session's salts come from stands in its first record. */
static int get_epoch(struct cli *c, const char *session, char *ret, size_t size)
{
	_cleanup_buf_ struct buf target = { 0 };
	const json_t *row;
	const char *epoch;
	json_t *j;
	int r;

	if (buf_append_str(&target, "/v1/records") < 0 || audit_param(&target, "session", session) < 0 ||
	    audit_param(&target, "type", "session_start") < 0 || !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get_json(c, buf_cstr(&target), &j);
	if (r != CLI_OK)
		return r;
	row = json_object_get(json_array_get(json_object_get(j, "records"), 0), "record");
	epoch = json_string_value(json_object_get(json_object_get(row, "detail"), "salt_epoch"));
	if (!epoch || strlen(epoch) >= size)
		r = fail("open payloads of", session, "its first record names no key of its payloads");
	else
		strcpy(ret, epoch);
	json_decref(j);
	return r;
}

static int get_salts(struct cli *c, struct disclosure *d)
{
	_cleanup_buf_ struct buf line = { 0 };
	char session[64], epoch[64];
	struct record_view v;
	json_t *j;
	int r;

	if (record_view_parse(d->proof.record, &v, NULL) < 0)
		return fail("parse", "record", "it is not in canonical form");
	(void)snprintf(session, sizeof(session), "%.*s", (int)v.session_id.n, v.session_id.p);
	r = get_epoch(c, session, epoch, sizeof(epoch));
	if (r != CLI_OK)
		return r;
	if (buf_printf(&line, "salt %s %" PRIu64 " %s", session, v.sequence, epoch) < 0)
		return CLI_FAILED;
	for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
		if (d->fields[i].given && buf_printf(&line, " %s", disclosure_name(i)) < 0)
			return CLI_FAILED;
	if (!buf_cstr(&line))
		return CLI_FAILED;
	r = control_ask(c, buf_cstr(&line), &j);
	if (r != CLI_OK)
		return r;
	for (unsigned i = 0; i < DISCLOSURE_FIELDS && r == CLI_OK; i++) {
		const char *hex = cli_text(j, disclosure_name(i), "");

		if (d->fields[i].given && hex_decode(hex, strlen(hex), d->fields[i].salt, SALT_SIZE) < 0)
			r = fail("ask for salt of", disclosure_name(i), "the answer is malformed");
	}
	json_decref(j);
	return r;
}

/* What does not open its commitment is not handed out as if it did. */
static int check_payloads(const struct disclosure *d)
{
	for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
		if (disclosure_check(d, i) == -EBADMSG)
			return fail("open", disclosure_name(i),
				    "these are not the bytes of the payload, or the record has none");
	return CLI_OK;
}

static int put_out(struct disclosure *d, const char *out)
{
	_cleanup_buf_ struct buf text = { .limit = DISCLOSURE_MAX };
	int r = disclosure_write(d, &text);

	if (r == 0)
		r = buf_append(&text, "\n", 1);
	if (r == 0 && !out)
		return fwrite(buf_span(&text).p, 1, buf_len(&text), stdout) == buf_len(&text) ? CLI_OK : CLI_FAILED;
	if (r == 0)
		r = file_replace(out, buf_span(&text).p, buf_len(&text), 0600); /* it opens a payload */
	return r < 0 ? fail("write", out ? out : "disclosure", err_text(r)) : CLI_OK;
}

int audit_disclose(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = { { "disclose", no_argument, NULL, 'd' }, { 0 } };
	struct disclosure d = { 0 };
	const char *out = NULL;
	int ch, field, r = CLI_OK;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (ch == 'o')
			out = optarg;
		else if (ch != 'd')
			return usage();
	}
	if (optind + 2 > argc)
		return usage();
	for (int i = optind + 1; r == CLI_OK && i < argc; i++) {
		r = take_field(&d, argv[i], &field);
		if (r == CLI_OK)
			d.fields[field].given = true;
	}
	if (r == CLI_OK)
		r = get_receipt(c, argv[optind], &d);
	if (r == CLI_OK)
		r = get_salts(c, &d);
	if (r == CLI_OK)
		r = check_payloads(&d);
	if (r == CLI_OK)
		r = put_out(&d, out);
	disclosure_done(&d);
	return r;
}

/* --- tollgate verify disclosure -------------------------------------------------------------------- */

static const char *verdict(const struct disclosure *d, unsigned field, int *status)
{
	int r = disclosure_check(d, field);

	if (r == -EBADMSG)
		*status = CLI_FAILED;
	else if (r < 0 && *status == CLI_OK)
		*status = CLI_INCOMPLETE;
	return r == 0 ? "proven" : r == -ENODATA ? "not-checked" : "false";
}

static int judge(struct cli *c, const char *file, const struct disclosure *d, const struct verifier_key *vk)
{
	const char *why = "", *fields[DISCLOSURE_FIELDS] = { 0 };
	_cleanup_buf_ struct buf out = { 0 };
	int status = CLI_OK, r;
	struct checkpoint cp;
	struct json_out j;

	r = proof_check(&d->proof, vk, &cp, &why);
	if (r < 0 && r != -EBADMSG)
		return fail("verify", file, err_text(r));
	if (r < 0)
		status = CLI_FAILED;
	for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
		if (d->fields[i].given)
			fields[i] = verdict(d, i, &status);
	if (!c->json) {
		printf("%s: %s%s\n", file, status == CLI_OK ? "verified" : status == CLI_FAILED ? "NOT verified" :
				"sound, but a payload is not at hand", r < 0 ? ": " : "");
		if (r < 0)
			printf("  receipt: %s\n", why);
		for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
			if (fields[i])
				printf("  %s: %s\n", disclosure_name(i), fields[i]);
		return status;
	}
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key(&j, "fields");
	json_out_object(&j);
	for (unsigned i = 0; i < DISCLOSURE_FIELDS; i++)
		if (fields[i])
			json_out_member_str(&j, disclosure_name(i), fields[i]);
	json_out_object_end(&j);
	json_out_member_int(&j, "leaf", (int64_t)d->proof.leaf);
	json_out_member_str(&j, "reason", r < 0 ? why : NULL);
	json_out_member_bool(&j, "verified", status == CLI_OK);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return fail("write", "verdict", err_text(-ENOMEM));
	printf("%.*s\n", (int)buf_len(&out), buf_span(&out).p);
	return status;
}

int cli_verify_disclosure(struct cli *c, const char *key, int argc, char **argv)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct verifier_key vk;
	struct disclosure d = { 0 };
	int field, r = key ? cli_verifier_key(key, &vk) : usage();

	if (r != CLI_OK)
		return r;
	r = file_read(argv[0], DISCLOSURE_MAX, &text);
	if (r < 0)
		return fail("read", argv[0], err_text(r));
	r = disclosure_parse(buf_span(&text), &d);
	if (r < 0)
		r = fail("verify", argv[0], r == -EBADMSG ? "it is malformed" : err_text(r));
	for (int i = 1; r == CLI_OK && i < argc; i++)
		r = take_field(&d, argv[i], &field);
	if (r == CLI_OK)
		r = judge(c, argv[0], &d, &vk);
	disclosure_done(&d);
	return r;
}
