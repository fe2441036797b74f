// SPDX-License-Identifier: Apache-2.0
/*
 * What the answers of the audit socket have in common. Runs in the query role; reads only.
 */
#include "user/query/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/notary/record.h"
#include "user/notary/segment.h"
#include "user/notary/store.h"

void answer_error(struct answer *a, unsigned status, const char *action, const char *object,
		  const char *reason)
{
	struct json_out j;

	buf_clear(&a->body);
	a->status = status;
	a->text = a->cose = false;
	json_out_init(&j, &a->body);
	json_out_object(&j);
	json_out_key(&j, "error");
	json_out_object(&j);
	json_out_member_str(&j, "action", action);
	json_out_member_str(&j, "object", object);
	json_out_member_str(&j, "reason", reason);
	json_out_object_end(&j);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		buf_clear(&a->body);
}

void request_refuse(struct request *q, unsigned status, const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	answer_error(q->out, status, "GET", q->path, reason);
}

bool request_update(struct request *q)
{
	int r = index_update(q->src->index, ANSWER_UPDATE_MAX);

	if (r == 1)
		request_refuse(q, 503, "the index is being built, %" PRIu64 " records are in it; ask again",
			       index_size(q->src->index));
	else if (r < 0)
		request_refuse(q, 500, "the log or the index cannot be read");
	return r == 0;
}

void request_begin(struct request *q, struct json_out *j)
{
	json_out_init(j, &q->out->body);
	json_out_object(j);
}

void request_end(struct request *q, struct json_out *j)
{
	int r;

	json_out_object_end(j);
	r = json_out_end(j);
	if (r == 0)
		r = buf_append(&q->out->body, "\n", 1);
	if (r < 0)
		request_refuse(q, 500, "%s", strerrordesc_np(-r));
	else
		q->out->status = 200;
}

const struct answer_param *request_param(const struct request *q, const char *name)
{
	for (unsigned i = 0; i < q->params_n; i++)
		if (span_is(q->params[i].name, name))
			return &q->params[i];
	return NULL;
}

/* As much of a stranger's word as an error repeats. */
static int shown(struct span s)
{
	return s.n > 64 ? 64 : (int)s.n;
}

bool request_known(struct request *q, const char *const *names)
{
	for (unsigned i = 0; i < q->params_n; i++) {
		bool known = false;

		for (const char *const *n = names; *n; n++)
			known |= span_is(q->params[i].name, *n);
		if (!known) {
			request_refuse(q, 400, "there is no parameter %.*s here", shown(q->params[i].name),
				       q->params[i].name.p);
			return false;
		}
		for (unsigned k = 0; k < i; k++)
			if (span_eq(q->params[i].name, q->params[k].name)) {
				request_refuse(q, 400, "%.*s is given twice", shown(q->params[i].name),
					       q->params[i].name.p);
				return false;
			}
	}
	return true;
}

bool request_number(struct request *q, const char *name, uint64_t fallback, uint64_t max, uint64_t *ret)
{
	const struct answer_param *p = request_param(q, name);
	uint64_t v = 0;
	bool good;

	if (!p) {
		*ret = fallback;
		return true;
	}
	good = p->value.n > 0 && p->value.n <= 16; /* 16 digits do not overflow */
	for (size_t i = 0; i < p->value.n && good; i++) {
		good = p->value.p[i] >= '0' && p->value.p[i] <= '9';
		v = v * 10 + (uint64_t)(p->value.p[i] - '0');
	}
	if (!good || v > max) {
		request_refuse(q, 400, "%s is not a number from 0 to %" PRIu64, name, max);
		return false;
	}
	*ret = v;
	return true;
}

bool request_time(struct request *q, const char *name, uint64_t *ret)
{
	const struct answer_param *p = request_param(q, name);
	char text[64], *stop;
	uint64_t ns;

	if (!p)
		return true;
	if (p->value.n > 0 && p->value.n < sizeof(text)) {
		memcpy(text, p->value.p, p->value.n);
		text[p->value.n] = '\0';
		ns = strtoull(text, &stop, 10);
		if (*stop == '\0' && text[0] >= '0' && text[0] <= '9' && ns < UINT64_MAX / 1000000000u) {
			*ret = ns * 1000000u;
			return true;
		}
		if (clock_parse_iso(text, &ns) == 0) {
			*ret = ns / 1000u;
			return true;
		}
	}
	request_refuse(q, 400, "%s is not a time: ISO 8601 (a plus sign as %%2B), or seconds since 1970", name);
	return false;
}

bool request_filter(struct request *q, const char *name, struct buf *keep, struct span *ret)
{
	const struct answer_param *p = request_param(q, name);
	struct span s;

	if (!p)
		return true;
	if (record_text(q->src->writer, p->value, &s) < 0 || buf_append(keep, s.p, s.n) < 0 ||
	    buf_append(keep, "", 1) < 0) {
		request_refuse(q, 400, "%s is too long", name);
		return false;
	}
	*ret = (struct span){ buf_span(keep).p, s.n };
	return true;
}

int request_file(struct request *q, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = segment_open(q->src->log_dirfd, name);

	return fd < 0 ? fd : file_read_fd(fd, CHECKPOINT_MAX, ret);
}

bool request_checkpoint(struct request *q, struct buf *note, struct checkpoint *cp)
{
	size_t n;
	int r = request_file(q, STORE_FILE_CHECKPOINT, note);

	if (r == 0)
		r = checkpoint_parse(buf_span(note), cp, &n);
	if (r == -ENOENT)
		request_refuse(q, 404, "nothing was signed yet");
	else if (r < 0)
		request_refuse(q, 500, "the checkpoint cannot be read");
	return r == 0;
}

void request_root(struct json_out *j, const struct checkpoint *cp)
{
	char root[2 * TREE_HASH + 1];

	hex_encode(cp->root, TREE_HASH, root);
	json_out_member_str(j, "root", root);
}

void request_path(struct json_out *j, const char *name, const struct tree_hash *p, unsigned n)
{
	json_out_key(j, name);
	json_out_array(j);
	for (unsigned i = 0; i < n; i++) {
		_cleanup_buf_ struct buf b = { 0 };

		if (base64_append(&b, p[i].b, TREE_HASH) < 0)
			j->error = j->error ? j->error : -ENOMEM;
		json_out_string(j, buf_span(&b));
	}
	json_out_array_end(j);
}

int request_line(int dirfd, const struct index_place *p, int *fd, uint64_t *segment, struct buf *ret,
		     struct record_view *ret_view)
{
	char name[SEGMENT_NAME_SIZE];
	char *dst;
	int r;

	if (p->n > RECORD_MAX)
		return -EBADMSG;
	if (*fd < 0 || *segment != p->segment) {
		cleanup_close(fd);
		segment_name(p->segment, name);
		*fd = segment_open(dirfd, name);
		*segment = p->segment;
		if (*fd < 0)
			return *fd;
	}
	buf_clear(ret);
	r = buf_reserve(ret, p->n + 1, &dst);
	if (r < 0)
		return r;
	if (pread(*fd, dst, p->n + 1, (off_t)p->offset) != (ssize_t)p->n + 1 || dst[p->n] != '\n')
		return -EBADMSG;
	buf_commit(ret, p->n);
	return record_view_parse(buf_span(ret), ret_view, NULL);
}
