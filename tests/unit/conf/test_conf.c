// SPDX-License-Identifier: Apache-2.0
/* tollgate.conf: what is refused and where, what is understood, what the defaults are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "user/base/buf.h"
#include "user/conf/conf.h"
#include "user/conf/internal.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define AGENT "agents:\n- name: a\n  exe: /bin/a\n"

static const struct {
	const char *text;
	unsigned line, column;
	const char *says; /* must be part of the message */
} bad[] = {
	{ "", 0, 0, "the file is empty" },
	{ "# only a remark\n", 0, 0, "the file is empty" },
	{ "---\n", 2, 1, "keys and values" },
	{ "just words\n", 1, 1, "keys and values" },
	{ "[a, b]\n", 1, 1, "keys and values" },
	{ "mode: enforcing\n", 1, 1, "agents is missing" },
	{ "agents: []\nmode: [\n", 3, 1, "did not find" },
	{ "agents: []\nmode: \"enforcing\n", 3, 1, "unexpected end of stream" },
	{ "agents: []\n\tmode: enforcing\n", 2, 1, "cannot start any token" },
	{ "agents: []\nnode: \xff\xfe\n", 2, 7, "invalid leading UTF-8" },
	{ "agents: []\nnode: \"a\xc3\"\n", 2, 10, "UTF-8" },
	{ "agents: []\nnode: a\x01\n", 2, 8, "control characters" },
	{ "agents: []\nnode: \"a\\0b\"\n", 2, 7, "control character" },
	{ "agents: []\nnode: \"a\\nb\"\n", 2, 7, "control character" },
	{ "agents: []\n\"no\\0de\": a\n", 2, 1, "control character" },
	{ "agents: []\n--- \nagents: []\n", 2, 1, "only one document" },
	{ "%YAML 1.1\n---\nagents: []\n", 1, 1, "directives" },
	{ "%TAG ! tag:x,2000:\n---\nagents: []\n", 1, 1, "directives" },
	{ "agents: &a []\n", 1, 9, "anchors" },
	{ "agents: []\nnode: &n x\n", 2, 7, "anchors" },
	{ "agents: []\nnode: *n\n", 2, 7, "aliases" },
	{ "agents: []\n*n : x\n", 2, 1, "aliases" },
	{ "agents: []\n<<: {mode: silent}\n", 2, 1, "unknown key '<<'" },
	{ "agents: []\nnode: !!str x\n", 2, 7, "tags" },
	{ "agents: []\nnode: ! x\n", 2, 7, "tags" },
	{ "agents: !x []\n", 1, 9, "tags" },
	{ "agents: []\n? [a]\n: b\n", 2, 3, "a key must be a word" },
	{ "agents: []\n? {a: b}\n: b\n", 2, 3, "a key must be a word" },
	{ "agents: []\nagents: []\n", 2, 1, "already given at line 1" },
	{ "mode: silent\nagents: []\n'mode': enforcing\n", 3, 1, "already given at line 1" },
	{ "agents: []\npolicies: [/a]\n", 2, 1, "unknown key 'policies'; known here: node, mode" },
	{ "agents: []\nMode: enforcing\n", 2, 1, "unknown key" },
	{ "agents: []\nx: [[[[[[[[[[]]]]]]]]]]\n", 2, 11, "nested too deeply" },
	{ "agents: []\nmode: Enforcing\n", 2, 7, "enforcing, advisory or silent" },
	{ "agents: []\nmode:\n", 2, 6, "value is missing" },
	{ "agents: []\nmode: ''\n", 2, 7, "value is missing" },
	{ "agents: []\nmode: ~\n", 2, 7, "null is no value" },
	{ "agents: []\nnode: NULL\n", 2, 7, "null is no value" },
	{ "agents: []\nmode: [enforcing]\n", 2, 7, "one value is expected, not a list" },
	{ "agents: []\nmode: {a: b}\n", 2, 7, "one value is expected, not a mapping" },
	{ "agents: []\nenforcement: yes\n", 2, 14, "enforce, enforce-partial or observe" },
	{ "agents: []\ndurability: sync\n", 2, 13, "ring, written or synced" },
	{ "agents: []\nnode: -x\n", 2, 7, "is no name" },
	{ "agents: []\nnode: a/b\n", 2, 7, "is no name" },
	{ "agents: []\nnode: bücher\n", 2, 7, "is no name" },
	{ "agents: []\nstate_dir: var\n", 2, 12, "absolute path" },
	{ "agents: []\nstate_dir: /var/../etc\n", 2, 12, "absolute path" },
	{ "agents: []\nstate_dir: /var/\n", 2, 12, "absolute path" },
	{ "agents: []\nstate_dir: //var\n", 2, 12, "absolute path" },
	{ "agents: []\nstate_dir: /\n", 2, 12, "absolute path" },
	{ "agents: []\nstate_dir: /run/tollgate\n", 1, 1, "must differ" },
	{ "agents: []\npolicy: /etc/p\n", 2, 9, "a list" },
	{ "agents: []\npolicy: []\n", 2, 9, "empty" },
	{ "agents: []\npolicy:\n- /a\n- b\n", 4, 3, "absolute path" },
	{ "agents: []\npolicy:\n- /a\n- /a\n", 4, 3, "listed twice" },
	{ "agents: []\nproxies: 257\n", 2, 10, "above 256" },
	{ "agents: []\nproxies: -1\n", 2, 10, "no decimal number" },
	{ "agents: []\nproxies: 0x10\n", 2, 10, "no decimal number" },
	{ "agents: []\nproxies: 010\n", 2, 10, "no decimal number" },
	{ "agents: []\nproxies: 1_0\n", 2, 10, "no decimal number" },
	{ "agents: []\nproxies: 99999999999999999999999\n", 2, 10, "in range" },
	{ "agents: []\nproxies: 4294967296\n", 2, 10, "in range" },
	{ "agents: []\nusers: {proxy: root}\n", 2, 16, "must not be root" },
	{ "agents: []\nusers: {notary: 0}\n", 2, 17, "must not be root" },
	{ "agents: []\nusers: {notary: a/b}\n", 2, 17, "no user name" },
	{ "agents: []\nusers: {root: x}\n", 2, 9, "unknown key 'root'" },
	{ "agents: []\nusers: {proxy: 7, query: 7}\n", 1, 1, "must differ" },
	{ "agents: []\nlimits: {message_bytes: 100}\n", 2, 25, "below 65536 bytes" },
	{ "agents: []\nlimits: {message_bytes: 1G}\n", 2, 25, "above 268435456 bytes" },
	{ "agents: []\nlimits: {message_bytes: 16T}\n", 2, 25, "no size" },
	{ "agents: []\nlimits: {message_bytes: M}\n", 2, 25, "no size" },
	{ "agents: []\nlimits: {message_bytes: 99999999999999999G}\n", 2, 25, "in range" },
	{ "agents: []\nlimits: {message_bytes: 9999999999999999999999999999}\n", 2, 25, "no size" },
	{ "agents: []\nlimits: {connections: 1}\n", 2, 23, "below 16" },
	{ "agents: []\nattestation: {provider: sgx}\n", 2, 25, "is not auto, azure, tpm or software-only" },
	{ "agents: []\nnames: {resolve: yes}\n", 2, 18, "is not own or agent" },
	{ "agents: []\nnames: {servers: 192.0.2.53}\n", 2, 18, "a list of addresses" },
	{ "agents: []\nnames: {servers: []}\n", 2, 18, "a list of addresses" },
	{ "agents: []\nnames: {servers: [ns.example]}\n", 2, 19, "an address is expected" },
	{ "agents: []\nnames: {servers: [\"192.0.2.53:0\"]}\n", 2, 19, "an address is expected" },
	{ "agents: []\nnames: {servers: [\"[2001:db8::1\"]}\n", 2, 19, "an address is expected" },
	{ "agents: []\nnames: {servers: [\"2001:db8::1]:53\"]}\n", 2, 19, "an address is expected" },
	{ "agents: []\nattestation: {pcrs: 7}\n", 2, 21, "a list of PCR numbers" },
	{ "agents: []\nattestation: {pcrs: []}\n", 2, 21, "a list of PCR numbers" },
	{ "agents: []\nattestation: {pcrs: [0, 16]}\n", 2, 25, "reset without a reboot" },
	{ "agents: []\nattestation: {pcrs: [-1]}\n", 2, 22, "a number from 0 to 15" },
	{ "agents: []\nlimits: []\n", 2, 9, "limits: keys and values" },
	{ "agents: []\nhttp: {idle_timeout: 30}\n", 2, 22, "no time" },
	{ "agents: []\naudit_queries: yes\n", 2, 16, "unrecorded or recorded" },
	{ "agents: []\nescrow: {recipient: key.pem}\n", 2, 21, "absolute" },
	{ "agents: []\nescrow: {sender: /k}\n", 2, 10, "sender" },
	{ "agents: []\nretention: 90\n", 2, 12, "no time" },
	{ "agents: []\nretention: 59m\n", 2, 12, "below 3600s" },
	{ "agents: []\nretention: 99999d\n", 2, 12, "above" },
	{ "agents: []\nretention: 500ms\n", 2, 12, "no time" },
	{ "agents: []\nhttp: {idle_timeout: 1ms}\n", 2, 22, "below 1000ms" },
	{ "agents: []\nhttp: {idle_timeout: 9999h}\n", 2, 22, "above" },
	{ "agents: {}\n", 1, 9, "a list is expected" },
	{ "agents: a\n", 1, 9, "a list is expected" },
	{ "agents:\n- a\n", 2, 3, "keys and values" },
	{ "agents:\n- exe: /bin/a\n", 2, 3, "name is missing" },
	{ "agents:\n- name: a\n", 2, 3, "needs a selector" },
	{ "agents:\n- name: a\n  script: /a.js\n", 2, 3, "script needs exe" },
	{ AGENT "  manifest: /a.json\n", 2, 3, "belong together" },
	{ AGENT "  manifest_key: " KEY "\n", 2, 3, "belong together" },
	{ AGENT "  manifest: a.json\n  manifest_key: " KEY "\n", 4, 13, "absolute path" },
	{ AGENT "  manifest: /a.json\n  manifest_key: 00\n", 5, 17, "no Ed25519 public key" },
	{ "agents:\n- name: a b\n  exe: /bin/a\n", 2, 9, "is no name" },
	{ "agents:\n- name: ../x\n  exe: /bin/a\n", 2, 9, "is no name" },
	{ "agents:\n- name: a\n  exe: a\n", 3, 8, "absolute path" },
	{ "agents:\n- name: a\n  exe: /usr/bin/../a\n", 3, 8, "absolute path" },
	{ "agents:\n- name: a\n  exe: /a\n  exes: /b\n", 4, 3, "unknown key 'exes'" },
	{ "agents:\n- name: a\n  uid: 0\n", 3, 8, "root is no agent" },
	{ "agents:\n- name: a\n  uid: root\n", 3, 8, "root is no agent" },
	{ "agents:\n- name: a\n  uid: 4294967295\n", 3, 8, "no user number" },
	{ "agents:\n- name: a\n  cgroup: a\n", 3, 11, "absolute path" },
	{ "agents:\n- name: a\n  cgroup: /\n", 3, 11, "absolute path" },
	{ "agents:\n- name: a\n  cgroup: /sys/fs/cgroup/a\n", 3, 11, "can never match" },
	{ "agents:\n- name: a\n  unit: foo\n", 3, 9, "whole name" },
	{ "agents:\n- name: a\n  unit: foo.timer\n", 3, 9, "whole name" },
	{ "agents:\n- name: a\n  unit: a/b.service\n", 3, 9, "whole name" },
	{ "agents:\n- name: a\n  unit: foo@.service\n", 3, 9, "can never match" },
	{ "agents:\n- name: a\n  unit: -.slice\n", 3, 9, "can never match" },
	{ "agents:\n- name: a\n  exe: /a\n  groups: x\n", 4, 11, "a list" },
	{ "agents:\n- name: a\n  exe: /a\n  groups: [x, x]\n", 4, 15, "listed twice" },
	{ "agents:\n- name: a\n  exe: /a\n  groups: [x, '']\n", 4, 15, "value is missing" },
	{ "agents:\n- {name: a, image: a b}\n", 2, 20, "no name of an image" },
	{ "agents:\n- {name: a, labels: x=y}\n", 2, 21, "a list" },
	{ "agents:\n- {name: a, labels: [x]}\n", 2, 22, "KEY=VALUE" },
	{ "agents:\n- {name: a, labels: [=x]}\n", 2, 22, "KEY=VALUE" },
	{ "agents:\n- {name: a, labels: [x=y, x=y]}\n", 2, 27, "listed twice" },
	{ "agents:\n- {name: a, labels: []}\n", 2, 3, "needs a selector" },
	{ "agents:\n- {name: a, image: b, exe: /bin/a}\n", 2, 3, "a whole container" },
	{ "agents:\n- {name: a, labels: [x=y], uid: 5}\n", 2, 3, "a whole container" },
	{ "agents:\n- {name: a, image: b}\n- {name: b, image: b}\n", 3, 3, "can never match" },
	{ "agents: []\ncontainer_stores: /a\n", 2, 19, "a list" },
	{ "agents: []\ncontainer_stores: [a]\n", 2, 20, "absolute path" },
	{ AGENT "- name: a\n  exe: /bin/b\n", 4, 3, "already given at line 2" },
	{ AGENT "- name: b\n  exe: /bin/a\n", 4, 3, "'b' can never match: 'a' at line 2" },
	{ "agents:\n- {name: a, cgroup: /x}\n- {name: b, cgroup: /x/y}\n", 3, 3, "can never match" },
	{ "agents:\n- {name: a, unit: x.service, uid: 5}\n- {name: b, uid: 5, unit: x.service}\n", 3, 3,
	  "can never match" },
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct conf_error e = { 0 };
		struct conf c = { 0 };
		int r = conf_parse("t.conf", bad[i].text, strlen(bad[i].text), &c, &e);

		if (r != -EINVAL || e.line != bad[i].line || e.column != bad[i].column ||
		    !strstr(e.text, bad[i].says) || strncmp(e.text, "t.conf:", 7) != 0)
			fail_msg("%s\n-> %d '%s', expected %u:%u '%s'", bad[i].text, r, e.text,
				 bad[i].line, bad[i].column, bad[i].says);
		assert_null(c.node); /* untouched on failure */
	}
}

