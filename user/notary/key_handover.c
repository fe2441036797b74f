// SPDX-License-Identifier: Apache-2.0
/*
 * Records of a change of the log key. Written in the notary only; read by verifiers, on hostile text.
 */
#include "user/notary/key_handover.h"

#include <string.h>

#include "user/base/buf.h"
#include "user/base/digest.h"
#include "user/notary/view.h"

#define DOMAIN "tollgate/key-handover/v1" /* with its NUL */

static int statement(const char *origin, const uint8_t old_key[KEY_SIZE], const uint8_t new_key[KEY_SIZE],
		     struct buf *out)
{
	const size_t n = strlen(origin);
	const uint8_t len[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	int r = buf_append(out, DOMAIN, sizeof(DOMAIN));

	if (r == 0)
		r = buf_append(out, len, sizeof(len));
	if (r == 0)
		r = buf_append(out, origin, n);
	if (r == 0)
		r = buf_append(out, old_key, KEY_SIZE);
	return r < 0 ? r : buf_append(out, new_key, KEY_SIZE);
}

int handover_fill(struct record *rec, struct handover_record *t, const char *origin,
		  const uint8_t old_key[KEY_SIZE], const uint8_t new_key[KEY_SIZE], struct log_key *before,
		  const char *why)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint8_t sig[KEY_SIG_SIZE];
	int r;

	hex_encode(old_key, KEY_SIZE, t->old_key);
	hex_encode(new_key, KEY_SIZE, t->new_key);
	t->detail[0] = (struct record_kv){ "new_key", span_of(t->new_key), 0 };
	t->detail[1] = (struct record_kv){ "old_key", span_of(t->old_key), 0 };
	rec->detail = t->detail;
	rec->detail_n = before ? 3 : 2;
	rec->reason_code = before ? SPAN(HANDOVER_CODE) : SPAN(HANDOVER_GAP_CODE);
	rec->reason = span_of(why);
	if (!before)
		return 0;
	r = statement(origin, old_key, new_key, &b);
	if (r == 0)
		r = log_key_sign(before, buf_span(&b).p, buf_len(&b), sig);
	if (r < 0)
		return r;
	hex_encode(sig, KEY_SIG_SIZE, t->signature);
	t->detail[2] = (struct record_kv){ "signature", span_of(t->signature), 0 };
	return 0;
}

/* Cuts `before` and 2*n hex digits off; false when the text is another. */
static bool take_hex(struct span *s, const char *before, uint8_t *ret, size_t n)
{
	const size_t k = strlen(before);

	if (s->n < k + 2 * n || memcmp(s->p, before, k) != 0 || hex_decode(s->p + k, 2 * n, ret, n) < 0)
		return false;
	s->p += k + 2 * n;
	s->n -= k + 2 * n;
	return true;
}

enum handover handover_read(const struct record_view *v, const char *origin, uint8_t ret_old[KEY_SIZE],
			    uint8_t ret_new[KEY_SIZE])
{
	struct span code = record_view_text(v, M_REASON_CODE), s = v->m[M_DETAIL];
	const bool is_signed = span_is(code, HANDOVER_CODE);
	uint8_t old_key[KEY_SIZE], new_key[KEY_SIZE], sig[KEY_SIG_SIZE];
	_cleanup_buf_ struct buf b = { 0 };

	if (!span_is(record_view_text(v, M_ENTRY_TYPE), "node") ||
	    (!is_signed && !span_is(code, HANDOVER_GAP_CODE)))
		return HANDOVER_NONE;
	/* Records are canonical, so there is one text for each detail. */
	if (!take_hex(&s, "{\"new_key\":\"", new_key, KEY_SIZE) ||
	    !take_hex(&s, "\",\"old_key\":\"", old_key, KEY_SIZE) ||
	    (is_signed && !take_hex(&s, "\",\"signature\":\"", sig, KEY_SIG_SIZE)) || !span_is(s, "\"}"))
		return HANDOVER_FALSE;
	if (is_signed && (statement(origin, old_key, new_key, &b) < 0 ||
			  log_key_check(old_key, buf_span(&b).p, buf_len(&b), sig) < 0))
		return HANDOVER_FALSE;
	memcpy(ret_old, old_key, KEY_SIZE);
	memcpy(ret_new, new_key, KEY_SIZE);
	return is_signed ? HANDOVER_SIGNED : HANDOVER_GAP;
}
