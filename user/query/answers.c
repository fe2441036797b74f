// SPDX-License-Identifier: Apache-2.0
/*
 * What the audit socket says. Knows nothing of HTTP but status numbers. Runs in the query role, reads the
 * log directory and the index, writes neither.
 */
#include "user/query/answers.h"

#include <errno.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/notary/store.h"
#include "user/query/query.h"
#include "user/query/request.h"

static void answer_checkpoint(struct request *q)
{
	static const char *const names[] = { "form", NULL };
	_cleanup_buf_ struct buf note = { 0 }, vkey = { 0 };
	struct span key;
	struct checkpoint cp;
	struct json_out j;

	if (!request_known(q, names) || !request_checkpoint(q, &note, &cp))
		return;
	if (request_param(q, "form")) {
		if (!span_is(request_param(q, "form")->value, "note")) {
			request_refuse(q, 400, "form is note or left out");
			return;
		}
		q->out->text = true;
		q->out->status = 200;
		if (buf_append(&q->out->body, buf_span(&note).p, buf_len(&note)) < 0)
			request_refuse(q, 500, "out of memory");
		return;
	}
	(void)request_file(q, STORE_FILE_VKEY, &vkey); /* absent: null below */
	key = buf_span(&vkey);
	while (key.n && key.p[key.n - 1] == '\n')
		key.n--;
	request_begin(q, &j);
	json_out_member_span(&j, "note", buf_span(&note));
	json_out_member_str(&j, "origin", cp.origin);
	request_root(&j, &cp);
	json_out_member_int(&j, "size", (int64_t)cp.size);
	json_out_key(&j, "verifier_key");
	if (key.n)
		json_out_string(&j, key);
	else
		json_out_null(&j);
	request_end(q, &j);
}

static void answer_health(struct request *q)
{
	static const char *const names[] = { NULL };
	_cleanup_buf_ struct buf note = { 0 };
	struct checkpoint cp = { 0 };
	struct json_out j;
	size_t n;
	int r = index_update(q->src->index, ANSWER_UPDATE_MAX);
	bool have_cp;

	if (!request_known(q, names))
		return;
	have_cp = request_file(q, STORE_FILE_CHECKPOINT, &note) == 0 &&
		  checkpoint_parse(buf_span(&note), &cp, &n) == 0;
	request_begin(q, &j);
	json_out_key(&j, "checkpoint");
	if (have_cp) {
		json_out_object(&j);
		json_out_member_str(&j, "origin", cp.origin);
		request_root(&j, &cp);
		json_out_member_int(&j, "size", (int64_t)cp.size);
		json_out_object_end(&j);
	} else {
		json_out_null(&j);
	}
	json_out_member_str(&j, "problem", r < 0 ? "the log or the index cannot be read" : NULL);
	json_out_member_int(&j, "records", (int64_t)index_size(q->src->index));
	json_out_member_str(&j, "status", r < 0 ? "degraded" : r > 0 ? "indexing" : "ok");
	request_end(q, &j);
}

void answer_make(struct answer_source *src, const char *path, const struct answer_param *params,
		 unsigned params_n, struct answer *ret)
{
	static const struct {
		const char *path;
		void (*fn)(struct request *q);
	} table[] = {
		{ "/v1/checkpoint", answer_checkpoint },
		{ "/v1/claim", answer_claim },
		{ "/v1/claims", answer_claims },
		{ "/v1/evidence", answer_evidence },
		{ "/v1/graph", answer_graph },
		{ "/v1/health", answer_health },
		{ "/v1/proof", answer_proof },
		{ "/v1/records", answer_records },
		{ "/v1/sessions", answer_sessions },
		{ "/v1/statistics", answer_statistics },
	};
	struct request q = { src, path, params, params_n, ret };

	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(path, table[i].path) == 0) {
			table[i].fn(&q);
			return;
		}
	request_refuse(&q, 404, "there is nothing of this name");
}
