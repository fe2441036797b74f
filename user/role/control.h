/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONTROL_H
#define TOLLGATE_CONTROL_H

#include <stdbool.h>
#include <sys/types.h>

#include "user/base/span.h"

struct loop;
struct control;
struct control_peer;

#define CONTROL_LINE_MAX 4096
#define CONTROL_PEERS_MAX 64

/*
 * The control socket: a peer sends one line, words separated by one space, and gets one JSON document
 * back. Runs in the supervisor. Who asks is known from the kernel, not from what is sent.
 */
struct control_ops {
	/* May this process ask at all? A refusal is answered as such. */
	bool (*allowed)(pid_t pid, uid_t uid, void *arg);
	/* words are NUL-terminated and valid during the call. Answer now or later, exactly once, with
	 * control_reply(); the peer stays valid until then. */
	void (*request)(struct control_peer *p, unsigned nwords, char **words, void *arg);
};

/* Creates and listens on path (mode 0660, removing a stale socket). 0 or -errno. */
int control_new(struct loop *l, const char *path, const struct control_ops *ops, void *arg,
		struct control **ret);
void control_free(struct control *c);

pid_t control_peer_pid(const struct control_peer *p);
/* A descriptor of the peer's process, borrowed, or -1 where the kernel gives none. */
int control_peer_pidfd(const struct control_peer *p);

/* Sends the document and ends the exchange; the peer is gone afterwards. */
void control_reply(struct control_peer *p, struct span json);
/* {"error":{"object":..,"action":..,"reason":..}} */
void control_refuse(struct control_peer *p, const char *object, const char *action,
		    const char *reason);

#endif
