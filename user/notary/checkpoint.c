// SPDX-License-Identifier: Apache-2.0
/*
 * Tree heads as C2SP signed notes. Signing runs in the notary only; parsing and verifying anywhere,
 * on hostile text.
 */
#include "user/notary/checkpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/base64.h"
#include "user/base/digest.h"

#define ALG_ED25519 1
#define COUNTER_WORD "nv-counter "

bool checkpoint_name_valid(const char *name)
{
	size_t n = strnlen(name, CHECKPOINT_NAME_MAX + 1);

	if (n == 0 || n > CHECKPOINT_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] >= 0x7f || name[i] == '+')
			return false;
	return true;
}

void verifier_key_of(const char *name, const uint8_t pub[KEY_SIZE], struct verifier_key *ret)
{
	uint8_t in[CHECKPOINT_NAME_MAX + 2 + KEY_SIZE], digest[SHA256_SIZE];
	size_t n = strnlen(name, CHECKPOINT_NAME_MAX);

	*ret = (struct verifier_key){ 0 };
	memcpy(ret->name, name, n);
	memcpy(ret->pub, pub, KEY_SIZE);
	memcpy(in, name, n);
	in[n] = '\n';
	in[n + 1] = ALG_ED25519;
	memcpy(in + n + 2, pub, KEY_SIZE);
	sha256(in, n + 2 + KEY_SIZE, digest);
	memcpy(ret->id, digest, sizeof(ret->id));
}

int verifier_key_text(const struct verifier_key *vk, struct buf *out)
{
	uint8_t key[1 + KEY_SIZE] = { ALG_ED25519 };
	char id[9];
	int r;

	memcpy(key + 1, vk->pub, KEY_SIZE);
	hex_encode(vk->id, sizeof(vk->id), id);
	r = buf_printf(out, "%s+%s+", vk->name, id);
	return r < 0 ? r : base64_append(out, key, sizeof(key));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span checkpoint_trim(struct span s)
{
	while (s.n && is_space(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	return s;
}

int verifier_key_parse(struct span text, struct verifier_key *ret)
{
	char name[CHECKPOINT_NAME_MAX + 1] = "";
	uint8_t key[1 + KEY_SIZE], id[4];
	const char *plus;
	struct verifier_key vk;
	size_t n;

	text = checkpoint_trim(text);
	plus = text.n ? memchr(text.p, '+', text.n) : NULL;
	if (!plus || (size_t)(plus - text.p) > CHECKPOINT_NAME_MAX)
		return -EINVAL;
	memcpy(name, text.p, (size_t)(plus - text.p));
	if (strlen(name) != (size_t)(plus - text.p) || !checkpoint_name_valid(name))
		return -EINVAL;
	n = text.n - (size_t)(plus + 1 - text.p);
	if (n < 9 || plus[9] != '+' || hex_decode(plus + 1, 8, id, sizeof(id)) < 0 ||
	    base64_decode((struct span){ plus + 10, n - 9 }, key, sizeof(key), &n) < 0 ||
	    n != sizeof(key) || key[0] != ALG_ED25519)
		return -EINVAL;
	verifier_key_of(name, key + 1, &vk);
	if (memcmp(vk.id, id, sizeof(id)) != 0)
		return -EINVAL;
	*ret = vk;
	return 0;
}

int checkpoint_sign(const struct checkpoint *cp, struct log_key *k, struct buf *out)
{
	_cleanup_buf_ struct buf text = { .limit = CHECKPOINT_MAX };
	uint8_t pub[KEY_SIZE], sig[4 + KEY_SIG_SIZE];
	struct verifier_key vk;
	int r;

	if (!checkpoint_name_valid(cp->origin))
		return -EINVAL;
	log_key_public(k, pub);
	verifier_key_of(cp->origin, pub, &vk);
	memcpy(sig, vk.id, 4);
	r = buf_printf(&text, "%s\n%llu\n", cp->origin, (unsigned long long)cp->size);
	if (r == 0)
		r = base64_append(&text, cp->root, TREE_HASH);
	if (r == 0)
		r = buf_append(&text, "\n", 1);
	if (r == 0 && cp->counted)
		r = buf_printf(&text, COUNTER_WORD "%llu %llu\n", (unsigned long long)cp->counter,
			       (unsigned long long)cp->counter_size);
	if (r == 0)
		r = log_key_sign(k, buf_span(&text).p, buf_len(&text), sig + 4);
	if (r == 0)
		r = buf_printf(&text, "\n" CHECKPOINT_EM_DASH "%s ", cp->origin);
	if (r == 0)
		r = base64_append(&text, sig, sizeof(sig));
	if (r == 0)
		r = buf_append(&text, "\n", 1);
	return r < 0 ? r : buf_append(out, buf_span(&text).p, buf_len(&text));
}

static int parse_size(struct span s, uint64_t *ret)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 19 || (s.p[0] == '0' && s.n > 1))
		return -EBADMSG;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EBADMSG;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*ret = v;
	return 0;
}

/* Length of the text that is signed: up to the last empty line. 0 when there is none. */
static size_t text_length(struct span note)
{
	for (size_t i = note.n; i >= 2; i--)
		if (note.p[i - 1] == '\n' && note.p[i - 2] == '\n')
			return i - 1;
	return 0;
}

/* What has our word has our form, once. */
static int parse_extension(struct span line, struct checkpoint *cp)
{
	const size_t word = sizeof(COUNTER_WORD) - 1;
	struct span value, size;
	const char *sp;

	if (line.n < word || memcmp(line.p, COUNTER_WORD, word) != 0)
		return 0;
	value = (struct span){ line.p + word, line.n - word };
	sp = value.n ? memchr(value.p, ' ', value.n) : NULL;
	if (!sp || cp->counted)
		return -EBADMSG;
	size = (struct span){ sp + 1, value.n - (size_t)(sp + 1 - value.p) };
	value.n = (size_t)(sp - value.p);
	if (parse_size(value, &cp->counter) < 0 || parse_size(size, &cp->counter_size) < 0 ||
	    cp->counter_size > cp->size)
		return -EBADMSG;
	cp->counted = true;
	return 0;
}

int checkpoint_parse(struct span note, struct checkpoint *ret, size_t *ret_text_n)
{
	struct checkpoint cp = { 0 };
	struct span text, line;
	size_t n;

	if (note.n > CHECKPOINT_MAX)
		return -EBADMSG;
	text = (struct span){ note.p, text_length(note) };
	if (text.n == 0)
		return -EBADMSG;
	/* Ours are ASCII; refusing the rest of UTF-8 here leaves nothing to normalise or to confuse. */
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] != '\n' && (text.p[i] < 0x20 || text.p[i] >= 0x7f))
			return -EBADMSG;
	*ret_text_n = text.n;
	if (!span_cut_line(&text, &line) || line.n > CHECKPOINT_NAME_MAX)
		return -EBADMSG;
	memcpy(cp.origin, line.p, line.n);
	if (!checkpoint_name_valid(cp.origin))
		return -EBADMSG;
	if (!span_cut_line(&text, &line) || parse_size(line, &cp.size) < 0)
		return -EBADMSG;
	if (!span_cut_line(&text, &line) ||
	    base64_decode(line, cp.root, TREE_HASH, &n) < 0 || n != TREE_HASH)
		return -EBADMSG;
	while (text.n) /* extension lines are not empty */
		if (!span_cut_line(&text, &line) || line.n == 0 || parse_extension(line, &cp) < 0)
			return -EBADMSG;
	*ret = cp;
	return 0;
}

