/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_INHERITED_H
#define TOLLGATE_INHERITED_H

#include <stdbool.h>
#include <sys/types.h>

#define INHERITED_MAX 256 /* sockets reported per process; more are counted */
#define INHERITED_FDS_MAX 65536 /* descriptors looked at */
#define INHERITED_TEXT_MAX 160

/* A network socket that a process brings into its scope. It belongs to the cgroup it was made in, so
 * what is sent over it is not steered. Unix sockets are left out. */
struct inherited {
	int fd; /* number in that process */
	int family, type;
	bool connected; /* has a peer */
	bool listening;
	bool cloexec; /* ends at the exec, when the process is held in one */
	char text[INHERITED_TEXT_MAX]; /* "fd 7 tcp 10.0.0.1:4242 -> 10.0.0.2:443" */
};

struct inherited_list {
	struct inherited *items;
	unsigned n;
	unsigned more; /* sockets beyond INHERITED_MAX, or descriptors that could not be looked at */
};

/* Reads a live (held or stopped) process's descriptors by pidfd_getfd(). 0, -ESRCH, or -errno. */
int inherited_scan(pid_t pid, struct inherited_list *ret);
void inherited_done(struct inherited_list *l);

#endif
