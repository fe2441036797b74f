#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host in plain Python on pipes, with a server in Python and one in C that reads in blocking calls."""
import os
import subprocess

import gate as g
from case import Case, main

SCENE = os.path.join(g.ROOT, "tests", "scene")
POLICY = 'permit (principal is Agent, action == Action::"plain/echo", resource);\n'
HELLO = ('{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
         '"clientInfo":{"name":"plain","version":"1"}}}')


def call(number, name="echo", arguments="{}"):
    return f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}'


def talk(c, host, script, *server):
    path = c.work.write("script", "\n".join(script) + "\n")
    done = subprocess.run([g.python(), host, path, "stdio", *server], cwd=c.work.dir, capture_output=True,
                          stdin=subprocess.DEVNULL, env=g.environment(), timeout=g.CALL_SECONDS)
    return done.stdout.decode().splitlines()


def plain(name, server_of):
    def test():
        with Case() as c:
            for program in ("host.py", "server.py"):
                with open(os.path.join(SCENE, program), encoding="utf-8") as f:
                    c.work.write(program, f.read())
            argv = server_of(c)
            c.servers["plain"] = {"command": argv[0], "args": argv[1:]}
            c.use(host=c.work.path("host.py"), interpreter=g.python(), policy=POLICY)
            big = "x" * 1000000
            allowed = [f"send {HELLO}", "wait 1", f"send {call(9007199254740993)}", f"send {call(chr(34) + 'ü' + chr(34))}",
                       "big 1000000 " + call(3, arguments='{"a":"@@"}'), "wait 4"]
            without, through = (talk(c, h, allowed, *argv) for h in (c.twin, c.host))
            c.check(f"{name}: allowed traffic is the same", through == without and len(through) == 5,
                    [[l[:200] for l in without], [l[:200] for l in through]])
            lines = talk(c, c.host, [f"send {HELLO}", "wait 1", f"send {call(5, 'wipe')}", f"send {call(6)}", "wait 3"], *argv)
            c.check(f"{name}: a denied call is answered with an error", any('"id":5' in l and '"error"' in l for l in lines),
                    lines)
            c.check(f"{name}: the call after it is not", any('"id":6' in l and '"result"' in l for l in lines), lines)
            log = c.work.path("server.log")
            with open(log, encoding="utf-8", errors="replace") as f:
                seen = f.read()
            c.check(f"{name}: the server's log knows nothing of it", '"id":6' in seen and '"wipe"' not in seen, seen[-500:])
            c.check(f"{name}: a megabyte arrived whole", big in seen, len(seen))
        return c
    test.__name__ = name.replace(" ", "_")
    return test


def in_python(c):
    return [g.python(), c.work.path("server.py")]


def in_c(c):
    program = c.work.path("echo_server")
    subprocess.run(["gcc", "-O1", "-o", program, os.path.join(g.ROOT, "tests", "bench", "echo_server.c")], check=True)
    return [program, c.work.path("server.log")]


if __name__ == "__main__":
    main(plain("python server", in_python), plain("c server", in_c))
