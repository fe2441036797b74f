// SPDX-License-Identifier: Apache-2.0
/*
 * YAML text to a tree of values with places, by libyaml's events. Runs in the supervisor and in
 * tollgate(1), as root: it must never follow what YAML offers beyond plain data.
 */
#include "user/conf/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "user/base/cleanup.h"
#include "user/conf/internal.h"

struct reader {
	yaml_parser_t parser;
	const char *file, *text;
	size_t len;
	unsigned nodes;
	struct conf_error *e;
};

DEFINE_CLEANUP(struct tree_node *, tree_free)

void tree_free(struct tree_node *n)
{
	while (n) {
		struct tree_node *next = n->next;

		tree_free(n->first);
		free(n->text);
		free(n->key);
		free(n);
		n = next;
	}
}

static int fail_at(struct reader *r, yaml_mark_t m, const char *what)
{
	return conf_fail(r->e, -EINVAL, r->file, (unsigned)m.line + 1, (unsigned)m.column + 1, "%s",
			 what);
}

static int no_memory(struct reader *r)
{
	return conf_fail(r->e, -ENOMEM, r->file, 0, 0, "out of memory");
}

/* libyaml gives a byte offset, not a place, for bytes that are no UTF-8. */
static int fail_offset(struct reader *r, size_t offset, const char *what)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < offset && i < r->len; i++) {
		column = r->text[i] == '\n' ? 1 : column + 1;
		line += r->text[i] == '\n';
	}
	return conf_fail(r->e, -EINVAL, r->file, line, column, "%s", what);
}

static int next(struct reader *r, yaml_event_t *ret)
{
	yaml_parser_t *p = &r->parser;

	if (yaml_parser_parse(p, ret))
		return 0;
	switch (p->error) {
	case YAML_MEMORY_ERROR:
		return no_memory(r);
	case YAML_READER_ERROR:
		return fail_offset(r, p->problem_offset, p->problem ? p->problem : "unreadable");
	default:
		return fail_at(r, p->problem_mark, p->problem ? p->problem : "not YAML");
	}
}

static void cleanup_event(yaml_event_t *e)
{
	yaml_event_delete(e);
}
#define _cleanup_event_ __attribute__((cleanup(cleanup_event)))

static bool printable(const yaml_char_t *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

static int take_scalar(struct reader *r, const yaml_event_t *e, char **ret)
{
	char *s;

	if (!printable(e->data.scalar.value, e->data.scalar.length))
		return fail_at(r, e->start_mark, "control character or line break in a value");
	s = strndup((const char *)e->data.scalar.value, e->data.scalar.length);
	if (!s)
		return no_memory(r);
	*ret = s;
	return 0;
}

/* What plain data does not have. */
static int check_plain(struct reader *r, const yaml_event_t *e)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;

	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return fail_at(r, e->start_mark, "aliases (*name) are not allowed");
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
		break;
	default:
		break;
	}
	if (anchor)
		return fail_at(r, e->start_mark, "anchors (&name) are not allowed");
	if (tag)
		return fail_at(r, e->start_mark, "tags (!name) are not allowed");
	return 0;
}

static int new_node(struct reader *r, const yaml_event_t *e, struct tree_node **ret)
{
	struct tree_node *n;

	if (++r->nodes > TREE_NODES_MAX)
		return fail_at(r, e->start_mark, "too many values");
	n = calloc(1, sizeof(*n));
	if (!n)
		return no_memory(r);
	n->line = (unsigned)e->start_mark.line + 1;
	n->column = (unsigned)e->start_mark.column + 1;
	*ret = n;
	return 0;
}

static int read_node(struct reader *r, yaml_event_t *e, unsigned depth, struct tree_node **ret);

#define MAP_KEYS_MAX 64 /* the largest map has about twenty; also bounds the search for duplicates */

