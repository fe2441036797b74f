// SPDX-License-Identifier: Apache-2.0
/*
 * The witness's store. Runs in tollgate(1), mostly on another machine than the log's. A head is on disk
 * before it counts as taken; a refused one is kept too, as it is the evidence.
 */
#include "user/notary/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/hasher.h"
#include "user/notary/handover_list.h"
#include "user/notary/segment.h"
#include "user/notary/view.h"

#define FILE_KEY "log.vkey"
#define FILE_HANDOVERS "handovers"
#define FILE_LAST "checkpoint"
#define FILE_ALL "checkpoints"
#define FILE_REFUSED "refused"
#define KEY_MAX 4096
#define REFUSED_MAX (16u << 20) /* a hostile node may sign without end; the first ones prove enough */

/* A key that handed over: what it signs covers the hand-over's leaf at most. */
struct earlier {
	uint8_t pub[KEY_SIZE];
	uint64_t until;
};

struct witness {
	int dirfd;
	struct verifier_key vk; /* in force */
	struct earlier *earlier;
	unsigned earlier_n;
	struct buf handovers; /* the file, as far as it is in force */
	struct checkpoint last; /* size 0 and no origin: none */
};

DEFINE_CLEANUP(struct witness *, witness_close)

static int pass_on(struct witness *w, uint64_t leaf, const uint8_t new_key[KEY_SIZE])
{
	struct earlier *more = reallocarray(w->earlier, w->earlier_n + 1, sizeof(*more));
	struct verifier_key next;

	if (!more)
		return -ENOMEM;
	w->earlier = more;
	memcpy(more[w->earlier_n].pub, w->vk.pub, KEY_SIZE);
	more[w->earlier_n++].until = leaf;
	verifier_key_of(w->vk.name, new_key, &next);
	w->vk = next;
	return 0;
}

/* Takes back what was followed since there were n earlier keys. */
static void go_back(struct witness *w, unsigned n)
{
	struct verifier_key before;

	if (n == w->earlier_n)
		return;
	verifier_key_of(w->vk.name, w->earlier[n].pub, &before);
	w->vk = before;
	w->earlier_n = n;
}

static int dir_name(const char *origin, char *ret, size_t size)
{
	size_t at = 0;

	for (const char *p = origin; *p; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			     *p == '_' || *p == '-' || (*p == '.' && p != origin);

		if (at + 4 > size)
			return -ENAMETOOLONG;
		at += (size_t)snprintf(ret + at, size - at, plain ? "%c" : "%%%02X", (unsigned char)*p);
	}
	return at ? 0 : -EINVAL;
}

static int read_name(int dirfd, const char *name, size_t max, struct buf *ret)
{
	_cleanup_close_ int fd = segment_open(dirfd, name);

	return fd < 0 ? fd : file_read_fd(fd, max, ret);
}

static int replace(int dirfd, const char *name, struct span text)
{
	_cleanup_close_ int fd = -1;
	char tmp[64];
	int r;

	(void)snprintf(tmp, sizeof(tmp), ".%s.new", name);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text.p, text.n);
	if (r == 0 && (fsync(fd) < 0 || renameat(dirfd, tmp, dirfd, name) < 0 || fsync(dirfd) < 0))
		r = -errno;
	return r;
}

static int append(int dirfd, const char *name, struct span note, off_t max)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	_cleanup_buf_ struct buf b = { 0 };
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (max && st.st_size >= max)
		return 0;
	r = buf_append(&b, note.p, note.n);
	if (r == 0)
		r = buf_append(&b, "\n", 1); /* an empty line ends a note's signatures */
	if (r == 0)
		r = fd_write_all(fd, buf_span(&b).p, buf_len(&b));
	return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

static bool same_key(const struct verifier_key *a, const struct verifier_key *b)
{
	return memcmp(a->pub, b->pub, KEY_SIZE) == 0 && strcmp(a->name, b->name) == 0;
}

/* Only the first key is taken on somebody's word. */
static int first_key(struct witness *w, const struct verifier_key *given)
{
	_cleanup_buf_ struct buf text = { 0 };
	int r = read_name(w->dirfd, FILE_KEY, KEY_MAX, &text);

	if (r == 0)
		return verifier_key_parse(buf_span(&text), &w->vk) < 0 ? -EBADMSG : 0;
	if (r != -ENOENT)
		return r;
	if (!given)
		return -ENOKEY;
	w->vk = *given;
	r = verifier_key_text(given, &text);
	if (r == 0)
		r = buf_append(&text, "\n", 1);
	return r < 0 ? r : replace(w->dirfd, FILE_KEY, buf_span(&text));
}

