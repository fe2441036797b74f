/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TEST_TDX_MAKER_H
#define TOLLGATE_TEST_TDX_MAKER_H

#include "attest/tdx_quote.h"
#include "tests/unit/attest/pki.h"
#include "user/base/digest.h"

/* Quotes and collateral signed by a root of our own that is called as Intel's is. Include after cmocka.h. */
static struct {
	EVP_PKEY *root_key, *ca_key, *pck_key, *signer_key, *ak;
	X509 *root, *ca, *pck, *signer;
	struct buf root_crl, pck_crl, chain, signer_pem;
	struct x509_certs roots;
} tdx_pki;

static const uint8_t pck_oid[] = { 0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01 };

static inline void der_wrap(struct buf *out, uint8_t tag, struct span v)
{
	uint8_t head[4] = { tag, (uint8_t)v.n };
	size_t n = 2;

	if (v.n >= 256) {
		memcpy(head + 1, (uint8_t[]){ 0x82, (uint8_t)(v.n >> 8), (uint8_t)v.n }, 3);
		n = 4;
	} else if (v.n >= 128) {
		memcpy(head + 1, (uint8_t[]){ 0x81, (uint8_t)v.n }, 2);
		n = 3;
	}
	assert_int_equal(buf_append(out, head, n), 0);
	assert_int_equal(buf_append(out, v.p, v.n), 0);
}

/* SEQUENCE { OID prefix.last[.sub], value } */
static inline void pck_pair(struct buf *out, uint8_t last, uint8_t sub, uint8_t tag, struct span v)
{
	struct buf inner = { 0 };
	uint8_t oid[13];

	memcpy(oid, pck_oid, sizeof(pck_oid));
	oid[1] = sub ? 11 : 10;
	oid[11] = last;
	oid[12] = sub;
	assert_int_equal(buf_append(&inner, oid, sub ? 13 : 12), 0);
	der_wrap(&inner, tag, v);
	der_wrap(out, 0x30, buf_span(&inner));
	buf_done(&inner);
}

/* The SGX extension: all sixteen components and PCESVN as given. */
static inline void pck_extension(struct buf *out, uint8_t svn, uint8_t pcesvn, const char *skip)
{
	struct buf list = { 0 }, tcb = { 0 };

	for (uint8_t i = 1; i <= 17; i++)
		if (i != 7 || !strchr(skip, 'm')) /* one missing */
			pck_pair(&tcb, 2, i, 0x02, (struct span){ (char *)(i == 17 ? &pcesvn : &svn), 1 });
	if (strchr(skip, 'D')) /* one twice, one too many */
		pck_pair(&tcb, 2, 7, 0x02, SPAN("\1"));
	if (strchr(skip, 'x'))
		pck_pair(&tcb, 2, 19, 0x02, SPAN("\1"));
	pck_pair(&tcb, 2, 18, 0x04, SPAN("0123456789abcdef"));
	if (!strchr(skip, '1'))
		pck_pair(&list, 1, 0, 0x04, SPAN("ppid-ppid-ppid-p"));
	if (!strchr(skip, '2'))
		pck_pair(&list, 2, 0, 0x30, buf_span(&tcb));
	if (!strchr(skip, '3'))
		pck_pair(&list, 3, 0, 0x04, SPAN("\0\0"));
	if (!strchr(skip, '4'))
		pck_pair(&list, 4, 0, 0x04, SPAN("\xaa\xbb\xcc\0\0\0"));
	if (strchr(skip, 'd')) /* twice */
		pck_pair(&list, 4, 0, 0x04, SPAN("\xaa\xbb\xcc\0\0\1"));
	pck_pair(&list, 5, 0, 0x0a, SPAN("\1"));
	pck_pair(&list, 6, 0, 0x04, SPAN("instance-instanc"));
	der_wrap(out, 0x30, buf_span(&list));
	buf_done(&list);
	buf_done(&tcb);
}

static inline X509 *make_pck(long serial, uint8_t svn, uint8_t pcesvn, const char *skip)
{
	X509 *x = pki_cert("Intel SGX PCK Certificate", tdx_pki.pck_key, tdx_pki.ca, serial, false, true);
	struct buf ext = { 0 };

	pck_extension(&ext, svn, pcesvn, skip);
	pki_raw_ext(x, "1.2.840.113741.1.13.1", buf_span(&ext).p, buf_len(&ext));
	buf_done(&ext);
	return pki_signed(x, tdx_pki.ca_key, PKI_ECDSA_SHA256);
}

