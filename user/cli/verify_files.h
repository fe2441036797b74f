/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLI_VERIFY_FILES_H
#define TOLLGATE_CLI_VERIFY_FILES_H

#include <limits.h>

#include "attest/claim.h"
#include "attest/claim_report.h"
#include "user/base/buf.h"

/* One document that `tollgate verify` judges. */
struct statement {
	char path[PATH_MAX];
	json_t *document;
	enum claim_kind kind;
	struct buf text; /* of a manifest: its signature may be over the bytes */
	struct claim_report report; /* of CLAIM_REPORT, when it could be read */
	bool has_report;
};

struct statements {
	struct statement *all;
	unsigned n;
};

/* CLI_OK, or an exit status after a message; to be done in either case. */
int statements_init(struct statements *w);
/* A file, or of a folder all that end in .json. */
int statements_add(struct statements *w, const char *path);
void statements_done(struct statements *w);

/* Prints; returns CLI_USAGE. */
int verify_unreadable(const char *path, const char *why);

/* What belongs to a claim, or to the claim of a bundle; NULL or empty when it was not given. */
const json_t *statement_previous(const struct statements *w, const struct statement *claim);
const struct statement *statement_claim(const struct statements *w, const struct statement *bundle);
struct span statement_manifest(const struct statements *w, const struct statement *claim);
/* The report that a claim or Trust Record stands on, and one of those that stand on a report. */
const struct claim_report *statement_report(const struct statements *w, const struct statement *s);
const struct statement *statement_of_report(const struct statements *w, const struct statement *report);

#endif
