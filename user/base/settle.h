/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SETTLE_H
#define TOLLGATE_SETTLE_H

#include <stdbool.h>

/* Gives back the memory that only a start, or loading something anew, needed: free heap, and the pages of programs and
 * libraries that are never written, which come back from the page cache as they are used. quick: the program's own and
 * those of the C library stay, for a process whose first job is measured in microseconds. */
void memory_settle(bool quick);

#endif
