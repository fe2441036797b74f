// SPDX-License-Identifier: Apache-2.0
/* Classification and detection agree: what the tape calls JSON-RPC 2.0, the peek sees in every
 * prefix that is long enough, and it never changes its mind. */
#include <stdlib.h>

#include "user/mcp/listfilter.h"
#include "user/mcp/message.h"

static bool v2(const struct tape *t, uint32_t i)
{
	return tape_text_is(t, tape_get(t, i, "jsonrpc"), "2.0");
}

static void read_one(const struct tape *t, uint32_t i)
{
	struct jsonrpc_msg m;
	struct mcp_msg msg;

	jsonrpc_classify(t, i, &m);
	if (m.kind == JSONRPC_INVALID && (!m.reason || m.code == 0))
		abort();
	if (m.id_raw.n && !jsonrpc_id_eq(m.id_raw, m.id_raw))
		abort();
	if (m.kind == JSONRPC_REQUEST || m.kind == JSONRPC_NOTIFICATION)
		(void)mcp_read(t, &m, &msg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size };
	enum jsonrpc_peek last = JSONRPC_PEEK_UNDECIDED;
	static struct tape t, u;
	struct jsonrpc_scan s;
	struct jsonrpc_msg m;
	struct buf out = { 0 };

	for (size_t n = 0; n <= size && size < 512; n++) {
		enum jsonrpc_peek now = jsonrpc_peek((struct span){ all.p, n });

		if (last != JSONRPC_PEEK_UNDECIDED && now != last)
			abort();
		last = now;
	}
	jsonrpc_scan_init(&s);
	jsonrpc_scan_feed(&s, all);
	if (jsonrpc_read(&t, all, NULL, &m) < 0 || t.count == 0)
		return 0;
	read_one(&t, 0);
	if (m.kind == JSONRPC_BATCH)
		for (uint32_t i = tape_first(&t, 0); i != TAPE_NONE; i = tape_next(&t, 0, i))
			read_one(&t, i);
	if (v2(&t, 0) && !jsonrpc_looks(all))
		abort();
	if (m.kind != JSONRPC_INVALID && m.kind != JSONRPC_BATCH &&
	    !span_eq(jsonrpc_scan_id(&s), m.id_raw))
		abort();
	if (tape_is(&t, 0, TAPE_ARRAY) && t.tok[0].count) {
		uint8_t drop[2] = { 0, 1 };
		unsigned keep = t.tok[0].count > 0;

		if (list_filter(&t, TAPE_NONE, 0, drop, 2, false, &out) == 1 &&
		    (tape_parse(&u, buf_span(&out), NULL) < 0 || u.tok[0].count != keep))
			abort();
	}
	buf_done(&out);
	return 0;
}
