/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEY_SOURCE_H
#define TOLLGATE_KEY_SOURCE_H

#include <stdbool.h>

#include "user/notary/key.h"

struct key_tpm;

/*
 * Where the log key comes from. With a TPM it is sealed to it: it comes back only to the same boot state.
 * Without one it lives as long as the boot, in a file of the run directory that names the boot. Read as
 * root before the notary is locked in, so that it can never read a key again.
 */
enum key_tier {
	KEY_SOFTWARE = 0, /* no hardware stands behind it: "software-only" */
	KEY_SEALED, /* in our memory, sealed to the TPM at rest: "tpm-sealed" */
};
const char *key_tier_text(enum key_tier t);

struct key_source {
	struct log_key *key;
	struct log_key *before; /* the one that it takes over from, to sign for that; NULL: none */
	enum key_tier tier;
	char why[512]; /* the key before this is lost: what happened and what to do; else "" */
};
void key_source_done(struct key_source *s);

/* sealed_path: the file of the sealed key, boot_path: of this boot's. t NULL: no TPM. 0 or -errno; never
 * another key because the TPM was busy: only what cannot come back is replaced, and the old file is kept
 * beside it as sealed_path.lost. ret must be zeroed or done. */
int key_source_open(struct key_tpm *t, const char *sealed_path, const char *boot_path, struct key_source *ret);

/* Rotation of a sealed key, in two steps around the record that hands over: a new key, sealed beside the one in
 * force; and putting it in its place. What a crash leaves in between, the next start completes. 0 or -errno. */
int key_source_next(struct key_tpm *t, const char *sealed_path, struct log_key **ret);
int key_source_commit(const char *sealed_path);

/* run_dir/log-BOOT.key for this boot, and removes those of others. */
int key_boot_path(const char *run_dir, const char *boot_id, char *ret, size_t size);

#endif
