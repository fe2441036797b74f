/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEEPER_H
#define TOLLGATE_KEEPER_H

/* The keeper's life: takes over what the table leaves to it (estate.h), or, when table is -1, starts the supervisor
 * with the configuration at config; starts and restarts the roles that the supervisor asks for, holds the descriptors
 * it is given, passes SIGHUP on, becomes the program that now has its name on SIGUSR2, and closes everything in order
 * on SIGTERM or SIGINT. Returns the exit status of the program. */
int keeper_run(const char *config, int table);

#endif
