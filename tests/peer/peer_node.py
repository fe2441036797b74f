#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host on the public Node SDK with public and own servers, over stdio (socketpairs) and Streamable HTTP."""
import json

import gate as g
from case import Case, allow, main, refused, text

EVERYTHING = "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
MEMORY = "node_modules/@modelcontextprotocol/server-memory/dist/index.js"
LEDGER_TOOLS = ("echo", "add_entry", "slow", "announce")


def ledger(c, transport):
    """The server with a log: everything a conversation can do, alike with and without."""
    log = c.work.path("ledger.log")
    if transport == "stdio":
        c.servers["ledger"] = {"command": "node", "args": [c.programs["logged-server.mjs"], log]}
    else:
        port = g.free_port()
        c.serve([g.node(), c.programs["logged-server.mjs"], log, "--http", str(port)], port)
        c.servers["ledger"] = {"url": f"http://127.0.0.1:{port}/mcp"}
    c.use(policy=allow(*(f"ledger/{t}" for t in LEDGER_TOOLS)))

    same = [("a call", ['call echo {"message":"x"}']),
            ("text of all planes and escapes", ['call echo {"message":"é 中 😀 \\u0000 \\ud83d\\ude00 \\n \\/ \\u202e"}']),
            ("a message of a megabyte", ["big echo 1000000"]),
            ("what the server says unasked", ["call announce", "sleep 100", "notes"]),
            ("a call given up", ['cancel slow 200 {"ms":5000}', "ping"]),
            ("many calls at once", ["parallel echo 40"]),
            ("ping, server's name and instructions", ["ping", "server"]),
            ("an error of the server's own", ['call echo {"message":5}', "request prompts/list"])]
    for name, steps in same:
        c.same(f"{transport}: {name}", "ledger", *steps)

    mark = len(g.json_lines(log))
    lines = c.run("ledger", "list", "call wipe_ledger", 'call add_entry {"line":"after"}')
    seen = g.json_lines(log)[mark:]
    c.check(f"{transport}: a denied call is an error to the host", refused(g.step(lines, "call wipe_ledger")), lines)
    c.check(f"{transport}: a denied call never reaches the server",
            not [l for l in seen if "wipe_ledger" in (l.get("tool"), l.get("ran"))] and
            {"ran": "add_entry", "args": {"line": "after"}} in seen, seen)
    c.check(f"{transport}: the list leaves out what is denied",
            g.step(lines, "list").get("result") == {"tools": list(LEDGER_TOOLS)}, g.step(lines, "list"))
    cancelled = [l for l in seen if "cancelled" in l] or [l for l in g.json_lines(log) if "cancelled" in l]
    c.check(f"{transport}: the server was told of the call given up", len(cancelled) >= 2, cancelled)


def stdio_ledger():
    with Case(["host.mjs", "logged-server.mjs"]) as c:
        ledger(c, "stdio")
    return c


def http_ledger():
    with Case(["host.mjs", "logged-server.mjs"]) as c:
        ledger(c, "http")
    return c


def everything(c, transport):
    """The reference server, with a host that offers roots, for which it asks back after a while."""
    server = c.work.path(EVERYTHING)
    if transport == "stdio":
        c.servers["everything"] = {"command": "node", "args": [server, "stdio"], "env": {"SECRET": "of-the-server"}}
    else:
        port = g.free_port()
        c.serve([g.node(), server, "streamableHttp"], port, PORT=str(port), SECRET="of-the-server")
        c.servers["everything"] = {"url": f"http://127.0.0.1:{port}/mcp"}
    allowed = ("echo", "get-sum", "get-tiny-image", "get-structured-content", "get-annotated-message",
               "trigger-long-running-operation")
    policy = allow(*(f"everything/{t}" for t in allowed)) + \
        'permit (principal is Server, action == Action::"roots/list", resource);\n'
    c.use(policy=policy, capabilities={"roots": {}})
    c.same(f"{transport}: server-everything's plain tools", "everything", 'call echo {"message":"hi"}',
           'call get-sum {"a":1.5,"b":2}', "call get-tiny-image", 'call get-structured-content {"location":"Chicago"}',
           'call get-annotated-message {"messageType":"error","includeImage":true}', "ping", "sleep 700", "ping")
    # The SDK may or may not deliver the last progress before the result that comes with it, with or without a gate.
    step = 'progress trigger-long-running-operation {"duration":1,"steps":4}'
    answer = g.step(c.run("everything", step), step)
    seen = [p.get("progress") for p in answer.get("result", {}).get("seen", [])]
    c.check(f"{transport}: progress of a long call", seen[:3] == [1, 2, 3] and answer["result"]["result"]["content"], answer)
    lines = c.run("everything", "list", "call get-env")
    c.check(f"{transport}: get-env is denied and its answer stays inside",
            refused(g.step(lines, "call get-env")) and "of-the-server" not in json.dumps(lines), lines)
    tools = g.step(lines, "list").get("result", {}).get("tools", [])
    c.check(f"{transport}: the list is a subset of what is allowed", tools and set(tools) <= set(allowed), tools)


