// SPDX-License-Identifier: Apache-2.0
/*
 * tollgated(8): option table and role dispatch. Started by hand or by the service manager it is the keeper;
 * started by the keeper it is the role that --role names.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/base/log.h"
#include "user/conf/conf.h"
#include "user/main/version.h"
#include "user/role/canary.h"
#include "user/role/injector.h"
#include "user/role/keeper.h"
#include "user/role/notary_role.h"
#include "user/role/proxy.h"
#include "user/role/query_role.h"
#include "user/role/spawn.h"
#include "user/role/supervisor.h"
#include "user/role/upgrade.h"

static const char usage[] =
	"usage: tollgated [--config FILE] [--check]\n"
	"Guards the MCP traffic of the agents that the configuration names, until SIGTERM.\n"
	"  --config FILE  configuration (default " CONF_PATH ")\n"
	"  --check        read configuration, policy and catalog, say what is wrong, and exit\n"
	"  --version      print the version\n"
	"See tollgated(8) and tollgate.conf(5).\n";

static int run_role(int role, const char *config)
{
	log_setup(role_name((enum role)role), LOG_LEVEL_INFO);
	switch (role) {
	case ROLE_SUPERVISOR:
		return supervisor_run(config);
	case ROLE_INJECTOR:
		return injector_run();
	case ROLE_PROXY:
		return proxy_run();
	case ROLE_NOTARY:
		return notary_run(TOLLGATE_VERSION);
	case ROLE_QUERY:
		return query_role_run();
	case ROLE_CANARY:
		return canary_run();
	default:
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
}

int main(int argc, char **argv)
{
	enum { OPT_ROLE = 256, OPT_INDEX, OPT_CHECK, OPT_VERSION, OPT_TAKES_OVER, OPT_TABLE };
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "check", no_argument, NULL, OPT_CHECK }, { "version", no_argument, NULL, OPT_VERSION },
		{ "role", required_argument, NULL, OPT_ROLE }, { "index", required_argument, NULL, OPT_INDEX },
		{ "takes-over", required_argument, NULL, OPT_TAKES_OVER },
		{ "table", required_argument, NULL, OPT_TABLE },
		{ 0 },
	};
	const char *config = CONF_PATH, *layout = NULL;
	bool check = false;
	int o, role = -1, table = -1;

	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			config = optarg;
			break;
		case OPT_ROLE:
			role = role_of_name(optarg);
			break;
		case OPT_INDEX: /* for people who look at the list of processes */
			break;
		case OPT_CHECK:
			check = true;
			break;
		case OPT_TAKES_OVER: /* with --check: from a keeper of that layout */
			layout = optarg;
			break;
		case OPT_TABLE: /* by the keeper that becomes this program */
			table = atoi(optarg);
			break;
		case OPT_VERSION:
			puts("tollgated " TOLLGATE_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			fputs(usage, stderr);
			return EXIT_FAILURE;
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return EXIT_FAILURE;
	}
	if (role >= 0)
		return run_role(role, config);
	if (layout && !upgrade_answer(layout)) {
		fputs("tollgated: take over: the running program's roles speak otherwise: restart the service\n",
		      stderr);
		return EXIT_FAILURE;
	}
	if (check)
		return supervisor_check(config);
	if (geteuid() != 0) {
		fputs("tollgated: start: must be root to load kernel programs: run as root\n", stderr);
		return EXIT_FAILURE;
	}
	return keeper_run(config, table);
}
