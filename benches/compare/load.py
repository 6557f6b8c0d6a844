"""The rows: what is asked of an edge, how the answers are checked, and what is counted."""

import re
import socket
import ssl
import subprocess
import time

import procfs

SIZES = {"1k": 1 << 10, "64k": 1 << 16, "1m": 1 << 20, "ws": 0}
CIPHER_SUITE = "TLS_AES_128_GCM_SHA256"
GIVE_UP_SECONDS = 300


class Failed(Exception):
    """An answer was wrong or did not come: the cell shows `failed`."""


class NotOffered(Exception):
    """The edge has not got what the row is about."""


class Bench:
    """What a row needs: the running edge's process and address, and the means to load it."""

    def __init__(self, process, place, tools, load_cpu, options, bare_kib):
        self.process, self.place, self.tools, self.load_cpu = process, place, tools, load_cpu
        self.options, self.bare_kib, self.began = options, bare_kib, time.monotonic()

    def cpu(self):
        if self.process.poll() is not None:
            raise Failed(f"the edge ended with status {self.process.returncode}")
        return procfs.cpu_seconds(self.process.pid)

    def client(self, *arguments):
        """A client beside the load's CPU; its standard input is ours to close."""
        command = ["taskset", "-c", str(self.load_cpu), *map(str, arguments)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tool(self, command, path, *options):
        place = self.place
        target = ["--address", f"127.0.0.1:{place.port}", "--name", place.name, "--ca", place.ca]
        return self.client(self.tools, command, *target, "--path", f"/{path}", "--length", SIZES[path], *options)

    def microseconds_per_operation(self, operate, pilot, most):
        """Runs `operate(count)`, which returns the CPU seconds it cost: a pilot first, then as many as fill the time wanted."""
        cost = max(operate(pilot), procfs.TICK) / pilot
        count = min(most, max(pilot, int(self.options.seconds / cost)))
        return operate(count) / count * 1e6


class Row:
    """What is asked of an edge. `measure` gives the figure, for people who want it small."""

    unit = "µs"
    fresh = False  # a process of its own: nothing was asked of it before
    many = 0  # certificates that the edge starts with, in place of its site


class Requests(Row):
    """h2load: many requests over connections that stay."""

    def __init__(self, title, path, connections, streams, http1, pilot, upload=0):
        self.title, self.path, self.connections = title, path, connections
        self.streams, self.http1, self.pilot, self.upload = streams, http1, pilot, upload

    def measure(self, bench):
        return bench.microseconds_per_operation(lambda count: self._operate(bench, count), self.pilot, 1_000_000)

    def _operate(self, bench, count):
        place = bench.place
        protocol = ["--h1"] if self.http1 else ["-m", self.streams]
        body = ["-d", place.body(self.upload)] if self.upload else []
        before = bench.cpu()
        client = bench.client(
            "h2load", "-n", count, "-c", self.connections, "-t", 1, *protocol, *body, "--groups=X25519",
            f"--tls13-ciphers={CIPHER_SUITE}", f"--connect-to=127.0.0.1:{place.port}",
            f"https://{place.name}:{place.port}/{self.path}",
        )  # fmt: skip
        output = _finish(client)
        cost = settled(bench) - before

        requests = re.search(r"^requests: (\d+) total.* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output, re.M)
        codes = re.search(r"^status codes: (\d+) 2xx", output, re.M)
        data = re.search(r"^traffic: .*\((\d+)\) data", output, re.M)
        if not (requests and codes and data):
            raise Failed(f"h2load said nothing that can be read: {output[-200:]!r}")
        found = [int(requests[2]), int(codes[1]), int(data[1])]
        expected = [count, count, count * SIZES[self.path]]
        if found != expected or any(int(requests[field]) for field in (3, 4, 5)):
            raise Failed(f"{requests[0]}; {codes[0]}; {found[2]} bytes of {expected[2]}")
        if f"Cipher: {CIPHER_SUITE}" not in output or "Server Temp Key: X25519" not in output:
            raise Failed("another cipher suite or key exchange group than all others have")
        return cost


class Handshakes(Row):
    """Our client: a TLS 1.3 handshake, one GET of 1 KiB, and the end of the connection."""

    def __init__(self, title, *options):
        self.title, self.options = title, options

    def measure(self, bench):
        return bench.microseconds_per_operation(lambda count: self._operate(bench, count), 500, 12_000)

    def _operate(self, bench, count):
        client = bench.tool("handshakes", "1k", "--count", count, "--concurrency", 16, *self.options)
        wait_until_ready(client)
        before = bench.cpu()
        _finish(client)
        return settled(bench) - before


class Idle(Row):
    """Memory per open TLS connection that has had one request and does nothing. In a fresh process: one that was loaded before
    has free memory to put connections in."""

    unit = "KiB"
    fresh = True

    def __init__(self, title, path, *options):
        self.title, self.path, self.options = title, path, options

    def measure(self, bench):
        warm = bench.tool("handshakes", "1k", "--count", 200)  # what is made once is there before we look
        _finish(warm)
        time.sleep(1)
        before = procfs.memory_kib(bench.process.pid)
        holder = bench.tool("idle", self.path, "--count", bench.options.idle, *self.options)
        wait_until_ready(holder)
        time.sleep(2)
        after = procfs.memory_kib(bench.process.pid)
        _finish(holder)
        return (after - before) / bench.options.idle


class Latency(Row):
    """How long 99 of 100 answers take at most, at a rate that leaves every edge idle most of the time."""

    RATE = 2_000

    def __init__(self, title):
        self.title = title

    def measure(self, bench):
        seconds = 5 if bench.options.seconds >= 1 else 1
        client = bench.tool("latency", "1k", "--rate", self.RATE, "--seconds", seconds, "--concurrency", 64)
        wait_until_ready(client)
        found = re.search(r"p99 (\d+) .* of (\d+)", _finish(client))
        if not found or int(found[2]) != self.RATE * seconds:
            raise Failed("not every request was answered")
        return float(found[1])


class Start(Row):
    """From the start of the process until the last of many certificates is shown in a handshake."""

    unit = "ms"

    def __init__(self, title, many):
        self.title, self.many = title, many

    def measure(self, bench):
        await_certificate(bench, self.many)
        return (time.monotonic() - bench.began) * 1e3


class Kept(Row):
    """Memory per certificate, once all are there."""

    unit = "KiB"

    def __init__(self, title, many):
        self.title, self.many = title, many

    def measure(self, bench):
        await_certificate(bench, self.many)
        time.sleep(5)
        return (procfs.memory_kib(bench.process.pid) - bench.bare_kib) / self.many


def await_certificate(bench, many):
    """Until the edge shows the last of them to who asks for it."""
    name, place = f"shop-{many - 1}.example", bench.place
    context = ssl.create_default_context(cafile=place.ca)
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while True:
        bench.cpu()  # raises when the edge has ended
        try:
            with socket.create_connection(("127.0.0.1", place.port), 5) as plain:
                with context.wrap_socket(plain, server_hostname=name):
                    return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failed(f"{name} was not shown within {GIVE_UP_SECONDS} s: {error}") from None
            time.sleep(0.01)


ROWS = {
    "h1": Requests("1 KiB, HTTP/1.1, 64 connections", "1k", 64, 1, True, 4_000),
    "h2": Requests("1 KiB, HTTP/2, 16 × 16 streams", "1k", 16, 16, False, 4_000),
    "64k": Requests("64 KiB, HTTP/1.1, 64 connections", "64k", 64, 1, True, 1_000),
    "1m": Requests("1 MiB, HTTP/1.1, 16 connections", "1m", 16, 1, True, 100),
    "upload": Requests("POST of 64 KiB, HTTP/1.1, 64 connections", "1k", 64, 1, True, 1_000, upload=1 << 16),
    "upload2": Requests("POST of 64 KiB, HTTP/2, 16 × 4 streams", "1k", 16, 4, False, 1_000, upload=1 << 16),
    "full": Handshakes("full handshake, X25519"),
    "resumed": Handshakes("resumed handshake, X25519", "--resume"),
    "mlkem": Handshakes("full handshake, X25519MLKEM768", "--group", "x25519mlkem768"),
    "p99": Latency("99th of 100 answers, 2,000 requests a second"),
    "idle": Idle("idle connection, HTTP/1.1", "1k"),
    "idle2": Idle("idle connection, HTTP/2", "1k", "--http2"),
    "websocket": Idle("WebSocket", "ws", "--websocket"),
    "start10k": Start("ready with 10,000 certificates", 10_000),
    "start100k": Start("ready with 100,000 certificates", 100_000),
    "certificate": Kept("certificate, of 10,000", 10_000),
}


def settled(bench):
    """The CPU time once the edge has put its connections away."""
    time.sleep(0.2)
    return bench.cpu()


def wait_until_ready(client):
    try:
        line = client.stdout.readline()
    except BaseException:
        client.kill()
        raise
    if line != "ready\n":
        _finish(client)
        raise Failed("the client ended before it was ready")


def _finish(client):
    """Lets the client go on, by closing its standard input, and waits for its end. A wrong answer raises."""
    try:
        output, errors = client.communicate(timeout=GIVE_UP_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {GIVE_UP_SECONDS} s") from None
    finally:
        if client.poll() is None:
            client.kill()
            client.communicate()
    if client.returncode == 3:
        raise NotOffered
    if client.returncode != 0:
        raise Failed(errors.strip() or f"the client ended with status {client.returncode}")
    return output