/* Every proper beginning of a good file is either refused or, at a line's end, a smaller good file. */
static const char good[] =
	"# a remark\n"
	"node: build-3.example.org\n"
	"mode: advisory\n"
	"enforcement: enforce\n"
	"durability: synced\n"
	"state_dir: /srv/tollgate\n"
	"run_dir: \"/run/tg\"\n"
	"policy: [/etc/tollgate/a.cedar, /etc/tollgate/more]\n"
	"catalog: /etc/tollgate/c.json\n"
	"attestation: {provider: tpm, tpm: \"device:/dev/tpmrm1\", pcrs: [0, 2, 7]}\n"
	"proxies: 3\n"
	"users: {proxy: 4001, notary: _n, query: '4003'}\n"
	"audit_group: auditors\n"
	"limits:\n"
	"  message_bytes: 1M\n"
	"  connections: 100\n"
	"  conversations: 50\n"
	"  list_pages: 10\n"
	"  log_segment_bytes: 2M\n"
	"http:\n"
	"  connect_timeout: 1500ms\n"
	"  header_timeout: 5s\n"
	"  body_timeout: 7s\n"
	"  request_timeout: 10m\n"
	"  idle_timeout: 1h\n"
	"names: {resolve: agent, servers: [192.0.2.53, \"192.0.2.54:5353\", 2001:db8::53, \"[2001:db8::54]:5353\"]}\n"
	"retention: 90d\n"
	"audit_queries: recorded\n"
	"agents:\n"
	"- name: claude\n"
	"  sponsor: Anna Müller <anna@example.org>\n"
	"  manifest: /etc/tollgate/anna.json\n"
	"  manifest_key: " KEY "\n"
	"  groups: [coding, trial]\n"
	"  exe: /usr/bin/node\n"
	"  script: /opt/claude/cli.js\n"
	"- name: node\n"
	"  exe: /usr/bin/node\n"
	"- name: batch\n"
	"  uid: 1234\n"
	"- name: box\n"
	"  cgroup: /machine.slice/box\n"
	"- name: web\n"
	"  unit: web@1.service\n"
	"  uid: www\n";

