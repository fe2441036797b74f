/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_CLAIM_MAKE_INTERNAL_H
#define TOLLGATE_ATTEST_CLAIM_MAKE_INTERNAL_H

#include <jansson.h>

#include "attest/claim_make.h"
#include "attest/shape.h"

/* Shared by claim_make.c and trust_record_make.c. A document under construction; a member that cannot be
 * set marks it as failed, and make_sign() tells. */
struct making {
	json_t *document;
	bool failed;
};

void make_set(struct making *m, json_t *object, const char *name, json_t *value);
void make_text(struct making *m, json_t *object, const char *name, struct span s);
/* Left out when absent. */
void make_may(struct making *m, json_t *object, const char *name, struct span s);
void make_count(struct making *m, json_t *object, const char *name, uint64_t n);
/* The member as a new, empty object, borrowed. */
json_t *make_object(struct making *m, json_t *object, const char *name);

/* The parts that both documents have, under their names. */
void make_head(struct making *m, json_t *object, const struct claim_facts *f, const struct claim_signer *s);
void make_transcript(struct making *m, json_t *object, const struct claim_facts *f, bool entries);

/* Checks the shape, signs, appends. Frees the document. */
int make_sign(struct making *m, const struct shape *shape, const struct claim_signer *s, struct buf *out);

#endif
