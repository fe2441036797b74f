// SPDX-License-Identifier: Apache-2.0
/* tollgate audit and tollgate verify, against a log and a real audit socket. */
#include "user/cli/cli.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/notary/log_fixture.h"
#include "user/notary/escrow.h"
#include "user/notary/receipt.h"
#include "user/notary/salt.h"
#include "user/query/query.h"

#define FIRST "0000000000000000.jsonl"
#define RECORDS 12

struct world {
	struct log_fixture *f;
	char sock[100], receipt[100];
	pid_t server;
};

static void serve(struct world *w, int ready)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct query_config c = { .log_dirfd = w->f->dirfd, .audit_gid = (gid_t)-1 };
	struct query *q;

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", w->sock);
	c.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(c.listen_fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(c.listen_fd, 16) < 0 ||
	    query_open(&c, &q) < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;) {
		struct pollfd p = { .fd = query_fd(q), .events = POLLIN };

		(void)poll(&p, 1, query_timeout_ms(q));
		(void)query_run(q);
	}
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int fds[2];
	char c;
	void *f;

	assert_non_null(w);
	assert_int_equal(fixture_setup(&f), 0);
	w->f = f;
	(void)snprintf(w->sock, sizeof(w->sock), "%s/audit.sock", w->f->dir);
	(void)snprintf(w->receipt, sizeof(w->receipt), "%s/receipt", w->f->dir);
	fixture_fill(w->f, RECORDS, 0);
	assert_int_equal(pipe(fds), 0);
	w->server = fork();
	if (w->server == 0)
		serve(w, fds[1]);
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	close(fds[0]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	void *f = w->f;

	(void)kill(w->server, SIGKILL);
	(void)waitpid(w->server, NULL, 0);
	free(w);
	return fixture_teardown(&f);
}

/* Runs a command in a child and gives its exit status and what it said on both outputs. */
static int run(struct world *w, bool json, struct buf *out, int (*fn)(struct cli *c, int argc, char **argv),
	       const char *const *args)
{
	struct cli c = { .json = json, .audit = w->sock };
	char *argv[24] = { NULL };
	int fds[2], argc = 0, status;
	pid_t child;

	buf_clear(out);
	for (; args[argc]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc];
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		(void)dup2(fds[1], STDOUT_FILENO);
		(void)dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		status = fn(&c, argc, argv);
		(void)fflush(NULL);
		_exit(status);
	}
	close(fds[1]);
	assert_int_equal(file_read_fd(fds[0], 1u << 24, out), 0);
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define RUN(json, fn, ...) run(w, json, &out, fn, (const char *const[]){ __VA_ARGS__, NULL })
#define SAYS(text) assert_non_null(strstr(buf_cstr(&out), text))

static void verify_says_what_failed_and_where(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 }, key = { 0 }, seg = { 0 };
	char *at;

	assert_int_equal(RUN(false, cli_verify, "verify", "log", w->f->dir), CLI_OK);
	SAYS("verified: 12 records");
	SAYS("taken from the log itself");
	assert_int_equal(verifier_key_text(&w->f->vk, &key), 0);
	assert_int_equal(RUN(false, cli_verify, "verify", "log", "--key", buf_cstr(&key), w->f->dir), CLI_OK);
	assert_int_equal(RUN(true, cli_verify, "verify", "log", w->f->dir, "--key", buf_cstr(&key)), CLI_OK);
	SAYS("\"verified\":true");
	SAYS("\"key_source\":\"given\"");
	fixture_read(w->f, FIRST, &seg);
	at = strstr((char *)(uintptr_t)buf_cstr(&seg), "read_file");
	*at = 'R';
	fixture_write(w->f, FIRST, buf_span(&seg));
	assert_int_equal(RUN(false, cli_verify, "verify", "log", w->f->dir), CLI_FAILED);
	SAYS("NOT verified");
	SAYS("/0000000000000000.jsonl:2: leaf 1: session ");
	SAYS("entry_hash: the record's content is not what its entry_hash says");
	assert_int_equal(RUN(true, cli_verify, "verify", "log", w->f->dir), CLI_FAILED);
	SAYS("\"fault\":\"entry_hash\",\"file\":\"0000000000000000.jsonl\",\"leaf\":1,\"line\":2");
	SAYS("\"verified\":false");
}

