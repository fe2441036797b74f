// SPDX-License-Identifier: Apache-2.0
/*
 * The parser of the tape. Runs in the proxy on hostile bytes: no recursion, no allocation beyond
 * the limits, and it must never accept what two standard parsers could read differently.
 */
#include "user/mcp/tape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/mcp/tape_keys.h"
#include "user/mcp/tape_string.h"

#define TOKENS_FIRST 64

struct parser {
	struct tape *t;
	const char *p;
	size_t n, i;
	uint32_t depth, depth_max;
	uint32_t open[TAPE_DEPTH_MAX]; /* tokens of the containers we are in */
	uint32_t keys[TAPE_DEPTH_MAX]; /* height of the name stack where each began */
};

enum step {
	STEP_VALUE,
	STEP_NAME,
	STEP_AFTER, /* a value ended */
	STEP_DONE,
};

static enum tape_error token_new(struct parser *x, enum tape_type type, uint32_t *ret)
{
	struct tape *t = x->t;
	struct tape_tok *tok;
	uint32_t cap;

	if (t->count == t->limit)
		return TAPE_E_TOKENS;
	if (t->count == t->cap) {
		cap = t->cap ? t->cap * 2 : TOKENS_FIRST;
		if (cap > t->limit)
			cap = t->limit;
		tok = realloc(t->tok, cap * sizeof(*tok));
		if (!tok)
			return TAPE_E_MEMORY;
		t->tok = tok;
		t->cap = cap;
	}
	t->tok[t->count] = (struct tape_tok){
		.off = (uint32_t)x->i,
		.type = type,
		.next = t->count + 1,
	};
	*ret = t->count++;
	return TAPE_OK;
}

static void space_skip(struct parser *x)
{
	while (x->i < x->n) {
		char c = x->p[x->i];

		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			break;
		x->i++;
	}
}

int tape_shadow_ensure(struct tape *t)
{
	char *p;

	if (t->shadow_cap >= t->bytes.n)
		return 0;
	p = malloc(t->bytes.n);
	if (!p)
		return -ENOMEM;
	free(t->shadow);
	t->shadow = p;
	t->shadow_cap = t->bytes.n;
	return 0;
}

/* At the opening quote. */
static enum tape_error string_take(struct parser *x, bool name, uint32_t *ret)
{
	enum tape_error e;
	struct tape_tok *tok;
	bool escaped;

	x->i++;
	e = token_new(x, TAPE_STRING, ret);
	if (e == TAPE_OK)
		e = tape_string_scan(x->p, x->n, &x->i, &escaped);
	if (e != TAPE_OK)
		return e;
	tok = &x->t->tok[*ret];
	tok->len = (uint32_t)(x->i - tok->off);
	tok->escaped = escaped;
	tok->name = name;
	x->i++;
	return escaped && tape_shadow_ensure(x->t) < 0 ? TAPE_E_MEMORY : TAPE_OK;
}

static size_t digits(const struct parser *x, size_t i)
{
	while (i < x->n && x->p[i] >= '0' && x->p[i] <= '9')
		i++;
	return i;
}

static enum tape_error number_take(struct parser *x)
{
	enum tape_error e;
	uint32_t tok;
	size_t i, from;

	e = token_new(x, TAPE_NUMBER, &tok);
	if (e != TAPE_OK)
		return e;
	i = x->i + (x->p[x->i] == '-');
	from = i;
	i = digits(x, i);
	if (i - from > 1 && x->p[from] == '0')
		return TAPE_E_NUMBER;
	if (i == from)
		goto bad;
	if (i < x->n && x->p[i] == '.') {
		from = ++i;
		i = digits(x, i);
		if (i == from)
			goto bad;
	}
	if (i < x->n && (x->p[i] | 0x20) == 'e') {
		i++;
		if (i < x->n && (x->p[i] == '+' || x->p[i] == '-'))
			i++;
		from = i;
		i = digits(x, i);
		if (i == from)
			goto bad;
	}
	x->t->tok[tok].len = (uint32_t)(i - x->i);
	x->i = i;
	return TAPE_OK;
bad:
	x->i = i;
	return i == x->n ? TAPE_E_INCOMPLETE : TAPE_E_NUMBER;
}

static enum tape_error literal_take(struct parser *x, const char *word, enum tape_type type)
{
	size_t len = strlen(word), have = x->n - x->i < len ? x->n - x->i : len;
	enum tape_error e;
	uint32_t tok;

	if (memcmp(x->p + x->i, word, have) != 0)
		return TAPE_E_SYNTAX;
	if (have < len)
		return TAPE_E_INCOMPLETE;
	e = token_new(x, type, &tok);
	if (e != TAPE_OK)
		return e;
	x->t->tok[tok].len = (uint32_t)len;
	x->i += len;
	return TAPE_OK;
}

static enum tape_error container_close(struct parser *x, enum step *step)
{
	struct tape *t = x->t;
	struct tape_tok *tok = &t->tok[x->open[x->depth - 1]];
	uint32_t twice;
	int r;

	x->i++;
	tok->len = (uint32_t)(x->i - tok->off);
	tok->next = t->count;
	x->depth--;
	*step = STEP_AFTER;
	if (tok->type != TAPE_OBJECT)
		return TAPE_OK;
	r = tape_keys_pop(t, x->keys[x->depth], &twice);
	if (r == -EEXIST) {
		x->i = t->tok[twice].off;
		return TAPE_E_DUPLICATE;
	}
	return r < 0 ? TAPE_E_MEMORY : TAPE_OK;
}

static enum tape_error container_open(struct parser *x, enum tape_type type, enum step *step)
{
	char end = type == TAPE_OBJECT ? '}' : ']';
	enum tape_error e;
	uint32_t tok;

