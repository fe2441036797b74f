// SPDX-License-Identifier: Apache-2.0
/* The way of one message: what is forwarded, what is answered, what is recorded. */
#include "tests/unit/gate/world.inc.c"

#define CALL(id, tool) \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool \
	"\",\"arguments\":{\"path\":\"/tmp\",\"n\":3,\"f\":1.5,\"none\":null}}}"
#define POLICY \
	"permit(principal, action in Action::\"method\", resource);" \
	"permit(principal, action == Action::\"server/use\", resource);" \
	"@id(\"echo\") permit(principal == Agent::\"ada\", action == Action::\"files/echo\", resource)" \
	" when { context.input.n < 10 };"

static void contains(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' lacks '%s'", text ? text : "(no record)", part);
}

static void answer_contains(const struct gate_verdict *v, const char *part)
{
	char text[4096];

	assert_int_equal(v->act, GATE_ANSWER);
	assert_true(v->bytes.n < sizeof(text));
	memcpy(text, v->bytes.p, v->bytes.n);
	text[v->bytes.n] = '\0';
	contains(text, part);
}

static void forwards_what_policy_permits(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	contains(world_last_record(&w), "\"entry_type\":\"session_start\"");
	v = world_judge(c, MCP_TO_SERVER, CALL(1, "echo"));
	assert_int_equal(v.act, GATE_FORWARD);
	assert_true(v.request);
	contains(world_last_record(&w), "\"policy_decision\":\"allow\"");
	world_close(&w);
}

static void answers_what_it_denies_with_the_same_id(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	v = world_judge(c, MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0062c\",\"method\":\"tools/call\","
			"\"params\":{\"name\":\"drop\"}}");
	answer_contains(&v, "\"id\":\"a\\u0062c\"");
	answer_contains(&v, "\"reason_code\":\"policy\"");
	contains(world_last_record(&w), "\"policy_decision\":\"deny\"");
	v = world_judge(c, MCP_TO_SERVER, CALL(2, "erase"));
	answer_contains(&v, "unlisted_tool");
	v = world_judge(c, MCP_TO_SERVER, CALL(3, "post"));
	answer_contains(&v, "unlisted_tool"); /* another server's tool is not this one's */
	world_close(&w);
}

static void denies_arguments_cedar_cannot_hold(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	v = world_judge(c, MCP_TO_SERVER,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
			"\"arguments\":{\"n\":1e3}}}");
	assert_int_equal(v.act, GATE_ANSWER);
	v = world_judge(c, MCP_TO_SERVER,
			"{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
			"\"arguments\":{\"n\":99999999999999999999}}}");
	assert_int_equal(v.act, GATE_ANSWER);
	v = world_judge(c, MCP_TO_SERVER,
			"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\"}}");
	assert_int_equal(v.act, GATE_ANSWER);
	world_close(&w);
}

static void denies_everything_to_an_unlisted_server(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, NULL);
	c = world_conv(&w, false);
	contains(world_last_record(&w), "unlisted_server");
	v = world_judge(c, MCP_TO_SERVER,
			"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\","
			"\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}}");
	answer_contains(&v, "unlisted_server");
	v = world_judge(c, MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
	assert_int_equal(v.act, GATE_DROP);
	world_close(&w);
}

static struct gate_conv *spawned(struct world *w, const struct gate_spawn *spawn)
{
	static struct proc_identity id;
	struct gate_peers p = { .agent = 1, .agent_pid = 100, .transport = "stdio", .server = &id, .spawn = spawn };
	struct gate_conv *c = NULL;

	memset(&id, 0, sizeof(id));
	id.pid = 200;
	(void)snprintf(id.exe, sizeof(id.exe), "/opt/files");
	memcpy(id.args, "files\0serve", 12);
	id.args_len = 12;
	assert_int_equal(gate_conv_open(w->gate, &p, &c), 0);
	return c;
}

