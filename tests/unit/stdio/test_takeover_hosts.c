// SPDX-License-Identifier: Apache-2.0
/*
 * Takeovers under hosts and servers that people run: Node (socket pairs) and Python (pipes), chains as
 * npx makes them, under load. The host numbers its lines, keeps many under way and checks order and
 * content of what comes back until it is told to stop; it exits with 0 only if nothing was lost, doubled
 * or changed.
 */
#include "tests/unit/stdio/rig.h"

#include <sys/prctl.h>

static const char node_host[] =
	"const {spawn}=require('child_process');const a=process.argv.slice(1);"
	"const c=spawn(a[0],a.slice(1),{stdio:['pipe','pipe','inherit']});"
	"let sent=0,got=0,buf='',go=false,stop=false;const body=i=>'x'.repeat(i*7919%20000);"
	"const line=i=>JSON.stringify({jsonrpc:'2.0',id:i,m:body(i)})+'\\n';"
	"function pump(){while(!stop&&sent-got<32)c.stdin.write(line(sent++));"
	"if(stop&&got==sent)c.stdin.end();}"
	"c.stdout.on('data',d=>{buf+=d;let k;while((k=buf.indexOf('\\n'))>=0){const l=buf.slice(0,k+1);"
	"buf=buf.slice(k+1);if(l!==line(got)){console.error('bad line',got,l.slice(0,80));process.exit(1);}"
	"got++;if(!go&&got==10){go=true;console.log('ready');}}pump();});"
	"process.stdin.on('data',()=>{stop=true});"
	"c.on('close',code=>process.exit(got==sent&&buf===''&&code===0?0:2));"
	"pump();";

static const char python_host[] =
	"import os,sys,subprocess,threading,json\n"
	"c=subprocess.Popen(sys.argv[1:],stdin=subprocess.PIPE,stdout=subprocess.PIPE)\n"
	"line=lambda i:(json.dumps({'jsonrpc':'2.0','id':i,'m':'x'*(i*7919%20000)})+'\\n').encode()\n"
	"sem=threading.Semaphore(32);stop=threading.Event();sent=0\n"
	"def feed():\n"
	"  global sent\n"
	"  while not stop.is_set():\n"
	"    sem.acquire();sent+=1;c.stdin.write(line(sent-1));c.stdin.flush()\n"
	"  c.stdin.close()\n"
	"threading.Thread(target=feed,daemon=True).start()\n"
	"threading.Thread(target=lambda:(os.read(0,1),stop.set()),daemon=True).start()\n"
	"got=0\n"
	"while True:\n"
	"  l=c.stdout.readline()\n"
	"  if not l: break\n"
	"  if l!=line(got): sys.exit('bad line %d: %r' % (got,l[:80]))\n"
	"  got+=1;sem.release()\n"
	"  if got==10: print('ready',flush=True)\n"
	"sys.exit(0 if got==sent and c.wait()==0 else 2)\n";

static const char node_server[] =
	"let b='';process.stdin.on('data',d=>{b+=d;let k;while((k=b.indexOf('\\n'))>=0){"
	"process.stdout.write(b.slice(0,k+1));b=b.slice(k+1);}});";

static const char python_server[] = "import sys\n"
				    "for l in sys.stdin:\n"
				    "  sys.stdout.write(l);sys.stdout.flush()\n";

static const char asyncio_server[] =
	"import asyncio,sys\n"
	"async def main():\n"
	"  loop=asyncio.get_running_loop();r=asyncio.StreamReader(limit=1<<22)\n"
	"  await loop.connect_read_pipe(lambda:asyncio.StreamReaderProtocol(r),sys.stdin)\n"
	"  t,p=await loop.connect_write_pipe(asyncio.streams.FlowControlMixin,sys.stdout)\n"
	"  w=asyncio.StreamWriter(t,p,None,loop)\n"
	"  while True:\n"
	"    l=await r.readline()\n"
	"    if not l: break\n"
	"    w.write(l);await w.drain()\n"
	"  while t.get_write_buffer_size(): await asyncio.sleep(0.001)\n"
	"asyncio.run(main())\n";

#define SERVER_ARGS 6

