# SPDX-License-Identifier: Apache-2.0
"""What the demo, the scenes and the peer tests share: a private Tollgate, ordinary programs, what was seen.

Nothing here talks to Tollgate other than its users would: files, the command line, signals. What a test asserts
about a verdict it takes from the host's output and from the server's own log; records are asked for separately.
"""
import contextlib
import fcntl
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
START_SECONDS = 60  # generous: a sanitizer build on a slow shared machine
CALL_SECONDS = 120
EMPTY_SECONDS = 15
CA_VARIABLES = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


class Skip(Exception):
    """The reason why a test cannot run on this machine."""


def build_dir():
    return os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))


def peer_dir():
    """Where the npm packages and copies of the .mjs programs lie (scripts/deps --peers)."""
    directory = os.path.join(ROOT, "build", "peer")
    if not os.path.isdir(os.path.join(directory, "node_modules")):
        raise Skip("no npm packages in build/peer: run scripts/deps --peers")
    return directory


def node():
    path = shutil.which("node")
    if not path:
        raise Skip("node is not installed")
    return os.path.realpath(path)


def node_major():
    return int(subprocess.check_output([node(), "--version"], text=True).lstrip("v").split(".")[0])


def python():
    return os.path.realpath(sys.executable)


def shell():
    return os.path.realpath("/bin/sh")


