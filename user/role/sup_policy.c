// SPDX-License-Identifier: Apache-2.0
/*
 * Policy and catalog of the node. The supervisor reads the operator's files, understands them itself first, and
 * offers them to all proxies; only when every one of them has understood them too do they take effect, at
 * once everywhere. A bad set changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/agent_manifest.h"
#include "attest/identity_make.h"
#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/json_out.h"
#include "user/base/log.h"
#include "user/gate/bundle.h"
#include "user/gate/snapshot.h"
#include "user/role/control.h"
#include "user/role/sup.h"

#define POLICY_FILE_MAX (16u << 20)
#define CATALOG_FILE_MAX (32u << 20)
#define PINS_SUFFIX ".pins.json"

static int read_checked(const char *path, size_t max, struct buf *ret, struct buf *text)
{
	struct conf_error e = { 0 };
	_cleanup_close_ int fd = conf_open_checked(path, &e);
	int r;

	if (fd < 0) {
		(void)buf_append_str(text, e.text);
		return fd;
	}
	r = file_read_fd(fd, max, ret);
	if (r < 0)
		(void)buf_printf(text, "%s: read: %s", path, err_text(r));
	return r;
}

static int pack_policies(struct supervisor *s, struct buf *ret, struct buf *text)
{
	struct conf_error e = { 0 };
	char **files;
	unsigned n;
	int r = conf_policy_files(&s->conf, &files, &n, &e);

	if (r < 0) {
		(void)buf_append_str(text, e.text);
		return r;
	}
	for (unsigned i = 0; i < n && r >= 0; i++) {
		_cleanup_buf_ struct buf one = { 0 };

		r = read_checked(files[i], POLICY_FILE_MAX, &one, text);
		if (r >= 0)
			r = bundle_add_str(ret, files[i]);
		if (r >= 0)
			r = bundle_add(ret, buf_span(&one));
	}
	conf_list_free(files, n);
	return r;
}

/* A manifest that does not bind is an error at its file: claims would otherwise lack it unnoticed. */
static int read_manifest(const struct conf_agent *a, struct manifest_identity *ret, struct buf *text)
{
	_cleanup_buf_ struct buf manifest = { 0 };
	uint8_t key[ED25519_KEY_SIZE];
	const char *why = "";
	int r = read_checked(a->manifest, MANIFEST_MAX, &manifest, text);

	if (r < 0)
		return r;
	if (hex_decode(a->manifest_key, strlen(a->manifest_key), key, sizeof(key)) < 0)
		return -EINVAL;
	r = manifest_identity_read(buf_span(&manifest), key, (int64_t)(clock_real_ns() / 1000000000u), ret, &why);
	if (r < 0)
		(void)buf_printf(text, "%s: bind agent %s to its manifest: %s", a->manifest, a->name,
				 r == -EINVAL ? why : err_text(r));
	return r;
}

static int pack_agent(const struct conf_agent *a, struct buf *ret, struct buf *text)
{
	struct snapshot_agent packed = {
		.name = a->name, .sponsor = a->sponsor, .exe = a->exe_real ? a->exe_real : a->exe,
		.groups = a->groups, .ngroups = a->ngroups,
		.uid = a->uid == CONF_UID_ANY ? -1 : (int64_t)a->uid,
	};
	struct manifest_identity id;
	int r;

	if (a->manifest) {
		r = read_manifest(a, &id, text);
		if (r < 0)
			return r;
		packed.manifest[SNAPSHOT_MANIFEST_AGENT] = id.agent_id;
		packed.manifest[SNAPSHOT_MANIFEST_CATALOG] = id.catalog_hash;
		packed.manifest[SNAPSHOT_MANIFEST_ID] = id.manifest_id;
		packed.manifest[SNAPSHOT_MANIFEST_ISSUER] = id.issuer;
		packed.manifest[SNAPSHOT_MANIFEST_KEY] = id.issuer_key_id;
		packed.manifest[SNAPSHOT_MANIFEST_POLICY] = id.policy_hash;
	}
	return snapshot_pack_agent(ret, &packed);
}

