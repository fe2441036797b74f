// SPDX-License-Identifier: Apache-2.0
/*
 * Which server of the catalog is this process, or this endpoint? Runs in the proxy, which sees no
 * files: what is compared was read at takeover. A server matches wholly or not at all; of several
 * near misses the nearest gives the reason.
 */
#include "user/mcp/catalog_impl.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/proc/identity.h"

/* How far a comparison came. */
enum step {
	STEP_NONE,
	STEP_COMMAND,
	STEP_ARGS,
	STEP_LOADER,
	STEP_DIGEST,
	STEP_SAME,
};

struct attempt {
	enum step step;
	char reason[256];
};

__attribute__((format(printf, 3, 4)))
static enum step miss(struct attempt *a, enum step step, const char *fmt, ...)
{
	va_list ap;

	a->step = step;
	va_start(ap, fmt);
	vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
	for (char *p = a->reason; *p; p++) /* paths and arguments are the other side's */
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
	return step;
}

#define SHOWN(s) (int)((s).n < 80 ? (s).n : 80), (s).p

static bool args_same(const struct catalog *c, const struct catalog_server *s,
		      const struct proc_identity *id)
{
	unsigned k = 1;
	const char *arg;

	for (uint32_t i = tape_first(&c->tape, s->args); i != TAPE_NONE; i = tape_next(&c->tape, s->args, i)) {
		arg = proc_identity_arg(id, k++);
		if (!arg || !span_is(tape_text(&c->tape, i), arg))
			return false;
	}
	return !proc_identity_arg(id, k);
}

/* The digest covers measure_target: the script, or else the image. */
static enum step compare_digest(const struct catalog_server *s, const struct proc_identity *id,
				struct attempt *a, struct catalog_match *m)
{
	const uint8_t *digest = id->exe_digest;
	bool measured = id->exe_measured, script = false;
	char text[SHA256_PREFIXED_SIZE];
	const char *path = id->exe;

	if (s->measure_target.n && !span_is(s->measure_target, id->exe)) {
		if (!id->script[0] || !span_is(s->measure_target, id->script))
			return miss(a, STEP_DIGEST, "measure_target %.*s is neither the program nor its script",
				    SHOWN(s->measure_target));
		digest = id->script_digest;
		measured = id->script_measured;
		path = id->script;
		script = true;
	}
	m->measured = false;
	m->script_unmeasured = id->script[0] && !script;
	a->reason[0] = '\0';
	a->step = STEP_SAME;
	if (!s->has_digest) {
		miss(a, STEP_SAME, "the catalog has no digest of this server");
		return STEP_SAME;
	}
	if (!measured)
		return miss(a, STEP_DIGEST, "%.160s could not be measured", path);
	sha256_prefixed(digest, text);
	if (memcmp(digest, s->binary_digest, SHA256_SIZE) != 0)
		return miss(a, STEP_DIGEST, "%.120s has digest %s, the catalog another", path, text);
	m->measured = true;
	return STEP_SAME;
}

static enum step compare(const struct catalog *c, const struct catalog_server *s,
			 const struct proc_identity *id, struct attempt *a, struct catalog_match *m)
{
	if (s->command.n && s->command.p[0] != '/')
		return miss(a, STEP_NONE, "command %.*s of server %.*s is not an absolute path",
			    SHOWN(s->command), SHOWN(s->name));
	if (!id->exe[0] || !span_is(s->command, id->exe))
		return miss(a, STEP_NONE, "no server of the catalog runs %.200s", id->exe);
	if (id->args_truncated)
		return miss(a, STEP_ARGS, "the arguments are too long to compare");
	if (!args_same(c, s, id))
		return miss(a, STEP_COMMAND, "no server of the catalog runs %.120s with these arguments",
			    id->exe);
	if (id->loader[0])
		return miss(a, STEP_LOADER, "variables that change what is loaded are set: %.180s", id->loader);
	return compare_digest(s, id, a, m);
}

void catalog_server_find_stdio(const struct catalog *c, const struct proc_identity *id,
			       struct catalog_match *ret)
{
	struct attempt best = { 0 };

