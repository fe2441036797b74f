/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NOTARY_ROLE_H
#define TOLLGATE_NOTARY_ROLE_H

/* The notary role's life, from its channel to the end. Returns the exit status. */
int notary_run(const char *version);

#endif
