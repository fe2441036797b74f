// SPDX-License-Identifier: Apache-2.0
/*
 * Processes that our programs stopped: continuing, killing, finding them. Runs in the supervisor.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/kern/guard.h"
#include "user/kern/internal.h"

#define NS_PER_TICK (1000000000ull / 100) /* USER_HZ is 100 on every architecture we know */

uint64_t kern_start_ticks(uint64_t start_ns)
{
	return start_ns / NS_PER_TICK;
}

int start_ticks_of(int pid, uint64_t *ret)
{
	char path[64], text[1024], *p;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	/* The command name may hold anything, so count from its last bracket: state is field 3. */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	if (!p)
		return -EPROTO;
	*ret = strtoull(p, NULL, 10);
	return 0;
}

/* A descriptor of the very process that an entry tells of, or -ESRCH. */
static int open_stopped(pid_t pid, const struct tg_stopped *s)
{
	_cleanup_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint64_t ticks;
	int r;

	if (fd < 0)
		return -errno;
	r = start_ticks_of(pid, &ticks);
	if (r < 0)
		return r;
	return ticks == kern_start_ticks(s->start) ? take_fd(fd) : -ESRCH;
}

static int strike_and_signal(struct kern *k, pid_t pid, int sig)
{
	uint32_t key = (uint32_t)pid;
	_cleanup_close_ int fd = -1;
	struct tg_stopped s;

	if (bpf_map_lookup_elem(k->map[KM_STOPPED], &key, &s) < 0)
		return -errno;
	fd = open_stopped(pid, &s);
	if (sig == SIGKILL && fd >= 0 && syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0)
		return -errno;
	/* Off the list before SIGCONT: the guard kills who is continued while on it. */
	if (bpf_map_delete_elem(k->map[KM_STOPPED], &key) < 0)
		return -errno;
	if (fd < 0)
		return fd;
	if (sig != SIGKILL && syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0)
		return -errno;
	return 0;
}

int kern_stopped_continue(struct kern *k, pid_t pid)
{
	return strike_and_signal(k, pid, SIGCONT);
}

int kern_stopped_kill(struct kern *k, pid_t pid)
{
	return strike_and_signal(k, pid, SIGKILL);
}

/* The keys first, since fn may remove entries; at most what the map holds. */
static int all_keys(int map, uint32_t **ret, size_t *ret_n)
{
	_cleanup_free_ uint32_t *keys = NULL;
	uint32_t key, next;
	size_t n = 0, cap = 0;
	void *at = NULL;

	while (bpf_map_get_next_key(map, at, &next) == 0) {
		if (n == cap) {
			uint32_t *more = realloc(keys, (cap = cap ? 2 * cap : 64) * sizeof(*keys));

			if (!more)
				return -ENOMEM;
			keys = more;
		}
		keys[n++] = key = next;
		at = &key;
	}
	if (errno != ENOENT)
		return -errno;
	*ret = take_ptr(keys);
	*ret_n = n;
	return 0;
}

int kern_stopped_each(struct kern *k, kern_stopped_fn fn, void *arg)
{
	_cleanup_free_ uint32_t *keys = NULL;
	size_t n = 0;
	int r = all_keys(k->map[KM_STOPPED], &keys, &n);

	for (size_t i = 0; i < n && r == 0; i++) {
		_cleanup_close_ int fd = -1;
		struct tg_stopped s;

		if (bpf_map_lookup_elem(k->map[KM_STOPPED], &keys[i], &s) < 0)
			continue;
		fd = open_stopped((pid_t)keys[i], &s);
		if (fd == -ESRCH)
			(void)bpf_map_delete_elem(k->map[KM_STOPPED], &keys[i]);
		else
			r = fn((pid_t)keys[i], &s, arg);
	}
	return r;
}
