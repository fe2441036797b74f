/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_EXPLAIN_VALUE_H
#define TOLLGATE_POLICY_EXPLAIN_VALUE_H

#include "policy/request.h"
#include "user/base/buf.h"

/* Appends a value as a policy would write it, cut at max bytes with "..." behind. Of extension values,
 * which have no one text, what they are made of. 0, -ENOMEM. */
int explain_value(struct buf *out, const struct cedar_request *rq, struct cval v, size_t max);

#endif