static inline void use_pck(X509 *pck)
{
	X509_free(tdx_pki.pck);
	tdx_pki.pck = pck;
	buf_clear(&tdx_pki.chain);
	pki_pem(pck, &tdx_pki.chain);
	pki_pem(tdx_pki.ca, &tdx_pki.chain);
	pki_pem(tdx_pki.root, &tdx_pki.chain);
}

static inline void use_crls(long revoked_pck, long revoked_by_root)
{
	X509_CRL *c = pki_crl(tdx_pki.root, tdx_pki.root_key, PKI_ECDSA_SHA256, revoked_by_root, true);

	buf_clear(&tdx_pki.root_crl);
	buf_clear(&tdx_pki.pck_crl);
	pki_crl_der(c, &tdx_pki.root_crl);
	X509_CRL_free(c);
	c = pki_crl(tdx_pki.ca, tdx_pki.ca_key, PKI_ECDSA_SHA256, revoked_pck, true);
	pki_crl_der(c, &tdx_pki.pck_crl);
	X509_CRL_free(c);
}

static inline int tdx_pki_make(void **state)
{
	EVP_PKEY **keys[] = { &tdx_pki.root_key, &tdx_pki.ca_key, &tdx_pki.pck_key, &tdx_pki.signer_key, &tdx_pki.ak };

	for (unsigned i = 0; i < 5; i++)
		*keys[i] = pki_ec("P-256");
	tdx_pki.root = pki_signed(pki_cert("Intel SGX Root CA", tdx_pki.root_key, NULL, 1, true, true), tdx_pki.root_key, PKI_ECDSA_SHA256);
	tdx_pki.ca = pki_signed(pki_cert("Intel SGX PCK Platform CA", tdx_pki.ca_key, tdx_pki.root, 2, true, true), tdx_pki.root_key,
				PKI_ECDSA_SHA256);
	tdx_pki.signer = pki_signed(pki_cert("Intel SGX TCB Signing", tdx_pki.signer_key, tdx_pki.root, 3, false, true), tdx_pki.root_key,
				    PKI_ECDSA_SHA256);
	pki_pem(tdx_pki.signer, &tdx_pki.signer_pem);
	use_pck(make_pck(10, 5, 11, ""));
	use_crls(-1, -1);
	return x509_certs_ref(&tdx_pki.roots, tdx_pki.root);
}

static inline int tdx_pki_drop(void **state)
{
	EVP_PKEY *keys[] = { tdx_pki.root_key, tdx_pki.ca_key, tdx_pki.pck_key, tdx_pki.signer_key, tdx_pki.ak };
	X509 *certs[] = { tdx_pki.root, tdx_pki.ca, tdx_pki.pck, tdx_pki.signer };
	struct buf *bufs[] = { &tdx_pki.root_crl, &tdx_pki.pck_crl, &tdx_pki.chain, &tdx_pki.signer_pem };

	for (unsigned i = 0; i < 5; i++)
		EVP_PKEY_free(keys[i]);
	for (unsigned i = 0; i < 4; i++)
		X509_free(certs[i]);
	for (unsigned i = 0; i < 4; i++)
		buf_done(bufs[i]);
	x509_certs_done(&tdx_pki.roots);
	return 0;
}

struct quote_make {
	unsigned version;
	enum tdx_body body;
	uint8_t svn[16], svn2[16];
	uint8_t attributes[8]; /* zero: SEPT_VE_DISABLE alone */
	uint8_t servtd, mrsignerseam, seam_attribute;
	uint16_t qe_isvsvn; /* 0: 4 */
	uint8_t qe_prodid; /* 0: 2 */
	bool qe_debug, qe_data_tail, other_ak;
	uint16_t key_type, outer, inner; /* 0: as they must be */
	uint32_t tee;
	bool no_tee;
	unsigned inside; /* bytes behind the chain but inside the signature data */
	unsigned trailing;
	const uint8_t *report_data; /* 64 bytes; NULL: some */
};

static inline void put(struct buf *b, const void *p, size_t n)
{
	assert_int_equal(buf_append(b, p, n), 0);
}

