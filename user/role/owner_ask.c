// SPDX-License-Identifier: Apache-2.0
/*
 * Questions that outlive the supervisor they were asked of. Runs in the proxy.
 */
#include "user/role/owner_ask.h"

#include <errno.h>
#include <stdlib.h>

#include "user/role/member.h"

#define ASKS_MAX 4096 /* connections of one proxy that wait at once; the supervisor answers within milliseconds */

struct owner_ask {
	struct owner_ask *next;
	uint64_t token;
	struct msg_owner body;
};

int owner_ask(struct owner_asks *q, struct member *m, uint64_t token, const struct msg_owner *body)
{
	struct owner_ask *a;
	int r;

	if (q->n == ASKS_MAX)
		return -ENOBUFS;
	a = malloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	/* Between two supervisors nobody hears it: it waits for the next one. */
	r = member_tell(m, MSG_OWNER, token, body, sizeof(*body));
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
		free(a);
		return r;
	}
	*a = (struct owner_ask){ .next = q->open, .token = token, .body = *body };
	q->open = a;
	q->n++;
	return 0;
}

void owner_answered(struct owner_asks *q, uint64_t token)
{
	for (struct owner_ask **at = &q->open, *a; (a = *at); at = &a->next)
		if (a->token == token) {
			*at = a->next;
			q->n--;
			free(a);
			return;
		}
}

void owner_ask_again(struct owner_asks *q, struct member *m)
{
	for (struct owner_ask *a = q->open; a; a = a->next)
		(void)member_tell(m, MSG_OWNER, a->token, &a->body, sizeof(a->body)); /* or of the next one */
}
