/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_ESCAPE_H
#define TOLLGATE_POLICY_ESCAPE_H

#include "policy/pattern.h"
#include "user/base/buf.h"

/*
 * Strings and patterns as Cedar's SDK prints them, which is how Rust escapes for debugging: quotes,
 * backslash and the common controls by letter; what does not print, and what would join the character
 * before it when there is none, as \u{...}.
 */

/* Without quotes. 0, -ENOMEM, -EMSGSIZE; s must be valid UTF-8. */
int escape_string(struct buf *out, struct span s);
/* In a pattern each character counts as the first, a star is \*, a wildcard *. */
int escape_pattern(struct buf *out, const struct pattern *p);

#endif
