// SPDX-License-Identifier: Apache-2.0
/* What a keeper takes over from the program before: a table of the right size, layout and magic, with any content: numbers
 * of children and descriptors, then bytes for the entries, in turn. Nothing is taken unless all is. */
#include "user/role/estate.c"

static void fill(struct table *t, const uint8_t *data, size_t size)
{
	size_t n = size < sizeof(t->children[0]) * 2 ? size : sizeof(t->children[0]) * 2;

	memcpy(t->children, data, n);
	if (size > n)
		memcpy(t->held, data + n, size - n < sizeof(t->held) ? size - n : sizeof(t->held));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct table t;
	static struct estate taken;
	const char *why = NULL;
	int fd, r;

	if (size < 3)
		return 0;
	memset(&t, 0, sizeof(t));
	memset(&taken, 0, sizeof(taken));
	t.head = (struct head){ .magic = data[0] & 1 ? 0 : MAGIC, .nchildren = data[1], .nkept = data[2] };
	layout(t.head.layout);
	fill(&t, data + 3, size - 3);
	fd = memfd_sealed("t", &t, sizeof(t));
	if (fd < 0)
		return 0;
	r = estate_read(fd, &taken, &why);
	if ((r < 0) != (why != NULL) || (r < 0 && (taken.nchildren || taken.kept.n)))
		abort();
	close(fd);
	return 0;
}
