// SPDX-License-Identifier: Apache-2.0
/*
 * `tollgate run`: brings one command into an agent's scope by hand. The daemon enrols this very process,
 * which then becomes the command, so there is no moment in which the command runs outside.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/log.h"
#include "user/cli/control_client.h"

static const char run_usage[] =
	"usage: tollgate run [--agent NAME] [--user USER] -- COMMAND [ARGUMENT...]\n"
	"Runs a command inside the scope of a configured agent (the only one, or NAME).\n"
	"--user changes to that user after enrolment, before the command starts.\n";

int cli_run(struct cli *c, int argc, char **argv)
{
	_cleanup_buf_ struct buf request = { 0 };
	const char *agent = "-", *user = NULL;
	json_t *j;
	int i, r;

	if (cli_wants_help(argc, argv)) {
		fputs(run_usage, stdout);
		return CLI_OK;
	}
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--agent") == 0 && i + 1 < argc) {
			agent = argv[++i];
		} else if (strcmp(argv[i], "--user") == 0 && i + 1 < argc) {
			user = argv[++i];
		} else {
			fputs(run_usage, stderr);
			return CLI_USAGE;
		}
	}
	if (i + 1 >= argc || strchr(agent, ' ') || strchr(agent, '\n')) {
		fputs(run_usage, stderr);
		return CLI_USAGE;
	}
	if (buf_printf(&request, "run %s", agent) < 0 || !buf_cstr(&request))
		return CLI_FAILED;
	r = control_ask(c, buf_cstr(&request), &j);
	if (r != CLI_OK)
		return r;
	json_decref(j);
	if (user) {
		r = cli_become(user);
		if (r < 0) {
			fprintf(stderr, "tollgate: become %s: %s\n", user, err_text(r));
			return CLI_FAILED;
		}
	}
	execvp(argv[i + 1], argv + i + 1);
	fprintf(stderr, "tollgate: run %s: %s\n", argv[i + 1], err_text(errno));
	return errno == ENOENT ? 127 : 126;
}
