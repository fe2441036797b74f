// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate(1): a table of commands, one file each in user/cli.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/cli.h"
#include "user/cli/control_client.h"
#include "user/conf/conf.h"
#include "user/main/version.h"

static const struct {
	const char *name;
	int (*run)(struct cli *c, int argc, char **argv);
	const char *text;
	bool offline; /* needs its files alone: a configuration that cannot be read is no obstacle */
} commands[] = {
	{ "status", cli_status, "does this node enforce, and what", false },
	{ "doctor", cli_doctor, "what this kernel and machine offer, and what is open", true },
	{ "agents", cli_agents, "configured agents and their processes", false },
	{ "sessions", cli_sessions, "open MCP conversations", false },
	{ "run", cli_run, "run a command inside an agent's scope", false },
	{ "policy", cli_policy, "check, format and translate policies", true },
	{ "catalog", cli_catalog, "scan, pin and compare tool catalogs", true },
	{ "audit", cli_audit, "read the log, take proofs away", true },
	{ "attest", cli_attest, "what hardware stands behind a node; verify evidence, offline", true },
	{ "verify", cli_verify, "verify a log or a proof, offline", true },
	{ "reload", cli_reload, "read policy and catalog again", false },
	{ "rotate-key", cli_rotate_key, "another log key, for which the old one signs", false },
	{ "release", cli_release, "end enforcement", false },
};

static void print_usage(FILE *f)
{
	fputs("usage: tollgate [--config FILE] [--json] COMMAND [ARGUMENT...]\n\ncommands:\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].text);
	fputs("\noptions:\n"
	      "  --config FILE  configuration (default " CONF_PATH ")\n"
	      "  --json         one JSON document instead of text\n"
	      "  --version      print the version\n"
	      "`tollgate COMMAND --help` explains a command; tollgate(1) explains them all.\n", f);
}

/* --json may stand anywhere before "--": it is the one option that every command has. */
static int take_json(struct cli *c, int argc, char **argv)
{
	int n = 0;
	bool take = true;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			take = false;
		if (take && strcmp(argv[i], "--json") == 0)
			c->json = true;
		else
			argv[n++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { 0 },
	};
	struct cli c = { .config = CONF_PATH, .version = TOLLGATE_VERSION };
	int o, r;

	/* The TPM's library would print its view of an error beside ours. */
	(void)setenv("TSS2_LOG", "all+NONE", 0);
	argc = take_json(&c, argc, argv);
	while ((o = getopt_long(argc, argv, "+c:hV", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			c.config = optarg;
			break;
		case 'h':
			print_usage(stdout);
			return CLI_OK;
		case 'V':
			puts("tollgate " TOLLGATE_VERSION);
			return CLI_OK;
		default:
			print_usage(stderr);
			return CLI_USAGE;
		}
	}
	for (size_t i = 0; optind < argc && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[optind], commands[i].name) == 0) {
			r = commands[i].offline ? CLI_OK : cli_find_sockets(&c);
			return r != CLI_OK ? r : commands[i].run(&c, argc - optind, argv + optind);
		}
	if (optind < argc)
		fprintf(stderr, "tollgate: unknown command '%s'\n", argv[optind]);
	print_usage(stderr);
	return CLI_USAGE;
}
