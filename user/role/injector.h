/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_INJECTOR_H
#define TOLLGATE_INJECTOR_H

/* The injector role's life: one takeover, then the end. Returns the exit status. */
int injector_run(void);

#endif
