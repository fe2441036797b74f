// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit: what the log says, and what can be carried away from it. A table of words and the
 * options that they share.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/audit_claims.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/control_client.h"
#include "user/cli/verifier.h"

static const char usage_text[] =
	"usage: tollgate audit tail [-n COUNT] [-f] [FILTER...]\n"
	"       tollgate audit query [FILTER...] [--from|--after|--before LEAF] [--limit COUNT]\n"
	"       tollgate audit export [--format jsonl|csv|ocsf] [-o FILE] [FILTER...]\n"
	"       tollgate audit sessions|graph [--agent NAME] [--session ID] [--limit COUNT]\n"
	"       tollgate audit stats\n"
	"       tollgate audit prove LEAF [--form receipt|cose] [--record FILE] [-o FILE]\n"
	"       tollgate audit prove --disclose LEAF FIELD[=FILE]... [-o FILE]\n"
	"       tollgate audit tiles DIR --log LOGDIR\n"
	"       tollgate audit witness --store DIR [--key FILE|STRING] [--checkpoint FILE [--growth FILE]]\n"
	"       tollgate audit escrow open --key FILE --escrow DIR [--log-key FILE|STRING] [-o FILE] RECEIPT\n"
	"\n"
	"filters: --agent NAME  --session ID  --server NAME  --tool NAME  --decision WORD  --type WORD\n"
	"         --since TIME  --until TIME\n"
	"TIME is ISO 8601 or seconds since 1970. LEAF is a record's number in the log.\n"
	"export   every record that fits, in order; ocsf: API Activity of OCSF, one JSON object a line.\n"
	"prove    writes a receipt that `tollgate verify proof` checks offline; a COSE receipt needs its record\n"
	"         beside it, which --record writes.\n"
	"tiles    the log as C2SP tlog-tiles, for anyone to fetch and check.\n"
	"witness  keeps signed heads in DIR, and says no to a log that has forked or been rolled back:\n"
	"         exit status 0 it grew from what DIR holds, 1 it did not, 3 that could not be judged.\n"
	"escrow   opens the payload of a record with the recipient's X25519 key, and holds it against the record;\n"
	"         exit status 3: DIR, a copy of the node's escrow folder, holds none of it.\n";

/* Is there an operand? Every option of this word has an argument of its own. */
static bool names_session(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			return true;
		if (!strchr(argv[i], '=') && !(argv[i][1] != '-' && argv[i][1] && argv[i][2]))
			i++;
	}
	return false;
}

/* Of one session what verifies alone, or records in another program's form. */
static int export(struct cli *c, int argc, char **argv)
{
	return names_session(argc, argv) ? audit_export(c, argc, argv) : audit_export_records(c, argc, argv);
}

static int prove(struct cli *c, int argc, char **argv)
{
	return argc >= 2 && strcmp(argv[1], "--disclose") == 0 ? audit_disclose(c, argc, argv) :
								 audit_prove(c, argc, argv);
}

static const struct {
	const char *name;
	int (*run)(struct cli *c, int argc, char **argv);
	bool offline; /* works on files: no configuration is needed */
} words[] = {
	{ "tail", audit_list, false },
	{ "query", audit_list, false },
	{ "export", export, false },
	{ "claims", audit_claims, false },
	{ "sessions", audit_report, false },
	{ "graph", audit_report, false },
	{ "stats", audit_report, false },
	{ "prove", prove, false },
	{ "tiles", audit_tiles, true },
	{ "witness", audit_witness, true },
	{ "escrow", audit_escrow, true },
};

int audit_usage(void)
{
	fprintf(stderr, "%s\n%s", usage_text, audit_claims_usage);
	return CLI_USAGE;
}

int audit_fail(const char *action, const char *object, const char *reason)
{
	fprintf(stderr, "tollgate: %s %s: %s\n", action, object, reason);
	return CLI_FAILED;
}

int audit_find_socket(struct cli *c)
{
	return c->audit ? CLI_OK : cli_find_sockets(c);
}

static const struct option filters[] = {
	{ "agent", required_argument, NULL, 'a' }, { "session", required_argument, NULL, 'a' },
	{ "server", required_argument, NULL, 'a' }, { "tool", required_argument, NULL, 'a' },
	{ "decision", required_argument, NULL, 'a' }, { "type", required_argument, NULL, 'a' },
	{ "since", required_argument, NULL, 'a' }, { "until", required_argument, NULL, 'a' },
	{ "from", required_argument, NULL, 'a' }, { "after", required_argument, NULL, 'a' },
	{ "before", required_argument, NULL, 'a' }, { "limit", required_argument, NULL, 'n' },
	{ "follow", no_argument, NULL, 'f' }, { "format", required_argument, NULL, 'F' },
	{ "output", required_argument, NULL, 'o' }, { 0 },
};

int audit_options_read(struct audit_options *o, const char *path, const char *allowed, int argc, char **argv)
{
	int ch, at = 0;

	optind = 0; /* also after operands, which main() does not allow */
	if (buf_append_str(&o->target, path) < 0)
		return -1;
	while ((ch = getopt_long(argc, argv, "n:fo:", filters, &at)) != -1) {
		if (ch != 'a' && !strchr(allowed, ch))
			return -1;
		switch (ch) {
		case 'a':
			if (audit_param(&o->target, filters[at].name, optarg) < 0)
				return -1;
			break;
		case 'n':
			if (o->limit || audit_param(&o->target, "limit", optarg) < 0)
				return -1;
			o->limit = true;
			break;
		case 'f':
			o->follow = true;
			break;
		case 'F':
			o->format = optarg;
			break;
		case 'o':
			o->out = optarg;
			break;
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int cli_audit(struct cli *c, int argc, char **argv)
{
	int r;

	if (cli_wants_help(argc, argv)) {
		printf("%s\n%s", usage_text, audit_claims_usage);
		return CLI_OK;
	}
	for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(words); i++)
		if (strcmp(argv[1], words[i].name) == 0) {
			r = words[i].offline ? CLI_OK : audit_find_socket(c);
			return r != CLI_OK ? r : words[i].run(c, argc - 1, argv + 1);
		}
	return audit_usage();
}
