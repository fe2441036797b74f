// SPDX-License-Identifier: Apache-2.0
/*
 * Streams between hosts and servers as the kernel programs follow them. Runs in the supervisor; it
 * reads states and forwards the head copy, it does not look into it.
 */
#include "user/kern/stdio.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpf/scan.h"
#include "user/kern/guard.h"
#include "user/kern/internal.h"

#ifndef PIPEFS_MAGIC
#define PIPEFS_MAGIC 0x50495045
#endif

static int stdio_links(const struct kern *k, char ret[static PATH_MAX])
{
	return pin_path(ret, "%s/stdio", k->dir);
}

bool kern_stdio_attached(const struct kern *k)
{
	char dir[PATH_MAX];

	return stdio_links(k, dir) == 0 && access(dir, F_OK) == 0;
}

static void forget_all(struct kern *k, enum kern_map which)
{
	uint64_t key;

	while (bpf_map_get_next_key(k->map[which], NULL, &key) == 0 &&
	       bpf_map_delete_elem(k->map[which], &key) == 0)
		;
}

int kern_stdio_attach(struct kern *k)
{
	char dir[PATH_MAX];
	int r = stdio_links(k, dir);

	if (r < 0 || kern_stdio_attached(k))
		return r;
	r = detach_wait(k);
	if (r < 0)
		return r;
	return attach_all(k, KW_STDIO, -1, dir);
}

int kern_stdio_detach(struct kern *k)
{
	char dir[PATH_MAX];
	int r = stdio_links(k, dir);

	if (r < 0)
		return r;
	r = detach_all(k, dir);
	if (r < 0)
		return r;
	/* What was followed is out of date from here on. */
	forget_all(k, KM_READERS);
	forget_all(k, KM_HEADS);
	forget_all(k, KM_TAKENS);
	forget_all(k, KM_STREAMS);
	__atomic_store_n(&k->state->readers, 0, __ATOMIC_RELEASE);
	return 0;
}

int kern_stdio_key(int fd, uint64_t *ret)
{
	struct tg_file_key file;
	struct statfs fs;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -EINVAL;
	if (S_ISSOCK(st.st_mode) || fs.f_type == PIPEFS_MAGIC) {
		*ret = st.st_ino;
		return 0;
	}
	r = kern_file_key_fd(fd, &file);
	if (r < 0)
		return r;
	*ret = TG_KEY_NAMED | ((uint64_t)file.dev & 0x7fffff) << 40 | (file.ino & TG_KEY_INO_MASK);
	return 0;
}

int kern_stdio_read(struct kern *k, uint64_t key, struct tg_stream *ret)
{
	return bpf_map_lookup_elem(k->map[KM_STREAMS], &key, ret) < 0 ? -errno : 0;
}

int kern_stdio_of_reader(struct kern *k, uint64_t ino, uint64_t *ret_key)
{
	return bpf_map_lookup_elem(k->map[KM_READERS], &ino, ret_key) < 0 ? -errno : 0;
}

static int copy_of(struct kern *k, enum kern_map map, uint64_t key, uint32_t len,
		   uint8_t ret[TG_HEAD_BYTES], size_t *ret_n)
{
	struct tg_head h;

	if (len > TG_HEAD_BYTES)
		return -EPROTO;
	if (len && bpf_map_lookup_elem(k->map[map], &key, &h) < 0)
		return -errno;
	if (len)
		memcpy(ret, h.data, len);
	*ret_n = len;
	return 0;
}

int kern_stdio_head(struct kern *k, uint64_t key, uint8_t ret[TG_HEAD_BYTES], size_t *ret_n)
{
	struct tg_stream s;
	int r = kern_stdio_read(k, key, &s);

	return r < 0 ? r : copy_of(k, KM_HEADS, key, s.head_len, ret, ret_n);
}

