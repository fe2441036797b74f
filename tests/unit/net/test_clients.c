// SPDX-License-Identifier: Apache-2.0
/*
 * Real clients and a real server: curl, Python's http.client and Node's fetch talk through the
 * engine to a Node server. Clients connect to localhost:PORT, where the engine listens; the server
 * is at 127.0.0.2:PORT, so the Host field fits both without steering.
 */
#include "tests/unit/net/rig.h"

#include <signal.h>
#include <sys/wait.h>

static const char origin_js[] =
	"const http = require('http');"
	"http.createServer((q, s) => {"
	"  let n = 0, sum = 0;"
	"  q.on('data', d => { n += d.length; for (const b of d) sum = (sum * 31 + b) >>> 0; });"
	"  q.on('end', () => {"
	"    if (q.url === '/sse') {"
	"      s.writeHead(200, { 'Content-Type': 'text/event-stream' });"
	"      let i = 0;"
	"      const t = setInterval(() => {"
	"        s.write(`event: message\\r\\nid: ${i}\\r\\ndata: {\"i\":${i}}\\r\\n\\r\\n`);"
	"        if (++i === 5) { clearInterval(t); s.end(); }"
	"      }, 5);"
	"      return;"
	"    }"
	"    if (q.url === '/hang') { s.writeHead(200, { 'Content-Type': 'text/event-stream' });"
	"      s.write(': open\\n\\n'); q.socket.on('close', () => { globalThis.gone = true; }); "
	"return; }"
	"    const text = q.url === '/gone' ? String(!!globalThis.gone) :"
	"      JSON.stringify({ m: q.method, n, sum, ae: q.headers['accept-encoding'] || '' });"
	"    s.setHeader('Content-Type', 'application/json');"
	"    if (q.url === '/length') s.setHeader('Content-Length', text.length);"
	"    s.end(text);"
	"  });"
	"}).listen(Number(process.argv[1]), '127.0.0.2');";

static const char fetch_js[] =
	"(async () => {"
	"  const u = process.argv[1], body = JSON.stringify({ a: 'x'.repeat(1000) });"
	"  const post = async () => (await (await fetch(u + '/length', { method: 'POST', body "
	"})).json()).n;"
	"  let ok = 0;"
	"  for (let i = 0; i < 200; i++) ok += await post() === body.length;"
	"  for (const n of await Promise.all(Array.from({ length: 50 }, post))) ok += n === "
	"body.length;"
	"  const r = await fetch(u + '/sse'); let text = '', parts = 0;"
	"  for await (const c of r.body) { text += Buffer.from(c); parts++; }"
	"  ok += text.match(/data: \\{\"i\":\\d\\}\\r\\n\\r\\n/g).length === 5 && parts >= 2;"
	"  const a = new AbortController(), h = await fetch(u + '/hang', { signal: a.signal });"
	"  await h.body.getReader().read(); a.abort();"
	"  for (let i = 0; i < 500 && await (await fetch(u + '/gone')).text() !== 'true'; i++)"
	"    await new Promise(f => setTimeout(f, 10));"
	"  ok += await (await fetch(u + '/gone')).text() === 'true';"
	"  ok += (await fetch(u + '/denied')).status === 403;"
	"  process.stdout.write('ok ' + ok);"
	"  process.exit(0);"
	"})();";

static const char client_py[] =
	"import http.client, sys\n"
	"c = http.client.HTTPConnection('localhost', int(sys.argv[1]), timeout=20)\n"
	"ok = 0\n"
	"for i in range(50):\n"
	"    c.request('POST', '/length' if i % 2 else '/', body=b'y' * i)\n"
	"    r = c.getresponse(); t = r.read()\n"
	"    ok += b'\"n\":%d,' % i in t\n"
	"c.request('POST', '/', body=iter([b'ab', b'c' * 70000, b'd']), encode_chunked=True,\n"
	"          headers={'Transfer-Encoding': 'chunked'})\n"
	"ok += b'\"n\":70003,' in c.getresponse().read()\n"
	"c.request('HEAD', '/length'); r = c.getresponse(); r.read()\n"
	"ok += r.status == 200 and int(r.headers['Content-Length']) > 0\n"
	"c.request('GET', '/denied'); r = c.getresponse(); r.read(); ok += r.status == 403\n"
	"c.request('GET', '/sse'); ok += c.getresponse().read().count(b'data: ') == 5\n"
	"c.request('GET', '/'); ok += c.getresponse().status == 200\n"
	"sys.stdout.write('ok %d' % ok)\n";

static struct net *net;
static struct net_dest dest;
static pid_t gate_pid = -1, origin_pid = -1;
static unsigned port;

static enum net_verdict on_host(struct net_conn *c, struct span name)
{
	return span_is(name, "localhost") ? NET_FORWARD : NET_DENY;
}

static enum net_verdict on_request(struct net_exchange *x, const struct net_request *req)
{
	return span_is(req->target, "/denied") ? NET_DENY : NET_FORWARD;
}

static enum net_verdict on_dialed(struct net_conn *c, struct net_exchange *x, int fd)
{
	return NET_FORWARD;
}

static enum net_verdict on_response(struct net_exchange *x, const struct net_response *resp)
{
	return NET_FORWARD;
}