static void verify_usage(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(RUN(false, cli_verify, "verify"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_verify, "verify", "log"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_verify, "verify", "proof", "x"), CLI_USAGE); /* whose key? */
	assert_int_equal(RUN(false, cli_verify, "verify", "log", "--kee", "x", "y"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_verify, "verify", "--help"), CLI_OK);
	assert_int_equal(RUN(false, cli_verify, "verify", "log", "/nonexistent"), CLI_FAILED);
	SAYS("open /nonexistent: No such file or directory");
	assert_int_equal(RUN(false, cli_verify, "verify", "log", w->f->dir, "--key", "nonsense"), CLI_FAILED);
	assert_int_equal(unlinkat(w->f->dirfd, STORE_FILE_CHECKPOINT, 0), 0);
	assert_int_equal(RUN(false, cli_verify, "verify", "log", w->f->dir), CLI_FAILED);
	SAYS("checkpoint: No such file or directory");
}

static void audit_asks_and_prints(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(RUN(false, cli_audit, "audit", "tail", "-n", "2"), CLI_OK);
	SAYS("      10 2026-09-21T14:13:20.010Z allow         coder -> files tool_call read_file\n");
	SAYS("      11 ");
	assert_null(strstr(buf_cstr(&out), "       9 "));
	assert_int_equal(RUN(false, cli_audit, "audit", "query", "--decision", "deny"), CLI_OK);
	SAYS("deny          coder -> files tool_call write_file\n");
	assert_null(strstr(buf_cstr(&out), "allow"));
	assert_int_equal(RUN(true, cli_audit, "audit", "query", "--agent", "a&b=c d"), CLI_OK);
	SAYS("\"records\": []");
	assert_int_equal(RUN(false, cli_audit, "audit", "query", "--limit", "x"), CLI_FAILED);
	SAYS("limit is not a number from 0 to 10000");
	assert_int_equal(RUN(false, cli_audit, "audit"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "query", "--follow"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "stats", "-n", "1"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "stats"), CLI_OK);
	SAYS("12 records from 2026-09-21T14:13:20Z");
	SAYS("           8 read_file\n");
	assert_int_equal(RUN(false, cli_audit, "audit", "graph", "--agent", "coder"), CLI_OK);
	SAYS("coder -> files read_file: 8 records, 0 denied, leaves 1 to 11\n");
	assert_int_equal(RUN(false, cli_audit, "audit", "sessions"), CLI_OK);
	SAYS("coder -> files: 12 records, 3 denied, open\n");
	(void)snprintf(w->sock, sizeof(w->sock), "/nonexistent/sock");
	assert_int_equal(RUN(false, cli_audit, "audit", "tail"), CLI_FAILED);
	SAYS("connect to /nonexistent/sock: No such file or directory");
}

