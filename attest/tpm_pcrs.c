// SPDX-License-Identifier: Apache-2.0
/*
 * PCR values as files have them, and their digest.
 */
#include "attest/tpm_pcrs.h"

#include <errno.h>

#include "attest/bytes.h"

/* The C structures that tpm2-tools dumps. */
#define TOOLS_BANKS 16 /* TPML_PCR_SELECTION has room for as many */
#define TOOLS_DIGESTS 8 /* and a TPML_DIGEST for these */
#define TOOLS_DIGEST_ROOM 64

static void put(struct tpm_pcrs *p, unsigned bank, unsigned pcr, struct span v)
{
	if (v.n)
		memcpy(p->value[bank][pcr], v.p, v.n);
}

static size_t selected_size(const struct tpm_selection *sel)
{
	size_t n = 0;

	for (unsigned i = 0; i < sel->n; i++)
		n += (size_t)__builtin_popcount(sel->bank[i].mask) * tpm_hash_size(sel->bank[i].alg);
	return n;
}

static void read_selected(struct bytes *b, struct tpm_pcrs *p)
{
	for (unsigned i = 0; i < p->selection.n; i++)
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
			if (p->selection.bank[i].mask >> pcr & 1)
				put(p, i, pcr, bytes_take(b, tpm_hash_size(p->selection.bank[i].alg)));
}

/* The unselected ones are dropped: nothing proves them. */
static void read_whole_bank(struct bytes *b, struct tpm_pcrs *p)
{
	const size_t size = tpm_hash_size(p->selection.bank[0].alg);

	for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
		struct span v = bytes_take(b, size);

		if (p->selection.bank[0].mask >> pcr & 1)
			put(p, 0, pcr, v);
	}
}

static void tools_selection(struct bytes *b, struct tpm_selection *ret)
{
	uint32_t n = bytes_u32le(b);

	*ret = (struct tpm_selection){ 0 };
	for (unsigned i = 0; i < TOOLS_BANKS; i++) {
		uint16_t alg = bytes_u16le(b);
		uint8_t size = bytes_u8(b);
		uint32_t mask = bytes_u32le(b);

		(void)bytes_u8(b); /* alignment */
		if (i >= n)
			continue;
		if (ret->n == TPM_BANKS_MAX || size != TPM_PCRS / 8 || mask >> TPM_PCRS) {
			b->failed = true;
			return;
		}
		ret->bank[ret->n].alg = alg;
		ret->bank[ret->n++].mask = mask;
	}
	if (n != ret->n)
		b->failed = true;
}

/* Values come in lists of eight; all lists but the last are full. */
static void tools_values(struct bytes *b, struct tpm_pcrs *p)
{
	uint32_t lists = bytes_u32le(b), left = 0, slot = 0;

	for (unsigned i = 0; i < p->selection.n; i++)
		for (unsigned pcr = 0; pcr < TPM_PCRS && !b->failed; pcr++) {
			struct span room;
			uint16_t size;

			if (!(p->selection.bank[i].mask >> pcr & 1))
				continue;
			if (left == 0) {
				(void)bytes_take(b, (size_t)slot * (2 + TOOLS_DIGEST_ROOM));
				left = bytes_u32le(b);
				slot = TOOLS_DIGESTS;
				if (lists-- == 0 || left == 0 || left > TOOLS_DIGESTS) {
					b->failed = true;
					return;
				}
			}
			size = bytes_u16le(b);
			room = bytes_take(b, TOOLS_DIGEST_ROOM);
			if (size != tpm_hash_size(p->selection.bank[i].alg))
				b->failed = true;
			if (!b->failed)
				put(p, i, pcr, (struct span){ room.p, size });
			left--;
			slot--;
		}
	(void)bytes_take(b, (size_t)slot * (2 + TOOLS_DIGEST_ROOM));
	if (lists || left)
		b->failed = true;
}

int tpm_pcrs_parse(struct span bytes, const struct tpm_selection *sel, struct tpm_pcrs *ret)
{
	struct bytes b = bytes_of(bytes);
	struct tpm_pcrs p = { .selection = *sel };

	if (bytes.n > TPM_PCRS_FILE_MAX || selected_size(sel) == 0)
		return -EBADMSG;
	if (bytes.n == selected_size(sel)) {
		read_selected(&b, &p);
	} else if (sel->n == 1 && bytes.n == TPM_PCRS * tpm_hash_size(sel->bank[0].alg)) {
		read_whole_bank(&b, &p);
	} else {
		tools_selection(&b, &p.selection);
		if (b.failed || !tpm_selection_equal(&p.selection, sel))
			return -EBADMSG;
		tools_values(&b, &p);
	}
	if (bytes_end(&b) < 0)
		return -EBADMSG;
	*ret = p;
	return 0;
}

struct span tpm_pcrs_value(const struct tpm_pcrs *p, uint16_t alg, unsigned pcr)
{
	for (unsigned i = 0; i < p->selection.n; i++)
		if (p->selection.bank[i].alg == alg && pcr < TPM_PCRS && (p->selection.bank[i].mask >> pcr & 1))
			return (struct span){ (const char *)p->value[i][pcr], tpm_hash_size(alg) };
	return (struct span){ 0 };
}

int tpm_pcrs_digest(const struct tpm_pcrs *p, uint16_t hash, uint8_t *ret)
{
	struct span pieces[TPM_BANKS_MAX * TPM_PCRS];
	unsigned n = 0;

	for (unsigned i = 0; i < p->selection.n; i++)
		for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++)
			if (p->selection.bank[i].mask >> pcr & 1)
				pieces[n++] = (struct span){ (const char *)p->value[i][pcr],
							     tpm_hash_size(p->selection.bank[i].alg) };
	return tpm_hash(hash, pieces, n, ret);
}
