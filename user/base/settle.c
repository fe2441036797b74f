// SPDX-License-Identifier: Apache-2.0
/*
 * What a process need not keep mapped once it runs. Each role is a process of its own that links the same libraries,
 * and being relocated touches most of their tables, which nobody reads again.
 */
#include "user/base/settle.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct dropping {
	uintptr_t page;
	bool quick;
};

/* Of these a process that waits for its one job needs most, at once. */
static bool wanted_soon(const char *name)
{
	return *name == '\0' || strstr(name, "/libc.so.") || strstr(name, "/ld-linux");
}

/* Only segments that were never writable: a page of another may have been written, and would be lost. */
static int drop_read_only(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct dropping *d = arg;
	uintptr_t page = d->page;

	(void)size;
	if (d->quick && wanted_soon(info->dlpi_name))
		return 0;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + p->p_vaddr + page - 1) & ~(page - 1);
		uintptr_t to = (info->dlpi_addr + p->p_vaddr + p->p_memsz) & ~(page - 1);

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && from < to)
			(void)madvise((void *)from, to - from, MADV_DONTNEED); /* mapped still when it fails */
	}
	return 0;
}

void memory_settle(bool quick)
{
	struct dropping d = { .page = (uintptr_t)sysconf(_SC_PAGESIZE), .quick = quick };

	(void)malloc_trim(0);
	(void)dl_iterate_phdr(drop_read_only, &d);
}