/* A server is held to the declaration that it was started under, which must be the catalog's. */
static void holds_a_server_to_its_declaration(void **state)
{
	static const struct gate_spawn other = { .declared = { 1 }, .measured = true }, measured = { .measured = true },
				       refused = { .measured = true, .refused = "changed since" };
	struct world w;
	struct gate_verdict v;

	world_open(&w, NULL);
	(void)spawned(&w, NULL);
	contains(world_last_record(&w), "\"spawn-unmeasured\"");
	(void)spawned(&w, &measured);
	contains(world_last_record(&w), "\"spawn-measured\"");
	v = world_judge(spawned(&w, &other), MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}");
	answer_contains(&v, "start it anew");
	contains(world_last_record(&w), "\"spawn-unmeasured\"");
	v = world_judge(spawned(&w, &refused), MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"ping\"}");
	answer_contains(&v, "spawn_refused");
	contains(world_last_record(&w), "changed since");
	contains(w.record, "\"spawn-unmeasured\"");
	world_close(&w);
}

static void refuses_what_cannot_be_read(void **state)
{
	static const char *const bad[] = {
		"{", "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}", "nonsense",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"\xff\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"ping\",\"method\":\"ping\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
		"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}", "[]", "7",
	};
	struct world w;
	struct gate_conv *c;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct gate_verdict v = world_judge(c, MCP_TO_SERVER, bad[i]);

		assert_int_equal(v.act, GATE_ANSWER);
		assert_true(v.denied);
		contains(world_last_record(&w), "\"policy_decision\":\"deny\"");
		v = world_judge(c, MCP_TO_HOST, bad[i]);
		assert_int_not_equal(v.act, GATE_FORWARD);
	}
	world_close(&w);
}

static void matches_answers_to_requests(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	v = world_judge(c, MCP_TO_SERVER, CALL(1, "echo"));
	assert_int_equal(v.act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
	assert_int_equal(v.act, GATE_DROP);
	contains(world_last_record(&w), "unmatched");
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
	assert_int_equal(v.act, GATE_DROP);
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	assert_int_equal(v.act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
	assert_int_equal(v.act, GATE_DROP); /* a second answer */
	world_close(&w);
}

static void refuses_an_id_in_flight(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(1, "echo")).act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_SERVER, CALL(1, "echo"));
	answer_contains(&v, "duplicate_id");
	world_close(&w);
}

static const char list_answer[] =
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":["
	"{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "},"
	"{\"name\":\"drop\",\"description\":\"Deletes, and more\",\"inputSchema\":{\"type\":\"object\"}},"
	"{\"name\":\"new\",\"description\":\"?\",\"inputSchema\":{\"type\":\"object\"}},"
	"{\"name\":\"post\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "}]}}";

static void lists_show_what_is_pinned_and_permitted(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;
	const char *r;
	bool drift = false, collision = false, unlisted = false;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}").act, GATE_FORWARD);
	(void)world_last_record(&w);
	v = world_judge(c, MCP_TO_HOST, list_answer);
	assert_int_equal(v.act, GATE_REPLACE);
	assert_true(span_is(v.bytes, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":["
			    "{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "}]}}"));
	while ((r = world_record(&w))) {
		drift |= strstr(r, "\"reason_code\":\"drift\"") && strstr(r, "description");
		collision |= strstr(r, "\"reason_code\":\"collision\"") != NULL;
		unlisted |= strstr(r, "\"reason_code\":\"unlisted_tool\"") != NULL;
	}
	assert_true(drift && collision && unlisted);
	v = world_judge(c, MCP_TO_SERVER, CALL(2, "drop"));
	answer_contains(&v, "\"reason_code\":\"drift\"");
	world_close(&w);
}

static void lists_hide_what_policy_denies(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}").act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_HOST,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":["
			"{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "},"
			"{\"name\":\"drop\",\"description\":\"Deletes\",\"inputSchema\":{\"type\":\"object\"}}]}}");
	assert_int_equal(v.act, GATE_REPLACE);
	assert_null(memmem(v.bytes.p, v.bytes.n, "drop", 4));
	assert_non_null(memmem(v.bytes.p, v.bytes.n, "echo", 4));
	world_close(&w);
}

