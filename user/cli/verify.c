// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate verify: judges a log directory or a receipt, offline, trusting nothing in it. Exit status 0
 * verified, 1 not, 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/file.h"
#include "user/base/hasher.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/cli.h"
#include "user/cli/control_client.h"
#include "user/cli/verifier.h"
#include "user/cli/verify_evidence.h"
#include "user/notary/proof.h"
#include "user/notary/receipt.h"
#include "user/notary/segment.h"
#include "user/notary/store.h"
#include "user/notary/verify.h"
#include "user/notary/view.h"

#define KEY_FILE_MAX 4096

static const char usage_text[] =
	"usage: tollgate verify log DIR [--key FILE|STRING] [--cosign FILE|STRING] [--evidence FILE]\n"
	"                           [--checkpoint FILE]\n"
	"       tollgate verify proof FILE --key FILE|STRING [--record FILE]\n"
	"       tollgate verify disclosure FILE --key FILE|STRING [FIELD=FILE]...\n"
	"       tollgate verify [OPTION...] FILE|DIR...\n"
	"\n"
	"log    every record, every session's chain, the tree and the signed checkpoint. Without --key the\n"
	"       key that lies in DIR is used: that shows only that DIR agrees with itself.\n"
	"       --cosign: the key in the TPM must have signed the checkpoint too. --evidence: the log must be\n"
	"       the one that an evidence file is bound to, and not behind the TPM's counter in it; the file\n"
	"       itself is judged by `tollgate attest verify`. A key that was handed over counts as its successor.\n"
	"proof  a receipt written by `tollgate audit prove`; with --record a COSE receipt and its record.\n"
	"disclosure  payloads opened by `tollgate audit prove --disclose`; FILE holds one that was not sent along.\n"
	"       Status 3: a payload is not at hand.\n"
	"Exit status: 0 verified, 1 not verified, 2 usage.\n\n";

static int usage(void)
{
	fputs(usage_text, stderr);
	fputs(cli_verify_statements_usage, stderr);
	return CLI_USAGE;
}

static int fail(const char *action, const char *object, int r)
{
	fprintf(stderr, "tollgate: %s %s: %s\n", action, object, err_text(r));
	return CLI_FAILED;
}

/* The text of a key given as itself, or of a file that holds it. */
static int read_key_text(const char *arg, struct buf *ret)
{
	int r = access(arg, F_OK) == 0 || !strchr(arg, '+') ? file_read(arg, KEY_FILE_MAX, ret) :
							      buf_append_str(ret, arg);

	return r < 0 ? fail("read key", arg, r) : CLI_OK;
}

static int bad_key(const char *arg)
{
	fprintf(stderr, "tollgate: read key %s: not a verifier key (name+id+base64)\n", arg);
	return CLI_FAILED;
}

int cli_verifier_key(const char *arg, struct verifier_key *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r = read_key_text(arg, &b);

	return r != CLI_OK || verifier_key_parse(buf_span(&b), ret) == 0 ? r : bad_key(arg);
}

static int read_cosign_key(const char *arg, struct cosign_key *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int r = read_key_text(arg, &b);

	return r != CLI_OK || cosign_key_parse(buf_span(&b), ret) == 0 ? r : bad_key(arg);
}

