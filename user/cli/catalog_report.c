// SPDX-License-Identifier: Apache-2.0
/*
 * Output of `tollgate catalog`. Names come from servers, so control characters never reach a
 * terminal.
 */
#include "user/cli/catalog_report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"

void catalog_report_begin(struct catalog_report *r, bool json)
{
	*r = (struct catalog_report){ .json = json };
	if (!json)
		return;
	json_out_init(&r->j, &r->out);
	json_out_object(&r->j);
	json_out_key(&r->j, "changes");
	json_out_array(&r->j);
}

static void put_clean(struct buf *b, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool control = (unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f;

		(void)buf_append(b, control ? "?" : s.p + i, 1);
	}
}

void catalog_report_add(struct catalog_report *r, const char *change, struct span server, struct span tool,
			const char *detail)
{
	r->n++;
	if (r->json) {
		json_out_object(&r->j);
		json_out_member_str(&r->j, "change", change);
		json_out_member_span(&r->j, "server", server);
		if (tool.p)
			json_out_member_span(&r->j, "tool", tool);
		if (detail[0])
			json_out_member_str(&r->j, "detail", detail);
		json_out_object_end(&r->j);
		return;
	}
	(void)buf_printf(&r->out, "%-9s", change);
	put_clean(&r->out, server);
	if (tool.p) {
		(void)buf_append_str(&r->out, "/");
		put_clean(&r->out, tool);
	}
	if (detail[0]) {
		(void)buf_append_str(&r->out, ": ");
		put_clean(&r->out, span_of(detail));
	}
	(void)buf_append_str(&r->out, "\n");
}

int catalog_report_end(struct catalog_report *r, const char *const *members)
{
	int e = 0;

	if (r->json)
		json_out_array_end(&r->j);
	for (; members && members[0]; members += 2) {
		if (r->json) {
			json_out_member_str(&r->j, members[0], members[1]);
		} else {
			(void)buf_printf(&r->out, "%-9s", members[0]);
			put_clean(&r->out, span_of(members[1]));
			(void)buf_append_str(&r->out, "\n");
		}
	}
	if (r->json) {
		json_out_object_end(&r->j);
		e = json_out_end(&r->j);
		(void)buf_append_str(&r->out, "\n");
	}
	if (e == 0 && buf_len(&r->out) &&
	    fwrite(r->out.data + r->out.start, buf_len(&r->out), 1, stdout) != 1)
		e = -EIO;
	buf_done(&r->out);
	return e;
}
