/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_NET_NAME_H
#define TOLLGATE_NET_NAME_H

#include "user/base/span.h"

#define NAME_SIZE 254 /* with its NUL: RFC 1035 2.3.4 leaves 253 characters for a name's text */
#define NAME_LABEL_MAX 63

/*
 * Reads a host name in the one spelling that is compared and judged: lower case, labels of 1 to 63
 * letters, digits, '-' and '_', no dot at the end. 0, or -EBADMSG (ret untouched) for anything else,
 * also for what a client may take for an address because its last label is a number.
 */
int name_read(struct span in, char ret[NAME_SIZE]);

#endif