static int pack_agents(const struct supervisor *s, struct buf *ret, struct buf *text)
{
	int r = 0;

	for (unsigned i = 0; i < s->conf.nagents && r >= 0; i++)
		r = pack_agent(&s->conf.agents[i], ret, text);
	return r;
}

/* catalog.json -> catalog.pins.json, as `tollgate catalog` writes it. */
static int pins_path(const char *catalog, char **ret)
{
	size_t n = strlen(catalog);

	if (n > 5 && strcmp(catalog + n - 5, ".json") == 0)
		n -= 5;
	return asprintf(ret, "%.*s" PINS_SUFFIX, (int)n, catalog) < 0 ? -ENOMEM : 0;
}

static int read_pins(const char *path, struct buf *ret, struct buf *text, bool *ret_has)
{
	*ret_has = access(path, F_OK) == 0;
	return *ret_has ? read_checked(path, CATALOG_FILE_MAX, ret, text) : 0;
}

void sup_set_done(struct sup_set *set)
{
	for (unsigned i = 0; i < SUP_SNAPSHOT_FDS; i++) {
		if (set->snap && set->fds[i] >= 0)
			close(set->fds[i]);
		set->fds[i] = -1;
	}
	snapshot_unref(set->snap);
	set->snap = NULL;
}

static int seal_set(struct sup_set *set, const struct buf part[SUP_SNAPSHOT_FDS])
{
	static const char *const names[] = { "policies", "agents", "catalog", "pins" };

	for (unsigned i = 0; i < SUP_SNAPSHOT_FDS; i++) {
		struct span s = buf_span(&part[i]);

		set->fds[i] = memfd_sealed(names[i], s.p, s.n);
		if (set->fds[i] < 0)
			return set->fds[i];
	}
	return 0;
}

int sup_set_read(struct supervisor *s, uint64_t epoch, struct sup_set *ret, struct buf *text)
{
	struct buf part[SUP_SNAPSHOT_FDS] = { 0 };
	struct sup_set set = { .epoch = epoch, .fds = { -1, -1, -1, -1 } };
	_cleanup_free_ char *pins = NULL;
	int r = pack_policies(s, &part[0], text);

	if (r >= 0)
		r = pack_agents(s, &part[1], text);
	if (r >= 0)
		r = read_checked(s->conf.catalog, CATALOG_FILE_MAX, &part[2], text);
	if (r >= 0)
		r = pins_path(s->conf.catalog, &pins);
	if (r >= 0)
		r = read_pins(pins, &part[3], text, &set.has_pins);
	if (r >= 0) {
		struct snapshot_input in = {
			.epoch = epoch, .policies = buf_span(&part[0]), .agents = buf_span(&part[1]),
			.catalog = buf_span(&part[2]), .catalog_name = s->conf.catalog, .pins_name = pins,
		};

		if (set.has_pins)
			in.pins = buf_span(&part[3]);
		r = snapshot_new(&in, text, &set.snap);
	}
	if (r >= 0)
		r = seal_set(&set, part);
	for (unsigned i = 0; i < SUP_SNAPSHOT_FDS; i++)
		buf_done(&part[i]);
	if (r < 0) {
		sup_set_done(&set);
		if (buf_len(text) == 0)
			(void)buf_append_str(text, err_text(r));
		return r;
	}
	*ret = set;
	return 0;
}

static int offer(struct sup_proxy *p, const struct sup_set *set)
{
	struct msg_snapshot m = { .epoch = set->epoch, .has_pins = set->has_pins };
	int r;

	if (!p->channel)
		return -EPIPE;
	r = ipc_send(p->channel, MSG_SNAPSHOT, 0, &m, sizeof(m), set->fds, SUP_SNAPSHOT_FDS);
	if (r >= 0)
		p->offered = true;
	return r;
}

int sup_offer_current(struct supervisor *s, struct sup_proxy *p)
{
	return offer(p, &s->current);
}

static void tell_all(struct supervisor *s, uint32_t type, uint64_t epoch)
{
	struct msg_epoch e = { epoch };

	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel)
			(void)ipc_send(s->proxies[i].channel, type, 0, &e, sizeof(e), NULL, 0);
}

