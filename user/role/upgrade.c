// SPDX-License-Identifier: Apache-2.0
/*
 * How the keeper becomes another program. Runs in the keeper, whose every error here leaves it what it was.
 */
#include "user/role/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"

int upgrade_init(struct upgrade *u)
{
	ssize_t n = readlink("/proc/self/exe", u->path, sizeof(u->path) - 1);

	if (n < 0)
		return -errno;
	if ((size_t)n >= sizeof(u->path) - 1)
		return -ENAMETOOLONG;
	u->path[n] = '\0';
	return 0;
}

/* NULL, or why this may not be executed as root. Whoever can write to a folder above it is root already. */
static const char *refusal(const struct upgrade *u)
{
	struct stat st;

	if (stat(u->path, &st) < 0)
		return err_text(errno);
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 022))
		return "it is not root's alone";
	return NULL;
}

void upgrade_ask(struct upgrade *u, const char *config)
{
	char layout[SHA256_HEX_SIZE];
	const char *argv[] = { "tollgated", "--check", "--config", config, "--takes-over", layout, NULL };
	const char *why = refusal(u);
	sigset_t none;
	pid_t pid;

	if (why) {
		log_err(0, "become %s: %s", u->path, why);
		return;
	}
	estate_layout(layout);
	pid = fork();
	if (pid == 0) {
		sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		execv(u->path, (char *const *)argv);
		_exit(127);
	}
	if (pid < 0)
		log_err(-errno, "ask %s: %s", u->path, err_text(errno));
	else
		u->asked = pid;
}

/* All or none: what stays open by mistake would be a stranger's to every role. */
static int close_at_exec(const struct estate *h, int table, int flag)
{
	int r = fcntl(table, F_SETFD, flag);

	for (unsigned i = 0; i < h->nchildren && r == 0; i++)
		if (h->children[i].pid)
			r = fcntl(h->children[i].fd, F_SETFD, flag);
	for (unsigned i = 0; i < h->kept.n && r == 0; i++)
		r = fcntl(h->kept.v[i].fd, F_SETFD, flag);
	return r < 0 ? -errno : 0;
}

const char *upgrade_become(struct upgrade *u, const char *config)
{
	_cleanup_close_ int table = estate_write(&u->table);
	char number[16];
	const char *argv[] = { "tollgated", "--config", config, "--table", number, NULL };
	const char *why = refusal(u);
	int r;

	if (why)
		return why;
	if (table < 0)
		return err_text(table);
	(void)snprintf(number, sizeof(number), "%d", table);
	r = close_at_exec(&u->table, table, 0);
	if (r == 0) {
		execv(u->path, (char *const *)argv);
		r = -errno;
	}
	(void)close_at_exec(&u->table, table, FD_CLOEXEC);
	return err_text(r);
}

bool upgrade_answer(const char *layout)
{
	char ours[SHA256_HEX_SIZE];

	estate_layout(ours);
	return strcmp(layout, ours) == 0;
}
