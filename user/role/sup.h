/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_SUP_H
#define TOLLGATE_SUP_H

/*
 * The supervisor's parts and what they share; not for other roles.
 *
 *	supervisor.c  start, signals, order of things
 *	sup_members   channels to the other roles, set-up
 *	sup_ring      the rings that records go by
 *	sup_owner     who owns a loopback server
 *	sup_policy    policy and catalog: read, offer to all proxies, commit together
 *	sup_numbers   which number an agent has
 *	sup_enrol     execs that a selector matches, scopes
 *	sup_container agents that are containers
 *	sup_listen    the listeners of the scopes
 *	sup_stdio     takeovers: look, take, hand over, release or kill
 *	sup_server    which process is the server, which the host
 *	sup_running   agents and conversations from before the start
 *	sup_stray     servers that stand still for a takeover nobody knows of any more
 *	sup_control   the control socket's verbs
 *	sup_canary    a connection as an agent's, every few seconds
 *	sup_health    looks every second whether all is as it should be
 *	sup_cage      when servers are confined, and what the log says of it
 *	sup_record    the node's own records
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/base/buf.h"
#include "user/conf/conf.h"
#include "user/enrol/listener.h"
#include "user/enrol/place.h"
#include "user/notary/chain.h"
#include "user/notary/record.h"
#include "user/role/ipc.h"
#include "user/role/msg.h"

struct cage;
struct container;
struct control;
struct control_peer;
struct fan;
struct kern;
struct kern_events;
struct kern_selector;
struct loop;
struct loop_io;
struct loop_timer;
struct programs;
struct recorder;
struct snapshot;

#define SUP_PROXIES_MAX 64
#define SUP_PRODUCERS_MAX (SUP_PROXIES_MAX + 1) /* 0: the supervisor itself */
#define SUP_SNAPSHOT_FDS 4 /* policies, agents, catalog, pins */
#define SUP_TICK_NS 1000000000ull /* heartbeat of the exec guard, sweeps */

struct sup_proxy {
	struct supervisor *sup;
	unsigned index;
	struct ipc *channel; /* NULL while it is down */
	bool offered; /* has the epoch on offer and has not answered */
	bool committed; /* judges by the node's epoch */
	bool recording;
	int escrow_fd; /* its present file; -1: none */
	pid_t pid;
	bool earlier; /* runs the program from before an upgrade */
	unsigned idle; /* looks at an earlier one that saw no conversation, in a row */
	struct msg_counts counts; /* as of its last answer */
};

struct sup_ring {
	int ring, wake, progress; /* -1: not made yet */
	bool told; /* the notary has it */
	bool instanced; /* instance holds the key of the producer's present life */
	struct msg_instance instance;
};

/* An agent's listeners in one network namespace. */
struct sup_listener {
	struct sup_listener *next;
	uint32_t agent;
	struct listener l;
};

/* One set of files, read and understood, that is or may become the node's epoch. */
struct sup_set {
	uint64_t epoch;
	int fds[SUP_SNAPSHOT_FDS];
	bool has_pins;
	struct snapshot *snap;
};

#define SUP_OWNERS 64

/* A process that was found to be the only holder of a listening socket. */
struct sup_owner {
	uint64_t ino; /* of the socket; 0: none */
	uint64_t since;
	pid_t pid;
};

#define SUP_PROBLEMS_MAX 16
#define SUP_RECENT_MAX 16
#define SUP_SAMPLES 7 /* of ten seconds: the rates are over a minute */

/* What is not as it should be, in words. */
struct sup_problems {
	unsigned n;
	char text[SUP_PROBLEMS_MAX][256];
};

/* Something an operator would want to know when asking what happened. */
struct sup_recent {
	uint64_t real_ns;
	char kind[32]; /* reason code of a node record, "error" or "warning" */
	char text[224];
};

struct sup_sample {
	uint64_t mono_ns, judged, denied;
};

struct sup_health {
	uint64_t started_ns; /* real */
	bool red; /* as recorded */
	unsigned bad_looks; /* in a row */
	uint64_t events_lost, events_gap;
	bool stats_known;
	uint64_t stats[TG_STAT_MAX_];
	struct msg_counts total; /* of all proxies there were; without sessions */
	struct sup_sample samples[SUP_SAMPLES]; /* the last ones, round and round */
	unsigned nsamples;
	struct sup_recent recent[SUP_RECENT_MAX]; /* the same */
	unsigned nrecent;
};

