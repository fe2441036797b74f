// SPDX-License-Identifier: Apache-2.0
#include "user/mcp/message.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"

static int read_one(struct tape *t, const char *text, struct jsonrpc_msg *rpc, struct mcp_msg *m)
{
	assert_int_equal(jsonrpc_read(t, span_of(text), NULL, rpc), 0);
	if (rpc->kind != JSONRPC_REQUEST && rpc->kind != JSONRPC_NOTIFICATION)
		fail_msg("%s: %s", text, rpc->reason ? rpc->reason : "?");
	return mcp_read(t, rpc, m);
}

#define REQ(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"
#define NOTE(method, params) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":" params "}"

static void finds_methods_exactly(void **state)
{
	for (int i = 1; i < MCP_METHOD_COUNT; i++) {
		const struct mcp_method_info *info = mcp_method_info((enum mcp_method)i);

		assert_non_null(info->name);
		assert_ptr_equal(mcp_method_find(span_of(info->name)), info);
		assert_true(info->dirs && info->versions);
		assert_int_equal(info->notification, strncmp(info->name, "notifications/", 14) == 0);
	}
	assert_null(mcp_method_find(SPAN("Tools/call")));
	assert_null(mcp_method_find(SPAN("tools/call ")));
	assert_null(mcp_method_find(SPAN("tools/cal")));
	assert_null(mcp_method_find(SPAN("")));
	assert_null(mcp_method_find(SPAN("tools/call\0")));
	assert_null(mcp_method_info(MCP_METHOD_OTHER));
	assert_null(mcp_method_info(MCP_METHOD_COUNT));
}

static void reads_a_tool_call(void **state)
{
	struct tape t = { 0 };
	struct jsonrpc_msg rpc;
	struct mcp_msg m;

	assert_int_equal(read_one(&t, REQ("tools/call", "{\"name\":\"ec\\u0068o\",\"arguments\":{\"a\":1}}"), &rpc, &m), 0);
	assert_int_equal(m.method, MCP_TOOLS_CALL);
	assert_true(span_is(m.item, "echo"));
	assert_true(span_is(tape_raw(&t, m.arguments), "{\"a\":1}"));
	assert_false(m.modern);
	assert_int_equal(read_one(&t, REQ("tools/call", "{\"name\":\"e\"}"), &rpc, &m), 0);
	assert_int_equal(m.arguments, TAPE_NONE);
	tape_done(&t);
}

static void refuses_what_cannot_be_judged(void **state)
{
	static const char *const bad[] = {
		REQ("tools/call", "{}"),
		REQ("tools/call", "{\"name\":5}"),
		REQ("tools/call", "{\"name\":null}"),
		REQ("tools/call", "{\"name\":\"\"}"),
		REQ("tools/call", "{\"name\":[\"echo\"]}"),
		REQ("tools/call", "{\"name\":\"e\",\"arguments\":[]}"),
		REQ("tools/call", "{\"name\":\"e\",\"arguments\":null}"),
		REQ("tools/call", "{\"name\":\"e\",\"Name\":\"f\"}"),
		REQ("tools/call", "{\"name\":\"e\",\"arguments\":{},\"ARGUMENTS\":{}}"),
		REQ("tools/call", "{\"name\":\"e\",\"argument\xc5\xbf\":{}}"),
		REQ("tools/call", "{\"name\":\"e\",\"_Meta\":{}}"),
		REQ("tools/call", "{\"name\":\"e\",\"_meta\":[]}"),
		REQ("tools/call", "{\"name\":\"e\",\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":5}}"),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}",
		"{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{\"name\":\"e\"}}",
		REQ("resources/read", "{\"name\":\"x\"}"),
		REQ("resources/read", "{\"uri\":\"a\",\"URI\":\"b\"}"),
		REQ("prompts/get", "{\"uri\":\"x\"}"),
		REQ("tools/list", "{\"cursor\":5}"),
		REQ("initialize", "{}"),
		REQ("tasks/get", "{}"),
		REQ("notifications/cancelled", "{\"requestId\":1}"),
		NOTE("notifications/cancelled", "{\"requestId\":true}"),
	};
	struct tape t = { 0 };
	struct jsonrpc_msg rpc;
	struct mcp_msg m;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (read_one(&t, bad[i], &rpc, &m) != -EINVAL)
			fail_msg("accepted %s", bad[i]);
		assert_non_null(m.reason);
	}
	tape_done(&t);
}

