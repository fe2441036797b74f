#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks on the HTTP side that need more than one connection or server: floods, slow senders, squatted ports.

"make flood" is the long form of the first (IDLE_CONNECTIONS=100000); the network namespace is the test's own.
"""
import json
import os
import shutil
import subprocess
import sys

import gate as g
from case import CONVERSATION, Case, allow, main, refused

SERVER = os.path.join(g.ROOT, "tests", "scene", "server.py")
ATTACKER = os.path.join(g.HERE, "http-attacker.py")
IDLE = int(os.environ.get("IDLE_CONNECTIONS", "60"))
LIMIT = 16


class Attack(Case):
    """A gate whose agent is the attacker, and scripted servers on ports of their own."""

    def __init__(self, *tools, conf=""):
        super().__init__()
        self.attacker = shutil.copy(ATTACKER, self.work.path("attacker.py"))
        self.gate = g.Gate(self.work, [{"name": "attacker", "exe": g.python(), "script": self.attacker}],
                           CONVERSATION + allow(*tools), off=bool(os.environ.get("TOLLGATE_OFF")))
        with open(self.gate.config, "a", encoding="utf-8") as f:
            f.write(conf)

    def directory(self, name):
        os.makedirs(self.work.path(name), exist_ok=True)
        return self.work.path(name)

    def server(self, name, port, script=SERVER):
        """Runs a server in a folder of its own, where its log lies."""
        path = os.path.join(self.directory(name), "server.py")
        if not os.path.exists(path):
            shutil.copy(script, path)
        process = subprocess.Popen([g.python(), path, "--http", str(port)], cwd=self.directory(name),
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        self.work.processes.append(process)
        g.wait_for_port(port)
        return process

    def scan(self, name, port):
        if not self.gate.off:
            self.gate.scan(name, url=f"http://127.0.0.1:{port}/mcp")

    def log(self, name):
        path = os.path.join(self.directory(name), "server.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def start(self, verb, port, *args):
        return subprocess.Popen([g.python(), self.attacker, verb, str(port), *map(str, args)], cwd=self.work.dir,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=g.environment())

    def attack(self, verb, port, *args):
        process = self.start(verb, port, *args)
        out = process.communicate(timeout=g.CALL_SECONDS * 5)[0]
        return json.loads(out) if out.strip() else {}

    def denied(self, result):
        error = (result.get("message") or {}).get("error") or {}
        return refused({"ok": False, "error": error})


def passed(result):
    return result.get("status") == 200 and "result" in (result.get("message") or {})


def idle_connections():
    """Beyond the limit each is told why, those within it go on, and room that is given back is given out."""
    with Attack("web/echo", conf=f"limits: {{connections: {LIMIT}}}\nhttp: {{header_timeout: 5m}}\n") as c:
        port = g.free_port()
        c.server("web", port)
        c.scan("web", port)
        c.gate.start()
        holder = c.start("hold", port, IDLE)
        seen = json.loads(holder.stdout.readline())
        c.check("flood: as many as the limit says stay open", seen["open"] == LIMIT, seen)
        c.check("flood: each of the others is told why", sum(n for n, _ in seen["refused"]) == IDLE - LIMIT and
                all(a == {"status": 503, "message": {"error": "too many connections"}} for _, a in seen["refused"]), seen)
        c.check("flood: a connection within the limit works", passed(seen["call"]), seen)
        holder.communicate()
        c.check("flood: afterwards a new one works", passed(c.attack("call", port, "echo")))
    return c


def slow_senders():
    """Half a head and half a body end by the limits that the configuration names; a half-closed connection does not."""
    with Attack("web/echo", conf="http: {header_timeout: 300ms, body_timeout: 300ms}\n") as c:
        port = g.free_port()
        c.server("web", port)
        c.scan("web", port)
        c.gate.start()
        for what in ("head", "body"):
            seen = c.attack("slow", port, what)
            c.check(f"slow {what}: ended with 408", seen.get("status") == 408, seen)
        seen = c.attack("half-closed", port, "echo")
        c.check("half-closed: the answer still comes", passed(seen), seen)
        c.check("slow: nothing half reached the server", c.log("web").count("tools/call") == 1, c.log("web"))
    return c


def squatted_port():
    """Whoever else owns the approved server's port gets nothing: before its first run, between runs, from within."""
    with Attack("web/echo") as c:
        port = g.free_port()
        real = c.server("web", port)
        c.scan("web", port)
        c.work.stop(real)
        c.gate.start()
        other = c.work.write("other.py", "# not the approved one\n" + open(SERVER, encoding="utf-8").read())

        def squatted(when):
            squatter = c.server("squatter", port, other)
            seen = c.attack("call", port, "echo")
            c.check(f"squatted {when}: denied", c.denied(seen), seen)
            c.work.stop(squatter)

        squatted("before the first run")
        real = c.server("web", port)
        seen = c.attack("call", port, "echo")
        c.check("the real server works", passed(seen), seen)
        c.work.stop(real)
        squatted("between runs")
        own = c.start("squat", port, other, c.directory("own"))
        own.stdout.readline()
        g.wait_for_port(port)
        seen = c.attack("call", port, "echo")
        c.check("squatted by the agent's own child: denied", c.denied(seen), seen)
        own.communicate()
        real = c.server("web", port)
        seen = c.attack("call", port, "echo")
        c.check("the real server works again", passed(seen), seen)
        c.check("squatted: no squatter saw a byte of MCP", c.log("squatter") + c.log("own") == "", c.log("squatter"))
        c.check("squatted: recorded as unlisted", any(r.get("reason_code") == "unlisted_server" for r in c.gate.settle(
            lambda rs: any(r.get("reason_code") == "unlisted_server" for r in rs))))
    return c


def one_tool_name():
    """Two servers with one tool are two tools: in policy, in the list, in the record."""
    with Attack("mine/echo") as c:
        ports = {"mine": g.free_port(), "theirs": g.free_port()}
        for name, port in ports.items():
            c.server(name, port)
            c.scan(name, port)
        c.gate.start()
        seen = {name: c.attack("call", port, "echo") for name, port in ports.items()}
        c.check("one name: policy tells them apart", passed(seen["mine"]) and c.denied(seen["theirs"]), seen)
        c.check("one name: the other one's was not called", "tools/call" in c.log("mine") and
                "tools/call" not in c.log("theirs"), c.log("theirs"))
        lists = {name: [t["name"] for t in (c.attack("list", port).get("message") or {}).get("result", {}).get("tools", [])]
                 for name, port in ports.items()}
        c.check("one name: so does the list", lists == {"mine": ["echo"], "theirs": []}, lists)
        wanted = [("mine", "allow"), ("theirs", "deny")]
        have = lambda rs: [(r.get("server_identity"), r.get("policy_decision")) for r in rs  # noqa: E731
                           if r.get("entry_type") == "tool_call" and r.get("tool_name") == "echo"]
        records = c.gate.settle(lambda rs: sorted(have(rs)) == wanted)
        c.check("one name: so does the record", sorted(have(records)) == wanted, have(records))
    return c


if __name__ == "__main__":
    if not os.environ.get("OWN_NET"):
        os.execvpe("unshare", ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"', sys.executable, "-B",
                               *sys.argv], {**os.environ, "OWN_NET": "1"})
    chosen = [t for t in (idle_connections, slow_senders, squatted_port, one_tool_name)
              if len(sys.argv) < 2 or t.__name__ in sys.argv[1:]]
    main(*chosen)
