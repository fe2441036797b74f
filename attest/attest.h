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

const char *attest_class_text(enum attest_class c); /* "hardware", "vendor-asserted", "software-only" */

struct tpm_dev;

/* Where evidence comes from. Zeroed: from what the kernel shows. */
struct attest_config {
	const char *provider; /* this one or failure; NULL: the strongest that is there */
	const char *tcti; /* how to reach the TPM, as tpm2-tss writes it; NULL: the kernel's resource manager */
	const char *token_socket; /* opaque: UNIX socket of the runtime's token adapter */
	const char *root; /* a folder that stands for / where guests' devices are looked for; NULL: / */
	uint32_t pcrs; /* that the co-signing key depends on, bit by bit; 0: TPM_COSIGN_MASK */
	bool brief; /* no more than shows what is bound and to which state: for evidence that is made often */
	/* For a role that is locked in: what it opened before. Borrowed. */
	struct tpm_dev *tpm;
	const struct attest_logs *logs;
};

/* The kernel's measurement logs, open for reading from their start again and again; -1: not there. */
struct attest_logs {
	int event_log, ima;
};
void attest_logs_open(struct attest_logs *ret);
void attest_logs_close(struct attest_logs *l);

/* A named piece of evidence: "quote", "signature", "ak_public", … as the provider has them. */
struct attest_part {
	const char *name; /* static */
	struct buf bytes;
};
#define ATTEST_PARTS_MAX 20

struct attest_evidence {
	const char *platform; /* the provider's name, static: "software-only" */
	enum attest_class class;
	unsigned n_parts; /* none: nothing but the node's word */
	struct attest_part parts[ATTEST_PARTS_MAX];
	struct attest_digests bound; /* what the signed parts were asked to cover */
};

/* Evidence from the configured provider, or from the strongest that is present, bound to b
 * with b->nonce replaced by nonce. ret must be zeroed or done. 0 or -errno (-ENODEV: the configured one is
 * not there); never a weaker provider than was found first because that one failed. Devices are opened,
 * unless c has them open. */
int attest_evidence(const struct attest_config *c, struct span nonce, const struct attest_binding *b,
		    struct attest_evidence *ret);
/* The same bound to digests of the caller's; no nonce and no statement is put in. */
int attest_evidence_of(const struct attest_config *c, const struct attest_digests *bound,
		       struct attest_evidence *ret);
void attest_evidence_done(struct attest_evidence *e);

/* Appends the key that lives in the chosen provider's hardware, for b->cosign_key, as SubjectPublicKeyInfo;
 * nothing where the hardware has none. */
int attest_cosign_key(const struct attest_config *c, struct buf *spki);

/* Whether the configured provider is there. */
bool attest_present(const struct attest_config *c);

/* The part's bytes, empty when there is none of that name. */
struct span attest_evidence_part(const struct attest_evidence *e, const char *name);

/* Appends the evidence and the statement's fields in clear as one JSON object. */
int attest_evidence_json(const struct attest_evidence *e, const struct attest_binding *b,
			 struct span nonce, struct buf *out);

/* One row per provider in the order of detection; used: evidence would come from it. */
struct attest_found {
	const char *name;
	enum attest_class class;
	bool present, used;
};
/* Fills at most max rows, returns how many there are. Opens devices. */
unsigned attest_detect(const struct attest_config *c, struct attest_found *ret, unsigned max);

/* What records name as their platform: the daemon's roles are locked away from devices, so of themselves
 * they know only this. */
const char *attest_platform(void);

#endif