static void check_good(const struct conf *c)
{
	assert_string_equal(c->file, "t.conf");
	assert_string_equal(c->node, "build-3.example.org");
	assert_int_equal(c->mode, CONF_MODE_ADVISORY);
	assert_int_equal(c->enforcement, CONF_ENFORCE);
	assert_int_equal(c->durability, CONF_DURABILITY_SYNCED);
	assert_string_equal(c->state_dir, "/srv/tollgate");
	assert_string_equal(c->run_dir, "/run/tg");
	assert_int_equal(c->attestation.provider, CONF_ATTESTATION_TPM);
	assert_string_equal(c->attestation.tpm, "device:/dev/tpmrm1");
	assert_int_equal(c->attestation.pcrs, 1 << 0 | 1 << 2 | 1 << 7);
	assert_int_equal(c->names.resolve, CONF_RESOLVE_AGENT);
	assert_string_equal(c->names.servers, "192.0.2.53,192.0.2.54:5353,[2001:db8::53],[2001:db8::54]:5353");
	assert_int_equal(c->npolicy, 2);
	assert_string_equal(c->policy[1], "/etc/tollgate/more");
	assert_string_equal(c->catalog, "/etc/tollgate/c.json");
	assert_int_equal(c->proxies, 3);
	assert_string_equal(c->proxy.name, "4001");
	assert_string_equal(c->notary.name, "_n");
	assert_string_equal(c->audit_group, "auditors");
	assert_int_equal(c->limits.message_bytes, 1 << 20);
	assert_int_equal(c->limits.connections, 100);
	assert_int_equal(c->limits.conversations, 50);
	assert_int_equal(c->limits.list_pages, 10);
	assert_int_equal(c->retention_s, 90 * 86400);
	assert_int_equal(c->audit_queries, CONF_QUERIES_RECORDED);
	assert_int_equal(c->limits.log_segment_bytes, 2 << 20);
	assert_int_equal(c->http.connect_ms, 1500);
	assert_int_equal(c->http.header_ms, 5000);
	assert_int_equal(c->http.body_ms, 7000);
	assert_int_equal(c->http.request_ms, 600000);
	assert_int_equal(c->http.idle_ms, 3600000);
	assert_int_equal(c->nagents, 5);
	assert_string_equal(c->agents[0].manifest, "/etc/tollgate/anna.json");
	assert_string_equal(c->agents[0].manifest_key, KEY);
	assert_string_equal(c->agents[0].sponsor, "Anna Müller <anna@example.org>");
	assert_int_equal(c->agents[0].ngroups, 2);
	assert_string_equal(c->agents[0].groups[1], "trial");
	assert_string_equal(c->agents[0].script, "/opt/claude/cli.js");
	assert_int_equal(c->agents[0].line, 30);
	assert_true(c->agents[0].uid == CONF_UID_ANY);
	assert_int_equal(c->agents[2].uid, 1234);
	assert_string_equal(c->agents[3].cgroup, "/machine.slice/box");
	assert_true(c->agents[4].uid == CONF_UID_ANY);
	assert_string_equal(c->agents[4].uid_name, "www");
	assert_ptr_equal(conf_agent_find(c, "batch"), &c->agents[2]);
	assert_null(conf_agent_find(c, "Batch"));
}