static void reads_both_eras(void **state)
{
	struct tape t = { 0 };
	struct jsonrpc_msg rpc;
	struct mcp_msg m;

	assert_int_equal(read_one(&t, REQ("initialize", "{\"protocolVersion\":\"2025-06-18\",\"clientInfo\":"
					  "{\"name\":\"c\",\"version\":\"1\"}}"), &rpc, &m), 0);
	assert_int_equal(m.version, MCP_V_2025_06_18);
	assert_true(span_is(m.client_name, "c") && span_is(m.client_version, "1"));
	assert_false(m.modern);
	assert_int_equal(read_one(&t, REQ("initialize", "{\"protocolVersion\":\"2031-01-01\"}"), &rpc, &m), 0);
	assert_int_equal(m.version, MCP_V_UNKNOWN);
	assert_true(span_is(m.version_text, "2031-01-01"));
	assert_int_equal(read_one(&t, REQ("server/discover", "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":"
					  "\"2026-07-28\",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"n\",\"version\":\"2\"}}}"), &rpc, &m), 0);
	assert_int_equal(m.method, MCP_SERVER_DISCOVER);
	assert_int_equal(m.version, MCP_V_2026_07_28);
	assert_true(m.modern);
	assert_true(span_is(m.client_name, "n"));
	assert_int_equal(read_one(&t, REQ("tools/list", "{\"cursor\":\"\"}"), &rpc, &m), 0);
	assert_true(m.cursor != TAPE_NONE);
	assert_int_equal(read_one(&t, REQ("x/unknown", "{\"name\":5}"), &rpc, &m), 0);
	assert_int_equal(m.method, MCP_METHOD_OTHER);
	assert_null(m.info);
	assert_int_equal(read_one(&t, NOTE("notifications/cancelled", "{\"requestId\":\"q\"}"), &rpc, &m), 0);
	assert_true(span_is(m.cancelled_id, "\"q\""));
	tape_done(&t);
}

static void reads_results(void **state)
{
	struct mcp_server_info info;
	struct tape t = { 0 };
	uint32_t a;

	assert_int_equal(tape_parse(&t, SPAN("{\"tools\":[{}],\"nextCursor\":\"\",\"prompts\":5}"), NULL), 0);
	a = mcp_list_array(&t, 0, MCP_TOOLS_LIST);
	assert_int_equal(t.tok[a].count, 1);
	assert_int_equal(mcp_list_array(&t, 0, MCP_PROMPTS_LIST), TAPE_NONE);
	assert_int_equal(mcp_list_array(&t, 0, MCP_PING), TAPE_NONE);
	assert_true(mcp_list_cursor(&t, 0) != TAPE_NONE);
	/* a host that folds case might show the other list */
	assert_int_equal(tape_parse(&t, SPAN("{\"tools\":[],\"Tools\":[{}]}"), NULL), 0);
	assert_int_equal(mcp_list_array(&t, 0, MCP_TOOLS_LIST), TAPE_NONE);
	assert_int_equal(tape_parse(&t, SPAN("{\"protocolVersion\":\"2025-11-25\",\"serverInfo\":{\"name\":\"s\",\"version\":\"9\"},"
					     "\"instructions\":\"do\"}"), NULL), 0);
	mcp_server_info(&t, 0, MCP_INITIALIZE, &info);
	assert_int_equal(info.version, MCP_V_2025_11_25);
	assert_true(span_is(info.name, "s") && span_is(info.instructions, "do"));
	assert_int_equal(tape_parse(&t, SPAN("{\"supportedVersions\":[\"2025-11-25\",\"2026-07-28\",\"x\"],\"_meta\":"
					     "{\"io.modelcontextprotocol/serverInfo\":{\"name\":\"m\"}}}"), NULL), 0);
	mcp_server_info(&t, 0, MCP_SERVER_DISCOVER, &info);
	assert_int_equal(info.version, MCP_V_2026_07_28);
	assert_true(span_is(info.name, "m"));
	tape_done(&t);
}

/* Every published example of a whole message is what its folder says, and a request can be judged. */
static void published_examples(void **state)
{
	const char *root = getenv("TOLLGATE_VECTORS");
	char dir[512], path[1200];
	struct tape t = { 0 };
	unsigned seen = 0;
	struct dirent *e, *f;
	DIR *d, *sub;

	snprintf(dir, sizeof(dir), "%s/mcp/schema/2026-07-28/examples", root ? root : "../shared/vectors");
	d = opendir(dir);
	if (!d) {
		print_message("no vectors in %s\n", dir);
		skip();
	}
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);
		bool request = n > 7 && strcmp(e->d_name + n - 7, "Request") == 0;
		bool note = n > 12 && strcmp(e->d_name + n - 12, "Notification") == 0;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if ((!request && !note) || !(sub = opendir(path)))
			continue;
		while ((f = readdir(sub))) {
			_cleanup_buf_ struct buf b = { 0 };
			struct jsonrpc_msg rpc;
			struct mcp_msg m;

			if (f->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s/%s", dir, e->d_name, f->d_name);
			assert_int_equal(file_read(path, 1 << 20, &b), 0);
			assert_int_equal(jsonrpc_read(&t, buf_span(&b), NULL, &rpc), 0);
			if (rpc.kind == JSONRPC_INVALID) /* embedded input requests have no envelope */
				continue;
			assert_int_equal(rpc.kind, request ? JSONRPC_REQUEST : JSONRPC_NOTIFICATION);
			if (mcp_read(&t, &rpc, &m) != 0 || !m.info || !(m.info->versions & 1u << MCP_V_2026_07_28))
				fail_msg("%s: %s", path, m.reason ? m.reason : "not in the catalogue");
			assert_int_equal(m.info->notification, note);
			assert_true(note || m.modern);
			seen++;
		}
		closedir(sub);
	}
	closedir(d);
	tape_done(&t);
	assert_true(seen >= 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_methods_exactly),
		cmocka_unit_test(reads_a_tool_call),
		cmocka_unit_test(refuses_what_cannot_be_judged),
		cmocka_unit_test(reads_both_eras),
		cmocka_unit_test(reads_results),
		cmocka_unit_test(published_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