/* What is known by trying. */
struct sup_canary {
	struct ipc *channel; /* NULL while it is down */
	pid_t pid;
	char daemon_dir[PATH_MAX], dir[PATH_MAX]; /* the roles' cgroup, and its own */
	struct listener bait, own; /* where it connects to, and where that must arrive */
	uint32_t serial;
	bool awaits; /* an answer to serial */
	unsigned silent; /* tries without one, in a row */
	uint64_t tries, passed;
	char problem[128]; /* of the last try; "": none */
};

struct supervisor {
	struct loop *loop;
	struct loop_timer *tick, *look_timer;
	struct ipc *keeper;
	const char *config;
	struct conf conf;
	bool ready, stopping;
	bool leaving; /* for a supervisor of another program, once no takeover is under way */
	unsigned leave_ticks;

	struct kern *kern;
	struct kern_events *events;
	struct loop_io *events_io;
	struct places *places;
	struct fan *fan;
	struct programs *programs;
	uint64_t ticks, instances;
	uint64_t fence_told; /* reasons (bits by enum tg_stat) that the fence's record named since the last tick */
	unsigned unused_ticks; /* since no scope needs the programs that see system calls */
	struct sup_listener *listeners;
	bool listeners_refused; /* one that was kept is not what its name says */

	unsigned nproxies;
	struct sup_proxy proxies[SUP_PROXIES_MAX];
	struct ipc *notary, *query, *query_scope, *query_evidence, *query_asked;
	struct ipc *injector; /* the spare; NULL while there is none */
	struct ipc *taking; /* the injector that has the last takeover; NULL once it is gone */
	int audit_fd;
	uint8_t escrow_key[SHA256_SIZE]; /* X25519, of the payloads' recipient where one is configured */
	struct msg_notary_up notary_up;
	bool notary_there, rings_made;
	bool notary_awaited; /* it cannot open the log for want of room */
	struct sup_ring rings[SUP_PRODUCERS_MAX];
	struct msg_setup setup;

	struct sup_set current, offered;
	struct control_peer *reloading; /* who waits for the outcome of the offer */
	struct control_peer *rotating; /* who waits for another log key */

	struct control *control;
	struct sup_question *questions; /* control requests that wait for other roles */

	struct sup_owner owners[SUP_OWNERS]; /* by the socket's number */

	struct sup_job *jobs; /* takeovers, oldest first */
	struct sup_caged *caged; /* servers that were confined or refused at their exec */
	uint64_t last_cookie;

	struct sup_health health;
	struct sup_canary canary;

	struct recorder *recorder;
	struct loop_io *progress_io;
	struct chain chain;
	bool chain_open, record_awaited;
};

/* --- supervisor.c */
/* Whether this kernel closes what the configuration's enforcement demands; 0, or -errno, said. */
int sup_fence_check(struct supervisor *s);
void sup_fence_record(struct supervisor *s);
/* How many ways out of a scope are closed, in words. Whether all are. */
bool sup_fence_tell(struct supervisor *s, char *ret, size_t size);
void sup_fence_event(struct supervisor *s, const struct tg_event *e);

/* Everything is there that the node needs to enforce: tells keeper and users, once. */
void sup_check_ready(struct supervisor *s);
/* Leaves if that is due: a takeover has ended, or a second. */
void sup_leave(struct supervisor *s);
/* Ends the node with this status. */
void sup_exit(struct supervisor *s, int status);

/* --- sup_evidence.c */
/* A new channel on which the query role asks for evidence; *ret_fd is the role's end, the caller's. */
int sup_evidence_channel(struct supervisor *s, int *ret_fd);
int sup_evidence_answer(struct supervisor *s, struct ipc_msg *m);

/* --- sup_escrow.c; nothing of it does anything where no recipient is configured */
/* Reads the recipient's key. 0 or -errno, said. */
int sup_escrow_read(struct supervisor *s);
/* Gives a proxy a file for payloads, before it records. 0 or -errno, said. */
int sup_escrow_offer(struct supervisor *s, struct sup_proxy *p);
void sup_escrow_tick(struct supervisor *s);

