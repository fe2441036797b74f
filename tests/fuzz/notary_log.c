// SPDX-License-Identifier: Apache-2.0
/* A log directory of one segment with any bytes: the verifier ends, and counts no more than there is. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "user/notary/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/tollgate-fuzz.XXXXXX";
static int dirfd = -1;

static void leave(void)
{
	(void)unlinkat(dirfd, "0000000000000000.jsonl", 0);
	(void)rmdir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t pub[KEY_SIZE] = { 0x5a, 0x42 };
	struct verifier_key vk;
	struct log_verdict v;
	int fd;

	if (dirfd < 0) {
		if (!mkdtemp(dir) || (dirfd = open(dir, O_RDONLY | O_DIRECTORY)) < 0)
			return 0;
		(void)atexit(leave);
	}
	fd = openat(dirfd, "0000000000000000.jsonl", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size) {
		verifier_key_of("node", pub, &vk);
		if (log_verify(dirfd, SPAN("node\n1\n"), &vk, NULL, NULL, &v) == 0 &&
		    (v.faults == 0 || v.records > size + 1))
			abort();
	}
	close(fd);
	return 0;
}
