// SPDX-License-Identifier: Apache-2.0
/*
 * What AMD writes into the certificates of report-signing keys.
 */
#include "attest/snp_cert.h"

#include <errno.h>
#include <string.h>

#include "attest/bytes.h"
#include "user/base/cleanup.h"

#define OID_AMD "1.3.6.1.4.1.3704.1."
#define GUID_SIZE 16
#define TABLE_ROWS_MAX 64 /* hosts give at most four */

static int bad(const char **code, const char **why, const char *c, const char *w)
{
	*code = c;
	*why = w;
	return -EBADMSG;
}

/* A DER INTEGER from 0 to 255. */
static int read_spl(struct span v, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)v.p;

	if (v.n == 3 && p[0] == 2 && p[1] == 1 && p[2] < 0x80)
		*ret = p[2];
	else if (v.n == 4 && p[0] == 2 && p[1] == 2 && p[2] == 0 && p[3] >= 0x80)
		*ret = p[3];
	else
		return -EBADMSG;
	return 0;
}

static int spl(const X509 *leaf, const char *oid, uint32_t *ret)
{
	struct span v;
	int r = x509_extension(leaf, oid, &v);

	return r < 0 ? r : read_spl(v, ret);
}

/* Production certificates carry the bare bytes, some tools an OCTET STRING. The first byte of a bare
 * identifier may well be 4, so the length decides. */
static int read_hwid(struct span v, size_t size, struct span *ret)
{
	if (v.n == size + 2 && v.p[0] == 4 && (uint8_t)v.p[1] == size)
		*ret = (struct span){ v.p + 2, size };
	else if (v.n == size)
		*ret = v;
	else
		return -EBADMSG;
	return 0;
}

/* IA5String, "Milan-B0": the product, perhaps with a stepping. */
static int read_product(struct span v, enum snp_product *ret)
{
	static const char *const names[SNP_PRODUCTS] = { "Milan", "Genoa", "Turin" };

	if (v.n < 2 || v.p[0] != 0x16 || (size_t)(uint8_t)v.p[1] != v.n - 2)
		return -EBADMSG;
	for (unsigned i = 0; i < SNP_PRODUCTS; i++) {
		size_t n = strlen(names[i]);

		if (v.n - 2 >= n && memcmp(v.p + 2, names[i], n) == 0 &&
		    (v.n - 2 == n || v.p[2 + n] == '-')) {
			*ret = (enum snp_product)i;
			return 0;
		}
	}
	return -EBADMSG;
}

static int read_tcb(const X509 *leaf, enum snp_product product, struct snp_tcb *ret)
{
	static const char *const reserved[] = { OID_AMD "3.4", OID_AMD "3.5", OID_AMD "3.6",
						OID_AMD "3.7" };
	struct snp_tcb t = { 0 };
	int r = spl(leaf, OID_AMD "3.1", &t.bootloader);

	if (r == 0)
		r = spl(leaf, OID_AMD "3.2", &t.tee);
	if (r == 0)
		r = spl(leaf, OID_AMD "3.3", &t.snp);
	if (r == 0)
		r = spl(leaf, OID_AMD "3.8", &t.microcode);
	if (r == 0 && product == SNP_TURIN)
		r = spl(leaf, OID_AMD "3.9", &t.fmc);
	/* Reserved components may be absent; a key derived for a value in one is none we can judge. */
	for (size_t i = 0; i < ARRAY_SIZE(reserved) && r == 0; i++) {
		uint32_t v = 0;

		r = spl(leaf, reserved[i], &v);
		r = r == -ENOENT ? 0 : r < 0 ? r : v ? -EBADMSG : 0;
	}
	*ret = t;
	return r;
}