static void what_prove_writes_verify_checks(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 }, key = { 0 }, text = { 0 }, note = { 0 }, head = { 0 };
	char *at, cose[128], record[128];
	struct checkpoint cp;
	size_t n;

	assert_int_equal(verifier_key_text(&w->f->vk, &key), 0);
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "7", "-o", w->receipt), CLI_OK);
	assert_int_equal(RUN(false, cli_verify, "verify", "proof", w->receipt, "--key", buf_cstr(&key)), CLI_OK);
	SAYS("verified: record 7 of the log of node.test, signed at 12 records");
	assert_int_equal(RUN(true, cli_verify, "verify", "proof", w->receipt, "--key", buf_cstr(&key)), CLI_OK);
	SAYS("\"verified\":true");
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "7", "--form", "cose"), CLI_FAILED);
	SAYS("no head is signed for COSE yet");
	fixture_read(w->f, STORE_FILE_CHECKPOINT, &note);
	assert_int_equal(checkpoint_parse(buf_span(&note), &cp, &n), 0);
	assert_int_equal(receipt_head_sign(&cp, &w->f->vk, w->f->key, &head), 0);
	fixture_write(w->f, RECEIPT_FILE_HEAD, buf_span(&head));
	(void)snprintf(cose, sizeof(cose), "%s/cose", w->f->dir);
	(void)snprintf(record, sizeof(record), "%s/record", w->f->dir);
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "7", "--form", "cose", "--record", record, "-o", cose), CLI_OK);
	assert_int_equal(RUN(false, cli_verify, "verify", "proof", cose, "--record", record, "--key", buf_cstr(&key)), CLI_OK);
	SAYS("verified: record 7 of the log of node.test, signed at 12 records");
	assert_int_equal(RUN(true, cli_verify, "verify", "proof", w->receipt, "--record", record, "--key", buf_cstr(&key)),
			 CLI_FAILED);
	SAYS("{\"reason\":\"it is no COSE receipt with one inclusion proof\",\"verified\":false}");
	fixture_read(w->f, "receipt", &text);
	at = strstr((char *)(uintptr_t)buf_cstr(&text), "index 7");
	at[6] = '6';
	fixture_write(w->f, "receipt", buf_span(&text));
	assert_int_equal(RUN(false, cli_verify, "verify", "proof", w->receipt, "--key", buf_cstr(&key)),
			 CLI_FAILED);
	SAYS("NOT verified: the record is not at this place");
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "12"), CLI_FAILED);
	SAYS("the latest checkpoint does not cover this record");
}

static unsigned lines(struct buf *b)
{
	unsigned n = 0;

	for (const char *p = buf_cstr(b); (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void export_in_every_format(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 };

	assert_int_equal(RUN(false, cli_audit, "audit", "export"), CLI_OK);
	assert_int_equal(lines(&out), RECORDS);
	SAYS("{\"leaf\":0,\"record\":{\"agent\":\"coder\"");
	assert_int_equal(RUN(false, cli_audit, "audit", "export", "--format", "csv", "--decision", "deny"), CLI_OK);
	assert_int_equal(lines(&out), 1 + 3);
	assert_int_equal(strncmp(buf_cstr(&out), "leaf,timestamp_utc,", 19), 0);
	SAYS("\n3,\"2026-09-21T14:13:20.003000+00:00\",\"tool_call\",\"deny\",\"coder\",,,,\"files\",,\"write_file\",");
	assert_int_equal(RUN(false, cli_audit, "audit", "export", "--format", "ocsf", "--decision", "deny"), CLI_OK);
	assert_int_equal(lines(&out), 3);
	SAYS("\"category_uid\":6,");
	SAYS("\"class_uid\":6003,");
	SAYS("\"type_uid\":600399,");
	SAYS("\"actor\":{\"app_name\":\"coder\",\"session\":{\"uid\":\"");
	SAYS("\"api\":{\"operation\":\"tool_call\",\"service\":{\"name\":\"files\"}}");
	SAYS("\"src_endpoint\":{\"svc_name\":\"coder\"}");
	SAYS("\"severity_id\":3,");
	SAYS("\"status_id\":2,");
	SAYS("\"time\":1790000000003,");
	assert_int_equal(RUN(false, cli_audit, "audit", "export", "--format", "xml"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "export", "-o", w->receipt), CLI_OK);
	assert_int_equal(RUN(false, cli_audit, "audit", "export", "-o", w->receipt), CLI_FAILED);
	SAYS("File exists");
}

static void a_witness_remembers(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 }, key = { 0 }, record = { 0 };
	char store[128], note[128], command[256];
	struct log_key *other, *second;
	uint64_t leaf;

	(void)snprintf(store, sizeof(store), "%s.witness", w->f->dir);
	(void)snprintf(note, sizeof(note), "%s/" STORE_FILE_CHECKPOINT, w->f->dir);
	assert_int_equal(verifier_key_text(&w->f->vk, &key), 0);
	assert_int_equal(RUN(false, cli_audit, "audit", "witness"), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), 3);
	SAYS("this store knows no key of it: give --key once");
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store, "--key", buf_cstr(&key)), CLI_OK);
	SAYS("node.test: first head, kept (12 records");
	fixture_fill(w->f, 30, 0);
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store, "--checkpoint", note), 3);
	SAYS("--growth FILE is needed");
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), CLI_OK);
	SAYS("grown and proven, kept (42 records, before 12)");
	assert_int_equal(RUN(true, cli_audit, "audit", "witness", "--store", store), CLI_OK);
	SAYS("{\"answer\":\"same\",\"before\":42,\"origin\":\"node.test\",\"size\":42}");
	log_key_free(fixture_hand_over(w->f, NULL, &record, &leaf));
	fixture_fill(w->f, 7, 0);
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), CLI_OK);
	SAYS("grown and proven, kept (50 records, before 42)");
	assert_int_equal(log_key_open(NULL, &other), 0);
	second = fixture_swap_key(w->f, other);
	fixture_fill(w->f, 10, 0); /* signed by a key that nothing leads to */
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), CLI_FAILED);
	SAYS("REFUSED: not signed by the key that is kept, nor by one");
	log_key_free(fixture_swap_key(w->f, second));
	w->f->chain.sequence = 0; /* the node begins anew, under the same key */
	memcpy(w->f->chain.prev, CHAIN_GENESIS, sizeof(CHAIN_GENESIS));
	assert_int_equal(unlinkat(w->f->dirfd, FIRST, 0), 0);
	assert_int_equal(unlinkat(w->f->dirfd, STORE_FILE_CHECKPOINT, 0), 0);
	fixture_fill(w->f, 20, 0);
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), CLI_FAILED);
	SAYS("REFUSED: the log was rolled back");
	(void)snprintf(w->sock, sizeof(w->sock), "/nonexistent/sock");
	assert_int_equal(RUN(false, cli_audit, "audit", "witness", "--store", store), 3);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", store);
	assert_int_equal(system(command), 0);
}

