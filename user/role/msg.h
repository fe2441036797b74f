/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_MSG_H
#define TOLLGATE_MSG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "bpf/abi.h"
#include "user/proc/identity.h"

/*
 * The messages between roles (ipc.h carries them). Every layout is fixed and pointer-free; strings are
 * NUL-terminated inside their arrays. A receiver checks the length against the type and every field
 * before use: msg_string_ok() for strings, ranges where they are used.
 */

#define MSG_NAME_MAX 64
#define MSG_REASON_MAX 256
#define MSG_TEXT_MAX 1024
#define MSG_KEY_MAX 64
#define MSG_SERVERS_MAX 256
#define MSG_HEAD_MAX 4096 /* copy of a conversation's first bytes, from the kernel */

#define ROLE_CHANNEL_FD 3 /* where a role finds its channel to the keeper */

enum msg_type {
	/* supervisor -> keeper */
	MSG_SPAWN = 1, /* struct msg_spawn: start this role and restart it when it dies; also keeper -> role */
	MSG_KEEP, /* struct msg_key + 1 fd: hold this until MSG_UNKEEP, over any role's death */
	MSG_UNKEEP, /* struct msg_key */
	MSG_READY, /* nothing: the node enforces; the keeper tells the service manager */
	MSG_EXIT, /* struct msg_exit: end all roles and exit with this status */
	MSG_ALIVE, /* struct msg_flag, every second: the supervisor's loop turns; 1: and all is as it should be */
	/* keeper -> supervisor */
	MSG_KEPT, /* struct msg_key + 1 fd: held for you since before you started */
	MSG_KEPT_END, /* nothing: no more MSG_KEPT */
	MSG_ROLE_UP, /* struct msg_role + 1 fd: the supervisor's end of the channel to it */
	MSG_ROLE_DOWN, /* struct msg_role */
	/* keeper -> every other role */
	MSG_SUPERVISOR, /* + 1 fd: the channel to the supervisor, again after each of its starts */

	/* supervisor -> every role */
	MSG_SETUP, /* struct msg_setup: first message on the channel */

	/* supervisor -> proxy */
	MSG_SNAPSHOT = 32, /* struct msg_snapshot + fds: policy, agents, catalog, pins. Answer: MSG_SNAPSHOT_DONE */
	MSG_SNAPSHOT_COMMIT, /* struct msg_epoch */
	MSG_SNAPSHOT_ABORT, /* struct msg_epoch */
	MSG_RING, /* struct msg_recording + 3 fds: ring, wake-up of the notary, progress from the notary */
	MSG_NOTARY, /* struct msg_flag: the notary is there (1) or not (0) */
	MSG_LISTEN, /* struct msg_listen + 1 fd: accept the agent's steered connections, or its questions, here */
	MSG_UNLISTEN, /* struct msg_listen */
	MSG_STDIO, /* struct msg_stdio + 4 fds: orig_in, orig_out, to_server, from_server. Answer: MSG_STDIO_VERDICT */
	MSG_LOOK, /* struct msg_look + 1 fd: what lies unread in it? Answer: MSG_LOOKED */
	MSG_OWNER_IS, /* struct msg_owner_is: answer to MSG_OWNER */
	MSG_SESSIONS, /* nothing. Answer: MSG_SESSIONS_ARE */
	MSG_COUNTS, /* nothing. Answer: MSG_COUNTS_ARE */
	MSG_ESCROW, /* struct msg_escrow + 1 fd: keep payloads here from now on, sealed; before MSG_RING */

	/* proxy -> supervisor */
	MSG_SNAPSHOT_DONE = 64, /* struct msg_snapshot_done */
	MSG_STDIO_VERDICT, /* struct msg_stdio_verdict */
	MSG_LOOKED, /* struct msg_looked */
	MSG_OWNER, /* struct msg_owner: who listens at this loopback address? */
	MSG_SESSIONS_ARE, /* JSON text of an array, no NUL */
	MSG_COUNTS_ARE, /* struct msg_counts */

	/* supervisor <-> injector */
	MSG_TAKEOVER = 96, /* struct msg_takeover + fds for STDIO_WALKS_SCOPE and STDIO_WALKS_ALL passes, or none */
	MSG_TAKEN, /* struct msg_taken + 4 fds when reason is 0 */
	MSG_CAGE, /* struct msg_cage + 1 fd, a Landlock ruleset: what the server of that takeover is confined to */

