/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CLOCK_H
#define TOLLGATE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Nanoseconds. The monotonic clock does not count suspend; the real one is Unix time. */
uint64_t clock_mono_ns(void);
uint64_t clock_real_ns(void);

/* Whether the real clock has gone with the monotonic one since some while. Zeroed: nobody has looked yet. */
struct clock_steady {
	uint64_t mono, real; /* at the last look */
	uint64_t since; /* mono of the first look after the last step */
};

/* A look at both clocks now. True when no two looks for at least for_ns have found the clocks more than step_ns
 * apart: a clock that was set, also before the first look, cannot be told from one that is right sooner. */
bool clock_is_steady(struct clock_steady *c, uint64_t mono, uint64_t real, uint64_t step_ns, uint64_t for_ns);

/* "2026-11-21T09:00:00.123456+00:00", 32 characters and a NUL; years 0000 to 9999. */
#define CLOCK_ISO_SIZE 33
void clock_iso(uint64_t real_ns, char ret[CLOCK_ISO_SIZE]);

/* Parses an ISO 8601 date, or date and time with 'Z' or an offset of +hh:mm. 0, or -EINVAL. */
int clock_parse_iso(const char *s, uint64_t *ret_real_ns);

#endif