/* --- sup_asked.c */
/* A new channel on which the query role has questions recorded; *ret_fd is the role's end, the caller's. */
int sup_asked_channel(struct supervisor *s, int *ret_fd);
int sup_asked_answer(struct supervisor *s, const struct ipc_msg *m);

/* --- sup_members.c */
int sup_members_start(struct supervisor *s);
int sup_from_keeper(struct supervisor *s, struct ipc_msg *m);
/* Proxies that do not record yet, such as for want of a file for payloads, are given what they need once more. */
void sup_members_again(struct supervisor *s);
/* Asks a notary that could not open the log to try again. */
void sup_notary_again(struct supervisor *s);
/* Ends proxies of the program before an upgrade, as each comes to have no conversation. */
void sup_members_tick(struct supervisor *s);
/* Channel of the proxy that serves an agent, or NULL while it is down. */
struct ipc *sup_proxy_of(struct supervisor *s, uint32_t agent);
/* The same, or NULL while it has no policy or no log yet: what it accepted then, it could only refuse. */
struct ipc *sup_proxy_that_judges(struct supervisor *s, uint32_t agent);
/* The keeper holds fd (borrowed) under that name, over any role's death, until sup_unkeep(). */
void sup_keep(struct supervisor *s, const char *key, int fd);
void sup_unkeep(struct supervisor *s, const char *key);

/* --- sup_ring.c */
/* Makes what a producer's ring still lacks. 0 or -errno. */
int sup_ring_make(struct supervisor *s, unsigned producer);
/* fd becomes part of a ring, if the name is that of one; -ENOENT when it is not, -EBADMSG when of none there can be. */
int sup_ring_take_back(struct supervisor *s, const char *key, int fd);
int sup_ring_tell_notary(struct supervisor *s, unsigned producer);
/* Once the notary is there and the ring's key is. */
void sup_ring_tell_proxy(struct supervisor *s, struct sup_proxy *p);

/* --- sup_owner.c */
struct msg_owner_is sup_owner_of(struct supervisor *s, const struct msg_owner *q);

/* --- sup_policy.c */
/* Reads the configured files into a set; text is the reason when it fails. */
int sup_set_read(struct supervisor *s, uint64_t epoch, struct sup_set *ret, struct buf *text);
void sup_set_done(struct sup_set *set);
/* Offers a set to one proxy (with the node's epoch) or all (a new one). */
int sup_offer_current(struct supervisor *s, struct sup_proxy *p);
void sup_reload(struct supervisor *s, struct control_peer *asker);
int sup_snapshot_done(struct supervisor *s, struct sup_proxy *p, const struct ipc_msg *m);
/* A proxy went: it counts as a "no" to an offer. */
void sup_offer_lost(struct supervisor *s, struct sup_proxy *p);

/* --- sup_numbers.c */
/* Brings the configuration's agents into the order of the numbers that they had. 0 or -errno. */
int sup_numbers_settle(struct supervisor *s);
/* Keeps the order for whoever comes next, before a number is used. 0 or -errno. */
int sup_numbers_keep(struct supervisor *s);
/* Nothing bears a number any more. */
void sup_numbers_forget(struct supervisor *s);
/* One that is configured no more: nobody comes to be it. */
bool sup_agent_is_former(const struct conf_agent *a);

/* --- sup_enrol.c */
int sup_enrol_start(struct supervisor *s);
void sup_enrol_event(struct supervisor *s, const struct tg_event *e);
/* Stopped execs whose events were lost or came while no supervisor was there. */
void sup_enrol_rescan(struct supervisor *s);
/* Brings a process into an agent's scope by hand. 0 or -errno. */
int sup_enrol_process(struct supervisor *s, pid_t pid, unsigned agent_index, const char *why);
/* The same for a process that ran before the node did, with everything below it. */
void sup_enrol_running(struct supervisor *s, pid_t pid, unsigned agent_index);

/* The container that a cgroup (below the cgroup2 mount) belongs to, when some agent is selected by its container. 1:
 * found, to be released with container_done(); 0: none that is known; -errno. */
