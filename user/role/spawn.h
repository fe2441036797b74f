/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SPAWN_H
#define TOLLGATE_SPAWN_H

#include <sys/types.h>

#include "user/role/sandbox.h"

/* Starts this program again as a role, with its channel at ROLE_CHANNEL_FD and nothing else open but
 * standard error: fresh address space, close-on-exec everywhere, SIGKILL when the keeper dies.
 * channel is borrowed. config is passed on to the supervisor only (NULL otherwise). The pid or -errno. */
pid_t spawn_role(enum role role, unsigned index, int channel, const char *config);

const char *role_name(enum role role);
/* The role of that name, or -EINVAL. */
int role_of_name(const char *name);

#endif
