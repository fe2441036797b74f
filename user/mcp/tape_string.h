/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MCP_TAPE_STRING_H
#define TOLLGATE_MCP_TAPE_STRING_H

#include <stddef.h>
#include <stdint.h>

#include "user/mcp/tape.h"

/* Private to the tape and its scanners. Scans a string from the byte after its opening quote at
 * p[*i] to its closing quote, which *i is left at; on an error *i is where it was noticed.
 * *ret_escaped: a backslash was met. */
enum tape_error tape_string_scan(const char *p, size_t n, size_t *i, bool *ret_escaped);

/* Unescapes a scanned string of n raw bytes to out (at most n bytes); the length. */
size_t tape_string_decode(const char *raw, size_t n, char *out);

/* Four hex digits, or -1. */
int tape_hex4(const char *p);

/* Unescaped text equals an ASCII name when letter case is folded (see tape_has_lookalike()). */
bool tape_text_folds_to(struct span a, const char *name);

#endif
