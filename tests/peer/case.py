# SPDX-License-Identifier: Apache-2.0
"""One peer test: a Tollgate, ordinary programs, and lines "ok NAME" or "FAIL NAME: what was seen"."""
import json
import os
import shutil
import signal
import sys

import gate as g

# What a conversation needs; each test adds what its agent may call.
CONVERSATION = """
@id("conversation")
permit (principal, action in [Action::"method", Action::"server/use", Action::"spawn"], resource);
"""


def allow(*tools):
    return '@id("allowed")\npermit (principal is Agent, action in [' + ", ".join(f'Action::"{t}"' for t in tools) + \
        "], resource);\n"


def refused(answer):
    """A denial the host could read: a JSON-RPC error with a code of the gate, not an end or a timeout."""
    error = answer.get("error") or {}
    said = str(error.get("message", "")).lower()
    return answer.get("ok") is False and isinstance(error.get("code"), int) and "closed" not in said and \
        "timed out" not in said


def text(answer):
    content = (answer.get("result") or {}).get("content") if answer.get("ok") else None
    return content[0].get("text") if content else None


class Case:
    """Use as a context: `with Case(...) as c:`. servers: {name: {command, args} or {url}} as in a host's mcp.json."""

    def __init__(self, programs=(), **settings):
        self.work = g.Workspace()
        self.programs = dict(zip(programs, self.work.install(*programs))) if programs else {}
        self.settings, self.gate, self.failed, self.checks = settings, None, 0, 0
        self.servers, self.host = {}, None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        try:
            if error is not None and not isinstance(error, g.Skip):
                self.check("the test ran to its end", False, f"{kind.__name__}: {error}")
            if self.gate:
                if self.failed:
                    print("the daemon's last words:\n" + self.gate.daemon_log()[-3000:])
                self.gate.close()
                if self.gate.daemon:
                    left = self.gate.left_behind()
                    self.check("no scope is left behind", not left, left)
        finally:
            self.work.close()
        return error is not None and not isinstance(error, g.Skip) and isinstance(error, Exception)

    def check(self, name, holds, seen=""):
        self.checks += 1
        self.failed += not holds
        print(f"ok {name}" if holds else f"FAIL {name}: {seen if isinstance(seen, str) else json.dumps(seen)[:1500]}",
              flush=True)
        return holds

    def use(self, host="host.mjs", interpreter=None, policy="", scan=None, start=True, **mcp_json):
        """Writes the host's configuration, approves self.servers, starts the gate. The unenrolled twin of the host
        is the same program under another name: what it sees is what there is without Tollgate."""
        self.interpreter = interpreter or g.node()
        self.host = self.programs.get(host, host)
        base, extension = os.path.splitext(self.host)
        self.twin = shutil.copy(self.host, base + "-twin" + extension)
        self.mcp_json = self.work.write("mcp.json", json.dumps({"mcpServers": self.servers, **mcp_json}))
        agents = [{"name": "peer", "sponsor": "peer@example.org", "exe": self.interpreter, "script": self.host}]
        # TOLLGATE_OFF=1 shows that a test can fail: the same programs without the daemon.
        self.gate = g.Gate(self.work, agents, CONVERSATION + policy, off=bool(os.environ.get("TOLLGATE_OFF")),
                           **self.settings)
        for name in [] if self.gate.off else scan if scan is not None else self.servers:
            server = self.servers[name]
            self.gate.scan(name, [server["command"], *server["args"]] if "command" in server else None, server.get("url"))
        if start:
            self.gate.start()

    def run(self, server, *steps):
        return g.run_host([self.interpreter, self.host, self.mcp_json, server, *steps], cwd=self.work.dir)

    def plain(self, server, *steps):
        return g.run_host([self.interpreter, self.twin, self.mcp_json, server, *steps], cwd=self.work.dir)

    def same(self, name, server, *steps):
        """Allowed traffic is the same with and without Tollgate, to the letter of what the SDK gave the host."""
        without, through = self.plain(server, *steps), self.run(server, *steps)
        reached = len(through) == len(steps) + 1 and all(isinstance(l, dict) and l.get("ok") for l in through[:1])
        self.check(name, reached and through == without, [{"without": a, "through": b} for a, b in
                                                          zip(without, through + [None] * len(without)) if a != b][:3])
        return through

    def serve(self, argv, port, **env):
        process = self.work.start(argv, env=g.environment(**env))
        g.wait_for_port(port)
        return process


def main(*tests):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    failed = skipped = 0
    for test in tests:
        try:
            case = test()
            failed += case.failed if case else 0
        except g.Skip as reason:
            print(f"skip {test.__name__}: {reason}", flush=True)
            skipped += 1
    sys.exit(1 if failed else 77 if skipped == len(tests) else 0)
