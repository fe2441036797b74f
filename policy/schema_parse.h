/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_POLICY_SCHEMA_PARSE_H
#define TOLLGATE_POLICY_SCHEMA_PARSE_H

#include "policy/parser.h"
#include "policy/schema.h"

/* What the reader of schemas is made of. As in parser.h: false after recording an error. */

#define KEEP(ps, list) parser_keep(ps, (list).v, (list).n, sizeof(*(list).v))

bool schema_accept_word(struct parser *ps, const char *word);
bool schema_parse_ident(struct parser *ps, const char *expected, struct decl_name *ret);
/* An identifier or a string. */
bool schema_parse_word(struct parser *ps, const char *expected, struct decl_name *ret);
/* The rest of a path behind its first identifier; with id, a string may end it, which makes it an
 * entity (id->p set). */
bool schema_parse_rest(struct parser *ps, struct decl_name first, struct decl_name *ret,
		       struct span *id);
bool schema_parse_name(struct parser *ps, const char *expected, struct decl_name *ret);
/* One name, or any number in brackets. */
bool schema_parse_names(struct parser *ps, struct decl_names *ret);
bool schema_parse_annotations(struct parser *ps, struct schema_annotations *ret);
/* Behind the brace. */
bool schema_parse_record(struct parser *ps, struct decl_type *ret);
bool schema_parse_type(struct parser *ps, struct decl_type *ret);

#endif