static void test_good(void **state)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };

	if (conf_parse("t.conf", good, sizeof(good) - 1, &c, &e) < 0)
		fail_msg("%s", e.text);
	check_good(&c);
	conf_free(&c);
	assert_null(c.agents);
	conf_free(&c);
}

static void test_truncated(void **state)
{
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		struct conf_error e = { 0 };
		struct conf c = { 0 };
		int r = conf_parse("t.conf", good, n, &c, &e);

		if (r < 0)
			assert_true(strlen(e.text) > 8);
		else
			assert_non_null(strstr(good, "agents:"));
		/* Without the agents there is no configuration. */
		assert_true(r < 0 || n > (size_t)(strstr(good, "agents:") - good));
		conf_free(&c);
	}
}

static void test_oversized(void **state)
{
	struct buf b = { 0 };
	struct conf_error e = { 0 };
	struct conf c = { 0 };

	for (int i = 0; i < 70000; i++)
		assert_int_equal(buf_append_str(&b, i ? "- a\n" : "policy:\n"), 0);
	assert_int_equal(conf_parse("t", b.data, buf_len(&b), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "too many values"));
	buf_clear(&b);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_printf(&b, "key%d: 1\n", i), 0);
	assert_int_equal(conf_parse("t", b.data, buf_len(&b), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "t:65:1: too many keys"));
	buf_clear(&b);
	assert_int_equal(buf_append_str(&b, "agents: []\nnode: "), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_append_str(&b, "xxxxxxxxxxxxxxxx"), 0);
	assert_int_equal(conf_parse("t", b.data, buf_len(&b), &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "larger than"));
	assert_int_equal(conf_parse("t", b.data, 2000, &c, &e), -EINVAL);
	assert_non_null(strstr(e.text, "longer than 1023 bytes"));
	buf_done(&b);
}

