// SPDX-License-Identifier: Apache-2.0
/*
 * The values of tollgate.conf: one setter per type, driven by tables of keys. Runs in the supervisor and in
 * tollgate(1). A value that is not wholly understood is an error at its place, never a default.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/conf/internal.h"

#define CONF_TEXT_MAX 1023 /* longest single value: a path that other roles can carry */
#define CONF_NAME_MAX 63

int conf_fail(struct conf_error *e, int r, const char *file, unsigned line, unsigned column,
	      const char *fmt, ...)
{
	int n;
	va_list ap;

	if (!e)
		return r;
	e->line = line;
	e->column = column;
	if (line)
		n = snprintf(e->text, sizeof(e->text), "%s:%u:%u: ", file, line, column);
	else
		n = snprintf(e->text, sizeof(e->text), "%s: ", file);
	if (n < 0 || (size_t)n >= sizeof(e->text))
		return r;
	va_start(ap, fmt);
	(void)vsnprintf(e->text + n, sizeof(e->text) - (size_t)n, fmt, ap);
	va_end(ap);
	return r;
}

void *conf_grow(void *array, unsigned *n, size_t size)
{
	char *p = reallocarray(array, *n + 1u, size);

	if (!p)
		return NULL;
	memset(p + (size_t)*n * size, 0, size);
	(*n)++;
	return p;
}

int conf_warn(struct conf *c, const char *fmt, ...)
{
	_cleanup_free_ char *s = NULL;
	char **list;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s = NULL;
		return -ENOMEM;
	}
	list = conf_grow(c->warnings, &c->nwarnings, sizeof(*list));
	if (!list)
		return -ENOMEM;
	c->warnings = list;
	list[c->nwarnings - 1] = take_ptr(s);
	return 0;
}

int conf_parse_number(const char *s, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
			return -ERANGE;
	}
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

static bool is_alnum(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
}

bool conf_name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > CONF_NAME_MAX || !is_alnum(s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && !strchr("._-", s[i]))
			return false;
	return true;
}

