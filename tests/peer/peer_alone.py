#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is no MCP is left alone: the same programs inside a scope and outside give the same, to the letter: output, exit
codes, signals, ends of file, kinds and sizes of descriptors. The policy allows everything, so a difference is ours."""
import os
import pty
import re
import select
import shutil
import subprocess
import time

import gate as g
from case import Case, main

POLICY = "permit (principal, action, resource);\n"
SECONDS = 300

PIPELINES = r"""
seq 1 5000 | while read x; do echo $((x * 2)); done | sort -n | md5sum
head -c 20000000 /dev/zero | tee /dev/null | sha1sum
printf 'no newline at the end' | cat; echo; cat </dev/null; echo "end $?"
printf '{"a":"jsonrpc"}\n{"jsonrpc":3}\n["jsonrpc"]\n' | cat
printf '%s\n' '{"id":1,"name":"a line of JSON"}' '{"id":2}' | grep -c id
mkfifo f; (echo through a fifo >f) & cat f; wait; rm f
{ echo one; echo two >&2; } 2>&1 | cat -A
echo "$(echo nested "$(echo deep)")"; cat <<END
a document $((6 * 7))
END
"""
MANY = r"""
i=0; while [ $i -lt 1000 ]; do ls /usr >/dev/null || exit 3; i=$((i + 1)); done; echo $i
ls / | sort | md5sum
"""
ENDS = r"""
sh -c 'exit 42'; echo $?
sh -c 'kill -TERM $$'; echo $?
sh -c 'kill -KILL $$' 2>/dev/null; echo $?
{ yes; echo "yes $?" >&2; } | head -n 1
timeout 0.2 sleep 5; echo $?
trap 'echo caught' USR1; kill -USR1 $$; sleep 0.1; trap - USR1
sleep 30 & kill -HUP $!; wait $!; echo $?
/nonexistent/program; echo $?
(exit 7) | true; echo $?; false | (exit 9); echo $?
exec 3>&1; (echo to three >&3) | cat; exec 3>&-
exit 23
"""
KINDS = r"""
import fcntl, os, socket, stat, subprocess, sys
def kind(fd):
    try:
        st = os.fstat(fd)
    except OSError as e:
        return e.strerror
    size = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) if stat.S_ISFIFO(st.st_mode) else "-"
    return stat.filemode(st.st_mode), fcntl.fcntl(fd, fcntl.F_GETFL), fcntl.fcntl(fd, fcntl.F_GETFD), size
if len(sys.argv) > 1:
    print([kind(fd) for fd in range(6)], flush=True)
    for line in sys.stdin:
        print(line.upper(), end="", flush=True)
    print("end of file", flush=True)
    sys.exit(5)