	/* supervisor <-> notary */
	MSG_NOTARY_RING = 128, /* struct msg_ring + 3 fds: another producer's ring */
	MSG_NOTARY_UP, /* struct msg_notary_up: the notary is open */
	MSG_NOTARY_INSTANCE, /* struct msg_instance: what the producer of a ring commits payloads with */
	MSG_NOTARY_PRODUCER, /* struct msg_ring: this producer broke the rules; end it */
	MSG_NOTARY_RESTARTED, /* struct msg_ring: this producer died; its ring is free for its successor */
	MSG_NOTARY_STATUS, /* nothing */
	MSG_NOTARY_STATUS_IS, /* JSON text, no NUL */
	MSG_NOTARY_ROTATE, /* nothing: another log key, please. Answer: MSG_NOTARY_ROTATED */
	MSG_NOTARY_ROTATED, /* struct msg_notary_up: error and text, or the new key */
	MSG_NOTARY_EVIDENCE, /* struct msg_evidence */
	MSG_NOTARY_EVIDENCE_IS, /* struct msg_evidence_is + 1 fd when it was made: JSON in a sealed memfd */
	MSG_NOTARY_CLAIM, /* struct msg_session: make a claim of it now */
	MSG_NOTARY_CLAIM_IS, /* JSON text, no NUL */
	MSG_NOTARY_SALT, /* struct msg_salt: the salts of some payloads of one record */
	MSG_NOTARY_SALT_IS, /* JSON text, no NUL. Secret from all but who asked */
	MSG_NOTARY_ASKED, /* struct msg_asked: record that somebody asked the audit socket */
	MSG_NOTARY_ASKED_IS, /* struct msg_asked_is */

	/* supervisor <-> query */
	MSG_QUERY_LISTEN = 160, /* + 3 fds: the audit socket; a channel for MSG_QUERY_SCOPE; one for evidence; and,
				 * where questions are recorded, one for MSG_QUERY_ASKED */
	MSG_QUERY_SCOPE, /* struct msg_pid: is this process inside an agent's scope? */
	MSG_QUERY_SCOPE_IS, /* struct msg_flag */
	MSG_QUERY_EVIDENCE, /* struct msg_evidence, of which the supervisor fills in the hashes */
	MSG_QUERY_EVIDENCE_IS, /* struct msg_evidence_is + 1 fd when it was made */
	MSG_QUERY_REFUSED, /* struct msg_pid: a peer was refused; the supervisor records it */
	MSG_QUERY_ASKED, /* struct msg_asked, of which the supervisor fills in the unit */
	MSG_QUERY_ASKED_IS, /* struct msg_asked_is */

	/* supervisor <-> canary */
	MSG_CANARY_TRY = 192, /* struct msg_canary. Answer: MSG_CANARY_TRIED */
	MSG_CANARY_TRIED, /* struct msg_canary_tried */
};

struct msg_key {
	char key[MSG_KEY_MAX];
};

struct msg_exit {
	int32_t status;
	uint32_t pad;
};

struct msg_session {
	char id[40];
};

struct msg_salt {
	char session[40];
	char epoch[MSG_NAME_MAX]; /* salt_epoch of the session's first record */
	uint64_t sequence;
	uint32_t fields; /* bits by disclosure_field() */
	uint32_t pad;
};

struct msg_epoch {
	uint64_t epoch;
};

struct msg_flag {
	uint32_t value;
	uint32_t pad;
};

struct msg_pid {
	int32_t pid;
	uint32_t uid;
};

/* Ports of 127.0.0.1 that the canary connects to. */
struct msg_canary {
	uint32_t serial; /* of the try; the answer has it too */
	uint16_t steered, barred;
};

struct msg_canary_tried {
	uint32_t serial;
	int32_t steered, barred; /* each 0 or the -errno of connect() */
};

struct msg_role {
	uint32_t role; /* enum role */
	uint32_t index; /* of several of one kind */
	int32_t status; /* DOWN: as of waitpid(); UP: 1: it runs the program from before an upgrade */
	int32_t pid;
};

enum msg_attestation {
	ATTESTATION_NONE = 0, /* no TPM is touched */
	ATTESTATION_AUTO,
	ATTESTATION_TPM, /* one must be there */
};

