/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef TOLLGATE_BPF_ABI_H
#define TOLLGATE_BPF_ABI_H

/*
 * Records, map keys and map values that kernel programs and user space share. Kernel programs
 * include vmlinux.h before this file. Every struct is laid out without implicit padding (the
 * asserts below), so a key compares as bytes. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; ports
 * are in host order; times are CLOCK_MONOTONIC ns unless named start (CLOCK_BOOTTIME ns of the
 * thread group's start). A layout change raises TG_ABI_VERSION, which is part of the pin
 * directory's name.
 */
#ifndef __bpf__
#include <linux/types.h>
#endif

#define TG_ABI_VERSION 7

/* --- scope ------------------------------------------------------------------------------------ */

/* Label of a task, and the value of the cgroup map: whose scope it is. agent 0 is no scope. */
struct tg_label {
	__u32 agent; /* innermost agent */
	__u32 outer; /* topmost enclosing agent; 0 when not nested */
	__u32 flags; /* user space's, carried along */
	__u32 pad;
	__u64 instance; /* which enrolment; chosen by user space */
};

/* The agent of the daemon's own canary: no configured one has this number. */
#define TG_AGENT_CANARY 0xffffffffu

/* One line of the scope iterator: a thread group leader that has a label. */
struct tg_scope_task {
	__u32 tgid;
	__u32 ppid;
	__u64 start;
	struct tg_label label;
};

/* --- steering --------------------------------------------------------------------------------- */

/* getsockopt() on an accepted socket: level SOL_IP. The value is struct tg_origin, length exact. A
 * socket that was not steered, or whose record was lost, gives ENOENT and must be closed. */
#define TG_SOL 0
#define TG_SO_ORIGIN 0x7467

enum {
	TG_ORIGIN_MAPPED = 1 << 0, /* an IPv4 destination reached through an IPv6 socket */
	TG_ORIGIN_CGROUP = 1 << 1, /* the agent is known by cgroup only: the task had no label */
};

struct tg_origin {
	__u8 dst[16];
	__u16 port;
	__u8 family; /* 4 or 6: the family of the address below the mapping */
	__u8 flags;
	__u32 tgid;
	__u32 tid;
	__u32 uid;
	__u32 agent;
	__u32 outer;
	__u64 instance;
	__u64 start;
	__u64 connect_ns;
	__u64 cgroup; /* of the connecting task */
	__u64 netns; /* cookie */
	__u64 exe_ino;
	__u32 exe_dev; /* as in struct tg_file_key */
	__u32 via; /* port of ours that it was steered to */
};

struct tg_flow_key {
	__u64 netns;
	__u8 src[16];
	__u16 sport; /* of the connecting socket */
	__u16 dport; /* of our listener */
	__u32 pad;
};

struct tg_listener_key {
	__u64 netns;
	__u32 agent;
	__u32 pad;
};

/* The ports are for connections, and for datagrams to name servers. */
struct tg_listener {
	__u16 port4; /* on 127.0.0.1; 0: none */
	__u16 port6; /* on ::1; 0: none */
};

/* Of packets that a scope's programs sent to its listener: what else comes to a datagram's socket is not an agent's.
 * Only who may change the machine's network can set it otherwise. */
#define TG_NAMES_MARK 0x74676e73

struct tg_port_key {
	__u64 netns;
	__u32 port;
	__u32 pad;
};

/* --- exec guard ------------------------------------------------------------------------------- */

/* A file as the kernel sees it: super block device (major << 20 | minor) and inode number. */
struct tg_file_key {
	__u64 ino;
	__u32 dev;
	__u32 pad;
};