/* Goes from the first key to the one that signed the kept head. A hand-over after it was written by a run that
 * did not live to take its head: it proves nothing yet. */
static int follow_kept(struct witness *w, uint64_t size)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct handover_list list = { .origin = w->vk.name };
	struct handover_kept k;
	int r = read_name(w->dirfd, FILE_HANDOVERS, HANDOVER_LIST_MAX, &text);

	if (r == -ENOENT)
		return 0;
	list.rest = buf_span(&text);
	while (r == 0 && (r = handover_list_next(&list, &k)) == 0 && k.leaf < size) {
		if (k.is != HANDOVER_SIGNED || memcmp(k.old_key, w->vk.pub, KEY_SIZE) != 0)
			return -EBADMSG;
		r = pass_on(w, k.leaf, k.new_key);
		if (r == 0)
			r = handover_list_add(&w->handovers, k.leaf, k.record);
	}
	return r == -ENODATA ? 0 : r;
}

static int read_last(struct witness *w)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp;
	size_t n;
	int r = read_name(w->dirfd, FILE_LAST, CHECKPOINT_MAX, &note);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = checkpoint_parse(buf_span(&note), &cp, &n);
	if (r == 0)
		r = follow_kept(w, cp.size);
	/* What we kept is judged again: a store that somebody wrote into is no memory. */
	return r < 0 ? r : checkpoint_verify(buf_span(&note), &w->vk, &w->last) < 0 ? -EBADMSG : 0;
}

static int recall(struct witness *w, const struct verifier_key *given)
{
	struct verifier_key first;
	int r = first_key(w, given);

	first = w->vk;
	if (r == 0)
		r = read_last(w);
	if (r == 0 && given && !same_key(given, &first) && !same_key(given, &w->vk))
		r = -EKEYREJECTED;
	return r;
}