/* What a role is started with; the keeper hands it on as the first message of the role's channel. */
struct msg_spawn {
	uint32_t role;
	uint32_t index;
	uint32_t uid, gid;
	uint32_t audit_gid; /* query: group that may use the audit socket */
	uint32_t attestation; /* notary: enum msg_attestation */
	uint32_t azure; /* notary: evidence must be Azure's */
	uint32_t pcrs; /* notary: what its keys in the TPM depend on, bit by bit */
	char log_dir[PROC_PATH_MAX]; /* notary, query */
	char state_dir[PROC_PATH_MAX]; /* notary: its key; query: its index */
	char run_dir[PROC_PATH_MAX]; /* notary: this boot's key */
	char tcti[PROC_PATH_MAX]; /* notary: its TPM, "" the kernel's resource manager */
	char node[MSG_NAME_MAX];
};

/* Static facts of the node that a role needs and may not read itself. */
struct msg_setup {
	uint32_t mode; /* enum gate_mode */
	uint32_t durability; /* enum record_durability */
	uint64_t message_max; /* bytes of one MCP message */
	uint64_t connections_max;
	uint64_t conversations_max;
	uint64_t log_segment_bytes, log_retention_s; /* 0: keep everything */
	uint32_t request_timeout_ms, idle_timeout_ms;
	uint32_t connect_timeout_ms, header_timeout_ms, body_timeout_ms;
	uint32_t own_names; /* proxy: 1: it resolves names, for agents too */
	uint32_t audit_gid;
	uint32_t fresh; /* notary: no producer of an earlier log session lives */
	char node[MSG_NAME_MAX];
	char name_servers[MSG_SERVERS_MAX]; /* as resolver_servers() takes them; "": those of the machine */
	char boot_id[40];
	char program_hash[SHA256_PREFIXED_SIZE]; /* of the tollgated image */
	char kernel_hash[SHA256_PREFIXED_SIZE]; /* of the loaded kernel programs */
	char policy_hash[SHA256_PREFIXED_SIZE]; /* in force when this was sent */
	char catalog_hash[SHA256_PREFIXED_SIZE];
};

/* Of one producer for one of its lives; see notary/salt.h. Secret. */
struct msg_instance {
	uint32_t producer;
	uint32_t pad;
	uint8_t key[SHA256_SIZE];
	char epoch[MSG_NAME_MAX];
};

/* How a proxy records. Secret: it holds the instance key. */
struct msg_recording {
	struct msg_instance instance;
	uint8_t public_key[SHA256_SIZE];
};

struct msg_escrow {
	uint8_t recipient[SHA256_SIZE]; /* X25519 */
};

#define MSG_NONCE_MAX 64

struct msg_evidence {
	uint32_t serial; /* of the question; the answer has it too */
	uint32_t nonce_n;
	uint8_t nonce[MSG_NONCE_MAX];
	char policy_hash[SHA256_PREFIXED_SIZE]; /* in force now */
	char catalog_hash[SHA256_PREFIXED_SIZE];
};

struct msg_evidence_is {
	uint32_t serial;
	int32_t error; /* 0 or -errno */
};

struct msg_asked {
	uint32_t serial; /* of the question; the answer has it too */
	int32_t pid;
	uint32_t uid;
	uint32_t status; /* HTTP, of the answer that waits for this */
	uint32_t stream; /* enum query_stream */
	uint32_t pad;
	uint64_t rows;
	char path[MSG_NAME_MAX];
	char filter[MSG_TEXT_MAX];
	char unit[MSG_REASON_MAX]; /* systemd's of the process, or its cgroup */
};

struct msg_asked_is {
	uint32_t serial;
	int32_t error; /* 0: it is in the log; or -errno */
};

struct msg_snapshot {
	uint64_t epoch;
	uint32_t has_pins;
	uint32_t pad;
};

struct msg_snapshot_done {
	uint64_t epoch;
	int32_t error; /* 0, or -errno with text */
	uint32_t pad;
	char policy_hash[SHA256_PREFIXED_SIZE];
	char catalog_hash[SHA256_PREFIXED_SIZE];
	char text[MSG_TEXT_MAX]; /* file, line, reason */
};

/* Agents are numbered by the supervisor from 1; 0 is nobody. */
struct msg_listen {
	uint32_t agent;
	uint32_t end; /* enum listener_end */
	uint64_t netns_cookie;
	uint16_t port;
	uint16_t pad[3];
};

