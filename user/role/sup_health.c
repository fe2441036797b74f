// SPDX-License-Identifier: Apache-2.0
/*
 * Whether the node does what it says, asked every second rather than assumed: links, pins, scopes, the other roles,
 * lost events. What was found wrong is recorded once when it is sure and once more when it is over; `tollgate status`
 * looks for itself at the moment it is asked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/cleanup.h"
#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/enrol/place.h"
#include "user/kern/cgroup.h"
#include "user/kern/events.h"
#include "user/kern/kern.h"
#include "user/kern/scope.h"
#include "user/kern/stdio.h"
#include "user/role/sup.h"

#define SAMPLE_TICKS 10 /* seconds between two looks at the proxies' counters, the grain of the rates */
#define LIMIT_TICKS 60 /* seconds between two records of one limit: a record tells, a thousand hide others */

/* It ends on an operator's terminal, and users choose names of cgroups. */
static void without_controls(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

/* --- what happened lately -------------------------------------------------------------------------- */

void sup_recent_add(struct supervisor *s, const char *kind, const char *text)
{
	struct sup_recent *r = &s->health.recent[s->health.nrecent++ % SUP_RECENT_MAX];

	r->real_ns = clock_real_ns();
	(void)snprintf(r->kind, sizeof(r->kind), "%s", kind);
	(void)snprintf(r->text, sizeof(r->text), "%s", text);
	without_controls(r->text);
}

static void on_log(enum log_level level, const char *text, void *arg)
{
	sup_recent_add(arg, level == LOG_LEVEL_ERR ? "error" : "warning", text);
}

/* --- a look at everything ---------------------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) found(struct sup_problems *p, const char *fmt, ...)
{
	va_list ap;

	if (p->n == SUP_PROBLEMS_MAX)
		return; /* this many are reason enough */
	va_start(ap, fmt);
	(void)vsnprintf(p->text[p->n], sizeof(p->text[0]), fmt, ap);
	va_end(ap);
	without_controls(p->text[p->n++]);
}

