// SPDX-License-Identifier: Apache-2.0
/* What the roles below the supervisor may send it, all of them less trusted: a byte for the sender, one for the type,
 * the cookie, the body. Whatever it is, the supervisor lives on and no text of it is read past its end. */
#define sup_proxy_of fuzz_proxy_of
#define sup_members_again fuzz_members_again
#define sup_proxy_that_judges fuzz_proxy_that_judges
#define sup_keep fuzz_keep
#define sup_unkeep fuzz_unkeep
#define sup_notary_again fuzz_notary_again
#define sup_members_tick fuzz_members_tick
#define sup_members_start fuzz_members_start
#define sup_from_keeper fuzz_from_keeper
#include "user/role/sup_members.c"

#include "user/base/loop.h"

static const uint32_t types[] = {
	MSG_SNAPSHOT_DONE, MSG_STDIO_VERDICT, MSG_LOOKED, MSG_OWNER, MSG_SESSIONS_ARE, MSG_TAKEN, MSG_NOTARY_UP,
	MSG_NOTARY_PRODUCER, MSG_NOTARY_STATUS_IS, MSG_QUERY_REFUSED, MSG_NOTARY_INSTANCE, MSG_COUNTS_ARE,
	MSG_CANARY_TRIED,
};

/* A length that a type has is met by chance only, and it is where the fields begin to matter. */
static size_t size_of(uint32_t type, size_t n)
{
	switch (type) {
	case MSG_SNAPSHOT_DONE:
		return sizeof(struct msg_snapshot_done);
	case MSG_STDIO_VERDICT:
		return sizeof(struct msg_stdio_verdict);
	case MSG_LOOKED:
		return sizeof(struct msg_looked);
	case MSG_OWNER:
		return sizeof(struct msg_owner);
	case MSG_TAKEN:
		return sizeof(struct msg_taken);
	case MSG_NOTARY_UP:
		return sizeof(struct msg_notary_up);
	case MSG_NOTARY_PRODUCER:
		return sizeof(struct msg_ring);
	case MSG_NOTARY_INSTANCE:
		return sizeof(struct msg_instance);
	case MSG_QUERY_REFUSED:
		return sizeof(struct msg_pid);
	case MSG_COUNTS_ARE:
		return sizeof(struct msg_counts);
	case MSG_CANARY_TRIED:
		return sizeof(struct msg_canary_tried);
	default:
		return n;
	}
}

static struct supervisor *a_supervisor(void)
{
	static struct supervisor s;
	static struct loop *l;

	if (!l && loop_new(&l) < 0)
		abort();
	s = (struct supervisor){ .loop = l, .nproxies = 2, .audit_fd = -1 };
	s.canary.bait = s.canary.own = (struct listener)LISTENER_NONE;
	s.canary.awaits = true;
	for (unsigned i = 0; i < 2; i++)
		s.proxies[i] = (struct sup_proxy){ .sup = &s, .index = i };
	for (unsigned i = 0; i < SUP_PRODUCERS_MAX; i++)
		s.rings[i].ring = s.rings[i].wake = s.rings[i].progress = -1;
	return &s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct supervisor *s = a_supervisor();
	struct ipc_msg m = { 0 };
	void *body;

	if (size < 4)
		return 0;
	m.type = types[data[1] % ARRAY_SIZE(types)];
	m.cookie = data[2];
	m.len = data[3] & 1 ? size - 4 : size_of(m.type, size - 4);
	if (m.type == MSG_NOTARY_INSTANCE && m.len == sizeof(struct msg_instance) && size > 4 && data[4] == 0)
		return 0; /* the supervisor's own: it would begin to record */
	body = calloc(1, m.len ? m.len : 1);
	if (!body)
		return 0;
	memcpy(body, data + 4, size - 4 < m.len ? size - 4 : m.len);
	m.body = body;
	switch (data[0] % 5) {
	case 0:
		(void)from_proxy(NULL, &m, &s->proxies[0]);
		break;
	case 1:
		(void)from_notary(NULL, &m, s);
		break;
	case 2:
		(void)from_injector(NULL, &m, s);
		break;
	case 3:
		(void)from_query(NULL, &m, s);
		break;
	default:
		(void)from_canary(NULL, &m, s);
	}
	free(body);
	return 0;
}
