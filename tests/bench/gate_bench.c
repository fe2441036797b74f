// SPDX-License-Identifier: Apache-2.0
/*
 * The judgement of one call and its answer, and nothing else: no socket, no notary. gate_bench MESSAGE COUNT judges
 * COUNT pairs, and is run by the bench under callgrind with two counts, so that what is not the judgement
 * cancels out. Prints nanoseconds a pair, for a look without callgrind.
 */
#include "tests/unit/gate/world.inc.c"

#include "user/base/clock.h"

#define POLICY \
	"permit (principal, action in [Action::\"method\", Action::\"server/use\"], resource);" \
	"@id(\"echo\") permit (principal == Agent::\"ada\", action == Action::\"files/echo\", resource)" \
	" when { context.input has path && context.input.path like \"/srv/*\" };"
#define TEXT_MAX 8192

static const struct message {
	const char *name;
	unsigned fill; /* bytes of one string argument */
} messages[] = {
	{ "call-256", 130 },
	{ "call-1k", 900 },
	{ "call-4k", 3970 },
};

static size_t call_text(char *ret, unsigned id, unsigned fill)
{
	return (size_t)snprintf(ret, TEXT_MAX, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"tools/call\",\"params\":{"
				"\"name\":\"echo\",\"arguments\":{\"path\":\"/srv/%0*d\"}}}", id, (int)fill, 0);
}

static size_t answer_text(char *ret, unsigned id)
{
	return (size_t)snprintf(ret, TEXT_MAX, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"result\":{\"content\":["
				"{\"type\":\"text\",\"text\":\"ran\"}]}}", id);
}

static void judge(struct gate_conv *c, enum mcp_dir dir, const char *text, size_t n)
{
	struct gate_context x = { .dir = dir };
	struct gate_verdict v;

	gate_judge(c, &x, (struct span){ text, n }, &v);
	if (v.act != GATE_FORWARD || !gate_recorded(c->gate, v.pos)) {
		fprintf(stderr, "gate_bench: not forwarded: %s\n", v.reason ? v.reason : "?");
		exit(1);
	}
}

/* The log's part, as cheap as it can be: the ring must not run full. */
static void empty_ring(struct world *w)
{
	size_t n;

	while (ring_take(w->reader, w->record, &n) == 0)
		;
	ring_publish(w->reader, ring_taken(w->reader), RECORD_WRITTEN);
}

static const struct message *message_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++)
		if (strcmp(messages[i].name, name) == 0)
			return &messages[i];
	return NULL;
}

int main(int argc, char **argv)
{
	static char text[TEXT_MAX];
	const struct message *m = argc == 3 ? message_of(argv[1]) : NULL;
	unsigned count = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	struct gate_conv *c;
	struct world w;
	uint64_t start;

	if (!m || !count) {
		fputs("usage: gate_bench call-256|call-1k|call-4k COUNT\n", stderr);
		return 2;
	}
	world_open(&w, POLICY);
	c = world_conv(&w, true);
	start = clock_mono_ns();
	for (unsigned i = 0; i < count; i++) {
		/* Ids of one length: the figures must not depend on the count. */
		judge(c, MCP_TO_SERVER, text, call_text(text, 1000000 + i, m->fill));
		judge(c, MCP_TO_HOST, text, answer_text(text, 1000000 + i));
		empty_ring(&w);
	}
	printf("%llu\n", (unsigned long long)((clock_mono_ns() - start) / count));
	world_close(&w);
	return 0;
}