int sup_container_of(struct supervisor *s, const char *cgroup, struct container *ret);
/* The directory of the cgroup of the container that a process lives in. -ENOENT: it is in none. */
int sup_container_scope(pid_t pid, char ret[static PATH_MAX]);
/* Whose the cgroup of a stopped process is has been decided: further execs there go on. */
void sup_container_settle(struct supervisor *s, const struct proc_identity *p);
void sup_enrol_tick(struct supervisor *s);
void sup_enrol_stop(struct supervisor *s);

/* --- sup_listen.c */
/* A listener for the agent in the process's network namespace, made when there is none. 0 or -errno. */
int sup_listen_for(struct supervisor *s, pid_t pid, uint32_t agent);
/* fd becomes a listener, if the name is that of one; -ENOENT, -EBADMSG, -ENOMEM. */
int sup_listener_take_back(struct supervisor *s, const char *key, int fd);
/* All were given back: if one is not what its name says, none is taken, and those in scope get others. */
void sup_listen_settle(struct supervisor *s);
/* The same for one proxy: while it does not listen, connections wait in the kernel. */
void sup_listen_pause(struct supervisor *s, struct ipc *proxy);
/* Hands a proxy what its agents have, once it judges: until then their connections wait in the kernel. */
void sup_listen_tell_proxy(struct supervisor *s, struct sup_proxy *p);
/* Closes the agent's listeners. */
void sup_listen_end(struct supervisor *s, uint32_t agent);
/* At the start: tells the kernel of those that were kept, and makes what those in scope miss. 0 or -errno. */
int sup_listen_again(struct supervisor *s);

/* --- sup_stdio.c */
void sup_stdio_event(struct supervisor *s, const struct tg_event *e);
/* Streams that wait for a look whose events were lost, or that an earlier supervisor left. */
void sup_stdio_rescan(struct supervisor *s);
/* Whether pid stands still for one of our takeovers: 0; 1; 2 when it is a server that is sure to be taken over, and
 * goes on when that is through. */
int sup_stdio_accounts_for(const struct supervisor *s, pid_t pid);
/* A conversation that was under way before anything was followed; agent counts from 1. 0 or -ENOSPC. */
int sup_stdio_take_running(struct supervisor *s, pid_t server, uint32_t agent);
int sup_stdio_looked(struct supervisor *s, const struct ipc_msg *m);
int sup_stdio_verdict(struct supervisor *s, const struct ipc_msg *m);
int sup_stdio_taken(struct supervisor *s, struct ipc_msg *m);
/* Has a server confined that stands at its exec, and then lets it go. Takes the cage. 0 or -ENOSPC. */
int sup_stdio_confine(struct supervisor *s, pid_t server, uint64_t ticks, uint32_t agent, struct cage *cage);
void sup_stdio_injector(struct supervisor *s); /* a spare injector is there */
/* The injector that had the last takeover is gone, and everything that it said has been heard. */
void sup_stdio_injector_gone(struct supervisor *s);
void sup_stdio_look_again(struct supervisor *s);
/* The proxy that some jobs wait for is gone: their servers must not stay stopped. */
void sup_stdio_proxy_lost(struct supervisor *s);

/* --- sup_cage.c */
#define SUP_CAGE_SELECTORS 256 /* programs that are stopped at exec; servers of more are confined at their takeover */

/* Whether a cage is to be put on: not where the node only watches. */
bool sup_cage_holds(const struct supervisor *s, const struct cage *cage);
/* What a takeover is to do with it, for struct msg_takeover, and MSG_CAGE behind that. */
uint32_t sup_cage_order(const struct supervisor *s, const struct cage *cage);
int sup_cage_send(struct supervisor *s, uint64_t cookie, const struct cage *cage);
/* Orders the spare injector to confine, and nothing else. 0 or -errno, said. */
int sup_cage_send_only(struct supervisor *s, uint64_t cookie, pid_t pid, uint64_t ticks, const struct cage *cage);
/* The programs of servers that are to be confined. ret has room for SUP_CAGE_SELECTORS; how many. */
size_t sup_cage_selectors(const struct supervisor *s, struct kern_selector *ret);
/* A process in scope stands at its first instruction. True when it is a server that is confined, or kept, before it
 * goes on: it is let go here then, or killed. */