/* Whether pin or policy hides it, and whatever is asked first: one record, which names it in the list's order. */
static void lists_name_what_they_hide(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;
	const char *r;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER,
				     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}").act, GATE_FORWARD);
	(void)world_last_record(&w);
	v = world_judge(c, MCP_TO_HOST,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":["
			"{\"name\":7},"
			"{\"name\":\"drop\",\"description\":\"Deletes\",\"inputSchema\":{\"type\":\"object\"}},"
			"{\"name\":\"new\",\"description\":\"?\",\"inputSchema\":{\"type\":\"object\"}},"
			"{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "},"
			"{\"name\":\"drop\",\"description\":\"Deletes\",\"inputSchema\":{\"type\":\"object\"}}]}}");
	assert_int_equal(v.act, GATE_REPLACE);
	assert_true(span_is(v.bytes, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"tools\":["
			    "{\"name\":\"echo\",\"description\":\"Echoes\",\"inputSchema\":" ECHO_INPUT "}]}}"));
	r = world_record(&w);
	contains(r, "\"reason_code\":\"unlisted_tool\"");
	r = world_record(&w);
	contains(r, "\"hidden\":4");
	contains(r, "\"hidden_names\":\"(unnamed), drop, new, drop\"");
	assert_null(world_record(&w));
	world_close(&w);
}

static void a_batch_goes_whole_or_not_at_all(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	v = world_judge(c, MCP_TO_SERVER, "[" CALL(1, "echo") "," CALL(2, "echo") "]");
	assert_int_equal(v.act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_SERVER, "[" CALL(3, "echo") "," CALL(4, "drop") "]");
	answer_contains(&v, "\"id\":3");
	answer_contains(&v, "\"id\":4");
	/* What was denied with the batch is not in flight: its id may be used again. */
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(3, "echo")).act, GATE_FORWARD);
	world_close(&w);
}

static void advisory_records_what_it_would_deny(void **state)
{
	struct world w;
	struct gate_conv *c;

	world_open(&w, POLICY);
	w.gate->mode = GATE_ADVISORY;
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(1, "drop")).act, GATE_FORWARD);
	contains(world_last_record(&w), "\"policy_decision\":\"advisory_deny\"");
	assert_int_equal(world_judge(c, MCP_TO_SERVER, "{").act, GATE_ANSWER);
	world_close(&w);
}

static void judges_requests_of_the_server(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"sampling/createMessage\","
			"\"params\":{\"messages\":[],\"maxTokens\":1}}");
	answer_contains(&v, "\"id\":9");
	v = world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"ping\"}");
	assert_int_equal(v.act, GATE_FORWARD);
	v = world_judge(c, MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"id\":10,\"result\":{}}");
	assert_int_equal(v.act, GATE_FORWARD);
	world_close(&w);
}

static void a_new_epoch_takes_effect_between_messages(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(1, "echo")).act, GATE_FORWARD);
	world_policy(&w, "forbid(principal, action, resource);");
	v = world_judge(c, MCP_TO_SERVER, CALL(2, "echo"));
	assert_int_equal(v.act, GATE_ANSWER);
	contains(world_last_record(&w), "\"policy_epoch\":2");
	/* What was under way ends under the epoch that judged it. */
	assert_int_equal(world_judge(c, MCP_TO_HOST, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}").act,
			 GATE_FORWARD);
	world_close(&w);
}

static void a_new_epoch_begins_a_new_log_session(void **state)
{
	char before[sizeof(((struct chain *)0)->session_id)], want[128];
	struct world w;
	struct gate_conv *c;

	world_open(&w, POLICY);
	c = world_conv(&w, true);
	memcpy(before, c->chain.session_id, sizeof(before));
	(void)world_last_record(&w);
	world_policy(&w, POLICY);
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(1, "echo")).act, GATE_FORWARD);
	assert_string_not_equal(before, c->chain.session_id);
	(void)snprintf(want, sizeof(want), "\"continues\":\"%s\"", before);
	contains(world_record(&w), want);
	contains(w.record, "\"entry_type\":\"session_start\"");
	contains(w.record, "\"policy_hash\":\"sha256:");
	(void)snprintf(want, sizeof(want), "\"continued_by\":\"%s\"", c->chain.session_id);
	contains(world_record(&w), want);
	contains(w.record, before);
	contains(w.record, "\"policy_epoch\":1");
	contains(w.record, "\"entry_type\":\"session_end\"");
	contains(world_record(&w), "\"sequence_number\":1");
	world_close(&w);
}