	if (x->depth == x->depth_max)
		return TAPE_E_DEPTH;
	e = token_new(x, type, &tok);
	if (e != TAPE_OK)
		return e;
	x->keys[x->depth] = x->t->keys.n;
	x->open[x->depth++] = tok;
	x->i++;
	space_skip(x);
	if (x->i < x->n && x->p[x->i] == end)
		return container_close(x, step);
	*step = type == TAPE_OBJECT ? STEP_NAME : STEP_VALUE;
	return TAPE_OK;
}

static enum tape_error value_take(struct parser *x, enum step *step)
{
	uint32_t tok;

	space_skip(x);
	if (x->i >= x->n)
		return TAPE_E_INCOMPLETE;
	if (x->depth)
		x->t->tok[x->open[x->depth - 1]].count++;
	*step = STEP_AFTER;
	switch (x->p[x->i]) {
	case '{':
		return container_open(x, TAPE_OBJECT, step);
	case '[':
		return container_open(x, TAPE_ARRAY, step);
	case '"':
		return string_take(x, false, &tok);
	case 't':
		return literal_take(x, "true", TAPE_TRUE);
	case 'f':
		return literal_take(x, "false", TAPE_FALSE);
	case 'n':
		return literal_take(x, "null", TAPE_NULL);
	case '-':
	case '0' ... '9':
		return number_take(x);
	default:
		return TAPE_E_SYNTAX;
	}
}

static enum tape_error name_take(struct parser *x, enum step *step)
{
	enum tape_error e;
	uint32_t tok;
	int r;

	space_skip(x);
	if (x->i >= x->n)
		return TAPE_E_INCOMPLETE;
	if (x->p[x->i] != '"')
		return TAPE_E_SYNTAX;
	e = string_take(x, true, &tok);
	if (e != TAPE_OK)
		return e;
	r = tape_keys_push(x->t, x->keys[x->depth - 1], tok);
	if (r == -EEXIST) {
		x->i = x->t->tok[tok].off;
		return TAPE_E_DUPLICATE;
	}
	if (r < 0)
		return TAPE_E_MEMORY;
	space_skip(x);
	if (x->i >= x->n)
		return TAPE_E_INCOMPLETE;
	if (x->p[x->i] != ':')
		return TAPE_E_SYNTAX;
	x->i++;
	*step = STEP_VALUE;
	return TAPE_OK;
}

static enum tape_error after_take(struct parser *x, enum step *step)
{
	bool object;
	char c;

	space_skip(x);
	if (x->depth == 0) {
		*step = STEP_DONE;
		return x->i < x->n ? TAPE_E_TRAILING : TAPE_OK;
	}
	if (x->i >= x->n)
		return TAPE_E_INCOMPLETE;
	object = x->t->tok[x->open[x->depth - 1]].type == TAPE_OBJECT;
	c = x->p[x->i];
	if (c == (object ? '}' : ']'))
		return container_close(x, step);
	if (c != ',')
		return TAPE_E_SYNTAX;
	x->i++;
	*step = object ? STEP_NAME : STEP_VALUE;
	return TAPE_OK;
}

static int error_to_errno(enum tape_error e)
{
	switch (e) {
	case TAPE_OK:
		return 0;
	case TAPE_E_MEMORY:
		return -ENOMEM;
	case TAPE_E_DEPTH:
	case TAPE_E_TOKENS:
	case TAPE_E_BYTES:
		return -EMSGSIZE;
	default:
		return -EBADMSG;
	}
}

static uint32_t limit(uint32_t asked, uint32_t usual, uint32_t most)
{
	return asked == 0 ? usual : asked < most ? asked : most;
}

int tape_parse(struct tape *t, struct span bytes, const struct tape_limits *limits)
{
	static const struct tape_limits usual;
	const struct tape_limits *l = limits ? limits : &usual;
	enum tape_error e = TAPE_OK;
	struct parser x; /* its arrays stay unset: clearing 2 KiB costs as much as a small message */
	enum step step = STEP_VALUE;
	size_t most = l->bytes && l->bytes < TAPE_BYTES_MAX ? l->bytes : TAPE_BYTES_MAX;

	x.t = t;
	x.p = bytes.p;
	x.n = bytes.n;
	x.i = 0;
	x.depth = 0;
	x.depth_max = limit(l->depth, TAPE_DEPTH_DEFAULT, TAPE_DEPTH_MAX);
	t->limit = limit(l->tokens, TAPE_TOKENS_DEFAULT, TAPE_TOKENS_MAX);
	t->bytes = bytes;
	t->count = 0;
	t->keys.n = 0;
	if (bytes.n > (l->bytes ? most : TAPE_BYTES_DEFAULT))
		e = TAPE_E_BYTES;
	while (e == TAPE_OK && step != STEP_DONE) {
		switch (step) {
		case STEP_VALUE:
			e = value_take(&x, &step);
			break;
		case STEP_NAME:
			e = name_take(&x, &step);
			break;
		default:
			e = after_take(&x, &step);
		}
	}
	t->error = e;
	t->offset = x.i;
	if (e != TAPE_OK)
		t->count = 0;
	return error_to_errno(e);
}

void tape_done(struct tape *t)
{
	free(t->tok);
	free(t->keys.key);
	free(t->keys.set);
	free(t->shadow);
	*t = (struct tape){ 0 };
}

void tape_shrink(struct tape *t, size_t keep)
{
	size_t held = t->cap * sizeof(*t->tok) + t->keys.cap * sizeof(*t->keys.key) +
		      t->keys.set_cap * sizeof(*t->keys.set) + t->shadow_cap;

	if (held > keep)
		tape_done(t);
	else
		t->count = 0;
}