/* A call whose payload is kept in the file of the escrow, and signed. */
static void keep_call(struct world *w, const char *payload, const uint8_t recipient[HPKE_KEY], const char *file)
{
	_cleanup_buf_ struct buf entry = { 0 };
	struct log_fixture *f = w->f;
	char commit[SHA256_PREFIXED_SIZE];
	struct store_recovery found;
	struct record_line line;
	struct record rec;
	struct store *s;

	assert_int_equal(escrow_seal(recipient, &f->chain, SALT_REQUEST, span_of(payload), &entry), 0);
	fixture_write(f, file, buf_span(&entry));
	record_init(&rec, RECORD_TOOL_CALL, RECORD_ALLOW);
	salt_commit_next(&f->chain, SALT_REQUEST, span_of(payload), commit);
	rec.request_payload_hash = span_of(commit);
	assert_int_equal(record_write(f->writer, &rec, &f->chain, FIXTURE_TIME, &line), 0);
	chain_advance(&f->chain, &line);
	assert_int_equal(store_open(f->dirfd, 0, NULL, NULL, &found, &s), 0);
	assert_int_equal(store_append(s, line.text), 0);
	assert_int_equal(store_flush(s), 0);
	store_close(s);
	fixture_fill(f, 1, 0);
}

static void a_kept_payload_is_opened(void **state)
{
	static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VuBCIEIEYSxVAmP8itWDdd8/VXqsUx0mhQkD5VqfI/IdhTTorI\n-----END PRIVATE KEY-----\n";
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 }, key = { 0 };
	uint8_t recipient[HPKE_KEY];
	char secret[128], receipt[128], file[128];
	const char *dir = w->f->dir;

	assert_int_equal(hex_decode("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d", 64, recipient, 32), 0);
	(void)snprintf(secret, sizeof(secret), "%s/secret.pem", dir);
	(void)snprintf(receipt, sizeof(receipt), "%s/call", dir);
	(void)snprintf(file, sizeof(file), "%s/payload", dir);
	assert_int_equal(verifier_key_text(&w->f->vk, &key), 0);
	fixture_write(w->f, "secret.pem", span_of(pem));
	keep_call(w, "{\"path\":\"/etc\"}", recipient, "escrow-1");
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "12", "-o", receipt), CLI_OK);
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "3", "-o", w->receipt), CLI_OK);

	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, receipt), CLI_OK);
	SAYS("{\"path\":\"/etc\"}");
	SAYS("whether it is of the log, --log-key would tell");
	assert_int_equal(RUN(true, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, "--log-key",
			     buf_cstr(&key), receipt), CLI_OK);
	SAYS("{\"log_proven\":true,\"member\":\"request\",\"payload\":\"eyJwYXRoIjoiL2V0YyJ9\",\"sequence\":12,");
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, "-o", file, receipt),
			 CLI_OK);
	buf_clear(&out);
	fixture_read(w->f, "payload", &out);
	SAYS("{\"path\":\"/etc\"}");
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, w->receipt),
			 CLI_UNSEEN);
	SAYS("the escrow holds none of this record");
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", receipt, "--escrow", dir, receipt), CLI_FAILED);
	SAYS("not an X25519 private key");
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, secret), CLI_FAILED);
	SAYS("not a receipt");
	recipient[0] ^= 1; /* the next one is for somebody else */
	keep_call(w, "x", recipient, "escrow-2");
	assert_int_equal(RUN(false, cli_audit, "audit", "prove", "14", "-o", receipt), CLI_OK);
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, "--escrow", dir, receipt), CLI_FAILED);
	SAYS("sealed to another key");
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "open", "--key", secret, receipt), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "escrow", "close", "--key", secret, receipt), CLI_USAGE);
}

