/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOLLGATE_BENCH_LOG_FIXTURE_H
#define TOLLGATE_BENCH_LOG_FIXTURE_H

/* Records as a node writes them, and a folder for their log, for the benches of the log. */
#include <dirent.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/notary/chain.h"
#include "user/notary/record.h"
#include "user/notary/salt.h"

/* By the clock. */
static inline double seconds_since(uint64_t ns)
{
	return (double)(clock_mono_ns() - ns) / 1e9;
}

/* Of this process, by its processors. */
static inline double cpu_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The i-th call of a conversation: a handful of agents, servers and tools, one in 37 denied. */
static inline void fill(struct record *rec, const struct chain *c, unsigned i, char commit[SHA256_PREFIXED_SIZE])
{
	static const char *const tools[] = { "read_file", "write_file", "list_directory", "search", "query",
					     "create_issue", "get_page", "run_tests" };
	static const char *const servers[] = { "filesystem", "database", "tracker", "browser" };
	static const char *const agents[] = { "coder", "reviewer", "researcher", "deployer" };
	static const struct span ids[] = { { "allow-reads", 11 } };
	static const char args[] = "{\"path\":\"/srv/data/report.txt\",\"limit\":100}";
	bool deny = i % 37 == 0;

	record_init(rec, RECORD_TOOL_CALL, deny ? RECORD_DENY : RECORD_ALLOW);
	salt_commit_next(c, SALT_REQUEST, SPAN(args), commit);
	rec->call_id = SPAN("8f14e45f-ceea-467f-a0e6-1a3f2b9c0d11");
	rec->tool_name = span_of(tools[i % 8]);
	rec->server_identity = span_of(servers[i / 8 % 4]);
	rec->policy_rule_matched = ids[0];
	rec->request_payload_hash = span_of(commit);
	rec->agent = span_of(agents[(unsigned char)c->session_id[0] % 4]);
	rec->agent_pid = 4711;
	rec->method = SPAN("tools/call");
	rec->direction = SPAN("client-to-server");
	rec->transport = SPAN("stdio");
	rec->mode = SPAN("enforcing");
	rec->policy_ids = ids;
	rec->policy_ids_n = 1;
	rec->policy_epoch = rec->catalog_epoch = 1;
	rec->latency_us = 14;
	rec->message_bytes = 180;
}

static inline void remove_dir(const char *dir)
{
	char path[4096];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		(void)unlink(path);
	}
	if (d)
		closedir(d);
	(void)rmdir(dir);
}

#endif