enum tg_selector_kind {
	TG_SEL_EXE = 1, /* a = dev, b = ino */
	TG_SEL_SCRIPT, /* a = dev, b = ino of the interpreter, c = FNV-1a 64 of an argument's
			* base name */
	TG_SEL_NAME, /* a = dev, b = ino of a directory, c = FNV-1a 64 of a name in it */
	TG_SEL_UID, /* a = real uid */
	TG_SEL_CGROUP, /* a = cgroup id; its descendants match too */
	TG_SEL_LOADER, /* user space's word for an entry TG_SEL_EXE with TG_SELF_LOADER */
	TG_SEL_SIZE, /* a = bytes of a program: a file of that size without a name may be its copy */
	TG_SEL_CONTAINER, /* no members: containers of some kind are agents, see the map containers */
	TG_SEL_SERVER, /* a = dev, b = ino of a program that servers with a declaration run: only inside of scopes */
	TG_SEL_KIND_MAX_,
};

struct tg_selector_key {
	__u32 epoch;
	__u32 kind;
	__u64 a, b, c;
};

enum {
	TG_SELF_ARGS = 1 << 0, /* TG_SEL_EXE: TG_SEL_SCRIPT entries of it exist; agent may be 0 */
	TG_SELF_LOADER = 1 << 1, /* TG_SEL_EXE: it runs another program, which its arguments name; agent may be 0 */
};

struct tg_selector {
	__u32 agent;
	__u32 flags;
};

#define TG_ARGV_BYTES 4096 /* of the argument area that is searched for a script */
#define TG_FNV_BASIS 14695981039346656037ull
#define TG_FNV_PRIME 1099511628211ull

enum {
	TG_STATE_CLOSED = 1 << 0, /* kill instead of stop, whatever the heartbeat says */
	TG_STATE_UDP_DNS = 1 << 1, /* UDP to port 53 passes */
	TG_STATE_UDP_ANY = 1 << 2, /* every UDP passes */
	TG_STATE_OBSERVE = 1 << 3, /* what steering and fence would refuse is told, and passes */
	TG_STATE_NAMES = 1 << 4, /* UDP to port 53 is steered */
};

/* The one entry of the state map. User space writes the first five members only. */
struct tg_state {
	__u64 heartbeat; /* written every second by the supervisor */
	__u64 stale_ns; /* older than this is no supervisor */
	__u64 daemon_cgroup; /* whose tasks may continue a stopped task; 0: none */
	__u32 epoch; /* of the selectors in force */
	__u32 flags; /* TG_STATE_ */
	__u32 readers; /* entries in the map of readers' objects */
	__u32 unlabelled; /* entries in the map of children whose label could not be stored */
	__u64 seq; /* last stream number */
	__u64 swept; /* when dead streams were last dropped */
};

enum tg_stop_kind {
	TG_STOP_EXEC = 1, /* an exec that a selector matches */
	TG_STOP_STDIO, /* a server that must not act before its takeover */
};

/* A process that our programs stopped, keyed by tgid. Whoever else continues it kills it. */
struct tg_stopped {
	__u64 start;
	__u64 since;
	__u64 stream; /* TG_STOP_STDIO: key of the stream */
	__u32 kind;
	__u32 agent; /* TG_STOP_EXEC: of the selector */
};

/* --- stdio ------------------------------------------------------------------------------------ */

#define TG_HEAD_BYTES 4096 /* of a stream that are kept */
#define TG_CHUNK 256 /* copied and searched at once */
#define TG_SCAN_BYTES (256 * 1024) /* of one call that are searched */
#define TG_SEGMENTS 16 /* of one call's iovec that are followed */

enum {
	TG_STREAM_INPUT = 1 << 0, /* some process has it as fd 0: a candidate server's input */
	TG_STREAM_TRIGGERED = 1 << 1, /* an event was due; not searched until released */
	TG_STREAM_HELD = 1 << 2,
	TG_STREAM_PREFILLED = 1 << 3, /* bytes were queued before it was followed: peek */
	TG_STREAM_UNKNOWN = 1 << 4, /* bytes went by that could not be read: peek */
	TG_STREAM_HEAD_GAP = 1 << 5, /* the head copy is not the whole beginning */
	TG_STREAM_COUNT_GAP = 1 << 6, /* written is a lower bound */
	TG_STREAM_COMPAT = 1 << 7, /* written by a 32-bit system call */
	TG_STREAM_LOST = 1 << 8, /* the ring was full: no event went out for it */
	TG_STREAM_TAKEN_GAP = 1 << 9, /* the copy of what was read is not the whole */
	TG_STREAM_TRACED = 1 << 10, /* its reader was killed: a tracer could have continued it */
	TG_STREAM_UNSEARCHED = 1 << 11, /* while held it was read by a 32-bit call: nobody knows what its reader has */
	TG_STREAM_CAUSE = 1 << 12, /* held for something that went by, not only for what lay in it before */
};

