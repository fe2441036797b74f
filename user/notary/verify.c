// SPDX-License-Identifier: Apache-2.0
/*
 * The offline judge of a log directory. Runs in tollgate(1), on files that anyone may have made. Every
 * finding names file, line and leaf; nothing is repaired, nothing is taken on trust.
 */
#include "user/notary/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/hasher.h"
#include "user/notary/handover_list.h"
#include "user/notary/read_ahead.h"
#include "user/notary/retention.h"
#include "user/notary/sessions.h"
#include "user/notary/view.h"

#define COMMIT_EVERY 4096

struct job {
	struct log_verdict v;
	struct hasher *hasher;
	struct session_table *sessions;
	struct tree tree;
	const struct log_expect *expect;
	struct verifier_key key; /* in force: the given one or a successor */
	log_finding_fn fn;
	void *arg;
	bool parsed, root_seen, root_same;
	struct segment_at root_at;
	bool root_placed;
	char removed_root[2 * TREE_HASH + 1]; /* of what retention removed; found: a record names it */
	char removed_handovers[SHA256_HEX_SIZE]; /* of the key changes kept from it; other: the record names others */
	bool removed_found, removed_other;
};

static void job_done(struct job *j)
{
	hasher_free(j->hasher);
	sessions_free(j->sessions);
}

DEFINE_CLEANUP(struct read_ahead *, read_ahead_close)

const char *log_fault_text(enum log_fault f)
{
	static const char *const words[] = {
		"none", "unreadable", "segment", "torn", "form", "entry_hash", "sequence", "chain",
		"checkpoint_form", "signature", "truncated", "root", "handover", "cosignature", "counter",
		"evidence", "removed",
	};

	return (unsigned)f < ARRAY_SIZE(words) ? words[f] : words[0];
}

__attribute__((format(printf, 5, 6)))
static void find(struct job *j, enum log_fault fault, const struct segment_at *at,
		 const struct record_view *v, const char *fmt, ...)
{
	struct log_finding f = { .fault = fault, .placed = at != NULL };
	va_list ap;

	j->v.faults++;
	if (j->v.faults > LOG_FINDINGS_MAX || !j->fn)
		return;
	if (at)
		f.at = *at;
	if (v)
		memcpy(f.session_id, v->session_id.p, v->session_id.n);
	va_start(ap, fmt);
	(void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	j->fn(j->arg, &f);
}

static void check_session(struct job *j, const struct record_view *v, const struct segment_at *at)
{
	/* LIMIT: a session that ended before and goes on here would count as one whose beginning was removed;
	 * the notary's own fault record in front of it says what happened. */
	bool cut = j->v.removed && v->sequence > 0 && !sessions_known(j->sessions, v);
	struct session_next want;
	int r = sessions_see(j->sessions, v, SESSION_OWNER_ANY, &want);

	if (v->sequence == 0)
		j->v.sessions++;
	j->v.cut_sessions += cut;
	if (r != SESSION_BREAKS || cut)
		return;
	if (want.sequence != v->sequence)
		find(j, LOG_FAULT_SEQUENCE, at, v, "sequence_number is %" PRIu64 ", %" PRIu64 " must follow",
		     v->sequence, want.sequence);
	else if (!span_is(v->prev, want.prev))
		find(j, LOG_FAULT_CHAIN, at, v,
		     "prev_entry_hash is %.16s..., the record before it has %.16s...", v->prev.p,
		     want.prev);
	else
		find(j, LOG_FAULT_SEQUENCE, at, v,
		     "a session begins with session_start and with no other record, and has one end");
}

static bool tree_is(struct job *j, const uint8_t root[TREE_HASH])
{
	uint8_t is[TREE_HASH];

	tree_root(j->hasher, &j->tree, is);
	return memcmp(is, root, TREE_HASH) == 0;
}

/* At the records that the checkpoint covers, and at those that evidence was bound to. */
static void check_heads(struct job *j, const struct segment_at *at)
{
	const struct log_expect *e = j->expect;

	if (j->parsed && j->tree.size == j->v.checkpoint.size && !j->root_seen) {
		j->root_seen = true;
		j->root_same = tree_is(j, j->v.checkpoint.root);
		j->v.signer = j->key;
		j->root_placed = at != NULL;
		if (at)
			j->root_at = *at;
	}
	if (!e->have_head || j->tree.size != e->size || j->v.evidence_checked)
		return;
	j->v.evidence_checked = true;
	if (!tree_is(j, e->root))
		find(j, LOG_FAULT_EVIDENCE, at, NULL,
		     "the first %" PRIu64 " records are not the ones that the evidence was bound to", e->size);
}

static void follow_key(struct job *j, enum handover is, const uint8_t old_key[KEY_SIZE],
		       const uint8_t new_key[KEY_SIZE])
{
	struct verifier_key successor;

	j->v.key_gaps += is == HANDOVER_GAP;
	/* Of a key that was not in force it says nothing about ours. */
	if (is != HANDOVER_SIGNED || memcmp(old_key, j->key.pub, KEY_SIZE) != 0)
		return;
	verifier_key_of(j->key.name, new_key, &successor);
	j->key = successor;
	j->v.handovers++;
}

static void check_key_change(struct job *j, const struct record_view *v, const struct segment_at *at)
{
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE];
	enum handover is = handover_read(v, j->key.name, old_key, new_key);

	if (is == HANDOVER_FALSE)
		find(j, LOG_FAULT_HANDOVER, at, v,
		     "the record claims a hand-over of the log key that the key did not sign");
	else
		follow_key(j, is, old_key, new_key);
}

