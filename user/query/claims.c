// SPDX-License-Identifier: Apache-2.0
/*
 * GET /v1/claims and /v1/claim: what the notary signed of sessions, and the audit bundle that goes with it.
 * Runs in the query role; reads only.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/chain.h"
#include "user/notary/claims.h"
#include "user/notary/segment.h"
#include "user/query/query.h"
#include "user/query/request.h"

#define CLAIM_FILE_MAX (32u << 20) /* CLAIM_CALLS_MAX calls of the longest names, twice */
#define BUNDLE_MAX (60u << 20) /* below what a buffer, and a verifier, take */
#define ID_SIZE (CHAIN_ID_SIZE - 1)
#define KID_PREFIX "cmcp-" /* then the first digits of the key */

/* --- file names --------------------------------------------------------------------------------- */

struct claim_name {
	char id[CHAIN_ID_SIZE];
	uint64_t number;
};

/* False for any other file. */
static bool parse_name(const char *name, struct claim_name *ret)
{
	int end = 0;

	if (strlen(name) <= ID_SIZE + 1 || name[ID_SIZE] != '-' ||
	    strspn(name, "0123456789abcdef-") < ID_SIZE + 1 || name[ID_SIZE + 1] == '0' ||
	    sscanf(name + ID_SIZE + 1, "%16" SCNu64 ".json%n", &ret->number, &end) != 1 || !end ||
	    name[ID_SIZE + 1 + (size_t)end])
		return false;
	memcpy(ret->id, name, ID_SIZE);
	ret->id[ID_SIZE] = '\0';
	return true;
}

static int name_order(const struct claim_name *a, const struct claim_name *b)
{
	int by_id = strcmp(a->id, b->id);

	return by_id ? by_id : (a->number > b->number) - (a->number < b->number);
}

/* The first max names in order, of one session when id is not "". Memory does not grow with the directory. */
struct names {
	struct claim_name *all;
	size_t n, max;
	bool more;
};

static void keep(struct names *names, const struct claim_name *one)
{
	size_t at = names->n;

	while (at > 0 && name_order(&names->all[at - 1], one) > 0)
		at--;
	if (names->n == names->max)
		names->more = true;
	if (at == names->max)
		return;
	if (names->n < names->max)
		names->n++;
	memmove(names->all + at + 1, names->all + at, (names->n - at - 1) * sizeof(*names->all));
	names->all[at] = *one;
}

static int list(int dirfd, const char *id, const struct claim_name *after, struct names *names)
{
	int fd = openat(dirfd, CLAIMS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct claim_name one;
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* none was made yet */
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d)))
		if (parse_name(e->d_name, &one) && (!*id || strcmp(one.id, id) == 0) &&
		    name_order(&one, after) > 0)
			keep(names, &one);
	closedir(d);
	return 0;
}

/* --- GET /v1/claims ------------------------------------------------------------------------------ */

static bool session_param(struct request *q, bool must, char id[CHAIN_ID_SIZE])
{
	const struct answer_param *p = request_param(q, "session");

	id[0] = '\0';
	if (!p && !must)
		return true;
	if (!p || p->value.n != ID_SIZE) {
		request_refuse(q, 400, "session is the id of a session");
		return false;
	}
	memcpy(id, p->value.p, ID_SIZE);
	id[ID_SIZE] = '\0';
	return true;
}

/* after: the last name of the answer before, SESSION-NUMBER. */
static bool after_param(struct request *q, struct claim_name *ret)
{
	const struct answer_param *p = request_param(q, "after");
	char name[CLAIMS_NAME_SIZE];

	*ret = (struct claim_name){ 0 };
	if (!p)
		return true;
	if (p->value.n < sizeof(name)) {
		(void)snprintf(name, sizeof(name), "%.*s.json", (int)p->value.n, p->value.p);
		if (parse_name(name, ret))
			return true;
	}
	request_refuse(q, 400, "after is the name of a claim");
	return false;
}

