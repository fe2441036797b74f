// SPDX-License-Identifier: Apache-2.0
/*
 * Digests of programs and scripts, with a small cache. Runs in the supervisor. It never waits for a file
 * system that an agent serves.
 */
#include "user/proc/measure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/proc/fuse.h"

#define CACHE_SLOTS 256 /* programs in use on a node; a collision costs a hash, nothing else */
#define RACY_NS 2000000000ull /* time stamps are at worst a second apart */

struct cache_key {
	uint64_t dev, ino, size;
	int64_t mtime_s, mtime_ns, ctime_s, ctime_ns;
};

struct cache_slot {
	struct cache_key key;
	bool used;
	uint8_t digest[SHA256_SIZE];
};

/* One thread per role uses this. */
static struct cache_slot cache[CACHE_SLOTS];

static struct cache_key key_of(const struct stat *st)
{
	return (struct cache_key){ .dev = st->st_dev,
				   .ino = st->st_ino,
				   .size = (uint64_t)st->st_size,
				   .mtime_s = st->st_mtim.tv_sec,
				   .mtime_ns = st->st_mtim.tv_nsec,
				   .ctime_s = st->st_ctim.tv_sec,
				   .ctime_ns = st->st_ctim.tv_nsec };
}

static struct cache_slot *slot_of(const struct cache_key *k)
{
	return &cache[(k->ino * 0x9e3779b97f4a7c15ull ^ k->dev) >> 32 & (CACHE_SLOTS - 1)];
}

bool measure_is_settled(const struct stat *st)
{
	uint64_t changed = (uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec;
	uint64_t now = clock_real_ns();

	return now > changed && now - changed > RACY_NS;
}

/* Is it a regular file that can be read without waiting for another process? */
static int check_kind(pid_t pid, int path_fd)
{
	struct statx sx;
	int r;

	/* DONT_SYNC: a FUSE server is not asked for attributes. */
	if (statx(path_fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_MNT_ID, &sx) < 0)
		return -errno;
	if (!(sx.stx_mask & STATX_TYPE) || !S_ISREG(sx.stx_mode))
		return -EINVAL;
	if (!(sx.stx_mask & STATX_MNT_ID))
		return -EOPNOTSUPP;
	r = proc_on_fuse(pid, sx.stx_mnt_id);
	return r > 0 ? -EOPNOTSUPP : r;
}

int measure_file(pid_t pid, int path_fd, uint8_t ret[SHA256_SIZE])
{
	_cleanup_close_ int fd = -1;
	uint8_t digest[SHA256_SIZE];
	struct cache_slot *slot;
	struct cache_key key, after;
	struct stat st;
	char self[32];
	int r = check_kind(pid, path_fd);

	if (r < 0)
		return r;
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > MEASURE_SIZE_MAX)
		return -EFBIG;
	key = key_of(&st);
	slot = slot_of(&key);
	if (slot->used && memcmp(&slot->key, &key, sizeof(key)) == 0) {
		memcpy(ret, slot->digest, SHA256_SIZE);
		return 0;
	}
	r = sha256_fd(fd, digest);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return -errno;
	after = key_of(&st);
	if (memcmp(&after, &key, sizeof(key)) != 0)
		return -EBUSY;
	if (measure_is_settled(&st)) {
		*slot = (struct cache_slot){ .key = key, .used = true };
		memcpy(slot->digest, digest, SHA256_SIZE);
	}
	memcpy(ret, digest, SHA256_SIZE);
	return 0;
}
