/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MEMBER_H
#define TOLLGATE_MEMBER_H

#include "user/role/ipc.h"
#include "user/role/msg.h"
#include "user/role/sandbox.h"

struct loop;

/*
 * What every role but keeper and supervisor has in common: its life begins with the keeper's MSG_SPAWN,
 * then it gives up what it does not need, then it listens to the supervisor, who may die and come back.
 */
struct member {
	struct loop *loop;
	struct ipc *keeper;
	struct ipc *supervisor; /* NULL while there is none */
	struct msg_spawn spec;
	const struct member_ops *ops;
	void *arg;
};

struct member_ops {
	/* A new supervisor is there (the first, or after a restart). May be NULL. */
	int (*joined)(struct member *m, void *arg);
	/* A message from the supervisor; negative: malformed. */
	int (*message)(struct member *m, struct ipc_msg *msg, void *arg);
	/* SIGTERM: finish what must be finished, then loop_stop(). NULL: stop at once. */
	void (*terminate)(struct member *m, void *arg);
};

/* Receives the spec. Runs before anything is dropped; 0 or -errno. */
int member_init(struct member *m, enum role role);

/* Enters the sandbox for good and connects to the keeper. What must be opened as the role's own user is
 * opened between this and member_run(). 0, or -errno after a message was logged. */
int member_enter(struct member *m, const struct sandbox_spec *sandbox, const struct member_ops *ops,
		 void *arg);

/* Runs the loop until it is stopped. Returns the role's exit status. */
int member_run(struct member *m);

/* Sends to the supervisor; without one the message is dropped and -EPIPE returned. */
int member_tell(struct member *m, uint32_t type, uint64_t cookie, const void *body, size_t len);

/* Every text in it ends inside its array, every number is in range. */
bool setup_valid(const struct msg_setup *s);

#endif