static void answer_reload(struct supervisor *s, const char *failure)
{
	_cleanup_buf_ struct buf text = { 0 };
	struct control_peer *asker = take_ptr(s->reloading);
	struct json_out j;

	if (!asker)
		return;
	if (failure) {
		control_refuse(asker, "policy and catalog", "reload", failure);
		return;
	}
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_member_str(&j, "done", "policy and catalog reloaded");
	json_out_member_int(&j, "epoch", (int64_t)s->current.epoch);
	json_out_member_str(&j, "policy_hash", s->current.snap->policy_hash);
	json_out_member_str(&j, "catalog_hash", s->current.snap->catalog_hash);
	json_out_object_end(&j);
	(void)json_out_end(&j);
	control_reply(asker, buf_span(&text));
}

static void give_up(struct supervisor *s, const char *why)
{
	_cleanup_buf_ struct buf text = { 0 };

	tell_all(s, MSG_SNAPSHOT_ABORT, s->offered.epoch);
	sup_set_done(&s->offered);
	(void)buf_printf(&text, "%s; the old policy and catalog stay in force", why);
	log_warn("reload policy and catalog: %s", buf_cstr(&text));
	sup_record_node(s, "reload_failed", buf_cstr(&text));
	answer_reload(s, buf_cstr(&text));
}

void sup_reload(struct supervisor *s, struct control_peer *asker)
{
	_cleanup_buf_ struct buf text = { .limit = 65536 };

	if (s->offered.snap || !s->current.snap) {
		if (asker)
			control_refuse(asker, "policy and catalog", "reload", "another reload is under way");
		return;
	}
	s->reloading = asker;
	if (sup_set_read(s, s->current.epoch + 1, &s->offered, &text) < 0) {
		give_up(s, buf_cstr(&text) ? buf_cstr(&text) : "out of memory");
		return;
	}
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel && offer(&s->proxies[i], &s->offered) < 0) {
			give_up(s, "a proxy could not be reached");
			return;
		}
}

static bool all_answered(const struct supervisor *s)
{
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel && s->proxies[i].offered)
			return false;
	return true;
}

static void commit(struct supervisor *s)
{
	struct record rec;

	/* The epoch's facts are in the log before the first message is judged by them. */
	sup_record_init(&rec, RECORD_POLICY_LOAD, RECORD_NA);
	rec.policy_epoch = rec.catalog_epoch = (int64_t)s->offered.epoch;
	rec.reason = SPAN("policy and catalog reloaded");
	if (sup_record(s, &rec) < 0) {
		give_up(s, "the log takes no record");
		return;
	}
	tell_all(s, MSG_SNAPSHOT_COMMIT, s->offered.epoch);
	sup_set_done(&s->current);
	s->current = s->offered;
	s->offered = (struct sup_set){ .fds = { -1, -1, -1, -1 } };
	log_info("policy and catalog: epoch %llu in force",
		 (unsigned long long)s->current.epoch);
	answer_reload(s, NULL);
}

int sup_snapshot_done(struct supervisor *s, struct sup_proxy *p, const struct ipc_msg *m)
{
	const struct msg_snapshot_done *d = m->body;
	struct msg_epoch e;
	int r;

	if (m->len != sizeof(*d) || !msg_string_ok(d->text, sizeof(d->text)))
		return -EBADMSG;
	p->offered = false;
	if (d->epoch == s->current.epoch && !p->committed) { /* a proxy that has just started */
		if (d->error < 0)
			return log_err(-EBADMSG, "proxy %u refuses the policy in force: %s",
				       p->index, d->text);
		e.epoch = d->epoch;
		p->committed = true;
		sup_check_ready(s);
		r = ipc_send(p->channel, MSG_SNAPSHOT_COMMIT, 0, &e, sizeof(e), NULL, 0);
		sup_listen_tell_proxy(s, p);
		return r;
	}
	if (!s->offered.snap || d->epoch != s->offered.epoch)
		return 0; /* about an offer that was taken back */
	if (d->error < 0)
		give_up(s, *d->text ? d->text : err_text(d->error));
	else if (all_answered(s))
		commit(s);
	return 0;
}

void sup_offer_lost(struct supervisor *s, struct sup_proxy *p)
{
	bool was = p->offered;

	p->offered = p->committed = false;
	if (was && s->offered.snap)
		give_up(s, "a proxy ended while it read them");
}
