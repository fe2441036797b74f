// SPDX-License-Identifier: Apache-2.0
/*
 * The bytes of an SEV-SNP attestation report.
 */
#include "attest/snp_report.h"

#include <errno.h>
#include <stdio.h>

#include "attest/bytes.h"

#define ALGO_P384_SHA384 1
#define KEY_INFO_KNOWN 0x1fu
#define NUMBER_SIZE 72 /* of R and S, little-endian; 48 bytes carry the value */
#define SIGNATURE_SIZE 512

static struct snp_version read_version(struct bytes *b, bool *zero)
{
	struct snp_version v;

	v.build = bytes_u8(b);
	v.minor = bytes_u8(b);
	v.major = bytes_u8(b);
	*zero &= bytes_u8(b) == 0;
	return v;
}

/* 0x000 to 0x04f. */
static uint32_t read_head(struct bytes *b, struct snp_report *r, uint32_t *ret_algo, bool *zero)
{
	uint32_t key_info;

	r->version = bytes_u32le(b);
	r->guest_svn = bytes_u32le(b);
	r->policy = bytes_u64le(b);
	r->family_id = bytes_take(b, 16);
	r->image_id = bytes_take(b, 16);
	r->vmpl = bytes_u32le(b);
	*ret_algo = bytes_u32le(b);
	r->current_tcb = bytes_u64le(b);
	r->platform_info = bytes_u64le(b);
	key_info = bytes_u32le(b);
	*zero &= bytes_u32le(b) == 0;
	return key_info;
}

/* 0x050 to 0x29f. */
static void read_body(struct bytes *b, struct snp_report *r, bool *zero)
{
	r->report_data = bytes_take(b, 64);
	r->measurement = bytes_take(b, 48);
	r->host_data = bytes_take(b, 32);
	r->id_key_digest = bytes_take(b, 48);
	r->author_key_digest = bytes_take(b, 48);
	r->report_id = bytes_take(b, 32);
	r->report_id_ma = bytes_take(b, 32);
	r->reported_tcb = bytes_u64le(b);
	if (r->version >= 3) {
		r->family = bytes_u8(b);
		r->model = bytes_u8(b);
		r->stepping = bytes_u8(b);
		*zero &= bytes_all_zero(bytes_take(b, 21));
	} else {
		*zero &= bytes_all_zero(bytes_take(b, 24));
	}
	r->chip_id = bytes_take(b, 64);
	r->committed_tcb = bytes_u64le(b);
	r->current = read_version(b, zero);
	r->committed = read_version(b, zero);
	r->launch_tcb = bytes_u64le(b);
	if (r->version >= 5) {
		r->launch_mitigations = bytes_u64le(b);
		r->current_mitigations = bytes_u64le(b);
	} else {
		*zero &= bytes_all_zero(bytes_take(b, 16));
	}
	*zero &= bytes_all_zero(bytes_take(b, 152));
}

/* A little-endian number of 72 bytes as a big-endian one of 48. */
static void read_number(struct bytes *b, uint8_t ret[48], bool *zero)
{
	struct span s = bytes_take(b, NUMBER_SIZE);

	for (size_t i = 0; i < 48 && s.n; i++)
		ret[47 - i] = (uint8_t)s.p[i];
	*zero &= s.n == NUMBER_SIZE && bytes_all_zero((struct span){ s.p + 48, NUMBER_SIZE - 48 });
}

static int bad(const char **code, const char **why, const char *c, const char *w)
{
	*code = c;
	*why = w;
	return -EBADMSG;
}

