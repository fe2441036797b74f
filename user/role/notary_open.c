// SPDX-License-Identifier: Apache-2.0
/*
 * The notary's start as root. Nothing that others wrote is read here but files that only root can write, and
 * what the TPM answers.
 */
#include "user/role/notary_open.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/notary/key_tpm.h"

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int boot_path(const struct msg_spawn *spec, char *ret, size_t size)
{
	_cleanup_buf_ struct buf b = { 0 };
	char id[40] = "";
	int r = file_read(BOOT_ID, sizeof(id), &b);

	if (r < 0)
		return r;
	(void)snprintf(id, sizeof(id), "%.*s", (int)strcspn(buf_cstr(&b) ? buf_cstr(&b) : "", "\n"), buf_span(&b).p);
	return *id ? key_boot_path(spec->run_dir, id, ret, size) : -EIO;
}

/* A TPM that is asked for must be there, and one that holds our key. Any other may be in somebody's use. */
static int open_tpm(const struct msg_spawn *spec, const char *sealed, struct notary_hands *h)
{
	const bool wanted = spec->attestation == ATTESTATION_TPM || access(sealed, F_OK) == 0;
	int r;

	if (spec->attestation == ATTESTATION_NONE)
		return 0;
	(void)setenv("TSS2_LOG", "all+NONE", 0); /* its library's view of an error would stand beside ours */
	r = key_tpm_open(spec->tcti[0] ? spec->tcti : NULL, spec->pcrs, &h->tpm);
	if (r == 0 || (r == -ENODEV && spec->attestation == ATTESTATION_AUTO))
		return 0;
	if (wanted) {
		(void)snprintf(h->text, sizeof(h->text), "open TPM %.256s: %s%s: repair it, or set "
			       "attestation.provider to software-only to go on without it, under another key",
			       spec->tcti[0] ? spec->tcti : "/dev/tpmrm0", err_text(r),
			       r == -EACCES ? " (its owner has a password)" : "");
		return r;
	}
	log_warn("open TPM: %s: the log key lives as long as this boot, and no hardware stands behind it", err_text(r));
	return 0;
}

/* The devices that only root may open are not the notary's: see tollgate attest evidence. */
static int choose_platform(const struct msg_spawn *spec, struct notary_hands *h)
{
	const struct attest_config azure = { .provider = "azure", .tpm = h->tpm ? key_tpm_device(h->tpm) : NULL };
	const bool is_azure = h->tpm && attest_present(&azure);

	h->platform = is_azure ? "azure" : h->tpm ? "tpm" : attest_platform();
	if (!spec->azure || is_azure)
		return 0;
	(void)snprintf(h->text, sizeof(h->text), "find provider azure: the TPM holds no report of its paravisor: set "
		       "attestation.provider to tpm or auto");
	return -ENODEV;
}

static int open_keys(const struct msg_spawn *spec, const char *sealed, struct notary_hands *h)
{
	char boot[2 * PROC_PATH_MAX];
	int r = boot_path(spec, boot, sizeof(boot));

	if (r == 0)
		r = key_source_open(h->tpm, sealed, boot, &h->keys);
	if (r < 0)
		(void)snprintf(h->text, sizeof(h->text), "open log key: %s", err_text(r));
	return r;
}

int notary_hands_open(const struct msg_spawn *spec, struct notary_hands *ret)
{
	char sealed[PROC_PATH_MAX + 16];
	int r;

	*ret = (struct notary_hands){ .logs = { -1, -1 }, .platform = attest_platform() };
	if (!msg_string_ok(spec->run_dir, sizeof(spec->run_dir)) || !msg_string_ok(spec->tcti, sizeof(spec->tcti)))
		return -EBADMSG;
	(void)snprintf(sealed, sizeof(sealed), "%s/log.sealed", spec->state_dir);
	r = open_tpm(spec, sealed, ret);
	if (r == 0)
		r = choose_platform(spec, ret);
	if (r == 0)
		r = open_keys(spec, sealed, ret);
	if (r == 0 && ret->tpm)
		attest_logs_open(&ret->logs);
	return r;
}

void notary_hands_done(struct notary_hands *h)
{
	key_source_done(&h->keys);
	key_tpm_free(h->tpm);
	attest_logs_close(&h->logs);
	h->tpm = NULL;
}
