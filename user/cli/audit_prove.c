// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit prove: a receipt of one record, to be carried away.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"

static int write_out(const char *file, struct span text)
{
	int r = file_replace(file, text.p, text.n, 0644);

	return r < 0 ? audit_fail("write", file, err_text(r)) : CLI_OK;
}

/* A COSE receipt does not hold its record: that goes to a file of its own. */
static int write_record(struct cli *c, const char *leaf, const char *file)
{
	_cleanup_buf_ struct buf target = { 0 };
	char *text;
	json_t *j;
	int r;

	if (buf_append_str(&target, "/v1/proof") < 0 || audit_param(&target, "record", leaf) < 0 ||
	    !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get_json(c, buf_cstr(&target), &j);
	if (r != CLI_OK)
		return r;
	/* Members in the order of the log, ASCII, integers: the text is the record's own again. */
	text = json_dumps(json_object_get(j, "record"), JSON_COMPACT | JSON_ENSURE_ASCII);
	r = text ? write_out(file, span_of(text)) : CLI_FAILED;
	free(text);
	json_decref(j);
	return r;
}

int audit_prove(struct cli *c, int argc, char **argv)
{
	_cleanup_buf_ struct buf target = { 0 }, body = { 0 };
	static const struct option longs[] = {
		{ "form", required_argument, NULL, 'F' }, { "record", required_argument, NULL, 'r' },
		{ "output", required_argument, NULL, 'o' }, { 0 },
	};
	const char *out = NULL, *form = c->json ? NULL : "receipt", *record = NULL;
	int ch, r;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (ch == '?')
			return audit_usage();
		*(ch == 'o' ? &out : ch == 'F' ? &form : &record) = optarg;
	}
	if (optind + 1 != argc)
		return audit_usage();
	if (buf_append_str(&target, "/v1/proof") < 0 || audit_param(&target, "record", argv[optind]) < 0 ||
	    (form && audit_param(&target, "form", form) < 0) || !buf_cstr(&target))
		return CLI_FAILED;
	r = record ? write_record(c, argv[optind], record) : CLI_OK;
	if (r == CLI_OK)
		r = audit_get(c, buf_cstr(&target), &body);
	if (r != CLI_OK)
		return r;
	if (!out)
		return fwrite(buf_span(&body).p, 1, buf_len(&body), stdout) == buf_len(&body) ? CLI_OK :
												CLI_FAILED;
	return write_out(out, buf_span(&body));
}
