// SPDX-License-Identifier: Apache-2.0
/*
 * What Intel writes into PCK certificates.
 */
#include "attest/tdx_pck.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "attest/bytes.h"

#define OID_SGX "1.2.840.113741.1.13.1"
#define TAG_INTEGER 0x02
#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30

static const uint8_t oid_prefix[] = { 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };

/* One DER element of a known tag with a definite, shortest length. */
static struct span der_take(struct bytes *b, uint8_t tag)
{
	uint8_t got = bytes_u8(b);
	size_t n = bytes_u8(b);

	if (n == 0x81) {
		n = bytes_u8(b);
		b->failed |= n < 0x80;
	} else if (n == 0x82) {
		n = bytes_u16be(b);
		b->failed |= n < 0x100;
	} else if (n >= 0x80) {
		b->failed = true;
	}
	b->failed |= got != tag;
	return bytes_take(b, n);
}

/* SEQUENCE { OID below the prefix, value }: gives the rest of the OID, and the value to read. */
static struct span pair_take(struct bytes *b, struct bytes *ret_value)
{
	struct bytes pair = bytes_of(der_take(b, TAG_SEQUENCE));
	struct span oid = der_take(&pair, TAG_OID);

	b->failed |= pair.failed || oid.n <= sizeof(oid_prefix) ||
		     memcmp(oid.p, oid_prefix, sizeof(oid_prefix)) != 0;
	*ret_value = pair;
	if (b->failed)
		return (struct span){ 0 };
	return (struct span){ oid.p + sizeof(oid_prefix), oid.n - sizeof(oid_prefix) };
}

static int read_integer(struct bytes *value, uint32_t max, uint32_t *ret)
{
	struct span v = der_take(value, TAG_INTEGER);
	uint32_t n = 0;

	if (v.n == 0 || v.n > 4 || (uint8_t)v.p[0] >= 0x80)
		return -EBADMSG;
	for (size_t i = 0; i < v.n; i++)
		n = n << 8 | (uint8_t)v.p[i];
	*ret = n;
	return n <= max ? bytes_end(value) : -EBADMSG;
}

static int read_octets(struct bytes *value, size_t size, struct span *ret)
{
	struct span v = der_take(value, TAG_OCTETS);

	if (v.n != size || ret->n > 0) /* a second one could mean another platform */
		return -EBADMSG;
	*ret = v;
	return bytes_end(value);
}

/* .2: sixteen components, PCESVN (.17), CPUSVN (.18). */
static int read_tcb(struct bytes *value, struct tdx_pck *p)
{
	struct bytes list = bytes_of(der_take(value, TAG_SEQUENCE));
	uint32_t seen = 0;
	int r = bytes_end(value);

	while (r == 0 && list.n > 0 && !list.failed) {
		struct bytes v;
		struct span oid = pair_take(&list, &v);
		uint8_t last = oid.n == 2 && oid.p[0] == 2 ? (uint8_t)oid.p[1] : 0;
		uint32_t svn = 0;

		if (last < 1 || last > 18 || seen & 1u << last)
			return -EBADMSG;
		seen |= 1u << last;
		if (last <= 16)
			r = read_integer(&v, 255, &svn);
		else if (last == 17)
			r = read_integer(&v, 65535, &p->pcesvn);
		else
			r = read_octets(&v, 16, &p->cpusvn);
		if (last <= 16)
			p->svn[last - 1] = (uint8_t)svn;
	}
	return r == 0 && !list.failed && seen == 0x7fffe ? 0 : -EBADMSG;
}

static int read_member(uint8_t which, struct bytes *value, struct tdx_pck *p, bool *tcb)
{
	switch (which) {
	case 1:
		return read_octets(value, 16, &p->ppid);
	case 2:
		if (*tcb)
			return -EBADMSG;
		*tcb = true;
		return read_tcb(value, p);
	case 3:
		return read_octets(value, 2, &p->pceid);
	case 4:
		return read_octets(value, 6, &p->fmspc);
	case 6:
		return read_octets(value, 16, &p->platform_instance);
	default:
		return 0; /* kind of SGX, configuration, and what may come */
	}
}

int tdx_pck_parse(const X509 *cert, struct tdx_pck *ret)
{
	struct tdx_pck p = { 0 };
	struct bytes outer, list;
	bool tcb = false;
	struct span ext;
	int r;

	if (x509_extension(cert, OID_SGX, &ext) < 0)
		return -EBADMSG;
	outer = bytes_of(ext);
	list = bytes_of(der_take(&outer, TAG_SEQUENCE));
	r = bytes_end(&outer);
	while (r == 0 && list.n > 0 && !list.failed) {
		struct bytes value;
		struct span oid = pair_take(&list, &value);

		if (oid.n > 0)
			r = oid.n == 1 ? read_member((uint8_t)oid.p[0], &value, &p, &tcb) : 0;
	}
	if (r < 0 || list.failed || !tcb || !p.ppid.n || !p.pceid.n || !p.fmspc.n)
		return -EBADMSG;
	*ret = p;
	return 0;
}