/* A named pipe's key: this bit, 23 bits of device, 40 bits of inode number. */
#define TG_KEY_NAMED (1ull << 63)
#define TG_KEY_INO_MASK ((1ull << 40) - 1)

/* State of the line parser; see scan.h. */
struct tg_scan {
	__u32 state;
	__u32 depth;
};

/*
 * A byte stream, keyed by the inode number of the object its writer holds (a pipe, or the writer's
 * end of a socket pair). As the input of a server it carries the candidate; as its output it points
 * back to it.
 */
struct tg_stream {
	__u64 inode; /* address of the writer's object, only to see whether it is still there */
	__u64 read_inode; /* the same of the reader's */
	__u64 id; /* grows; tells a re-used inode number from the one before */
	__u64 created;
	__u64 written; /* bytes that write calls accepted since it is followed */
	__u64 read_key; /* object the other side reads from: pipe: the same; socket: the peer */
	/* as output: */
	__u64 out_of; /* key of the input stream of the server that writes here; 0: none */
	/* as input (TG_STREAM_INPUT): */
	__u64 out_key; /* key of the stream the server writes to */
	__u64 server_start;
	__u64 host_start;
	__u32 server_tgid; /* the last process that executed with it as fd 0 */
	__u32 host_tgid; /* the last writer, before the first write the parent */
	__u32 mode0, mode1; /* of fd 0 and fd 1 */
	__u32 agent, outer;
	__u32 flags; /* TG_STREAM_ */
	__u32 writers; /* calls under way */
	struct tg_scan scan; /* of what is written, after the last call */
	struct tg_scan read_scan; /* of what is read */
	__u32 head_len;
	__u32 taken_len; /* of the bytes in taken, copied */
	__u64 taken; /* bytes that readers have of the line under way, and all that they read while held */
};

/* The room behind the copy lets a whole chunk start at any offset below TG_HEAD_BYTES. */
struct tg_head {
	__u8 data[TG_HEAD_BYTES + TG_CHUNK];
};

/* What the holder iterator looks for: the reading end of one object, the writing end of another. */
struct tg_sought {
	__u64 ino[2]; /* 0: the server's input, 1: its output; equal when one socket serves both */
	__u32 type[2]; /* S_IFIFO or S_IFSOCK */
};

/* A line of the holder iterator: a descriptor that refers to a sought object. */
struct tg_holding {
	__u32 tgid;
	__u32 tid; /* another than tgid: of a thread with a table of its own, or behind an ended leader */
	__u32 fd;
	__u32 which; /* index in struct tg_sought; 0 for one socket that serves both */
	__u32 flags; /* of the description, with O_CLOEXEC of the descriptor */
	__u32 ends; /* pipe: how many descriptions can read (which 0) or write (1) it; socket: 0 */
	__u64 file; /* tells descriptions apart */
	__u64 table; /* tells descriptor tables apart */
	__u64 refs; /* to the description, from wherever: tables, messages under way, io_uring, calls */
};

/* --- events ----------------------------------------------------------------------------------- */

enum tg_event_type {
	TG_EV_EXEC = 1, /* ring events */
	TG_EV_CONNECT,
	TG_EV_TRIGGER, /* ring stdio_events */
	TG_EV_UNFOLLOWED,
	TG_EV_FENCE, /* ring events */
};

