/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_CMD_H
#define TOLLGATE_CLI_POLICY_CMD_H

#include "user/cli/cli.h"

/* The commands of `tollgate policy`, one file each: the words behind the command's own, of which they
 * may move some. They print their own messages and return an exit status. */
int policy_check(struct cli *cli, int n, char **words);
int policy_explain(struct cli *cli, int n, char **words);
int policy_format(struct cli *cli, int n, char **words);
int policy_hash(struct cli *cli, int n, char **words);
int policy_schema(struct cli *cli, int n, char **words);
int policy_sign(struct cli *cli, int n, char **words);
int policy_test(struct cli *cli, int n, char **words);
int policy_test_dialect(struct cli *cli, int n, char **words); /* `test` with --dialect */
int policy_translate(struct cli *cli, int n, char **words);

/* Prints how they are used on standard error; CLI_USAGE. */
int policy_usage(void);

#endif