/* Key changes in what retention removed. Each is the word of its old key; whether the list is the log's, the
 * record of the removal says. */
static void follow_removed(struct job *j, struct span handovers)
{
	struct handover_list list = { .rest = handovers, .origin = j->key.name };
	struct handover_kept k;
	int r;

	while ((r = handover_list_next(&list, &k)) == 0 && k.leaf < j->tree.size)
		follow_key(j, k.is, k.old_key, k.new_key);
	if (r != -ENODATA)
		find(j, LOG_FAULT_HANDOVER, NULL, NULL,
		     "the key changes kept from the first records are malformed or not signed by their old keys");
	retention_digest(handovers, j->removed_handovers);
}

/* A record that says what retention removed: it must say what is missing here. */
static void check_removal(struct job *j, const struct record_view *v, uint64_t leaf)
{
	struct retention_removed removed;

	if (!j->v.removed || j->removed_found || !retention_read(v, &removed) || removed.to != j->v.removed ||
	    strcmp(removed.root, j->removed_root) != 0)
		return;
	if (strcmp(removed.handovers, j->removed_handovers) != 0) {
		j->removed_other = true;
		return;
	}
	j->removed_found = true;
	j->v.removed_leaf = leaf;
}

static void check_line(struct job *j, const struct read_ahead_line *l)
{
	struct tree_hash stored[TREE_LEVELS + 1];
	const struct segment_at *at = &l->at;
	struct record_view v;
	size_t where = 0;

	if (record_view_parse(l->line, &v, &where) < 0) {
		find(j, LOG_FAULT_FORM, at, NULL, "not a canonical record from byte %zu of the line on",
		     where);
	} else {
		if (record_view_hash(&v, j->hasher) < 0)
			find(j, LOG_FAULT_ENTRY_HASH, at, &v,
			     "the record's content is not what its entry_hash says");
		check_session(j, &v, at);
		check_key_change(j, &v, at);
		check_removal(j, &v, at->leaf);
		if (span_is(record_view_text(&v, M_ENTRY_TYPE), "fault"))
			j->v.fault_records++;
	}
	(void)tree_append(j->hasher, &j->tree, l->leaf, stored);
	j->v.records++;
	check_heads(j, at);
	if (j->v.records % COMMIT_EVERY == 0)
		sessions_commit(j->sessions);
}

/* Takes over the tree of what retention removed. Its hashes are only claimed: false ones do not lead to the
 * signed root. */
static int begin_after_removed(struct job *j, int dirfd)
{
	_cleanup_buf_ struct buf handovers = { 0 };
	uint8_t root[TREE_HASH];
	int r = retention_load(dirfd, &j->tree, &handovers);

	if (r == -ENOENT || r == -EBADMSG) {
		find(j, LOG_FAULT_REMOVED, NULL, NULL, "%s",
		     r == -ENOENT ? "the first records are missing, without a tombstone" :
				    "the tombstone of the first records is malformed");
		r = 0;
	}
	if (r < 0 || j->tree.size == 0)
		return r;
	j->v.removed = j->tree.size;
	tree_root(j->hasher, &j->tree, root);
	hex_encode(root, sizeof(root), j->removed_root);
	follow_removed(j, buf_span(&handovers));
	return 0;
}

static int check_records(struct job *j, int dirfd)
{
	_cleanup_(read_ahead_close_p) struct read_ahead *reader = NULL;
	int r = begin_after_removed(j, dirfd);

	if (r == 0)
		r = read_ahead_open(dirfd, j->tree.size, &reader);
	if (r < 0)
		return r;
	check_heads(j, NULL); /* of the empty log */
	for (;;) {
		const struct read_ahead_line *l;

		r = read_ahead_next(reader, &l);
		if (r == -ENODATA)
			return 0;
		if (r == -EILSEQ)
			find(j, LOG_FAULT_TORN, &l->at, NULL, "the line has no end (%zu bytes)", l->line.n);
		else if (r == -ENXIO)
			find(j, LOG_FAULT_SEGMENT, &l->at, NULL,
			     "the records before this segment end at leaf %" PRIu64, j->tree.size);
		else if (r == -E2BIG)
			find(j, LOG_FAULT_FORM, &l->at, NULL, "the line is longer than any record");
		else if (r < 0)
			find(j, LOG_FAULT_READ, &l->at, NULL, "%s", strerrordesc_np(-r));
		if (r < 0)
			return 0;
		check_line(j, l);
	}
}

