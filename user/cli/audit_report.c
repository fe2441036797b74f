// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit sessions, graph, stats: what the records add up to.
 */
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/control_client.h"

static long long number(const json_t *o, const char *name)
{
	return (long long)json_integer_value(json_object_get(o, name));
}

static void print_session(const json_t *s)
{
	printf("%s %.19sZ %s -> %s: %lld records, %lld denied%s\n", cli_text(s, "session_id", "?"),
	       cli_text(s, "last_time", "?"), cli_text(s, "agent", "-"), cli_text(s, "server", "-"),
	       number(s, "records"), number(s, "denied"), json_is_true(json_object_get(s, "ended")) ? "" : ", open");
}

static void print_edge(const json_t *e)
{
	printf("%s -> %s %s: %lld records, %lld denied, leaves %lld to %lld\n", cli_text(e, "agent", "-"),
	       cli_text(e, "server", "-"), cli_text(e, "tool", "-"), number(e, "records"), number(e, "denied"),
	       number(e, "first_leaf"), number(e, "last_leaf"));
}

static void print_statistics(const json_t *j)
{
	static const char *const members[] = { "decision", "type", "agent", "server", "tool" };
	const json_t *row;
	size_t k;

	printf("%lld records from %.19sZ to %.19sZ, %lld sessions (%lld open)\n", number(j, "records"),
	       cli_text(j, "first_time", "-"), cli_text(j, "last_time", "-"), number(j, "sessions"),
	       number(j, "open_sessions"));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		printf("%s:\n", members[i]);
		json_array_foreach(json_object_get(j, members[i]), k, row)
			printf("%12lld %s\n", number(row, "records"), cli_text(row, "name", "?"));
	}
}

int audit_report(struct cli *c, int argc, char **argv)
{
	bool stats = strcmp(argv[0], "stats") == 0, graph = strcmp(argv[0], "graph") == 0;
	struct audit_options o = { .limit = false };
	const json_t *row;
	json_t *j = NULL;
	size_t i;
	int r = audit_options_read(&o, stats ? "/v1/statistics" : graph ? "/v1/graph" : "/v1/sessions",
				   stats ? "" : "n", argc, argv);

	if (r < 0)
		r = audit_usage();
	else
		r = buf_cstr(&o.target) ? audit_get_json(c, buf_cstr(&o.target), &j) : CLI_FAILED;
	buf_done(&o.target);
	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else if (stats)
		print_statistics(j);
	else
		json_array_foreach(json_object_get(j, graph ? "edges" : "sessions"), i, row)
			graph ? print_edge(row) : print_session(row);
	json_decref(j);
	return CLI_OK;
}
