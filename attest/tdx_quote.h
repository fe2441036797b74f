/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TDX_QUOTE_H
#define TOLLGATE_ATTEST_TDX_QUOTE_H

#include <stdint.h>

#include "user/base/span.h"

/* A quote of Intel TDX: "Intel TDX DCAP Quoting Library API", quote formats 4 and 5, signed with ECDSA
 * P-256 by Intel's quoting enclave and certified by a chain of PCK certificates. */
enum tdx_body {
	TDX_BODY_10 = 2, /* TD report 1.0; the only one in format 4 */
	TDX_BODY_15 = 3, /* with a second TEE_TCB_SVN and MRSERVICETD */
	TDX_BODY_15_EX = 4, /* 237 bytes more, which are kept but not understood */
};

#define TDX_RTMRS 4
#define TDX_SVN_SIZE 16
#define TDX_QE_REPORT_SIZE 384

/* Bits of TDATTRIBUTES. */
#define TDX_ATTR_DEBUG 1ull
#define TDX_ATTR_UNTRUSTED 0xffull /* with any of these the TD does not keep its secrets */
#define TDX_ATTR_SEPT_VE_DISABLE (1ull << 28)
#define TDX_ATTR_MIGRATABLE (1ull << 29)
#define TDX_ATTR_KNOWN (TDX_ATTR_DEBUG | 1ull << 28 | 1ull << 29 | 1ull << 30 | 1ull << 31 | 1ull << 63)

struct tdx_quote {
	unsigned version;
	enum tdx_body body_type;
	struct span user_data;
	struct span svn, mrseam, mrsignerseam, seam_attributes, xfam, mrtd, mrconfigid, mrowner, mrownerconfig;
	struct span rtmr[TDX_RTMRS], report_data;
	uint64_t td_attributes;
	struct span svn2, mrservicetd; /* empty in TDX_BODY_10 */
	struct span extension; /* TDX_BODY_15_EX */
	struct span signed_bytes, signature, attestation_key;
	struct span qe_report, qe_signature, qe_auth, pck_chain;
	size_t trailing; /* bytes behind the quote: real ones have padding, which nothing signs or reads */
};

/* Parses strictly but for trailing bytes. The spans lie in the input. 0, or -EBADMSG with a code and a
 * reason, both static. */
int tdx_quote_parse(struct span in, struct tdx_quote *ret, const char **ret_code, const char **ret_why);

/* What Intel's certificates look at in the report of an enclave (SGX REPORT body). */
struct tdx_qe_report {
	struct span miscselect, attributes, mrsigner, report_data;
	uint16_t isvprodid, isvsvn;
};
void tdx_qe_report_parse(struct span report, struct tdx_qe_report *ret);

#endif
