/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEY_TPM_H
#define TOLLGATE_KEY_TPM_H

#include <stdint.h>

#include "user/base/buf.h"
#include "user/notary/key.h"

struct tpm_dev;

/*
 * The TPM of a notary: the key in it that signs beside the log key, the counter, and what is sealed to it.
 * Opened before the role is locked in and held open: afterwards it only reads and writes what is open.
 * Errors are those of attest/tpm_device.h.
 */
struct key_tpm;

/* tcti NULL: the kernel's resource manager. pcrs: the registers, bit by bit, that must stay as they are for
 * the co-signing key to be the same and for a sealed key to come back. -ENODEV: there is no TPM. */
int key_tpm_open(const char *tcti, uint32_t pcrs, struct key_tpm **ret);
void key_tpm_free(struct key_tpm *t);

struct tpm_dev *key_tpm_device(struct key_tpm *t); /* borrowed */
uint32_t key_tpm_pcrs(const struct key_tpm *t);
struct span key_tpm_cosign_public(const struct key_tpm *t); /* SubjectPublicKeyInfo */

/* cosign_fn of cosign.h; arg is the struct key_tpm. After a suspend the key is loaded anew. */
int key_tpm_cosign(void *arg, const uint8_t digest[32], struct buf *der);

/* The counter, made when there is none; raised by one. */
int key_tpm_counter(struct key_tpm *t, uint64_t *ret);
int key_tpm_counter_raise(struct key_tpm *t, uint64_t *ret);

/* The seed of the log key, to and from a blob for a file. -ESTALE: the registers are not those that it was
 * sealed to; -EBADMSG: damaged, or of another TPM. *ret_pcrs: the registers it was sealed to. */
int key_tpm_seal(struct key_tpm *t, const uint8_t seed[KEY_SIZE], struct buf *blob);
int key_tpm_unseal(struct key_tpm *t, struct span blob, uint8_t ret[KEY_SIZE], uint32_t *ret_pcrs);

#endif
