// SPDX-License-Identifier: Apache-2.0
/*
 * tollgate.conf: what its keys are, their defaults and ranges, loading and releasing. Runs in the
 * supervisor and in tollgate(1). Each key is described in tollgate.conf(5); change both together.
 */
#include "user/conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/cleanup.h"
#include "user/base/file.h"
#include "user/conf/internal.h"

#define PCR_MAX 15 /* the last that only a reboot clears */
#define STORES_MAX 16 /* each is looked at for every new container */
#define POLICY_MAX 64 /* files and folders named in the configuration */

static const char *const mode_names[] = { "enforcing", "advisory", "silent", NULL };
static const char *const resolve_names[] = { "own", "agent", NULL };
static const char *const enforcement_names[] = { "enforce", "enforce-partial", "observe", NULL };
static const char *const attestation_names[] = { "auto", "azure", "tpm", "software-only", NULL };
static const char *const audit_queries_names[] = { "unrecorded", "recorded", NULL };
static const char *const durability_names[] = { "ring", "written", "synced", NULL };

static int set_policy(struct conf_read *r, const struct tree_node *n, const struct conf_field *f,
		      void *dst)
{
	struct conf *c = dst;

	if (n->kind == TREE_LIST && !n->first)
		return conf_node_fail(r, n, "policy: the list is empty: everything would be denied");
	conf_list_free(c->policy, c->npolicy);
	c->policy = NULL;
	c->npolicy = 0;
	return conf_read_list(r, n, f, conf_set_path, &c->policy, &c->npolicy);
}

static int set_stores(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	struct conf *c = dst;

	conf_list_free(c->container_stores, c->ncontainer_stores);
	c->container_stores = NULL;
	c->ncontainer_stores = 0;
	return conf_read_list(r, n, f, conf_set_path, &c->container_stores, &c->ncontainer_stores);
}

static int set_user(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	struct conf_user *u = dst;
	uint64_t v;
	int q = conf_set_text(r, n, f, &u->name);

	if (q < 0)
		return q;
	if (conf_parse_number(u->name, UINT32_MAX - 1, &v) == 0) {
		if (v == 0)
			return conf_node_fail(r, n, "%s: must not be root", f->key);
		return 0;
	}
	if (strcmp(u->name, "root") == 0)
		return conf_node_fail(r, n, "%s: must not be root", f->key);
	/* '_' begins the names of system users on Debian, so this is not conf_name_ok(). */
	if (u->name[0] == '-' || strpbrk(u->name, "/: \t"))
		return conf_node_fail(r, n, "%s: '%s' is no user name or number", f->key, u->name);
	return 0;
}

/* Any program may reset the registers 16 and 23: a key bound to them alone would be bound to nothing. */
static int set_pcrs(struct conf_read *r, const struct tree_node *n, const struct conf_field *f, void *dst)
{
	uint32_t mask = 0;
	uint64_t v;

	if (n->kind != TREE_LIST || !n->first)
		return conf_node_fail(r, n, "%s: a list of PCR numbers is expected, such as [0, 7]", f->key);
	for (const struct tree_node *i = n->first; i; i = i->next) {
		if (i->kind != TREE_SCALAR || conf_parse_number(i->text, PCR_MAX, &v) < 0)
			return conf_node_fail(r, i, "%s: a number from 0 to %d is expected: what lies above can be "
						    "reset without a reboot", f->key, PCR_MAX);
		mask |= 1u << v;
	}
	*(uint32_t *)dst = mask;
	return 0;
}

static const struct conf_field attestation_fields[] = {
	{ .key = "provider", .set = conf_set_enum, .off = offsetof(struct conf, attestation.provider),
	  .why = "auto, azure, tpm or software-only", .more = attestation_names },
	{ .key = "tpm", .set = conf_set_text, .off = offsetof(struct conf, attestation.tpm) },
	{ .key = "pcrs", .set = set_pcrs, .off = offsetof(struct conf, attestation.pcrs) },
	{ 0 },
};

static const struct conf_field escrow_fields[] = {
	{ .key = "recipient", .set = conf_set_path, .off = offsetof(struct conf, escrow.recipient) },
	{ 0 },
};

static const struct conf_field users_fields[] = {
	{ .key = "proxy", .set = set_user, .off = offsetof(struct conf, proxy) },
	{ .key = "notary", .set = set_user, .off = offsetof(struct conf, notary) },
	{ .key = "query", .set = set_user, .off = offsetof(struct conf, query) },
	{ 0 },
};

