// SPDX-License-Identifier: Apache-2.0
/*
 * The commands that ask the running daemon about itself: status, agents, sessions, reload, release.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/attest.h"
#include "user/cli/control_client.h"

#define PROVIDERS_MAX 16

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

static long long number(const json_t *object, const char *member)
{
	return (long long)json_integer_value(json_object_get(object, member));
}

/* Colour for eyes only: never in a file or a pipe, nor where NO_COLOR forbids it. */
static const char *colour(const char *code)
{
	static int wanted = -1;

	if (wanted < 0)
		wanted = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	return wanted ? code : "";
}

#define RED "\033[1;31m"
#define GREEN "\033[1;32m"
#define PLAIN "\033[0m"

static void print_health(const json_t *j)
{
	bool healthy = json_is_true(json_object_get(j, "healthy"));
	const json_t *problem;
	size_t i;

	printf("%s: %s%s%s, since %.19s\n", cli_text(j, "node", "?"), colour(healthy ? GREEN : RED),
	       healthy ? "healthy" : "NOT HEALTHY", colour(PLAIN), cli_text(j, "started", "?"));
	json_array_foreach(json_object_get(j, "problems"), i, problem)
		printf("  %s!%s %s\n", colour(RED), colour(PLAIN), json_string_value(problem));
	json_array_foreach(json_object_get(j, "warnings"), i, problem)
		printf("  note: %s\n", json_string_value(problem));
}

static void print_epoch(const json_t *j)
{
	const json_t *log = json_object_get(j, "log");

	printf("mode         policy %s, enforcement %s, durability %s\n", cli_text(j, "mode", "?"),
	       cli_text(j, "enforcement", "?"), cli_text(j, "durability", "?"));
	printf("policy       %s, epoch %lld\n", cli_text(j, "policy_hash", "?"), number(j, "epoch"));
	printf("catalog      %s, %lld servers, %lld tools\n", cli_text(j, "catalog_hash", "?"),
	       number(j, "catalog_servers"), number(j, "catalog_tools"));
	if (json_is_object(log))
		printf("log          %lld records, %lld on disk, %lld signed%s%s\n", number(log, "records"),
		       number(log, "synced"), number(log, "signed"),
		       cli_text(log, "error", NULL) ? ", ERROR: " : "", cli_text(log, "error", ""));
	else
		printf("log          no answer from the notary\n");
	printf("log key      %s\n", cli_text(log, "public_key", "?"));
	printf("evidence     records say %s; %s found here%s\n", cli_text(j, "attestation", "?"),
	       cli_text(j, "evidence_provider", "?"),
	       strcmp(cli_text(j, "evidence_class", "software-only"), "software-only") == 0 ? "" :
	       ": tollgate attest evidence");
}

static void print_traffic(const json_t *j)
{
	const json_t *m = json_object_get(j, "messages"), *k = json_object_get(j, "kernel_counters"), *a;
	size_t i;

	printf("sessions     %lld open\n", number(j, "sessions"));
	printf("messages     %lld judged, %lld denied, %lld not recorded; "
	       "in the last %lld s %lld judged, %lld denied\n",
	       number(m, "judged"), number(m, "denied"), number(m, "unrecorded"), number(m, "lately_seconds"),
	       number(m, "lately_judged"), number(m, "lately_denied"));
	printf("kernel       %lld connections steered, %lld execs held, %lld killed; "
	       "events lost %lld, missing %lld\n",
	       number(k, "connect_steered"), number(k, "exec_stopped"), number(k, "exec_killed"),
	       number(j, "events_lost"), number(j, "events_missing"));
	printf("agents\n");
	json_array_foreach(json_object_get(j, "agents"), i, a)
		printf("  %-20s %-9s %lld processes\n", cli_text(a, "name", "?"), cli_text(a, "state", "?"),
		       number(a, "processes"));
	if (i == 0)
		printf("  none configured: nothing is guarded\n");
}

static void print_rows(const json_t *j)
{
	const json_t *row;
	size_t i;

	printf("enforced here\n");
	json_array_foreach(json_object_get(j, "rows"), i, row)
		printf("  %-8s %-24s %s\n", cli_text(row, "state", "?"), cli_text(row, "row", "?"),
		       cli_text(row, "text", ""));
}

#define RECENT_SHOWN 5 /* the rest with --json: one screen is one screen */

static void print_recent(const json_t *j)
{
	const json_t *r;
	size_t i;

	printf("lately\n");
	json_array_foreach(json_object_get(j, "recent"), i, r)
		if (i < RECENT_SHOWN)
			printf("  %.19s  %-16s %s\n", cli_text(r, "time", "?"), cli_text(r, "kind", "?"),
			       cli_text(r, "text", ""));
}

/* What could stand behind this node's statements is a fact of the machine, so it is looked for here. */
static void add_evidence(json_t *j)
{
	struct attest_found found[PROVIDERS_MAX];
	unsigned n = attest_detect(&(struct attest_config){ 0 }, found, PROVIDERS_MAX);

	for (unsigned i = 0; i < n && i < PROVIDERS_MAX; i++)
		if (found[i].used) {
			(void)json_object_set_new(j, "evidence_provider", json_string(found[i].name));
			(void)json_object_set_new(j, "evidence_class",
						  json_string(attest_class_text(found[i].class)));
		}
}

static void print_status(const json_t *j)
{
	print_health(j);
	print_epoch(j);
	print_traffic(j);
	print_rows(j);
	print_recent(j);
}

int cli_status(struct cli *c, int argc, char **argv)
{
	static const char text[] = "usage: tollgate status [--json]\n"
				   "Says whether this node is healthy and enforces, under which policy and catalog,\n"
				   "what passed, and what went wrong lately. Exit status 0: healthy; 1: not.\n";
	json_t *j;
	int r;

	if (cli_wants_help(argc, argv))
		return help(text);
	if (argc != 1)
		return usage(text);
	r = control_ask(c, "status", &j);
	if (r != CLI_OK)
		return r;
	add_evidence(j);
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
