// SPDX-License-Identifier: Apache-2.0
/* Every allocation on the way of a message fails once: nothing is allowed for want of memory, and what passes has its
 * record. */
#include "tests/unit/alloc.h"
#include "tests/unit/gate/world.inc.c"

#define POLICY \
	"permit(principal, action in Action::\"method\", resource);" \
	"permit(principal, action == Action::\"server/use\", resource);" \
	"@id(\"echo\") permit(principal == Agent::\"ada\", action == Action::\"files/echo\", resource)" \
	" when { context.input.n < 10 && [\"a\", \"b\"].contains(context.input.path) };" \
	"@id(\"never\") forbid(principal, action == Action::\"files/echo\", resource)" \
	" when { context.input.path like \"*secret*\" };"
#define CALL(id, tool, path) \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool \
	"\",\"arguments\":{\"path\":\"" path "\",\"n\":3,\"deep\":[[1,2],{\"x\":\"y\"}]}}}"
#define LIST "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/list\"}"
#define LISTED \
	"{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"tools\":[" \
	"{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "}," \
	"{\"name\":\"drop\",\"description\":\"Deletes\",\"inputSchema\":{\"type\":\"object\"}}," \
	"{\"name\":\"wild\",\"description\":\"?\",\"inputSchema\":{\"type\":\"object\"}}]}}"

static struct snapshot_input input_of(struct buf *policies, struct buf *agents, struct buf *catalog)
{
	assert_int_equal(bundle_add_str(policies, "p.cedar"), 0);
	assert_int_equal(bundle_add_str(policies, POLICY), 0);
	assert_int_equal(snapshot_pack_agent(agents, &(struct snapshot_agent){ .name = (char *)"ada",
									       .sponsor = (char *)"s", .uid = 7 }), 0);
	assert_int_equal(buf_append_str(catalog, "["), 0);
	add_tool(catalog, "files", "/opt/files", "echo", tool_echo);
	add_tool(catalog, "mail", "/opt/mail", "post", tool_drop);
	assert_int_equal(buf_append_str(catalog, "]"), 0);
	return (struct snapshot_input){ .epoch = 1, .catalog_name = "catalog.json", .pins_name = "pins",
					.policies = buf_span(policies), .agents = buf_span(agents),
					.catalog = buf_span(catalog) };
}

static void a_snapshot_is_whole_or_none(void **state)
{
	_cleanup_buf_ struct buf policies = { 0 };
	_cleanup_buf_ struct buf agents = { 0 };
	_cleanup_buf_ struct buf catalog = { 0 };
	struct snapshot_input in = input_of(&policies, &agents, &catalog);
	unsigned long n;
	int r = -1;

	for (n = 1; alloc_fail_at(n); n++) {
		_cleanup_buf_ struct buf errors = { 0 };
		struct snapshot *s = NULL;

		alloc_work();
		r = snapshot_new(&in, &errors, &s);
		alloc_rest();
		if (r == 0)
			snapshot_unref(s);
		else
			assert_null(s);
	}
	assert_int_equal(r, 0); /* when none failed */
	assert_true(n > 100);
}

/* Whether the ring's records since the last look hold an allowing one of this type. */
static bool recorded(struct world *w, const char *type)
{
	bool found = false;
	const char *r;

	while ((r = world_record(w)))
		found |= strstr(r, type) && strstr(r, "\"policy_decision\":\"allow\"");
	return found;
}

static void no_message_passes_for_want_of_memory(void **state)
{
	static struct proc_identity id;
	unsigned long n, forwarded = 0;

	for (n = 1; alloc_fail_at(n); n++) {
		struct gate_peers p = { .agent = 1, .agent_pid = 100, .transport = "stdio", .server = &id };
		struct gate_conv *c = NULL;
		struct gate_verdict v;
		struct world w;

		world_open(&w, POLICY);
		memset(&id, 0, sizeof(id));
		id.pid = 200;
		(void)snprintf(id.exe, sizeof(id.exe), "/opt/files");
		memcpy(id.args, "files\0serve", 12);
		id.args_len = 12;
		alloc_work();
		if (gate_conv_open(w.gate, &p, &c) == 0) {
			v = world_judge(c, MCP_TO_SERVER, CALL(1, "echo", "a"));
			alloc_state.working = false;
			if (v.act == GATE_FORWARD) {
				forwarded++;
				assert_true(recorded(&w, "\"entry_type\":\"tool_call\""));
			}
			alloc_state.working = true;
			v = world_judge(c, MCP_TO_SERVER, CALL(2, "echo", "my secret"));
			assert_int_not_equal(v.act, GATE_FORWARD);
			v = world_judge(c, MCP_TO_SERVER, CALL(3, "drop", "a"));
			assert_int_not_equal(v.act, GATE_FORWARD);
			v = world_judge(c, MCP_TO_SERVER, "[" CALL(4, "echo", "a") "," CALL(5, "drop", "a") "]");
			assert_int_not_equal(v.act, GATE_FORWARD);
			(void)world_judge(c, MCP_TO_SERVER, LIST);
			v = world_judge(c, MCP_TO_HOST, LISTED);
			assert_int_not_equal(v.act, GATE_FORWARD);
			if (v.act == GATE_REPLACE) {
				assert_null(memmem(v.bytes.p, v.bytes.n, "\"drop\"", 6));
				assert_null(memmem(v.bytes.p, v.bytes.n, "\"wild\"", 6));
			}
			gate_conv_close(c, "the test is over");
		}
		alloc_rest();
		world_close(&w);
	}
	assert_true(n > 10);
	assert_true(forwarded > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_whole_or_none),
		cmocka_unit_test(no_message_passes_for_want_of_memory),
	};

	alloc_take_crypto();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
