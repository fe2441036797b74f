/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_GATE_SNAPSHOT_H
#define TOLLGATE_GATE_SNAPSHOT_H

#include <stdint.h>

#include "user/base/buf.h"
#include "user/base/cleanup.h"
#include "user/base/digest.h"
#include "user/base/span.h"

struct catalog;
struct mcp_model;

/* What records say of the agent manifest that an agent is bound to, in this order. */
enum {
	SNAPSHOT_MANIFEST_AGENT, SNAPSHOT_MANIFEST_CATALOG, SNAPSHOT_MANIFEST_ID, SNAPSHOT_MANIFEST_ISSUER,
	SNAPSHOT_MANIFEST_KEY, SNAPSHOT_MANIFEST_POLICY, SNAPSHOT_MANIFEST_COUNT,
};

/* One agent as policy knows it. Strings are the snapshot's. */
struct snapshot_agent {
	char *name, *sponsor, *exe; /* sponsor and exe may be NULL */
	char **groups;
	unsigned ngroups;
	int64_t uid; /* -1: any */
	char *manifest[SNAPSHOT_MANIFEST_COUNT]; /* all NULL: it is bound to none */
};

/* Policy, catalog and agents of one epoch: what a message is judged by. Counted references; immutable but
 * for the catalog's cache of definitions. One thread. */
struct snapshot {
	unsigned refs;
	uint64_t epoch;
	struct mcp_model *model;
	struct catalog *catalog;
	struct snapshot_agent *agents; /* [0] is agent number 1 */
	unsigned nagents;
	char policy_hash[SHA256_PREFIXED_SIZE];
	char catalog_hash[SHA256_PREFIXED_SIZE];
	char pins_hash[SHA256_PREFIXED_SIZE]; /* of catalog.pins.json; "" without one */
};

/* What it is made from, borrowed: bundles (bundle.h) as the supervisor packs them.
 * policies: name, text, name, text...; agents: name, sponsor, exe, uid, number of groups, groups...,
 * and what is known of its manifest. */
struct snapshot_input {
	uint64_t epoch;
	struct span policies, agents, catalog, pins;
	const char *catalog_name, *pins_name; /* for messages */
};

/* 0, -EINVAL with lines "file:line: reason" appended to errors, -ENOMEM, -EBADMSG for broken bundles. */
int snapshot_new(const struct snapshot_input *in, struct buf *errors, struct snapshot **ret);
struct snapshot *snapshot_ref(struct snapshot *s);
void snapshot_unref(struct snapshot *s);
DEFINE_CLEANUP(struct snapshot *, snapshot_unref)

/* Name of an agent's number, or NULL. */
const char *snapshot_agent_name(const struct snapshot *s, uint32_t agent);

/* Packs one agent for snapshot_input.agents. */
int snapshot_pack_agent(struct buf *b, const struct snapshot_agent *a);

#endif