bool sup_cage_at_exec(struct supervisor *s, pid_t pid);
/* What is known of a server that is about to be taken over: from its exec, or found out now. ret is initialised. */
void sup_cage_at_takeover(struct supervisor *s, pid_t pid, struct cage *ret);
/* A server was confined at its exec; cage is copied. */
void sup_cage_put_on(struct supervisor *s, pid_t pid, uint64_t ticks, const struct cage *cage);
void sup_cage_tick(struct supervisor *s);
void sup_cage_stop(struct supervisor *s);
#define SUP_CAGE_DETAILS 4
/* For a record of a spawn: how the server was let start. kv has room for SUP_CAGE_DETAILS; how many were filled. */
unsigned sup_cage_details(const struct supervisor *s, const struct cage *cage, struct record_kv *kv);

/* --- sup_server.c */
/* Who reads, or will read, a held stream that is MCP. 0; -EAGAIN: it does not show yet, and who was stopped runs on;
 * -ENOENT: the stream is gone. ret_ticks is its start, as /proc/PID/stat has it. */
int sup_server_of(struct supervisor *s, uint64_t key, pid_t *ret, uint64_t *ret_ticks);
/* The host of a server whose input is that object. */
pid_t sup_server_host(pid_t server, mode_t type, uint64_t ino);

/* --- sup_running.c */
/* Agents that ran before Tollgate did: brings them into scope, takes over the conversations with servers that the
 * catalog knows, and follows the others. */
void sup_running_scan(struct supervisor *s);

/* --- sup_stray.c */
/* Kills whoever in a scope, but the host, could still read from this object: a pipe, or the server's end of a socket.
 * LIMIT: not the readers of a named pipe. */
void sup_stray_kill_readers(struct supervisor *s, mode_t type, uint64_t ino, pid_t host);
/* Kills servers that stand still for a takeover of which nothing is known any more. */
void sup_stray_kill(struct supervisor *s);

/* --- sup_control.c */
int sup_control_start(struct supervisor *s);
bool sup_in_scope(struct supervisor *s, pid_t pid);
int sup_control_answer(struct supervisor *s, uint64_t cookie, struct span json);
/* The notary's answer to the order for another log key; NULL: it is gone. */
int sup_rotated(struct supervisor *s, const struct ipc_msg *m);
/* Answers what has waited too long for a role that does not. */
void sup_control_tick(struct supervisor *s);

/* --- sup_canary.c */
/* Its scope and listeners; the process is the keeper's to start. daemon_dir: cgroup of the roles. 0 or -errno. */
int sup_canary_start(struct supervisor *s, const char *daemon_dir);
void sup_canary_stop(struct supervisor *s);
/* It is there: brought into its scope before it is asked for anything. */
void sup_canary_up(struct supervisor *s, pid_t pid);
int sup_canary_tried(struct supervisor *s, const struct ipc_msg *m);
void sup_canary_tick(struct supervisor *s);

/* --- sup_health.c */
void sup_health_start(struct supervisor *s);
void sup_health_tick(struct supervisor *s);
/* Looks now. */
void sup_health_look(struct supervisor *s, struct sup_problems *ret);
int sup_health_counts(struct supervisor *s, struct sup_proxy *p, const struct ipc_msg *m);
/* What was judged and denied in the last minute or less; mono_ns is how long that was. */
void sup_health_rates(const struct supervisor *s, struct sup_sample *ret);
void sup_recent_add(struct supervisor *s, const char *kind, const char *text);

/* --- sup_record.c */
/* Begins the node's own session, if it can be. A log that takes no record now may do so later: until then the node is
 * not ready, and nothing passes. */
int sup_record_start(struct supervisor *s);
void sup_record_init(struct record *rec, enum record_type type, enum record_decision d);
/* Records; failure is logged and returned: what depends on the record must not happen then. */
int sup_record(struct supervisor *s, struct record *rec);
void sup_record_node(struct supervisor *s, const char *code, const char *reason);
void sup_record_stop(struct supervisor *s);

#endif
