// SPDX-License-Identifier: Apache-2.0
/*
 * CBOR, written. RFC 8949 section 3: three bits of type, five of the value or of how many bytes hold it.
 */
#include "attest/cbor_write.h"

int cbor_put(struct buf *out, enum cbor_type type, uint64_t value)
{
	unsigned n = value < 24 ? 0 : value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
	uint8_t head[9] = { (uint8_t)(type << 5) };

	head[0] |= (uint8_t)(n == 0 ? value : n == 1 ? 24 : n == 2 ? 25 : n == 4 ? 26 : 27);
	for (unsigned i = 0; i < n; i++)
		head[1 + i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return buf_append(out, head, 1 + n);
}

int cbor_put_bytes(struct buf *out, enum cbor_type type, struct span bytes)
{
	int r = cbor_put(out, type, bytes.n);

	return r < 0 ? r : buf_append(out, bytes.p, bytes.n);
}
