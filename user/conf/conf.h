/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_CONF_H
#define TOLLGATE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONF_PATH "/etc/tollgate/tollgate.conf"

enum conf_mode {
	CONF_MODE_ENFORCING = 0, /* deny what policy denies */
	CONF_MODE_ADVISORY, /* record what would have been denied */
	CONF_MODE_SILENT, /* record only */
};

/* What a missing kernel hook means for the start. */
enum conf_enforcement {
	CONF_ENFORCE = 0, /* refuse to start with a required row open */
	CONF_ENFORCE_PARTIAL, /* start, and sign the open rows into the log */
	CONF_OBSERVE, /* judge nothing in the kernel, report only */
};

enum conf_durability {
	CONF_DURABILITY_RING = 0,
	CONF_DURABILITY_WRITTEN,
	CONF_DURABILITY_SYNCED,
};

/* Whose word stands behind the log key. */
enum conf_attestation {
	CONF_ATTESTATION_AUTO = 0, /* the TPM's where there is one that can be used */
	CONF_ATTESTATION_AZURE, /* this one, or no start */
	CONF_ATTESTATION_TPM,
	CONF_ATTESTATION_SOFTWARE,
};

/* Who asks name servers. */
enum conf_resolve {
	CONF_RESOLVE_OWN = 0, /* Tollgate: names are judged, and dialed where it found them */
	CONF_RESOLVE_AGENT, /* agents, any server they like; connections go where they say */
};

#define CONF_NAME_SERVERS_MAX 4
#define CONF_NAME_SERVER_MAX 56 /* bytes of one: an IPv6 address in brackets, and a port */

#define CONF_UID_ANY ((uid_t)-1)

/* One agent: a name and the selectors that all must hold for a process to be it. Unset strings are NULL. */
struct conf_agent {
	char *name, *sponsor;
	char **groups;
	unsigned ngroups;
	char *exe; /* absolute path, as written */
	char *exe_real; /* the same without symbolic links, as /proc/PID/exe shows it */
	char *script, *script_real;
	uid_t uid; /* CONF_UID_ANY: no such selector, or a name before conf_resolve() */
	char *uid_name; /* as written */
	char *cgroup; /* "/a/b", below the cgroup2 mount; matches it and what lies below it */
	char *manifest; /* path of the agent manifest that it is bound to, with the key of its issuer */
	char *manifest_key; /* Ed25519, 64 hex digits */
	char *unit; /* of the system's service manager, "x.service" */
	char *image; /* of a container, as its engine writes it; without a tag: every one */
	char **labels; /* "key=value": of a container, all of them */
	unsigned nlabels;
	unsigned line; /* where it stands, for messages */
};

struct conf_user {
	char *name; /* as written: a name or a number */
	uid_t uid; /* valid after conf_resolve() */
	gid_t gid;
};

enum conf_audit_queries {
	CONF_QUERIES_UNRECORDED = 0,
	CONF_QUERIES_RECORDED, /* a question to the audit socket is answered when the log has it */
};

/* The configuration, tollgate.conf(5). Filled by conf_load() or conf_parse(), released by conf_free(). */
struct conf {
	char *file; /* where it came from */
	char *node;
	enum conf_mode mode;
	enum conf_enforcement enforcement;
	enum conf_durability durability;
	uint64_t retention_s; /* segments of the log that are older are removed; 0: none are */
	char *state_dir, *run_dir;
	char **policy; /* files and directories, as written */
	unsigned npolicy;
	char *catalog;
	unsigned proxies; /* 0: one per core */
	struct conf_user proxy, notary, query;
	struct {
		enum conf_attestation provider;
		char *tpm; /* TCTI, NULL: the kernel's resource manager */
		uint32_t pcrs; /* bit by bit */
	} attestation;
	char **container_stores; /* where engines keep what they know of their containers */
	unsigned ncontainer_stores;
	struct {
		char *recipient; /* file with the public key; NULL: no payload is kept */
	} escrow;
	enum conf_audit_queries audit_queries;
	char *audit_group;
	gid_t audit_gid; /* valid after conf_resolve(); (gid_t)-1 when the group does not exist */

	struct {
		uint64_t message_bytes;
		unsigned connections; /* per proxy */
		unsigned conversations; /* per proxy */
		unsigned list_pages;
		uint64_t log_segment_bytes;
	} limits;
	struct {
		unsigned header_ms, body_ms, request_ms, idle_ms, connect_ms;
	} http;

	struct {
		enum conf_resolve resolve;
		char *servers; /* "192.0.2.53,[2001:db8::53]:5353"; NULL: those of /etc/resolv.conf */
	} names;

	struct conf_agent *agents;
	unsigned nagents;

	char **warnings; /* sentences for the log and `tollgate status`; nothing here stops the start */
	unsigned nwarnings;
};

#define CONF_ERROR_MAX 512

/* What is wrong, and where. line and column count from 1; 0 when the fault is not in the text. */
struct conf_error {
	unsigned line, column;
	char text[CONF_ERROR_MAX]; /* "file:line:column: reason" */
};

/* Checks the file's ownership, reads it, parses it, then looks at the system it names (conf_resolve).
 * 0, or -errno with ret_error filled: -EINVAL for content, -EPERM for ownership. */
int conf_load(const char *path, struct conf *ret, struct conf_error *ret_error);

/* The text alone: touches no file and no user database. file names it in messages.
 * 0, -EINVAL with ret_error filled, or -ENOMEM (filled too). */
int conf_parse(const char *file, const char *text, size_t len, struct conf *ret,
	       struct conf_error *ret_error);

/* Turns names into numbers and paths into real paths, and refuses selectors that can never match on
 * this system. What may still come to be (an executable that is not installed yet) is a warning. */
int conf_resolve(struct conf *c, struct conf_error *ret_error);

/* The built-in configuration: what a file with no lines would say. No agents. 0 or -ENOMEM. */
int conf_default(struct conf *ret, struct conf_error *ret_error);

/* Releases what conf_load() or conf_parse() filled; a zeroed struct is fine. */
void conf_free(struct conf *c);

/* The agent of that name, or NULL. */
const struct conf_agent *conf_agent_find(const struct conf *c, const char *name);

/* A configuration, policy or catalog file (or directory) that is read by root must be as trustworthy as
 * root: owned by root or by the caller's effective uid, and not writable by group or others.
 * 0, -EPERM, or the errno of opening it; ret_error says which and why. */
int conf_check_file(const char *path, struct conf_error *ret_error);

/* The same, handing over the very file that was checked: a read-only descriptor or -errno. */
int conf_open_checked(const char *path, struct conf_error *ret_error);

/* All policy files in the order they are read: those named, and *.cedar of directories by name, each
 * checked. The list and its strings are the caller's; release with conf_list_free(). */
int conf_policy_files(const struct conf *c, char ***ret_files, unsigned *ret_n,
		      struct conf_error *ret_error);
void conf_list_free(char **list, unsigned n);

#endif
