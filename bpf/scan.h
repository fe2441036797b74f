/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_SCAN_H
#define TOLLGATE_SCAN_H

/*
 * The parser that finds JSON-RPC in a byte stream: does a JSON value that begins a line hold the
 * bytes "jsonrpc", in any letter case, or a \u escape of a letter (\u0040 to \u007f: nobody writes those so but
 * to hide them)? It is a table, without branches, so the
 * verifier walks a chunk of it on one path; and it is plain C, so user space tests the very same.
 *
 * A line that begins (after white space or a byte order mark) with { or [ is a JSON line; it goes
 * on over newlines while brackets are open, for readers that take one value at a time. Other lines
 * never match.
 */

enum scan_class {
	SC_ANY, SC_SPACE, SC_NEWLINE, SC_BOM, SC_OPEN, SC_CLOSE, SC_QUOTE, SC_BACKSLASH,
	SC_J, SC_S, SC_O, SC_N, SC_R, SC_P, SC_C, SC_U,
	SC_ZERO, SC_FOUR, /* to seven */
	SC_LONG_S, /* first byte of U+017F, which some parsers take for an s; 0xbf is the second */
};

enum scan_state {
	SS_START = 0, /* of a line; the depth is 0 here */
	SS_OTHER, /* a line that is not JSON */
	SS_KEYWORD, /* found; stays */
	SS_ESCAPE, /* found; stays */
	SS_VALUE = 8, /* outside a string; + how many bytes of "jsonrpc" went before */
	SS_STRING = 16, /* inside; the same */
	SS_BACKSLASH = 24,
	SS_U, /* behind \u */
	SS_U0,
	SS_U00,
	/* with the next state, what happens to the depth: */
	SX_OPEN = 0x20,
	SX_CLOSE = 0x40,
	SX_EOL = 0x80, /* the next state is SS_VALUE instead of SS_START while brackets are open */
};

#define SCAN_STATES 32
#define SCAN_CLASSES 32

static const unsigned char scan_classes[256] = {
	[0 ... 9] = SC_SPACE, [10] = SC_NEWLINE, [11 ... ' '] = SC_SPACE,
	[0xef] = SC_BOM, [0xbb] = SC_BOM, [0xbf] = SC_BOM,
	['{'] = SC_OPEN, ['['] = SC_OPEN, ['}'] = SC_CLOSE, [']'] = SC_CLOSE,
	['"'] = SC_QUOTE, ['\\'] = SC_BACKSLASH,
	['j'] = SC_J, ['s'] = SC_S, ['o'] = SC_O, ['n'] = SC_N, ['r'] = SC_R, ['p'] = SC_P,
	['c'] = SC_C, ['J'] = SC_J, ['S'] = SC_S, ['O'] = SC_O, ['N'] = SC_N, ['R'] = SC_R,
	['P'] = SC_P, ['C'] = SC_C, ['u'] = SC_U, ['0'] = SC_ZERO, ['4' ... '7'] = SC_FOUR,
	[0xc5] = SC_LONG_S,
};

/* One row per progress k inside the keyword: base is SS_VALUE or SS_STRING, hit the class that goes
 * on. */
#define SCAN_ROW(base, k, hit, next, open, close, quote, backslash) \
	[(base) + (k)] = { \
		[0 ... SCAN_CLASSES - 1] = (base), [SC_J] = (base) + 1, [SC_NEWLINE] = SS_START | SX_EOL, \
		[SC_OPEN] = (base) | (open), [SC_CLOSE] = (base) | (close), [SC_QUOTE] = (quote), \
		[SC_BACKSLASH] = (backslash), [hit] = (next), \
	}
/* The row behind "j": the s may come in two bytes. */
#define SCAN_ROW_S(base, open, close, quote, backslash) \
	[(base) + 1] = { \
		[0 ... SCAN_CLASSES - 1] = (base), [SC_J] = (base) + 1, [SC_NEWLINE] = SS_START | SX_EOL, \
		[SC_OPEN] = (base) | (open), [SC_CLOSE] = (base) | (close), [SC_QUOTE] = (quote), \
		[SC_BACKSLASH] = (backslash), [SC_S] = (base) + 2, [SC_LONG_S] = (base) + 1, \
		[SC_BOM] = (base) + 2, \
	}
