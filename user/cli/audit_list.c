// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit tail, query: records as text, one a line. Texts are shown as they stand in the records,
 * percent-escaped: a name that an agent chose cannot drive the terminal.
 */
#include <stdio.h>
#include <string.h>

#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/control_client.h"

void audit_print_record(const json_t *row)
{
	const json_t *r = json_object_get(row, "record");
	const char *method, *tool, *reason;

	if (!json_is_object(r)) {
		printf("%8lld (damaged; see tollgate verify log)\n",
		       (long long)json_integer_value(json_object_get(row, "leaf")));
		return;
	}
	method = cli_text(r, "method", cli_text(r, "entry_type", "?"));
	tool = cli_text(r, "tool_name", NULL);
	reason = cli_text(r, "reason", NULL);
	printf("%8lld %.23sZ %-13s %s -> %s %s%s%s%s%s%s\n",
	       (long long)json_integer_value(json_object_get(row, "leaf")),
	       cli_text(r, "timestamp_utc", "?"), cli_text(r, "policy_decision", "?"),
	       cli_text(r, "agent", "-"), cli_text(r, "server_identity", "-"), method, tool ? " " : "",
	       tool ? tool : "", reason ? " (" : "", reason ? reason : "", reason ? ")" : "");
}

/* An empty line only asks whether we still read. */
static int print_line(void *arg, struct span line)
{
	const struct cli *c = arg;
	json_t *row;

	if (line.n == 0)
		return 0;
	if (c->json) {
		(void)fwrite(line.p, 1, line.n, stdout);
		(void)putchar('\n');
	} else {
		row = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, NULL);
		if (!row)
			return audit_fail("read", "the stream of records", "a line is not JSON");
		audit_print_record(row);
		json_decref(row);
	}
	return fflush(stdout) == 0 ? 0 : CLI_FAILED;
}

static int show(struct cli *c, const char *target)
{
	const json_t *row;
	json_t *j;
	size_t i;
	int r = audit_get_json(c, target, &j);

	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else
		json_array_foreach(json_object_get(j, "records"), i, row)
			audit_print_record(row);
	json_decref(j);
	return CLI_OK;
}

int audit_list(struct cli *c, int argc, char **argv)
{
	bool tail = strcmp(argv[0], "tail") == 0;
	struct audit_options o = { .limit = false };
	int r = audit_options_read(&o, "/v1/records", tail ? "nf" : "n", argc, argv);

	if (r < 0) {
		r = audit_usage();
	} else if ((tail && !o.limit && audit_param(&o.target, "limit", "20") < 0) ||
		   (o.follow && audit_param(&o.target, "follow", "1") < 0) || !buf_cstr(&o.target)) {
		r = CLI_FAILED;
	} else {
		r = o.follow ? audit_stream(c, buf_cstr(&o.target), print_line, c) :
			       show(c, buf_cstr(&o.target));
	}
	buf_done(&o.target);
	return r;
}
