// SPDX-License-Identifier: Apache-2.0
/*
 * `tollgate catalog`: what servers offer becomes what agents may see.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/cli/catalog_args.h"
#include "user/cli/catalog_report.h"
#include "user/cli/cli.h"
#include "user/mcp/catalog.h"

#define TIMEOUT_DEFAULT_S 60

static const char usage_text[] =
	"usage: tollgate catalog scan [OPTION...] -- COMMAND [ARGUMENT...]\n"
	"       tollgate catalog scan [OPTION...] --url URL [--pid PID]\n"
	"       tollgate catalog pin  [OPTION...] (--all | --tool TOOL...) (-- COMMAND... | --url URL)\n"
	"       tollgate catalog diff [OPTION...] (FILE2 | -- COMMAND... | --url URL)\n"
	"       tollgate catalog measure [-o FILE] --entry SERVER [--path PATH]... [--check]\n"
	"       tollgate catalog measure [--path PATH]... -- COMMAND [ARGUMENT...]\n"
	"       tollgate catalog hash [-o FILE]\n"
	"scan adds the tools of a server to the catalog; pin approves changed ones anew;\n"
	"diff tells what a server, or another catalog, has otherwise (status 1 when anything);\n"
	"measure writes what a stdio server is made of into its entries.\n"
	"  -o FILE             the catalog (default catalog.json); its pins are beside it\n"
	"  --name NAME         the server's name in the catalog (default: what it calls itself)\n"
	"  --approved-by WHO   who answers for the entries (default: you)\n"
	"  --accept-server     pin: also approve that the server's program or place has changed\n"
	"  --entry SERVER      measure: the server whose entries are measured\n"
	"  --path PATH         measure: a file or directory that belongs to the server too\n"
	"  --check             measure: compare with the catalog, write nothing (status 1 when it differs)\n"
	"  --pid PID           the process behind a loopback URL\n"
	"  --timeout SECONDS   per answer of the server (default 60)\n";

int catalog_complain(const char *what, const char *why)
{
	fprintf(stderr, "tollgate: catalog %s: %s\n", what, why);
	return CLI_FAILED;
}

static int take_option(struct catalog_args *a, int o)
{
	char *end;
	long v;

	switch (o) {
	case 'o':
		a->file = optarg;
		return 0;
	case 'n':
		a->name = optarg;
		return 0;
	case 'b':
		a->approved_by = optarg;
		return 0;
	case 'u':
		a->target.url = optarg;
		return 0;
	case 'a':
		a->all = true;
		return 0;
	case 's':
		a->accept_server = true;
		return 0;
	case 'e':
		a->entry = optarg;
		return 0;
	case 'c':
		a->check = true;
		return 0;
	case 'P':
		if (a->path_n == CATALOG_PATHS_NAMED_MAX)
			return -EINVAL;
		a->path[a->path_n++] = optarg;
		return 0;
	case 't':
		if (a->tool_n == CATALOG_TOOLS_NAMED_MAX)
			return -EINVAL;
		a->tool[a->tool_n++] = optarg;
		return 0;
	case 'p':
	case 'T':
		errno = 0;
		v = strtol(optarg, &end, 10);
		if (errno || *end || v <= 0 || v > (o == 'T' ? 86400 : INT_MAX))
			return -EINVAL;
		if (o == 'T')
			a->target.timeout_s = (unsigned)v;
		else
			a->target.pid = (pid_t)v;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The words after the verb; what follows "--" is the command. */
static int take_args(int argc, char **argv, struct catalog_args *a)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "catalog", required_argument, NULL, 'o' },
		{ "entry", required_argument, NULL, 'e' },
		{ "path", required_argument, NULL, 'P' },
		{ "check", no_argument, NULL, 'c' },
		{ "name", required_argument, NULL, 'n' },
		{ "approved-by", required_argument, NULL, 'b' },
		{ "url", required_argument, NULL, 'u' },
		{ "pid", required_argument, NULL, 'p' },
		{ "timeout", required_argument, NULL, 'T' },
		{ "tool", required_argument, NULL, 't' },
		{ "all", no_argument, NULL, 'a' },
		{ "accept-server", no_argument, NULL, 's' },
		{ 0 },
	};
	int words = 1, o;

	while (words < argc && strcmp(argv[words], "--") != 0)
		words++;
	if (words + 1 < argc)
		a->target.argv = argv + words + 1;
	optind = 0;
	while ((o = getopt_long(words, argv, "o:", options, NULL)) != -1)
		if (take_option(a, o) < 0)
			return -EINVAL;
	if (optind < words)
		a->other = argv[optind++];
	return optind < words || (a->target.argv && a->target.url) ? -EINVAL : 0;
}

static int run_hash(const struct catalog_args *a)
{
	char err[CATALOG_ERROR_MAX], hash[SHA256_PREFIXED_SIZE], pins[SHA256_PREFIXED_SIZE], tools[16];
	static const uint8_t none[SHA256_SIZE];
	struct catalog_report rep;
	struct catalog *c;
	bool pinned;

	if (catalog_load(a->other ? a->other : a->file, NULL, &c, err) < 0)
		return catalog_complain("hash", err);
	pinned = memcmp(catalog_pins_hash(c), none, sizeof(none)) != 0;
	sha256_prefixed(catalog_hash(c), hash);
	sha256_prefixed(catalog_pins_hash(c), pins);
	snprintf(tools, sizeof(tools), "%u", catalog_tool_count(c));
	catalog_free(c);
	catalog_report_begin(&rep, a->json);
	return catalog_report_end(&rep, (const char *const[]){ "hash", hash, "pins", pinned ? pins : "none",
							       "tools", tools, NULL }) < 0 ?
		       CLI_FAILED : CLI_OK;
}

int cli_catalog(struct cli *c, int argc, char **argv)
{
	struct catalog_args a = { .file = "catalog.json", .json = c->json, .target.timeout_s = TIMEOUT_DEFAULT_S };
	const char *verb = argc > 1 ? argv[1] : "";
	int r = CLI_USAGE;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage_text, stdout);
			return CLI_OK;
		}
	if (argc > 1 && take_args(argc - 1, argv + 1, &a) == 0) {
		if (strcmp(verb, "scan") == 0)
			r = catalog_scan(&a, false);
		else if (strcmp(verb, "pin") == 0)
			r = catalog_scan(&a, true);
		else if (strcmp(verb, "diff") == 0)
			r = catalog_diff(&a);
		else if (strcmp(verb, "measure") == 0)
			r = catalog_measure(&a);
		else if (strcmp(verb, "hash") == 0)
			r = run_hash(&a);
	}
	if (r == CLI_USAGE)
		fputs(usage_text, stderr);
	return r;
}
