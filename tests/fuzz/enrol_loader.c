// SPDX-License-Identifier: Apache-2.0
/* What tells an agent that is run by its loader: command lines, and the loader's name in a program. The first byte
 * chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/enrol/loader.h"
#include "user/proc/elf.h"

static void check_elf(const uint8_t *p, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	char text[64];

	if (fd < 0)
		abort();
	if (write(fd, p, n) == (ssize_t)n && elf_interpreter(fd, text, sizeof(text)) == 0 &&
	    !memchr(text, '\0', sizeof(text)))
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0)
		return 0;
	if (data[0] & 1) {
		check_elf(data + 1, size - 1);
		return 0;
	}
	text = malloc(size); /* exactly as long as it is */
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	(void)loader_seeks(text, size - 1);
	free(text);
	return 0;
}