def stdio_everything():
    with Case(["host.mjs"]) as c:
        everything(c, "stdio")
    return c


def http_everything():
    with Case(["host.mjs"]) as c:
        everything(c, "http")
    return c


def memory():
    """A published server whose effect is a file: what is denied leaves the file as it was."""
    with Case(["host.mjs"]) as c:
        store = c.work.path("memory.jsonl")
        c.servers["memory"] = {"command": "node", "args": [c.work.path(MEMORY)], "env": {"MEMORY_FILE_PATH": store}}
        c.use(policy=allow("memory/create_entities", "memory/read_graph"))
        entity = '{"entities":[{"name":"grüße","entityType":"note","observations":["one","two"]}]}'
        lines = c.run("memory", f"call create_entities {entity}", 'call delete_entities {"entityNames":["grüße"]}',
                      "call read_graph")
        kept = g.json_lines(store)
        c.check("memory: an allowed call has its effect", len(kept) == 1 and kept[0]["name"] == "grüße", kept)
        c.check("memory: a denied call has none", refused(g.step(lines, 'call delete_entities {"entityNames":["grüße"]}')),
                lines)
        c.check("memory: structured results pass", "grüße" in (text(g.step(lines, "call read_graph")) or ""), lines)
    return c


def unlisted():
    """The same program at another path, and the same server at another port, are strangers."""
    with Case(["host.mjs", "logged-server.mjs"]) as c:
        log, other = c.work.path("a.log"), c.work.path("b.log")
        source = c.programs["logged-server.mjs"]
        with open(source, encoding="utf-8") as f:
            copy = c.work.write("copy.mjs", f.read() + "//\n")
        ports = [g.free_port(), g.free_port()]
        for port, path in zip(ports, (log, other)):
            c.serve([g.node(), source, path, "--http", str(port)], port)
        c.servers = {"listed": {"url": f"http://127.0.0.1:{ports[0]}/mcp"},
                     "port": {"url": f"http://127.0.0.1:{ports[1]}/mcp"},
                     "program": {"command": "node", "args": [copy, other]}}
        c.use(policy=allow("listed/echo"), scan=["listed"])
        step = 'call echo {"message":"x"}'
        c.check("the listed server answers", text(g.step(c.run("listed", step), step)) == "echo: x")
        for name in ("port", "program"):
            mark = len(g.json_lines(other))
            lines = c.run(name, step)
            got = [l for l in g.json_lines(other)[mark:] if "method" in l or "ran" in l]
            c.check(f"unlisted {name}: refused, and nothing arrives", not text(g.step(lines, step)) and not got, [lines, got])
        records = c.gate.settle(lambda rs: sum(r.get("reason_code") == "unlisted_server" for r in rs) >= 2)
        c.check("each refusal is recorded", sum(r.get("reason_code") == "unlisted_server" for r in records) >= 2,
                sorted({str(r.get("reason_code")) for r in records}))
    return c


def rug_pull():
    """Each way in which a definition can turn, and that turning back is enough."""
    with Case(["host.mjs", "rugpull-server.mjs"]) as c:
        log, flag = c.work.path("weather.log"), c.work.path("flag")
        c.servers["weather"] = {"command": "node", "args": [c.programs["rugpull-server.mjs"], log, flag]}
        c.use(policy=allow("weather/weather"))
        call = 'call weather {"city":"Rome"}'
        for turn in ("description", "annotations", "schema", "extra", ""):
            c.work.write("flag", turn)
            mark = len(g.json_lines(log))
            lines = c.run("weather", "list", call)
            ran = g.json_lines(log)[mark:]
            tools = g.step(lines, "list").get("result", {}).get("tools")
            if turn in ("extra", ""):
                c.check(f"rug pull: {turn or 'turned back'}: the approved tool works and nothing else is shown",
                        tools == ["weather"] and text(g.step(lines, call)) == "sunny", lines)
            else:
                c.check(f"rug pull: a changed {turn} is hidden and refused",
                        tools == [] and refused(g.step(lines, call)) and not ran, [lines, ran])
        drifts = c.gate.settle(lambda rs: sum(r.get("entry_type") == "catalog_drift" for r in rs) >= 3)
        said = json.dumps([r for r in drifts if r.get("entry_type") == "catalog_drift"])
        c.check("rug pull: the records name the members", all(w in said for w in ("description", "annotations",
                                                                                  "input_schema")) or
                all(w in said for w in ("description", "annotations", "inputSchema")), said[:600])
    return c


if __name__ == "__main__":
    main(stdio_ledger, http_ledger, stdio_everything, http_everything, memory, unlisted, rug_pull)
