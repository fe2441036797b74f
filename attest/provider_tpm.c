// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence from a TPM 2.0: a quote of all registers that only a reboot clears, the certified co-signing key,
 * what the indices hold, and the logs that explain the registers.
 */
#include <errno.h>
#include <fcntl.h>

#include "attest/provider.h"
#include "attest/tpm_device.h"
#include "attest/tpm_public.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

/* Logs of the TPM that the kernel shows; a TPM reached otherwise has none here. */
#define EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"
#define IMA_LIST "/sys/kernel/security/ima/binary_runtime_measurements"
#define LOG_MAX (16u << 20) /* a longer one is left out, and what it would show stays open */
#define BRIEF_LOG_MAX (256u << 10) /* the same where each session keeps its own */

void attest_logs_open(struct attest_logs *ret)
{
	ret->event_log = open(EVENT_LOG, O_RDONLY | O_CLOEXEC);
	ret->ima = open(IMA_LIST, O_RDONLY | O_CLOEXEC);
}

void attest_logs_close(struct attest_logs *l)
{
	cleanup_close(&l->event_log);
	cleanup_close(&l->ima);
	l->event_log = l->ima = -1;
}

int attest_tpm_open(const struct attest_config *c, struct tpm_dev **ret)
{
	if (!c->tpm)
		return tpm_dev_open(c->tcti, ret);
	*ret = c->tpm;
	return 0;
}

void attest_tpm_close(const struct attest_config *c, struct tpm_dev *d)
{
	if (d != c->tpm)
		tpm_dev_close(d);
}

static bool tpm_present(const struct attest_config *c)
{
	struct tpm_dev *d = NULL;
	int r = attest_tpm_open(c, &d);

	attest_tpm_close(c, d);
	return r == 0;
}

static int add_log(struct attest_evidence *e, const char *name, int fd, size_t max)
{
	_cleanup_buf_ struct buf b = { 0 };
	struct buf *part;

	if (fd < 0 || file_read_at_start(fd, max, &b) < 0 || buf_len(&b) == 0)
		return 0;
	part = attest_evidence_add(e, name);
	return part ? buf_append(part, buf_span(&b).p, buf_len(&b)) : -ENOSPC;
}

/* Two or three parts at once; none when the index is not there. */
static int add_nv(struct tpm_dev *d, const struct tpm_key *ak, uint32_t index, struct span qualifying,
		  const char *const names[3], struct attest_evidence *e)
{
	_cleanup_buf_ struct buf attest = { 0 }, signature = { 0 }, public = { 0 };
	const struct buf *from[] = { &attest, &signature, &public };
	int r = tpm_nv_certify(d, ak, index, qualifying, &attest, &signature, &public);

	if (r == -ENOENT)
		return 0;
	for (unsigned i = 0; i < 3 && r == 0; i++) {
		struct buf *part = attest_evidence_add(e, names[i]);

		r = part ? buf_append(part, buf_span(from[i]).p, buf_len(from[i])) : -ENOSPC;
	}
	return r;
}

static uint32_t pcrs_of(const struct attest_config *c)
{
	return c->pcrs ? c->pcrs : TPM_COSIGN_MASK;
}

static int add_cosign(struct tpm_dev *d, uint32_t pcrs, const struct tpm_key *ak, struct span qualifying,
		      struct attest_evidence *e)
{
	_cleanup_tpm_key_ struct tpm_key key = { 0 };
	struct buf *public = attest_evidence_add(e, "cosign_public");
	struct buf *certify = attest_evidence_add(e, "cosign_certify");
	struct buf *signature = attest_evidence_add(e, "cosign_certify_signature");
	int r;

	if (!public || !certify || !signature)
		return -ENOSPC;
	r = tpm_cosign_load(d, pcrs, &key, public);
	return r < 0 ? r : tpm_certify_make(d, ak, &key, qualifying, certify, signature);
}