def environment(**extra):
    env = {k: v for k, v in os.environ.items() if k not in CA_VARIABLES}
    env.update(extra)
    return env


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_port(port, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")


def matches(pattern, value):
    """Whether value holds pattern: objects by the members named, lists element by element, {"*": text} a substring."""
    if isinstance(pattern, dict) and set(pattern) == {"*"}:
        return pattern["*"] in (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(k in value and matches(v, value[k]) for k, v in pattern.items())
    if isinstance(pattern, list):
        return isinstance(value, list) and len(pattern) == len(value) and all(map(matches, pattern, value))
    return type(pattern) is type(value) and pattern == value


def json_lines(path):
    """The JSON lines of a log file, [] when it does not exist; a line that is no JSON stays text."""
    if not os.path.exists(path):
        return []
    lines = []
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            with contextlib.suppress(ValueError):
                line = json.loads(line)
            lines.append(line)
    return lines


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Workspace:
    """A private directory and the processes started for it; both are gone at the end."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix=f"tollgate-test-{os.getpid()}-", dir="/tmp")
        # Programs and logs of the ordinary side must be readable by whoever runs them; secrets lie below in 0700.
        os.chmod(self.dir, 0o755)
        self.processes = []

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path

    def install(self, *names):
        """Copies programs of tests/peer here, with the npm packages in reach; gives their paths."""
        link = self.path("node_modules")
        if not os.path.lexists(link):
            os.symlink(os.path.join(peer_dir(), "node_modules"), link)
        return [shutil.copy(os.path.join(HERE, n), self.path(n)) for n in names]

    def start(self, argv, **kwargs):
        log = open(self.path(f"process{len(self.processes)}.log"), "wb")
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                                   start_new_session=True, **kwargs)
        log.close()
        self.processes.append(process)
        return process

    def stop(self, process, seconds=20):
        """Ends one process of ours, by its own id."""
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        return process.returncode

    def close(self):
        for process in reversed(self.processes):
            self.stop(process)
        shutil.rmtree(self.dir, ignore_errors=True)


class Gate:
    """One Tollgate with its own configuration, state and sockets. off=True stands for a machine without it."""

    def __init__(self, work, agents, policy, catalog=(), off=False, mode="enforcing", **settings):
        self.work, self.off, self.agents = work, off, agents
        self.daemon, self.released, self.turn = None, False, None
        self.state, self.run_dir = work.path("state"), work.path("run")
        for directory in (self.state, self.run_dir):
            os.makedirs(directory, exist_ok=True)
        self.config = work.path("tollgate.yaml")
        self.policy = work.write("policy.cedar", policy)
        self.catalog = work.write("catalog.json", json.dumps(list(catalog), indent=1))
        self.mode, self.settings = mode, settings
        self.write_config()

    def write_config(self):
        lines = [f"node: {self.settings.get('node', 'test-node')}", f"mode: {self.mode}",
                 f"enforcement: {self.settings.get('enforcement', 'enforce-partial')}",
                 f"durability: {self.settings.get('durability', 'ring')}",
                 f"audit_queries: {self.settings.get('audit_queries', 'unrecorded')}",
                 f"state_dir: {self.state}", f"run_dir: {self.run_dir}", *self.settings.get("attestation", ()),
                 *self.settings.get("more", ()), "policy:", f"  - {self.policy}", f"catalog: {self.catalog}", "agents:"]
        for agent in self.agents:
            for i, (key, value) in enumerate(agent.items()):
                lines.append(f"  {'-' if i == 0 else ' '} {key}: {value}")
        self.work.write(os.path.basename(self.config), "\n".join(lines) + "\n")

    def program(self, name):
        path = os.path.join(build_dir(), name)
        if not os.access(path, os.X_OK):
            raise Skip(f"{path} is not built")
        return path

    def tollgate(self, *args, check=False, seconds=CALL_SECONDS, **kwargs):
        return subprocess.run([self.program("tollgate"), "--config", self.config, *args], capture_output=True,
                              text=True, check=check, timeout=seconds, env=environment(), **kwargs)

    def answer(self, *args):
        """What a command prints as one JSON document."""
        return json.loads(self.tollgate(*args, "--json", check=True).stdout)

    def scan(self, name, command=None, url=None, **kwargs):
        """Adds what a live server offers to the catalog, the way an administrator does before the start."""
        target = ["--url", url] if url else ["--", *command]
        done = self.tollgate("catalog", "scan", "--name", name, "-o", self.catalog, *target, cwd=self.work.dir, **kwargs)
        if done.returncode:
            raise RuntimeError(f"catalog scan {name}: {done.stderr.strip() or done.stdout.strip()}")

    def daemon_log(self):
        with contextlib.suppress(OSError), open(self.work.path("tollgated.log"), encoding="utf-8",
                                                errors="replace") as log:
            return log.read()
        return ""

    def start(self, ready=True):
        if self.off:
            return
        self.take_turn()
        self.released = False
        with open(self.work.path("tollgated.log"), "ab") as log:
            self.daemon = self.spawn([self.program("tollgated"), "--config", self.config], log)
        self.work.processes.append(self.daemon)
        deadline = time.monotonic() + START_SECONDS
        while ready and time.monotonic() < deadline:
            if self.daemon.poll() is not None:
                raise RuntimeError(f"tollgated ended with {self.daemon.returncode}:\n{self.daemon_log()[-2000:]}")
            if self.tollgate("status").returncode == 0:
                return
            time.sleep(0.1)
        if ready:
            raise RuntimeError(f"tollgated is not ready after {START_SECONDS} s:\n{self.daemon_log()[-2000:]}")

    def spawn(self, argv, log):
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(),
                                start_new_session=True)

    def take_turn(self):
        """There is one daemon on a machine, so those who test it at the same time wait for each other."""
        if not self.turn:
            self.turn = open("/run/lock/tollgate-test", "w", encoding="ascii")
            fcntl.flock(self.turn, fcntl.LOCK_EX)
            # Programs that a killed test left pinned would go on guarding its agents, and so disturb this one's.
            subprocess.run([os.path.join(ROOT, "scripts", "sweep")], stdin=subprocess.DEVNULL, check=False)

    def reload(self, policy=None):
        """Replaces the policy and asks for a reload; gives the finished command."""
        if policy is not None:
            self.work.write(os.path.basename(self.policy), policy)
        if self.off:
            return None
        return self.tollgate("reload")

    def get(self, path):
        """What the audit socket answers, as any HTTP client would ask it."""
        connection = UnixConnection(os.path.join(self.run_dir, "audit.sock"))
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise RuntimeError(f"GET {path}: {response.status} {body}")
        return body

    def size(self):
        """How many records the log has."""
        return 0 if self.off else self.get("/v1/health")["records"]

    def records(self, after=0):
        """The records of the log, oldest first, without the first `after` of them."""
        found = []
        while not self.off:
            page = self.get(f"/v1/records?limit=10000&from={after}")  # without from, it would be the newest
            found += [r["record"] for r in page["records"]]
            if not page["records"] or page["last"] + 1 >= page["size"]:
                break
            after = page["last"] + 1
        return found

    def settle(self, wanted, seconds=20, after=0):
        """Records are in a ring before the notary writes them: asks until wanted(records) holds or time is up."""
        deadline = time.monotonic() + seconds
        while True:
            records = self.records(after)
            if wanted(records) or self.off or time.monotonic() > deadline:
                return records
            time.sleep(0.2)

    def stop(self):
        """SIGTERM: gates close, pins stay."""
        return self.work.stop(self.daemon) if self.daemon else None

    def close(self):
        """Hands everything back and ends the daemon. What was stopped is started once more for that: only a
        running daemon can release what its pinned programs still hold."""
        if self.daemon:
            self.hand_back()
        if self.turn:
            self.turn.close()
            self.turn = None

    def hand_back(self):
        # Servers take a moment to notice that their host is gone; the running daemon removes what gets empty then.
        deadline = time.monotonic() + EMPTY_SECONDS
        while self.daemon.poll() is None and self.cgroups() and time.monotonic() < deadline:
            time.sleep(0.1)
        with contextlib.suppress(Skip, OSError, RuntimeError, subprocess.SubprocessError):
            if self.daemon.poll() is not None and not self.released:
                self.start()
            self.released = self.tollgate("release", "--force").returncode == 0
        self.stop()
        for role in self.left_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(role, signal.SIGKILL)

    def left_processes(self):
        """Roles of this daemon that outlived it: they run in the daemon's own process group."""
        if not self.daemon:
            return []
        left = []
        for stat in glob.glob("/proc/[0-9]*/stat"):
            with contextlib.suppress(OSError), open(stat, encoding="utf-8", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
                if fields[0] != "Z" and int(fields[3]) == self.daemon.pid:
                    left.append(int(stat.split("/")[2]))
        return left

    def cgroups(self):
        """Scopes named after our agents, deepest first."""
        names = [f"tollgate-{a['name']}" for a in self.agents]
        found = []
        for base, directories, _ in os.walk("/sys/fs/cgroup", topdown=False):
            found += [os.path.join(base, d) for d in directories if any(d.startswith(n) for n in names)]
        return found

    def left_behind(self):
        """Scopes that are there although everything was handed back, with the processes in them; an empty one is
        removed, so that one test's failure is not the next one's."""
        told = []
        for directory in self.cgroups():
            with contextlib.suppress(OSError), open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as f:
                told.append(f"{directory}: {[command_line(p) for p in f.read().split()]}")
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        return told


def command_line(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
        return f"{pid} {f.read().replace(bytes(1), b' ').decode(errors='replace').strip()}"
    return str(pid)


def run_host(argv, cwd=None, env=None, seconds=CALL_SECONDS):
    """Runs a host program as its user would; gives its JSON lines, and the text of lines that are none."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, cwd=cwd, env=env or environment(),
                          timeout=seconds)
    lines = []
    for raw in done.stdout.decode("utf-8", "replace").splitlines():
        try:
            lines.append(json.loads(raw))
        except ValueError:
            lines.append(raw)
    return lines


def step(lines, name):
    """The answer to one step of a host; {} when the host never got there."""
    for line in lines:
        if isinstance(line, dict) and line.get("step") == name:
            return line
    return {}
