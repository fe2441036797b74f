/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ATTEST_TDX_PCK_H
#define TOLLGATE_ATTEST_TDX_PCK_H

#include <stdint.h>

#include "attest/x509.h"

/* The SGX extension of a PCK certificate ("Intel SGX PCK Certificate and CRL Profile", 1.2.840.113741.1.13.1):
 * which platform, and at which security version, the certified key belongs to. */
struct tdx_pck {
	uint8_t svn[16];
	uint32_t pcesvn;
	struct span cpusvn, ppid, pceid, fmspc;
	struct span platform_instance; /* empty: of a processor, not of a multi-package platform */
};

/* The spans lie in the certificate. 0, or -EBADMSG when it is missing, malformed or incomplete. */
int tdx_pck_parse(const X509 *cert, struct tdx_pck *ret);

#endif
