// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit witness: asks the audit socket for its signed head, or takes one from a file, and holds
 * it against what the store remembers. Works far from the node on files that were carried there.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/log.h"
#include "user/cli/audit_client.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/control_client.h"
#include "user/notary/witness.h"

#define WITNESS_UNJUDGED 3 /* exit status: no head, no proof, no store; a refusal is CLI_FAILED */
#define KEY_FILE_MAX 4096
#define GROWTH_FILE_MAX (1u << 20)

/* One hand-over as it was shown. */
struct shown {
	char *record;
	struct tree_hash path[TREE_PROOF_MAX];
};

struct head {
	struct buf note;
	struct tree_hash growth[TREE_PROOF_MAX];
	struct shown *shown;
	struct witness_handover handovers[WITNESS_HANDOVERS_MAX];
	struct witness_proof proof; /* points into the others */
};

static void head_done(struct head *h)
{
	for (unsigned i = 0; i < h->proof.handovers_n; i++)
		free(h->shown[i].record);
	free(h->shown);
	buf_done(&h->note);
}

static int unjudged(const char *action, const char *object, const char *reason)
{
	(void)audit_fail(action, object, reason);
	return WITNESS_UNJUDGED;
}

/* Bytes that the text stands for; 0 when it is malformed. */
static size_t n_of(const char *text, uint8_t ret[TREE_HASH])
{
	size_t n = 0;

	return base64_decode(span_of(text), ret, TREE_HASH, &n) < 0 ? 0 : n;
}

static bool take_hashes(const json_t *list, struct tree_hash ret[TREE_PROOF_MAX], unsigned *ret_n)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > TREE_PROOF_MAX)
		return false;
	json_array_foreach(list, i, v)
		if (!json_is_string(v) || n_of(json_string_value(v), ret[i].b) != TREE_HASH)
			return false;
	*ret_n = (unsigned)json_array_size(list);
	return true;
}

static bool take_handover(const json_t *v, struct head *h)
{
	struct witness_handover *o = &h->handovers[h->proof.handovers_n];
	struct shown *shown = &h->shown[h->proof.handovers_n];
	const json_t *leaf = json_object_get(v, "leaf");

	if (!json_is_integer(leaf) || json_integer_value(leaf) < 0 ||
	    !take_hashes(json_object_get(v, "path"), shown->path, &o->path_n))
		return false;
	/* Members in the order of the log, ASCII, integers: the text is the record's own again. */
	shown->record = json_dumps(json_object_get(v, "record"), JSON_COMPACT | JSON_ENSURE_ASCII);
	if (!shown->record)
		return false;
	o->leaf = (uint64_t)json_integer_value(leaf);
	o->record = span_of(shown->record);
	o->path = shown->path;
	h->proof.handovers_n++;
	return true;
}

static bool take_handovers(const json_t *list, struct head *h)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > WITNESS_HANDOVERS_MAX)
		return false;
	h->shown = calloc(json_array_size(list) + 1, sizeof(*h->shown));
	if (!h->shown)
		return false;
	json_array_foreach(list, i, v)
		if (!take_handover(v, h))
			return false;
	h->proof.handovers = h->handovers;
	return true;
}

/* What /v1/proof?from= answers: the head, how it grew, and which keys signed on the way. */
static int take_growth(const json_t *j, struct head *h)
{
	const char *note = json_string_value(json_object_get(j, "checkpoint"));

	if (!note || !take_hashes(json_object_get(j, "growth"), h->growth, &h->proof.growth_n))
		return unjudged("read", "the proof of growth", "it has another form, or a hash is malformed");
	if (!take_handovers(json_object_get(j, "handovers"), h))
		return unjudged("read", "the proof of growth", "its hand-overs of the key are malformed");
	h->proof.growth = h->growth;
	buf_clear(&h->note);
	return buf_append_str(&h->note, note) < 0 ? unjudged("read", "the head", "out of memory") : CLI_OK;
}

static int read_growth(const char *file, struct head *h)
{
	_cleanup_buf_ struct buf text = { 0 }, note = { 0 };
	json_t *j;
	int r = file_read(file, GROWTH_FILE_MAX, &text);

	if (r < 0)
		return unjudged("read", file, err_text(r));
	j = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	if (!j)
		return unjudged("read", file, "not JSON");
	r = buf_append(&note, buf_span(&h->note).p, buf_len(&h->note));
	if (r == 0)
		r = take_growth(j, h);
	json_decref(j);
	if (r == CLI_OK && !span_eq(buf_span(&note), buf_span(&h->note)))
		r = unjudged("read", file, "it is the growth of another head");
	return r;
}

static int ask_growth(struct cli *c, uint64_t from, struct head *h)
{
	char target[64];
	json_t *j;
	int r;

	(void)snprintf(target, sizeof(target), "/v1/proof?from=%" PRIu64, from);
	r = audit_get_json(c, target, &j);
	if (r != CLI_OK)
		return WITNESS_UNJUDGED;
	r = take_growth(j, h);
	json_decref(j);
	return r;
}

