/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_ESTATE_H
#define TOLLGATE_ESTATE_H

#include "user/base/digest.h"
#include "user/role/kept.h"
#include "user/role/msg.h"

/*
 * What one keeper leaves to the program that replaces it by execve() in the same process: its children, the channels
 * to them, and the descriptors that it holds. The process stays their parent, so nobody ends with it. The table lies
 * in a sealed memfd and is taken over whole or not at all.
 */
#define ESTATE_ROLES_MAX 80 /* supervisor, canary, injector, notary, query, and up to 64 proxies with room to spare */

struct estate_child {
	struct msg_spawn spec;
	int32_t pid; /* 0: it was not running */
	int32_t fd; /* channel; -1 when it was not running */
};

struct estate {
	unsigned nchildren; /* the first is the supervisor */
	struct estate_child children[ESTATE_ROLES_MAX];
	struct kept_set kept;
};

/* What roles of two programs must agree on to talk: every message's layout, and what proxies and injector are told by
 * kernel programs, as 64 hex digits. Another one cannot take over. */
void estate_layout(char ret[2 * SHA256_SIZE + 1]);

/* The table, as a descriptor that execve() closes as it closes the others: the caller unsets that. Or -errno. */
int estate_write(const struct estate *h);

/*
 * Takes over what the table says, if all of it holds: it is whole, sealed and of this layout; each process is a child
 * of ours; each descriptor is the very object that was written down, and close-on-exec from now on. fd is borrowed.
 * 0, or -EPROTO with a reason, and then nothing was taken.
 */
int estate_read(int fd, struct estate *ret, const char **ret_why);

#endif
