// SPDX-License-Identifier: Apache-2.0
/*
 * The "agents" of tollgate.conf: names and selectors, and which of them could never match. Runs in the
 * supervisor and in tollgate(1). An agent that silently never matches runs unguarded, so it is an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/digest.h"
#include "user/conf/internal.h"

#define AGENTS_MAX 1024 /* each has a map entry in the kernel and a proxy slot */
#define GROUPS_MAX 64
#define LABELS_MAX 16
#define UNIT_NAME_MAX 255 /* of systemd */
#define ED25519_SIZE 32

static int set_groups(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		      void *dst)
{
	struct conf_agent *a = dst;

	return conf_read_list(r, n, f, conf_set_name, &a->groups, &a->ngroups);
}

static int set_image(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	char **image = dst;
	int q = conf_set_text(r, n, f, dst);

	if (q == 0 && strpbrk(*image, " \t"))
		return conf_node_fail(r, n, "image: '%s' is no name of an image", *image);
	return q;
}

static int set_label(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	char **label = dst;
	int q = conf_set_text(r, n, f, dst);

	if (q == 0 && (**label == '=' || !strchr(*label, '=')))
		return conf_node_fail(r, n, "labels: '%s' must be KEY=VALUE", *label);
	return q;
}

static int set_labels(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	struct conf_agent *a = dst;

	return conf_read_list(r, n, f, set_label, &a->labels, &a->nlabels);
}

static int set_uid(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	struct conf_agent *a = dst;
	uint64_t v;
	int q = conf_set_text(r, n, f, &a->uid_name);

	if (q < 0)
		return q;
	q = conf_parse_number(a->uid_name, UINT32_MAX - 1, &v);
	if (q == -ERANGE)
		return conf_node_fail(r, n, "uid: '%s' is no user number", a->uid_name);
	if (q == 0)
		a->uid = (uid_t)v;
	if (a->uid == 0 || strcmp(a->uid_name, "root") == 0)
		return conf_node_fail(r, n, "uid: root is no agent: every part of the system would match");
	return 0;
}

static int set_cgroup(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		      void *dst)
{
	char **cgroup = dst;
	int q = conf_set_path(r, n, f, dst);

	if (q < 0)
		return q;
	if (strncmp(*cgroup, "/sys/fs/cgroup", 14) == 0)
		return conf_node_fail(r, n, "cgroup: give the part below the cgroup2 mount, as the line "
					    "'0::' of /proc/PID/cgroup shows it: this can never match");
	return 0;
}

static bool unit_chars_ok(const char *s)
{
	for (; *s; s++)
		if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
		      strchr(":_.\\@-", *s)))
			return false;
	return true;
}

static int set_unit(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	char **unit = dst;
	const char *dot;
	int q = conf_set_text(r, n, f, dst);

	if (q < 0)
		return q;
	dot = strrchr(*unit, '.');
	if (strlen(*unit) > UNIT_NAME_MAX || !unit_chars_ok(*unit) || !dot || dot == *unit ||
	    (strcmp(dot, ".service") != 0 && strcmp(dot, ".scope") != 0 && strcmp(dot, ".slice") != 0))
		return conf_node_fail(r, n, "unit: '%s' is not the whole name of a .service, .scope or "
					    ".slice", *unit);
	if (dot[-1] == '@' || strcmp(*unit, "-.slice") == 0)
		return conf_node_fail(r, n, "unit: '%s' can never match: %s", *unit,
				      dot[-1] == '@' ? "a template has no processes, its instances do"
						     : "the root slice is no cgroup of its own");
	return 0;
}

static int set_key(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	char **key = dst;
	uint8_t raw[ED25519_SIZE];
	int q = conf_set_text(r, n, f, dst);

	if (q == 0 && hex_decode(*key, strlen(*key), raw, sizeof(raw)) < 0)
		return conf_node_fail(r, n, "%s: '%s' is no Ed25519 public key: %d hex digits", f->key, *key,
				      2 * ED25519_SIZE);
	return q;
}

