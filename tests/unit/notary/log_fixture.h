/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_TESTS_LOG_FIXTURE_H
#define TOLLGATE_TESTS_LOG_FIXTURE_H

/* A log directory of its own for each test, and records to put into it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/base/file.h"
#include "user/notary/chain.h"
#include "user/notary/checkpoint.h"
#include "user/notary/key_handover.h"
#include "user/notary/record.h"
#include "user/notary/store.h"

#define FIXTURE_TIME UINT64_C(1790000000000000000) /* 2026-09-21 */

struct log_fixture {
	char dir[64];
	int dirfd;
	struct record_writer *writer;
	struct chain chain;
	struct log_key *key;
	struct verifier_key vk;
};

static inline void fixture_wipe(const char *dir)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
}

static inline int fixture_setup(void **state)
{
	static const uint8_t key[SHA256_SIZE] = { 7 };
	struct log_fixture *f = calloc(1, sizeof(*f));
	uint8_t pub[KEY_SIZE];

	assert_non_null(f);
	/* Memory, where there is some: these tests sync thousands of times. */
	(void)snprintf(f->dir, sizeof(f->dir), "%s/tollgate-log.XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(f->dir));
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dirfd >= 0);
	assert_int_equal(record_writer_new(&f->writer), 0);
	assert_int_equal(chain_start(&f->chain, key), 0);
	assert_int_equal(log_key_open(NULL, &f->key), 0);
	log_key_public(f->key, pub);
	verifier_key_of("node.test", pub, &f->vk);
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct log_fixture *f = *state;

	fixture_wipe(f->dir);
	(void)rmdir(f->dir);
	close(f->dirfd);
	record_writer_free(f->writer);
	log_key_free(f->key);
	free(f);
	return 0;
}

/* The chain's next line: session_start first, then calls of the tool. */
static inline struct record_line fixture_line(struct log_fixture *f, const char *tool,
					      enum record_decision d)
{
	struct record_line line;
	struct record rec;

	record_init(&rec, f->chain.sequence ? RECORD_TOOL_CALL : RECORD_SESSION_START,
		    f->chain.sequence ? d : RECORD_NA);
	rec.agent = SPAN("coder");
	rec.server_identity = SPAN("files");
	if (f->chain.sequence)
		rec.tool_name = span_of(tool);
	assert_int_equal(record_write(f->writer, &rec, &f->chain,
				      FIXTURE_TIME + f->chain.sequence * 1000000, &line), 0);
	chain_advance(&f->chain, &line);
	return line;
}

/* Adds n records to the log and signs it. */
static inline void fixture_fill(struct log_fixture *f, unsigned n, uint64_t segment_max)
{
	_cleanup_buf_ struct buf note = { 0 };
	struct store_recovery found;
	struct checkpoint cp = { 0 };
	struct hasher *h;
	struct store *s;

	assert_int_equal(store_open(f->dirfd, segment_max, NULL, NULL, &found, &s), 0);
	for (unsigned i = 0; i < n; i++) {
		struct record_line line = fixture_line(f, i % 3 ? "read_file" : "write_file",
						       i % 3 ? RECORD_ALLOW : RECORD_DENY);

		assert_int_equal(store_append(s, line.text), 0);
		if (i % 2 || store_full(s))
			assert_int_equal(store_flush(s), 0);
	}
	assert_int_equal(store_flush(s), 0);
	assert_int_equal(hasher_new(&h), 0);
	(void)snprintf(cp.origin, sizeof(cp.origin), "%s", f->vk.name);
	cp.size = store_size(s);
	tree_root(h, store_tree(s), cp.root);
	hasher_free(h);
	assert_int_equal(checkpoint_sign(&cp, f->key, &note), 0);
	assert_int_equal(store_checkpoint(s, buf_span(&note)), 0);
	note.start = note.end = 0;
	assert_int_equal(verifier_key_text(&f->vk, &note), 0);
	assert_int_equal(store_replace(s, STORE_FILE_VKEY, buf_span(&note)), 0);
	store_close(s);
}

/* Another key signs for the log from here on, and no record says so. The key before it, now the caller's. */
static inline struct log_key *fixture_swap_key(struct log_fixture *f, struct log_key *key)
{
	struct log_key *before = f->key;
	struct verifier_key vk;
	uint8_t pub[KEY_SIZE];

	log_key_public(key, pub);
	verifier_key_of(f->vk.name, pub, &vk);
	f->vk = vk;
	f->key = key;
	return before;
}

/* The log's key hands over to a new one, by a record that signer signs (NULL: the key itself). As fixture_swap_key(). */
static inline struct log_key *fixture_hand_over(struct log_fixture *f, struct log_key *signer, struct buf *ret_record,
						uint64_t *ret_leaf)
{
	struct store_recovery found;
	struct handover_record texts;
	struct record_line line;
	struct log_key *next;
	uint8_t pub[KEY_SIZE];
	struct record rec;
	struct store *s;

	assert_int_equal(log_key_open(NULL, &next), 0);
	log_key_public(next, pub);
	record_init(&rec, RECORD_NODE, RECORD_NA);
	assert_int_equal(handover_fill(&rec, &texts, f->vk.name, f->vk.pub, pub, signer ? signer : f->key, "test"), 0);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	chain_advance(&f->chain, &line);
	assert_int_equal(store_open(f->dirfd, 0, NULL, NULL, &found, &s), 0);
	*ret_leaf = store_size(s);
	assert_int_equal(buf_append(ret_record, line.text.p, line.text.n), 0);
	assert_int_equal(store_append(s, line.text), 0);
	assert_int_equal(store_flush(s), 0);
	store_close(s);
	return fixture_swap_key(f, next);
}

static inline void fixture_read(const struct log_fixture *f, const char *name, struct buf *ret)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(file_read(path, 64u << 20, ret), 0);
}

static inline void fixture_write(const struct log_fixture *f, const char *name, struct span s)
{
	int fd = openat(f->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, s.p, s.n), 0);
	close(fd);
}

static inline bool fixture_has(const struct log_fixture *f, const char *name)
{
	return faccessat(f->dirfd, name, F_OK, 0) == 0;
}

#endif
