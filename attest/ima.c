// SPDX-License-Identifier: Apache-2.0
/*
 * Entries of the kernel's measurement list. Total: lines and lengths are bounded by what is there; what a
 * line does not say in a form that is known here is refused, because its extend could not be computed.
 */
#include "attest/ima.h"

#include <errno.h>
#include <string.h>

#include "attest/bytes.h"
#include "user/base/digest.h"

#define SHA1_SIZE 20
#define TEMPLATE_NAME_MAX 64
#define TEMPLATE_DATA_MAX (16u << 10) /* a path, a digest, a signature */

int ima_open(struct span bytes, uint16_t bank, struct ima_log *ret)
{
	if (bytes.n > IMA_LOG_MAX)
		return -EMSGSIZE;
	if (tpm_hash_size(bank) == 0)
		return -EINVAL;
	/* A binary list begins with the PCR as a number, a textual one with its digits. */
	*ret = (struct ima_log){ bytes, bytes.n && bytes.p[0] >= '0' && bytes.p[0] <= '9' && bytes.n > 1 &&
				 bytes.p[1] != 0, bank };
	return 0;
}

/* "sha256:" NUL digest, or with the kind in front "ima:sha256:" NUL digest. */
static int read_digest(struct span field, struct ima_entry *e)
{
	const char *end = memchr(field.p, 0, field.n), *name, *colon;
	size_t size;

	if (!end || end == field.p || end[-1] != ':')
		return -EBADMSG;
	name = field.p;
	colon = memchr(name, ':', (size_t)(end - name));
	if (colon != end - 1)
		name = colon + 1;
	e->alg = tpm_hash_by_name((struct span){ name, (size_t)(end - 1 - name) });
	size = tpm_hash_size(e->alg);
	if ((size_t)(field.p + field.n - end - 1) != size && e->alg)
		return -EBADMSG;
	memcpy(e->digest, end + 1, size);
	return 0;
}

static bool known_template(struct span name)
{
	return span_is(name, "ima-ng") || span_is(name, "ima-sig") || span_is(name, "ima-ngv2") ||
	       span_is(name, "ima-sigv2");
}

/* The known templates begin with digest and path, each behind a 32-bit length. */
static int read_fields(struct span data, struct ima_entry *e)
{
	struct bytes b = bytes_of(data);
	struct span digest, path;

	if (!known_template(e->template))
		return 0; /* extended all the same, of unknown meaning */
	digest = bytes_lp32le(&b);
	path = bytes_lp32le(&b);
	if (b.failed || digest.n == 0 || path.n == 0 || path.p[path.n - 1] != 0)
		return -EBADMSG;
	e->path = (struct span){ path.p, path.n - 1 };
	return read_digest(digest, e);
}

static int extended(uint16_t bank, struct span data, struct ima_entry *e)
{
	if (e->violation) {
		memset(e->extended, 0xff, tpm_hash_size(bank));
		return 0;
	}
	return tpm_hash(bank, &data, 1, e->extended);
}

static int next_binary(struct ima_log *log, struct ima_entry *ret)
{
	struct bytes b = bytes_of(log->rest);
	struct ima_entry e = { .pcr = bytes_u32le(&b) };
	struct span sha1 = bytes_take(&b, SHA1_SIZE), data;
	int r;

	e.template = bytes_lp32le(&b);
	data = bytes_lp32le(&b);
	/* The oldest template has no length and another layout; no kernel since 3.13 uses it unasked. */
	if (b.failed || e.template.n > TEMPLATE_NAME_MAX || span_is(e.template, "ima") ||
	    data.n > TEMPLATE_DATA_MAX)
		return -EBADMSG;
	e.violation = bytes_all_zero(sha1);
	r = read_fields(data, &e);
	if (r == 0)
		r = extended(log->bank, data, &e);
	if (r < 0)
		return r;
	log->rest = (struct span){ (const char *)b.p, b.n };
	*ret = e;
	return 1;
}

/* The next word of a line and the space behind it. */
static struct span word(struct span *line)
{
	const char *space = line->n ? memchr(line->p, ' ', line->n) : NULL;
	struct span w = { line->p, space ? (size_t)(space - line->p) : line->n };
	size_t used = w.n + (space ? 1 : 0);

	*line = (struct span){ line->p + used, line->n - used };
	return w;
}

static int put(uint8_t **at, const uint8_t *end, const void *p, size_t n)
{
	if ((size_t)(end - *at) < n)
		return -EBADMSG;
	if (n)
		memcpy(*at, p, n);
	*at += n;
	return 0;
}

