/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_BASE64_H
#define TOLLGATE_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/span.h"

/* Standard base64 with padding, RFC 4648 section 4. */
int base64_append(struct buf *out, const void *p, size_t n);

/* Decodes canonical text only: no white space, right padding, unused bits zero. ret has room for max
 * bytes. 0, -EINVAL when malformed, -EMSGSIZE when there are more than max. */
int base64_decode(struct span text, void *ret, size_t max, size_t *ret_n);

#endif
