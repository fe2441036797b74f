/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_UPGRADE_H
#define TOLLGATE_UPGRADE_H

#include <stdbool.h>
#include <sys/types.h>

#include "user/role/estate.h"
#include "user/role/msg.h"

/*
 * The keeper becomes another program, in the same process, so that its children and their conversations live on. The
 * other one is asked first, in a process of its own, whether it can: whether it reads this configuration and knows
 * this layout. It is known by the path that this program was started from, and must be root's alone.
 */
struct upgrade {
	char path[PROC_PATH_MAX];
	pid_t asked; /* the process that is asked; 0: none */
	bool due; /* it said yes */
	struct estate table; /* what is left to it */
};

/* Where this program lies, before another one takes its place there. 0 or -errno. */
int upgrade_init(struct upgrade *u);

/* Asks; asked is set, or the reason logged. The process exits with status 0 if the answer is yes. */
void upgrade_ask(struct upgrade *u, const char *config);

/* Executes it with the table. Comes back only with the reason why it could not. */
const char *upgrade_become(struct upgrade *u, const char *config);

/* The answer, for --takes-over: whether a keeper of that layout may become this program. */
bool upgrade_answer(const char *layout);

#endif