#define SCAN_ROWS(base, ...) \
	SCAN_ROW(base, 0, SC_J, (base) + 1, __VA_ARGS__), \
	SCAN_ROW_S(base, __VA_ARGS__), \
	SCAN_ROW(base, 2, SC_O, (base) + 3, __VA_ARGS__), \
	SCAN_ROW(base, 3, SC_N, (base) + 4, __VA_ARGS__), \
	SCAN_ROW(base, 4, SC_R, (base) + 5, __VA_ARGS__), \
	SCAN_ROW(base, 5, SC_P, (base) + 6, __VA_ARGS__), \
	SCAN_ROW(base, 6, SC_C, SS_KEYWORD, __VA_ARGS__)

/* One digit of an escape; another than the one looked for ends the matter. */
#define SCAN_DIGIT(at, hit, next) \
	[at] = { \
		[0 ... SCAN_CLASSES - 1] = SS_STRING, [SC_J] = SS_STRING + 1, [SC_NEWLINE] = SS_START | SX_EOL, \
		[SC_QUOTE] = SS_VALUE, [SC_BACKSLASH] = SS_BACKSLASH, [hit] = (next), \
	}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#endif
static const unsigned char scan_table[SCAN_STATES][SCAN_CLASSES] = {
	[SS_START] = { [0 ... SCAN_CLASSES - 1] = SS_OTHER, [SC_SPACE] = SS_START, [SC_NEWLINE] = SS_START,
		       [SC_BOM] = SS_START, [SC_OPEN] = SS_VALUE | SX_OPEN },
	[SS_OTHER] = { [0 ... SCAN_CLASSES - 1] = SS_OTHER, [SC_NEWLINE] = SS_START },
	[SS_KEYWORD] = { [0 ... SCAN_CLASSES - 1] = SS_KEYWORD },
	[SS_ESCAPE] = { [0 ... SCAN_CLASSES - 1] = SS_ESCAPE },
	SCAN_ROWS(SS_VALUE, SX_OPEN, SX_CLOSE, SS_STRING, SS_VALUE),
	SCAN_ROWS(SS_STRING, 0, 0, SS_VALUE, SS_BACKSLASH),
	[SS_BACKSLASH] = { [0 ... SCAN_CLASSES - 1] = SS_STRING, [SC_U] = SS_U,
			   [SC_NEWLINE] = SS_START | SX_EOL },
	SCAN_DIGIT(SS_U, SC_ZERO, SS_U0),
	SCAN_DIGIT(SS_U0, SC_ZERO, SS_U00),
	SCAN_DIGIT(SS_U00, SC_FOUR, SS_ESCAPE),
};
#pragma GCC diagnostic pop

/* 1 unless x is 0, hidden from the compiler, which would make a branch of it. */
static inline __attribute__((always_inline)) unsigned int scan_nonzero(unsigned int x)
{
	unsigned int y = x;

	__asm__ volatile("" : "+r"(y));
	return (x | -y) >> 31;
}

/* mask: 0xff, or 0 when there is no byte and nothing happens. */
static inline __attribute__((always_inline)) void scan_byte(struct tg_scan *s, unsigned char b,
							    unsigned char mask)
{
	unsigned int c = scan_classes[b] & (SCAN_CLASSES - 1);
	unsigned int st = s->state & (SCAN_STATES - 1);
	unsigned int e = (scan_table[st][c] & mask) | (st & ~(unsigned int)mask);

	s->depth += (e >> 5) & 1;
	s->depth -= (e >> 6) & scan_nonzero(s->depth) & 1;
	s->state = (e & 31) + ((e >> 7 & scan_nonzero(s->depth)) << 3);
}

/* 1 when the search is over, else 0. */
static inline __attribute__((always_inline)) unsigned int scan_found(const struct tg_scan *s)
{
	return 1 ^ scan_nonzero((s->state >> 1) ^ (SS_KEYWORD >> 1));
}

/* Nothing of a JSON value is under way: a new line, or one that cannot match. */
static inline __attribute__((always_inline)) int scan_idle(const struct tg_scan *s)
{
	return s->state == SS_START || s->state == SS_OTHER;
}

#endif
