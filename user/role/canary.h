/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CANARY_H
#define TOLLGATE_CANARY_H

/* The canary's life: in a scope of its own, it connects where it is told to and says what came of it; the supervisor
 * (sup_canary.c) knows what should have. Returns the role's exit status. */
int canary_run(void);

#endif