int kern_stdio_taken(struct kern *k, uint64_t key, uint8_t ret[TG_HEAD_BYTES], size_t *ret_n,
		     uint64_t *ret_taken)
{
	struct tg_stream s;
	int r = kern_stdio_read(k, key, &s);

	/* It is counted first and copied then. */
	if (r >= 0 && s.taken != s.taken_len && s.taken_len < TG_HEAD_BYTES && !(s.flags & TG_STREAM_TAKEN_GAP))
		return -EAGAIN;
	if (r >= 0)
		r = copy_of(k, KM_TAKENS, key, s.taken_len, ret, ret_n);
	if (r >= 0)
		*ret_taken = s.taken;
	return r;
}

int kern_stdio_each(struct kern *k, kern_stdio_fn fn, void *arg)
{
	uint64_t key, next;
	struct tg_stream s;
	void *at = NULL;
	int r;

	/* fn may remove the present one, so the next is sought first. */
	while (bpf_map_get_next_key(k->map[KM_STREAMS], at, &next) == 0) {
		if (at && kern_stdio_read(k, key, &s) == 0 && (r = fn(key, &s, arg)) != 0)
			return r;
		key = next;
		at = &key;
	}
	return at && kern_stdio_read(k, key, &s) == 0 ? fn(key, &s, arg) : 0;
}

static int control_with(struct kern *k, struct tg_ctl *c)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = c, .ctx_size_in = sizeof(*c));

	if (bpf_prog_test_run_opts(k->prog[KP_STDIO_CONTROL], &opts) < 0)
		return -errno;
	return (int)c->ret;
}

static int control(struct kern *k, enum tg_verb verb, uint64_t key)
{
	struct tg_ctl c = { .verb = verb, .key = key };

	return control_with(k, &c);
}

int kern_stdio_ours(struct kern *k, int fd)
{
	return fd < 0 ? -EBADF : control(k, TG_VERB_OURS, (uint64_t)fd);
}

struct release {
	struct kern *k;
	uint64_t key, at;
};

static int release_one(pid_t pid, const struct tg_stopped *s, void *arg)
{
	struct release *rel = arg;

	if (s->kind == TG_STOP_STDIO && s->stream == rel->key && s->since < rel->at)
		(void)kern_stopped_continue(rel->k, pid);
	return 0;
}

int kern_stdio_release(struct kern *k, uint64_t key, uint64_t taken)
{
	struct tg_ctl c = { .verb = TG_VERB_RELEASE, .key = key, .taken = taken };
	int r = control_with(k, &c);
	struct release rel = { k, key, c.at };

	return r < 0 ? r : kern_stopped_each(k, release_one, &rel);
}

int kern_stdio_forget(struct kern *k, uint64_t key)
{
	return control(k, TG_VERB_FORGET, key);
}

int kern_stdio_hold(struct kern *k, uint64_t key)
{
	return control(k, TG_VERB_HOLD, key);
}

int kern_stdio_follow(struct kern *k, pid_t pid)
{
	return iterate_tasks(k, KP_ITER_CANDIDATE, pid, NULL, NULL);
}

bool kern_stdio_found(const struct tg_stream *s)
{
	return scan_found(&s->scan) || scan_found(&s->read_scan);
}

int kern_stdio_seek(struct kern *k, const struct tg_sought *what)
{
	uint32_t zero = 0;

	return bpf_map_update_elem(k->map[KM_SOUGHT], &zero, what, BPF_ANY) < 0 ? -errno : 0;
}

static int walk_link(struct kern *k, bool everywhere)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int *link = &k->walk[everywhere];

	if (*link < 0)
		*link = bpf_link_create(k->prog[everywhere ? KP_ITER_HOLDERS : KP_ITER_SCOPE_HOLDERS], 0,
					BPF_TRACE_ITER, &opts);
	return *link < 0 ? -errno : *link;
}

int kern_stdio_walks(struct kern *k, bool everywhere, int *ret_fds, unsigned n)
{
	int link = walk_link(k, everywhere);

	if (link < 0)
		return link;
	for (unsigned i = 0; i < n; i++) {
		int r;

		ret_fds[i] = bpf_iter_create(link);
		if (ret_fds[i] >= 0)
			continue;
		r = -errno;
		while (i > 0)
			close(ret_fds[--i]);
		return r;
	}
	return 0;
}

int kern_stdio_sweep(struct kern *k)
{
	return control(k, TG_VERB_SWEEP, 0);
}
