// SPDX-License-Identifier: Apache-2.0
/* Names that stay, a line feed for each NUL, up to an empty line; behind it an environment to be scrubbed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "user/stdio/confine.h"

/* Whether the entry may stay, worked out another way. */
static bool may_stay(const char *entry, const char *keep, size_t keep_n)
{
	size_t n = strcspn(entry, "=");

	for (const char *k = keep; k < keep + keep_n; k += strlen(k) + 1)
		if (strlen(k) == n && strncmp(k, entry, n) == 0)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = memmem(data, size, "\n\n", 2);
	size_t keep_n = end ? (size_t)(end - (const char *)data) + 1 : 0, n = size - (end ? keep_n + 1 : 0), done;
	char *keep = malloc(keep_n + 1), *env = malloc(n + 1), *before = malloc(n + 1);
	bool dirty, again;

	if (!keep || !env || !before)
		abort();
	memcpy(keep, data, keep_n);
	for (size_t i = 0; i < keep_n; i++)
		keep[i] = keep[i] == '\n' || !keep[i] ? '\0' : keep[i];
	memcpy(env, data + size - n, n);
	memcpy(before, env, n);
	done = confine_scrub(env, n, keep, keep_n, &dirty);
	if (done > n || (done > 0 && env[done - 1] != '\0') || memchr(env + done, '\0', n - done) ||
	    dirty != (memcmp(env, before, n) != 0))
		abort();
	for (size_t at = 0; at < done; at += strlen(before + at) + 1) {
		size_t len = strlen(before + at);
		bool stays = len > 0 && may_stay(before + at, keep, keep_n);

		/* What stays is as it was; of what does not, nothing is left. */
		if (memcmp(env + at, before + at, len) != 0 ? stays : len > 0 && !stays)
			abort();
		for (size_t i = 0; i < len && !stays; i++)
			if (env[at + i])
				abort();
	}
	(void)confine_scrub(env, n, keep, keep_n, &again);
	if (again)
		abort();
	free(keep);
	free(env);
	free(before);
	return 0;
}
