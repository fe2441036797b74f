/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SUPERVISOR_H
#define TOLLGATE_SUPERVISOR_H

/* The supervisor role's life, from its channel to the end. Returns the exit status of the node. */
int supervisor_run(const char *config);

/* Reads configuration, policy and catalog as a start would, says what is wrong, changes nothing. */
int supervisor_check(const char *config);

#endif