bool conf_path_ok(const char *s)
{
	if (s[0] != '/' || strlen(s) > CONF_TEXT_MAX)
		return false;
	while (*s) {
		size_t n = strcspn(++s, "/");

		if (n == 0 || (n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.'))
			return false;
		s += n;
	}
	return true;
}

static int need_scalar(struct conf_read *r, const struct tree_node *n, const struct conf_field *f)
{
	if (n->kind != TREE_SCALAR)
		return conf_node_fail(r, n, "%s: one value is expected, not a %s", f->key,
				      n->kind == TREE_LIST ? "list" : "mapping");
	if (n->text[0] == '\0')
		return conf_node_fail(r, n, "%s: the value is missing", f->key);
	if (n->plain && (strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0))
		return conf_node_fail(r, n, "%s: null is no value; leave the key out", f->key);
	if (strlen(n->text) > CONF_TEXT_MAX)
		return conf_node_fail(r, n, "%s: longer than %d bytes", f->key, CONF_TEXT_MAX);
	return 0;
}

static int set_string(char **dst, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

int conf_set_text(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	int q = need_scalar(r, n, f);

	return q < 0 ? q : set_string(dst, n->text);
}

int conf_set_name(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	int q = need_scalar(r, n, f);

	if (q < 0)
		return q;
	if (!conf_name_ok(n->text))
		return conf_node_fail(r, n,
				      "%s: '%s' is no name: 1 to %d letters, digits, '.', '_' or '-', "
				      "beginning with a letter or digit", f->key, n->text, CONF_NAME_MAX);
	return set_string(dst, n->text);
}

int conf_set_path(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	int q = need_scalar(r, n, f);

	if (q < 0)
		return q;
	if (!conf_path_ok(n->text))
		return conf_node_fail(r, n,
				      "%s: '%s' must be an absolute path without '.', '..', '//' or a "
				      "slash at the end", f->key, n->text);
	return set_string(dst, n->text);
}

int conf_read_list(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		   int (*set)(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst),
		   char ***list, unsigned *count)
{
	if (n->kind != TREE_LIST)
		return conf_node_fail(r, n, "%s: a list of %s is expected", f->key, f->why);
	for (const struct tree_node *i = n->first; i; i = i->next) {
		char **grown;
		int q;

		if (*count >= f->max)
			return conf_node_fail(r, i, "%s: more than %llu entries", f->key, (unsigned long long)f->max);
		grown = conf_grow(*list, count, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		*list = grown;
		q = set(r, i, f, &grown[*count - 1]);
		if (q < 0)
			return q;
		for (unsigned k = 0; k + 1 < *count; k++)
			if (strcmp(grown[k], grown[*count - 1]) == 0)
				return conf_node_fail(r, i, "%s: '%s' is listed twice", f->key, grown[k]);
	}
	return 0;
}

int conf_set_enum(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	const char *const *names = f->more;
	unsigned *v = dst;
	int q = need_scalar(r, n, f);

	if (q < 0)
		return q;
	for (unsigned i = 0; names[i]; i++)
		if (strcmp(names[i], n->text) == 0) {
			*v = i;
			return 0;
		}
	return conf_node_fail(r, n, "%s: '%s' is not %s", f->key, n->text, f->why);
}

static int in_range(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		    uint64_t v, const char *unit)
{
	if (v < f->min)
		return conf_node_fail(r, n, "%s: %s is below %llu%s: %s", f->key, n->text,
				      (unsigned long long)f->min, unit, f->why);
	if (v > f->max)
		return conf_node_fail(r, n, "%s: %s is above %llu%s: %s", f->key, n->text,
				      (unsigned long long)f->max, unit, f->why);
	return 0;
}

/* Splits "<digits><unit>". The factor of the unit, or 0 when it is none of the list. */
static int with_unit(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		     const char *const *units, const uint64_t *factors, uint64_t *ret)
{
	char digits[24] = { 0 };
	size_t len = strspn(n->text, "0123456789");
	uint64_t v, factor = 0;

	for (unsigned i = 0; units[i]; i++)
		if (strcmp(units[i], n->text + len) == 0)
			factor = factors[i];
	if (len == 0 || len >= sizeof(digits) || factor == 0)
		return conf_node_fail(r, n, "%s: '%s' is no %s", f->key, n->text,
				      units[0][0] ? "time: write 30s, 5m or 1h; 500ms or 7d where that is likely"
						  : "size: write bytes, or 64K, 16M, 1G");
	memcpy(digits, n->text, len);
	if (conf_parse_number(digits, UINT64_MAX, &v) < 0 || __builtin_mul_overflow(v, factor, &v))
		return conf_node_fail(r, n, "%s: '%s' is no number in range", f->key, n->text);
	*ret = v;
	return 0;
}

static int read_amount(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		       const char *const *units, const uint64_t *factors, const char *unit, uint64_t *ret)
{
	int q = need_scalar(r, n, f);

	if (q == 0)
		q = with_unit(r, n, f, units, factors, ret);
	return q == 0 ? in_range(r, n, f, *ret, unit) : q;
}

int conf_set_bytes(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	static const char *const units[] = { "", "K", "M", "G", NULL };
	static const uint64_t factors[] = { 1, 1u << 10, 1u << 20, 1u << 30 };
	uint64_t v;
	int q = read_amount(r, n, f, units, factors, " bytes", &v);

	if (q == 0)
		*(uint64_t *)dst = v;
	return q;
}

int conf_set_millis(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	static const char *const units[] = { "ms", "s", "m", "h", NULL };
	static const uint64_t factors[] = { 1, 1000, 60 * 1000, 3600 * 1000 };
	uint64_t v;
	int q = read_amount(r, n, f, units, factors, "ms", &v);

	if (q == 0)
		*(unsigned *)dst = (unsigned)v;
	return q;
}

int conf_set_seconds(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	static const char *const units[] = { "s", "m", "h", "d", NULL };
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };
	uint64_t v;
	int q = read_amount(r, n, f, units, factors, "s", &v);

	if (q == 0)
		*(uint64_t *)dst = v;
	return q;
}

int conf_set_count(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	uint64_t v;
	int q = need_scalar(r, n, f);

	if (q < 0)
		return q;
	q = conf_parse_number(n->text, UINT32_MAX, &v);
	if (q < 0)
		return conf_node_fail(r, n, "%s: '%s' is no decimal number%s", f->key, n->text,
				      q == -ERANGE ? " in range" : "");
	q = in_range(r, n, f, v, "");
	if (q < 0)
		return q;
	*(unsigned *)dst = (unsigned)v;
	return 0;
}

int conf_set_map(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	return conf_read_map(r, n, f->more, dst);
}

/* "a, b, c": what a reader could have meant. */
static void list_keys(const struct conf_field *fields, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (; fields->key && used < size; fields++) {
		int n = snprintf(ret + used, size - used, "%s%s", used ? ", " : "", fields->key);

		if (n < 0)
			return;
		used += (size_t)n;
	}
}

int conf_read_map(struct conf_read *r, const struct tree_node *n, const struct conf_field *fields,
		  void *base)
{
	char known[320];

	if (n->kind != TREE_MAP)
		return conf_node_fail(r, n, "%s%skeys and values are expected here",
				      n->key ? n->key : "", n->key ? ": " : "");
	for (const struct tree_node *child = n->first; child; child = child->next) {
		const struct conf_field *f = fields;
		int q;

		while (f->key && strcmp(f->key, child->key) != 0)
			f++;
		if (!f->key) {
			list_keys(fields, known, sizeof(known));
			return conf_fail(r->e, -EINVAL, r->c->file, child->key_line,
					 child->key_column, "unknown key '%.64s'; known here: %s",
					 child->key, known);
		}
		q = f->set(r, child, f, (char *)base + f->off);
		if (q == -ENOMEM)
			return conf_fail(r->e, q, r->c->file, 0, 0, "out of memory");
		if (q < 0)
			return q;
	}
	return 0;
}