int snp_cert_parse(const X509 *leaf, struct snp_cert *ret, const char **ret_code,
		   const char **ret_why)
{
	const X509_NAME *subject = X509_get_subject_name(leaf);
	struct snp_cert c = { 0 };
	struct span v;
	int r;

	if (x509_cn_is(subject, "SEV-VCEK"))
		c.key = SNP_KEY_VCEK;
	else if (x509_cn_is(subject, "SEV-VLEK"))
		c.key = SNP_KEY_VLEK;
	else
		return bad(ret_code, ret_why, "unknown-leaf",
			   "the certificate is neither SEV-VCEK nor SEV-VLEK");
	if (x509_extension(leaf, OID_AMD "2", &v) < 0 || read_product(v, &c.product) < 0)
		return bad(ret_code, ret_why, "no-product",
			   "its product name is missing or not known");
	if (read_tcb(leaf, c.product, &c.tcb) < 0)
		return bad(ret_code, ret_why, "no-tcb",
			   "an extension with a TCB component is missing or malformed");
	r = x509_extension(leaf, OID_AMD "4", &v);
	if (c.key == SNP_KEY_VCEK &&
	    (r < 0 || read_hwid(v, c.product == SNP_TURIN ? 8 : SNP_HWID_MAX, &c.hwid) < 0))
		return bad(ret_code, ret_why, "no-hwid",
			   "its hardware identifier is missing or malformed");
	if (c.key == SNP_KEY_VLEK && r != -ENOENT)
		return bad(ret_code, ret_why, "hwid-in-vlek",
			   "a VLEK names no chip, but this one does");
	r = x509_extension(leaf, OID_AMD "5", &v);
	if (r == 0 && v.n >= 2 && (size_t)(uint8_t)v.p[1] == v.n - 2)
		c.csp_id = (struct span){ v.p + 2, v.n - 2 };
	else if (r != -ENOENT)
		return bad(ret_code, ret_why, "bad-csp-id", "its provider name is malformed");
	*ret = c;
	return 0;
}

/* GUIDs as they lie in memory: the first three groups little-endian. */
static const uint8_t guids[][GUID_SIZE] = {
	/* VCEK 63da758d-e664-4564-adc5-f4b93be8accd */
	{ 0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
	  0xcd },
	/* VLEK a8074bc2-a25a-483e-aae6-39c045a0b8a1 */
	{ 0xc2, 0x4b, 0x07, 0xa8, 0x5a, 0xa2, 0x3e, 0x48, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8,
	  0xa1 },
	/* ASK 4ab7b379-bbac-4fe4-a02f-05aef327c782 */
	{ 0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
	  0x82 },
	/* ARK c0b406a4-a803-4952-9743-3fb6014cd0ae */
	{ 0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
	  0xae },
};

static bool known_guid(struct span s)
{
	for (size_t i = 0; s.n == GUID_SIZE && i < ARRAY_SIZE(guids); i++)
		if (memcmp(s.p, guids[i], GUID_SIZE) == 0)
			return true;
	return false;
}

static int add_table(struct x509_certs *c, struct span in)
{
	struct bytes b = bytes_of(in);

	for (unsigned row = 0; row < TABLE_ROWS_MAX; row++) {
		struct span guid = bytes_take(&b, GUID_SIZE);
		uint32_t offset = bytes_u32le(&b), length = bytes_u32le(&b);
		struct span trimmed;
		int r;

		if (b.failed)
			return -EBADMSG;
		if (bytes_all_zero(guid))
			return 0;
		if (offset > in.n || length > in.n - offset)
			return -EBADMSG;
		if (length == 0 || !known_guid(guid))
			continue;
		r = x509_der_trim((struct span){ in.p + offset, length }, &trimmed);
		if (r == 0)
			r = x509_certs_add(c, trimmed);
		if (r < 0)
			return r;
	}
	return -EMSGSIZE;
}

int snp_certs_add(struct x509_certs *c, struct span in)
{
	unsigned before = c->n;
	int r = x509_certs_add(c, in);

	if (r != -EBADMSG)
		return r;
	r = add_table(c, in);
	while (r < 0 && c->n > before)
		X509_free(c->cert[--c->n]);
	return r;
}