static int by_id(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Whether the cgroup or one above it has links. */
static bool is_attached(const char *dir, const uint64_t *ids, unsigned n)
{
	char at[PATH_MAX];
	uint64_t id;

	(void)snprintf(at, sizeof(at), "%s", dir);
	while (cgroup_relative(at) && cgroup_id(at, &id) == 0) {
		if (bsearch(&id, ids, n, sizeof(id), by_id))
			return true;
		*strrchr(at, '/') = '\0';
	}
	return false;
}

/* Scopes whose links have vanished, folder and all: no pin is left that kern_verify() could find wrong. An inner scope
 * is held by the links of the outer one. */
static void look_at_scopes(struct supervisor *s, struct sup_problems *p)
{
	_cleanup_free_ uint64_t *ids = NULL;
	const struct place *at;
	unsigned n = 0, have = 0;

	if (kern_scope_attached(s->kern, NULL, 0, &n) < 0)
		return; /* kern_verify() says so */
	ids = calloc(n + 1, sizeof(*ids));
	if (!ids || kern_scope_attached(s->kern, ids, n, &have) < 0)
		return;
	n = have < n ? have : n;
	qsort(ids, n, sizeof(*ids), by_id);
	for (unsigned i = 0; (at = places_at(s->places, i)); i++)
		if (!at->outer && !bsearch(&at->id, ids, n, sizeof(*ids), by_id) && !is_attached(at->dir, ids, n))
			found(p, "the links of %s are gone", at->dir);
}

static void look_at_kernel(struct supervisor *s, struct sup_problems *p)
{
	const char *what = "?";
	int r = kern_verify(s->kern, &what);

	if (r == -ENOLINK)
		found(p, "kernel program %s is no longer attached, or its pin is gone", what);
	else if (r < 0)
		found(p, "the pins of the kernel programs cannot be read: %s", err_text(r));
	if (places_at(s->places, 0) && !kern_stdio_attached(s->kern))
		found(p, "the programs that see stdio are not attached, and agents are in scope");
	look_at_scopes(s, p);
}

static void look_at_roles(struct supervisor *s, struct sup_problems *p)
{
	if (!s->notary || !s->notary_there)
		found(p, "the notary is down: nothing can be recorded, so nothing passes");
	if (!s->query)
		found(p, "the query process is down: the audit socket does not answer");
	for (unsigned i = 0; i < s->nproxies; i++) {
		const struct sup_proxy *x = &s->proxies[i];

		if (!x->channel)
			found(p, "proxy %u is down: its agents' connections wait", i);
		else if (!x->committed || !x->recording)
			found(p, "proxy %u is not ready: it has no %s yet", i, x->committed ? "log" : "policy");
	}
}

void sup_health_look(struct supervisor *s, struct sup_problems *ret)
{
	ret->n = 0;
	look_at_kernel(s, ret);
	look_at_roles(s, ret);
	if (*s->canary.problem)
		found(ret, "%s", s->canary.problem);
}

/* --- every second ------------------------------------------------------------------------------------ */

/* Two looks in a row: a scope or a role that is on its way out is not a fault. */
static void judge(struct supervisor *s)
{
	struct sup_health *h = &s->health;
	struct sup_problems now;

	sup_health_look(s, &now);
	h->bad_looks = now.n ? h->bad_looks + 1 : 0;
	if (h->bad_looks == 2 && !h->red) {
		h->red = true;
		for (unsigned i = 0; i < now.n; i++) {
			log_err(0, "health: %s", now.text[i]);
			sup_record_node(s, "health_lost", now.text[i]);
		}
	} else if (h->bad_looks == 0 && h->red) {
		h->red = false;
		log_info("health: all is as it should be again");
		sup_record_node(s, "health_restored", "links, pins, scopes and processes are as they should be again");
	}
}

/* Losses that the rings know of are the supervisor's to tell; these are the others. */
static void look_for_missing(struct supervisor *s)
{
	int64_t missing = kern_events_missing(s->events);
	char reason[128];

	if (missing <= 0)
		return;
	s->health.events_gap += (uint64_t)missing;
	(void)snprintf(reason, sizeof(reason), "%" PRId64 " kernel events have a number and never came", missing);
	log_err(0, "health: %s", reason);
	sup_record_node(s, "events_gap", reason);
	sup_enrol_rescan(s);
	sup_stdio_rescan(s);
}

/* Counters that only grow when something could not be done as it should. */
static void look_at_limits(struct supervisor *s)
{
	static const enum tg_stat watched[] = { TG_STAT_FLOW_FULL, TG_STAT_STREAM_FULL, TG_STAT_LABEL_LOST,
						TG_STAT_EXEC_FAILED };
	struct sup_health *h = &s->health;
	uint64_t now[TG_STAT_MAX_];
	char reason[96];

	if (kern_stats(s->kern, now) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(watched); i++) {
		enum tg_stat w = watched[i];

		if (h->stats_known && now[w] > h->stats[w]) {
			(void)snprintf(reason, sizeof(reason), "%s grew by %" PRIu64 ": denied or killed for it",
				       kern_stat_name(w), now[w] - h->stats[w]);
			log_warn("health: %s", reason);
			sup_record_node(s, "limit_reached", reason);
		}
	}
	memcpy(h->stats, now, sizeof(now));
	h->stats_known = true;
}

/* --- how much is judged ------------------------------------------------------------------------------ */

/* A proxy that was started anew counts from zero. */
static uint64_t grown(uint64_t before, uint64_t now)
{
	return now >= before ? now - before : now;
}

int sup_health_counts(struct supervisor *s, struct sup_proxy *p, const struct ipc_msg *m)
{
	const struct msg_counts *c = m->body;
	struct msg_counts *sum = &s->health.total;

	if (m->len != sizeof(*c))
		return -EBADMSG;
	sum->judged += grown(p->counts.judged, c->judged);
	sum->denied += grown(p->counts.denied, c->denied);
	sum->unrecorded += grown(p->counts.unrecorded, c->unrecorded);
	p->counts = *c;
	return sup_control_answer(s, m->cookie, (struct span){ 0 });
}

static void sample(struct supervisor *s)
{
	struct sup_health *h = &s->health;

	h->samples[h->nsamples++ % SUP_SAMPLES] = (struct sup_sample){
		.mono_ns = clock_mono_ns(), .judged = h->total.judged, .denied = h->total.denied };
	for (unsigned i = 0; i < s->nproxies; i++)
		if (s->proxies[i].channel)
			(void)ipc_send(s->proxies[i].channel, MSG_COUNTS, 0, NULL, 0, NULL, 0);
}

void sup_health_rates(const struct supervisor *s, struct sup_sample *ret)
{
	const struct sup_health *h = &s->health;
	unsigned n = h->nsamples < SUP_SAMPLES ? h->nsamples : SUP_SAMPLES;
	const struct sup_sample *oldest = n ? &h->samples[(h->nsamples - n) % SUP_SAMPLES] : NULL;

	*ret = (struct sup_sample){ 0 };
	if (!oldest)
		return;
	ret->mono_ns = clock_mono_ns() - oldest->mono_ns;
	ret->judged = h->total.judged - oldest->judged;
	ret->denied = h->total.denied - oldest->denied;
}

/* --- start, tick ------------------------------------------------------------------------------------- */

void sup_health_start(struct supervisor *s)
{
	s->health.started_ns = clock_real_ns();
	log_watch(on_log, s);
}

void sup_health_tick(struct supervisor *s)
{
	struct msg_flag alive;

	look_for_missing(s);
	judge(s);
	if (s->ticks % LIMIT_TICKS == 1)
		look_at_limits(s);
	if (s->ticks % SAMPLE_TICKS == 0)
		sample(s);
	sup_control_tick(s);
	/* Last: whoever hangs above is not alive. */
	alive = (struct msg_flag){ .value = !s->health.red };
	(void)ipc_send(s->keeper, MSG_ALIVE, 0, &alive, sizeof(alive), NULL, 0);
}
