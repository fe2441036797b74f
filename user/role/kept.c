// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors that outlive the roles that made them. Runs in the keeper.
 */
#include "user/role/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/log.h"

#define STORED "listen/" /* names that are worth storing begin so */

static bool is_stored(const char *key)
{
	return strncmp(key, STORED, strlen(STORED)) == 0;
}

static struct kept *find(struct kept_set *set, const char *key)
{
	for (unsigned i = 0; i < set->n; i++)
		if (strcmp(set->v[i].key, key) == 0)
			return &set->v[i];
	return NULL;
}

/* FDPOLL=0: it stays, whatever its events say. */
static void store(const char *key, int fd)
{
	char text[MSG_KEY_MAX + 64];

	(void)snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", key);
	(void)sd_pid_notify_with_fds(0, 0, text, &fd, 1);
}

static void unstore(const char *key)
{
	(void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", key);
}

int kept_put(struct kept_set *set, const char *key, int fd)
{
	struct kept *e = find(set, key);

	if (e) {
		close(e->fd);
		if (is_stored(key))
			unstore(key);
	} else {
		if (set->n == KEPT_MAX)
			return -ENOSPC;
		e = &set->v[set->n++];
		(void)snprintf(e->key, sizeof(e->key), "%s", key);
	}
	e->fd = fd;
	if (is_stored(key))
		store(key, fd);
	return 0;
}

void kept_drop(struct kept_set *set, const char *key)
{
	struct kept *e = find(set, key);

	if (!e)
		return;
	close(e->fd);
	if (is_stored(key))
		unstore(key);
	*e = set->v[--set->n];
}

void kept_from_store(struct kept_set *set)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (names && is_stored(names[i]) && strlen(names[i]) < MSG_KEY_MAX && !find(set, names[i]) &&
		    set->n < KEPT_MAX && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0) {
			struct kept *e = &set->v[set->n++];

			(void)snprintf(e->key, sizeof(e->key), "%s", names[i]);
			e->fd = fd;
		} else {
			log_warn("descriptor %s of the service manager's store is none of ours",
				 names ? names[i] : "?");
			close(fd);
		}
	}
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
}
