// SPDX-License-Identifier: Apache-2.0
#include "attest/shape.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SHAPE_DEPTH_MAX 16 /* tables nest six deep */

struct place {
	const struct place *up;
	const char *name; /* NULL: an element */
	size_t index;
	unsigned depth;
};

static size_t write_place(const struct place *p, char *out, size_t size)
{
	size_t n = p->up ? write_place(p->up, out, size) : 0;

	if (n >= size)
		return n;
	if (p->name)
		n += (size_t)snprintf(out + n, size - n, "%s%.60s", n ? "." : "", p->name);
	else if (p->up)
		n += (size_t)snprintf(out + n, size - n, "[%zu]", p->index);
	return n;
}

static bool refuse(const struct place *p, const char *why, char error[SHAPE_ERROR_SIZE])
{
	char where[SHAPE_ERROR_SIZE / 2];

	where[0] = '\0';
	write_place(p, where, sizeof(where));
	snprintf(error, SHAPE_ERROR_SIZE, "%s: %s", where[0] ? where : "the document", why);
	return false;
}

static bool check(const struct shape *s, const json_t *v, const struct place *at,
		  char error[SHAPE_ERROR_SIZE]);

static const struct shape_member *member_of(const struct shape *s, const char *name)
{
	for (const struct shape_member *m = s->members; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static bool check_object(const struct shape *s, const json_t *v, const struct place *at,
			 char error[SHAPE_ERROR_SIZE])
{
	const char *name;
	json_t *member;

	if (!json_is_object(v))
		return refuse(at, "is no object", error);
	if (!s->members)
		return true;
	for (const struct shape_member *m = s->members; m->name; m++) {
		struct place here = { at, m->name, 0, at->depth + 1 };

		if (!m->optional && !json_object_get(v, m->name))
			return refuse(&here, "is missing", error);
	}
	json_object_foreach ((json_t *)(uintptr_t)v, name, member) {
		const struct shape_member *m = member_of(s, name);
		struct place here = { at, name, 0, at->depth + 1 };

		if (!m && !s->open)
			return refuse(&here, "is no member that this document has", error);
		if (m && !check(&m->shape, member, &here, error))
			return false;
	}
	return true;
}

static bool check_array(const struct shape *s, const json_t *v, const struct place *at,
			char error[SHAPE_ERROR_SIZE])
{
	if (!json_is_array(v))
		return refuse(at, "is no array", error);
	for (size_t i = 0; s->element && i < json_array_size(v); i++) {
		struct place here = { at, NULL, i, at->depth + 1 };

		if (!check(s->element, json_array_get(v, i), &here, error))
			return false;
	}
	return true;
}

static bool check_string(const struct shape *s, const json_t *v, const struct place *at,
			 char error[SHAPE_ERROR_SIZE])
{
	const char *text = json_string_value(v);

	if (!text)
		return refuse(at, "is no string", error);
	if (s->text && !s->text(text))
		return refuse(at, "has not the form that it must have", error);
	if (!s->words)
		return true;
	for (const char *const *w = s->words; *w; w++)
		if (strcmp(*w, text) == 0)
			return true;
	return refuse(at, "is none of the values that it may have", error);
}

static bool check(const struct shape *s, const json_t *v, const struct place *at,
		  char error[SHAPE_ERROR_SIZE])
{
	if (at->depth > SHAPE_DEPTH_MAX)
		return refuse(at, "is nested too deep", error);
	if (s->nullable && json_is_null(v))
		return true;
	switch (s->kind) {
	case SHAPE_STRING:
		return check_string(s, v, at, error);
	case SHAPE_INTEGER:
		if (!json_is_integer(v))
			return refuse(at, "is no integer", error);
		if ((s->min || s->max) && (json_integer_value(v) < s->min || json_integer_value(v) > s->max))
			return refuse(at, "is out of range", error);
		return true;
	case SHAPE_BOOL:
		return json_is_boolean(v) || refuse(at, "is neither true nor false", error);
	case SHAPE_OBJECT:
		return check_object(s, v, at, error);
	case SHAPE_ARRAY:
		return check_array(s, v, at, error);
	case SHAPE_ANY:
		return true;
	}
	return false;
}

bool shape_check(const struct shape *s, const json_t *v, char error[SHAPE_ERROR_SIZE])
{
	struct place top = { 0 };

	return check(s, v, &top, error);
}

static bool all(const char *s, size_t n, const char *set)
{
	return strlen(s) == n && strspn(s, set) == n;
}

bool shape_is_sha256_hex(const char *s)
{
	return all(s, 64, "0123456789abcdef");
}

bool shape_is_digest(const char *s)
{
	return (strncmp(s, "sha256:", 7) == 0 && all(s + 7, 64, "0123456789abcdef")) ||
	       (strncmp(s, "sha384:", 7) == 0 && all(s + 7, 96, "0123456789abcdef"));
}

bool shape_is_filled(const char *s)
{
	return *s != '\0';
}

bool shape_is_uri(const char *s)
{
	const char *colon = strchr(s, ':');

	if (!colon || colon == s || !isalpha((unsigned char)*s))
		return false;
	for (const char *p = s; p < colon; p++)
		if (!isalnum((unsigned char)*p) && !strchr("+-.", *p))
			return false;
	for (const char *p = colon; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return true;
}

bool shape_is_spiffe(const char *s)
{
	return strncmp(s, "spiffe://", 9) == 0 && s[9] && shape_is_uri(s);
}

bool shape_is_base64url(const char *s)
{
	return *s && s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")] == '\0';
}