static void denies_when_the_ring_is_full(void **state)
{
	struct world w;
	struct gate_conv *c;
	struct gate_verdict v = { 0 };
	int i;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	for (i = 0; i < 10000; i++) {
		v = world_judge(c, MCP_TO_SERVER, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}");
		if (v.act != GATE_FORWARD)
			break;
	}
	assert_in_range(i, 10, 9999);
	assert_int_equal(v.act, GATE_DROP);
	v = world_judge(c, MCP_TO_SERVER, CALL(1, "echo"));
	answer_contains(&v, "log");
	assert_non_null(world_last_record(&w));
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(2, "echo")).act, GATE_FORWARD);
	world_close(&w);
}

static void released(void *arg, int error)
{
	int *n = arg;

	*n = error ? -1 : *n + 1;
}

static void nothing_goes_without_a_notary(void **state)
{
	struct world w;
	int n = 0;

	world_open(&w, NULL);
	gate_set_notary(w.gate, false);
	assert_false(gate_recorded(w.gate, 0));
	assert_int_equal(gate_when_recorded(w.gate, 0, released, &n), 0);
	gate_progress(w.gate);
	assert_int_equal(n, 0);
	gate_set_notary(w.gate, true);
	assert_int_equal(n, 1);
	world_close(&w);
}

static void overlong_messages_end_in_an_error_for_the_host(void **state)
{
	struct gate_context to_server = { .dir = MCP_TO_SERVER }, to_host = { .dir = MCP_TO_HOST };
	struct gate_verdict v;
	struct gate_conv *c;
	struct world w;

	world_open(&w, NULL);
	c = world_conv(&w, true);
	gate_judge_overlong(c, &to_server, SPAN("7"), 1 << 24, &v);
	answer_contains(&v, "\"id\":7");
	contains(world_last_record(&w), "\"reason_code\":\"size\"");
	assert_int_equal(world_judge(c, MCP_TO_SERVER, CALL(8, "echo")).act, GATE_FORWARD);
	gate_judge_overlong(c, &to_host, SPAN("8"), 1 << 24, &v);
	assert_int_equal(v.act, GATE_REPLACE);
	assert_non_null(memmem(v.bytes.p, v.bytes.n, "\"id\":8", 6));
	gate_judge_overlong(c, &to_host, SPAN("8"), 1 << 24, &v);
	assert_int_equal(v.act, GATE_DROP);
	world_close(&w);
}

static void limits_conversations(void **state)
{
	struct gate_peers p = { .agent = 1, .transport = "http", .host = "127.0.0.1", .port = 1, .path = "/" };
	struct gate_conv *c;
	struct world w;

	world_open(&w, NULL);
	for (unsigned i = 0; i < w.gate->limits.conversations_max; i++)
		assert_int_equal(gate_conv_open(w.gate, &p, &c), 0);
	assert_int_equal(gate_conv_open(w.gate, &p, &c), -ENOSPC);
	p.agent = 7;
	gate_conv_close(w.gate->convs, "test");
	assert_int_equal(gate_conv_open(w.gate, &p, &c), -ESRCH);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forwards_what_policy_permits),
		cmocka_unit_test(answers_what_it_denies_with_the_same_id),
		cmocka_unit_test(denies_arguments_cedar_cannot_hold),
		cmocka_unit_test(denies_everything_to_an_unlisted_server),
		cmocka_unit_test(holds_a_server_to_its_declaration),
		cmocka_unit_test(refuses_what_cannot_be_read),
		cmocka_unit_test(matches_answers_to_requests),
		cmocka_unit_test(refuses_an_id_in_flight),
		cmocka_unit_test(lists_show_what_is_pinned_and_permitted),
		cmocka_unit_test(lists_hide_what_policy_denies),
		cmocka_unit_test(lists_name_what_they_hide),
		cmocka_unit_test(a_batch_goes_whole_or_not_at_all),
		cmocka_unit_test(advisory_records_what_it_would_deny),
		cmocka_unit_test(judges_requests_of_the_server),
		cmocka_unit_test(a_new_epoch_takes_effect_between_messages),
		cmocka_unit_test(a_new_epoch_begins_a_new_log_session),
		cmocka_unit_test(denies_when_the_ring_is_full),
		cmocka_unit_test(nothing_goes_without_a_notary),
		cmocka_unit_test(overlong_messages_end_in_an_error_for_the_host),
		cmocka_unit_test(limits_conversations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
