// SPDX-License-Identifier: Apache-2.0
/*
 * TPMS_ATTEST from bytes. Total: nothing is read past its length, nothing may follow its end.
 */
#include "attest/tpm_attest.h"

#include <string.h>

#include "attest/tpm_hash.h"

static void read_bank(struct bytes *b, struct tpm_selection *ret)
{
	uint16_t alg = bytes_u16be(b);
	struct span map = bytes_take(b, bytes_u8(b));
	uint32_t mask = 0;

	if (ret->n == TPM_BANKS_MAX || tpm_hash_size(alg) == 0 || tpm_selection_mask(ret, alg))
		b->failed = true;
	for (size_t i = 0; i < map.n; i++) {
		if (i < TPM_PCRS / 8)
			mask |= (uint32_t)(uint8_t)map.p[i] << (8 * i);
		else if (map.p[i])
			b->failed = true;
	}
	if (b->failed)
		return;
	ret->bank[ret->n].alg = alg;
	ret->bank[ret->n].mask = mask;
	ret->n++;
}

void tpm_selection_read(struct bytes *b, struct tpm_selection *ret)
{
	uint32_t n = bytes_u32be(b);

	*ret = (struct tpm_selection){ 0 };
	if (n > TPM_BANKS_MAX)
		b->failed = true;
	for (uint32_t i = 0; i < n && !b->failed; i++)
		read_bank(b, ret);
}

bool tpm_selection_equal(const struct tpm_selection *a, const struct tpm_selection *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned i = 0; i < a->n; i++)
		if (a->bank[i].alg != b->bank[i].alg || a->bank[i].mask != b->bank[i].mask)
			return false;
	return true;
}

uint32_t tpm_selection_mask(const struct tpm_selection *s, uint16_t alg)
{
	for (unsigned i = 0; i < s->n; i++)
		if (s->bank[i].alg == alg)
			return s->bank[i].mask;
	return 0;
}

int tpm_attest_parse(struct span bytes, struct tpm_attest *ret)
{
	struct bytes b = bytes_of(bytes);
	struct tpm_attest a = { 0 };
	uint8_t safe;

	if (bytes.n > TPM_ATTEST_MAX)
		return -EBADMSG;
	a.magic = bytes_u32be(&b);
	a.type = bytes_u16be(&b);
	a.signer = bytes_lp16be(&b);
	a.extra = bytes_lp16be(&b);
	a.clock = bytes_u64be(&b);
	a.resets = bytes_u32be(&b);
	a.restarts = bytes_u32be(&b);
	safe = bytes_u8(&b);
	a.firmware = bytes_u64be(&b);
	switch (a.type) {
	case TPM_ST_QUOTE:
		tpm_selection_read(&b, &a.selection);
		a.pcr_digest = bytes_lp16be(&b);
		break;
	case TPM_ST_CERTIFY:
		a.name = bytes_lp16be(&b);
		a.qualified_name = bytes_lp16be(&b);
		break;
	case TPM_ST_NV:
		a.nv_name = bytes_lp16be(&b);
		a.nv_offset = bytes_u16be(&b);
		a.nv_contents = bytes_lp16be(&b);
		break;
	default:
		return -EBADMSG;
	}
	if (bytes_end(&b) < 0 || safe > 1)
		return -EBADMSG;
	a.safe = safe == 1;
	*ret = a;
	return 0;
}