static inline void put_number(struct buf *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++, v >>= 8)
		put(b, (uint8_t[]){ (uint8_t)v }, 1);
}

static inline void put_fill(struct buf *b, uint8_t byte, size_t n)
{
	while (n--)
		put(b, &byte, 1);
}

static inline void put_body(struct buf *b, const struct quote_make *m)
{
	static const uint8_t usual[8] = { 0, 0, 0, 0x10 }, zero[8];

	put(b, m->svn, 16);
	put_fill(b, 0x5e, 48); /* mrseam */
	put_fill(b, m->mrsignerseam, 48);
	put_fill(b, m->seam_attribute, 8);
	put(b, memcmp(m->attributes, zero, 8) ? m->attributes : usual, 8);
	put(b, "\xe7\x02\x06\0\0\0\0\0", 8);
	put_fill(b, 0x17, 48); /* mrtd */
	put_fill(b, 0, 3 * 48);
	for (uint8_t i = 0; i < 4; i++)
		put_fill(b, i == 3 ? 0 : (uint8_t)(0xa0 + i), 48);
	if (m->report_data)
		put(b, m->report_data, 64);
	else
		put_fill(b, 0xda, 64);
	if (m->body == TDX_BODY_10)
		return;
	put(b, m->svn2, 16);
	put_fill(b, m->servtd, 48);
	if (m->body == TDX_BODY_15_EX)
		put_fill(b, 0xee, 885 - 648);
}

static inline void put_qe_report(struct buf *b, const struct quote_make *m, const uint8_t ak[64])
{
	uint8_t bound[64 + 32], digest[32];

	memcpy(bound, ak, 64);
	memset(bound + 64, 0x0a, 32);
	sha256(bound, sizeof(bound), digest);
	put_fill(b, 5, 16);
	put_fill(b, 0, 32);
	put(b, m->qe_debug ? "\x13" : "\x11", 1);
	put_fill(b, 0, 15 + 64);
	put_fill(b, 0xdc, 32);
	put_fill(b, 0, 96);
	put_number(b, m->qe_prodid ? m->qe_prodid : 2, 2);
	put_number(b, m->qe_isvsvn ? m->qe_isvsvn : 4, 2);
	put_fill(b, 0, 60);
	put(b, digest, 32);
	put_fill(b, m->qe_data_tail, 32);
}

static inline void raw_point(EVP_PKEY *key, uint8_t ret[64])
{
	unsigned char *p = NULL;
	size_t n = EVP_PKEY_get1_encoded_public_key(key, &p);

	assert_int_equal(n, 65);
	memcpy(ret, p + 1, 64);
	OPENSSL_free(p);
}

static inline void make_quote(struct buf *out, const struct quote_make *m)
{
	struct buf auth = { 0 }, inner = { 0 };
	uint8_t ak[64], sig[64];
	EVP_PKEY *stranger = NULL;

	put_number(out, m->version, 2);
	put_number(out, m->key_type ? m->key_type : 2, 2);
	put_number(out, m->no_tee ? 0 : m->tee ? m->tee : 0x81, 4);
	put_number(out, 0, 4);
	put(out, "\x93\x9a\x72\x33\xf7\x9c\x4c\xa9\x94\x0a\x0d\xb3\x95\x7f\x06\x07", 16);
	put_fill(out, 0, 20);
	if (m->version == 5) {
		put_number(out, m->body, 2);
		put_number(out, m->body == TDX_BODY_10 ? 584 : m->body == TDX_BODY_15 ? 648 : 885, 4);
	}
	put_body(out, m);
	raw_point(tdx_pki.ak, ak);
	if (m->other_ak)
		stranger = pki_ec("P-256");
	pki_raw_sign(stranger ? stranger : tdx_pki.ak, EVP_sha256(), buf_span(out).p, buf_len(out), sig, 32);
	put(&auth, sig, 64);
	if (stranger) /* its own key, which the quoting enclave did not vouch for */
		raw_point(stranger, sig);
	put(&auth, stranger ? sig : ak, 64);
	EVP_PKEY_free(stranger);
	put_qe_report(&inner, m, ak);
	pki_raw_sign(tdx_pki.pck_key, EVP_sha256(), buf_span(&inner).p, buf_len(&inner), sig, 32);
	put(&inner, sig, 64);
	put_number(&inner, 32, 2);
	put_fill(&inner, 0x0a, 32);
	put_number(&inner, m->inner ? m->inner : 5, 2);
	put_number(&inner, buf_len(&tdx_pki.chain) + 1, 4);
	put(&inner, buf_span(&tdx_pki.chain).p, buf_len(&tdx_pki.chain));
	put_fill(&inner, 0, 1);
	put_number(&auth, m->outer ? m->outer : 6, 2);
	put_number(&auth, buf_len(&inner), 4);
	put(&auth, buf_span(&inner).p, buf_len(&inner));
	put_fill(&auth, 0, m->inside);
	put_number(out, buf_len(&auth), 4);
	put(out, buf_span(&auth).p, buf_len(&auth));
	put_fill(out, 0x77, m->trailing);
	buf_done(&auth);
	buf_done(&inner);
}

