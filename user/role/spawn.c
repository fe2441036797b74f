// SPDX-License-Identifier: Apache-2.0
/*
 * Re-execution of the program as one of its roles. Runs in the keeper.
 */
#include "user/role/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/role/msg.h"

static const char *const names[] = {
	[ROLE_KEEPER] = "keeper", [ROLE_SUPERVISOR] = "supervisor", [ROLE_INJECTOR] = "injector",
	[ROLE_PROXY] = "proxy", [ROLE_NOTARY] = "notary", [ROLE_QUERY] = "query",
	[ROLE_CANARY] = "canary",
};

const char *role_name(enum role role)
{
	return (unsigned)role < ARRAY_SIZE(names) ? names[role] : "?";
}

int role_of_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -EINVAL;
}

static void __attribute__((noreturn)) become(enum role role, unsigned index, int channel,
					     const char *config, pid_t keeper)
{
	char number[16];
	const char *argv[8];
	sigset_t none;
	int n = 0;

	/* The role must not outlive the keeper unguarded; the parent may already be gone. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != keeper)
		_exit(127);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (channel == ROLE_CHANNEL_FD) {
		if (fcntl(channel, F_SETFD, 0) < 0)
			_exit(127);
	} else if (dup2(channel, ROLE_CHANNEL_FD) < 0) {
		_exit(127);
	}
	if (close_range(ROLE_CHANNEL_FD + 1, ~0U, 0) < 0)
		_exit(127);
	(void)snprintf(number, sizeof(number), "%u", index);
	argv[n++] = "tollgated";
	argv[n++] = "--role";
	argv[n++] = role_name(role);
	argv[n++] = "--index";
	argv[n++] = number;
	if (config) {
		argv[n++] = "--config";
		argv[n++] = config;
	}
	argv[n] = NULL;
	execv("/proc/self/exe", (char *const *)argv);
	_exit(127);
}

pid_t spawn_role(enum role role, unsigned index, int channel, const char *config)
{
	pid_t keeper = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		become(role, index, channel, config, keeper);
	return pid;
}
