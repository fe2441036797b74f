/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_DISCLOSURE_H
#define TOLLGATE_DISCLOSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/proof.h"
#include "user/notary/salt.h"

/*
 * Chosen payloads of one record, opened for an auditor: a receipt of the record, and for each chosen
 * payload the salt of its commitment and, where the operator kept it, the payload itself. Every salt is of
 * one payload, so nothing else is opened by it, not even another payload of the same record. As JSON:
 *
 *	{"disclosed":{"request":{"payload":"<base64>","salt":"<hex>"},…},"receipt":"<tlog-proof>"}
 *
 * Used by tollgate(1); neither role of the daemon reads it.
 */
#define DISCLOSURE_PAYLOAD_MAX (16u << 20) /* of one message, as configured at most by default */
#define DISCLOSURE_MAX (4 * DISCLOSURE_PAYLOAD_MAX) /* of the document: two payloads in base64, and the receipt */
#define DISCLOSURE_FIELDS 3

struct disclosed {
	bool given; /* the document opens it */
	bool has_payload;
	uint8_t salt[SALT_SIZE];
	struct buf payload;
};

struct disclosure {
	struct proof proof;
	struct buf receipt; /* proof points into it */
	struct disclosed fields[DISCLOSURE_FIELDS]; /* by disclosure_field() */
};

/* "request", "response", "request_id"; NULL beyond. */
const char *disclosure_name(unsigned field);
enum salt_member disclosure_member(unsigned field);
/* 0 to DISCLOSURE_FIELDS - 1, or -EINVAL. */
int disclosure_field(struct span name);

/* 0, -EBADMSG or -ENOMEM. disclosure_done() afterwards in any case; *ret need not be initialised. */
int disclosure_parse(struct span text, struct disclosure *ret);
void disclosure_done(struct disclosure *d);

/* Appends the document; receipt and fields as in d. 0 or -errno. */
int disclosure_write(struct disclosure *d, struct buf *out);

/* Does the payload that is at hand open the record's commitment? 0; -ENODATA when none is at hand; -EBADMSG. */
int disclosure_check(const struct disclosure *d, unsigned field);

#endif
