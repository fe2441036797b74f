// SPDX-License-Identifier: Apache-2.0
/*
 * Intel's statements read into numbers. The text is signed by then; it is read strictly all the same.
 */
#include "attest/tdx_tcb.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "user/base/clock.h"
#include "user/base/digest.h"

static int get_uint(const json_t *o, const char *name, uint32_t max, uint32_t *ret)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > max)
		return -EBADMSG;
	*ret = (uint32_t)json_integer_value(v);
	return 0;
}

static int get_hex(const json_t *o, const char *name, uint8_t *ret, size_t n)
{
	const json_t *v = json_object_get(o, name);

	if (!json_is_string(v) ||
	    hex_decode(json_string_value(v), json_string_length(v), ret, n) < 0)
		return -EBADMSG;
	return 0;
}

static int get_time(const json_t *o, const char *name, int64_t *ret)
{
	const char *s = json_string_value(json_object_get(o, name));
	uint64_t ns;

	if (!s || clock_parse_iso(s, &ns) < 0)
		return -EBADMSG;
	*ret = (int64_t)(ns / 1000000000u);
	return 0;
}

static int get_validity(const json_t *o, struct tdx_validity *ret)
{
	int r = get_time(o, "issueDate", &ret->issued);

	if (r == 0)
		r = get_time(o, "nextUpdate", &ret->next);
	return r < 0 ? r : get_uint(o, "tcbEvaluationDataNumber", UINT32_MAX, &ret->evaluation);
}

/* "Relaunch advised" is a judgement, not a level: no document has it. */
static bool in_documents(enum tdx_status s)
{
	return s < TDX_NOT_SUPPORTED && s != TDX_RELAUNCH_ADVISED &&
	       s != TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED;
}

static int get_status(const json_t *level, enum tdx_status *ret)
{
	const char *s = json_string_value(json_object_get(level, "tcbStatus"));

	for (unsigned i = 0; s && i < TDX_NOT_SUPPORTED; i++)
		if (in_documents((enum tdx_status)i) && strcmp(tdx_status_words[i], s) == 0) {
			*ret = (enum tdx_status)i;
			return 0;
		}
	return -EBADMSG;
}

static int get_components(const json_t *tcb, const char *name, uint8_t ret[16])
{
	const json_t *list = json_object_get(tcb, name);

	if (json_array_size(list) != 16)
		return -EBADMSG;
	for (unsigned i = 0; i < 16; i++) {
		uint32_t svn;

		if (get_uint(json_array_get(list, i), "svn", 255, &svn) < 0)
			return -EBADMSG;
		ret[i] = (uint8_t)svn;
	}
	return 0;
}

static int get_advisories(const json_t *level, json_t **ret)
{
	json_t *list = json_object_get(level, "advisoryIDs");

	if (list && (!json_is_array(list) || json_array_size(list) > TDX_ADVISORIES_MAX))
		return -EBADMSG;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_array_get(list, i)))
			return -EBADMSG;
	*ret = list;
	return 0;
}

/* platform: levels have all components; else only an ISVSVN. */
static int get_levels(const json_t *o, bool platform, struct tdx_levels *ret)
{
	const json_t *list = json_object_get(o, "tcbLevels");
	size_t n = json_array_size(list);

	if (n == 0 || n > TDX_LEVELS_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const json_t *level = json_array_get(list, i), *tcb = json_object_get(level, "tcb");
		struct tdx_level *l = &ret->level[i];
		int r = get_status(level, &l->status);

		if (r == 0)
			r = get_advisories(level, &l->advisories);
		if (r == 0 && platform)
			r = get_components(tcb, "sgxtcbcomponents", l->sgx);
		if (r == 0 && platform)
			r = get_components(tcb, "tdxtcbcomponents", l->tdx);
		if (r == 0)
			r = platform ? get_uint(tcb, "pcesvn", 65535, &l->pcesvn) :
				       get_uint(tcb, "isvsvn", 65535, &l->isvsvn);
		if (r < 0)
			return r;
	}
	ret->n = (unsigned)n;
	return 0;
}

static int get_module(const json_t *o, struct tdx_module *ret)
{
	int r = get_hex(o, "mrsigner", ret->mrsigner, sizeof(ret->mrsigner));

	if (r == 0)
		r = get_hex(o, "attributes", ret->attributes, sizeof(ret->attributes));
	return r < 0 ? r : get_hex(o, "attributesMask", ret->mask, sizeof(ret->mask));
}

