// SPDX-License-Identifier: Apache-2.0
/*
 * What tells that the kernel side is what it should be: digest of the programs, links, counters.
 */
#include "user/kern/internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/kern/stdio.h"

static int tag_compare(const void *a, const void *b)
{
	return memcmp(a, b, BPF_TAG_SIZE);
}

int kern_digest(struct kern *k, uint8_t ret[SHA256_SIZE])
{
	uint8_t tags[KP_MAX_][BPF_TAG_SIZE];
	unsigned have = 0;

	for (int i = 0; i < KP_MAX_; i++) {
		struct bpf_prog_info info = { 0 };
		uint32_t n = sizeof(info);

		if (k->prog[i] < 0)
			continue;
		if (bpf_obj_get_info_by_fd(k->prog[i], &info, &n) < 0)
			return -errno;
		memcpy(tags[have++], info.tag, BPF_TAG_SIZE);
	}
	qsort(tags, have, BPF_TAG_SIZE, tag_compare);
	sha256(tags, have * BPF_TAG_SIZE, ret);
	return 0;
}

/* The same program is attached to many cgroups. */
static void name_scope(struct kern *k, uint64_t cgroup)
{
	size_t n = strlen(k->broken);

	(void)snprintf(k->broken + n, sizeof(k->broken) - n, " of cgroup %" PRIu64, cgroup);
}

static int verify_scopes(struct kern *k)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *e;
	DIR *d;
	int r;

	r = pin_path(dir, "%s/scopes", k->dir);
	if (r < 0)
		return r;
	d = opendir(dir);
	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d))) {
		char *end;
		uint64_t id = strtoull(e->d_name, &end, 16);

		if (e->d_name[0] == '.' || *end)
			continue;
		r = pin_path(path, "%s/%s", dir, e->d_name);
		if (r == 0)
			r = attach_check(k, KW_SCOPE, id, path);
		if (r == -ENOLINK)
			name_scope(k, id);
	}
	closedir(d);
	return r;
}

int kern_verify(struct kern *k, const char **ret_what)
{
	char path[PATH_MAX];
	int r;

	r = pin_path(path, "%s/links", k->dir);
	if (r == 0)
		r = attach_check(k, KW_ALWAYS, 0, path);
	if (r == 0)
		r = pin_path(path, "%s/fence", k->dir);
	if (r == 0)
		r = attach_check(k, KW_FENCE, 0, path);
	if (r == 0)
		r = family_check(k);
	if (r == 0)
		r = verify_scopes(k);
	if (r == 0 && k->state->daemon_cgroup) {
		r = pin_path(path, "%s/daemon", k->dir);
		if (r == 0)
			r = attach_check(k, KW_DAEMON, k->state->daemon_cgroup, path);
	}
	if (r == 0 && k->canary) {
		r = pin_path(path, "%s/canary/%" PRIx64, k->dir, k->canary);
		if (r == 0)
			r = attach_check(k, KW_SCOPE, k->canary, path);
		if (r == -ENOLINK)
			name_scope(k, k->canary);
	}
	if (r == 0 && kern_stdio_attached(k)) {
		r = pin_path(path, "%s/stdio", k->dir);
		if (r == 0)
			r = attach_check(k, KW_STDIO, 0, path);
	}
	if (r == -ENOLINK)
		*ret_what = k->broken;
	return r;
}

int stat_read(struct kern *k, enum tg_stat which, uint64_t *ret)
{
	int cpus = libbpf_num_possible_cpus();
	_cleanup_free_ uint64_t *per = NULL;
	uint32_t key = which;
	uint64_t sum = 0;

	if (cpus < 0)
		return cpus;
	per = calloc((size_t)cpus, sizeof(*per));
	if (!per)
		return -ENOMEM;
	if (bpf_map_lookup_elem(k->map[KM_STATS], &key, per) < 0)
		return -errno;
	for (int c = 0; c < cpus; c++)
		sum += per[c];
	*ret = sum;
	return 0;
}

