// SPDX-License-Identifier: Apache-2.0
/* Included by the tests of this room. */
#include "tests/unit/gate/world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "user/gate/bundle.h"
#include "user/gate/snapshot.h"
#include "user/mcp/canon.h"
#include "user/mcp/catalog.h"
#include "user/notary/recorder.h"
#include "user/proc/identity.h"

#define PERMIT_ALL "permit(principal, action, resource);"

#define ECHO_INPUT "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}," \
		   "\"path\":{\"type\":\"string\"}},\"required\":[\"n\",\"path\"]}"
static const char tool_echo[] = "{\"description\":\"Echoes\",\"input_schema\":" ECHO_INPUT ","
				"\"output_schema\":null}";
static const char tool_drop[] = "{\"description\":\"Deletes\",\"input_schema\":{\"type\":\"object\"},"
				"\"output_schema\":null}";

static void digest_of(const char *json, char ret[SHA256_PREFIXED_SIZE])
{
	_cleanup_buf_ struct buf scratch = { 0 };
	uint8_t d[SHA256_SIZE];
	struct tape t = { 0 };

	assert_int_equal(tape_parse(&t, span_of(json), NULL), 0);
	assert_int_equal(canon_digest(&t, 0, &scratch, d), 0);
	sha256_prefixed(d, ret);
	tape_done(&t);
}

static void add_tool(struct buf *b, const char *server, const char *command, const char *name,
		     const char *definition)
{
	char digest[SHA256_PREFIXED_SIZE];

	digest_of(definition, digest);
	assert_int_equal(buf_printf(b, "%s{\"tool_name\":\"%s\",\"server\":{\"display_name\":\"%s\","
		"\"transport\":\"stdio\",\"spawn\":{\"command\":\"%s\",\"args\":[\"serve\"],"
		"\"binary_digest\":null,\"measure_target\":null}},\"approved_definition\":%s,"
		"\"definition_hash\":\"%s\",\"added_at\":\"2026-11-21T00:00:00Z\",\"approved_by\":\"test\"}",
		buf_len(b) > 1 ? "," : "", name, server, command, definition, digest), 0);
}

static struct snapshot *make_snapshot(const char *policy, uint64_t epoch)
{
	_cleanup_buf_ struct buf policies = { 0 };
	_cleanup_buf_ struct buf agents = { 0 };
	_cleanup_buf_ struct buf catalog = { 0 };
	_cleanup_buf_ struct buf errors = { 0 };
	struct snapshot_input in = { .epoch = epoch, .catalog_name = "catalog.json", .pins_name = "pins" };
	struct snapshot *s = NULL;
	int r;

	assert_int_equal(bundle_add_str(&policies, "p.cedar"), 0);
	assert_int_equal(bundle_add_str(&policies, policy ? policy : PERMIT_ALL), 0);
	assert_int_equal(snapshot_pack_agent(&agents, &(struct snapshot_agent){ .name = (char *)"ada",
										.uid = -1 }), 0);
	assert_int_equal(buf_append_str(&catalog, "["), 0);
	add_tool(&catalog, "files", "/opt/files", "echo", tool_echo);
	add_tool(&catalog, "files", "/opt/files", "drop", tool_drop);
	add_tool(&catalog, "mail", "/opt/mail", "post", tool_echo);
	assert_int_equal(buf_append_str(&catalog, "]"), 0);
	in.policies = buf_span(&policies);
	in.agents = buf_span(&agents);
	in.catalog = buf_span(&catalog);
	r = snapshot_new(&in, &errors, &s);
	if (r < 0)
		fail_msg("snapshot: %s", buf_cstr(&errors));
	return s;
}

void world_policy(struct world *w, const char *policy)
{
	uint64_t epoch = w->gate->current ? w->gate->current->epoch + 1 : 1;

	gate_stage(w->gate, make_snapshot(policy, epoch));
	assert_int_equal(gate_commit(w->gate, epoch), 0);
}

void world_open(struct world *w, const char *policy)
{
	static const uint8_t key[SHA256_SIZE] = { 1 };

	*w = (struct world){ 0 };
	assert_int_equal(gate_new(&w->gate), 0);
	w->gate->limits = (struct gate_limits){ .message_max = 1 << 20, .conversations_max = 4 };
	(void)snprintf(w->gate->facts.node, sizeof(w->gate->facts.node), "test");
	assert_int_equal(ring_create(RING_SIZE_MIN, &w->ring_fd), 0);
	assert_int_equal(ring_attach(w->ring_fd, RING_CONSUMER, -1, &w->reader), 0);
	assert_int_equal(recorder_new(w->ring_fd, -1, RECORD_RING, key, &w->gate->recorder), 0);
	gate_set_notary(w->gate, true);
	world_policy(w, policy);
}

void world_close(struct world *w)
{
	gate_free(w->gate);
	ring_free(w->reader);
	close(w->ring_fd);
}

struct gate_conv *world_conv(struct world *w, bool listed)
{
	static struct proc_identity id;
	struct gate_peers p = { .agent = 1, .agent_pid = 100, .transport = "stdio", .server = &id };
	struct gate_conv *c = NULL;

	memset(&id, 0, sizeof(id));
	id.pid = 200;
	(void)snprintf(id.exe, sizeof(id.exe), listed ? "/opt/files" : "/opt/unknown");
	memcpy(id.args, "files\0serve", 12);
	id.args_len = 12;
	id.exe_measured = 1;
	assert_int_equal(gate_conv_open(w->gate, &p, &c), 0);
	return c;
}

struct gate_verdict world_judge(struct gate_conv *c, enum mcp_dir dir, const char *text)
{
	struct gate_context x = { .dir = dir };
	struct gate_verdict v;

	gate_judge(c, &x, span_of(text), &v);
	return v;
}

const char *world_record(struct world *w)
{
	size_t n;

	if (ring_take(w->reader, w->record, &n) < 0)
		return NULL;
	ring_publish(w->reader, ring_taken(w->reader), RECORD_WRITTEN);
	w->record[n] = '\0';
	return w->record;
}

const char *world_last_record(struct world *w)
{
	const char *last = NULL, *r;

	while ((r = world_record(w)))
		last = r;
	return last;
}
