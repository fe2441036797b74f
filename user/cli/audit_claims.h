/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AUDIT_CLAIMS_H
#define TOLLGATE_AUDIT_CLAIMS_H

#include "user/cli/cli.h"

/* `tollgate audit claims` and `tollgate audit export`; argv[0] is the verb. An exit status, after a message. */
int audit_claims(struct cli *c, int argc, char **argv);
int audit_export(struct cli *c, int argc, char **argv);
extern const char audit_claims_usage[];

#endif
