/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_KEPT_H
#define TOLLGATE_KEPT_H

#include "user/role/msg.h"

/*
 * Descriptors that the keeper holds for others, by name. Listeners are also put into the service manager's store, if
 * there is one (sd_notify(3), FDSTORE=1): connections wait in them over a restart of the whole node. Rings are not:
 * their producers end with it, and what is in them is written before that.
 */
#define KEPT_MAX 4096 /* listeners of all agents and namespaces, rings; FileDescriptorStoreMax= of the unit */

struct kept {
	char key[MSG_KEY_MAX];
	int fd;
};

struct kept_set {
	struct kept v[KEPT_MAX];
	unsigned n;
};

/* Takes fd, in place of what had that name. 0, or -ENOSPC, and fd is still the caller's. */
int kept_put(struct kept_set *set, const char *key, int fd);
/* Closes and forgets; a name that is none is fine. */
void kept_drop(struct kept_set *set, const char *key);

/* What the service manager gives back at the start. Only names are looked at: what each is, the supervisor checks. */
void kept_from_store(struct kept_set *set);

#endif