static const struct conf_field limits_fields[] = {
	{ .key = "message_bytes", .set = conf_set_bytes, .off = offsetof(struct conf, limits.message_bytes),
	  .min = 64u << 10, .max = 256u << 20,
	  .why = "ordinary lists of tools need the lower bound, a proxy's memory the upper" },
	{ .key = "connections", .set = conf_set_count, .off = offsetof(struct conf, limits.connections),
	  .min = 16, .max = 65536, .why = "each costs two descriptors of a proxy" },
	{ .key = "conversations", .set = conf_set_count,
	  .off = offsetof(struct conf, limits.conversations), .min = 16, .max = 65536,
	  .why = "each costs up to 16 KiB of a proxy and four descriptors over stdio" },
	{ .key = "list_pages", .set = conf_set_count, .off = offsetof(struct conf, limits.list_pages),
	  .min = 1, .max = 10000, .why = "a server that never ends its list must end somewhere" },
	{ .key = "log_segment_bytes", .set = conf_set_bytes,
	  .off = offsetof(struct conf, limits.log_segment_bytes), .min = 1u << 20, .max = 4ull << 30,
	  .why = "small ones cost a file each, large ones cannot be taken away" },
	{ 0 },
};

static const struct conf_field http_fields[] = {
	{ .key = "connect_timeout", .set = conf_set_millis, .off = offsetof(struct conf, http.connect_ms),
	  .min = 100, .max = 120 * 1000, .why = "time for a server to accept a connection" },
	{ .key = "header_timeout", .set = conf_set_millis, .off = offsetof(struct conf, http.header_ms),
	  .min = 100, .max = 300 * 1000, .why = "time for a client to send its request head" },
	{ .key = "body_timeout", .set = conf_set_millis, .off = offsetof(struct conf, http.body_ms),
	  .min = 100, .max = 300 * 1000, .why = "time without a byte of the request's body" },
	{ .key = "request_timeout", .set = conf_set_millis, .off = offsetof(struct conf, http.request_ms),
	  .min = 1000, .max = 24 * 3600 * 1000, .why = "time without a byte of the answer" },
	{ .key = "idle_timeout", .set = conf_set_millis, .off = offsetof(struct conf, http.idle_ms),
	  .min = 1000, .max = 24 * 3600 * 1000, .why = "time a kept-alive connection may wait" },
	{ 0 },
};

static const struct conf_field names_fields[] = {
	{ .key = "resolve", .set = conf_set_enum, .off = offsetof(struct conf, names.resolve),
	  .why = "own or agent", .more = resolve_names },
	{ .key = "servers", .set = conf_set_servers, .off = offsetof(struct conf, names.servers) },
	{ 0 },
};

static const struct conf_field top_fields[] = {
	{ .key = "node", .set = conf_set_name, .off = offsetof(struct conf, node) },
	{ .key = "mode", .set = conf_set_enum, .off = offsetof(struct conf, mode),
	  .why = "enforcing, advisory or silent", .more = mode_names },
	{ .key = "enforcement", .set = conf_set_enum, .off = offsetof(struct conf, enforcement),
	  .why = "enforce, enforce-partial or observe", .more = enforcement_names },
	{ .key = "durability", .set = conf_set_enum, .off = offsetof(struct conf, durability),
	  .why = "ring, written or synced", .more = durability_names },
	{ .key = "state_dir", .set = conf_set_path, .off = offsetof(struct conf, state_dir) },
	{ .key = "run_dir", .set = conf_set_path, .off = offsetof(struct conf, run_dir) },
	{ .key = "policy", .set = set_policy, .max = POLICY_MAX, .why = ".cedar files or folders" },
	{ .key = "container_stores", .set = set_stores, .max = STORES_MAX, .why = "folders of container engines" },
	{ .key = "catalog", .set = conf_set_path, .off = offsetof(struct conf, catalog) },
	{ .key = "proxies", .set = conf_set_count, .off = offsetof(struct conf, proxies), .max = 256,
	  .why = "more than one a core gains nothing" },
	{ .key = "users", .set = conf_set_map, .more = users_fields },
	{ .key = "attestation", .set = conf_set_map, .more = attestation_fields },
	{ .key = "audit_group", .set = conf_set_text, .off = offsetof(struct conf, audit_group) },
	{ .key = "escrow", .set = conf_set_map, .more = escrow_fields },
	{ .key = "audit_queries", .set = conf_set_enum, .off = offsetof(struct conf, audit_queries),
	  .why = "unrecorded or recorded", .more = audit_queries_names },
	{ .key = "retention", .set = conf_set_seconds, .off = offsetof(struct conf, retention_s),
	  .min = 3600, .max = 36500ull * 86400, .why = "records must live long enough to be read" },
	{ .key = "limits", .set = conf_set_map, .more = limits_fields },
	{ .key = "http", .set = conf_set_map, .more = http_fields },
	{ .key = "names", .set = conf_set_map, .more = names_fields },
	{ .key = "agents", .set = conf_set_agents },
	{ 0 },
};

