/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_OWNER_ASK_H
#define TOLLGATE_OWNER_ASK_H

#include <stdbool.h>
#include <stdint.h>

struct member;
struct msg_owner;
struct owner_ask;

/* A proxy's questions to the supervisor about who listens at an address. A connection waits for each, so none may be
 * lost with the supervisor it was asked of: they are kept until they are answered. Zeroed memory is none. */
struct owner_asks {
	struct owner_ask *open;
	unsigned n;
};

/* 0, also when there is no supervisor at the moment; or -errno: the question was not asked. */
int owner_ask(struct owner_asks *q, struct member *m, uint64_t token, const struct msg_owner *body);

/* The answer to token is there. */
void owner_answered(struct owner_asks *q, uint64_t token);

/* Another supervisor is there: it is asked all that the one before did not answer. */
void owner_ask_again(struct owner_asks *q, struct member *m);

#endif