static const struct conf_field agent_fields[] = {
	{ .key = "name", .set = conf_set_name, .off = offsetof(struct conf_agent, name) },
	{ .key = "sponsor", .set = conf_set_text, .off = offsetof(struct conf_agent, sponsor) },
	{ .key = "groups", .set = set_groups, .max = GROUPS_MAX, .why = "names" },
	{ .key = "exe", .set = conf_set_path, .off = offsetof(struct conf_agent, exe) },
	{ .key = "script", .set = conf_set_path, .off = offsetof(struct conf_agent, script) },
	{ .key = "uid", .set = set_uid },
	{ .key = "cgroup", .set = set_cgroup, .off = offsetof(struct conf_agent, cgroup) },
	{ .key = "manifest", .set = conf_set_path, .off = offsetof(struct conf_agent, manifest) },
	{ .key = "manifest_key", .set = set_key, .off = offsetof(struct conf_agent, manifest_key) },
	{ .key = "unit", .set = set_unit, .off = offsetof(struct conf_agent, unit) },
	{ .key = "image", .set = set_image, .off = offsetof(struct conf_agent, image) },
	{ .key = "labels", .set = set_labels, .max = LABELS_MAX, .why = "KEY=VALUE" },
	{ 0 },
};

static int check_agent(struct conf_read *r, const struct tree_node *n, const struct conf_agent *a)
{
	if (!a->name)
		return conf_node_fail(r, n, "agent: name is missing");
	if (!a->manifest != !a->manifest_key)
		return conf_node_fail(r, n, "agent '%s': manifest and manifest_key belong together: a manifest "
					    "binds only when it is known who may sign it", a->name);
	if (a->script && !a->exe)
		return conf_node_fail(r, n, "agent '%s': script needs exe, the interpreter that runs it",
				      a->name);
	if ((a->image || a->nlabels) && (a->exe || a->uid_name || a->cgroup || a->unit))
		return conf_node_fail(r, n, "agent '%s': image and labels select a whole container: no other "
					    "selector can stand beside them", a->name);
	if (!a->exe && !a->uid_name && !a->cgroup && !a->unit && !a->image && !a->nlabels)
		return conf_node_fail(r, n, "agent '%s': needs a selector: exe, script, uid, cgroup, unit, image or "
					    "labels", a->name);
	return 0;
}

static bool same(const char *a, const char *b)
{
	return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

/* Whether the cgroup selector inner lies in outer, or both are unset. */
static bool within(const char *outer, const char *inner)
{
	size_t n;

	if (!outer || !inner)
		return !outer && !inner;
	n = strlen(outer);
	return strncmp(outer, inner, n) == 0 && (inner[n] == '\0' || inner[n] == '/');
}

static bool same_labels(const struct conf_agent *a, const struct conf_agent *b)
{
	if (a->nlabels != b->nlabels)
		return false;
	for (unsigned i = 0; i < a->nlabels; i++)
		if (strcmp(a->labels[i], b->labels[i]) != 0)
			return false;
	return true;
}

/* Both are equally specific when they use the same kinds of selector; then the first in the file wins
 * (match.h), so one that only repeats or narrows what stands before it never gets its turn. */
static bool shadows(const struct conf_agent *a, const struct conf_agent *b)
{
	return same(a->exe, b->exe) && same(a->script, b->script) && same(a->uid_name, b->uid_name) &&
	       same(a->unit, b->unit) && within(a->cgroup, b->cgroup) && same(a->image, b->image) &&
	       same_labels(a, b);
}

static int check_others(struct conf_read *r, const struct tree_node *n, const struct conf_agent *a)
{
	for (const struct conf_agent *o = r->c->agents; o < a; o++) {
		if (strcmp(o->name, a->name) == 0)
			return conf_node_fail(r, n, "agent '%s' is already given at line %u", a->name,
					      o->line);
		if (shadows(o, a))
			return conf_node_fail(r, n, "agent '%s' can never match: '%s' at line %u has the "
						    "same or wider selectors and stands first",
					      a->name, o->name, o->line);
	}
	return 0;
}

int conf_set_agents(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	struct conf *c = dst;

	if (n->kind != TREE_LIST)
		return conf_node_fail(r, n, "agents: a list is expected ('- name: ...' per agent)");
	for (const struct tree_node *i = n->first; i; i = i->next) {
		struct conf_agent *list, *a;
		int q;

		if (c->nagents >= AGENTS_MAX)
			return conf_node_fail(r, i, "agents: more than %d", AGENTS_MAX);
		list = conf_grow(c->agents, &c->nagents, sizeof(*list));
		if (!list)
			return -ENOMEM;
		c->agents = list;
		a = &list[c->nagents - 1];
		a->uid = CONF_UID_ANY;
		a->line = i->line;
		q = conf_read_map(r, i, agent_fields, a);
		if (q == 0)
			q = check_agent(r, i, a);
		if (q == 0)
			q = check_others(r, i, a);
		if (q < 0)
			return q;
	}
	return 0;
}