static const struct tree_node *find_key(const struct tree_node *map, const char *key)
{
	for (const struct tree_node *n = map->first; n; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

static int read_key(struct reader *r, const struct tree_node *map, yaml_event_t *e, unsigned count,
		    char **ret)
{
	_cleanup_free_ char *key = NULL;
	const struct tree_node *old;
	int q = check_plain(r, e);

	if (q < 0)
		return q;
	if (e->type != YAML_SCALAR_EVENT)
		return fail_at(r, e->start_mark, "a key must be a word");
	if (count >= MAP_KEYS_MAX)
		return fail_at(r, e->start_mark, "too many keys");
	q = take_scalar(r, e, &key);
	if (q < 0)
		return q;
	old = find_key(map, key);
	if (old)
		return conf_fail(r->e, -EINVAL, r->file, (unsigned)e->start_mark.line + 1,
				 (unsigned)e->start_mark.column + 1,
				 "key '%s' is already given at line %u", key, old->key_line);
	*ret = take_ptr(key);
	return 0;
}

static int read_map(struct reader *r, struct tree_node *map, unsigned depth)
{
	struct tree_node **tail = &map->first;
	unsigned count = 0;

	for (;;) {
		_cleanup_event_ yaml_event_t ek = { 0 }, ev = { 0 };
		_cleanup_free_ char *key = NULL;
		_cleanup_(tree_free_p) struct tree_node *child = NULL;
		int q = next(r, &ek);

		if (q < 0)
			return q;
		if (ek.type == YAML_MAPPING_END_EVENT)
			return 0;
		q = read_key(r, map, &ek, count++, &key);
		if (q == 0)
			q = next(r, &ev);
		if (q == 0)
			q = read_node(r, &ev, depth, &child);
		if (q < 0)
			return q;
		child->key = take_ptr(key);
		child->key_line = (unsigned)ek.start_mark.line + 1;
		child->key_column = (unsigned)ek.start_mark.column + 1;
		*tail = take_ptr(child);
		tail = &(*tail)->next;
	}
}

static int read_list(struct reader *r, struct tree_node *list, unsigned depth)
{
	struct tree_node **tail = &list->first;

	for (;;) {
		_cleanup_event_ yaml_event_t e = { 0 };
		int q = next(r, &e);

		if (q < 0)
			return q;
		if (e.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		q = read_node(r, &e, depth, tail);
		if (q < 0)
			return q;
		tail = &(*tail)->next;
	}
}

static int read_node(struct reader *r, yaml_event_t *e, unsigned depth, struct tree_node **ret)
{
	_cleanup_(tree_free_p) struct tree_node *n = NULL;
	int q = check_plain(r, e);

	if (q < 0)
		return q;
	if (depth >= TREE_DEPTH_MAX)
		return fail_at(r, e->start_mark, "nested too deeply");
	q = new_node(r, e, &n);
	if (q < 0)
		return q;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		n->kind = TREE_SCALAR;
		n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		q = take_scalar(r, e, &n->text);
		break;
	case YAML_SEQUENCE_START_EVENT:
		n->kind = TREE_LIST;
		q = read_list(r, n, depth + 1);
		break;
	case YAML_MAPPING_START_EVENT:
		n->kind = TREE_MAP;
		q = read_map(r, n, depth + 1);
		break;
	default:
		q = fail_at(r, e->start_mark, "a value is expected here");
		break;
	}
	if (q < 0)
		return q;
	*ret = take_ptr(n);
	return 0;
}

static int read_document(struct reader *r, yaml_event_t *start, struct tree_node **ret)
{
	_cleanup_event_ yaml_event_t e = { 0 }, end = { 0 }, after = { 0 };
	_cleanup_(tree_free_p) struct tree_node *n = NULL;
	int q;

	if (start->data.document_start.version_directive ||
	    start->data.document_start.tag_directives.start !=
		    start->data.document_start.tag_directives.end)
		return fail_at(r, start->start_mark, "directives (%NAME) are not allowed");
	q = next(r, &e);
	if (q == 0)
		q = read_node(r, &e, 0, &n);
	if (q == 0)
		q = next(r, &end); /* of the document: nothing else can follow a node */
	if (q == 0)
		q = next(r, &after);
	if (q < 0)
		return q;
	if (after.type != YAML_STREAM_END_EVENT)
		return fail_at(r, after.start_mark, "only one document (no second '---')");
	*ret = take_ptr(n);
	return 0;
}

int tree_parse(const char *file, const char *text, size_t len, struct tree_node **ret,
	       struct conf_error *ret_error)
{
	struct reader r = { .file = file, .text = text, .len = len, .e = ret_error };
	yaml_event_t start = { 0 }, doc = { 0 };
	struct tree_node *n = NULL;
	int q;

	if (len > TREE_BYTES_MAX)
		return conf_fail(ret_error, -EINVAL, file, 0, 0, "larger than %u bytes",
				 TREE_BYTES_MAX);
	if (!yaml_parser_initialize(&r.parser))
		return no_memory(&r);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	/* libyaml asserts on a null pointer, which an empty buffer is. */
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(len ? text : ""), len);
	q = next(&r, &start);
	if (q == 0)
		q = next(&r, &doc);
	if (q == 0 && doc.type == YAML_DOCUMENT_START_EVENT)
		q = read_document(&r, &doc, &n);
	yaml_event_delete(&start);
	yaml_event_delete(&doc);
	yaml_parser_delete(&r.parser);
	if (q < 0)
		return q;
	*ret = n;
	return 0;
}
