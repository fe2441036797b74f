/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_POLICY_REPORT_H
#define TOLLGATE_CLI_POLICY_REPORT_H

#include "policy/cedar.h"
#include "user/base/json_out.h"

/* How the commands of `tollgate policy` tell what is wrong with a text. */

/* On standard error: "path:line:column: reason", the line, and a mark below the place. */
void policy_report_text(const char *path, struct span text, const struct cedar_errors *errors);
/* The member "errors" of the object that is open. */
void policy_report_json(struct json_out *j, const struct cedar_errors *errors);

/* Makes *errors one error without place, for what is not in the text. */
void policy_plain_error(struct cedar_errors *errors, const char *what, const char *reason);

/* Writes b and a line end to standard output when the JSON in it is whole; r is what json_out_end()
 * said. CLI_FAILED, after telling so, when it is not. */
int policy_print_json(struct buf *b, int r);

#endif