enum {
	TG_EXEC_STOPPED = 1 << 0,
	TG_EXEC_KILLED = 1 << 1,
	TG_EXEC_NESTED = 1 << 2, /* inside another agent's scope */
	TG_EXEC_TRACED = 1 << 3, /* killed because a tracer could continue it */
	TG_EXEC_STALE = 1 << 4, /* killed because no supervisor answers */
	TG_EXEC_FAILED = 1 << 5, /* the signal could not be sent */
	TG_EXEC_CONTINUED = 1 << 6, /* a stranger (ppid) continued a stopped process (tgid) */
	TG_EXEC_UNSURE = 1 << 7, /* agent 0: what it runs was not seen (too many arguments, a loader, a file without
				  * a name); user space matches */
	TG_EXEC_SERVER = 1 << 8, /* in scope, and may be a server that is to be confined before it runs */
};

enum tg_trigger_why {
	TG_WHY_KEYWORD = 1, /* "jsonrpc" in a JSON line */
	TG_WHY_ESCAPE, /* a \u escape in a JSON line: may spell it */
	TG_WHY_UNREADABLE, /* a fault, or too many bytes or pieces in one call */
	TG_WHY_OPAQUE, /* splice, tee, vmsplice, sendfile, sendmmsg */
	TG_WHY_RACE, /* two writers at once inside a JSON line */
	TG_WHY_PREFILLED, /* bytes were queued at exec */
	TG_WHY_COMPAT, /* a 32-bit system call */
	TG_WHY_READ, /* found in what a reader got, though not in what was seen written */
};

struct tg_event {
	__u64 ts;
	__u64 seq; /* per ring, counts lost ones too: a gap is a loss */
	__u32 type;
	__u32 tgid; /* current task's */
	__u64 start;
	union {
		struct { /* TG_EV_EXEC */
			__u32 flags; /* TG_EXEC_ */
			__u32 agent; /* of the selector */
			__u32 in_agent, in_outer; /* of the label */
			__u32 kind; /* enum tg_selector_kind */
			__u32 uid;
			__u64 exe_ino;
			__u32 exe_dev;
			__u32 ppid;
			__u64 cgroup;
		} exec;
		struct { /* TG_EV_CONNECT: refused */
			__u8 dst[16];
			__u16 port;
			__u16 family;
			__u32 reason; /* enum tg_stat */
			__u32 agent, outer;
			__u32 uid;
			__u32 protocol;
			__u64 netns;
		} connect;
		struct { /* TG_EV_FENCE: refused or killed */
			__u32 reason; /* enum tg_stat, of the fence */
			__u32 agent, outer;
			__u32 uid;
			__s64 what; /* by reason: address family, port, device or signal number; else 0 */
		} fence;
		struct { /* TG_EV_TRIGGER, TG_EV_UNFOLLOWED */
			__u64 key; /* of the input stream; TG_EV_UNFOLLOWED: the inode number */
			__u64 id;
			__u32 why; /* enum tg_trigger_why */
			__u32 from_server; /* the server's own output triggered */
			__u32 server_tgid;
			__u32 host_tgid;
			__u64 server_start;
			__u32 agent, outer;
			__u32 stop_error; /* errno of stopping the server at once, 0 when it was */
			__u32 pad;
		} stdio;
		__u64 room[8];
	};
};

/* --- counters (per CPU) ----------------------------------------------------------------------- */

