// SPDX-License-Identifier: Apache-2.0
/* Paths and parameters of the audit socket, on an empty log: "path?name=value&name=value", taken apart
 * here as MHD would. Every question gets an answer. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/hasher.h"
#include "user/notary/record.h"
#include "user/query/answers.h"
#include "user/query/index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct answer_source src = { .log_dirfd = -1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answer_param params[ANSWER_PARAMS_MAX];
	struct answer a = { 0 };
	char *text, *at;
	unsigned n = 0;

	if (src.log_dirfd < 0 && ((src.log_dirfd = open("/var/empty", O_RDONLY | O_DIRECTORY)) < 0 &&
				  (src.log_dirfd = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY)) < 0))
		return 0;
	if (!src.index && (index_open(NULL, src.log_dirfd, &src.index) < 0 ||
			   record_writer_new(&src.writer) < 0 || hasher_new(&src.hasher) < 0))
		return 0;
	text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	at = strchr(text, '?');
	while (at && n < ANSWER_PARAMS_MAX) {
		char *name = at + 1, *eq;

		*at = '\0';
		at = strchr(name, '&');
		eq = memchr(name, '=', at ? (size_t)(at - name) : strlen(name));
		if (!eq)
			break;
		params[n++] = (struct answer_param){
			{ name, (size_t)(eq - name) },
			{ eq + 1, at ? (size_t)(at - eq - 1) : strlen(eq + 1) },
		};
	}
	answer_make(&src, text, params, n, &a);
	if (a.status < 200 || buf_len(&a.body) == 0)
		abort();
	buf_done(&a.body);
	free(text);
	return 0;
}