static int read_in(int dirfd, const char *dir, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = segment_open(dirfd, name);
	int r = fd < 0 ? fd : file_read_fd(fd, CHECKPOINT_MAX, ret);

	if (r < 0)
		fprintf(stderr, "tollgate: read %s/%s: %s\n", dir, name, err_text(r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

struct report {
	struct json_out *j; /* NULL: text */
	const char *dir;
};

static void print_finding(void *arg, const struct log_finding *f)
{
	struct report *rep = arg;
	struct json_out *j = rep->j;

	if (!j) {
		if (f->placed)
			printf("%s/%s:%" PRIu64 ": leaf %" PRIu64 ": ", rep->dir, f->at.file, f->at.line,
			       f->at.leaf);
		if (f->session_id[0])
			printf("session %s: ", f->session_id);
		printf("%s: %s\n", log_fault_text(f->fault), f->text);
		return;
	}
	json_out_object(j);
	json_out_member_str(j, "fault", log_fault_text(f->fault));
	if (f->placed) {
		json_out_member_str(j, "file", f->at.file);
		json_out_member_int(j, "leaf", (int64_t)f->at.leaf);
		json_out_member_int(j, "line", (int64_t)f->at.line);
	}
	if (f->session_id[0])
		json_out_member_str(j, "session_id", f->session_id);
	json_out_member_str(j, "text", f->text);
	json_out_object_end(j);
}

static void print_verdict(const char *dir, const struct log_verdict *v, const struct verifier_key *vk,
			  bool key_inside)
{
	printf("%s: %s: %" PRIu64 " records, %" PRIu64 " sessions (%" PRIu64 " open), %" PRIu64
	       " findings\n", dir, v->faults ? "NOT verified" : "verified", v->records, v->sessions,
	       v->open_sessions, v->faults);
	if (v->root_ok)
		printf("checkpoint of %s over %" PRIu64 " records is signed and matches\n",
		       v->checkpoint.origin, v->checkpoint.size);
	if (v->root_ok && v->uncovered)
		printf("%" PRIu64 " records after the checkpoint are chained but not signed yet\n",
		       v->uncovered);
	if (v->cosigned)
		puts("the key in the TPM signed it too");
	if (v->counter_checked && !v->faults)
		printf("the first %" PRIu64 " records are no roll-back: the TPM counted on after them; the %" PRIu64
		       " behind them: not-checked by the counter\n", v->checkpoint.counter_size,
		       v->removed + v->records - v->checkpoint.counter_size);
	if (v->handovers)
		printf("the key handed over %" PRIu64 " times, each signed by the one before\n", v->handovers);
	if (v->key_gaps)
		printf("%" PRIu64 " times the log key was replaced WITHOUT a hand-over: what lies before that is\n"
		       "vouched for by the later key alone (reason_code key_gap says why)\n", v->key_gaps);
	if (v->removed)
		printf("the %" PRIu64 " records before were removed by retention, as record %" PRIu64 " says; %" PRIu64
		       " sessions began there\n", v->removed, v->removed_leaf, v->cut_sessions);
	if (v->fault_records)
		printf("%" PRIu64 " records are faults that the node reported itself\n", v->fault_records);
	if (v->torn_files)
		printf("%" PRIu64 " torn ends were set aside after a crash (torn-*)\n", v->torn_files);
	if (key_inside)
		printf("the key %s was taken from the log itself: give --key to know whose log this is\n",
		       vk->name);
}

static void json_verdict(struct json_out *j, const struct log_verdict *v, const struct verifier_key *vk,
			 bool key_inside)
{
	char root[2 * TREE_HASH + 1];

	hex_encode(v->checkpoint.root, TREE_HASH, root);
	json_out_key(j, "checkpoint");
	if (v->signature_ok) {
		json_out_object(j);
		json_out_member_str(j, "origin", v->checkpoint.origin);
		json_out_member_str(j, "root", root);
		json_out_member_int(j, "size", (int64_t)v->checkpoint.size);
		json_out_object_end(j);
	} else {
		json_out_null(j);
	}
	json_out_member_str(j, "cosigned", v->cosigned ? "pass" : v->cosign_checked ? "fail" : "not-checked");
	json_out_key(j, "counter");
	if (v->signature_ok && v->checkpoint.counted) {
		json_out_object(j);
		json_out_member_bool(j, "checked", v->counter_checked);
		json_out_member_int(j, "covers", (int64_t)v->checkpoint.counter_size);
		json_out_member_int(j, "value", (int64_t)v->checkpoint.counter);
		json_out_object_end(j);
	} else {
		json_out_null(j);
	}
	json_out_member_int(j, "fault_records", (int64_t)v->fault_records);
	json_out_member_int(j, "faults", (int64_t)v->faults);
	json_out_member_int(j, "handovers", (int64_t)v->handovers);
	json_out_member_str(j, "key", vk->name);
	json_out_member_int(j, "key_gaps", (int64_t)v->key_gaps);
	json_out_member_str(j, "key_source", key_inside ? "log" : "given");
	json_out_member_int(j, "open_sessions", (int64_t)v->open_sessions);
	json_out_member_int(j, "records", (int64_t)v->records);
	json_out_member_int(j, "removed", (int64_t)v->removed);
	json_out_member_int(j, "sessions", (int64_t)v->sessions);
	json_out_member_int(j, "torn_files", (int64_t)v->torn_files);
	json_out_member_int(j, "uncovered", (int64_t)v->uncovered);
	json_out_member_bool(j, "verified", v->faults == 0);
}

static int judge_log(struct cli *c, int dirfd, const char *dir, struct span note,
		     const struct verifier_key *vk, bool key_inside, const struct log_expect *expect)
{
	_cleanup_buf_ struct buf out = { .limit = 1u << 30 };
	struct report rep = { .dir = dir };
	struct log_verdict v = { 0 };
	struct json_out j;
	int r;

	if (c->json) {
		json_out_init(&j, &out);
		json_out_object(&j);
		json_out_key(&j, "findings");
		json_out_array(&j);
		rep.j = &j;
	}
	r = log_verify_against(dirfd, note, vk, expect, print_finding, &rep, &v);
	if (r < 0)
		return fail("verify", dir, r);
	if (!c->json) {
		print_verdict(dir, &v, vk, key_inside);
		return v.faults ? CLI_FAILED : CLI_OK;
	}
	json_out_array_end(&j);
	json_verdict(&j, &v, vk, key_inside);
	json_out_object_end(&j);
	r = json_out_end(&j);
	if (r < 0)
		return fail("write", "verdict", r);
	(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	putchar('\n');
	return v.faults ? CLI_FAILED : CLI_OK;
}

struct log_args {
	const char *dir, *key, *cosign, *evidence, *checkpoint;
};

static int find_key(const struct log_args *a, int dirfd, const struct verify_evidence *e, struct verifier_key *ret)
{
	_cleanup_buf_ struct buf vkey = { 0 };
	int r;

	if (a->key)
		return cli_verifier_key(a->key, ret);
	if (a->evidence) {
		*ret = e->key;
		return CLI_OK;
	}
	r = read_in(dirfd, a->dir, STORE_FILE_VKEY, &vkey);
	if (r == CLI_OK && verifier_key_parse(buf_span(&vkey), ret) < 0) {
		fprintf(stderr, "tollgate: read %s/%s: not a verifier key\n", a->dir, STORE_FILE_VKEY);
		r = CLI_FAILED;
	}
	return r;
}

static int verify_log_with(struct cli *c, const struct log_args *a, struct verify_evidence *e)
{
	_cleanup_close_ int dirfd = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_buf_ struct buf note = { 0 };
	struct cosign_key cosign;
	struct verifier_key vk;
	int r;

	if (dirfd < 0)
		return fail("open", a->dir, -errno);
	r = find_key(a, dirfd, e, &vk);
	if (r == CLI_OK && a->cosign) {
		r = read_cosign_key(a->cosign, &cosign);
		e->expect.cosign = &cosign;
	}
	if (r != CLI_OK)
		return r;
	if (a->checkpoint) {
		r = file_read(a->checkpoint, CHECKPOINT_MAX, &note);
		if (r < 0)
			return fail("read", a->checkpoint, r);
	} else {
		r = read_in(dirfd, a->dir, STORE_FILE_CHECKPOINT, &note);
		if (r != CLI_OK)
			return r;
	}
	return judge_log(c, dirfd, a->dir, buf_span(&note), &vk, !a->key && !a->evidence, &e->expect);
}

static int verify_log(struct cli *c, const struct log_args *a)
{
	struct verify_evidence e = { 0 };
	int r = a->evidence ? verify_evidence_read(a->evidence, &e) : CLI_OK;

	if (r == CLI_OK)
		r = verify_log_with(c, a, &e);
	verify_evidence_done(&e);
	return r;
}

static int tell_receipt(struct cli *c, const char *file, const char *why, const char *name, uint64_t leaf,
			uint64_t size)
{
	_cleanup_buf_ struct buf out = { 0 };
	struct json_out j;

	if (!c->json) {
		if (why)
			printf("%s: NOT verified: %s\n", file, why);
		else
			printf("%s: verified: record %" PRIu64 " of the log of %s, signed at %" PRIu64
			       " records\n", file, leaf, name, size);
		return why ? CLI_FAILED : CLI_OK;
	}
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_member_str(&j, "reason", why);
	if (!why) {
		json_out_member_int(&j, "leaf", (int64_t)leaf);
		json_out_member_str(&j, "origin", name);
		json_out_member_int(&j, "size", (int64_t)size);
	}
	json_out_member_bool(&j, "verified", !why);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0 || !buf_cstr(&out))
		return fail("write", "verdict", -ENOMEM);
	puts(buf_cstr(&out));
	return why ? CLI_FAILED : CLI_OK;
}

/* A COSE receipt and the record that it is of. */
static int verify_cose(struct cli *c, const char *file, const char *key, const char *record)
{
	_cleanup_buf_ struct buf receipt = { 0 }, line = { 0 };
	struct hasher *h = hasher_of_thread();
	const char *why = NULL;
	uint64_t leaf = 0, size = 0;
	struct verifier_key vk;
	struct record_view v;
	struct span s;
	int r = cli_verifier_key(key, &vk);

	if (r != CLI_OK)
		return r;
	r = file_read(file, RECEIPT_MAX, &receipt);
	if (r < 0)
		return fail("read", file, r);
	r = file_read(record, RECORD_MAX + 1, &line);
	if (r < 0)
		return fail("read", record, r);
	s = buf_span(&line);
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	r = h ? receipt_check(buf_span(&receipt), s, &vk, &leaf, &size, &why) : -ENOMEM;
	if (r == 0 && (record_view_parse(s, &v, NULL) < 0 || record_view_hash(&v, h) < 0))
		why = "the record's content is not what its entry_hash says";
	if (r < 0 && r != -EBADMSG)
		return fail("verify", file, r);
	return tell_receipt(c, file, why, vk.name, leaf, size);
}

static int verify_proof(struct cli *c, const char *file, const char *key)
{
	_cleanup_(proof_done) struct proof p = { .leaf = 0 };
	_cleanup_buf_ struct buf text = { 0 }, out = { 0 };
	const char *why = "it is malformed";
	struct checkpoint cp = { 0 };
	struct verifier_key vk;
	struct json_out j;
	int r = cli_verifier_key(key, &vk);

	if (r != CLI_OK)
		return r;
	r = file_read(file, PROOF_MAX, &text);
	if (r < 0)
		return fail("read", file, r);
	r = proof_parse(buf_span(&text), &p);
	if (r == 0)
		r = proof_check(&p, &vk, &cp, &why);
	if (r < 0 && r != -EBADMSG)
		return fail("verify", file, r);
	if (!c->json) {
		if (r < 0)
			printf("%s: NOT verified: %s\n", file, why);
		else
			printf("%s: verified: record %" PRIu64 " of the log of %s, signed at %" PRIu64
			       " records\n%.*s\n", file, p.leaf, cp.origin, cp.size, (int)p.record.n, p.record.p);
		return r < 0 ? CLI_FAILED : CLI_OK;
	}
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_member_str(&j, "reason", r < 0 ? why : NULL);
	if (r == 0) {
		json_out_member_int(&j, "leaf", (int64_t)p.leaf);
		json_out_member_str(&j, "origin", cp.origin);
		json_out_key(&j, "record");
		json_out_raw(&j, p.record);
		json_out_member_int(&j, "size", (int64_t)cp.size);
	}
	json_out_member_bool(&j, "verified", r == 0);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return fail("write", "verdict", -ENOMEM);
	(void)fwrite(buf_span(&out).p, 1, buf_len(&out), stdout);
	putchar('\n');
	return r < 0 ? CLI_FAILED : CLI_OK;
}

int cli_verify(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "key", required_argument, NULL, 'k' }, { "checkpoint", required_argument, NULL, 'c' },
		{ "cosign", required_argument, NULL, 's' }, { "evidence", required_argument, NULL, 'e' },
		{ "record", required_argument, NULL, 'r' }, { 0 },
	};
	struct log_args a = { 0 };
	const char *record = NULL;
	int ch;

	if (cli_wants_help(argc, argv)) {
		fputs(usage_text, stdout);
		fputs(cli_verify_statements_usage, stdout);
		return CLI_OK;
	}
	if (argc > 1 && strcmp(argv[1], "log") != 0 && strcmp(argv[1], "proof") != 0 &&
	    strcmp(argv[1], "disclosure") != 0)
		return cli_verify_statements(c, argc, argv);
	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (ch == 'k')
			a.key = optarg;
		else if (ch == 'c')
			a.checkpoint = optarg;
		else if (ch == 's')
			a.cosign = optarg;
		else if (ch == 'e')
			a.evidence = optarg;
		else if (ch == 'r')
			record = optarg;
		else
			return usage();
	}
	if (argc - optind >= 2 && strcmp(argv[optind], "disclosure") == 0 && !a.checkpoint && !a.cosign && !a.evidence)
		return cli_verify_disclosure(c, a.key, argc - optind - 1, argv + optind + 1);
	if (argc - optind != 2)
		return usage();
	a.dir = argv[optind + 1];
	if (strcmp(argv[optind], "log") == 0 && !record)
		return verify_log(c, &a);
	if (strcmp(argv[optind], "proof") == 0 && a.key && !a.checkpoint && !a.cosign && !a.evidence)
		return record ? verify_cose(c, a.dir, a.key, record) : verify_proof(c, a.dir, a.key);
	return usage();
}
