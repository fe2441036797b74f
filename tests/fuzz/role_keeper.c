// SPDX-License-Identifier: Apache-2.0
/* What the supervisor may send the keeper, several messages in a row: a byte for the type, one for what to do with the
 * rest, the body. The keeper keeps what it is given to keep, once each, and starts nothing that it was not asked for. */
#include "user/role/spawn.h"

static pid_t fuzz_spawn(enum role role, unsigned index, int channel, const char *config);
#define spawn_role fuzz_spawn
#define keeper_run fuzz_keeper_run
#include "user/role/keeper.c"

#include <fcntl.h>

static unsigned spawned;

static pid_t fuzz_spawn(enum role role, unsigned index, int channel, const char *config)
{
	if (role <= ROLE_SUPERVISOR || role >= ROLE_MAX_)
		abort();
	spawned++;
	return -EAGAIN;
}

static void check(struct keeper *k)
{
	for (unsigned i = 0; i < k->kept.n; i++) {
		if (fcntl(k->kept.v[i].fd, F_GETFD) < 0 || !memchr(k->kept.v[i].key, 0, MSG_KEY_MAX))
			abort();
		for (unsigned j = 0; j < i; j++)
			if (strcmp(k->kept.v[i].key, k->kept.v[j].key) == 0)
				abort();
	}
}

static size_t size_of(uint32_t type)
{
	return type == MSG_SPAWN ? sizeof(struct msg_spawn) : type == MSG_EXIT ? sizeof(struct msg_exit) :
	       type == MSG_ALIVE ? sizeof(struct msg_flag) : sizeof(struct msg_key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t types[] = { MSG_SPAWN, MSG_KEEP, MSG_UNKEEP, MSG_KEEP, MSG_READY, MSG_ALIVE, 0 };
	static struct keeper k;
	static struct loop *l;
	size_t at = 0;

	log_setup("keeper", LOG_LEVEL_ERR);
	if (!l && loop_new(&l) < 0)
		return 0;
	memset(&k, 0, sizeof(k));
	k.loop = l;
	k.children[0].used = true;
	k.children[0].spec.role = ROLE_SUPERVISOR;
	while (size - at >= 3) {
		struct ipc_msg m = { .type = types[data[at] % ARRAY_SIZE(types)], .len = size_of(types[data[at] % ARRAY_SIZE(types)]) };
		size_t n = data[at + 2];
		unsigned before = spawned;
		void *body;

		if (data[at + 1] & 1)
			m.len = n;
		for (m.nfds = 0; m.nfds < (unsigned)(data[at + 1] >> 1 & 1); m.nfds++)
			m.fds[m.nfds] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		at += 3;
		if (n > size - at)
			n = size - at;
		body = calloc(1, m.len ? m.len : 1);
		if (!body)
			abort();
		memcpy(body, data + at, n < m.len ? n : m.len);
		at += n;
		m.body = body;
		(void)from_supervisor(NULL, &m, &k);
		if (spawned > before && m.type != MSG_SPAWN)
			abort();
		for (unsigned i = 0; i < m.nfds; i++)
			if (m.fds[i] >= 0)
				close(m.fds[i]);
		free(body);
		check(&k);
	}
	for (unsigned i = 0; i < k.kept.n; i++)
		close(k.kept.v[i].fd);
	return 0;
}
