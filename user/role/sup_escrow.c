// SPDX-License-Identifier: Apache-2.0
/*
 * Where payloads are kept for a recipient who is not the node: a folder of root's, of which each proxy gets a file that
 * it can only append to. The supervisor never sees a payload; the proxies never see the folder.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/notary/escrow.h"
#include "user/role/sup.h"

#define FOLDER "escrow"
#define KEY_FILE_MAX 4096
#define FILE_FULL (64 << 20) /* bytes, after which a proxy gets another file: a recipient reads files whole */
#define AGAIN_TICKS 10 /* between two attempts to get a file for a proxy that has none, and so denies */
#define LOOK_TICKS 600 /* between two looks for files that are too old */

int sup_escrow_read(struct supervisor *s)
{
	const char *path = s->conf.escrow.recipient;
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = -1;
	struct conf_error e = { 0 };
	int r;

	if (!path)
		return 0;
	fd = conf_open_checked(path, &e);
	if (fd < 0)
		return log_err(fd, "escrow: %s", e.text);
	r = file_read_fd(fd, KEY_FILE_MAX, &text);
	if (r == 0)
		r = hpke_public_parse(buf_span(&text), s->escrow_key);
	return r < 0 ? log_err(r, "escrow: read %s: %s", path, r == -EINVAL ?
			       "not an X25519 public key in PEM (openssl pkey -pubout)" : err_text(r)) : 0;
}

static int open_folder(const struct supervisor *s)
{
	char path[PROC_PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/" FOLDER, s->conf.state_dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && (fchown(fd, 0, 0) < 0 || fchmod(fd, 0700) < 0)) {
		close(fd);
		return -errno;
	}
	return fd < 0 ? -errno : fd;
}

int sup_escrow_offer(struct supervisor *s, struct sup_proxy *p)
{
	_cleanup_close_ int dir = -1, fd = -1;
	struct msg_escrow m;
	char name[64];

	if (!s->conf.escrow.recipient)
		return 0;
	dir = open_folder(s);
	if (dir < 0)
		return log_err(dir, "escrow: open folder: %s", err_text(dir));
	(void)snprintf(name, sizeof(name), ESCROW_FILE_PREFIX "%016" PRIx64 "-%u", clock_real_ns(), p->index);
	fd = openat(dir, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return log_err(-errno, "escrow: make %s: %s", name, err_text(-errno));
	memcpy(m.recipient, s->escrow_key, sizeof(m.recipient));
	if (ipc_send(p->channel, MSG_ESCROW, 0, &m, sizeof(m), &fd, 1) < 0)
		return -EPIPE;
	cleanup_close(&p->escrow_fd);
	p->escrow_fd = take_fd(fd);
	return 0;
}

/* As old as the log's segments may get; what a proxy still writes to is younger. */
static void remove_old(const struct supervisor *s)
{
	_cleanup_close_ int dir = open_folder(s);
	uint64_t now = clock_real_ns() / 1000000000u;
	struct dirent *e;
	struct stat st;
	DIR *d;

	d = dir < 0 ? NULL : fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, ESCROW_FILE_PREFIX, sizeof(ESCROW_FILE_PREFIX) - 1) == 0 &&
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    now > (uint64_t)st.st_mtime + s->conf.retention_s && unlinkat(dir, e->d_name, 0) < 0)
			log_warn("escrow: remove %s: %s", e->d_name, err_text(-errno));
	if (d)
		(void)closedir(d);
}

void sup_escrow_tick(struct supervisor *s)
{
	struct stat st;

	if (!s->conf.escrow.recipient)
		return;
	for (unsigned i = 0; i < s->nproxies; i++) {
		struct sup_proxy *p = &s->proxies[i];

		if (p->channel && p->escrow_fd >= 0 && fstat(p->escrow_fd, &st) == 0 && st.st_size >= FILE_FULL)
			(void)sup_escrow_offer(s, p); /* else it goes on in the file that it has */
	}
	if (s->ticks % AGAIN_TICKS == 0)
		sup_members_again(s);
	if (s->conf.retention_s && s->ticks % LOOK_TICKS == 1)
		remove_old(s);
}
