// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit: what the log says, asked over the audit socket. Texts are shown as they stand in the
 * records, percent-escaped: a name that an agent chose cannot drive the terminal.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_claims.h"
#include "user/cli/audit_client.h"
#include "user/cli/control_client.h"
#include "user/cli/verifier.h"

#define FOLLOW_NS 300000000L

static const char usage_text[] =
	"usage: tollgate audit tail [-n COUNT] [-f] [FILTER...]\n"
	"       tollgate audit query [FILTER...] [--since TIME] [--after LEAF] [--limit COUNT]\n"
	"       tollgate audit prove LEAF [-o FILE]\n"
	"       tollgate audit prove --disclose LEAF FIELD[=FILE]... [-o FILE]\n"
	"\n"
	"filters: --agent NAME  --session ID  --tool NAME  --decision WORD  --type WORD\n"
	"TIME is ISO 8601 or seconds since 1970. LEAF is a record's number in the log.\n"
	"prove writes a receipt that `tollgate verify proof` checks offline.\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	fprintf(stderr, "\n%s", audit_claims_usage);
	return CLI_USAGE;
}

/* One record on one line: leaf, time, agent -> server, what, verdict, why. */
static void print_record(const json_t *row)
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

static void print_records(struct cli *c, const json_t *answer, bool lines)
{
	const json_t *row;
	size_t i;

	if (c->json && !lines) {
		cli_print_json(answer);
		return;
	}
	json_array_foreach(json_object_get(answer, "records"), i, row) {
		if (c->json) {
			(void)json_dumpf(row, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			print_record(row);
		}
	}
	(void)fflush(stdout);
}

/* Shows what came after the last leaf until interrupted. */
static int follow(struct cli *c, struct span filters, const json_t *first)
{
	long long last = json_integer_value(json_object_get(first, "size")) - 1;

	for (;;) {
		const struct timespec pause = { 0, FOLLOW_NS };
		_cleanup_buf_ struct buf target = { 0 };
		const json_t *got;
		char after[32];
		json_t *j;
		int r;

		(void)nanosleep(&pause, NULL);
		(void)snprintf(after, sizeof(after), "%lld", last < 0 ? 0 : last);
		if (buf_append(&target, filters.p, filters.n) < 0 || audit_param(&target, "after", after) < 0 ||
		    !buf_cstr(&target))
			return CLI_FAILED;
		r = audit_get_json(c, buf_cstr(&target), &j);
		if (r != CLI_OK)
			return r;
		print_records(c, j, true);
		got = json_object_get(j, "last");
		if (json_is_integer(got))
			last = json_integer_value(got);
		json_decref(j);
	}
}

struct options {
	struct buf target; /* request target with the filters */
	const char *count, *after, *since;
	bool follow;
};

static int parse_options(struct options *o, bool tail, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "agent", required_argument, NULL, 'a' }, { "session", required_argument, NULL, 's' },
		{ "tool", required_argument, NULL, 't' }, { "decision", required_argument, NULL, 'd' },
		{ "type", required_argument, NULL, 'y' }, { "since", required_argument, NULL, 'S' },
		{ "after", required_argument, NULL, 'A' }, { "limit", required_argument, NULL, 'n' },
		{ "follow", no_argument, NULL, 'f' }, { 0 },
	};
	int ch, at;

	optind = 0; /* also after operands, which main() does not allow */
	if (buf_append_str(&o->target, "/v1/records") < 0)
		return -1;
	while ((ch = getopt_long(argc, argv, "n:f", longs, &at)) != -1) {
		switch (ch) {
		case 'a': case 's': case 't': case 'd': case 'y':
			if (audit_param(&o->target, longs[at].name, optarg) < 0)
				return -1;
			break;
		case 'S':
			o->since = optarg;
			break;
		case 'A':
			o->after = optarg;
			break;
		case 'n':
			o->count = optarg;
			break;
		case 'f':
			o->follow = true;
			break;
		default:
			return -1;
		}
	}
	return optind == argc && (tail ? !o->since && !o->after : !o->follow) ? 0 : -1;
}

static int list(struct cli *c, bool tail, int argc, char **argv)
{
	struct options o = { .count = tail ? "20" : NULL };
	_cleanup_buf_ struct buf target = { 0 };
	json_t *j;
	int r;

	if (parse_options(&o, tail, argc, argv) < 0) {
		buf_done(&o.target);
		return usage();
	}
	r = buf_append(&target, buf_span(&o.target).p, buf_len(&o.target));
	if (r == 0 && o.count)
		r = audit_param(&target, "limit", o.count);
	if (r == 0 && o.since)
		r = audit_param(&target, "since", o.since);
	if (r == 0 && o.after)
		r = audit_param(&target, "after", o.after);
	if (r == 0 && buf_cstr(&target))
		r = audit_get_json(c, buf_cstr(&target), &j);
	else
		r = CLI_FAILED;
	if (r == CLI_OK) {
		print_records(c, j, o.follow);
		if (o.follow)
			r = follow(c, buf_span(&o.target), j);
		json_decref(j);
	}
	buf_done(&o.target);
	return r;
}

static int prove(struct cli *c, int argc, char **argv)
{
	_cleanup_buf_ struct buf target = { 0 }, body = { 0 };
	const char *out = NULL;
	int ch, r;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt(argc, argv, "o:")) != -1) {
		if (ch != 'o')
			return usage();
		out = optarg;
	}
	if (optind + 1 != argc)
		return usage();
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
	if (r < 0) {
		fprintf(stderr, "tollgate: write %s: %s\n", out, err_text(r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

int cli_audit(struct cli *c, int argc, char **argv)
{
	if (cli_wants_help(argc, argv)) {
		printf("%s\n%s", usage_text, audit_claims_usage);
		return CLI_OK;
	}
	if (argc >= 2 && strcmp(argv[1], "tail") == 0)
		return list(c, true, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "query") == 0)
		return list(c, false, argc - 1, argv + 1);
	if (argc >= 3 && strcmp(argv[1], "prove") == 0 && strcmp(argv[2], "--disclose") == 0)
		return audit_disclose(c, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "prove") == 0)
		return prove(c, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "claims") == 0)
		return audit_claims(c, argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "export") == 0)
		return audit_export(c, argc - 1, argv + 1);
	return usage();
}
