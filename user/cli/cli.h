/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_H
#define TOLLGATE_CLI_H

#include <stdbool.h>

/* What every command shares; filled by the option table of tollgate(1) before the command runs. */
struct cli {
	bool json; /* --json: one JSON document on standard output instead of text */
	const char *control; /* path of the control socket */
	const char *audit; /* path of the audit socket */
	const char *config; /* path of tollgate.conf */
	const char *version; /* of the program */
};

/* Exit statuses, the same for every command. */
enum {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the thing asked for did not succeed, or the answer is "no" */
	CLI_USAGE = 2,
	CLI_UNSEEN = 3, /* nothing is wrong, but not everything could be looked at */
};

/* One function per noun, one file each. argv[0] is the noun; they print their own messages and return
 * an exit status. "--help" after a noun prints its usage on standard output. */
int cli_agents(struct cli *c, int argc, char **argv);
int cli_attest(struct cli *c, int argc, char **argv);
int cli_audit(struct cli *c, int argc, char **argv);
int cli_catalog(struct cli *c, int argc, char **argv);
int cli_doctor(struct cli *c, int argc, char **argv);
int cli_policy(struct cli *c, int argc, char **argv);
int cli_release(struct cli *c, int argc, char **argv);
int cli_reload(struct cli *c, int argc, char **argv);
int cli_rotate_key(struct cli *c, int argc, char **argv);
int cli_run(struct cli *c, int argc, char **argv);
int cli_sessions(struct cli *c, int argc, char **argv);
int cli_status(struct cli *c, int argc, char **argv);
int cli_verify(struct cli *c, int argc, char **argv);

/* `tollgate verify [OPTION...] FILE...`: claims, bundles and Trust Records; verify.c hands over to it. */
int cli_verify_statements(struct cli *c, int argc, char **argv);
extern const char cli_verify_statements_usage[];

#endif