static int add_quote(struct tpm_dev *d, const struct tpm_key *ak, struct span qualifying, struct attest_evidence *e)
{
	struct buf *quote = attest_evidence_add(e, "quote"), *signature = attest_evidence_add(e, "signature");
	struct buf *pcrs = attest_evidence_add(e, "pcrs");

	if (!quote || !signature || !pcrs)
		return -ENOSPC;
	return tpm_quote_make(d, ak, TPM_QUOTE_MASK, qualifying, quote, signature, pcrs);
}

static int add_ek_certificate(struct tpm_dev *d, struct attest_evidence *e)
{
	_cleanup_buf_ struct buf certificate = { 0 };
	struct buf *part;

	/* Many TPMs have none, or another kind of key; the quote does not depend on it. */
	if (tpm_ek_certificate(d, &certificate) < 0)
		return 0;
	part = attest_evidence_add(e, "ek_certificate");
	return part ? buf_append(part, buf_span(&certificate).p, buf_len(&certificate)) : -ENOSPC;
}

static int add_logs(const struct attest_config *c, struct attest_evidence *e)
{
	const size_t max = c->brief ? BRIEF_LOG_MAX : LOG_MAX;
	struct attest_logs own = { -1, -1 };
	int r;

	if (!c->logs && !c->tcti)
		attest_logs_open(&own);
	r = add_log(e, "event_log", c->logs ? c->logs->event_log : own.event_log, max);
	if (r == 0)
		r = add_log(e, "ima", c->logs ? c->logs->ima : own.ima, max);
	attest_logs_close(&own);
	return r;
}

static int collect_from(const struct attest_config *c, struct tpm_dev *d, struct span qualifying,
			struct attest_evidence *e)
{
	static const char *const measured[] = { "nv_measured", "nv_measured_signature", "nv_measured_public" };
	static const char *const counter[] = { "nv_counter", "nv_counter_signature", "nv_counter_public" };
	struct buf *public = attest_evidence_add(e, "ak_public");
	struct tpm_key ak = { 0 };
	int r = public ? tpm_ak_load(d, &ak, public) : -ENOSPC;

	if (r == 0)
		r = add_quote(d, &ak, qualifying, e);
	if (r == 0 && !c->brief)
		r = add_cosign(d, pcrs_of(c), &ak, qualifying, e);
	if (r == 0 && !c->brief)
		r = add_nv(d, &ak, TPM_INDEX_MEASURED, qualifying, measured, e);
	if (r == 0 && !c->brief)
		r = add_nv(d, &ak, TPM_INDEX_COUNTER, qualifying, counter, e);
	if (r == 0)
		r = add_ek_certificate(d, e);
	tpm_key_done(&ak);
	return r < 0 ? r : add_logs(c, e);
}

static int tpm_collect(const struct attest_config *c, const struct attest_digests *bound, struct attest_evidence *e)
{
	const struct span qualifying = { (const char *)bound->sha256, sizeof(bound->sha256) };
	struct tpm_dev *d = NULL;
	int r = attest_tpm_open(c, &d);

	if (r == 0)
		r = collect_from(c, d, qualifying, e);
	attest_tpm_close(c, d);
	return r;
}

static int tpm_cosign_key(const struct attest_config *c, struct buf *spki)
{
	_cleanup_buf_ struct buf public = { 0 };
	struct tpm_key key = { 0 };
	struct tpm_dev *d = NULL;
	int r = attest_tpm_open(c, &d);

	if (r == 0)
		r = tpm_cosign_load(d, pcrs_of(c), &key, &public);
	tpm_key_done(&key);
	attest_tpm_close(c, d);
	return r < 0 ? r : tpm_public_spki(buf_span(&public), spki);
}

const struct attest_provider attest_tpm = {
	.name = "tpm",
	.class = ATTEST_HARDWARE,
	.present = tpm_present,
	.collect = tpm_collect,
	.cosign_key = tpm_cosign_key,
};