int kern_stats(struct kern *k, uint64_t ret[TG_STAT_MAX_])
{
	int r = 0;

	for (int i = 0; i < TG_STAT_MAX_ && r == 0; i++)
		r = stat_read(k, i, &ret[i]);
	return r;
}

const char *kern_stat_name(unsigned stat)
{
	static const char *const names[TG_STAT_MAX_] = {
		[TG_STAT_CONNECT_STEERED] = "connect_steered",
		[TG_STAT_CONNECT_NO_SCOPE] = "connect_no_scope",
		[TG_STAT_CONNECT_NO_LISTENER] = "connect_no_listener",
		[TG_STAT_CONNECT_NO_STORAGE] = "connect_no_storage",
		[TG_STAT_CONNECT_SELF] = "connect_self",
		[TG_STAT_CONNECT_PROTOCOL] = "connect_protocol",
		[TG_STAT_CONNECT_UDP_ALLOWED] = "connect_udp_allowed",
		[TG_STAT_FLOW_INSERTED] = "flow_inserted",
		[TG_STAT_FLOW_FULL] = "flow_full",
		[TG_STAT_FLOW_TAKEN] = "flow_taken",
		[TG_STAT_FLOW_MISSING] = "flow_missing",
		[TG_STAT_FLOW_NO_STORAGE] = "flow_no_storage",
		[TG_STAT_FLOW_ABORTED] = "flow_aborted",
		[TG_STAT_LABEL_INHERITED] = "label_inherited",
		[TG_STAT_LABEL_LATE] = "label_late",
		[TG_STAT_LABEL_LOST] = "label_lost",
		[TG_STAT_EXEC_STOPPED] = "exec_stopped",
		[TG_STAT_EXEC_KILLED] = "exec_killed",
		[TG_STAT_EXEC_FAILED] = "exec_failed",
		[TG_STAT_EXEC_ARGV_UNREAD] = "exec_argv_unread",
		[TG_STAT_CONTINUED_KILLED] = "continued_killed",
		[TG_STAT_CONTINUED_ALIVE] = "continued_alive",
		[TG_STAT_EVENT_LOST] = "event_lost",
		[TG_STAT_STDIO_EVENT_LOST] = "stdio_event_lost",
		[TG_STAT_STREAM_NEW] = "stream_new",
		[TG_STAT_STREAM_FULL] = "stream_full",
		[TG_STAT_STREAM_GONE] = "stream_gone",
		[TG_STAT_STDIO_TRIGGER] = "stdio_trigger",
		[TG_STAT_STDIO_HELD_READ] = "stdio_held_read",
		[TG_STAT_STDIO_READ_FOUND] = "stdio_read_found",
		[TG_STAT_STDIO_SCANNED_BYTES] = "stdio_scanned_bytes",
		[TG_STAT_STDIO_COMPAT] = "stdio_compat",
		[TG_STAT_FENCE_SOCKET] = "fence_socket",
		[TG_STAT_FENCE_DATAGRAM] = "fence_datagram",
		[TG_STAT_FENCE_BIND] = "fence_bind",
		[TG_STAT_FENCE_PACKET] = "fence_packet",
		[TG_STAT_FENCE_DEVICE] = "fence_device",
		[TG_STAT_FENCE_FOREIGN] = "fence_foreign",
		[TG_STAT_FENCE_RECEIVED] = "fence_received",
		[TG_STAT_FENCE_UNIX] = "fence_unix",
		[TG_STAT_FENCE_CGROUP] = "fence_cgroup",
		[TG_STAT_FENCE_TASK] = "fence_task",
		[TG_STAT_FENCE_KERNEL] = "fence_kernel",
		[TG_STAT_FENCE_MOUNT] = "fence_mount",
		[TG_STAT_FENCE_PIN] = "fence_pin",
		[TG_STAT_FENCE_KILLED] = "fence_killed",
		[TG_STAT_DATAGRAM_STEERED] = "datagram_steered",
	};

	return stat < TG_STAT_MAX_ ? names[stat] : NULL;
}
