/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_PEEK_H
#define TOLLGATE_PEEK_H

#include "user/role/msg.h"

/* Looks at what lies unread in a pipe or socket, without taking it, and at the kernel's copy of what was
 * written: is any line of it JSON-RPC? Runs in the proxy. */
void peek_classify(const struct msg_look *p, int fd, struct msg_looked *ret);

#endif
