// SPDX-License-Identifier: Apache-2.0
/*
 * Network sockets that a process had before it came into scope. The cgroup hooks follow the cgroup that
 * a socket was made in, so these are neither steered nor fenced: they can only be reported, or the process
 * refused. Runs in the supervisor, on a process that is held or stopped.
 */
#include "user/enrol/inherited.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"

#define FDINFO_MAX 4096
#define ADDR_TEXT_MAX (INET6_ADDRSTRLEN + 10)

static void addr_text(const struct sockaddr_storage *a, char ret[ADDR_TEXT_MAX])
{
	const struct sockaddr_in6 *a6 = (const void *)a;
	const struct sockaddr_in *a4 = (const void *)a;
	char ip[INET6_ADDRSTRLEN] = "?";

	if (a->ss_family == AF_INET) {
		(void)inet_ntop(AF_INET, &a4->sin_addr, ip, sizeof(ip));
		(void)snprintf(ret, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(a4->sin_port));
	} else if (a->ss_family == AF_INET6) {
		(void)inet_ntop(AF_INET6, &a6->sin6_addr, ip, sizeof(ip));
		(void)snprintf(ret, ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(a6->sin6_port));
	} else {
		(void)snprintf(ret, ADDR_TEXT_MAX, "?");
	}
}

static int int_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int v = 0;

	return getsockopt(fd, SOL_SOCKET, option, &v, &len) < 0 ? -1 : v;
}

/* The kind as an operator would call it. */
static void kind_text(const struct inherited *i, char *ret, size_t size)
{
	if (i->family != AF_INET && i->family != AF_INET6)
		(void)snprintf(ret, size, "family %d", i->family);
	else if (i->type == SOCK_STREAM)
		(void)snprintf(ret, size, "tcp");
	else if (i->type == SOCK_DGRAM)
		(void)snprintf(ret, size, "udp");
	else
		(void)snprintf(ret, size, "ip type %d", i->type);
}

/* Fills in everything but fd and cloexec from our copy of the socket. false: not of interest. */
static bool look(int sock, struct inherited *i)
{
	struct sockaddr_storage local = { 0 }, peer = { 0 };
	socklen_t n = sizeof(local);
	char kind[24], from[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	i->family = int_option(sock, SO_DOMAIN);
	if (i->family == AF_UNIX)
		return false;
	i->type = int_option(sock, SO_TYPE);
	i->listening = int_option(sock, SO_ACCEPTCONN) > 0;
	kind_text(i, kind, sizeof(kind));
	if (getsockname(sock, (struct sockaddr *)&local, &n) < 0)
		local.ss_family = AF_UNSPEC;
	n = sizeof(peer);
	i->connected = getpeername(sock, (struct sockaddr *)&peer, &n) == 0;
	addr_text(&local, from);
	addr_text(&peer, to);
	(void)snprintf(i->text, sizeof(i->text), "fd %d %s %s%s%s", i->fd, kind, from,
		       i->connected ? " -> " : i->listening ? " listening" : "",
		       i->connected ? to : "");
	return true;
}

/* Whether the descriptor ends at an exec: "flags:" of fdinfo, octal. */
static bool is_cloexec(pid_t pid, int fd)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[64];
	const char *s;

	(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	if (file_read(path, FDINFO_MAX, &b) < 0)
		return false;
	s = buf_cstr(&b);
	s = s ? strstr(s, "flags:") : NULL;
	return s && (strtoul(s + 6, NULL, 8) & O_CLOEXEC);
}

static int scan_one(pid_t pid, int pidfd, const char *name, struct inherited_list *l)
{
	_cleanup_close_ int sock = -1;
	char path[64], target[16] = { 0 };
	struct inherited i = { .fd = atoi(name) }, *items;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, i.fd);
	if (readlink(path, target, sizeof(target) - 1) < 0 || strncmp(target, "socket:", 7) != 0)
		return 0;
	sock = pidfd_getfd(pidfd, i.fd, 0);
	if (sock < 0) {
		l->more++;
		return errno == ESRCH ? -ESRCH : 0;
	}
	if (!look(sock, &i))
		return 0;
	if (l->n >= INHERITED_MAX) {
		l->more++;
		return 0;
	}
	i.cloexec = is_cloexec(pid, i.fd);
	items = reallocarray(l->items, l->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	l->items = items;
	items[l->n++] = i;
	return 0;
}

int inherited_scan(pid_t pid, struct inherited_list *ret)
{
	/* The pidfd is opened first: if the number is reused meanwhile, getfd says ESRCH. */
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	struct inherited_list l = { 0 };
	unsigned seen = 0;
	char path[40];
	DIR *d;
	int r = 0;

	if (pidfd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return errno == ENOENT ? -ESRCH : -errno;
	for (struct dirent *de; r == 0 && (de = readdir(d));) {
		if (de->d_name[0] == '.')
			continue;
		if (++seen > INHERITED_FDS_MAX)
			l.more++;
		else
			r = scan_one(pid, pidfd, de->d_name, &l);
	}
	closedir(d);
	if (r < 0) {
		inherited_done(&l);
		return r;
	}
	*ret = l;
	return 0;
}

void inherited_done(struct inherited_list *l)
{
	free(l->items);
	*l = (struct inherited_list){ 0 };
}
