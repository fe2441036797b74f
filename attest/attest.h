/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_H
#define TOLLGATE_ATTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * Evidence of what this node is and what it runs, and the statement that evidence is bound to.
 * A library: does not log, does not exit, knows nothing of the daemon.
 */

#define ATTEST_NONCE_MAX 64
#define ATTEST_TEXT_MAX 4096 /* any one field of the statement */

/*
 * The binding statement. Its bytes are
 *
 *	"tollgate/attest-binding/v1" 0x00
 *	lp(nonce) lp(public_key) lp(cosign_key) lp(policy_hash) lp(catalog_hash) lp(mode)
 *	lp(program_hash) lp(kernel_program_hash) lp(boot_id)
 *	lp(origin) u64be(tree_size) lp(tree_root)
 *
 * with lp(x) = u32be(length) || x, so no two statements share bytes. Absent fields are empty. The hashes
 * are what the daemon says of itself: self-asserted, until something measured proves the daemon.
 */
struct attest_binding {
	struct span nonce; /* at most ATTEST_NONCE_MAX */
	struct span public_key; /* Ed25519 log key, 32 raw bytes */
	struct span cosign_key; /* SubjectPublicKeyInfo of a hardware-resident key, or empty */
	struct span policy_hash, catalog_hash; /* "sha256:<hex>" */
	struct span mode;
	struct span program_hash, kernel_program_hash;
	struct span boot_id;
	struct span origin; /* the log's name; with size and root: the checkpoint it stands at */
	uint64_t tree_size;
	struct span tree_root; /* 32 raw bytes, or empty before the first record */
};

struct attest_digests {
	uint8_t sha256[32]; /* TPM qualifying data */
	uint8_t sha512[64]; /* SNP and TDX report data */
};

/* Appends the statement's bytes. 0, -EMSGSIZE when a field is over its limit, -ENOMEM. */
int attest_statement(const struct attest_binding *b, struct buf *out);
int attest_binding(const struct attest_binding *b, struct attest_digests *ret);

/* What a provider can claim; the words of architecture: nothing pretends. */
enum attest_class {
	ATTEST_SOFTWARE_ONLY = 0, /* no hardware stands behind it */
	ATTEST_VENDOR_ASSERTED,
	ATTEST_HARDWARE,
};

struct attest_evidence {
	const char *platform; /* the provider's name, static: "software-only" */
	enum attest_class class;
	bool has_quote; /* quote holds hardware-signed bytes */
	struct buf quote;
	struct attest_digests bound; /* what the quote (if any) was asked to cover */
};

/* Evidence from the strongest provider that is compiled in and present, bound to b with b->nonce
 * replaced by nonce. ret must be zeroed or done. 0 or -errno; never a weaker provider than was found
 * first because that one failed. */
int attest_evidence(struct span nonce, const struct attest_binding *b, struct attest_evidence *ret);
void attest_evidence_done(struct attest_evidence *e);

/* Appends the evidence and the statement's fields in clear as one JSON object. */
int attest_evidence_json(const struct attest_evidence *e, const struct attest_binding *b,
			 struct span nonce, struct buf *out);

/* One row per provider in the order of detection; compiled: it exists in this build. */
struct attest_found {
	const char *name;
	bool compiled, present;
};
/* Fills at most max rows, returns how many there are. */
unsigned attest_detect(struct attest_found *ret, unsigned max);

/* Name of the provider attest_evidence() would use. */
const char *attest_platform(void);

#endif
