/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_AZURE_EVIDENCE_H
#define TOLLGATE_AZURE_EVIDENCE_H

#include <jansson.h>
#include <stdbool.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/*
 * Evidence of an Azure confidential guest as one JSON object. Three forms are in use:
 *
 *  {"version":1,"hcl_report":B64,"tpm_quote":{"message":HEX,"signature":HEX,"pcrs":[HEX…]},
 *   "vcek":B64 of DER | "td_quote":B64}, perhaps inside {"platform":…,"evidence":{…}};
 *  {"report":[BYTE…],"quote":{"message":[BYTE…],"signature":[BYTE…],"pcrs":[[BYTE…]…]},"vcek":PEM};
 *  {"v":1,"snp_report":B64,"runtime_data":B64,"quote_msg":B64,"quote_sig":B64,"ak_pub_pem":PEM,
 *   "vcek_chain_pem":B64 of PEM}, whose qualifying data is the SHA-256 of the nonce.
 *
 * B64 is base64 in either alphabet, with or without padding.
 */
#define AZURE_EVIDENCE_MAX (1u << 20) /* bytes as numbers take 37 KB */

struct azure_evidence {
	struct buf hcl; /* or, without the paravisor's header, the next two */
	struct buf snp_report, runtime_data;
	struct buf quote, signature, pcrs; /* pcrs may be empty */
	struct buf vcek; /* PEM or DER */
	struct buf td_quote;
	struct buf ak_pem; /* a second statement of the key, or empty */
	bool nonce_hashed;
};

/* 0, -EBADMSG when it is none of the forms, -ENOMEM. *ret is to be done in any case. */
int azure_evidence_parse(struct span json, struct azure_evidence *ret);
void azure_evidence_done(struct azure_evidence *e);

/* Appends the bytes of a base64 string. 0, -EBADMSG. */
int azure_base64(const json_t *v, struct buf *out);

#endif
