// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit prove: a receipt of one record, to be carried away.
 */
#include <getopt.h>
#include <stdio.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"

int audit_prove(struct cli *c, int argc, char **argv)
{
	_cleanup_buf_ struct buf target = { 0 }, body = { 0 };
	const char *out = NULL;
	int ch, r;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt(argc, argv, "o:")) != -1) {
		if (ch != 'o')
			return audit_usage();
		out = optarg;
	}
	if (optind + 1 != argc)
		return audit_usage();
	if (buf_append_str(&target, "/v1/proof") < 0 || audit_param(&target, "record", argv[optind]) < 0 ||
	    (!c->json && audit_param(&target, "form", "receipt") < 0) || !buf_cstr(&target))
		return CLI_FAILED;
	r = audit_get(c, buf_cstr(&target), &body);
	if (r != CLI_OK)
		return r;
	if (!out)
		return fwrite(buf_span(&body).p, 1, buf_len(&body), stdout) == buf_len(&body) ? CLI_OK :
												CLI_FAILED;
	r = file_replace(out, buf_span(&body).p, buf_len(&body), 0644);
	return r < 0 ? audit_fail("write", out, err_text(r)) : CLI_OK;
}