static int read_key(const char *arg, struct verifier_key *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r;

	if (verifier_key_parse(span_of(arg), ret) == 0)
		return CLI_OK;
	r = file_read(arg, KEY_FILE_MAX, &b);
	if (r < 0)
		return unjudged("read key", arg, err_text(r));
	return verifier_key_parse(buf_span(&b), ret) < 0 ?
		       unjudged("read key", arg, "not a verifier key (name+id+base64)") : CLI_OK;
}

static int tell(struct cli *c, const char *origin, const struct checkpoint *cp, uint64_t before, int answer)
{
	static const char *const words[] = { "new", "same", "grown", "unsigned", "rolled-back", "forked" };
	static const char *const texts[] = {
		"first head, kept", "nothing new", "grown and proven, kept",
		"REFUSED: not signed by the key that is kept, nor by one that it handed over to",
		"REFUSED: the log was rolled back",
		"REFUSED: the log has forked: it is not what was signed before",
	};

	if (c->json)
		printf("{\"answer\":\"%s\",\"before\":%" PRIu64 ",\"origin\":\"%s\",\"size\":%" PRIu64 "}\n",
		       words[answer], before, origin, cp->size);
	else
		printf("%s: %s (%" PRIu64 " records, before %" PRIu64 ")\n", origin, texts[answer], cp->size, before);
	return answer > WITNESS_GROWN ? CLI_FAILED : CLI_OK;
}

/* A head that is larger than the kept one comes with its growth and the hand-overs of the key since. */
static int judge(struct cli *c, struct witness *w, struct head *h, const struct checkpoint *cp,
		 const char *growth, bool from_file)
{
	const uint64_t before = witness_size(w), from = witness_wants(w, buf_span(&h->note));
	struct checkpoint now = *cp;
	size_t n;
	int r = CLI_OK;

	if (from) {
		if (from_file && !growth)
			return unjudged("judge", "the head",
					"it is larger than the kept one, or of another key: --growth FILE is needed, "
					"the answer to GET /v1/proof?from=SIZE");
		r = from_file ? read_growth(growth, h) : ask_growth(c, from, h);
	}
	if (r != CLI_OK)
		return r;
	if (checkpoint_parse(buf_span(&h->note), &now, &n) < 0)
		return unjudged("read", "the head", "it is malformed");
	r = witness_take(w, buf_span(&h->note), &h->proof);
	return r < 0 ? unjudged("keep", "the head", err_text(r)) : tell(c, cp->origin, &now, before, r);
}

static int run(struct cli *c, int store, struct head *h, const char *key, const char *growth, bool from_file)
{
	struct verifier_key vk;
	struct checkpoint cp;
	struct witness *w;
	size_t n;
	int r;

	if (checkpoint_parse(buf_span(&h->note), &cp, &n) < 0)
		return unjudged("read", "the head", "it is malformed");
	r = key ? read_key(key, &vk) : CLI_OK;
	if (r != CLI_OK)
		return r;
	r = witness_open(store, cp.origin, key ? &vk : NULL, &w);
	if (r == -ENOKEY)
		return unjudged("judge", cp.origin, "this store knows no key of it: give --key once");
	if (r == -EKEYREJECTED) {
		(void)audit_fail("judge", cp.origin, "another key is kept for it");
		return CLI_FAILED;
	}
	if (r < 0)
		return unjudged("open the store for", cp.origin, err_text(r));
	r = judge(c, w, h, &cp, growth, from_file);
	witness_close(w);
	return r;
}

int audit_witness(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "store", required_argument, NULL, 's' }, { "key", required_argument, NULL, 'k' },
		{ "checkpoint", required_argument, NULL, 'c' }, { "growth", required_argument, NULL, 'g' }, { 0 },
	};
	const char *store = NULL, *key = NULL, *checkpoint = NULL, *growth = NULL;
	struct head h = { .shown = NULL };
	int fd, ch, r;

	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (ch == '?')
			return audit_usage();
		*(ch == 's' ? &store : ch == 'k' ? &key : ch == 'c' ? &checkpoint : &growth) = optarg;
	}
	if (!store || optind != argc || (growth && !checkpoint))
		return audit_usage();
	if (mkdir(store, 0755) < 0 && errno != EEXIST)
		return unjudged("create", store, err_text(-errno));
	fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return unjudged("open", store, err_text(-errno));
	if (checkpoint) {
		r = file_read(checkpoint, CHECKPOINT_MAX, &h.note);
		if (r < 0)
			r = unjudged("read", checkpoint, err_text(r));
	} else {
		r = audit_find_socket(c) == CLI_OK && audit_get(c, "/v1/checkpoint?form=note", &h.note) == CLI_OK ?
			    CLI_OK : WITNESS_UNJUDGED;
	}
	if (r == CLI_OK)
		r = run(c, fd, &h, key, growth, checkpoint);
	head_done(&h);
	close(fd);
	return r;
}