void answer_claims(struct request *q)
{
	static const char *const known[] = { "session", "after", "limit", NULL };
	_cleanup_free_ struct claim_name *all = NULL;
	struct names names = { 0 };
	struct claim_name after;
	char id[CHAIN_ID_SIZE];
	uint64_t limit;
	struct json_out j;

	if (!request_known(q, known) || !session_param(q, false, id) || !after_param(q, &after) ||
	    !request_number(q, "limit", QUERY_LIMIT_DEFAULT, QUERY_LIMIT_MAX, &limit))
		return;
	names.max = limit;
	names.all = all = calloc(limit + 1, sizeof(*all));
	if (!all || list(q->src->log_dirfd, id, &after, &names) < 0) {
		request_refuse(q, 500, "the claims cannot be read");
		return;
	}
	request_begin(q, &j);
	json_out_key(&j, "claims");
	json_out_array(&j);
	for (size_t i = 0; i < names.n; i++) {
		char name[CLAIMS_NAME_SIZE];

		(void)snprintf(name, sizeof(name), "%s-%" PRIu64, all[i].id, all[i].number);
		json_out_object(&j);
		json_out_member_str(&j, "name", name);
		json_out_member_int(&j, "number", (int64_t)all[i].number);
		json_out_member_str(&j, "session_id", all[i].id);
		json_out_object_end(&j);
	}
	q->out->rows = names.n;
	json_out_array_end(&j);
	json_out_member_bool(&j, "cut", names.more);
	request_end(q, &j);
}

/* --- GET /v1/claim -------------------------------------------------------------------------------- */

/* The number that was asked for, or the session's last one; 0 when there is none. */
static bool find_number(struct request *q, const char *id, uint64_t *ret)
{
	_cleanup_free_ struct claim_name *all = NULL;
	const struct claim_name first = { 0 };
	struct names names = { .max = QUERY_LIMIT_MAX };

	if (!request_number(q, "number", 0, RECORD_INT_MAX, ret))
		return false;
	if (*ret)
		return true;
	names.all = all = calloc(names.max + 1, sizeof(*all));
	if (!all || list(q->src->log_dirfd, id, &first, &names) < 0) {
		request_refuse(q, 500, "the claims cannot be read");
		return false;
	}
	if (names.n)
		*ret = all[names.n - 1].number;
	return true;
}

static json_t *read_claim(struct request *q, const char *id, uint64_t number)
{
	char name[sizeof(CLAIMS_DIR) + CLAIMS_NAME_SIZE];
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = -1;
	json_t *file = NULL;
	int r;

	(void)snprintf(name, sizeof(name), CLAIMS_DIR "/%s-%" PRIu64 ".json", id, number);
	r = fd = strspn(id, "0123456789abcdef-") == ID_SIZE ? segment_open(q->src->log_dirfd, name) : -ENOENT;
	if (r >= 0)
		r = file_read_fd(fd, CLAIM_FILE_MAX, &text);
	if (r == 0)
		file = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	if (r == -ENOENT)
		request_refuse(q, 404, "there is no such claim");
	else if (!file)
		request_refuse(q, 500, "the claim cannot be read");
	return file;
}

struct bundling {
	struct request *q;
	struct json_out *j;
	struct span session;
	uint64_t segment, left;
	int fd, error;
};

static int one_entry(void *arg, const struct index_place *p)
{
	_cleanup_buf_ struct buf line = { 0 };
	struct bundling *b = arg;
	struct record_view v;

	b->error = request_line(b->q->src->log_dirfd, p, &b->fd, &b->segment, &line, &v);
	if (b->error == 0 && !span_eq(v.session_id, b->session)) {
		index_distrust(b->q->src->index);
		b->error = -ESTALE;
	}
	if (b->error == 0 && buf_len(&b->q->out->body) > BUNDLE_MAX)
		b->error = -EFBIG;
	if (b->error < 0)
		return b->error;
	json_out_raw(b->j, buf_span(&line));
	b->q->out->rows++;
	return --b->left == 0;
}

/* The records that the claim covers, as they stand in the log, under the signature that was made with it. Members in
 * order, so the text is the canonical form. */
