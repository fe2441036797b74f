// SPDX-License-Identifier: Apache-2.0
#include "user/base/settle.h"

#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/base/digest.h"

#define BLOCKS 4096

static unsigned long resident_kib(const char *what)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	unsigned long kib = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, what, strlen(what)) == 0)
			kib = strtoul(line + strlen(what), NULL, 10);
	fclose(f);
	assert_true(kib > 0);
	return kib;
}

static unsigned touched;

/* Reads a byte of every page that no segment of a program or library lets one write. */
static int touch(struct dl_phdr_info *info, size_t size, void *arg)
{
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || (p->p_flags & PF_W) || !(p->p_flags & PF_R))
			continue;
		for (size_t at = 0; at < p->p_memsz; at += 4096)
			touched += *(volatile const uint8_t *)(info->dlpi_addr + p->p_vaddr + at);
	}
	return 0;
}

static void gives_back_what_comes_back_by_itself(void **state)
{
	uint8_t before[SHA256_SIZE], after[SHA256_SIZE];
	unsigned long file, anon;
	void *block[BLOCKS];

	for (int quick = 0; quick < 2; quick++) {
		sha256("abc", 3, before);
		dl_iterate_phdr(touch, NULL);
		for (int i = 0; i < BLOCKS; i++) {
			block[i] = malloc(4000);
			assert_non_null(block[i]);
			memset(block[i], i, 4000);
		}
		for (int i = 0; i < BLOCKS - 1; i++) /* the last one keeps the heap from shrinking by itself */
			free(block[i]);
		file = resident_kib("RssFile:");
		anon = resident_kib("RssAnon:");
		assert_true(anon > 0);
		memory_settle(quick);
		assert_true(resident_kib("RssFile:") < file);
#ifndef __SANITIZE_ADDRESS__ /* it keeps what is freed */
		assert_true(resident_kib("RssAnon:") < anon - BLOCKS * 4000ul / 1024 / 2);
#endif
		sha256("abc", 3, after);
		assert_memory_equal(before, after, sizeof(before));
		free(block[BLOCKS - 1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_back_what_comes_back_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