enum tg_stat {
	TG_STAT_CONNECT_STEERED = 0,
	TG_STAT_CONNECT_NO_SCOPE,
	TG_STAT_CONNECT_NO_LISTENER,
	TG_STAT_CONNECT_NO_STORAGE,
	TG_STAT_CONNECT_SELF,
	TG_STAT_CONNECT_PROTOCOL,
	TG_STAT_CONNECT_UDP_ALLOWED,
	TG_STAT_FLOW_INSERTED,
	TG_STAT_FLOW_FULL,
	TG_STAT_FLOW_TAKEN,
	TG_STAT_FLOW_MISSING,
	TG_STAT_FLOW_NO_STORAGE,
	TG_STAT_FLOW_ABORTED,
	TG_STAT_LABEL_INHERITED,
	TG_STAT_LABEL_LATE, /* storage failed at fork; kept beside and applied later */
	TG_STAT_LABEL_LOST, /* not even that: the child is killed */
	TG_STAT_EXEC_STOPPED,
	TG_STAT_EXEC_KILLED,
	TG_STAT_EXEC_FAILED,
	TG_STAT_EXEC_ARGV_UNREAD,
	TG_STAT_CONTINUED_KILLED,
	TG_STAT_CONTINUED_ALIVE, /* left to user space */
	TG_STAT_EVENT_LOST,
	TG_STAT_STDIO_EVENT_LOST,
	TG_STAT_STREAM_NEW,
	TG_STAT_STREAM_FULL,
	TG_STAT_STREAM_GONE, /* dropped because its object is gone */
	TG_STAT_STDIO_TRIGGER,
	TG_STAT_STDIO_HELD_READ,
	TG_STAT_STDIO_READ_FOUND,
	TG_STAT_STDIO_SCANNED_BYTES,
	TG_STAT_STDIO_COMPAT,
	TG_STAT_FENCE_SOCKET, /* family, type or protocol of a new socket */
	TG_STAT_FENCE_DATAGRAM,
	TG_STAT_FENCE_BIND,
	TG_STAT_FENCE_PACKET, /* dropped on its way out; no event: one call may make many */
	TG_STAT_FENCE_DEVICE,
	TG_STAT_FENCE_FOREIGN, /* use of a socket made outside the scope */
	TG_STAT_FENCE_RECEIVED,
	TG_STAT_FENCE_UNIX,
	TG_STAT_FENCE_CGROUP,
	TG_STAT_FENCE_TASK, /* ptrace or a signal */
	TG_STAT_FENCE_KERNEL, /* bpf(), perf, modules, what lockdown guards */
	TG_STAT_FENCE_MOUNT,
	TG_STAT_FENCE_PIN,
	TG_STAT_FENCE_KILLED, /* because nothing here can refuse the call */
	TG_STAT_DATAGRAM_STEERED, /* per destination that was set, not per datagram of a connected socket */
	TG_STAT_MAX_,
};

/* --- verbs of the control program (run by user space, in the kernel: no lost update) ---------- */

enum tg_verb {
	TG_VERB_RELEASE = 1, /* a stream is not MCP so far: go on following, hold no more; -EAGAIN: its readers have
			      * other bytes than the caller knows */
	TG_VERB_FORGET, /* drop a stream, its head, its hold, and its output's back reference */
	TG_VERB_SWEEP, /* drop the streams whose objects are gone; ret = how many */
	TG_VERB_HOLD, /* hold a stream's reader by hand */
	TG_VERB_OURS, /* key is a descriptor of the caller: never follow its two ends */
};

struct tg_ctl {
	__u32 verb;
	__u32 pad;
	__u64 key; /* of an input stream */
	__u64 taken; /* TG_VERB_RELEASE: bytes that readers had when they were looked at */
	__s64 ret; /* 0, a count, or -errno */
	__u64 at; /* TG_VERB_RELEASE: set to when it took place; who was stopped later is held by another suspicion */
};

#define TG_SIZE(s, n) _Static_assert(sizeof(struct s) == (n), #s " has padding or changed")
TG_SIZE(tg_label, 24);
TG_SIZE(tg_scope_task, 40);
TG_SIZE(tg_origin, 96);
TG_SIZE(tg_flow_key, 32);
TG_SIZE(tg_listener_key, 16);
TG_SIZE(tg_listener, 4);
TG_SIZE(tg_port_key, 16);
TG_SIZE(tg_file_key, 16);
TG_SIZE(tg_selector_key, 32);
TG_SIZE(tg_selector, 8);
TG_SIZE(tg_state, 56);
TG_SIZE(tg_stopped, 32);
TG_SIZE(tg_stream, 144);
TG_SIZE(tg_sought, 24);
TG_SIZE(tg_holding, 48);
TG_SIZE(tg_event, 96);
TG_SIZE(tg_ctl, 40);

#endif
