// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes of a TDX quote.
 */
#include "attest/tdx_quote.h"

#include <errno.h>

#include "attest/bytes.h"

#define KEY_ECDSA_P256 2
#define TEE_SGX 0
#define TEE_TDX 0x81
#define CERT_PCK_CHAIN 5
#define CERT_QE_REPORT 6
#define BODY_SGX 1

static const uint8_t intel_vendor[16] = {
	0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
	0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
};

static int bad(const char **code, const char **why, const char *c, const char *w)
{
	*code = c;
	*why = w;
	return -EBADMSG;
}

static uint32_t body_size(unsigned type)
{
	return type == TDX_BODY_10    ? 584 :
	       type == TDX_BODY_15    ? 648 :
	       type == TDX_BODY_15_EX ? 885 :
					0;
}

static void read_body(struct span body, struct tdx_quote *q)
{
	struct bytes b = bytes_of(body);

	q->svn = bytes_take(&b, TDX_SVN_SIZE);
	q->mrseam = bytes_take(&b, 48);
	q->mrsignerseam = bytes_take(&b, 48);
	q->seam_attributes = bytes_take(&b, 8);
	q->td_attributes = bytes_u64le(&b);
	q->xfam = bytes_take(&b, 8);
	q->mrtd = bytes_take(&b, 48);
	q->mrconfigid = bytes_take(&b, 48);
	q->mrowner = bytes_take(&b, 48);
	q->mrownerconfig = bytes_take(&b, 48);
	for (unsigned i = 0; i < TDX_RTMRS; i++)
		q->rtmr[i] = bytes_take(&b, 48);
	q->report_data = bytes_take(&b, 64);
	if (q->body_type == TDX_BODY_10)
		return;
	q->svn2 = bytes_take(&b, TDX_SVN_SIZE);
	q->mrservicetd = bytes_take(&b, 48);
	q->extension = bytes_take(&b, b.n);
}

/* Two certifications, one inside the other: the quoting enclave's report holds the attestation key, and
 * the PCK certificates hold the key that signed that report. */
static int read_auth(struct span auth, struct tdx_quote *q)
{
	struct bytes b = bytes_of(auth), inner;
	uint16_t outer_type, inner_type;

	q->signature = bytes_take(&b, 64);
	q->attestation_key = bytes_take(&b, 64);
	outer_type = bytes_u16le(&b);
	inner = bytes_of(bytes_lp32le(&b));
	if (bytes_end(&b) < 0 || outer_type != CERT_QE_REPORT)
		return -EBADMSG;
	q->qe_report = bytes_take(&inner, TDX_QE_REPORT_SIZE);
	q->qe_signature = bytes_take(&inner, 64);
	q->qe_auth = bytes_lp16le(&inner);
	inner_type = bytes_u16le(&inner);
	q->pck_chain = bytes_lp32le(&inner);
	return inner_type == CERT_PCK_CHAIN ? bytes_end(&inner) : -EBADMSG;
}

static int read_header(struct bytes *b, struct tdx_quote *q, const char **code, const char **why)
{
	uint16_t key_type;
	uint32_t tee;
	struct span vendor;

	q->version = bytes_u16le(b);
	key_type = bytes_u16le(b);
	tee = bytes_u32le(b);
	(void)bytes_take(b, 4); /* QE_SVN and PCE_SVN, reserved in TDX quotes */
	vendor = bytes_take(b, sizeof(intel_vendor));
	q->user_data = bytes_take(b, 20);
	if (b->failed)
		return bad(code, why, "truncated", "the quote ends inside its header");
	if (q->version == 3 || (q->version <= 5 && tee == TEE_SGX))
		return bad(code, why, "sgx-quote", "this is a quote of SGX, not of TDX");
	if (q->version != 4 && q->version != 5)
		return bad(code, why, "unknown-version", "quote formats 4 and 5 are known");
	if (tee != TEE_TDX)
		return bad(code, why, "unknown-tee", "the quote is of another kind of environment");
	if (key_type != KEY_ECDSA_P256)
		return bad(code, why, "unknown-algorithm",
			   "the attestation key is not ECDSA P-256");
	if (memcmp(vendor.p, intel_vendor, sizeof(intel_vendor)) != 0)
		return bad(code, why, "unknown-vendor", "the quoting enclave is not Intel's");
	return 0;
}

int tdx_quote_parse(struct span in, struct tdx_quote *ret, const char **ret_code,
		    const char **ret_why)
{
	struct bytes b = bytes_of(in);
	struct tdx_quote q = { 0 };
	struct span body, auth;
	uint32_t type = TDX_BODY_10, size;
	int r;

	/* A tag of COSE_Sign1 or CWT: quotes of platforms with DICE. */
	if (in.n > 0 &&
	    ((uint8_t)in.p[0] == 0xd2 || (uint8_t)in.p[0] == 0xd8 || (uint8_t)in.p[0] == 0xd9))
		return bad(ret_code, ret_why, "unsupported-format",
			   "a quote in COSE is not supported");
	r = read_header(&b, &q, ret_code, ret_why);
	if (r < 0)
		return r;
	size = body_size(type);
	if (q.version == 5) {
		type = bytes_u16le(&b);
		size = bytes_u32le(&b);
	}
	if (type == BODY_SGX)
		return bad(ret_code, ret_why, "sgx-quote",
			   "the body is a report of an SGX enclave");
	if (body_size(type) == 0 || size != body_size(type))
		return bad(ret_code, ret_why, "unknown-body",
			   "the type of the body is not known or its size is wrong");
	q.body_type = (enum tdx_body)type;
	body = bytes_take(&b, size);
	if (b.failed)
		return bad(ret_code, ret_why, "truncated", "the quote ends inside its body");
	q.signed_bytes = (struct span){ in.p, in.n - b.n };
	read_body(body, &q);
	auth = bytes_lp32le(&b);
	if (b.failed)
		return bad(ret_code, ret_why, "truncated", "the quote ends inside its signature");
	if (read_auth(auth, &q) < 0)
		return bad(ret_code, ret_why, "bad-certification",
			   "the certification data is not a QE report with a PCK chain, exactly");
	q.trailing = b.n;
	*ret = q;
	return 0;
}

void tdx_qe_report_parse(struct span report, struct tdx_qe_report *ret)
{
	struct bytes b = bytes_of(report);

	(void)bytes_take(&b, 16); /* CPUSVN */
	ret->miscselect = bytes_take(&b, 4);
	(void)bytes_take(&b, 28);
	ret->attributes = bytes_take(&b, 16);
	(void)bytes_take(&b, 64); /* MRENCLAVE and reserved */
	ret->mrsigner = bytes_take(&b, 32);
	(void)bytes_take(&b, 96);
	ret->isvprodid = bytes_u16le(&b);
	ret->isvsvn = bytes_u16le(&b);
	(void)bytes_take(&b, 60);
	ret->report_data = bytes_take(&b, 64);
}
