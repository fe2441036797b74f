/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_MEDIA_H
#define TOLLGATE_NET_MEDIA_H

#include <stdbool.h>

#include "user/base/span.h"

/* False when a Content-Type names a character set other than UTF-8, or could be read to. JSON has none (RFC 8259 8.1),
 * but there are frameworks that decode a body as its charset says, and in UTF-7 plain ASCII bytes are another text. */
bool http_media_is_utf8(struct span type);

#endif
