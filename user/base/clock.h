/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLOCK_H
#define TOLLGATE_CLOCK_H

#include <stdint.h>

/* Nanoseconds. The monotonic clock does not count suspend; the real one is Unix time. */
uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

/* "2026-11-21T09:00:00.123456+00:00", 32 characters and a NUL; years 0000 to 9999. */
#define CLOCK_ISO_SIZE 33
void clock_iso(uint64_t real_ns, char ret[CLOCK_ISO_SIZE]);

/* Parses an ISO 8601 date, or date and time with 'Z' or an offset of +hh:mm. 0, or -EINVAL. */
int clock_parse_iso(const char *s, uint64_t *ret_real_ns);

#endif