static int put_length(uint8_t **at, const uint8_t *end, size_t n)
{
	uint8_t le[4] = { (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16), (uint8_t)(n >> 24) };

	return put(at, end, le, sizeof(le));
}

/* Template data made again from a line's words. */
static int data_of_line(struct span digest, struct span path, struct span signature, bool has_signature,
			uint8_t *buf, size_t *ret_n)
{
	const uint8_t *end = buf + TEMPLATE_DATA_MAX;
	const char *colon = memrchr(digest.p, ':', digest.n);
	uint8_t raw[TPM_HASH_SIZE_MAX], *at = buf;
	size_t name, n;

	if (!colon || path.n == 0 || signature.n % 2)
		return -EBADMSG;
	name = (size_t)(colon + 1 - digest.p);
	n = (digest.n - name) / 2;
	if (n > sizeof(raw) || hex_decode(colon + 1, digest.n - name, raw, n) < 0)
		return -EBADMSG;
	if (put_length(&at, end, name + 1 + n) < 0 || put(&at, end, digest.p, name) < 0 ||
	    put(&at, end, "", 1) < 0 || put(&at, end, raw, n) < 0 || put_length(&at, end, path.n + 1) < 0 ||
	    put(&at, end, path.p, path.n) < 0 || put(&at, end, "", 1) < 0)
		return -EBADMSG;
	if (has_signature) {
		if (put_length(&at, end, signature.n / 2) < 0 || (size_t)(end - at) < signature.n / 2 ||
		    hex_decode(signature.p, signature.n, at, signature.n / 2) < 0)
			return -EBADMSG;
		at += signature.n / 2;
	}
	*ret_n = (size_t)(at - buf);
	return 0;
}

/* A path may hold spaces; a signature, hex, is what follows the last one. */
static struct span last_word(struct span *line)
{
	const char *space = line->n ? memrchr(line->p, ' ', line->n) : NULL;
	struct span w;

	if (!space)
		return (struct span){ 0 };
	w = (struct span){ space + 1, (size_t)(line->p + line->n - space - 1) };
	line->n = (size_t)(space - line->p);
	return w;
}

static int read_line(struct span line, uint16_t bank, struct ima_entry *ret)
{
	struct span pcr = word(&line), sha1 = word(&line), digest, signature = { 0 };
	struct ima_entry e = { .template = word(&line) };
	uint8_t template_hash[SHA1_SIZE], data[TEMPLATE_DATA_MAX];
	size_t n;
	bool has_signature;
	int r;

	/* Without the template's layout the extend of another bank cannot be computed. */
	if (!known_template(e.template) || pcr.n == 0 || pcr.n > 2 ||
	    hex_decode(sha1.p, sha1.n, template_hash, SHA1_SIZE) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < pcr.n; i++) {
		if (pcr.p[i] < '0' || pcr.p[i] > '9')
			return -EBADMSG;
		e.pcr = e.pcr * 10 + (uint32_t)(pcr.p[i] - '0');
	}
	e.violation = bytes_all_zero((struct span){ (const char *)template_hash, SHA1_SIZE });
	digest = word(&line);
	has_signature = span_is(e.template, "ima-sig") || span_is(e.template, "ima-sigv2");
	if (has_signature)
		signature = last_word(&line);
	r = data_of_line(digest, line, signature, has_signature, data, &n);
	if (r < 0)
		return r;
	r = read_fields((struct span){ (const char *)data, n }, &e);
	e.path = line; /* outlives data */
	if (r == 0)
		r = extended(bank, (struct span){ (const char *)data, n }, &e);
	if (r == 0)
		*ret = e;
	return r;
}

static int next_ascii(struct ima_log *log, struct ima_entry *ret)
{
	const char *end = memchr(log->rest.p, '\n', log->rest.n);
	struct span line;
	int r;

	if (!end)
		return -EBADMSG;
	line = (struct span){ log->rest.p, (size_t)(end - log->rest.p) };
	r = read_line(line, log->bank, ret);
	if (r < 0)
		return r;
	log->rest = (struct span){ end + 1, log->rest.n - line.n - 1 };
	return 1;
}

int ima_next(struct ima_log *log, struct ima_entry *ret)
{
	if (log->rest.n == 0)
		return 0;
	return log->ascii ? next_ascii(log, ret) : next_binary(log, ret);
}
