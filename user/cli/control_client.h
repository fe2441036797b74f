/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONTROL_CLIENT_H
#define TOLLGATE_CONTROL_CLIENT_H

#include <jansson.h>

#include "user/cli/cli.h"

/* Asks the daemon over its control socket; request is one line without its newline. On success *ret is
 * the answer (json_decref() it). On failure a message has been printed and an exit status is returned. */
int control_ask(struct cli *c, const char *request, json_t **ret);

/* Fills c->control and c->audit from the configuration, which says where the sockets are; without one the
 * defaults stand. CLI_OK, or an exit status after a message. */
int cli_find_sockets(struct cli *c);

/* Prints a document on standard output, indented, with a newline. */
void cli_print_json(const json_t *j);

/* Text of a member, or fallback when it is missing or no string. */
const char *cli_text(const json_t *object, const char *member, const char *fallback);

/* True when the words after the noun ask for help ("--help", "-h"). */
bool cli_wants_help(int argc, char **argv);

/* Changes uid, gid and groups to those of the user named or numbered. 0 or -errno (-ENOENT: no such user). */
int cli_become(const char *user);

#endif