int snp_report_parse(struct span in, struct snp_report *ret, const char **ret_code,
		     const char **ret_why)
{
	bool head_zero = true, zero = true, signature_zero = true;
	struct snp_report r = { 0 };
	struct bytes b = bytes_of(in);
	uint32_t key_info, algo;

	if (in.n != SNP_REPORT_SIZE)
		return bad(ret_code, ret_why, "wrong-length", "a report has 1184 bytes");
	key_info = read_head(&b, &r, &algo, &head_zero);
	if (r.version < 2 || r.version > 5)
		return bad(ret_code, ret_why, "unknown-version",
			   "report versions 2 to 5 are known");
	if (algo != ALGO_P384_SHA384)
		return bad(ret_code, ret_why, "unknown-algorithm",
			   "SIGNATURE_ALGO is not ECDSA P-384 with SHA-384");
	if (!head_zero || key_info & ~KEY_INFO_KNOWN)
		return bad(ret_code, ret_why, "reserved-set",
			   "reserved bytes of the report's head are not zero");
	if (key_info >> 2 > SNP_KEY_VLEK)
		return bad(ret_code, ret_why, "unknown-signing-key",
			   "SIGNING_KEY is neither VCEK nor VLEK");
	r.author_key = key_info & 1;
	r.mask_chip_key = key_info & 2;
	r.key = key_info >> 2 == SNP_KEY_VLEK ? SNP_KEY_VLEK : SNP_KEY_VCEK;
	read_body(&b, &r, &zero);
	if (!zero)
		return bad(ret_code, ret_why, "reserved-set",
			   "reserved bytes of the report are not zero");
	read_number(&b, r.r, &signature_zero);
	read_number(&b, r.s, &signature_zero);
	signature_zero &= bytes_all_zero(bytes_take(&b, SIGNATURE_SIZE - 2 * NUMBER_SIZE));
	if (!signature_zero || bytes_end(&b) < 0)
		return bad(ret_code, ret_why, "signature-padding",
			   "the padding of the signature is not zero");
	r.signed_bytes = (struct span){ in.p, SNP_SIGNED_SIZE };
	*ret = r;
	return 0;
}

int snp_product_of(const struct snp_report *r, enum snp_product *ret)
{
	if (r->family == 0x19 && r->model <= 0x0f)
		*ret = SNP_MILAN;
	else if (r->family == 0x19 &&
		 ((r->model >= 0x10 && r->model <= 0x1f) || r->model >> 4 == 0xa))
		*ret = SNP_GENOA; /* and Bergamo and Siena, which share its keys */
	else if (r->family == 0x1a && r->model <= 0x11)
		*ret = SNP_TURIN;
	else
		return -ENOENT;
	return 0;
}

int snp_tcb_parse(uint64_t raw, enum snp_product product, struct snp_tcb *ret)
{
	uint8_t b[8];
	uint64_t reserved;

	for (int i = 0; i < 8; i++)
		b[i] = (uint8_t)(raw >> (8 * i));
	if (product == SNP_TURIN) {
		*ret = (struct snp_tcb){
			.fmc = b[0], .bootloader = b[1], .tee = b[2], .snp = b[3], .microcode = b[7]
		};
		reserved = raw & 0x00ffffff00000000ull;
	} else {
		*ret = (struct snp_tcb){
			.bootloader = b[0], .tee = b[1], .snp = b[6], .microcode = b[7]
		};
		reserved = raw & 0x0000ffffffff0000ull;
	}
	return reserved ? -EBADMSG : 0;
}

bool snp_tcb_at_least(const struct snp_tcb *a, const struct snp_tcb *b)
{
	return a->fmc >= b->fmc && a->bootloader >= b->bootloader && a->tee >= b->tee &&
	       a->snp >= b->snp && a->microcode >= b->microcode;
}

bool snp_tcb_equal(const struct snp_tcb *a, const struct snp_tcb *b)
{
	return snp_tcb_at_least(a, b) && snp_tcb_at_least(b, a);
}

const char *snp_tcb_text(const struct snp_tcb *t, enum snp_product product, char ret[SNP_TCB_TEXT])
{
	int n = product == SNP_TURIN ? snprintf(ret, SNP_TCB_TEXT, "fmc %u, ", t->fmc) : 0;

	(void)snprintf(ret + n, SNP_TCB_TEXT - (size_t)n,
		       "bootloader %u, tee %u, snp %u, microcode %u", t->bootloader, t->tee, t->snp,
		       t->microcode);
	return ret;
}
