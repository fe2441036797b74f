/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONF_INTERNAL_H
#define TOLLGATE_CONF_INTERNAL_H

#include <stdarg.h>

#include "user/conf/conf.h"
#include "user/conf/tree.h"

/* Fills e with "file:line:column: reason" (line 0: "file: reason") and gives back r. e may be NULL. */
int conf_fail(struct conf_error *e, int r, const char *file, unsigned line, unsigned column,
	      const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Adds a warning. 0 or -ENOMEM. */
int conf_warn(struct conf *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Fills a zeroed configuration with the defaults. 0 or -ENOMEM. */
int conf_set_defaults(struct conf *c);

/* Turns the tree (NULL: an empty file) into the configuration. 0, -EINVAL, -ENOMEM. */
int conf_read_tree(struct conf *c, const struct tree_node *root, struct conf_error *e);

/* Grows an array by one zeroed element of size bytes and returns it, or NULL without memory. */
void *conf_grow(void *array, unsigned *n, size_t size);

/* What one key of a mapping means. set() is called with the address of the struct plus off. */
struct conf_read {
	struct conf *c;
	struct conf_error *e;
};

struct conf_field {
	const char *key;
	int (*set)(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		   void *dst);
	size_t off;
	uint64_t min, max;
	const char *why; /* reason of the range, or what the value must be */
	const void *more; /* names of an enum, or fields of a mapping */
};

/* Reads a mapping by a table that ends with a NULL key. */
int conf_read_map(struct conf_read *r, const struct tree_node *n, const struct conf_field *fields,
		  void *base);

/* Setters for conf_field. Destinations: char *, uint64_t, unsigned, uid_t, enum (as unsigned). */
int conf_set_text(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_name(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_path(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_enum(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_count(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_bytes(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_millis(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
/* A longer time, in seconds, into a uint64_t. */
int conf_set_seconds(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_servers(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);
int conf_set_map(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);

/* Reads a list of at most f->max different values, each by set, into an array that grows; f->why says what it is a list
 * of. */
int conf_read_list(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		   int (*set)(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst),
		   char ***list, unsigned *count);

/* Error at a node. Returns -EINVAL. */
#define conf_node_fail(r, n, ...) \
	conf_fail((r)->e, -EINVAL, (r)->c->file, (n)->line, (n)->column, __VA_ARGS__)

/* Reads "agents". */
int conf_set_agents(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst);

/* Digits only, whole string, at most max. 0, -EINVAL, -ERANGE. */
int conf_parse_number(const char *s, uint64_t max, uint64_t *ret);

/* A name that can stand in a path, a policy and a record: letters, digits, '.', '_', '-', beginning with
 * a letter or digit, at most 63 bytes. */
bool conf_name_ok(const char *s);

/* An absolute path as the kernel writes it: no empty, "." or ".." component, no slash at the end. */
bool conf_path_ok(const char *s);

#endif