static enum net_verdict on_event(struct net_exchange *x, const struct net_event *ev)
{
	return NET_FORWARD;
}

static const struct net_ops ops = { .host = on_host,
				    .request = on_request,
				    .dialed = on_dialed,
				    .response = on_response,
				    .event = on_event };

static void accepted(struct net_listener *ls, int fd, void *arg)
{
	struct net_conn *c;

	if (net_conn_new(net, ls, fd, &dest, &ops, NULL, &c) < 0)
		close(fd);
}

static void run_gate(int fd)
{
	struct net_listener *ls;
	struct loop *loop;
	struct in_addr a;

	inet_pton(AF_INET, "127.0.0.2", &a);
	if (loop_new(&loop) < 0 || net_new(loop, NULL, &net) < 0 ||
	    net_dest_set(&dest, AF_INET, &a, port) < 0 ||
	    net_listener_new(net, fd, 1000, accepted, NULL, &ls) < 0)
		_exit(1);
	_exit(loop_run(loop) != 0);
}

static bool reachable(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	inet_pton(AF_INET, "127.0.0.2", &a.sin_addr);
	r = connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return r == 0;
}

static int start(void **state)
{
	struct sockaddr_in a;
	char text[16];
	int fd = rig_listen(&a);

	port = ntohs(a.sin_port);
	snprintf(text, sizeof(text), "%u", port);
	origin_pid = fork();
	if (origin_pid == 0) {
		execlp("node", "node", "-e", origin_js, text, NULL);
		_exit(127);
	}
	gate_pid = fork();
	if (gate_pid == 0)
		run_gate(fd);
	close(fd);
	for (int i = 0; i < 1000 && !reachable(); i++)
		usleep(20000);
	return reachable() ? 0 : -1;
}

static void end(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = -1;
}

static int stop(void **state)
{
	int status = 0;

	/* A gate that crashed is a failure, whatever the clients saw. */
	assert_int_equal(waitpid(gate_pid, &status, WNOHANG), 0);
	end(&gate_pid);
	end(&origin_pid);
	return 0;
}

/* Runs a program and compares its standard output. */
static void expect(const char *want, const char *const *argv)
{
	struct buf got = { 0 };
	int fds[2], status;
	char chunk[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(fds[1]);
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		buf_append(&got, chunk, (size_t)n);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		print_message("%s is not installed: skipped\n", argv[0]);
		buf_done(&got);
		skip();
	}
	if (!rig_has(&got, want))
		fail_msg("%s gave: %s\nnot: %s", argv[0], buf_cstr(&got), want);
	buf_done(&got);
}

static const char *url(const char *path)
{
	static char text[128];

	snprintf(text, sizeof(text), "http://localhost:%u%s", port, path);
	return text;
}

#define CURL "curl", "-s", "--noproxy", "*", "--max-time", "20"
#define EXPECT(want, ...) expect(want, (const char *const[]){ __VA_ARGS__, NULL })

static void curl(void **state)
{
	const size_t n = 3 << 20;
	char *body = malloc(n), name[] = "/tmp/tollgate-net-XXXXXX", at[64];
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	memset(body, 'z', n);
	assert_int_equal(write(fd, body, n), n);
	close(fd);
	free(body);
	snprintf(at, sizeof(at), "@%s", name);
	EXPECT("\"m\":\"GET\",\"n\":0", CURL, url("/"));
	EXPECT("\"n\":5,", CURL, "-d", "hello", url("/length"));
	/* Expect: 100-continue is curl's own idea at this size */
	EXPECT("\"n\":3145728,", CURL, "--data-binary", at, url("/"));
	EXPECT("\"n\":3145728,", CURL, "--data-binary", at, "-H", "Transfer-Encoding: chunked",
	       url("/"));
	EXPECT("\"ae\":\"\"", CURL, "--compressed", url("/"));
	EXPECT("id: 4\r\ndata: {\"i\":4}\r\n\r\n", CURL, "-N", url("/sse"));
	EXPECT("HTTP/1.1 200 OK", CURL, "-I", url("/length"));
	EXPECT("HTTP/1.1 403 Forbidden", CURL, "-i", url("/denied"));
	EXPECT("HTTP/1.1 505 ", CURL, "-i", "-0", url("/"));
	EXPECT("HTTP/1.1 501 ", CURL, "-i", "--http2", url("/"));
	EXPECT("HTTP/1.1 421 ", CURL, "-i", "-H", "Host: elsewhere", url("/"));
	/* three on one connection */
	EXPECT("1\n0\n0\n", CURL, "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null", "-w",
	       "%{num_connects}\\n", url("/"), url("/"), url("/"));
	unlink(name);
}

static void python(void **state)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", port);
	EXPECT("ok 55", "python3", "-c", client_py, text);
}

static void node_fetch(void **state)
{
	EXPECT("ok 253", "node", "-e", fetch_js, url(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(curl),
		cmocka_unit_test(python),
		cmocka_unit_test(node_fetch),
	};

	if (system("command -v node >/dev/null") != 0) {
		printf("node is not installed\n");
		return 77;
	}
	unsetenv("http_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("NODE_OPTIONS");
	return cmocka_run_group_tests(tests, start, stop);
}
