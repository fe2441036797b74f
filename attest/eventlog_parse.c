// SPDX-License-Identifier: Apache-2.0
/*
 * Event log: from bytes to events. Total on hostile input: every length is checked against what is left
 * before it is used, and each call takes at least eight bytes away.
 */
#include "attest/eventlog.h"

#include "attest/bytes.h"

#define SHA1_SIZE 20
#define SIGNATURE_SIZE 16

static const char spec_id[SIGNATURE_SIZE] = "Spec ID Event03";

/* TCG_PCClientPCREvent: one SHA-1 digest. The header of a crypto-agile log has this form too. */
static int next_legacy(struct bytes *b, struct eventlog_event *ret)
{
	struct eventlog_event e = { .ndigests = 1 };

	e.index = bytes_u32le(b);
	e.type = bytes_u32le(b);
	e.digests[0].alg = TPM_HASH_SHA1;
	e.digests[0].bytes = bytes_take(b, SHA1_SIZE);
	e.data = bytes_lp32le(b);
	if (b->failed)
		return -EBADMSG;
	*ret = e;
	return 1;
}

/* The digests are laid out by the header's table, so an algorithm outside it has no known length. */
static uint16_t size_of(const struct eventlog *log, uint16_t alg)
{
	for (unsigned i = 0; i < log->nalgs; i++)
		if (log->algs[i].alg == alg)
			return log->algs[i].size;
	return 0;
}

static int next_agile(const struct eventlog *log, struct bytes *b, struct eventlog_event *ret)
{
	struct eventlog_event e = { 0 };
	uint32_t count;

	e.index = bytes_u32le(b);
	e.type = bytes_u32le(b);
	count = bytes_u32le(b);
	if (count > log->nalgs)
		return -EBADMSG;
	for (; e.ndigests < count; e.ndigests++) {
		uint16_t alg = bytes_u16le(b), n = size_of(log, alg);

		if (n == 0 || eventlog_digest(&e, alg).n)
			return -EBADMSG;
		e.digests[e.ndigests].alg = alg;
		e.digests[e.ndigests].bytes = bytes_take(b, n);
	}
	e.data = bytes_lp32le(b);
	if (b->failed)
		return -EBADMSG;
	*ret = e;
	return 1;
}

struct span eventlog_digest(const struct eventlog_event *e, uint16_t alg)
{
	for (unsigned i = 0; i < e->ndigests; i++)
		if (e->digests[i].alg == alg)
			return e->digests[i].bytes;
	return (struct span){ 0 };
}

/* TCG_EfiSpecIDEvent: platform class, version, width of UINTN, the table, vendor bytes. */
static int read_table(struct span data, struct eventlog *log)
{
	struct bytes b = bytes_of(data);
	uint32_t n;

	(void)bytes_take(&b, SIGNATURE_SIZE + 8);
	n = bytes_u32le(&b);
	if (n == 0 || n > EVENTLOG_ALGS_MAX)
		return -EBADMSG;
	for (; log->nalgs < n; log->nalgs++) {
		uint16_t alg = bytes_u16le(&b), size = bytes_u16le(&b);

		if (size == 0 || size > TPM_HASH_SIZE_MAX || size_of(log, alg) ||
		    (tpm_hash_size(alg) && tpm_hash_size(alg) != size))
			return -EBADMSG;
		log->algs[log->nalgs].alg = alg;
		log->algs[log->nalgs].size = size;
	}
	(void)bytes_take(&b, bytes_u8(&b)); /* vendor bytes */
	return bytes_end(&b);
}

int eventlog_open(struct span bytes, struct eventlog *ret)
{
	struct eventlog log = { .rest = bytes };
	struct bytes b = bytes_of(bytes);
	struct eventlog_event e;
	int r;

	if (bytes.n > EVENTLOG_MAX)
		return -EMSGSIZE;
	r = next_legacy(&b, &e);
	if (r < 0)
		return r;
	if (e.type == EV_NO_ACTION && e.data.n >= SIGNATURE_SIZE &&
	    memcmp(e.data.p, spec_id, SIGNATURE_SIZE) == 0) {
		r = read_table(e.data, &log);
		if (r < 0)
			return r;
		log.rest = (struct span){ (const char *)b.p, b.n };
	} else {
		log.legacy = true;
	}
	*ret = log;
	return 0;
}

/* A table in memory is longer than its log: the rest is filled with one byte. An event of register 0 and
 * type 0, which that could be mistaken for, does not exist. */
static bool padding(struct span s)
{
	if (s.p[0] != 0 && (uint8_t)s.p[0] != 0xff)
		return false;
	return s.n == 1 || memcmp(s.p, s.p + 1, s.n - 1) == 0;
}

static bool looks_like_padding(struct span s)
{
	struct span head = { s.p, s.n < 8 ? s.n : 8 };

	return padding(head);
}

int eventlog_next(struct eventlog *log, struct eventlog_event *ret)
{
	struct bytes b = bytes_of(log->rest);
	int r;

	if (b.n == 0)
		return 0;
	if (looks_like_padding(log->rest)) {
		if (!padding(log->rest))
			return -EBADMSG;
		log->rest = (struct span){ 0 };
		return 0;
	}
	r = log->legacy ? next_legacy(&b, ret) : next_agile(log, &b, ret);
	if (r == 1)
		log->rest = (struct span){ (const char *)b.p, b.n };
	return r;
}
