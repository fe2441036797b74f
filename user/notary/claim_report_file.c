// SPDX-License-Identifier: Apache-2.0
/*
 * Reports of sessions: who waits for one, and their files. Nothing is kept in memory but who waits, so claims
 * stand on what is on disk, and a session's later claims on the same. Runs in the notary.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/json_text.h"
#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/notary/claims_private.h"
#include "user/notary/segment.h"

#define FILE_MODE 0640 /* as the log's */
#define DIR_MODE 0750
#define FRESH_SECONDS 43200 /* of the day that a claim's hardware counts as fresh, half is left to who verifies it */
#define REPORT_MAX (4u << 20) /* a brief report with both logs at their limits is under 1 MiB */

int claims_write_file(const struct claims *c, const char *name, struct span text)
{
	_cleanup_close_ int dir = -1, fd = -1;
	int r;

	if (mkdirat(c->cfg.log_dirfd, CLAIMS_DIR, DIR_MODE) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(c->cfg.log_dirfd, CLAIMS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0)
		return -errno;
	fd = openat(dir, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, text.p, text.n);
	if (r == 0 && (fdatasync(fd) < 0 || renameat(dir, ".new", dir, name) < 0))
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, ".new", 0);
	return r;
}

void claims_report_name(const char *id, const char *key_hex, char ret[CLAIMS_NAME_SIZE])
{
	(void)snprintf(ret, CLAIMS_NAME_SIZE, CLAIMS_DIR "/%.36s.%.*s.evidence.json", id, CLAIMS_KEY_DIGITS, key_hex);
}

static void name_of(const struct claims *c, const struct claims_session *s, char ret[CLAIMS_NAME_SIZE])
{
	char hex[2 * ED25519_KEY_SIZE + 1];

	hex_encode(c->cfg.signer.public_key, ED25519_KEY_SIZE, hex);
	claims_report_name(s->id, hex, ret);
}

static int nonce_of(const struct claims *c, const struct claims_session *s, uint8_t ret[CLAIM_NONCE_SIZE])
{
	return claim_nonce(c->cfg.signer.public_key, span_of(claim_fold_state(s->fold)->root), ret);
}

int claims_read_report(const struct claims *c, const struct claims_session *s, struct claim_report *ret)
{
	char name[CLAIMS_NAME_SIZE], error[JSON_TEXT_ERROR_SIZE];
	uint8_t nonce[CLAIM_NONCE_SIZE];
	_cleanup_buf_ struct buf text = { 0 };
	_cleanup_json_ json_t *document = NULL;
	_cleanup_close_ int fd = -1;
	int r = nonce_of(c, s, nonce);

	if (r < 0)
		return r;
	name_of(c, s, name);
	fd = segment_open(c->cfg.log_dirfd, name);
	r = fd < 0 ? fd : file_read_fd(fd, REPORT_MAX, &text);
	if (r == 0)
		r = json_text_read(buf_span(&text), &document, error);
	if (r == 0)
		r = claim_report_read(document, ret);
	if (r == 0 && memcmp(ret->nonce, nonce, sizeof(nonce)) != 0) {
		claim_report_done(ret);
		r = -ENOENT;
	}
	return r;
}

/* --- who waits ----------------------------------------------------------------------------------- */

void claims_want_report(struct claims *c, struct claims_session *s)
{
	/* What is found at the start may be of another boot, of which the hardware's answer now says nothing: such a
	 * session has the report that is on file, or none. */
	if (!c->cfg.report || s->restored || s->unreported || c->unreported_n >= CLAIMS_REPORTS_MAX)
		return;
	s->unreported = true;
	s->next_unreported = NULL;
	*c->unreported_tail = s;
	c->unreported_tail = &s->next_unreported;
	c->unreported_n++;
}

void claims_drop_report(struct claims *c, struct claims_session *s)
{
	struct claims_session **at = &c->unreported;

	if (!s->unreported)
		return;
	while (*at != s)
		at = &(*at)->next_unreported;
	*at = s->next_unreported;
	if (!*at)
		c->unreported_tail = at;
	c->unreported_n--;
	s->unreported = false;
}

/* --- taking -------------------------------------------------------------------------------------- */

int claims_report(struct claims *c, struct claims_session *s)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct claim_report report = { 0 };
	uint8_t nonce[CLAIM_NONCE_SIZE];
	char name[CLAIMS_NAME_SIZE];
	int r = nonce_of(c, s, nonce);

	claims_drop_report(c, s);
	if (r == 0)
		r = c->cfg.report(c->cfg.report_arg, nonce, &report);
	if (r == 0)
		r = claim_report_json(&report, &text);
	claim_report_done(&report);
	if (r < 0)
		return r;
	name_of(c, s, name);
	return claims_write_file(c, name + sizeof(CLAIMS_DIR), buf_span(&text));
}

int claims_report_next(struct claims *c)
{
	return c->unreported ? claims_report(c, c->unreported) : 0;
}

/* Of sessions that go on for days. One that was found at the start keeps what it has: see claims_want_report(). */
int claims_fresh_report(struct claims *c, struct claims_session *s, uint64_t now_ns, struct claim_report *ret)
{
	int r = claims_read_report(c, s, ret);

	if (r < 0 || !c->cfg.report || s->restored || now_ns / 1000000000u < ret->taken_s + FRESH_SECONDS)
		return r;
	claim_report_done(ret);
	(void)claims_report(c, s); /* or the old one, which says how old it is */
	return claims_read_report(c, s, ret);
}

uint64_t claims_unreported(const struct claims *c)
{
	return c->unreported_n;
}
