// SPDX-License-Identifier: Apache-2.0
/*
 * Evidence for a nonce, which the notary makes: the query role has no hardware and no key.
 */
#include <errno.h>

#include "user/base/digest.h"
#include "user/query/query.h"
#include "user/query/request.h"

void answer_evidence(struct request *q)
{
	static const char *const names[] = { "nonce", NULL };
	const struct answer_param *p = request_param(q, "nonce");
	uint8_t nonce[QUERY_NONCE_MAX];
	int r;

	if (!request_known(q, names))
		return;
	if (!p || p->value.n == 0 || p->value.n > 2 * sizeof(nonce) ||
	    hex_decode(p->value.p, p->value.n, nonce, p->value.n / 2) < 0) {
		request_refuse(q, 400, "nonce is 2 to 128 hex digits of the asker's choice");
		return;
	}
	r = q->src->evidence ? q->src->evidence(q->src->arg, (struct span){ (const char *)nonce, p->value.n / 2 },
						&q->out->body) : -EOPNOTSUPP;
	if (r == 0)
		q->out->status = 200;
	else if (r == -EBUSY)
		request_refuse(q, 503,
			       "evidence was made just now, and takes the notary's time: ask again in a few seconds");
	else
		request_refuse(q, 500, "the notary makes no evidence now; its log says why");
}
