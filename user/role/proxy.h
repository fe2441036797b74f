/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PROXY_H
#define TOLLGATE_PROXY_H

/* The proxy role's life, from its channel to the end. Returns the exit status. */
int proxy_run(void);

#endif
