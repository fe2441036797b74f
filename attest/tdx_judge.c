// SPDX-License-Identifier: Apache-2.0
/*
 * From security versions to a status: which level fits, and how the statuses of parts converge.
 */
#include "attest/tdx_tcb.h"

#include <string.h>

const struct tdx_module *tdx_module_of(const struct tdx_tcb_info *t, struct span svn)
{
	const uint8_t version = svn.n == TDX_SVN_SIZE ? (uint8_t)svn.p[1] : 0;

	if (version == 0)
		return &t->module;
	for (unsigned i = 0; i < t->n_modules; i++)
		if (t->modules[i].version == version)
			return &t->modules[i];
	return NULL;
}

const struct tdx_level *tdx_level_by_isvsvn(const struct tdx_levels *l, uint32_t isvsvn)
{
	for (unsigned i = 0; i < l->n; i++)
		if (isvsvn >= l->level[i].isvsvn)
			return &l->level[i];
	return NULL;
}

static bool platform_reaches(const struct tdx_pck *pck, const struct tdx_level *l)
{
	for (unsigned i = 0; i < 16; i++)
		if (pck->svn[i] < l->sgx[i])
			return false;
	return pck->pcesvn >= l->pcesvn;
}

/* A module with a version of its own is judged by its own levels: the platform's level then says nothing
 * in the two bytes that describe the module. */
static bool td_reaches(struct span svn, const struct tdx_level *l)
{
	for (unsigned i = svn.p[1] ? 2 : 0; i < TDX_SVN_SIZE; i++)
		if ((uint8_t)svn.p[i] < l->tdx[i])
			return false;
	return true;
}

static bool needs_configuration(enum tdx_status s)
{
	return s == TDX_CONFIGURATION_NEEDED || s == TDX_CONFIGURATION_AND_SW_HARDENING_NEEDED ||
	       s == TDX_OUT_OF_DATE_CONFIGURATION_NEEDED ||
	       s == TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED;
}

static bool is_old(enum tdx_status s)
{
	return s == TDX_OUT_OF_DATE || s == TDX_OUT_OF_DATE_CONFIGURATION_NEEDED;
}

enum tdx_status tdx_converge(enum tdx_status whole, enum tdx_status part)
{
	if (whole >= TDX_REVOKED || part >= TDX_REVOKED)
		return whole > part ? whole : part;
	if (is_old(part) && !is_old(whole))
		return needs_configuration(whole) || needs_configuration(part) ?
			       TDX_OUT_OF_DATE_CONFIGURATION_NEEDED :
			       TDX_OUT_OF_DATE;
	return whole > part ? whole : part;
}

enum tdx_status tdx_relaunch(enum tdx_status launch, enum tdx_status current)
{
	if (!is_old(launch) || current >= TDX_RELAUNCH_ADVISED)
		return launch;
	return needs_configuration(launch) || needs_configuration(current) ?
		       TDX_RELAUNCH_ADVISED_CONFIGURATION_NEEDED :
		       TDX_RELAUNCH_ADVISED;
}

struct tdx_judgement tdx_judge(const struct tdx_tcb_info *t, const struct tdx_pck *pck,
			       struct span svn, enum tdx_status qe)
{
	const struct tdx_module *m = tdx_module_of(t, svn);
	struct tdx_judgement j = { .status = TDX_NOT_SUPPORTED };

	if (svn.n != TDX_SVN_SIZE || !m)
		return j;
	for (unsigned i = 0; i < t->levels.n && !j.platform; i++)
		if (platform_reaches(pck, &t->levels.level[i]) &&
		    td_reaches(svn, &t->levels.level[i]))
			j.platform = &t->levels.level[i];
	if (!j.platform)
		return j;
	j.status = j.platform->status;
	if (m != &t->module) {
		j.module = tdx_level_by_isvsvn(&m->levels, (uint8_t)svn.p[0]);
		j.status = tdx_converge(j.status, j.module ? j.module->status : TDX_NOT_SUPPORTED);
	}
	j.status = tdx_converge(j.status, qe);
	return j;
}
