/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AUDIT_CLIENT_H
#define TOLLGATE_AUDIT_CLIENT_H

#include <jansson.h>

#include "user/base/buf.h"
#include "user/cli/cli.h"

/* GET over the audit socket. Gives CLI_OK with the body of a 200 answer in *ret (initialised, caller's);
 * else a message was printed and an exit status is given. */
int audit_get(struct cli *c, const char *target, struct buf *ret);

/* The same, parsed; json_decref() it. */
int audit_get_json(struct cli *c, const char *target, json_t **ret);

/* GET of an answer that has no end: fn gets each line, without its newline, as it comes; a non-zero answer
 * of fn ends it and is returned. Gives CLI_OK when the other side ended it. */
int audit_stream(struct cli *c, const char *target, int (*fn)(void *arg, struct span line), void *arg);

/* Appends "name=value" to a request target, percent-encoded, with '?' or '&' as needed. */
int audit_param(struct buf *target, const char *name, const char *value);

#endif
