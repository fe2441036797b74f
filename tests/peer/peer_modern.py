#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Protocol 2026-07-28: host and server on the second SDK, pinned and negotiating (which probes with a sibling
process), over stdio and HTTP; and a host of that era with a server of the one before."""
import gate as g
from case import Case, allow, main, refused, text

ECHO = 'call echo {"message":"héllo"}'
SHRED = 'call shred {"message":"everything"}'


def need_node_20():
    if g.node_major() < 20:
        raise g.Skip(f"the second MCP SDK needs node 20, this is {g.node_major()}")


def modern(transport, negotiation):
    need_node_20()
    with Case(["modern-host.mjs", "modern-server.mjs"]) as c:
        log = c.work.path("modern.log")
        server = c.programs["modern-server.mjs"]
        if transport == "stdio":
            c.servers["modern"] = {"command": "node", "args": [server, log]}
        else:
            port = g.free_port()
            c.serve([g.node(), server, log, "--http", str(port)], port)
            c.servers["modern"] = {"url": f"http://127.0.0.1:{port}/mcp"}
        c.use(host="modern-host.mjs", policy=allow("modern/echo"), negotiation=negotiation)
        name = f"{transport}, {negotiation}"
        c.same(f"{name}: an allowed call", "modern", ECHO)
        mark = len(g.json_lines(log))
        lines = c.run("modern", "list", SHRED, ECHO)
        ran = [l["ran"] for l in g.json_lines(log)[mark:] if "ran" in l]
        c.check(f"{name}: a denied call is an error to the host and never runs",
                refused(g.step(lines, SHRED)) and ran == ["echo"], [lines, ran])
        c.check(f"{name}: the list is filtered", g.step(lines, "list").get("result") == {"tools": ["echo"]}, lines)
    return c


def stdio_pinned():
    return modern("stdio", "2026-07-28")


def stdio_auto():
    return modern("stdio", "auto")


def http_pinned():
    return modern("http", "2026-07-28")


def http_auto():
    return modern("http", "auto")


def falls_back():
    """The probe of a new host is refused by an old server, not by the gate: the fallback must work."""
    need_node_20()
    with Case(["modern-host.mjs", "logged-server.mjs"]) as c:
        log = c.work.path("ledger.log")
        c.servers["ledger"] = {"command": "node", "args": [c.programs["logged-server.mjs"], log]}
        c.use(host="modern-host.mjs", policy=allow("ledger/echo"), negotiation="auto")
        lines = c.run("ledger", ECHO, "call wipe_ledger")
        c.check("a new host falls back to an old server", text(g.step(lines, ECHO)) == "echo: héllo", lines)
        c.check("and is judged there", refused(g.step(lines, "call wipe_ledger")) and
                not [l for l in g.json_lines(log) if l.get("ran") == "wipe_ledger"], lines)
    return c


if __name__ == "__main__":
    main(stdio_pinned, stdio_auto, http_pinned, http_auto, falls_back)