	*ret = (struct catalog_match){ 0 };
	if (!id || !proc_identity_valid(id)) {
		snprintf(ret->reason, sizeof(ret->reason), "the process could not be identified");
		return;
	}
	miss(&best, STEP_NONE, "no server of the catalog runs %.200s", id->exe);
	for (unsigned i = 0; i < c->server_n; i++) {
		struct attempt a = { 0 };

		if (c->server[i].transport != CATALOG_STDIO)
			continue;
		if (compare(c, &c->server[i], id, &a, ret) == STEP_SAME) {
			ret->server = &c->server[i];
			memcpy(ret->reason, a.reason, sizeof(ret->reason));
			return;
		}
		if (a.step > best.step)
			best = a;
	}
	ret->measured = ret->script_unmeasured = false;
	memcpy(ret->reason, best.reason, sizeof(ret->reason));
}

/* An address in its binary form, so that spellings do not matter; false for a name. */
static bool address_of(struct span s, struct in6_addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr four;

	if (s.n == 0 || s.n >= sizeof(text) || memchr(s.p, '\0', s.n))
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	if (inet_pton(AF_INET, text, &four) != 1)
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->s6_addr[10] = ret->s6_addr[11] = 0xff;
	memcpy(ret->s6_addr + 12, &four, sizeof(four));
	return true;
}

static bool name_eq(struct span a, struct span b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool is_loopback(struct span host)
{
	struct in6_addr a;

	if (name_eq(host, SPAN("localhost")))
		return true;
	return address_of(host, &a) && (IN6_IS_ADDR_LOOPBACK(&a) ||
					(IN6_IS_ADDR_V4MAPPED(&a) && a.s6_addr[12] == 127));
}

static bool endpoint_same(const struct catalog_server *s, const struct catalog_http_target *t)
{
	struct in6_addr a, b;

	if (s->transport == CATALOG_STDIO || s->tls != t->tls || s->port != t->port)
		return false;
	if (t->path.p && !span_eq(s->path, t->path))
		return false;
	/* where the bytes go decides, not what the request calls it: one port of the loopback is
	 * one server */
	if (t->loopback || is_loopback(s->host))
		return t->loopback && is_loopback(s->host) && is_loopback(t->host);
	if (address_of(s->host, &a) && address_of(t->host, &b))
		return memcmp(&a, &b, sizeof(a)) == 0;
	return name_eq(s->host, t->host);
}

/* A loopback port may be anyone's, so the listener must be the program that the catalog names. */
static bool owner_same(const struct catalog *c, const struct catalog_server *s,
		       const struct catalog_http_target *t, struct catalog_match *ret)
{
	struct attempt a = { 0 };
	bool same = false;

	if (!t->owner || !proc_identity_valid(t->owner))
		miss(&a, STEP_NONE, "the owner of the listening socket is not known");
	else if (!s->has_spawn)
		miss(&a, STEP_NONE, "server %.*s listens on loopback and has no spawn in the catalog",
		     SHOWN(s->name));
	else
		same = compare(c, s, t->owner, &a, ret) == STEP_SAME;
	memcpy(ret->reason, a.reason, sizeof(ret->reason));
	return same;
}

void catalog_server_find_http(const struct catalog *c, const struct catalog_http_target *t,
			      struct catalog_match *ret)
{
	*ret = (struct catalog_match){ 0 };
	for (unsigned i = 0; i < c->server_n; i++) {
		const struct catalog_server *s = &c->server[i];

		if (!endpoint_same(s, t))
			continue;
		if (!t->loopback || owner_same(c, s, t, ret)) {
			ret->server = s;
			return;
		}
	}
	ret->measured = ret->script_unmeasured = false;
	if (!ret->reason[0])
		snprintf(ret->reason, sizeof(ret->reason), "no server of the catalog is at %s%.*s:%u%.*s",
			 t->tls ? "https://" : "http://", SHOWN(t->host), t->port, SHOWN(t->path));
	for (char *p = ret->reason; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}