static int get_modules(const json_t *o, struct tdx_tcb_info *t)
{
	const json_t *list = json_object_get(o, "tdxModuleIdentities");
	size_t n = json_array_size(list);

	if ((list && !json_is_array(list)) || n > TDX_MODULES_MAX)
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		const json_t *m = json_array_get(list, i);
		const char *id = json_string_value(json_object_get(m, "id"));
		struct tdx_module *to = &t->modules[i];
		int r;

		if (!id || strncasecmp(id, "TDX_", 4) != 0 ||
		    hex_decode(id + 4, strlen(id + 4), &to->version, 1) < 0)
			return -EBADMSG;
		for (size_t k = 0; k < i; k++)
			if (t->modules[k].version == to->version)
				return -EBADMSG;
		r = get_module(m, to);
		if (r == 0)
			r = get_levels(m, false, &to->levels);
		if (r < 0)
			return r;
	}
	t->n_modules = (unsigned)n;
	return 0;
}

static json_t *load(struct span body)
{
	return body.n <= TDX_JSON_MAX ? json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL) :
					NULL;
}

static bool is_kind(const json_t *doc, const char *id)
{
	const char *s = json_string_value(json_object_get(doc, "id"));

	return s && strcmp(s, id) == 0;
}

int tdx_tcb_info_parse(struct span body, struct tdx_tcb_info *ret)
{
	struct tdx_tcb_info *t = ret;
	uint32_t version, type; /* type 0: components compare one by one; no other is defined */
	int r = -EBADMSG;

	t->doc = load(body);
	if (t->doc && !is_kind(t->doc, "TDX"))
		r = -ENOENT;
	else if (t->doc && get_uint(t->doc, "version", 3, &version) == 0 && version == 3)
		r = get_uint(t->doc, "tcbType", 0, &type);
	if (r == 0)
		r = get_validity(t->doc, &t->validity);
	if (r == 0)
		r = get_hex(t->doc, "fmspc", t->fmspc, sizeof(t->fmspc));
	if (r == 0)
		r = get_hex(t->doc, "pceId", t->pceid, sizeof(t->pceid));
	if (r == 0)
		r = get_module(json_object_get(t->doc, "tdxModule"), &t->module);
	if (r == 0)
		r = get_modules(t->doc, t);
	if (r == 0)
		r = get_levels(t->doc, true, &t->levels);
	if (r < 0)
		tdx_tcb_info_done(t);
	return r;
}

int tdx_qe_identity_parse(struct span body, struct tdx_qe_identity *ret)
{
	struct tdx_qe_identity *q = ret;
	uint32_t version;
	int r = -EBADMSG;

	q->doc = load(body);
	if (q->doc && !is_kind(q->doc, "TD_QE"))
		r = -ENOENT;
	else if (q->doc && get_uint(q->doc, "version", 2, &version) == 0 && version == 2)
		r = get_validity(q->doc, &q->validity);
	if (r == 0)
		r = get_hex(q->doc, "miscselect", q->miscselect, sizeof(q->miscselect));
	if (r == 0)
		r = get_hex(q->doc, "miscselectMask", q->miscselect_mask,
			    sizeof(q->miscselect_mask));
	if (r == 0)
		r = get_hex(q->doc, "attributes", q->attributes, sizeof(q->attributes));
	if (r == 0)
		r = get_hex(q->doc, "attributesMask", q->attributes_mask,
			    sizeof(q->attributes_mask));
	if (r == 0)
		r = get_hex(q->doc, "mrsigner", q->mrsigner, sizeof(q->mrsigner));
	if (r == 0)
		r = get_uint(q->doc, "isvprodid", 65535, &q->isvprodid);
	if (r == 0)
		r = get_levels(q->doc, false, &q->levels);
	if (r < 0)
		tdx_qe_identity_done(q);
	return r;
}

void tdx_tcb_info_done(struct tdx_tcb_info *t)
{
	json_decref(t->doc);
	t->doc = NULL;
}

void tdx_qe_identity_done(struct tdx_qe_identity *q)
{
	json_decref(q->doc);
	q->doc = NULL;
}
