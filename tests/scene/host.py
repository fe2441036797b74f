# SPDX-License-Identifier: Apache-2.0
"""A scripted MCP host without an SDK: host.py SCRIPT stdio COMMAND ARG... | http PORT PATH

SCRIPT ("-": standard input) holds one verb a line:
  send RAW      RAW and a newline to the server; \\xHH stands for one byte
  part RAW      the same without the newline
  big N RAW     send, with @@ replaced by N letters x
  nest N RAW    send, with @@ replaced by N nested empty arrays
  wait N        until N lines came back in all (http: N responses), at most 20 s
  quiet MS      pauses, for what must not come
  close         closes the server's standard input (http: the connection)
  vanish        ends at once, without closing anything first
  post RAW      http: RAW as an MCP request on the connection, opened anew when it was closed
  bytes RAW     http: exactly these bytes; \\r and \\n are escapes here too
What comes back is printed as it came: lines of the server, or for http one line "STATUS BODY" a response. The last
line is "exit STATUS" (stdio).
"""
import os
import re
import socket
import subprocess
import sys
import threading
import time

SECONDS = 20
HEAD = ("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        "Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n\r\n")


def raw(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m[1], 16)]), text)


def raw_http(text):
    return raw(text.replace(rb"\r", b"\r").replace(rb"\n", b"\n"))


class Output:
    """Lines as they arrive, printed and counted."""

    def __init__(self):
        self.count, self.changed, self.ended = 0, threading.Condition(), False

    def line(self, data):
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        sys.stdout.buffer.flush()
        with self.changed:
            self.count += 1
            self.changed.notify_all()

    def end(self):
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, count):
        with self.changed:
            if not self.changed.wait_for(lambda: self.count >= count or self.ended, SECONDS):
                print("waited in vain", flush=True)


class Stdio:
    def __init__(self, argv, out):
        self.server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.out = out
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.server.stdout:
            self.out.line(line)
        self.out.end()

    def write(self, data):
        try:
            self.server.stdin.write(data)
            self.server.stdin.flush()
        except OSError as error:
            print("write failed:", error.strerror, flush=True)

    def close(self):
        try:
            self.server.stdin.close()
        except OSError:
            pass

    def finish(self):
        self.close()
        try:
            status = self.server.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.server.kill()
            status = "never"
        self.reader.join(SECONDS)
        print("exit", status, flush=True)


class Http:
    def __init__(self, port, path, out):
        self.port, self.path, self.out, self.connection = int(port), path, out, None

    def write(self, data):
        try:
            if not self.connection:
                self.connection = socket.create_connection(("127.0.0.1", self.port), SECONDS)
                self.out.ended = False
                threading.Thread(target=self.read, args=(self.connection,), daemon=True).start()
            self.connection.sendall(data)
        except OSError as error:
            print("write failed:", error.strerror, flush=True)

    def post(self, body):
        self.write(HEAD.format(path=self.path, port=self.port, length=len(body)).encode() + body)

    def read(self, connection):
        stream = connection.makefile("rb")
        try:
            while self.response(stream):
                pass
        except (OSError, ValueError) as error:
            self.out.line(f"broken response: {error}".encode())
        if self.connection is connection:  # else another one is waited for by now
            self.connection = None
            self.out.end()

    def response(self, stream):
        status = stream.readline()
        if not status:
            return False
        headers = {}
        for line in iter(stream.readline, b"\r\n"):
            if not line:
                raise ValueError("end of stream in the header")
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        code = status.split()[1]
        if code == b"100":
            return True
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(stream.readline() or b"0", 16):
                body += stream.read(size)
                stream.readline()
            stream.readline()
        elif "content-length" in headers:
            body = stream.read(int(headers["content-length"]))
        elif code in (b"202", b"204"):
            body = b""
        else:
            body = stream.read()
        self.out.line(code + b" " + body.replace(b"\r", b"").replace(b"\n", b"\\n"))
        return True

    def close(self):
        connection, self.connection = self.connection, None  # the reader may end it too
        if connection:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()

    finish = close


def main():
    script = sys.stdin.buffer if sys.argv[1] == "-" else open(sys.argv[1], "rb")
    out = Output()
    peer = Stdio(sys.argv[3:], out) if sys.argv[2] == "stdio" else Http(sys.argv[3], sys.argv[4], out)
    verbs = {
        b"send": lambda a: peer.write(raw(a) + b"\n"),
        b"part": lambda a: peer.write(raw(a)),
        b"big": lambda a: peer.write(a.split(b" ", 1)[1].replace(b"@@", b"x" * int(a.split()[0])) + b"\n"),
        b"nest": lambda a: peer.write(a.split(b" ", 1)[1].replace(b"@@", b"[" * int(a.split()[0]) +
                                                                 b"]" * int(a.split()[0])) + b"\n"),
        b"wait": lambda a: out.wait(int(a)),
        b"quiet": lambda a: time.sleep(int(a) / 1000),
        b"close": lambda a: peer.close(),
        b"vanish": lambda a: os._exit(9),
        b"post": lambda a: peer.post(raw(a)),
        b"bytes": lambda a: peer.write(raw_http(a)),
    }
    for line in iter(script.readline, b""):
        verb, _, rest = line.rstrip(b"\n").partition(b" ")
        if verb:
            verbs[verb](rest)
    peer.finish()


main()