static void answer_bundle(struct request *q, const char *id, const json_t *file)
{
	const json_t *gateway = json_object_get(json_object_get(file, "claim"), "gateway");
	json_int_t length = json_integer_value(json_object_get(json_object_get(gateway, "audit_chain"), "length"));
	struct index_filter f = { .session = span_of(id), .limit = UINT32_MAX };
	struct bundling b = { .q = q, .session = span_of(id), .fd = -1, .left = (uint64_t)length };
	struct json_out j;
	int r;

	if (!request_update(q))
		return;
	request_begin(q, &j);
	b.j = &j;
	json_out_member_str(&j, "bundle_signature", json_string_value(json_object_get(file, "bundle_signature")));
	json_out_key(&j, "entries");
	json_out_array(&j);
	if (length < (json_int_t)UINT32_MAX)
		f.limit = (unsigned)length;
	r = index_records(q->src->index, &f, one_entry, &b);
	json_out_array_end(&j);
	json_out_member_str(&j, "session_id", id);
	request_end(q, &j);
	cleanup_close(&b.fd);
	if (b.error == -EFBIG)
		request_refuse(q, 413, "the session is too long for one bundle; ask for its records");
	else if (r < 0 || b.error < 0)
		request_refuse(q, 500, "the log or the index cannot be read");
	else if (b.left)
		request_refuse(q, 404, "the log does not hold all records of this claim");
}

static void answer_json(struct request *q, const json_t *v)
{
	char *text = v ? json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII) : NULL;

	if (text && buf_append_str(&q->out->body, text) == 0 && buf_append(&q->out->body, "\n", 1) == 0)
		q->out->status = 200;
	else
		request_refuse(q, 500, "the claim cannot be read");
	free(text);
}

/* The report that the claim stands on: of its session, under the key that signed it. */
static json_t *read_report(struct request *q, const char *id, const json_t *file)
{
	const json_t *cnf = json_object_get(json_object_get(json_object_get(file, "claim"), "trace"), "cnf");
	const char *kid = json_string_value(json_object_get(json_object_get(cnf, "jwk"), "kid"));
	char name[CLAIMS_NAME_SIZE];
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_close_ int fd = -1;
	json_t *report = NULL;
	int r = -ENOENT;

	if (kid && strncmp(kid, KID_PREFIX, strlen(KID_PREFIX)) == 0 &&
	    strspn(kid + strlen(KID_PREFIX), "0123456789abcdef") == CLAIMS_KEY_DIGITS) {
		claims_report_name(id, kid + strlen(KID_PREFIX), name);
		r = fd = segment_open(q->src->log_dirfd, name);
	}
	if (r >= 0)
		r = file_read_fd(fd, CLAIM_FILE_MAX, &text);
	if (r == 0)
		report = json_loadb(buf_span(&text).p, buf_len(&text), JSON_REJECT_DUPLICATES, NULL);
	if (r == -ENOENT)
		request_refuse(q, 404, "no hardware gave evidence for this claim");
	else if (!report)
		request_refuse(q, 500, "the evidence cannot be read");
	return report;
}

static void answer_report(struct request *q, const char *id, const json_t *file)
{
	json_t *report = read_report(q, id, file);

	if (report)
		answer_json(q, report);
	json_decref(report);
}

void answer_claim(struct request *q)
{
	static const char *const known[] = { "session", "number", "part", NULL };
	const struct answer_param *part;
	char id[CHAIN_ID_SIZE];
	uint64_t number;
	json_t *file;

	if (!request_known(q, known) || !session_param(q, true, id) || !find_number(q, id, &number))
		return;
	part = request_param(q, "part");
	if (part && !span_is(part->value, "claim") && !span_is(part->value, "trust_record") &&
	    !span_is(part->value, "bundle") && !span_is(part->value, "evidence")) {
		request_refuse(q, 400, "part is claim, trust_record, bundle, evidence or left out");
		return;
	}
	file = read_claim(q, id, number);
	if (!file)
		return;
	if (!part)
		answer_json(q, file);
	else if (span_is(part->value, "bundle"))
		answer_bundle(q, id, file);
	else if (span_is(part->value, "evidence"))
		answer_report(q, id, file);
	else
		answer_json(q, json_object_get(file, span_is(part->value, "claim") ? "claim" : "trust_record"));
	json_decref(file);
}
