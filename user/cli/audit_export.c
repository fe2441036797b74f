// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit export: every record that fits, in order, page after page. An export that could not be
 * finished has an exit status that says so.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/log.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/audit_format.h"
#include "user/cli/control_client.h"

#define PAGE "5000"

static int write_page(const json_t *page, const struct audit_format *format, FILE *out)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(page, "records"), i, row) {
		_cleanup_buf_ struct buf line = { 0 };
		const char *leaf_text;
		int r = format->row(row, &line);

		leaf_text = buf_cstr(&line);
		if (r < 0 || !leaf_text)
			return audit_fail("export", "records", err_text(r < 0 ? r : -ENOMEM));
		if (fwrite(leaf_text, 1, buf_len(&line), out) != buf_len(&line))
			return audit_fail("write", "export", err_text(-errno));
	}
	return CLI_OK;
}

/* The newest record that there was at the start ends the export: a busy log has no end of its own. */
static int log_size(struct cli *c, long long *ret)
{
	json_t *j;
	int r = audit_get_json(c, "/v1/health", &j);

	if (r != CLI_OK)
		return r;
	*ret = (long long)json_integer_value(json_object_get(j, "records"));
	json_decref(j);
	return CLI_OK;
}

static int write_all(struct cli *c, struct span filters, const struct audit_format *format, FILE *out)
{
	long long from = 0, size = 0;
	bool more = true;
	int r = log_size(c, &size);

	if (r == CLI_OK && format->head && fputs(format->head, out) < 0)
		r = audit_fail("write", "export", err_text(-errno));
	while (r == CLI_OK && more && from < size) {
		_cleanup_buf_ struct buf target = { 0 };
		char text[32];
		json_t *page;

		(void)snprintf(text, sizeof(text), "%lld", from);
		if (buf_append(&target, filters.p, filters.n) < 0 || audit_param(&target, "from", text) < 0 ||
		    audit_param(&target, "limit", PAGE) < 0 || !buf_cstr(&target))
			return CLI_FAILED;
		r = audit_get_json(c, buf_cstr(&target), &page);
		if (r != CLI_OK)
			return r;
		r = write_page(page, format, out);
		more = json_is_true(json_object_get(page, "more"));
		from = (long long)json_integer_value(json_object_get(page, "last")) + 1;
		json_decref(page);
	}
	if (r == CLI_OK && fflush(out) != 0)
		r = audit_fail("write", "export", err_text(-errno));
	return r;
}

int audit_export_records(struct cli *c, int argc, char **argv)
{
	struct audit_options o = { .format = "jsonl" };
	const struct audit_format *format = NULL;
	FILE *out = stdout;
	int r = audit_options_read(&o, "/v1/records", "Fo", argc, argv);

	if (r == 0)
		format = audit_format_find(o.format);
	if (r < 0 || !format) {
		r = audit_usage();
	} else {
		out = o.out ? fopen(o.out, "wxe") : stdout; /* never over something that is there */
		r = out ? write_all(c, buf_span(&o.target), format, out) :
			  audit_fail("create", o.out, err_text(-errno));
		if (o.out && out && fclose(out) != 0)
			r = audit_fail("write", o.out, err_text(-errno));
	}
	buf_done(&o.target);
	return r;
}
