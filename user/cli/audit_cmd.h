/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AUDIT_CMD_H
#define TOLLGATE_AUDIT_CMD_H

#include <jansson.h>

#include "user/base/buf.h"
#include "user/cli/cli.h"

/* The words after `tollgate audit`, one file each; argv[0] is the word. */
int audit_list(struct cli *c, int argc, char **argv); /* tail, query */
int audit_export_records(struct cli *c, int argc, char **argv);
int audit_prove(struct cli *c, int argc, char **argv);
int audit_report(struct cli *c, int argc, char **argv); /* sessions, graph, stats */
int audit_tiles(struct cli *c, int argc, char **argv);
int audit_witness(struct cli *c, int argc, char **argv);
int audit_escrow(struct cli *c, int argc, char **argv);

/* Prints how `tollgate audit` is used on standard error; the exit status for that. */
int audit_usage(void);
/* Prints "tollgate: action object: reason"; CLI_FAILED. */
int audit_fail(const char *action, const char *object, const char *reason);

/* Fills c->audit from the configuration unless it is known. CLI_OK, or an exit status after a message. */
int audit_find_socket(struct cli *c);

/* What the words share: which records. */
struct audit_options {
	struct buf target; /* of the request, with the filters */
	bool limit, follow; /* given */
	const char *format, *out;
};
/* allowed: the short options that this word has besides the filters, of "nfFo". 0, or -1 when the
 * arguments are wrong. target is the caller's in either case. */
int audit_options_read(struct audit_options *o, const char *path, const char *allowed, int argc, char **argv);

/* One record on one line of text. */
void audit_print_record(const json_t *row);

#endif
