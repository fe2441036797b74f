// SPDX-License-Identifier: Apache-2.0
/*
 * Lists of holders, as the kernel's iterator gives them. Role injector.
 */
#include "user/stdio/walk.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/base/cleanup.h"

void walk_done(struct walk *w)
{
	free(w->v);
	*w = (struct walk){ 0 };
}

int walk_read(int fd, struct walk *ret)
{
	_cleanup_free_ struct tg_holding *v = calloc(WALK_MAX, sizeof(*v));
	size_t have = 0;

	if (!v)
		return -ENOMEM;
	for (;;) {
		ssize_t n = read(fd, (char *)v + have, WALK_MAX * sizeof(*v) - have);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		have += (size_t)n;
		if (have == WALK_MAX * sizeof(*v))
			return -E2BIG;
	}
	if (have % sizeof(*v) != 0)
		return -EPROTO;
	free(ret->v);
	ret->n = have / sizeof(*v);
	ret->v = take_ptr(v);
	for (size_t i = 0; i < ret->n; i++)
		if (ret->v[i].which > 1 || ret->v[i].tgid == 0 || ret->v[i].tgid > INT32_MAX)
			return -EPROTO;
	return 0;
}

bool walk_has(const struct walk *w, pid_t pid, bool *ret_split)
{
	bool has = false;

	*ret_split = false;
	for (size_t i = 0; i < w->n; i++) {
		if (w->v[i].tgid != (uint32_t)pid)
			continue;
		has = true;
		*ret_split |= w->v[i].tid != w->v[i].tgid;
	}
	return has;
}

static bool same_place(const struct tg_holding *a, const struct tg_holding *b)
{
	return a->table == b->table && a->fd == b->fd;
}

/* Descriptors of this description; processes may share a table, which counts once. */
static uint64_t places_of(const struct walk *w, uint64_t file)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		bool again = w->v[i].file != file;

		for (size_t k = 0; !again && k < i; k++)
			again = same_place(&w->v[i], &w->v[k]);
		n += !again;
	}
	return n;
}

static bool first_of_file(const struct walk *w, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (w->v[k].file == w->v[i].file)
			return false;
	return true;
}

bool walk_is_whole(const struct walk *w)
{
	uint64_t files[2] = { 0, 0 };

	for (size_t i = 0; i < w->n; i++) {
		if (!first_of_file(w, i))
			continue;
		files[w->v[i].which]++;
		if (w->v[i].refs != places_of(w, w->v[i].file))
			return false;
	}
	for (size_t i = 0; i < w->n; i++)
		if (w->v[i].ends && w->v[i].ends != files[w->v[i].which])
			return false;
	return true;
}