static const char *const servers[][SERVER_ARGS] = {
	{ "node", "-e", node_server },
	{ "python3", "-c", python_server },
	{ "python3", "-c", asyncio_server },
	/* takes every write() for a whole one */
	{ "python3", "-u", "-c", python_server },
	{ "cat" },
	/* wrappers that stay, as npx and shells do */
	{ "sh", "-c", "node -e \"$1\"; exit $?", "sh", node_server },
	{ "sh", "-c", "sh -c 'python3 -c \"$1\"; exit $?' sh \"$1\"; exit $?", "sh", python_server },
};

static bool have(const char *program)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	return system(command) == 0;
}

static bool needs(const char *const server[SERVER_ARGS], const char *program)
{
	for (unsigned i = 0; i < SERVER_ARGS && server[i]; i++)
		if (strstr(server[i], program))
			return true;
	return false;
}

static pid_t start_host(bool node, const char *const server[SERVER_ARGS], int *ret_stop,
			int *ret_ready)
{
	const char *argv[5 + SERVER_ARGS + 1];
	unsigned n = 0;
	int p[2], q[2];
	pid_t pid;

	argv[n++] = node ? "node" : "python3";
	argv[n++] = node ? "-e" : "-c";
	argv[n++] = node ? node_host : python_host;
	if (node)
		argv[n++] = "--";
	for (unsigned i = 0; i < SERVER_ARGS && server[i]; i++)
		argv[n++] = server[i];
	argv[n] = NULL;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(q, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(p[1], 1);
		dup2(q[0], 0);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(p[1]);
	close(q[0]);
	*ret_ready = p[0];
	*ret_stop = q[1];
	return pid;
}

/* The last of the chain below the host. */
static pid_t server_of(pid_t host)
{
	for (;;) {
		_cleanup_pids_ struct proc_pids l = { 0 };

		assert_int_equal(proc_children(host, &l), 0);
		if (l.n == 0)
			return host;
		host = l.v[l.n - 1];
	}
}

static void run_until(struct through *t, unsigned long lines, pid_t host, int *ret_status)
{
	uint64_t end = clock_mono_ns() + HANG_NS;

	while (t->nlines < lines) {
		assert_true(clock_mono_ns() < end);
		if (waitpid(host, ret_status, WNOHANG) == host)
			return;
		(void)loop_once(t->loop, 10);
	}
}

static void chained_swaps(bool node, const char *const server[SERVER_ARGS])
{
	unsigned long swaps = 3, steps = 0, holders = 0;
	int stop, ready, status = -1;
	struct stdio_taken o;
	struct through t;
	pid_t host, last;
	char word[1];

	through_open(&t);
	host = start_host(node, server, &stop, &ready);
	assert_int_equal(read(ready, word, 1), 1);
	last = server_of(host);
	for (unsigned long i = 1; i <= swaps; i++) {
		take_and_relay(&t, host, last, &o);
		steps += o.nsteps;
		holders = o.nholders;
		run_until(&t, t.nlines + 200 * i, host, &status);
	}
	assert_int_equal(write(stop, "s", 1), 1);
	run_until(&t, ~0ul, host, &status);
	print_message("%s host, %s server: %lu holders, %lu calls each, %lu lines relayed\n",
		      node ? "node" : "python", server[0], holders, steps / swaps, t.nlines);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(t.nlines > 600);
	through_close(&t);
	close(ready);
	close(stop);
}

static void under_a_python_host(void **state)
{
	if (!have("python3")) {
		print_message("SKIP: no python3\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		if (have("node") || !needs(servers[i], "node"))
			chained_swaps(false, servers[i]);
}

static void under_a_node_host(void **state)
{
	if (!have("node")) {
		print_message("SKIP: no node\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++)
		if (have("python3") || !needs(servers[i], "python3"))
			chained_swaps(true, servers[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(under_a_python_host),
		cmocka_unit_test(under_a_node_host),
	};

	if (cannot_run())
		return 77;
	if (!have("node") && !have("python3")) {
		printf("SKIP: neither node nor python3\n");
		return 77;
	}
	unsetenv("PYTHONUNBUFFERED");
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