static char *host_name(void)
{
	char name[64] = { 0 };

	if (gethostname(name, sizeof(name) - 1) < 0 || !conf_name_ok(name))
		return strdup("node");
	return strdup(name);
}

static int set_list(char ***list, unsigned *n, const char *const *values)
{
	for (; *values; values++) {
		char **grown = conf_grow(*list, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*list = grown;
		grown[*n - 1] = strdup(*values);
		if (!grown[*n - 1])
			return -ENOMEM;
	}
	return 0;
}

static int default_lists(struct conf *c)
{
	static const char *const policy[] = { "/etc/tollgate/policy.d", NULL };
	static const char *const stores[] = { "/var/lib/containers/storage", "/run/containers/storage",
					      "/var/lib/docker/containers",
					      "/run/containerd/io.containerd.runtime.v2.task/k8s.io",
					      "/run/containerd/io.containerd.runtime.v2.task/moby", NULL };
	int r = set_list(&c->policy, &c->npolicy, policy);

	return r < 0 ? r : set_list(&c->container_stores, &c->ncontainer_stores, stores);
}

int conf_set_defaults(struct conf *c)
{
	c->mode = CONF_MODE_ENFORCING;
	c->enforcement = CONF_ENFORCE_PARTIAL;
	c->durability = CONF_DURABILITY_RING;
	c->node = host_name();
	c->state_dir = strdup("/var/lib/tollgate");
	c->run_dir = strdup("/run/tollgate");
	c->catalog = strdup("/etc/tollgate/catalog.json");
	c->proxy.name = strdup("_tollgate-proxy");
	c->notary.name = strdup("_tollgate-notary");
	c->query.name = strdup("_tollgate-query");
	c->audit_group = strdup("tollgate-audit");
	c->audit_gid = (gid_t)-1;
	/* The firmware's code and the keys that it lets boot. The others change with every kernel update, and
	 * the key would be lost with each. */
	c->attestation.pcrs = 1u << 0 | 1u << 7;
	c->limits.message_bytes = 16u << 20;
	c->limits.connections = 4096;
	c->limits.conversations = 1024;
	c->limits.list_pages = 1000;
	c->limits.log_segment_bytes = 64u << 20;
	c->http.connect_ms = 10 * 1000;
	c->http.header_ms = 30 * 1000;
	c->http.body_ms = 30 * 1000;
	c->http.request_ms = 300 * 1000;
	c->http.idle_ms = 300 * 1000;
	if (!c->node || !c->state_dir || !c->run_dir || !c->catalog || !c->proxy.name ||
	    !c->notary.name || !c->query.name || !c->audit_group)
		return -ENOMEM;
	return default_lists(c);
}

static int add_warnings(struct conf *c, bool enforcement_said)
{
	int r = 0;

	if (!enforcement_said)
		r = conf_warn(c, "enforcement is not set: starting as enforce-partial, which accepts "
				 "kernel rows that stay open (see `tollgate status`); set it to enforce "
				 "to refuse that, or to enforce-partial to accept it knowingly");
	if (r == 0 && c->enforcement == CONF_OBSERVE && c->mode == CONF_MODE_ENFORCING)
		r = conf_warn(c, "enforcement is observe: nothing is refused or stopped in the kernel, "
				 "so mode enforcing denies only what happens to pass through");
	if (r == 0 && c->mode != CONF_MODE_ENFORCING)
		r = conf_warn(c, "mode is %s: policy denies nothing", mode_names[c->mode]);
	if (r == 0 && c->names.resolve == CONF_RESOLVE_AGENT)
		r = conf_warn(c, "names.resolve is agent: agents may send anything to any name server, and a "
				 "connection is judged by the name that it shows, wherever it goes");
	if (r == 0 && c->nagents == 0)
		r = conf_warn(c, "no agents: nothing is enrolled");
	return r;
}

int conf_read_tree(struct conf *c, const struct tree_node *root, struct conf_error *e)
{
	struct conf_read r = { .c = c, .e = e };
	bool agents = false, enforcement = false;
	int q;

	if (!root)
		return conf_fail(e, -EINVAL, c->file, 0, 0, "the file is empty");
	q = conf_read_map(&r, root, top_fields, c);
	if (q < 0)
		return q;
	for (const struct tree_node *n = root->first; n; n = n->next) {
		agents |= strcmp(n->key, "agents") == 0;
		enforcement |= strcmp(n->key, "enforcement") == 0;
	}
	/* A file cut short must not mean "no agents". */
	if (!agents)
		return conf_node_fail(&r, root, "agents is missing; write 'agents: []' for none");
	if (strcmp(c->state_dir, c->run_dir) == 0)
		return conf_node_fail(&r, root, "state_dir and run_dir must differ");
	if (strcmp(c->proxy.name, c->notary.name) == 0 || strcmp(c->proxy.name, c->query.name) == 0 ||
	    strcmp(c->notary.name, c->query.name) == 0)
		return conf_node_fail(&r, root, "users: proxy, notary and query must differ, or one "
						"role could reach into another");
	q = add_warnings(c, enforcement);
	return q < 0 ? conf_fail(e, q, c->file, 0, 0, "out of memory") : 0;
}

DEFINE_CLEANUP(struct tree_node *, tree_free)

int conf_parse(const char *file, const char *text, size_t len, struct conf *ret,
	       struct conf_error *ret_error)
{
	_cleanup_(tree_free_p) struct tree_node *root = NULL;
	struct conf c = { 0 };
	int r;

	r = tree_parse(file, text, len, &root, ret_error);
	if (r < 0)
		return r;
	c.file = strdup(file);
	r = c.file ? conf_set_defaults(&c) : -ENOMEM;
	if (r < 0)
		(void)conf_fail(ret_error, r, file, 0, 0, "out of memory");
	else
		r = conf_read_tree(&c, root, ret_error);
	if (r < 0) {
		conf_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

int conf_load(const char *path, struct conf *ret, struct conf_error *ret_error)
{
	_cleanup_close_ int fd = conf_open_checked(path, ret_error);
	_cleanup_buf_ struct buf text = { 0 };
	struct conf c = { 0 };
	int r;

	if (fd < 0)
		return fd;
	r = file_read_fd(fd, TREE_BYTES_MAX, &text);
	if (r < 0)
		return conf_fail(ret_error, r, path, 0, 0, "read: %s", strerror(-r));
	r = conf_parse(path, buf_span(&text).p, buf_len(&text), &c, ret_error);
	if (r == 0)
		r = conf_resolve(&c, ret_error);
	if (r < 0) {
		conf_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

int conf_default(struct conf *ret, struct conf_error *ret_error)
{
	static const char text[] = "enforcement: enforce-partial\nagents: []\n";

	return conf_parse("built-in configuration", text, sizeof(text) - 1, ret, ret_error);
}

void conf_list_free(char **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

static void agent_done(struct conf_agent *a)
{
	free(a->name);
	free(a->sponsor);
	conf_list_free(a->groups, a->ngroups);
	free(a->exe);
	free(a->exe_real);
	free(a->script);
	free(a->script_real);
	free(a->uid_name);
	free(a->cgroup);
	free(a->manifest);
	free(a->manifest_key);
	free(a->unit);
	free(a->image);
	conf_list_free(a->labels, a->nlabels);
}

void conf_free(struct conf *c)
{
	free(c->file);
	free(c->node);
	free(c->state_dir);
	free(c->run_dir);
	conf_list_free(c->policy, c->npolicy);
	conf_list_free(c->container_stores, c->ncontainer_stores);
	free(c->catalog);
	free(c->proxy.name);
	free(c->notary.name);
	free(c->query.name);
	free(c->audit_group);
	free(c->attestation.tpm);
	free(c->escrow.recipient);
	free(c->names.servers);
	for (unsigned i = 0; i < c->nagents; i++)
		agent_done(&c->agents[i]);
	free(c->agents);
	conf_list_free(c->warnings, c->nwarnings);
	memset(c, 0, sizeof(*c));
}

const struct conf_agent *conf_agent_find(const struct conf *c, const char *name)
{
	for (unsigned i = 0; i < c->nagents; i++)
		if (strcmp(c->agents[i].name, name) == 0)
			return &c->agents[i];
	return NULL;
}
