// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the report of Azure's paravisor.
 */
#include "attest/azure_hcl.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "attest/azure_evidence.h"
#include "attest/bytes.h"
#include "attest/snp_report.h"
#include "attest/tpm_public.h"
#include "user/base/cleanup.h"

#define HEADER_SIZE 32
#define RUNTIME_HEADER_SIZE 20
#define REQUEST_REPORT 2
#define HASH_SHA256 1

DEFINE_CLEANUP(json_t *, json_decref)

int azure_hcl_parse(struct span bytes, struct azure_hcl *ret)
{
	struct bytes b = bytes_of(bytes);
	struct azure_hcl h = { 0 };
	uint32_t size, request, status, data_size, data_version, hash;
	struct span magic, area;

	if (bytes.n > AZURE_HCL_MAX)
		return -EBADMSG;
	magic = bytes_take(&b, 4);
	h.version = bytes_u32le(&b);
	size = bytes_u32le(&b);
	request = bytes_u32le(&b);
	status = bytes_u32le(&b);
	(void)bytes_take(&b, 12);
	area = bytes_take(&b, SNP_REPORT_SIZE);
	data_size = bytes_u32le(&b);
	data_version = bytes_u32le(&b);
	h.type = bytes_u32le(&b);
	hash = bytes_u32le(&b);
	h.runtime_data = bytes_lp32le(&b);
	if (b.failed || !span_is(magic, "HCLA") || h.version < 1 || h.version > 2 || request != REQUEST_REPORT ||
	    status != 0 || data_version != 1 || hash != HASH_SHA256)
		return -EBADMSG;
	/* The three lengths say the same thing; the rest of the index is empty. */
	if (data_size != RUNTIME_HEADER_SIZE + h.runtime_data.n || size != HEADER_SIZE + SNP_REPORT_SIZE + data_size ||
	    !bytes_all_zero((struct span){ (const char *)b.p, b.n }))
		return -EBADMSG;
	if (h.type == AZURE_HCL_SNP)
		h.report = area;
	else if (h.type == AZURE_HCL_TDX)
		h.report = (struct span){ area.p, AZURE_TD_REPORT_SIZE };
	else
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* The JWK as a public area, so that the sizes that are refused are the same everywhere. */
static int rsa_of_jwk(const json_t *jwk, EVP_PKEY **ret)
{
	_cleanup_buf_ struct buf n = { 0 }, e = { 0 };
	struct tpm_public pub = { .type = TPM_ALG_RSA };
	const char *kty = json_string_value(json_object_get(jwk, "kty"));

	if (!kty || strcmp(kty, "RSA") != 0 ||
	    azure_base64(json_object_get(jwk, "n"), &n) < 0 || azure_base64(json_object_get(jwk, "e"), &e) < 0 ||
	    buf_len(&e) == 0 || buf_len(&e) > 4)
		return -EBADMSG;
	for (size_t i = 0; i < buf_len(&e); i++)
		pub.exponent = pub.exponent << 8 | (uint8_t)buf_span(&e).p[i];
	pub.n = buf_span(&n);
	if (pub.n.n > 512 || pub.exponent == 0)
		return -EBADMSG;
	pub.bits = (uint16_t)(8 * pub.n.n);
	return tpm_public_key(&pub, ret);
}

static void copy_text(const json_t *v, char *ret, size_t size)
{
	const char *s = json_string_value(v);

	(void)snprintf(ret, size, "%s", s && strlen(s) < size ? s : "");
	for (char *c = ret; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

int azure_runtime_parse(struct span json, struct azure_runtime *ret)
{
	_cleanup_(json_decref_p) json_t *root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
	const json_t *keys = json_object_get(root, "keys"), *ak = NULL, *vm;
	struct azure_runtime r = { 0 };
	int err;

	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *k = json_array_get(keys, i);
		const char *kid = json_string_value(json_object_get(k, "kid"));

		if (!kid || strcmp(kid, "HCLAkPub") != 0)
			continue;
		if (ak)
			return -EBADMSG;
		ak = k;
	}
	if (!ak)
		return -EBADMSG;
	err = rsa_of_jwk(ak, &r.ak);
	if (err < 0)
		return err;
	vm = json_object_get(root, "vm-configuration");
	r.secure_boot = json_is_true(json_object_get(vm, "secure-boot"));
	copy_text(json_object_get(vm, "vmUniqueId"), r.vm_id, sizeof(r.vm_id));
	copy_text(json_object_get(root, "user-data"), r.user_data, sizeof(r.user_data));
	*ret = r;
	return 0;
}

void azure_runtime_done(struct azure_runtime *r)
{
	EVP_PKEY_free(r->ak);
	*r = (struct azure_runtime){ 0 };
}