static void tiles_are_written_once(void **state)
{
	struct world *w = *state;
	_cleanup_buf_ struct buf out = { 0 };
	char dir[128], command[256];

	(void)snprintf(dir, sizeof(dir), "%s.tiles", w->f->dir);
	assert_int_equal(RUN(false, cli_audit, "audit", "tiles", dir), CLI_USAGE);
	assert_int_equal(RUN(false, cli_audit, "audit", "tiles", dir, "--log", w->f->dir), CLI_OK);
	SAYS("12 records of node.test, 3 files written, 0 kept");
	fixture_write(w->f, FIRST, SPAN("not a log\n"));
	assert_int_equal(RUN(false, cli_audit, "audit", "tiles", dir, "--log", w->f->dir), CLI_FAILED);
	SAYS("does not hold all records");
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	assert_int_equal(system(command), 0);
}

/* The stream is read until its reader goes away: here the server does. */
static void tail_follows(void **state)
{
	struct world *w = *state;
	char chunk[8192] = "";
	size_t at = 0;
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		struct cli c = { .audit = w->sock };
		char *argv[] = { (char[]){ "audit" }, (char[]){ "tail" }, (char[]){ "-f" }, (char[]){ "-n1" }, NULL };

		(void)dup2(fds[1], STDOUT_FILENO);
		close(fds[1]);
		_exit(cli_audit(&c, 4, argv));
	}
	close(fds[1]);
	while (!strstr(chunk, "      16 ")) {
		ssize_t n = read(fds[0], chunk + at, sizeof(chunk) - 1 - at);

		assert_true(n > 0);
		at += (size_t)n;
		if (strstr(chunk, "      11 ") && at == (size_t)n)
			fixture_fill(w->f, 5, 0);
	}
	assert_null(strstr(chunk, "      10 "));
	(void)kill(w->server, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), CLI_FAILED);
	close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verify_says_what_failed_and_where, setup, teardown),
		cmocka_unit_test_setup_teardown(verify_usage, setup, teardown),
		cmocka_unit_test_setup_teardown(audit_asks_and_prints, setup, teardown),
		cmocka_unit_test_setup_teardown(export_in_every_format, setup, teardown),
		cmocka_unit_test_setup_teardown(a_kept_payload_is_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(a_witness_remembers, setup, teardown),
		cmocka_unit_test_setup_teardown(tiles_are_written_once, setup, teardown),
		cmocka_unit_test_setup_teardown(tail_follows, setup, teardown),
		cmocka_unit_test_setup_teardown(what_prove_writes_verify_checks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
