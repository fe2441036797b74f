// SPDX-License-Identifier: Apache-2.0
/*
 * When servers are confined, and what the log says of it.
 */
#include "user/role/cage.h"
#include "user/role/sup.h"

bool sup_cage_holds(const struct supervisor *s, const struct cage *cage)
{
	return cage->confined && s->conf.mode == CONF_MODE_ENFORCING && s->conf.enforcement != CONF_OBSERVE;
}

unsigned sup_cage_details(const struct supervisor *s, const struct cage *cage, struct record_kv *kv)
{
	unsigned n = 0;

	if (!cage->confined)
		return 0;
	if (!sup_cage_holds(s, cage)) {
		kv[n++] = (struct record_kv){ .key = "cage", .s = SPAN("observed") };
		return n;
	}
	/* What it has copied of its environment, or sent on, since it was started is out of reach. */
	kv[n++] = (struct record_kv){ .key = "cage", .s = SPAN("takeover") };
	kv[n++] = (struct record_kv){ .key = "cage_env", .s = SPAN("env-unscrubbed") };
	kv[n++] = (struct record_kv){ .key = "cage_landlock", .i = cage->how.abi };
	kv[n++] = (struct record_kv){ .key = "cage_network", .s = cage->how.network ? SPAN("agent") : SPAN("none") };
	return n;
}