/* {"member":BODY,"signature":"..."} */
static inline void make_statement(struct buf *out, const char *member, const char *body)
{
	uint8_t sig[64];
	char hex[129];

	pki_raw_sign(tdx_pki.signer_key, EVP_sha256(), body, strlen(body), sig, 32);
	hex_encode(sig, 64, hex);
	buf_clear(out);
	assert_int_equal(buf_printf(out, "{\"%s\":%s,\"signature\":\"%s\"}", member, body, hex), 0);
}

#define ZERO48 "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
#define DATES "\"issueDate\":\"2025-06-01T00:00:00Z\",\"nextUpdate\":\"2025-07-01T00:00:00Z\",\"tcbEvaluationDataNumber\":17,"

/* One platform level: all SGX components at least sgx, PCESVN, TDX components 0, 1 and 2. */
static inline void put_level(struct buf *b, unsigned sgx, unsigned pcesvn, const unsigned tdx[3], const char *status, const char *more)
{
	assert_int_equal(buf_append_str(b, "{\"tcb\":{\"sgxtcbcomponents\":["), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(buf_printf(b, "%s{\"svn\":%u}", i ? "," : "", sgx), 0);
	assert_int_equal(buf_printf(b, "],\"pcesvn\":%u,\"tdxtcbcomponents\":[", pcesvn), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(buf_printf(b, "%s{\"svn\":%u}", i ? "," : "", i < 3 ? tdx[i] : 0), 0);
	assert_int_equal(buf_printf(b, "]},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"%s\"%s}", status, more), 0);
}

static inline void put_tcb_head(struct buf *b)
{
	assert_int_equal(buf_append_str(b, "{\"id\":\"TDX\",\"version\":3," DATES "\"fmspc\":\"AABBCC000000\",\"pceId\":\"0000\",\"tcbType\":0,"
					   "\"tdxModule\":{\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\","
					   "\"attributesMask\":\"FFFFFFFFFFFFFFFF\"},"), 0);
}

/* Module 1: current from 6, old from 4, revoked below; with the statuses given. */
static inline void put_module(struct buf *b, const char *new_status, const char *old_status)
{
	assert_int_equal(buf_printf(b, "\"tdxModuleIdentities\":[{\"id\":\"TDX_01\",\"mrsigner\":\"" ZERO48 "\",\"attributes\":\"0000000000000000\","
				       "\"attributesMask\":\"FFFFFFFFFFFFFFFF\",\"tcbLevels\":[{\"tcb\":{\"isvsvn\":6},\"tcbStatus\":\"%s\"},"
				       "{\"tcb\":{\"isvsvn\":4},\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00002\"]},"
				       "{\"tcb\":{\"isvsvn\":2},\"tcbStatus\":\"Revoked\"}]}],", new_status, old_status), 0);
}

static inline void make_identity(struct buf *out, const char *status)
{
	char body[1024];

	(void)snprintf(body, sizeof(body),
		       "{\"id\":\"TD_QE\",\"version\":2," DATES "\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
		       "\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
		       "\"mrsigner\":\"dcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc\",\"isvprodid\":2,"
		       "\"tcbLevels\":[{\"tcb\":{\"isvsvn\":4},\"tcbStatus\":\"%s\",\"advisoryIDs\":[\"INTEL-SA-00003\"]},"
		       "{\"tcb\":{\"isvsvn\":2},\"tcbStatus\":\"OutOfDate\"}]}", status);
	make_statement(out, "enclaveIdentity", body);
}

#endif