int checkpoint_next_signature(struct span *rest, struct span *ret_name, uint8_t ret_sig[CHECKPOINT_SIG_MAX],
			      size_t *ret_n)
{
	const size_t dash = sizeof(CHECKPOINT_EM_DASH) - 1;
	struct span line;
	const char *sp;

	if (!span_cut_line(rest, &line) || line.n < dash || memcmp(line.p, CHECKPOINT_EM_DASH, dash) != 0)
		return -EBADMSG;
	line.p += dash;
	line.n -= dash;
	sp = line.n ? memchr(line.p, ' ', line.n) : NULL;
	if (!sp || sp == line.p)
		return -EBADMSG;
	*ret_name = (struct span){ line.p, (size_t)(sp - line.p) };
	line = (struct span){ sp + 1, line.n - ret_name->n - 1 };
	return base64_decode(line, ret_sig, CHECKPOINT_SIG_MAX, ret_n) < 0 || *ret_n < 5 ? -EBADMSG : 0;
}

/* One signature. 1 when it is vk's and good, 0 when it is another's, or negative. */
static int check_next(struct span *rest, struct span text, const struct verifier_key *vk)
{
	uint8_t sig[CHECKPOINT_SIG_MAX];
	struct span name;
	size_t n;
	int r = checkpoint_next_signature(rest, &name, sig, &n);

	if (r < 0)
		return r;
	if (!span_is(name, vk->name) || memcmp(sig, vk->id, 4) != 0)
		return 0;
	if (n != 4 + KEY_SIG_SIZE || log_key_check(vk->pub, text.p, text.n, sig + 4) < 0)
		return -EKEYREJECTED;
	return 1;
}

int checkpoint_verify(struct span note, const struct verifier_key *vk, struct checkpoint *ret)
{
	struct checkpoint cp;
	struct span text;
	unsigned good = 0;
	size_t n;
	int r = checkpoint_parse(note, &cp, &n);

	if (r < 0)
		return r;
	text = (struct span){ note.p, n };
	note = (struct span){ note.p + n + 1, note.n - n - 1 };
	while (note.n) {
		r = check_next(&note, text, vk);
		if (r < 0)
			return r;
		good += (unsigned)r;
	}
	if (good != 1 || strcmp(cp.origin, vk->name) != 0)
		return -EKEYREJECTED;
	*ret = cp;
	return 0;
}
