# SPDX-License-Identifier: Apache-2.0
"""What an agent does to the HTTP side of the gate: http-attacker.py VERB PORT ARG... Prints one JSON document.

  call PORT TOOL / list PORT   an ordinary request: the status and the message of its answer
  half-closed PORT TOOL        the same, but it says at once that nothing more will come
  slow PORT head|body          half of that and then nothing, until the other side says something
  hold PORT COUNT              opens COUNT connections that begin a request and idle: how many stay open, how many were
                               refused, and with what; then the first finishes its request. Until standard input ends
  squat PORT SCRIPT LOG        runs SCRIPT as a server on the port (a child of the agent), until standard input ends
"""
import json
import resource
import select
import socket
import subprocess
import sys

SECONDS = 60
SOURCES = 250  # loopback addresses that connections come from: one has too few ports for all
PORTS_OF_SOURCE = 20000
AT_ONCE = 500


def request(port, message, length=None):
    body = json.dumps(message).encode()
    return (f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nContent-Length: {length or len(body)}\r\n\r\n").encode() + body


def call(tool):
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}


def connect(port, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0))


def answer(s):
    """Status and message of one response."""
    stream = s.makefile("rb")
    status = stream.readline().split()
    length = 0
    for line in iter(stream.readline, b"\r\n"):
        if not line:
            break
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    body = stream.read(length)
    return {"status": int(status[1]) if len(status) > 1 else None, "message": json.loads(body) if body else None}


def ask(port, message):
    with connect(port) as s:
        s.sendall(request(port, message))
        return answer(s)


def half_closed(port, tool):
    with connect(port) as s:
        s.sendall(request(port, call(tool)))
        s.shutdown(socket.SHUT_WR)
        return answer(s)


def slow(port, what):
    whole = request(port, call("echo"))
    with connect(port) as s:
        s.sendall(whole[:whole.index(b"\r\n\r\n") if what == "head" else -5])
        return answer(s)


def sort_out(idle, refused, wait=0):
    """Those of the connections that have not been answered; the answers of the others are counted."""
    poll, by_fd = select.poll(), {s.fileno(): s for s in idle}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    for fd, _ in poll.poll(wait):
        s = by_fd.pop(fd)
        try:
            got = json.dumps(answer(s))
        except OSError as error:
            got = json.dumps(error.strerror)
        refused[got] = refused.get(got, 0) + 1
        s.close()
    return list(by_fd.values())


def hold(port, count):
    begin, rest = request(port, call("echo"))[:5], request(port, call("echo"))[5:]
    idle, refused, before = [], {}, -1
    for i in range(count):
        s = connect(port, f"127.0.0.{2 + i // PORTS_OF_SOURCE % SOURCES}")
        try:
            s.sendall(begin)
        except OSError:
            pass  # refused already, which its answer says
        idle.append(s)
        if len(idle) >= AT_ONCE:
            idle = sort_out(idle, refused)
    while before != len(idle):  # what is still on its way comes in
        before = len(idle)
        idle = sort_out(idle, refused, 1000)
    result = {"open": len(idle), "refused": [[n, json.loads(text)] for text, n in refused.items()]}
    idle[0].sendall(rest)
    result["call"] = answer(idle[0])
    print(json.dumps(result), flush=True)
    sys.stdin.read()


def squat(port, script, log):
    child = subprocess.Popen([sys.executable, script, "--http", port], cwd=log, stdin=subprocess.DEVNULL)
    print("squatting", flush=True)
    sys.stdin.read()
    child.kill()
    child.wait()


def main():
    verb, port, *rest = sys.argv[1:]
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    verbs = {"call": lambda p, tool: ask(p, call(tool)), "half-closed": half_closed, "slow": slow,
             "list": lambda p: ask(p, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})}
    if verb == "squat":
        squat(port, *rest)
    elif verb == "hold":
        hold(int(port), int(rest[0]))
    else:
        print(json.dumps(verbs[verb](int(port), *rest)), flush=True)


main()