static void read_checkpoint(struct job *j, struct span note)
{
	size_t n;

	j->parsed = checkpoint_parse(note, &j->v.checkpoint, &n) == 0;
	if (!j->parsed)
		find(j, LOG_FAULT_CHECKPOINT_FORM, NULL, NULL, "the checkpoint is malformed");
}

/* After the records: they say which key was in force. */
static void check_signature(struct job *j, struct span note)
{
	struct checkpoint cp;
	int r;

	if (!j->parsed)
		return;
	if (!j->root_seen)
		j->v.signer = j->key;
	r = checkpoint_verify(note, &j->v.signer, &cp);
	j->v.signature_ok = r == 0;
	if (r == -EBADMSG)
		find(j, LOG_FAULT_CHECKPOINT_FORM, NULL, NULL, "the checkpoint's signature lines are malformed");
	else if (r < 0)
		find(j, LOG_FAULT_SIGNATURE, NULL, NULL,
		     "the checkpoint of %.100s is not signed by the key of %.100s%s", j->v.checkpoint.origin,
		     j->v.signer.name, j->v.key_gaps ? ": the key was replaced without a hand-over" : "");
	if (!j->v.signature_ok)
		return;
	if (!j->root_seen)
		find(j, LOG_FAULT_TRUNCATED, NULL, NULL,
		     "the checkpoint covers %" PRIu64 " records, the log has %" PRIu64, j->v.checkpoint.size,
		     j->tree.size);
	else if (!j->root_same)
		find(j, LOG_FAULT_ROOT, j->root_placed ? &j->root_at : NULL, NULL,
		     "the first %" PRIu64 " records are not the ones the checkpoint was signed over",
		     j->v.checkpoint.size);
	else
		j->v.root_ok = true;
	if (j->root_seen)
		j->v.uncovered = j->tree.size - j->v.checkpoint.size;
}

static void check_expected(struct job *j, struct span note)
{
	const struct log_expect *e = j->expect;
	const struct checkpoint *cp = &j->v.checkpoint;

	if (e->cosign && j->parsed) {
		j->v.cosign_checked = true;
		j->v.cosigned = cosign_check(note, e->cosign) == 0;
		if (!j->v.cosigned)
			find(j, LOG_FAULT_COSIGNATURE, NULL, NULL,
			     "the checkpoint is not signed by the TPM's key of %.100s", e->cosign->name);
	}
	if (e->have_counter && j->v.signature_ok) {
		j->v.counter_checked = true;
		if (!cp->counted || cp->counter < e->counter)
			find(j, LOG_FAULT_COUNTER, NULL, NULL,
			     "rolled back: the TPM's counter is %" PRIu64 ", the checkpoint states %" PRIu64,
			     e->counter, cp->counted ? cp->counter : 0);
	}
	if (e->have_head && !j->v.evidence_checked)
		find(j, LOG_FAULT_EVIDENCE, NULL, NULL,
		     "the evidence was bound to %" PRIu64 " records, the log has %" PRIu64, e->size, j->tree.size);
}

static uint64_t count_torn(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	uint64_t n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((e = readdir(d)))
		n += strncmp(e->d_name, "torn-", 5) == 0;
	(void)closedir(d);
	return n;
}

int log_verify_against(int dirfd, struct span checkpoint_note, const struct verifier_key *vk,
		       const struct log_expect *expect, log_finding_fn fn, void *arg, struct log_verdict *ret)
{
	_cleanup_(job_done) struct job j = { .fn = fn, .arg = arg, .expect = expect, .key = *vk };
	int r = hasher_new(&j.hasher);

	if (r == 0)
		r = sessions_new(UINT_MAX, &j.sessions);
	if (r < 0)
		return r;
	read_checkpoint(&j, checkpoint_note);
	r = check_records(&j, dirfd);
	if (r < 0)
		return r;
	sessions_commit(j.sessions);
	check_signature(&j, checkpoint_note);
	check_expected(&j, checkpoint_note);
	j.v.open_sessions = sessions_count(j.sessions);
	j.v.torn_files = count_torn(dirfd);
	if (j.v.removed && (!j.removed_found || j.v.removed_leaf >= j.v.checkpoint.size))
		find(&j, LOG_FAULT_REMOVED, NULL, NULL,
		     "the first %" PRIu64 " records are gone, and %s", j.v.removed, j.removed_other ?
		     "the key changes kept from them are not those that the record of their removal names" :
		     "no signed record says that they were removed");
	*ret = j.v;
	return 0;
}

int log_verify(int dirfd, struct span checkpoint_note, const struct verifier_key *vk,
	       log_finding_fn fn, void *arg, struct log_verdict *ret)
{
	static const struct log_expect nothing;

	return log_verify_against(dirfd, checkpoint_note, vk, &nothing, fn, arg, ret);
}
