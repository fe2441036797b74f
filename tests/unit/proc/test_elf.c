// SPDX-License-Identifier: Apache-2.0
/* The loader that a program asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/proc/elf.h"

struct image {
	Elf64_Ehdr head;
	Elf64_Phdr ph[2];
	char text[16];
};

static struct image image_of(const char *interpreter)
{
	struct image m = { .head = { .e_type = ET_DYN, .e_version = EV_CURRENT, .e_ehsize = sizeof(Elf64_Ehdr),
				     .e_phoff = offsetof(struct image, ph), .e_phnum = 2,
				     .e_phentsize = sizeof(Elf64_Phdr) },
			   .ph = { { .p_type = PT_LOAD }, { .p_type = PT_INTERP } } };

	memcpy(m.head.e_ident, ELFMAG, SELFMAG);
	m.head.e_ident[EI_CLASS] = ELFCLASS64;
	m.head.e_ident[EI_DATA] = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
	m.head.e_ident[EI_VERSION] = EV_CURRENT;
	m.ph[1].p_offset = offsetof(struct image, text);
	m.ph[1].p_filesz = strlen(interpreter) + 1;
	strcpy(m.text, interpreter);
	return m;
}

static int read_of(const void *p, size_t n, char *ret, size_t size)
{
	int fd = memfd_create("elf", MFD_CLOEXEC), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	r = elf_interpreter(fd, ret, size);
	close(fd);
	return r;
}

static void reads_it(void **state)
{
	struct image m = image_of("/lib/loader");
	char text[64];

	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), 0);
	assert_string_equal(text, "/lib/loader");
	assert_int_equal(read_of(&m, sizeof(m), text, strlen("/lib/loader")), -EBADMSG);
	m.ph[1].p_type = PT_LOAD;
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -ENOENT);
}

static void of_this_program(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char text[256];

	assert_true(fd >= 0);
	assert_int_equal(elf_interpreter(fd, text, sizeof(text)), 0);
	assert_int_equal(text[0], '/');
	assert_int_equal(access(text, X_OK), 0);
	close(fd);
}

static void of_no_program(void **state)
{
	char text[64];

	assert_int_equal(read_of("", 0, text, sizeof(text)), -ENOENT);
	assert_int_equal(read_of("#!/bin/sh\n", 10, text, sizeof(text)), -ENOENT);
}

static void what_lies(void **state)
{
	struct image m = image_of("/lib/loader");
	char text[64];

	for (size_t n = SELFMAG; n < sizeof(m) - sizeof(m.text); n++)
		assert_true(read_of(&m, n, text, sizeof(text)) < 0);
	m.ph[1].p_filesz--; /* not terminated */
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -EBADMSG);
	m = image_of("/lib/loader");
	m.ph[1].p_filesz = UINT64_MAX;
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -EBADMSG);
	m = image_of("/lib/loader");
	m.ph[1].p_offset = UINT64_MAX;
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -EBADMSG);
	m = image_of("/lib/loader");
	m.ph[1].p_offset = sizeof(m) - 2;
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -EBADMSG);
	m = image_of("/lib/loader");
	m.head.e_phnum = 0xfffe;
	assert_int_equal(read_of(&m, sizeof(m), text, sizeof(text)), -EBADMSG);
	m = image_of("/lib/loader");
	m.head.e_phoff = UINT64_MAX - 8;
	assert_true(read_of(&m, sizeof(m), text, sizeof(text)) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_it),
		cmocka_unit_test(of_this_program),
		cmocka_unit_test(of_no_program),
		cmocka_unit_test(what_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
