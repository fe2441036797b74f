/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_VERIFIER_H
#define TOLLGATE_CLI_VERIFIER_H

#include "user/cli/cli.h"
#include "user/notary/checkpoint.h"

/* A verifier key given as itself, or as a file that holds it. CLI_OK, or an exit status after a message. */
int cli_verifier_key(const char *arg, struct verifier_key *ret);

/* `tollgate verify disclosure FILE [FIELD=FILE]...`: argv[0] is the document. An exit status, after the verdict. */
int cli_verify_disclosure(struct cli *c, const char *key, int argc, char **argv);

/* `tollgate audit prove --disclose`: argv[0] is the verb. */
int audit_disclose(struct cli *c, int argc, char **argv);

#endif