for pipes in ({}, {"bufsize": 0}):
    p = subprocess.Popen([sys.executable, sys.argv[0], "child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, **pipes)
    print([kind(p.stdin.fileno()), kind(p.stdout.fileno())], p.stdout.readline())
    for word in (b"hello\n", b"{\"not\": \"rpc\"}\n", b"x" * 100000 + b"\n"):
        p.stdin.write(word); p.stdin.flush()
        print(len(p.stdout.readline()))
    p.stdin.close()
    print(p.stdout.read(), p.wait())
a, b = socket.socketpair()
p = subprocess.Popen([sys.executable, sys.argv[0], "child"], stdin=b, stdout=b)
b.close(); a.sendall(b"half\n"); a.shutdown(socket.SHUT_WR)
print(b"".join(iter(lambda: a.recv(4096), b"")), p.wait())
p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
p.terminate(); print(p.wait())
p = subprocess.Popen(["true"], stdin=subprocess.PIPE); p.wait()
try:
    p.stdin.write(b"x" * 200000); p.stdin.flush()
except BrokenPipeError as e:
    print(e.strerror)
"""
GIT = r"""
export HOME=$PWD GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a \
	GIT_COMMITTER_EMAIL=a@example.org GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git init -q -b main r && cd r && for i in 1 2 3; do echo $i >f$i; git add f$i; git commit -qm "number $i"; done
git log --format='%H %s' && git gc -q && git fsck && git diff HEAD~1 | cat && git clone -q . ../s && git -C ../s log -1 --format=%H
git archive HEAD | tar tf -
"""
BUILD = r"""
printf 'int f(int);\n#include <stdio.h>\nint main(void) { printf("%%d\\n", f(20)); return 3; }\n' >main.c
printf 'int f(int n) { return n < 2 ? n : f(n - 1) + f(n - 2); }\n' >f.c
printf 'p: main.o f.o\n\tcc -o p main.o f.o\n' >Makefile
make -s -j2 CFLAGS='-O1 -pipe' && ./p; echo $?
echo 'int broken(' >b.c; cc -c b.c 2>&1 | grep -c error; cc -E f.c | grep -c f
"""
NPM = r"""
export HOME=$PWD npm_config_cache=$PWD/cache npm_config_update_notifier=false npm_config_fund=false npm_config_audit=false
mkdir dep app && cd dep
printf '{"name":"dep","version":"1.0.0","main":"i.js","scripts":{"install":"node -e \\"console.log(7*6)\\""}}' >package.json
echo 'module.exports = "installed"' >i.js; npm pack --silent
cd ../app; printf '{"name":"app","version":"1.0.0"}' >package.json
npm install --offline --silent ../dep/dep-1.0.0.tgz; echo $?
node -e 'console.log(require("dep"))'; ls node_modules
"""
# LIMIT: what already lies in a pipe when a traced program starts on it is looked at by the supervisor; a reader that does
# not wait for that look cannot be stopped behind its tracer's back, and is killed. So the words come when it waits.
TRACED = r"""
(sleep 1; printf 'spoken\n') | strace -f -o trace sh -c 'cat | tr a-z A-Z'; echo $?; grep -c 'exited with 0' trace
strace -o trace sh -c 'exit 6'; echo $?
"""
DEBUGGED = r"""
printf 'seen by cat\n' >in
gdb -q -batch -ex 'run <in' -ex 'info inferiors' --args "$(command -v cat)" 2>/dev/null | grep -v 'process\|libthread\|/lib'
"""
SERVER = r"""
import fcntl, json, os, stat, sys
def kind(fd):
    st = os.fstat(fd)
    size = fcntl.fcntl(fd, fcntl.F_GETPIPE_SZ) if stat.S_ISFIFO(st.st_mode) else "-"
    return f"{stat.filemode(st.st_mode)} {fcntl.fcntl(fd, fcntl.F_GETFL)} {fcntl.fcntl(fd, fcntl.F_GETFD)} {size}"
for line in sys.stdin:
    m = json.loads(line)
    if m["method"] == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif m["method"] == "tools/list":
        result = {"tools": [{"name": "kinds", "description": "Kinds.", "inputSchema": {"type": "object"}}]}
    elif m["method"] == "tools/call":
        result = {"content": [{"type": "text", "text": f"{kind(0)} {kind(1)}"}]}
    if "id" in m:
        print(json.dumps({"jsonrpc": "2.0", "id": m["id"], "result": result}), flush=True)
sys.exit(9)
"""
HOST = r"""
import fcntl, json, os, socket, stat, subprocess, sys
def ask(out, inp, n, method, params):
    out.write(json.dumps({"jsonrpc": "2.0", "id": n, "method": method, "params": params}).encode() + b"\n"); out.flush()
    print(inp.readline())
def talk(out, inp):
    ask(out, inp, 1, "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "h", "version": "1"}})
    ask(out, inp, 2, "tools/call", {"name": "kinds", "arguments": {}})
server = [sys.executable, sys.argv[1]]
p = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
talk(p.stdin, p.stdout)
print([(stat.filemode(os.fstat(f.fileno()).st_mode), fcntl.fcntl(f, fcntl.F_GETPIPE_SZ)) for f in (p.stdin, p.stdout)])
p.stdin.close(); print(p.stdout.read(), p.wait())
a, b = socket.socketpair()
p = subprocess.Popen(server, stdin=b, stdout=b); b.close()
f = a.makefile("rwb")
talk(f, f)
a.shutdown(socket.SHUT_WR); print(f.read(), p.wait())
p = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
talk(p.stdin, p.stdout)
p.terminate(); print(p.stdout.read(), p.wait())
"""


class Alone:
    """The same script twice: enrolled, and as a copy that no selector names."""

    def __init__(self, c, **servers):
        self.c = c
        self.inside, self.outside = c.work.path("inside.sh"), c.work.path("outside.sh")
        agents = [{"name": "alone", "exe": g.shell(), "script": self.inside}]
        c.gate = g.Gate(c.work, agents, POLICY, off=bool(os.environ.get("TOLLGATE_OFF")))
        for name, command in servers.items() if not c.gate.off else ():
            c.gate.scan(name, command)
        c.gate.start()

    def once(self, script, argv, text):
        self.c.work.write(os.path.basename(script), text)
        directory = self.c.work.path("place")  # the same path for both: programs print it
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        done = subprocess.run([g.shell(), script, *argv], cwd=directory, capture_output=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL, env=g.environment(LC_ALL="C"))
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace").replace(script, "SCRIPT")

    def same(self, name, text, *needs):
        for program in needs:
            if not shutil.which(program):
                print(f"skip {name}: {program} is not installed", flush=True)
                return
        outside, inside = self.once(self.outside, (), text), self.once(self.inside, (), text)
        self.c.check(f"{name}: as outside", inside == outside and outside[1], {"outside": outside, "inside": inside})

    def talk(self, script):
        """An interactive shell on a terminal: a job is stopped, listed, let go on, ended."""
        self.c.work.write(os.path.basename(script), "PS1='$ ' exec bash --norc --noprofile -i\n")
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(g.shell(), [g.shell(), script], g.environment(LC_ALL="C", TERM="dumb", HISTFILE="/dev/null"))
        said = self.until(fd, b"$ ")
        for line, wanted in ((b"sleep 100\n", None), (b"\x1a", b"$ "), (b"jobs\n", b"$ "), (b"bg\n", b"$ "),
                             (b"kill %1; wait %1; echo $?\n", b"143"), (b"cat\n", None), (b"typed\n", b"typed\r\ntyped"),
                             (b"\x04", b"$ "), (b"yes | head -n 2\n", b"y\r\ny"), (b"stty -a | grep -c isig\n", b"1"),
                             (b"sleep 100\n", None), (b"\x03", b"$ "), (b"echo $?\n", b"130"), (b"exit 4\n", None)):
            os.write(fd, line)
            said += self.until(fd, wanted) if wanted else b""
            time.sleep(0.3)  # for what gives no sign: that sleep and cat have the terminal
        said += self.until(fd, None)
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status, sorted(set(re.sub(rb"\s+", b" ", line) for line in said.split(b"\n")))

    @staticmethod
    def until(fd, wanted, seconds=20):
        said, deadline = b"", time.monotonic() + seconds
        while time.monotonic() < deadline and (wanted is None or wanted not in said):
            if not select.select([fd], [], [], 0.5)[0]:
                continue
            try:
                said += os.read(fd, 65536) or b""
            except OSError:
                break  # the other side of the terminal is closed
        return said


def left_alone():
    with Case() as c:
        a = Alone(c)
        where = a.once(a.inside, (), "cat /proc/self/cgroup")
        c.check("the script runs in a scope", c.gate.off or "tollgate-alone" in where[1], where)
        kinds = c.work.write("kinds.py", KINDS)
        a.same("pipelines", PIPELINES)
        a.same("ls a thousand times", MANY)
        a.same("exit codes and signals", ENDS)
        a.same("descriptors and half-close", f"exec {g.python()} {kinds}")
        a.same("git", GIT, "git")
        a.same("a C build", BUILD, "cc", "make")
        a.same("npm install", NPM, "npm", "node")
        a.same("programs under strace", TRACED, "strace")
        a.same("a program in a debugger", DEBUGGED, "gdb")
        if shutil.which("bash"):
            outside, inside = a.talk(a.outside), a.talk(a.inside)
            c.check("job control on a terminal: as outside", inside == outside and outside[0] == 4,
                    {"outside": str(outside), "inside": str(inside)})
        else:
            print("skip job control: bash is not installed", flush=True)
        if not c.gate.off:
            time.sleep(1)
            odd = [r for r in c.gate.records() if r["entry_type"] not in ("session_start", "session_end") and
                   r.get("agent") == "alone" and "enrol" not in r.get("reason_code", "") + r["entry_type"]]
            c.check("nothing of it was taken for MCP", not odd, odd[:3])
    return c


def a_server_that_was_taken_over():
    """What a host and an MCP server see of their descriptors, ends and signals."""
    with Case() as c:
        server, host = c.work.write("server.py", SERVER), c.work.write("host.py", HOST)
        a = Alone(c, kinds=[g.python(), server])
        a.same("a server that was taken over", f"{g.python()} {host} {server}")
        taken = [r for r in c.gate.settle(lambda rs: any(r.get("tool_name") == "kinds" for r in rs))
                 if r.get("tool_name") == "kinds" and r.get("entry_type") == "tool_call"]
        c.check("and it was taken over", c.gate.off or len(taken) == 3, len(taken))
    return c


if __name__ == "__main__":
    main(left_alone, a_server_that_was_taken_over)
