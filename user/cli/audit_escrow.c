// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate audit escrow open: the recipient's side of the payload escrow. Works far from the node, on copies of its
 * escrow folder and a receipt; the private key never comes near the node.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/base64.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/cli/audit_cmd.h"
#include "user/cli/verifier.h"
#include "user/notary/escrow.h"
#include "user/notary/proof.h"
#include "user/notary/view.h"

#define KEY_FILE_MAX 4096
#define ESCROW_FILE_MAX ((size_t)1 << 30) /* the node begins another file at 64 MB, and one payload more */

struct opening {
	uint8_t key[HPKE_KEY];
	struct buf receipt, payload;
	struct proof proof;
	struct record_view record;
	struct escrow_entry entry;
	bool found, opened;
	int refused; /* why an entry of this record did not open */
};

static void opening_done(struct opening *o)
{
	if (buf_len(&o->payload))
		OPENSSL_cleanse((void *)(uintptr_t)buf_span(&o->payload).p, buf_len(&o->payload));
	OPENSSL_cleanse(o->key, sizeof(o->key));
	proof_done(&o->proof);
	buf_done(&o->receipt);
	buf_done(&o->payload);
}

static int read_key(const char *file, struct opening *o)
{
	_cleanup_buf_ struct buf text = { 0 };
	int r = file_read(file, KEY_FILE_MAX, &text);

	if (r < 0)
		return audit_fail("read key", file, err_text(r));
	r = hpke_private_parse(buf_span(&text), o->key);
	OPENSSL_cleanse((void *)(uintptr_t)buf_span(&text).p, buf_len(&text));
	return r < 0 ? audit_fail("read key", file, "not an X25519 private key in PEM without a pass phrase") : CLI_OK;
}

/* The record and, where the log's key is at hand, its place in the log. */
static int read_record(const char *file, const char *log_key, struct opening *o)
{
	struct verifier_key vk;
	struct checkpoint cp;
	const char *why;
	int r = file_read(file, PROOF_MAX, &o->receipt);

	if (r < 0)
		return audit_fail("read", file, err_text(r));
	if (proof_parse(buf_span(&o->receipt), &o->proof) < 0 ||
	    record_view_parse(o->proof.record, &o->record, NULL) < 0)
		return audit_fail("read", file, "not a receipt, as `tollgate audit prove` writes it");
	if (!log_key)
		return CLI_OK;
	r = cli_verifier_key(log_key, &vk);
	if (r == CLI_OK && proof_check(&o->proof, &vk, &cp, &why) < 0)
		r = audit_fail("verify", file, why);
	return r;
}

/* Of several entries for one record, which a thief could add, the one counts that the record commits to. */
static void try_text(struct opening *o, struct span text)
{
	struct escrow_entry e;

	while (!o->opened && escrow_next(&text, &e)) {
		int r = escrow_open(&e, o->key, &o->record, &o->payload);

		if (r == -ENOENT)
			continue;
		o->found = true;
		o->refused = r;
		o->opened = r == 0;
		o->entry = e;
	}
}

static int try_file(struct opening *o, int dirfd, const char *name)
{
	_cleanup_buf_ struct buf text = { .limit = ESCROW_FILE_MAX };
	_cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r = fd < 0 ? -errno : file_read_fd(fd, ESCROW_FILE_MAX, &text);

	if (r < 0)
		return audit_fail("read", name, err_text(r));
	try_text(o, buf_span(&text));
	return CLI_OK;
}

static int try_folder(struct opening *o, const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int r = CLI_OK;

	if (!d)
		return audit_fail("open", folder, err_text(-errno));
	while (r == CLI_OK && !o->opened && (e = readdir(d)))
		if (strncmp(e->d_name, ESCROW_FILE_PREFIX, sizeof(ESCROW_FILE_PREFIX) - 1) == 0)
			r = try_file(o, dirfd(d), e->d_name);
	(void)closedir(d);
	return r;
}

static const char *word_of(enum salt_member m)
{
	return m == SALT_RESPONSE ? "response" : "request";
}

static int tell_json(const struct opening *o, bool proven)
{
	_cleanup_buf_ struct buf out = { .limit = 2 * (size_t)HPKE_TEXT_MAX };
	_cleanup_buf_ struct buf text = { .limit = 2 * (size_t)HPKE_TEXT_MAX };
	struct json_out j;

	if (base64_append(&text, buf_span(&o->payload).p, buf_len(&o->payload)) < 0)
		return CLI_FAILED;
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_member_bool(&j, "log_proven", proven);
	json_out_member_str(&j, "member", word_of(o->entry.member));
	json_out_member_span(&j, "payload", buf_span(&text));
	json_out_member_int(&j, "sequence", (int64_t)o->entry.sequence);
	json_out_member_str(&j, "session_id", o->entry.session_id);
	json_out_object_end(&j);
	if (json_out_end(&j) < 0)
		return CLI_FAILED;
	printf("%.*s\n", (int)buf_len(&out), buf_span(&out).p);
	return CLI_OK;
}

static int tell(struct cli *c, const struct opening *o, const char *out, bool proven)
{
	struct span p = buf_span(&o->payload);
	int r;

	fprintf(stderr, "%s of record %" PRIu64 " of session %s: what the record commits to%s\n",
		word_of(o->entry.member), o->entry.sequence, o->entry.session_id,
		proven ? ", and the record is of the log" : "; whether it is of the log, --log-key would tell");
	if (c->json)
		return tell_json(o, proven);
	if (!out)
		return fwrite(p.p ? p.p : "", 1, p.n, stdout) == p.n ? CLI_OK : CLI_FAILED;
	r = file_replace(out, p.p ? p.p : "", p.n, 0600);
	return r < 0 ? audit_fail("write", out, err_text(r)) : CLI_OK;
}

static int judge(struct cli *c, struct opening *o, const char *record, const char *out, bool proven)
{
	if (o->opened)
		return tell(c, o, out, proven);
	if (!o->found) {
		(void)audit_fail("open the payload of", record, "the escrow holds none of this record");
		return CLI_UNSEEN;
	}
	return audit_fail("open the payload of", record,
			  o->refused == -EUCLEAN ? "what was sealed is not what the record commits to" :
			  o->refused == -EBADMSG ? "it is sealed to another key, or was changed" :
						   err_text(o->refused));
}

int audit_escrow(struct cli *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "key", required_argument, NULL, 'k' }, { "escrow", required_argument, NULL, 'e' },
		{ "log-key", required_argument, NULL, 'l' }, { "output", required_argument, NULL, 'o' }, { 0 },
	};
	_cleanup_(opening_done) struct opening o = { .payload = { .limit = HPKE_TEXT_MAX } };
	const char *key = NULL, *folder = NULL, *log_key = NULL, *out = NULL;
	int ch, r;

	if (argc < 2 || strcmp(argv[1], "open") != 0)
		return audit_usage();
	argc--;
	argv++;
	optind = 0; /* also after operands, which main() does not allow */
	while ((ch = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		if (ch == '?')
			return audit_usage();
		*(ch == 'k' ? &key : ch == 'e' ? &folder : ch == 'l' ? &log_key : &out) = optarg;
	}
	if (!key || !folder || optind + 1 != argc)
		return audit_usage();
	r = read_key(key, &o);
	if (r == CLI_OK)
		r = read_record(argv[optind], log_key, &o);
	if (r == CLI_OK)
		r = try_folder(&o, folder);
	return r != CLI_OK ? r : judge(c, &o, argv[optind], out, log_key);
}