int witness_open(int store_dirfd, const char *origin, const struct verifier_key *vk, struct witness **ret)
{
	_cleanup_(witness_close_p) struct witness *w = calloc(1, sizeof(*w));
	char name[NAME_MAX + 1];
	int r = dir_name(origin, name, sizeof(name));

	if (!w)
		return -ENOMEM;
	w->dirfd = -1;
	if (r < 0)
		return r;
	if (vk && mkdirat(store_dirfd, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	w->dirfd = openat(store_dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (w->dirfd < 0)
		return errno == ENOENT ? -ENOKEY : -errno;
	if (flock(w->dirfd, LOCK_EX) < 0)
		return -errno;
	r = recall(w, vk);
	if (r < 0)
		return r;
	*ret = take_ptr(w);
	return 0;
}

void witness_close(struct witness *w)
{
	if (!w)
		return;
	cleanup_close(&w->dirfd);
	buf_done(&w->handovers);
	free(w->earlier);
	free(w);
}

uint64_t witness_size(const struct witness *w)
{
	return w->last.size;
}

uint64_t witness_wants(const struct witness *w, struct span note)
{
	struct checkpoint cp;
	size_t n;

	if (checkpoint_parse(note, &cp, &n) < 0 || cp.size <= w->last.size)
		return 0;
	if (w->last.size)
		return w->last.size;
	/* A first head that another key signed: hand-overs may lead there. Leaf 0 is none. */
	return checkpoint_verify(note, &w->vk, &cp) < 0 ? 1 : 0;
}

/* Does the key in force hand over here? What is said of another key says nothing about ours. */
static bool is_of_ours(const struct witness *w, struct hasher *h, struct span record, uint8_t ret_new[KEY_SIZE])
{
	uint8_t old_key[KEY_SIZE];
	struct record_view v;

	return record_view_parse(record, &v, NULL) == 0 && record_view_hash(&v, h) == 0 &&
	       handover_read(&v, w->vk.name, old_key, ret_new) == HANDOVER_SIGNED &&
	       memcmp(old_key, w->vk.pub, KEY_SIZE) == 0;
}

/* -EKEYREJECTED when one is not where it is said to be; what was followed until then stays. */
static int follow(struct witness *w, struct hasher *h, const struct checkpoint *cp, const struct witness_proof *p,
		  struct buf *list)
{
	uint64_t from = w->last.size;
	int r = p->handovers_n > WITNESS_HANDOVERS_MAX ? -EKEYREJECTED : 0;

	for (unsigned i = 0; i < p->handovers_n && r == 0; i++) {
		const struct witness_handover *o = &p->handovers[i];
		uint8_t new_key[KEY_SIZE], leaf[TREE_HASH];

		if (!is_of_ours(w, h, o->record, new_key))
			continue;
		tree_leaf_hash(h, o->record, leaf);
		if (o->leaf < from ||
		    tree_check_leaf(h, leaf, o->leaf, cp->size, o->path, o->path_n, cp->root) < 0)
			return -EKEYREJECTED;
		from = o->leaf + 1;
		r = pass_on(w, o->leaf, new_key);
		if (r == 0)
			r = handover_list_add(list, o->leaf, o->record);
	}
	return r;
}

static enum witness_answer judge_growth(const struct witness *w, const struct checkpoint *cp, struct hasher *h,
					const struct witness_proof *p)
{
	const struct checkpoint *last = &w->last;

	if (!last->origin[0])
		return WITNESS_NEW;
	if (cp->size < last->size)
		return WITNESS_ROLLED_BACK;
	if (cp->size == last->size)
		return memcmp(cp->root, last->root, TREE_HASH) == 0 ? WITNESS_SAME : WITNESS_FORKED;
	if (last->size == 0) /* everything has grown from nothing */
		return WITNESS_GROWN;
	return tree_check_growth(h, last->size, last->root, cp->size, cp->root, p->growth, p->growth_n) == 0 ?
		       WITNESS_GROWN : WITNESS_FORKED;
}

/* A key that has handed over vouches for what it signed until then, and for nothing after. */
static enum witness_answer judge_earlier(const struct witness *w, struct span note)
{
	for (unsigned i = 0; i < w->earlier_n; i++) {
		struct verifier_key vk;
		struct checkpoint cp;

		verifier_key_of(w->vk.name, w->earlier[i].pub, &vk);
		if (checkpoint_verify(note, &vk, &cp) == 0)
			return cp.size > w->earlier[i].until ? WITNESS_FORKED : WITNESS_ROLLED_BACK;
	}
	return WITNESS_UNSIGNED;
}

/* The hand-overs that lead to the head's key are added to the list. */
static int judge(struct witness *w, struct span note, const struct witness_proof *p, struct checkpoint *ret_cp,
		 struct buf *list)
{
	struct hasher *h = hasher_of_thread();
	size_t n;
	int r;

	if (!h)
		return -ENOMEM;
	if (checkpoint_parse(note, ret_cp, &n) < 0)
		return WITNESS_UNSIGNED;
	r = follow(w, h, ret_cp, p, list);
	if (r == -EKEYREJECTED)
		return judge_earlier(w, note);
	if (r < 0)
		return r;
	r = checkpoint_verify(note, &w->vk, ret_cp);
	return r == 0 ? (int)judge_growth(w, ret_cp, h, p) :
	       r == -EBADMSG || r == -EKEYREJECTED ? (int)judge_earlier(w, note) : r;
}

/* The head is what makes the hand-overs count, so it comes last. */
static int keep(struct witness *w, struct span note, const struct buf *list)
{
	int r = buf_len(list) == buf_len(&w->handovers) ? 0 : replace(w->dirfd, FILE_HANDOVERS, buf_span(list));

	if (r == 0)
		r = append(w->dirfd, FILE_ALL, note, 0);
	return r < 0 ? r : replace(w->dirfd, FILE_LAST, note);
}

int witness_take(struct witness *w, struct span note, const struct witness_proof *proof)
{
	_cleanup_buf_ struct buf list = { 0 };
	const unsigned known = w->earlier_n;
	struct checkpoint cp;
	int r = buf_append(&list, buf_span(&w->handovers).p, buf_len(&w->handovers)), kept = 0;

	if (r == 0)
		r = judge(w, note, proof, &cp, &list);
	if (r == WITNESS_NEW || r == WITNESS_GROWN)
		kept = keep(w, note, &list);
	else if (r == WITNESS_FORKED || r == WITNESS_ROLLED_BACK)
		kept = append(w->dirfd, FILE_REFUSED, note, REFUSED_MAX);
	if (kept == 0 && (r == WITNESS_NEW || r == WITNESS_GROWN)) {
		w->last = cp;
		buf_done(&w->handovers);
		w->handovers = list;
		list = (struct buf){ 0 };
		return r;
	}
	go_back(w, known);
	return kept < 0 ? kept : r;
}