struct msg_stdio {
	uint8_t declared[SHA256_SIZE]; /* as struct gate_spawn has them */
	char refused[MSG_REASON_MAX];
	uint32_t measured;
	uint32_t pad;
	uint32_t agent, outer_agent;
	int32_t host_pid, server_pid;
	uint64_t host_start, server_start;
	uint64_t taken; /* bytes that the server had read when it was stopped */
	uint32_t head_len; /* of these, known */
	uint32_t running; /* the conversation ran before Tollgate: its first messages are not known */
	char head[MSG_HEAD_MAX]; /* their copy */
	struct proc_identity server;
};

enum msg_stdio_act {
	MSG_STDIO_KILL = 0,
	MSG_STDIO_RELEASE = 1,
};

struct msg_stdio_verdict {
	uint32_t act; /* enum msg_stdio_act */
	char reason[MSG_REASON_MAX];
};

struct msg_look {
	uint32_t socket; /* 1: MSG_PEEK, 0: a pipe, tee() */
	uint32_t head_len; /* what readers have in hand, or else what the kernel saw being written */
	uint32_t in_hand; /* 1: the first, and what is queued follows it */
	uint32_t gap; /* 1: more is in hand than the copy has */
	char head[MSG_HEAD_MAX];
};

enum msg_looked_is {
	MSG_LOOKED_UNDECIDED = 0,
	MSG_LOOKED_MCP = 1,
	MSG_LOOKED_NOT = 2,
};

struct msg_looked {
	uint32_t is; /* enum msg_looked_is */
	uint32_t full; /* the object cannot take more bytes, or not all are known: no further evidence will come */
	uint32_t ended; /* nobody can write any more */
	uint32_t empty; /* nothing is there to be judged */
};

struct msg_owner {
	int32_t pid; /* a process in the network namespace that is meant: the one that connects */
	uint32_t agent;
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint16_t port;
	uint16_t pad[3];
};

struct msg_owner_is {
	int32_t error; /* 0, or -errno: nobody known listens there */
	uint32_t pad;
	uint64_t socket; /* cookie of the listening socket */
	struct proc_identity owner;
};

/* Of a proxy since its start: messages judged, denied, and denied because they could not be recorded. */
struct msg_counts {
	uint64_t judged, denied, unrecorded;
	uint64_t sessions; /* open now */
};

struct msg_takeover {
	int32_t host_pid, server_pid;
	uint64_t server_start;
	uint32_t mode0, mode1;
	uint64_t ino0, ino1;
	uint32_t timeout_ms;
	uint32_t caged; /* enum msg_caged */
};

enum msg_caged {
	MSG_CAGED_NOT = 0,
	MSG_CAGED_TOO, /* MSG_CAGE follows, and the server is confined with its takeover */
	MSG_CAGED_ONLY, /* the same, and nothing is taken over: no passes come, and no descriptors go back */
};

#define MSG_CAGE_ENV_MAX 4096

struct msg_cage {
	uint32_t network; /* 1: sockets may be made */
	uint32_t truncate; /* 1: Landlock does not know truncation, the filter must */
	uint32_t abi; /* of Landlock; for records */
	uint32_t env_len; /* bytes of env in use */
	char env[MSG_CAGE_ENV_MAX]; /* names of the variables that stay, each NUL-terminated */
};

#define MSG_HOLDERS_MAX 64

struct msg_taken {
	uint32_t reason; /* enum stdio_reason, 0: done */
	uint32_t dirty; /* half changed: must be killed */
	uint32_t nholders;
	uint32_t pad;
	uint64_t unread_in, unread_out;
	uint64_t new_ino0, new_ino1; /* the server's new descriptors, to be marked as ours */
	int32_t holders[MSG_HOLDERS_MAX]; /* processes left stopped */
	char text[MSG_REASON_MAX];
};

struct msg_ring {
	uint32_t producer; /* 0: supervisor, 1..: proxy index + 1 */
	uint32_t synced; /* the producer waits for every record to be on disk */
};

struct msg_notary_up {
	int32_t error; /* 0, or why the log cannot be opened, in text */
	uint32_t pad;
	uint8_t public_key[SHA256_SIZE]; /* Ed25519 */
	char verifier_key[256]; /* the same as checkpoints name it */
	char platform[MSG_NAME_MAX]; /* what stands behind the log key, as attest.h names it */
	char key_tier[MSG_NAME_MAX]; /* key_tier_text() */
	char text[MSG_TEXT_MAX];
};


static inline bool msg_string_ok(const char *s, size_t size)
{
	return memchr(s, '\0', size) != NULL;
}

#endif
