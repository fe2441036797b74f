# SPDX-License-Identifier: Apache-2.0
"""A scripted MCP server: server.py [--http PORT]. Well-behaved, but for what ./server.rules says:

  on KEY reply RAW    answers RAW instead ($ID: the request's id as it was written, \\xHH a byte, $BIG a 20 MB string)
  on KEY part RAW     writes RAW without a newline
  on KEY die          ends with status 3 at once
  on KEY ignore       says nothing
  on KEY add RAW      says RAW before the proper answer
  on KEY bytes RAW    http: exactly these bytes as the response; \\r and \\n are escapes
  on KEY sse RAW...   http: an event stream, one event for each RAW (separated by " ;; ")
KEY is a method, or tools/call:NAME. Every line (http: every body) it gets is appended to ./server.log as it came.
"""
import json
import os
import re
import socketserver
import sys

TOOLS = [{"name": name, "description": f"The tool {name}.", "inputSchema": {"type": "object"}}
         for name in ("echo", "wipe")]
RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}},
                   "serverInfo": {"name": "scripted", "version": "1"}},
    "ping": {},
    "tools/list": {"tools": TOOLS},
}


def rules():
    found = {}
    if os.path.exists("server.rules"):
        with open("server.rules", "rb") as f:
            for line in filter(None, f.read().splitlines()):
                _, key, verb, *rest = line.split(b" ", 3)
                found[key.decode()] = (verb.decode(), rest[0] if rest else b"")
    return found


def log(data):
    with open("server.log", "ab") as f:
        f.write(data.rstrip(b"\r\n") + b"\n")


def fill(text, id_raw):
    text = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text)
    return text.replace(b"$ID", id_raw).replace(b"$BIG", b"x" * 20000000)


def answer(data):
    """What to say to one message: (verb, bytes). Rules first, then good manners."""
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        return "reply", b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"server: cannot parse"}}'
    if not isinstance(message, dict):
        return "ignore", b""
    method = message.get("method")
    id_raw = re.search(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?[0-9]+)', data)
    id_raw = id_raw[1] if id_raw else b"null"
    name = (message.get("params") or {}).get("name")
    table = rules()
    verb, text = table.get(f"{method}:{name}") or table.get(method) or (None, b"")
    if verb and verb != "add":
        return verb, fill(text, id_raw)
    if "id" not in message or method is None:
        return "ignore", b""
    if method == "tools/call":
        result = {"content": [{"type": "text", "text": f"{name} ran"}]}
    elif method in RESULTS:
        result = RESULTS[method]
    else:
        proper = b'{"jsonrpc":"2.0","id":' + id_raw + b',"error":{"code":-32601,"message":"server: no such method"}}'
        return "reply", proper
    proper = b'{"jsonrpc":"2.0","id":' + id_raw + b',"result":' + json.dumps(result).encode() + b"}"
    return "reply", fill(text, id_raw) + b"\n" + proper if verb == "add" else proper


def stdio():
    for line in sys.stdin.buffer:
        log(line)
        verb, text = answer(line)
        if verb == "die":
            sys.exit(3)
        if verb in ("reply", "part"):
            sys.stdout.buffer.write(text + (b"\n" if verb == "reply" else b""))
            sys.stdout.buffer.flush()


class Connection(socketserver.StreamRequestHandler):
    """HTTP/1.1 with keep-alive, just enough: what is strange in a scene, the scene writes byte by byte."""

    def handle(self):
        while self.one():
            pass

    def one(self):
        if not self.rfile.readline():
            return False
        length, chunked = 0, False
        for line in iter(self.rfile.readline, b"\r\n"):
            if not line:
                return False
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            chunked = chunked or (name == b"transfer-encoding" and b"chunked" in value)
        body = self.chunks() if chunked else self.rfile.read(length)
        log(body)
        verb, text = answer(body)
        if verb == "die":
            return False
        if verb == "bytes":
            self.wfile.write(text.replace(rb"\r", b"\r").replace(rb"\n", b"\n"))
            return False
        if verb == "sse":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for event in text.split(b" ;; "):
                data = b"event: message\ndata: " + event + b"\n\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return True
        if verb == "ignore":
            self.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            return True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" %
                         (len(text), text))
        return True

    def chunks(self):
        body = b""
        while size := int(self.rfile.readline() or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if len(sys.argv) > 1:
    with Server(("127.0.0.1", int(sys.argv[2])), Connection) as server:
        server.serve_forever()
else:
    try:
        stdio()
    except BrokenPipeError:
        os._exit(4)  # nobody reads any more
