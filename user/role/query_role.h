/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_QUERY_ROLE_H
#define TOLLGATE_QUERY_ROLE_H

/* The query role's life, from its channel to the end. Returns the exit status. */
int query_role_run(void);

#endif
