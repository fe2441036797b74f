/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONF_TREE_H
#define TOLLGATE_CONF_TREE_H

#include <stdbool.h>
#include <stddef.h>

struct conf_error;

/* A configuration is written by hand: what is larger is not one. The limits also bound the work that a
 * hostile file can cause, since the file is read by root. */
#define TREE_BYTES_MAX (1u << 20)
#define TREE_NODES_MAX 65536
#define TREE_DEPTH_MAX 8 /* agents: list, map, list of groups; twice that */

enum tree_kind {
	TREE_SCALAR,
	TREE_LIST,
	TREE_MAP,
};

/* One value with its place in the file. Children hang in order of writing. */
struct tree_node {
	enum tree_kind kind;
	bool plain; /* scalar without quotes */
	unsigned line, column; /* from 1 */
	char *text; /* scalar: without control characters, so without NUL */
	char *key; /* when the parent is a map */
	unsigned key_line, key_column;
	struct tree_node *first, *next;
};

/* Reads the subset of YAML that a configuration needs: one document of mappings, sequences and scalars.
 * Refused, each with its place: anchors, aliases, tags, directives, further documents, keys that are no
 * scalars, duplicate keys, control characters, what is beyond the limits. An empty document gives NULL.
 * 0, -EINVAL or -ENOMEM with ret_error filled. */
int tree_parse(const char *file, const char *text, size_t len, struct tree_node **ret,
	       struct conf_error *ret_error);
void tree_free(struct tree_node *n);

#endif
