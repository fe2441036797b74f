// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate policy: checks and rewrites Cedar policy files before they are used. Works on files only;
 * asks no daemon.
 */
#include <stdio.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/cli/policy_cmd.h"

static const char usage_text[] =
	"usage: tollgate policy check [--catalog FILE | --schema FILE] [--level N] FILE... [--json]\n"
	"       tollgate policy explain --catalog FILE --tests FILE [--test NAME] FILE... [--json]\n"
	"       tollgate policy format [--check] [--width N] FILE... [--json]\n"
	"       tollgate policy hash [FILE... | --bundle DIR [--verify-key KEY]] [--json]\n"
	"       tollgate policy schema --catalog FILE [--json]\n"
	"       tollgate policy sign --bundle DIR --key FILE [--json]\n"
	"       tollgate policy test --catalog FILE --tests FILE FILE... [--json]\n"
	"       tollgate policy test --dialect cmcp --bundle DIR --tests FILE [--json]\n"
	"       tollgate policy translate --to json|cedar FILE [--json]\n"
	"\n"
	"check      parses the files as one policy set and explains every error with its place, the\n"
	"           line, and a mark below it. --catalog also validates them as the daemon does,\n"
	"           --schema against another Cedar schema (text or JSON); --level lets them look at\n"
	"           most N entities away.\n"
	"explain    says why the requests of a file, or the one of that name, are allowed or denied: the\n"
	"           policies that decided, and of the others what first did not hold, with its values.\n"
	"format     lays the files out anew, in place; \"-\" is standard input, written to standard\n"
	"           output. Comments stay, and so does the meaning.\n"
	"           --check only names the files that would change; --width is 80 unless given.\n"
	"hash       prints the hash by which records name these policies, or those of the configuration;\n"
	"           --bundle: that of a cMCP policy bundle, whose signature --verify-key also checks\n"
	"           (hex, base64url or a PEM file).\n"
	"schema     prints the Cedar schema that a catalog gives policies; --json in its JSON form.\n"
	"sign       signs a cMCP policy bundle with an Ed25519 key in PEM; the signature goes into its\n"
	"           manifest.json.\n"
	"test       puts the requests of a file to the policies and compares the decisions with what\n"
	"           the file expects: tollgate-policy(7) has the format. --dialect cmcp: to a bundle\n"
	"           that was written for the cMCP runtime, as it would.\n"
	"translate  writes the policies of a file in the other form to standard output.\n"
	"Exit status: 0 no errors (format --check: and nothing to change), 1 errors or failed tests, 2 usage.\n";

static const struct {
	const char *name;
	int (*run)(struct cli *cli, int n, char **words);
} commands[] = {
	{ "check", policy_check },
	{ "explain", policy_explain },
	{ "format", policy_format },
	{ "hash", policy_hash },
	{ "schema", policy_schema },
	{ "sign", policy_sign },
	{ "test", policy_test },
	{ "translate", policy_translate },
};

int policy_usage(void)
{
	fputs(usage_text, stderr);
	return CLI_USAGE;
}

int cli_policy(struct cli *c, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			fputs(usage_text, stdout);
			return CLI_OK;
		}
	}
	for (size_t i = 0; argc >= 2 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(c, argc - 2, argv + 2);
	}
	return policy_usage();
}
