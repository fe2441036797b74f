// SPDX-License-Identifier: Apache-2.0
/*
 * The commands that ask the running daemon about itself: status, agents, sessions, reload, release.
 */
#include <stdio.h>
#include <string.h>

#include "user/cli/control_client.h"

static int usage(const char *text)
{
	fputs(text, stderr);
	return CLI_USAGE;
}

static int help(const char *text)
{
	fputs(text, stdout);
	return CLI_OK;
}

static void print_rows(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		printf("  %-8s %-24s %s\n", cli_text(row, "state", "?"), cli_text(row, "row", "?"),
		       cli_text(row, "text", ""));
}

static void print_status(const json_t *j)
{
	const json_t *log = json_object_get(j, "log"), *agent;
	size_t i;

	printf("%s: %s, policy mode %s, durability %s, claims %s\n", cli_text(j, "node", "?"),
	       cli_text(j, "enforcement", "?"), cli_text(j, "mode", "?"),
	       cli_text(j, "durability", "?"), cli_text(j, "attestation", "?"));
	printf("policy   %s (epoch %lld)\n", cli_text(j, "policy_hash", "?"),
	       (long long)json_integer_value(json_object_get(j, "epoch")));
	printf("catalog  %s\n", cli_text(j, "catalog_hash", "?"));
	printf("records  %lld, key %s\n",
	       (long long)json_integer_value(json_object_get(log, "records")),
	       cli_text(log, "public_key", "?"));
	printf("agents:\n");
	json_array_foreach(json_object_get(j, "agents"), i, agent)
		printf("  %-20s %s\n", cli_text(agent, "name", "?"), cli_text(agent, "state", "?"));
	printf("enforced here:\n");
	print_rows(json_object_get(j, "rows"));
}

int cli_status(struct cli *c, int argc, char **argv)
{
	static const char text[] = "usage: tollgate status [--json]\n"
				   "Says whether this node enforces, under which policy and catalog.\n";
	json_t *j;
	int r;

	if (cli_wants_help(argc, argv))
		return help(text);
	if (argc != 1)
		return usage(text);
	r = control_ask(c, "status", &j);
	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else
		print_status(j);
	r = json_is_true(json_object_get(j, "healthy")) ? CLI_OK : CLI_FAILED;
	json_decref(j);
	return r;
}

static int list(struct cli *c, const char *request, const char *member,
		void (*print)(const json_t *row))
{
	const json_t *row;
	json_t *j;
	size_t i;
	int r = control_ask(c, request, &j);

	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else
		json_array_foreach(json_object_get(j, member), i, row)
			print(row);
	json_decref(j);
	return CLI_OK;
}

static void print_agent(const json_t *a)
{
	printf("%-20s %-9s pids %-4lld %s\n", cli_text(a, "name", "?"), cli_text(a, "state", "?"),
	       (long long)json_integer_value(json_object_get(a, "processes")),
	       cli_text(a, "selector", ""));
}

int cli_agents(struct cli *c, int argc, char **argv)
{
	static const char text[] = "usage: tollgate agents [--json]\n"
				   "Lists the configured agents and whether processes of theirs run in scope.\n";

	if (cli_wants_help(argc, argv))
		return help(text);
	return argc == 1 ? list(c, "agents", "agents", print_agent) : usage(text);
}

static void print_session(const json_t *s)
{
	printf("%s %-16s %-20s %-6s calls %lld denied %lld\n", cli_text(s, "session", "?"),
	       cli_text(s, "agent", "?"), cli_text(s, "server", "?"), cli_text(s, "transport", "?"),
	       (long long)json_integer_value(json_object_get(s, "calls")),
	       (long long)json_integer_value(json_object_get(s, "denied")));
}

int cli_sessions(struct cli *c, int argc, char **argv)
{
	static const char text[] = "usage: tollgate sessions [--json]\n"
				   "Lists the MCP conversations that are open now.\n";

	if (cli_wants_help(argc, argv))
		return help(text);
	return argc == 1 ? list(c, "sessions", "sessions", print_session) : usage(text);
}

static int order(struct cli *c, const char *request)
{
	json_t *j;
	int r = control_ask(c, request, &j);

	if (r != CLI_OK)
		return r;
	if (c->json)
		cli_print_json(j);
	else
		printf("%s\n", cli_text(j, "done", "done"));
	json_decref(j);
	return CLI_OK;
}

int cli_reload(struct cli *c, int argc, char **argv)
{
	static const char text[] = "usage: tollgate reload [--json]\n"
				   "Reads policy and catalog again. A bad file changes nothing and is named.\n";

	if (cli_wants_help(argc, argv))
		return help(text);
	return argc == 1 ? order(c, "reload") : usage(text);
}

int cli_rotate_key(struct cli *c, int argc, char **argv)
{
	static const char text[] =
		"usage: tollgate rotate-key [--json]\n"
		"Makes another log key. The one in force signs for it, so who trusts it can follow; `tollgate verify\n"
		"log` does. Needs a key that is sealed to a TPM: any other is new at each boot.\n";

	if (cli_wants_help(argc, argv))
		return help(text);
	return argc == 1 ? order(c, "rotate-key") : usage(text);
}

int cli_release(struct cli *c, int argc, char **argv)
{
	static const char text[] =
		"usage: tollgate release [--force] [--json]\n"
		"Ends enforcement: signs a record, hands agents back, removes every kernel program.\n"
		"--force is needed while the node enforces.\n";
	bool force = argc == 2 && strcmp(argv[1], "--force") == 0;

	if (cli_wants_help(argc, argv))
		return help(text);
	if (argc != 1 && !force)
		return usage(text);
	return order(c, force ? "release force" : "release");
}
