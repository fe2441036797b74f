// SPDX-License-Identifier: Apache-2.0
/*
 * Where steered connections go: the listener maps. Runs in the supervisor.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "user/kern/flow.h"
#include "user/kern/internal.h"

static void port_forget(struct kern *k, uint64_t netns, uint16_t port)
{
	struct tg_port_key key = { .netns = netns, .port = port };

	if (port)
		(void)bpf_map_delete_elem(k->map[KM_LISTENER_PORTS], &key);
}

static int port_note(struct kern *k, uint64_t netns, uint16_t port, uint32_t agent)
{
	struct tg_port_key key = { .netns = netns, .port = port };

	if (!port)
		return 0;
	if (bpf_map_update_elem(k->map[KM_LISTENER_PORTS], &key, &agent, BPF_ANY) < 0)
		return -errno;
	return 0;
}

/* The ports are barred to agents before connections are sent there. */
int flow_listener_set(struct kern *k, uint64_t netns, uint32_t agent, uint16_t port4,
		      uint16_t port6)
{
	struct tg_listener_key key = { .netns = netns, .agent = agent };
	struct tg_listener is = { .port4 = port4, .port6 = port6 }, was = { 0 };
	int r;

	if (!agent || (!port4 && !port6))
		return -EINVAL;
	(void)bpf_map_lookup_elem(k->map[KM_LISTENERS], &key, &was);
	if ((r = port_note(k, netns, port4, agent)) < 0 ||
	    (r = port_note(k, netns, port6, agent)) < 0)
		return r;
	if (bpf_map_update_elem(k->map[KM_LISTENERS], &key, &is, BPF_ANY) < 0)
		return -errno;
	if (was.port4 != port4 && was.port4 != port6)
		port_forget(k, netns, was.port4);
	if (was.port6 != port4 && was.port6 != port6)
		port_forget(k, netns, was.port6);
	return 0;
}

int flow_listener_remove(struct kern *k, uint64_t netns, uint32_t agent)
{
	struct tg_listener_key key = { .netns = netns, .agent = agent };
	struct tg_listener was;

	if (bpf_map_lookup_elem(k->map[KM_LISTENERS], &key, &was) < 0)
		return -errno;
	if (bpf_map_delete_elem(k->map[KM_LISTENERS], &key) < 0)
		return -errno;
	port_forget(k, netns, was.port4);
	port_forget(k, netns, was.port6);
	return 0;
}

int flow_inflight(struct kern *k, unsigned *ret)
{
	struct tg_flow_key key, next;
	void *at = NULL;
	unsigned n = 0;

	while (bpf_map_get_next_key(k->map[KM_FLOWS], at, &next) == 0) {
		key = next;
		at = &key;
		n++;
	}
	if (errno != ENOENT)
		return -errno;
	*ret = n;
	return 0;
}