/* A message about a long value is cut, not overrun; and e may be NULL. */
static void test_long_message(void **state)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };
	char text[700] = "agents: []\nmode: ";

	memset(text + strlen(text), 'x', 600);
	assert_int_equal(conf_parse("t", text, strlen(text), &c, &e), -EINVAL);
	assert_int_equal(strlen(e.text), CONF_ERROR_MAX - 1);
	assert_int_equal(conf_parse("t", text, strlen(text), &c, NULL), -EINVAL);
}

static bool warned(const struct conf *c, const char *what)
{
	for (unsigned i = 0; i < c->nwarnings; i++)
		if (strstr(c->warnings[i], what))
			return true;
	return false;
}

static void parse(const char *text, struct conf *c)
{
	struct conf_error e = { 0 };

	if (conf_parse("t", text, strlen(text), c, &e) < 0)
		fail_msg("%s: %s", text, e.text);
}

static void test_warnings(void **state)
{
	struct conf c = { 0 };

	parse(AGENT, &c);
	assert_int_equal(c.enforcement, CONF_ENFORCE_PARTIAL);
	assert_true(warned(&c, "enforcement is not set"));
	assert_int_equal(c.nwarnings, 1);
	conf_free(&c);
	parse("enforcement: enforce\n" AGENT, &c);
	assert_int_equal(c.nwarnings, 0);
	conf_free(&c);
	parse("enforcement: observe\nmode: silent\nagents: []\n", &c);
	assert_true(warned(&c, "mode is silent"));
	assert_true(warned(&c, "no agents"));
	conf_free(&c);
	parse("enforcement: observe\n" AGENT, &c);
	assert_true(warned(&c, "enforcement is observe"));
	conf_free(&c);
}

static void test_default(void **state)
{
	struct conf_error e = { 0 };
	struct conf c = { 0 };

	assert_int_equal(conf_default(&c, &e), 0);
	assert_int_equal(c.mode, CONF_MODE_ENFORCING);
	assert_int_equal(c.durability, CONF_DURABILITY_RING);
	assert_string_equal(c.state_dir, "/var/lib/tollgate");
	assert_string_equal(c.run_dir, "/run/tollgate");
	assert_int_equal(c.attestation.provider, CONF_ATTESTATION_AUTO);
	assert_int_equal(c.attestation.pcrs, 0x81);
	assert_int_equal(c.names.resolve, CONF_RESOLVE_OWN);
	assert_null(c.names.servers);
	assert_string_equal(c.policy[0], "/etc/tollgate/policy.d");
	assert_string_equal(c.proxy.name, "_tollgate-proxy");
	assert_int_equal(c.limits.message_bytes, 16 << 20);
	assert_int_equal(c.nagents, 0);
	assert_true(conf_name_ok(c.node));
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_default),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
