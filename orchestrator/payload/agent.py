"""
The agent: the one file of ours that runs on a rented machine. Standard library only, any Python from 3.8 on.

    python3 agent.py start --root R    start the daemon, or keep the one of just this version that runs already
    python3 agent.py call --root R     one request on standard input, events on standard output, a JSON line each
    python3 agent.py fetcher --root R  what the daemon starts to have more than one process speak TLS

A request names its work in "op"; see OPERATIONS. Events are "step" and "progress", then one "done" or "failed"
(with "code" and "detail"). Work does not end with its caller: the same request again joins it, or finds it done.
All that the agent touches lies below the root, its own state in R/glowplug; and below "glowplug" on a volume that a
request names.
"""

import argparse
import array
import collections
import contextlib
import errno
import fcntl
import functools
import hashlib
import http.client
import json
import logging
import logging.handlers
import math
import os
import re
import secrets
import select
import shlex
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from typing import Any, Callable, Deque, Dict, Iterator, List, NoReturn, Optional, Sequence, Set, Tuple

KIB, MIB = 1024, 1024 * 1024

SOCKET = "agent.sock"
CALLERS = 32
LONGEST_REQUEST = 4 * MIB
LOG_BYTES = MIB
COMFYUI_LOG_BYTES = 16 * MIB
TAIL_BYTES = 2 * KIB
HOUSEKEEPING_S = 5.0

CONNECTIONS = 16  # over all mirrors, to begin with; one carries 30-100 MB/s on the machines that are rented
FEWEST_CONNECTIONS, MOST_CONNECTIONS = 8, 64
FETCHERS = 8  # processes; together they bring more than one core can hash
FETCHER_BYTES = 64 * MIB  # to fetch, for each of them: starting one takes as long as some of these
LANES = 2  # connections that a fetcher gets before another is started: Python's TLS loses with more in one process
FETCHERS_LOST = 4  # that end by themselves, until none are started any more
PACKET = 64 * KIB  # of a talk with a fetcher
MORE = 1.5  # so many times the connections are tried next
WORTH = 1.05  # so many times the bytes, or more connections are not worth having
WINDOW_S = 1.0  # what is measured to decide on it
WINDOWS = 2  # that a trial gets to show that it is worth it
SAG, RISE = 0.5, 1.25  # of the speed that was settled on: below that fewer are tried, and above it more
WATCHED = 5  # windows in which it has to be so
KEEPS = 0.95  # of the speed, with which fewer are as good
HASHERS = 4  # idle most of the time; a file without chunks keeps only one busy
BLOCK = MIB  # what is written, hashed and remembered at once
SMALLEST_BLOCK = 32 * KIB
HASHED = 128 * KIB  # read and hashed at once: it stays in the processor's cache on the way
FIRST_BLOCKS = 8  # asked of a mirror whose speed is not known yet
LONGEST_SPAN = 64 * MIB
SPAN_S = 4.0  # how long one request should take at its mirror's speed
READ = 64 * KIB
CONNECT_S = 10.0
STALL_S = 10.0  # a connection without a byte for so long is given up
GLANCE_S = 0.05  # what has come meanwhile is told so often
NO_PROGRESS_S = 30.0
PROGRESS_S = 0.25
RATE_WINDOW_S = 3.0
DOWN_AFTER = 3  # failures in a row; a mirror that is down keeps one connection, the others share the rest
SLOW_SHARE = 0.05  # of the best mirror's speed: a slower one keeps one connection and single blocks
LONGEST_REST_S = 3.0
REDIRECTS = 5
LONGEST_ADDRESS = 16 * KIB
HEADERS = ("content-length", "content-type", "content-encoding", "content-range")  # that we read
LIES = 3  # wrong chunks after which a mirror of a file is asked for no more of it
REFUSING = (400, 401, 403, 410)  # what mirrors answer to an address whose signature is not, or no longer, good
REFUSALS = 3  # in a row
LAG_S = 2.0
LAG_SHARE = 0.1  # of the best connection's bytes in that time: one that had less is cut

LEFT_BEHIND_S = 86400.0  # a half file on a volume that nobody has written to for so long

SAMPLERS = 4  # connections that measure the link, over all mirrors
LONGEST_SAMPLE_S = 20.0
LARGEST_SAMPLE = 256 * MIB

MOST_FILES = 1024
COMMAND_S = 1800.0
COMFYUI_S = 180.0
STOP_S = 5.0

Event = Dict[str, Any]
Publish = Callable[[Event], None]

THIS_FILE = os.path.abspath(__file__)  # the daemon goes to another folder

log = logging.getLogger("agent")


class Failure(Exception):
    """Work that ended badly: a code for programs, a detail for people."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def disk_failure(error: OSError) -> Failure:
    return Failure("disk_full" if error.errno in FULL else "disk_error", str(error))


class Places:
    """Where everything is: all of it below one root."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)
        self.state = os.path.join(self.root, "glowplug")
        self.comfyui = os.path.join(self.root, "comfyui")
        self.source = os.path.join(self.root, "comfyui-source")
        self.venv = os.path.join(self.root, "comfyui-venv")
        self.alone = -1  # the daemon's lock, as long as it holds it

    def in_state(self, name: str) -> str:
        return os.path.join(self.state, name)

    def below(self, folder: str, name: str, volume: Optional["Volume"] = None) -> str:
        """The path of a file below a folder below the root; it may lead to the volume. Anything else is refused."""
        top = os.path.normpath(os.path.join(self.root, folder))
        path = os.path.normpath(os.path.join(top, name))
        real = os.path.realpath(path)
        is_kept = volume is not None and os.path.dirname(real) == os.path.realpath(volume.folder)
        if not (path.startswith(top + os.sep) and (is_kept or real.startswith(self.root + os.sep))):
            raise Failure("bad_request", f"{name!r} does not lie below {folder!r} below the root")
        return path

    def own_name(self) -> str:
        """What tells this machine from others that share a volume with it."""
        file = self.in_state("name.json")
        name = str(read_json(file).get("name", ""))
        if not name:
            name = secrets.token_hex(8)
            write_json(file, {"name": name})
        return name

    def environment(self) -> Dict[str, str]:
        """What programs that we start see: ours, with every place where they might write moved below the root."""
        temporary = self.in_state("tmp")
        os.makedirs(temporary, exist_ok=True)
        moved = {"HOME": self.root, "TMPDIR": temporary, "XDG_CACHE_HOME": os.path.join(self.root, ".cache")}
        quiet = {"GIT_TERMINAL_PROMPT": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return dict(os.environ, **moved, **quiet)


def write_json(path: str, value: Any) -> None:
    """Replace a small file as a whole."""
    unfinished = f"{path}.{threading.get_ident()}.new"
    with open(unfinished, "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(unfinished, path)


def read_json(path: str) -> Dict[str, Any]:
    """The object in a small file; empty when there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def tail(path: str) -> str:
    """The last lines of a log, for the detail of a failure."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - TAIL_BYTES))
            return file.read(TAIL_BYTES).decode(errors="replace").strip()
    except OSError:
        return ""


# ---------------------------------------------------------------------------------------------------------------------
# Fetching: model files, from all mirrors at once
#
# A file is a row of blocks. Workers, each bound to one mirror, take spans of open blocks from the front, ask for them
# with one ranged request and commit block by block: written, then noted in the journal beside the file with the mirror
# that it came from. A block is committed once, whoever is first, so two workers may safely fetch the same one: at the
# end, idle workers take over what slow ones still have before them. A connection that falls far behind the best one is
# cut, and what it had before it is open again.
#
# A file is proved piece by piece: the chunks whose checksums its manifest has, or else the whole file at once. Hashers
# follow the unbroken front of each piece, and a wrong piece is fetched again, from another mirror where there is one.
# ---------------------------------------------------------------------------------------------------------------------


class BadAnswer(Exception):
    """A mirror said something else than the bytes that were asked for."""


class Refused(BadAnswer):
    """A mirror lets us in no more: so answer signed addresses when their time is over."""


class Gone(Exception):
    """A fetcher has ended, and what it was at is lost."""


class Mirror:
    """Where files come from, by network address: what is learnt of its speed holds for all its files."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.speed = 0.0  # bytes per second of one connection; 0 until measured
        self.failures = 0  # in a row, over all its files

    @property
    def is_down(self) -> bool:
        return self.failures >= DOWN_AFTER

    def measured(self, count: int, seconds: float) -> None:
        if count and seconds > 0:
            self.failures = 0
            speed = count / seconds
            self.speed = speed if not self.speed else 0.7 * self.speed + 0.3 * speed


class Source:
    """One URL of one file."""

    def __init__(self, url: str, mirror: Mirror) -> None:
        self.url = url
        self.mirror = mirror
        self.direct = ""  # where redirects led last time
        self.is_banned = False  # has sent wrong bytes, more than once where that could be told
        self.lies = 0  # pieces that it alone has sent, and that were wrong
        self.refusals = 0  # in a row
        self.ignores_ranges = False
        self.failures = 0  # in a row
        self.rest_until = 0.0
        self.problem = ""

    @property
    def is_expired(self) -> bool:
        return self.refusals >= REFUSALS

    @property
    def is_lost(self) -> bool:
        """Whether others should not wait for it."""
        return self.is_banned or self.is_expired or self.mirror.is_down

    def is_usable(self, now: float) -> bool:
        return not (self.is_banned or self.is_expired) and now >= self.rest_until

    def renew(self, url: str) -> None:
        """The same bytes under an address that was signed anew."""
        if url != self.url:
            self.url, self.direct, self.refusals, self.rest_until = url, "", 0, 0.0

    def failed(self, problem: BaseException) -> None:
        """Rest, longer each time; a mirror that is down for a moment comes back."""
        now = time.monotonic()
        if now >= self.rest_until:  # requests that fail together count once
            self.refusals = self.refusals + 1 if isinstance(problem, Refused) else 0
            self.failures += 1
            self.mirror.failures += 1
            self.rest_until = now + min(LONGEST_REST_S, 0.1 * 2 ** min(self.failures, 10))
        self.problem = f"{type(problem).__name__}: {problem}"[:200]
        self.direct = ""
        log.info("%s: %s", self.mirror.name, self.problem)


class Connection:
    """One kept-alive connection. Redirects are followed here; nothing that one host sets is shown to another."""

    def __init__(self) -> None:
        self._http: Optional[http.client.HTTPConnection] = None
        self._origin = ("", "")

    def get(self, url: str, first: int, last: int) -> Tuple[http.client.HTTPResponse, str]:
        """Ask for the bytes *first* to *last*, both included; gives the answer and the URL that gave it."""
        secure = False
        for _ in range(REDIRECTS + 1):
            parts = urllib.parse.urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or (secure and parts.scheme != "https"):
                raise BadAnswer(f"will not go to {parts.scheme}://{parts.netloc}")
            secure = secure or parts.scheme == "https"
            answer = self._ask(parts, first, last)
            if answer.status not in (301, 302, 303, 307, 308):
                return answer, url
            self.close()
            url = urllib.parse.urljoin(url, answer.getheader("Location", ""))
            if len(url) > LONGEST_ADDRESS:
                raise BadAnswer(f"redirects to an address of {len(url)} characters")
        raise BadAnswer(f"more than {REDIRECTS} redirects")

    def _ask(self, parts: urllib.parse.SplitResult, first: int, last: int) -> http.client.HTTPResponse:
        is_kept = self._http is not None and self._origin == (parts.scheme, parts.netloc)
        try:
            return self._send(parts, first, last)
        except (http.client.HTTPException, OSError):
            self.close()
            if not is_kept:
                raise
        return self._send(parts, first, last)  # the kept connection had been closed by the other side

    def _send(self, parts: urllib.parse.SplitResult, first: int, last: int) -> http.client.HTTPResponse:
        target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
        headers = {
            "Range": f"bytes={first}-{last}",
            "Accept-Encoding": "identity",  # some caches ignore the range otherwise
            "User-Agent": "glowplug-agent",
        }
        connection = self._to(parts)
        connection.request("GET", target, headers=headers)
        return connection.getresponse()

    def body(self, answer: http.client.HTTPResponse) -> "Body":
        return Body(answer, self._http.sock if self._http is not None else None)

    def _to(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        if self._http is None or self._origin != (parts.scheme, parts.netloc):
            self.close()
            host, port = parts.hostname or "", parts.port
            if parts.scheme == "https":
                self._http = http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=trusted())
            else:
                self._http = http.client.HTTPConnection(host, port, timeout=CONNECT_S)
            self._origin = (parts.scheme, parts.netloc)
            self._http.connect()
            self._http.sock.settimeout(STALL_S)
        return self._http

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def abort(self) -> None:
        """Wake, from another thread, whoever waits for bytes."""
        http_connection = self._http
        sock = http_connection.sock if http_connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # an SSL socket's own method is not for two threads


@functools.lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Whom we believe: read once, since that takes longer than a handshake."""
    return ssl.create_default_context()


class Body:
    """
    The bytes of an answer, read past the library's layers: they cost as much as TLS itself.

    Without TLS a whole block comes with one system call.
    """

    def __init__(self, answer: http.client.HTTPResponse, sock: Optional[socket.socket]) -> None:
        self._answer = answer
        self._is_counted = answer.length is not None and not answer.chunked
        self._sock = sock if self._is_counted else None
        self._is_plain = sock is not None and not isinstance(sock, ssl.SSLSocket)
        self._has_begun = False

    def read_into(self, block: memoryview) -> int:
        """Bytes that have come, in about GLANCE_S where there is no TLS; 0 at the end."""
        if self._sock is None:
            return self._answer.readinto(block[:READ])
        block = block[: self._answer.length]
        if self._has_begun and block:
            count = self._wait(self._sock, block) if self._is_plain else self._sock.recv_into(block)
            self._answer.length = (self._answer.length or 0) - count
            return count
        return self._begin(block)

    def _begin(self, block: memoryview) -> int:
        """What the library has read with the head; its buffer is empty then."""
        self._has_begun = True
        data = self._answer.read1(min(READ, len(block))) if block else b""
        block[: len(data)] = data
        if self._sock is not None and self._is_plain:
            self._sock.settimeout(None)
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, int(GLANCE_S * 1e6)))
        return len(data)

    def _wait(self, sock: socket.socket, block: memoryview) -> int:
        deadline = time.monotonic() + STALL_S
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                return sock.recv_into(block, len(block), socket.MSG_WAITALL)
        raise socket.timeout("timed out")

    def end(self) -> bool:
        """Whether the connection can be used again."""
        if self._answer.length != 0:
            return False
        self._answer.read()  # tells the library that the connection is free again
        if self._sock is not None and self._is_plain:
            self._sock.settimeout(STALL_S)
        return True


class Answer:
    """The head of an answer."""

    def __init__(self, status: int, reason: str, headers: Dict[str, str]) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers  # HEADERS; empty where there is none

    @classmethod
    def of(cls, answer: http.client.HTTPResponse) -> "Answer":
        return cls(answer.status, answer.reason, {name: answer.getheader(name, "") for name in HEADERS})


class Line:
    """One connection and one block, on its way from there into a file."""

    is_gone = False

    def __init__(self, *, is_secure: bool = False) -> None:
        self.is_secure = is_secure
        self._connection = Connection()
        self._buffer = memoryview(bytearray(BLOCK))
        self._body: Optional[Body] = None

    def ask(self, url: str, first: int, last: int) -> Tuple[Answer, str]:
        """Ask for the bytes *first* to *last*, both included; gives the head and the URL that gave it."""
        answer, there = self._connection.get(url, first, last)
        self._body = self._connection.body(answer)
        return Answer.of(answer), there

    def read(self, length: int, heard: Callable[[int], None]) -> None:
        """Have the next block come, and tell of each part of it."""
        filled = 0
        while filled < length:
            count = self._body.read_into(self._buffer[filled:length]) if self._body is not None else 0
            if not count:
                raise BadAnswer("the body ends early")
            filled += count
            heard(count)

    def write(self, handle: int, length: int, offset: int) -> None:
        """Write the block that has come to its place in an open file."""
        data = self._buffer[:length]
        while data:
            written = os.pwrite(handle, data, offset)
            data, offset = data[written:], offset + written

    def end(self) -> None:
        """The answer has been taken, or there is more to come that nobody wants."""
        if self._body is not None and not self._body.end():
            self._connection.close()
        self._body = None

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()
        self._body = None

    def leave(self) -> None:
        """Nobody needs it any more."""
        self.close()

    def abort(self) -> None:
        """Wake, from another thread, whoever waits for bytes."""
        self._connection.abort()


def check_answer(answer: Answer, first: int, last: int, size: int) -> bool:
    """True when it carries just the range, False when it is the whole file; anything else is refused."""
    length, kind, encoding, said = (answer.headers[name] for name in HEADERS)
    if encoding not in ("", "identity"):
        raise BadAnswer("encoded body")
    if answer.status == 206:
        if said != f"bytes {first}-{last}/{size}" or length not in ("", str(last - first + 1)):
            raise BadAnswer(f"206 with {said!r}, {length} bytes")
        return True
    if answer.status == 200 and length == str(size) and "text/html" not in kind:
        return False
    raise BadAnswer(f"{answer.status} {kind}, {length} bytes")


def check_welcome(answer: Answer, url: str, there: str) -> None:
    """
    Tell when another address is needed: this one, which may be signed, is refused.

    The target of a redirect has a signature of its own, which the address renews; one without a query has none.
    """
    if answer.status in REFUSING and there == url and urllib.parse.urlsplit(url).query:
        raise Refused(f"{answer.status} {answer.reason}")


def ask_size(url: str, most: int) -> int:
    """Ask a mirror how long a file is, and believe nothing above *most*."""
    with contextlib.closing(Connection()) as connection:
        answer, there = connection.get(url, 0, 0)
        check_welcome(Answer.of(answer), url, there)
        match = re.fullmatch(r"bytes 0-0/(\d+)", answer.getheader("Content-Range", ""))
        said = match.group(1) if answer.status == 206 and match else answer.getheader("Content-Length", "")
        if answer.status not in (200, 206) or not said.isdigit() or not 0 < int(said) <= most:
            raise BadAnswer(f"{answer.status}, {said} bytes")
        return int(said)


def size_by(source: Source, most: int) -> Optional[int]:
    """How long one source says that the file is; None when it does not tell."""
    try:
        return ask_size(source.url, most)
    except (http.client.HTTPException, OSError, BadAnswer) as problem:
        source.failed(problem)
        return None


def block_size(size: int) -> int:
    """The blocks of one file: a power of two, so small that one which comes twice is no more than 0.4 % of it."""
    block = SMALLEST_BLOCK
    while block < BLOCK and block * 256 < size:
        block *= 2
    return block


class Piece:
    """Blocks that have one checksum: a chunk, or all of a file. Hashed in order, as far as they are there."""

    def __init__(self, first: int, end: int, sha256: Optional[str]) -> None:
        self.first = first
        self.end = end
        self.sha256 = sha256
        self.only: Optional[Source] = None  # what is fetched again comes from there
        self.liars: Set[Source] = set()
        self.begin()

    def begin(self) -> None:
        """Hash from the start."""
        self.at = self.first
        self.digest = hashlib.sha256()
        self.is_hashing = False  # or waits for it

    def takes(self, source: Source) -> bool:
        return source not in self.liars and (self.only in (None, source) or self._has_lost_only)

    @property
    def _has_lost_only(self) -> bool:
        return self.only is not None and self.only.is_lost

    @property
    def is_hashed(self) -> bool:
        return self.at == self.end

    def add(self, parts: Iterator[memoryview]) -> None:
        """Hash the next block."""
        if self.sha256 is not None:
            for part in parts:
                self.digest.update(part)
        self.at += 1

    @property
    def has_right_bytes(self) -> bool:
        return self.sha256 in (None, self.digest.hexdigest())


def pieces_of(count: int, blocks: int, chunks: List[str], sha256: Optional[str]) -> List[Piece]:
    """The pieces of a file of *count* blocks, whose chunks have *blocks* each."""
    if not chunks:
        return [Piece(0, count, sha256)]
    return [Piece(first, min(first + blocks, count), chunks[first // blocks]) for first in range(0, count, blocks)]


class Chunks:
    """What a manifest says of a file's chunks: how long each is, and their checksums. Without them, an empty one."""

    def __init__(self, entry: Event) -> None:
        self.size = int(entry.get("chunk") or 0)
        self.sha256s = [str(digest) for digest in entry.get("chunks") or []]
        fits = self.size > 0 and self.size % SMALLEST_BLOCK == 0
        if self.sha256s and not (fits and len(self.sha256s) == -(-int(entry["size"]) // self.size)):
            raise Failure("bad_request", "the chunks of {} do not make up the file".format(entry["path"]))

    def block(self, size: int) -> int:
        """The blocks of a file of *size* bytes, so that each lies in one chunk."""
        block = block_size(size)
        while self.sha256s and self.size % block:
            block //= 2
        return block


# Python's TLS gets slower with every connection of a process, so these are shared out among several: fetchers, started
# by the daemon and ending with it. A fetcher knows nothing of files and plans. It has lanes, a socket each, on which a
# worker of the daemon has it ask, read a block, write it: what a Line does, in another process.


def usable_cpus() -> int:
    """What this process may use; a container sees all of its host's."""
    count = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as limits:
            quota, period = limits.read().split()
        count = min(count, max(1, int(quota) // int(period)))  # "max" is no number, and no limit
    return count


def send_packet(sock: socket.socket, message: Any, handle: int = -1, flags: int = 0) -> None:
    """One message, and with it an open file."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [handle]))] if handle >= 0 else []
    sock.sendmsg([json.dumps(message).encode()], ancillary, flags)


def receive_packet(sock: socket.socket) -> Tuple[Any, int]:
    """The next message and the open file that came with it, or -1; None at the end."""
    data, ancillary, _, _ = sock.recvmsg(PACKET, socket.CMSG_SPACE(array.array("i").itemsize))
    handles = array.array("i", ancillary[0][2] if ancillary else b"")
    return json.loads(data or b"null"), handles[0] if handles else -1


class Lane(Line):
    """A line in a fetcher."""

    def __init__(self, fetcher: "Fetcher", number: int, sock: socket.socket) -> None:
        self.is_secure = True
        self._fetcher = fetcher
        self._number = number
        self._sock = sock

    def ask(self, url: str, first: int, last: int) -> Tuple[Answer, str]:
        said = self._order("ask", url, first, last)
        return Answer(said["status"], said["reason"], said["headers"]), said["there"]

    def read(self, length: int, heard: Callable[[int], None]) -> None:
        self._order("read", length, heard=heard)

    def write(self, handle: int, length: int, offset: int) -> None:
        self._order("write", length, offset, handle=handle)

    def end(self) -> None:
        self._order("end")

    def close(self) -> None:
        if not self.is_gone:
            with contextlib.suppress(Gone):
                self._order("close")

    def leave(self) -> None:
        self.is_gone = True
        self._sock.close()
        self._fetcher.lanes.discard(self._number)

    def abort(self) -> None:
        self._fetcher.tell("abort", self._number)

    def _order(self, *order: Any, handle: int = -1, heard: Callable[[int], None] = lambda _: None) -> Event:
        """Have something done, and wait until it is; errors are raised as if they had happened here."""
        try:
            send_packet(self._sock, order, handle)
            said = self._hear(heard)
        except OSError:
            said = None
        if said is None:
            self.is_gone = True
            raise Gone
        if "problem" in said:
            raise OSError(said["errno"], said["problem"]) if "errno" in said else BadAnswer(said["problem"])
        return said

    def _hear(self, heard: Callable[[int], None]) -> Optional[Event]:
        """What the fetcher says at the end, and before that of bytes that have come; None when it is gone."""
        while True:
            said: Optional[Event] = receive_packet(self._sock)[0]
            if said and said["heard"]:
                heard(said["heard"])
            if not said or "is_done" in said:
                return said


class Fetcher:
    """A child that has lanes. It ends when our end of its control socket is closed, by whatever ends us."""

    def __init__(self, places: Places) -> None:
        self.lanes: Set[int] = set()
        self._numbers = 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._child = subprocess.Popen(
            [sys.executable, THIS_FILE, "fetcher", "--root", places.root],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[places.alone] if places.alone >= 0 else [],  # no other daemon begins while it may still write
        )
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return self._child.poll() is None

    def lane(self) -> Lane:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._numbers += 1
        self.lanes.add(self._numbers)
        self.tell("lane", self._numbers, theirs.fileno())  # a child that has ended leaves a lane that is gone
        theirs.close()
        return Lane(self, self._numbers, ours)

    def tell(self, name: str, number: int, handle: int = -1) -> None:
        with contextlib.suppress(OSError):
            send_packet(self._control, [name, number], handle, socket.MSG_DONTWAIT)

    def let_go(self) -> None:
        self._control.close()

    def wait(self) -> None:
        try:
            self._child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


class Fetchers:
    """As many as pay: with few lanes each, and no more than there are processors."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._most = 0
        self._lost = 0
        self._all: List[Fetcher] = []
        self._lock = threading.Lock()

    def allow(self, size: int, wanted: Optional[int] = None) -> None:
        """How many may be started for so many bytes; one by itself would win nothing."""
        useful = min(FETCHERS, size // FETCHER_BYTES, usable_cpus())
        self._most = wanted if wanted is not None else useful if useful > 1 else 0

    def lane(self) -> Optional[Lane]:
        """A lane of the fetcher that has the fewest; None where this process is to do it itself."""
        with self._lock:
            alive = [fetcher for fetcher in self._all if fetcher.is_alive]
            self._lost += len(self._all) - len(alive)
            self._all = alive
            if not self._most or self._lost >= FETCHERS_LOST:
                return None
            if len(alive) < self._most and all(len(fetcher.lanes) >= LANES for fetcher in alive):
                alive.append(Fetcher(self._places))
            return min(alive, key=lambda fetcher: len(fetcher.lanes)).lane()

    def end(self) -> None:
        with self._lock:
            self._most = 0
            for fetcher in self._all:
                fetcher.let_go()
            for fetcher in self._all:
                fetcher.wait()


def run_fetcher() -> NoReturn:
    """A fetcher's own side; standard input is its control socket."""
    control = socket.socket(fileno=0)
    control.settimeout(GLANCE_S)
    hands: Dict[int, Hand] = {}
    try:
        while True:
            try:
                message, handle = receive_packet(control)
            except socket.timeout:
                for hand in list(hands.values()):
                    hand.tell()
                continue
            if message is None:
                break
            name, number = message
            if name == "lane":
                hand = hands[number] = Hand(socket.socket(fileno=handle))
                threading.Thread(target=hand.serve, args=(functools.partial(hands.pop, number),), daemon=True).start()
            elif number in hands:
                hands[number].line.abort()
    finally:
        os._exit(0)


class Hand:
    """The far side of a lane: does one order after another, until the daemon leaves it."""

    def __init__(self, lane: socket.socket) -> None:
        self.line = Line()
        self._lane = lane
        self._untold = 0  # bytes of a block
        self._telling = threading.Lock()

    def serve(self, leave: Callable[[], Any]) -> None:
        try:
            with self._lane:
                while True:
                    order, handle = receive_packet(self._lane)
                    if order is None:
                        return
                    said = self._obey(order, handle)
                    with self._telling:
                        send_packet(self._lane, dict(said, is_done=True, heard=self._untold))
                        self._untold = 0
        finally:
            leave()
            self.line.leave()

    def tell(self) -> None:
        """Say what has come of a block that is still being read."""
        with self._telling, contextlib.suppress(OSError):
            if self._untold:
                send_packet(self._lane, {"heard": self._untold})
                self._untold = 0

    def _hear(self, count: int) -> None:
        with self._telling:
            self._untold += count

    def _obey(self, order: List[Any], handle: int) -> Event:
        """What comes of it. A file's errors have a number, a connection's have not: they are the mirror's."""
        name, arguments = order[0], order[1:]
        try:
            if name == "ask":
                answer, there = self.line.ask(*arguments)
                return {"status": answer.status, "reason": answer.reason, "headers": answer.headers, "there": there}
            if name == "write":
                return self._write(handle, *arguments)
            if name == "read":
                self.line.read(arguments[0], self._hear)
            elif name == "end":
                self.line.end()
            else:
                self.line.close()
        except BadAnswer as problem:
            return {"problem": str(problem)}
        except (http.client.HTTPException, OSError, ValueError) as problem:
            return {"problem": f"{type(problem).__name__}: {problem}"[:200]}
        return {}

    def _write(self, handle: int, length: int, offset: int) -> Event:
        try:
            self.line.write(handle, length, offset)
        except OSError as error:
            return {"problem": str(error), "errno": error.errno or errno.EIO}
        finally:
            os.close(handle)
        return {}


OPEN, TAKEN, WRITING, DONE = 0, 1, 2, 3
UNKNOWN = 255  # in the journal: done, from a mirror that is not in the manifest any more


class Download:
    """One file on its way. Everything but the bytes themselves is guarded by the fetch's lock."""

    def __init__(
        self,
        path: str,
        size: int,
        sha256: Optional[str],
        sources: List[Source],
        *,
        chunks: Chunks,
        kept: Optional["Kept"] = None,
    ) -> None:
        self.name = path  # where ComfyUI looks for it
        self.path = kept.path if kept else path
        self.kept = kept
        self.part = kept.part if kept else path + ".part"  # ComfyUI would load a half file under its own name
        self.journal = self.part + ".journal"
        self.size = size
        self.sha256 = sha256
        self.sources = sources
        self.block = chunks.block(size)
        self.count = -(-size // self.block)
        self.pieces = pieces_of(self.count, chunks.size // self.block, chunks.sha256s, sha256)
        self.states = bytearray(self.count)
        self.origins = bytearray(self.count)  # 0, or 1 + the number of the source
        self.spans: List["Span"] = []
        self.done_bytes = 0
        self.right = 0  # pieces
        self.hashing = 0  # hashers at work on it
        self.is_ready = False
        self.is_found = False  # it lay there under its own name, and has still to be verified
        self.is_wrong = False  # what lay there is not the file
        self._data = -1
        self._notes = -1
        self._notes_start = 0

    # Opening, and what is left from before.

    def open(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.isfile(self.path) and os.path.getsize(self.path) == self.size:
            self.is_found = True
            self._data = os.open(self.path, os.O_RDONLY)
            self._mark_all(UNKNOWN)
            return
        self._open_part()

    def _open_part(self) -> None:
        noted = self._noted()
        self._data = os.open(self.part, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(self._data, self.size)
        header = json.dumps(self._identity()).encode() + b"\n"
        with open(self.journal + ".new", "wb") as file:
            file.write(header + noted)
        os.replace(self.journal + ".new", self.journal)
        self._notes = os.open(self.journal, os.O_RDWR)
        self._notes_start = len(header)
        for index, origin in enumerate(noted):
            if origin:
                self.mark(index, origin)

    def _identity(self) -> Event:
        names = [source.mirror.name for source in self.sources]
        return {"size": self.size, "sha256": self.sha256, "block": self.block, "mirrors": names}

    def _noted(self) -> bytes:
        """The journal's notes in terms of today's sources; all zero when it is of another file."""
        nothing = bytes(self.count)
        try:
            with open(self.journal, "rb") as file:
                header = json.loads(file.readline(64 * KIB))
                notes = file.read(self.count).ljust(self.count, b"\0")
            known = self._identity()
            before = header.pop("mirrors")
            now = known.pop("mirrors")
            if header != known or os.path.getsize(self.part) != self.size:
                return nothing
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return nothing
        table = [0] + [1 + now.index(name) if name in now else UNKNOWN for name in before]
        return bytes(table[note] if note < len(table) else UNKNOWN for note in notes)

    def mark(self, index: int, origin: int) -> None:
        self.states[index] = DONE
        self.origins[index] = origin
        self.done_bytes += self.length(index)

    def _mark_all(self, origin: int) -> None:
        for index in range(self.count):
            self.mark(index, origin)

    def start_over(self) -> None:
        """What lay there is not the file: fetch it beside it."""
        os.close(self._data)
        self.hash_again()
        self.is_found, self.is_wrong = False, True
        self.states, self.origins, self.done_bytes = bytearray(self.count), bytearray(self.count), 0
        self._open_part()

    # Blocks.

    def piece(self, index: int) -> Piece:
        return self.pieces[index // self.pieces[0].end]  # all but the last are as long as the first

    def to_hash(self, index: int) -> Optional[Piece]:
        """The piece of a block that has just been done, where a hasher can go on with it and none does."""
        piece = self.piece(index)
        is_waiting = not piece.is_hashing and not piece.is_hashed and self.states[piece.at] == DONE
        return piece if is_waiting else None

    def hash_again(self) -> None:
        """The bytes are others from now on."""
        self.right = 0
        for piece in self.pieces:
            piece.begin()

    def first_open(self, source: Source) -> int:
        """The first block that this source may be asked for; -1 where there is none."""
        index = self.states.find(OPEN)
        while index >= 0 and not self.piece(index).takes(source):
            index = self.states.find(OPEN, self.piece(index).end)
        return index

    def reopen(self, piece: Piece, keep: int) -> None:
        """Let a piece be fetched again, but for the blocks of the origin *keep*."""
        for index in range(piece.first, piece.end):
            if not keep or self.origins[index] != keep:
                self.states[index], self.origins[index] = OPEN, 0
                self.done_bytes -= self.length(index)
                self.note(index, 0)

    def length(self, index: int) -> int:
        return min(self.block, self.size - index * self.block)

    @property
    def is_wrong_copy(self) -> bool:
        """Whether the file under its own name has to be left to whoever reads it, and ours fetched beside it."""
        return self.is_found and self.is_wrong

    @property
    def is_complete(self) -> bool:
        return self.done_bytes == self.size

    def usable(self, mirror: Mirror, now: float) -> Optional[Source]:
        """The source on that mirror that may be asked now."""
        for source in self.sources:
            is_here = source.mirror is mirror
            is_streaming = source.ignores_ranges and any(span.is_stream for span in self.spans)
            if is_here and source.is_usable(now) and not is_streaming:
                return source
        return None

    def may_stream(self, source: Source, now: float) -> bool:
        """Whether to take the whole file in one go: nobody else gives ranges, and nobody streams it yet."""
        others = (other for other in self.sources if other is not source and other.is_usable(now))
        return all(other.ignores_ranges for other in others) and not any(span.is_stream for span in self.spans)

    @property
    def handle(self) -> int:
        """The open file, for as long as a block is being written to it."""
        return self._data

    def note(self, index: int, origin: int) -> None:
        """
        Journal a block that is written.

        Nothing is synced: the page cache survives a killed agent, and a machine that loses power is gone for us.
        """
        os.pwrite(self._notes, bytes((origin,)), self._notes_start + index)

    def read(self, index: int, into: memoryview) -> Iterator[memoryview]:
        """A block's bytes, part by part, each in the same place."""
        offset, end = index * self.block, index * self.block + self.length(index)
        while offset < end:
            count = os.preadv(self._data, [into[: end - offset]], offset)
            if not count:
                raise OSError(errno.EIO, f"{self.path} has become shorter")
            yield into[:count]
            offset += count

    def publish(self) -> None:
        """Give the verified file its name."""
        if not self.is_found:
            os.rename(self.part, self.path)
            os.unlink(self.journal)
        self.close()
        self.link()

    def link(self) -> None:
        """Let ComfyUI find what is kept elsewhere."""
        if self.kept is None or os.path.realpath(self.name) == os.path.realpath(self.path):
            return
        os.makedirs(os.path.dirname(self.name), exist_ok=True)
        fresh = self.name + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        os.symlink(self.path, fresh)
        os.replace(fresh, self.name)

    def is_overtaken(self) -> bool:
        """Whether another machine has put the file onto the volume while we fetched it."""
        is_ours = self.kept is None or self.is_found or self.is_wrong
        return not is_ours and os.path.isfile(self.path) and os.path.getsize(self.path) == self.size

    def take_theirs(self) -> None:
        """
        Throw ours away and verify what lies there.

        Renaming ours over it would take the file from under whoever has it open on another machine.
        """
        self.close()
        os.unlink(self.part)
        os.unlink(self.journal)
        self.is_found = True
        self._data = os.open(self.path, os.O_RDONLY)
        self.hash_again()

    def close(self) -> None:
        for handle in (self._data, self._notes):
            if handle >= 0:
                os.close(handle)
        self._data = self._notes = -1


class Span:
    """Blocks of one download that one worker fetches with one request; *end* may shrink meanwhile."""

    def __init__(self, download: Download, source: Source, start: int, end: int) -> None:
        self.download = download
        self.source = source
        self.at = start
        self.end = end
        self.is_stream = False
        self.is_doubled = False
        self.line: Optional[Line] = None
        self.received = 0
        self.is_cut = False
        self.begin()

    def begin(self) -> None:
        """Count the time from now on."""
        self.began = self._looked_at = time.monotonic()
        self._had_then = 0

    def watched_s(self, now: float) -> float:
        return now - self._looked_at

    def lately(self, now: float) -> float:
        """Bytes a second since it was looked at last."""
        return (self.received - self._had_then) / max(now - self._looked_at, 0.001)

    def look(self, now: float) -> None:
        self._looked_at, self._had_then = now, self.received

    def eta(self, now: float) -> float:
        """Seconds until it is done, by what it has shown; long when it has shown nothing for a while."""
        left = sum(self.download.length(index) for index in range(self.at, self.end))
        seconds = now - self.began
        if not self.received:
            return max(seconds, left / (self.source.mirror.speed or math.inf))
        return left * seconds / self.received


class Pace:
    """
    How many connections a fetch has over all mirrors: more as long as more bytes come with them.

    A trial begins with a window that does not count, for connections take a while to get up to speed. Some mirrors slow
    down who has asked for much at once, so fewer are tried when much less comes than before.
    """

    def __init__(self, count: int, *, window_s: float = WINDOW_S) -> None:
        self._window_s = window_s
        self._since = math.inf
        self._had = 0
        self._kept = count  # what to go back to
        self._speed = 0.0  # bytes per second with that
        self._speeds: List[float] = []  # in the windows of a trial; after it, in the last ones
        self._is_trial = self._is_warm = False
        self._try(count, speed=0.0)

    def look(self, now: float, received: int, *, has_work: bool) -> None:
        """To be called a few times a window, with all bytes so far and whether there is work for everybody."""
        if not has_work or now < self._since:
            self._since, self._had = now, received
        elif now - self._since >= self._window_s:
            speed = (received - self._had) / (now - self._since)
            self._since, self._had = now, received
            self._measured(speed)

    def _measured(self, speed: float) -> None:
        if not self._is_trial:
            self._watch(speed)
        elif self._is_warm:
            self._speeds.append(speed)
            self._judge(sum(self._speeds) / len(self._speeds), is_over=len(self._speeds) >= WINDOWS)
        self._is_warm = True

    def _judge(self, speed: float, *, is_over: bool) -> None:
        """One window is enough where the new connections bring at least half of what the others do."""
        gain = speed / self._speed if self._speed else math.inf
        if self.count < self._kept:
            self._judge_fewer(speed, is_as_good=gain >= KEEPS, is_over=is_over)
        elif self.count == MOST_CONNECTIONS and (gain >= WORTH or is_over):
            self._settle(self.count if gain >= WORTH else self._kept, speed)
        elif gain >= (1 + self.count / self._kept) / 2 or (is_over and gain >= WORTH):
            log.info("%.2f MB/s with %d connections", speed / 1e6, self.count)
            self._kept = self.count
            self._try(self._more(), speed)
        elif is_over:
            self._settle(self._kept, speed)

    def _judge_fewer(self, speed: float, *, is_as_good: bool, is_over: bool) -> None:
        if is_over and is_as_good and self.count > FEWEST_CONNECTIONS:
            self._kept = self.count
            self._try(self._fewer(), speed)
        elif is_over:
            self._settle(self.count if is_as_good else self._kept, speed)

    def _more(self) -> int:
        return min(MOST_CONNECTIONS, max(self.count + 1, int(self.count * MORE)))

    def _fewer(self) -> int:
        return max(FEWEST_CONNECTIONS, self.count // 2)

    def _try(self, count: int, speed: float) -> None:
        """See whether another count is better than what brings *speed*."""
        self.count, self._speed = count, speed
        self._speeds = []
        self._is_trial, self._is_warm = True, False

    def _settle(self, count: int, speed: float) -> None:
        log.info("%.2f MB/s with %d connections; %d stay", speed / 1e6, self.count, count)
        self._speed = speed if count == self.count else self._speed  # what that many bring
        self.count = self._kept = count
        self._speeds, self._is_trial = [], False

    def _watch(self, speed: float) -> None:
        self._speeds = [*self._speeds[1 - WATCHED :], speed]
        if len(self._speeds) < WATCHED:
            return
        if max(self._speeds) < SAG * self._speed and self.count > FEWEST_CONNECTIONS:
            self._try(self._fewer(), max(self._speeds))
        elif min(self._speeds) > RISE * self._speed and self.count < MOST_CONNECTIONS:
            self._try(self._more(), max(self._speeds))


class Fetch:
    """One manifest of files, fetched by as many threads as there are connections."""

    def __init__(self, places: Places, request: Event) -> None:
        self._places = places
        self._patience = float(request.get("no_progress_s", NO_PROGRESS_S))
        count = max(1, min(MOST_CONNECTIONS, int(request.get("connections", CONNECTIONS))))
        self._pace = Pace(count, window_s=float(request.get("window_s", WINDOW_S)))
        self._staff: Dict[Mirror, int] = {}  # threads, by mirror
        self._mirrors: Dict[str, Mirror] = {}
        self._changed = threading.Condition()
        self._failure: Optional[Failure] = None
        self._is_over = False
        self._received = 0
        self._fetched = 0
        self._heard = time.monotonic()
        self._writing = 0
        self._hashing = 0
        self._to_hash: Deque[Tuple[Download, Piece]] = collections.deque()
        self._lines: Set[Line] = set()
        self._fetchers = Fetchers(places)
        self._wanted_fetchers = request.get("fetchers")
        self._verified = Verified(places)
        self._volume = volume_of(places, request)
        dest = str(request["dest"])
        self.downloads = [self._download(dest, entry) for entry in request["files"]]

    def _download(self, dest: str, entry: Event) -> Download:
        sources = []
        for url in entry["urls"][: UNKNOWN - 2]:
            name = mirror_name(url)
            sources.append(Source(url, self._mirrors.setdefault(name, Mirror(name))))
        if not sources:
            raise Failure("bad_request", "{} has no address".format(entry["path"]))
        path = self._places.below(dest, entry["path"], self._volume)
        size = int(entry["size"])
        if entry.get("sha256") is None:
            size = self._true_size(path, sources, size)
        kept = self._volume.keep(path, size, entry.get("sha256")) if self._volume is not None else None
        return Download(path, size, entry.get("sha256"), sources, chunks=Chunks(dict(entry, size=size)), kept=kept)

    def renew(self, request: Event) -> None:
        """Go on with addresses that were signed anew; what is unknown here is let be."""
        fresh = {os.path.join(str(request["dest"]), entry["path"]): entry["urls"] for entry in request["files"]}
        with self._changed:
            for download in self.downloads:
                urls = fresh.get(os.path.relpath(download.name, self._places.root), [])
                for source, url in zip(download.sources, urls):
                    if mirror_name(url) == source.mirror.name:
                        source.renew(url)
            self._changed.notify_all()

    def _true_size(self, path: str, sources: List[Source], estimate: int) -> int:
        """Ask how long a file is whose manifest has no checksum and so no exact size either."""
        known = self._verified.size_of(path)
        if known is not None:
            return known
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            for source in sources:
                told = size_by(source, 4 * estimate)
                if told is not None:
                    return told
            check_addresses(path, sources)
            time.sleep(0.5)
        raise Failure("no_progress", f"nobody tells how long {path} is: {problems(sources)}")

    def run(self, publish: Publish, beside: Sequence["Fetch"] = ()) -> Event:
        """Fetch until every file is there, or fail; follows the threads and reports."""
        try:
            self._open()
            self._check_room(sum(fetch.missing for fetch in beside))
            self._fetchers.allow(self._total() - self._done(), self._wanted_fetchers)
            self._start()
            self._follow(publish)
        except OSError as error:
            raise disk_failure(error) from error
        finally:
            self._stop()
        return {"bytes": self._fetched, "total": self._total()}

    def _open(self) -> None:
        for download in self.downloads:
            if self._verified.holds(download):
                download.link()
                download.is_ready = True
                download.done_bytes = download.size
            else:
                download.open()
                with self._changed:
                    self._queue_pieces(download)
        if self._volume is not None:
            self._volume.clear([download.journal for download in self.downloads if download.kept])

    @property
    def missing(self) -> int:
        """Bytes that have still to come onto the machine's own disk; a volume was asked for room before."""
        return sum(download.size - download.done_bytes for download in self.downloads if download.kept is None)

    def _check_room(self, promised: int) -> None:
        """Say at once when it cannot fit beside what others have been promised, rather than after an hour."""
        free = shutil.disk_usage(self._places.root).free - promised
        if self.missing > free:
            raise Failure("disk_full", f"{self.missing} bytes to fetch, {free} free")

    def _start(self) -> None:
        for _ in range(HASHERS):
            self._begin(self._hash)
        with self._changed:
            self._hire()

    def _begin(self, *job: Any) -> None:
        threading.Thread(target=self._guarded, args=job, daemon=True).start()

    def _hire(self) -> None:
        """Have a thread for each connection that a mirror may have; those that are too many wait."""
        for mirror in self._mirrors.values():
            there, wanted = self._staff.get(mirror, 0), self._quota(mirror)
            for number in range(there, wanted):
                self._begin(self._work, mirror, number)
            self._staff[mirror] = max(there, wanted)

    def _guarded(self, work: Callable[..., None], *arguments: Any) -> None:
        """Whatever a thread dies of fails the fetch."""
        try:
            work(*arguments)
        except Failure as failure:
            self._fail(failure)
        except OSError as error:
            self._fail(disk_failure(error))
        except Exception as error:
            log.exception("a thread of a fetch died")
            self._fail(Failure("agent_error", repr(error)))

    def _fail(self, failure: Failure) -> None:
        with self._changed:
            self._failure = self._failure or failure
            self._changed.notify_all()

    def _follow(self, publish: Publish) -> None:
        samples: Deque[Tuple[float, int]] = collections.deque()
        while True:
            with self._changed:
                self._changed.wait_for(self._is_settled, PROGRESS_S)
                if self._failure is not None:
                    raise self._failure
                now = time.monotonic()
                received = self._received + sum(span.received for span in self._spans())
                samples.append((now, received))
                while now - samples[0][0] > RATE_WINDOW_S and len(samples) > 2:
                    samples.popleft()
                event = self._progress(samples)
                is_ready = all(download.is_ready for download in self.downloads)
                self._check_progress(now)
                self._cut_laggards(now)
                self._pace.look(now, received, has_work=self._has_work())
                self._hire()
            publish(event)
            if is_ready:
                return

    def _is_settled(self) -> bool:
        return self._failure is not None or all(download.is_ready for download in self.downloads)

    def _progress(self, samples: Deque[Tuple[float, int]]) -> Event:
        (began, before), (now, received) = samples[0], samples[-1]
        rate = int((received - before) / (now - began)) if now > began else 0
        current = next((download.name for download in self.downloads if not download.is_ready), "")
        name = os.path.relpath(current, self._places.root) if current else ""
        return {"event": "progress", "bytes": self._done(), "total": self._total(), "rate": rate, "file": name}

    def _check_progress(self, now: float) -> None:
        waits = [download for download in self.downloads if not download.is_complete]
        for download in waits:
            if all(source.is_banned for source in download.sources):
                raise Failure("bad_checksum", f"no mirror has the right bytes of {download.path}")
            check_addresses(download.path, download.sources)
        if waits and now - self._heard > self._patience:
            heard = problems([source for download in waits for source in download.sources])
            raise Failure("no_progress", f"no byte for {self._patience:.0f} s: {heard}")

    def _has_work(self) -> bool:
        """Whether nobody waits for the end of what others do."""
        return sum(download.states.count(OPEN) for download in self.downloads) >= self._pace.count

    def _spans(self) -> List[Span]:
        return [span for download in self.downloads for span in download.spans]

    def _cut_laggards(self, now: float) -> None:
        """Cut connections that get next to nothing while others of the same file do well; they begin anew."""
        for download in self.downloads:
            seen = [span for span in download.spans if span.watched_s(now) >= LAG_S]
            best = max((span.lately(now) for span in seen), default=0.0)
            for span in seen:
                if span.lately(now) < LAG_SHARE * best and span.line is not None:
                    span.is_cut = True
                    span.line.abort()
                span.look(now)

    def _done(self) -> int:
        return sum(download.done_bytes for download in self.downloads)

    def _total(self) -> int:
        return sum(download.size for download in self.downloads)

    def _stop(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._writing and not self._hashing)
            for download in self.downloads:
                download.close()
        for line in list(self._lines):
            line.abort()  # its worker ends by itself; nobody waits for a mirror that hangs
        self._fetchers.end()

    # Workers.

    def _work(self, mirror: Mirror, number: int) -> None:
        line: Optional[Line] = None
        try:
            while True:
                span = self._next_span(mirror, number)
                if span is None:
                    return
                line = self._line_for(span, line)
                span.begin()  # a fetcher may have had to start
                self._fetch(line, span)
        finally:
            self._leave(line)

    def _line_for(self, span: Span, line: Optional[Line]) -> Line:
        """The line that there is, or a new one of the right kind."""
        is_secure = (span.source.direct or span.source.url).startswith("https:")
        if line is not None and not line.is_gone and line.is_secure == is_secure:
            return line
        self._leave(line)
        line = (self._fetchers.lane() if is_secure else None) or Line(is_secure=is_secure)
        line.close()  # nothing yet; a lane answers when its fetcher has started
        self._lines.add(line)
        return line

    def _leave(self, line: Optional[Line]) -> None:
        if line is not None:
            self._lines.discard(line)
            line.leave()

    def _next_span(self, mirror: Mirror, number: int) -> Optional[Span]:
        """Wait for something to do; None when the fetch is over."""
        while not self._is_over:
            with self._changed:
                if number < self._quota(mirror):
                    span = self._take(mirror)
                    if span is not None:
                        span.download.spans.append(span)
                        return span
                    self._changed.wait(0.1)
                    continue
            time.sleep(0.3)  # not one of those that a change of the plan should wake
        return None

    def _quota(self, mirror: Mirror) -> int:
        """How many connections that mirror gets just now."""
        if mirror.is_down or self._is_slow(mirror):
            return 1
        busy = {source.mirror for download in self._waiting() for source in download.sources if not source.is_lost}
        up = sum(not self._is_slow(other) for other in busy)
        return max(1, self._pace.count // max(1, up))

    def _waiting(self) -> List[Download]:
        return [download for download in self.downloads if not download.is_complete]

    def _is_slow(self, mirror: Mirror) -> bool:
        best = max(other.speed for other in self._mirrors.values())
        return 0 < mirror.speed < SLOW_SHARE * best and not self._is_needed(mirror)

    def _is_needed(self, mirror: Mirror) -> bool:
        """Whether it is the only one that has some file."""
        return any(
            all(source.mirror is mirror or source.is_lost for source in download.sources)
            for download in self._waiting()
        )

    def _take(self, mirror: Mirror) -> Optional[Span]:
        now = time.monotonic()
        is_slow = self._is_slow(mirror)
        usable = [(download, download.usable(mirror, now)) for download in self.downloads if not download.is_ready]
        for download, source in usable:
            if source is not None:
                start = download.first_open(source)
                if start >= 0:
                    return self._open_span(download, source, start, 1 if is_slow else self._wanted(download, mirror))
        if not is_slow:
            for download, source in usable:
                if source is not None:
                    span = self._take_over(download, source, now)
                    if span is not None:
                        return span
        return None

    def _wanted(self, download: Download, mirror: Mirror) -> int:
        """How many blocks to ask for: some seconds' worth, but never more than a fair share of what is left."""
        share = download.states.count(OPEN) // self._pace.count
        by_speed = int(min(mirror.speed * SPAN_S, LONGEST_SPAN) / download.block) if mirror.speed else FIRST_BLOCKS
        return max(1, min(share, by_speed))

    def _open_span(self, download: Download, source: Source, start: int, wanted: int) -> Span:
        end = start
        while end < min(download.count, start + wanted) and download.states[end] == OPEN:
            if not download.piece(end).takes(source):
                break
            download.states[end] = TAKEN
            end += 1
        return Span(download, source, start, end)

    def _take_over(self, download: Download, source: Source, now: float) -> Optional[Span]:
        """Nothing is open any more: take the far half of the slowest span, or fetch its last block a second time."""
        spans = [span for span in download.spans if span.at < span.end and not span.is_doubled]
        spans = [span for span in spans if download.piece(span.end - 1).takes(source)]
        if not spans:
            return None
        slowest = max(spans, key=lambda span: span.eta(now))
        own = download.block / source.mirror.speed if source.mirror.speed else 1.0
        if slowest.eta(now) < 2 * own + 0.2:
            return None
        middle = (slowest.at + 1 + slowest.end) // 2
        if middle < slowest.end:
            span = Span(download, source, middle, slowest.end)
            slowest.end = middle
            return span
        slowest.is_doubled = True
        return Span(download, source, slowest.at, slowest.end)

    def _fetch(self, line: Line, span: Span) -> None:
        source = span.source
        span.line = line
        try:
            self._receive(line, span)
        except Gone:
            if not self._is_over:
                log.warning("a fetcher is gone; what it was at is fetched again")
        except (http.client.HTTPException, OSError, BadAnswer) as problem:
            line.close()
            with self._changed:
                if not span.is_cut or self._is_slow(source.mirror):
                    source.failed(problem)
        finally:
            self._release(span)

    def _receive(self, line: Line, span: Span) -> None:
        download, source = span.download, span.source
        first = span.at * download.block
        last = min(span.end * download.block, download.size) - 1
        url = source.url
        answer, there = line.ask(source.direct or url, first, last)
        check_welcome(answer, url, there)
        source.direct = there if url == source.url else ""
        if check_answer(answer, first, last, download.size):
            source.ignores_ranges = False
        else:
            self._stream_instead(span)
        heard = functools.partial(self._hear, span)
        while span.at < span.end and not self._is_over:
            line.read(download.length(span.at), heard)
            self._commit(span, line)
        line.end()

    def _stream_instead(self, span: Span) -> None:
        """The mirror sends the whole file: take it so only where there is no better way."""
        download = span.download
        with self._changed:
            span.source.ignores_ranges = True
            if not download.may_stream(span.source, time.monotonic()):
                raise BadAnswer("200 to a range")
            self._reopen(span)
            span.at, span.end, span.is_stream = 0, download.count, True

    def _hear(self, span: Span, count: int) -> None:
        if self._is_over:
            raise BadAnswer("the fetch is over")
        self._heard = time.monotonic()
        span.received += count

    def _commit(self, span: Span, line: Line) -> None:
        """Write a block unless somebody else was faster; the first one counts."""
        download, index = span.download, span.at
        with self._changed:
            if span.source.is_banned or not download.piece(index).takes(span.source):
                self._give_up(span)
                return
            span.at += 1
            if self._is_over or download.states[index] >= WRITING:
                return
            download.states[index] = WRITING
            self._writing += 1
        origin = 1 + download.sources.index(span.source)
        try:
            line.write(download.handle, download.length(index), index * download.block)
            download.note(index, origin)
        except Gone:
            with self._changed:
                download.states[index] = OPEN
            raise
        except OSError as error:
            raise disk_failure(error) from error
        else:
            with self._changed:
                download.mark(index, origin)
                self._queue(download, download.to_hash(index))
                self._fetched += download.length(index)
        finally:
            with self._changed:
                self._writing -= 1
                if self._is_over:
                    self._changed.notify_all()

    def _give_up(self, span: Span) -> None:
        """What this source sends is not wanted any more."""
        if span.is_stream and not span.source.is_banned:
            span.at += 1  # some of what comes later may be
        else:
            self._reopen(span)
            span.end = span.at

    def _release(self, span: Span) -> None:
        with self._changed:
            span.source.mirror.measured(span.received, time.monotonic() - span.began)
            self._received += span.received
            if span.received:
                span.source.failures = span.source.refusals = 0
            if span in span.download.spans:
                span.download.spans.remove(span)
            self._reopen(span)
            self._changed.notify_all()

    def _reopen(self, span: Span) -> None:
        for index in range(span.at, span.end):
            if span.download.states[index] == TAKEN:
                span.download.states[index] = OPEN

    # Hashers.

    def _queue(self, download: Download, piece: Optional[Piece]) -> None:
        if piece is not None:
            piece.is_hashing = True
            self._to_hash.append((download, piece))
            self._changed.notify_all()

    def _queue_pieces(self, download: Download) -> None:
        """All that can be hashed of a file of which something was there."""
        self._to_hash = collections.deque(queued for queued in self._to_hash if queued[0] is not download)
        for piece in download.pieces:
            self._queue(download, piece if piece.is_hashed else download.to_hash(piece.first))

    def _hash(self) -> None:
        buffer = memoryview(bytearray(HASHED))
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._to_hash or self._is_over)
                if self._is_over:
                    return
                download, piece = self._to_hash.popleft()
                self._hashing += 1
                download.hashing += 1
            try:
                self._hash_front(download, piece, buffer)
            finally:
                with self._changed:
                    self._hashing -= 1
                    self._changed.notify_all()

    def _hash_front(self, download: Download, piece: Piece, buffer: memoryview) -> None:
        while not (piece.is_hashed or self._is_over or download.is_wrong_copy) and download.states[piece.at] == DONE:
            piece.add(download.read(piece.at, buffer))
        with self._changed:
            download.hashing -= 1
            piece.is_hashing = False
            if self._is_over:
                return
            if piece.is_hashed:
                self._judge(download, piece)
            elif not download.is_wrong_copy:
                self._queue(download, download.to_hash(piece.at))
            if download.is_wrong_copy and not download.hashing:
                download.start_over()
                self._queue_pieces(download)

    def _judge(self, download: Download, piece: Piece) -> None:
        if piece.has_right_bytes:
            download.right += 1
            if download.right == len(download.pieces):
                self._finish(download)
        elif download.is_found:
            log.warning("%s: what lay there is another file", download.path)
            download.is_wrong = True
        else:
            self._distrust(download, piece)

    def _finish(self, download: Download) -> None:
        if download.is_overtaken():
            download.take_theirs()
            self._queue_pieces(download)
        else:
            download.publish()
            self._verified.remember(download)
            download.is_ready = True
        self._changed.notify_all()

    def _distrust(self, download: Download, piece: Piece) -> None:
        """
        The piece is wrong, and its checksum does not say where. Was it sent by one mirror, then others are to send it.

        Where several had a share in it, keep what one of them sent and fetch the rest there: then it is clear.
        """
        log.warning("%s: wrong checksum from byte %d on", download.path, piece.first * download.block)
        origins = download.origins[piece.first : piece.end]
        shares = {source: origins.count(1 + number) for number, source in enumerate(download.sources)}
        culprit = next((source for source, share in shares.items() if share == len(origins)), None)
        if culprit is not None:
            piece.liars.add(culprit)
            culprit.lies += 1
            culprit.is_banned = culprit.lies >= min(LIES, len(download.pieces))
        left = [source for source in shares if not source.is_banned]
        if piece.liars.issuperset(left):
            piece.liars.clear()
        left = [source for source in left if source not in piece.liars]
        best = max(left, key=lambda one: (not one.is_lost, -one.lies, shares[one]), default=None)
        piece.only = best if culprit is None else None
        download.reopen(piece, 1 + download.sources.index(piece.only) if piece.only is not None else 0)
        piece.begin()
        self._queue(download, download.to_hash(piece.first))
        self._changed.notify_all()


def mirror_name(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc.rpartition("@")[2]


def check_addresses(path: str, sources: List[Source]) -> None:
    """Say at once when nobody lets us in any more: whoever asked can sign anew."""
    left = [source for source in sources if not source.is_banned]
    if left and all(source.is_expired for source in left):
        raise Failure("expired", f"the addresses of {path} are refused: {problems(sources)}")


def problems(sources: List[Source]) -> str:
    """What the mirrors said last, each once."""
    said = {"{}: {}".format(source.mirror.name, source.problem or "silent"): None for source in sources}
    return "; ".join(said)[:500]


class Verified:
    """Which files were found right, so that nobody hashes 30 GB twice; an entry ends when its file changes."""

    lock = threading.Lock()

    def __init__(self, places: Places) -> None:
        self._file = places.in_state("verified.json")

    def holds(self, download: Download) -> bool:
        known = read_json(self._file).get(download.path)
        return known is not None and known == self._seen(download.path, download.sha256)

    def size_of(self, path: str) -> Optional[int]:
        """The size of a file without a checksum that was fetched before."""
        known = read_json(self._file).get(path)
        return known["size"] if known is not None and known == self._seen(path, None) else None

    def remember(self, download: Download) -> None:
        with self.lock:
            known = read_json(self._file)
            known[download.path] = self._seen(download.path, download.sha256)
            write_json(self._file, known)

    def _seen(self, path: str, sha256: Optional[str]) -> Optional[Event]:
        try:
            status = os.stat(path)
        except OSError:
            return None
        return {"size": status.st_size, "mtime": status.st_mtime_ns, "sha256": sha256}


class Kept:
    """Where one file is on a volume, and where it is while this machine fetches it."""

    def __init__(self, path: str, part: str) -> None:
        self.path = path
        self.part = part


class Volume:
    """
    A folder that outlives the machine; other machines may have it at the same time.

    A file is kept there under its checksum, so that nothing in it has two meanings; what has none is not kept, since
    what another machine left could not be verified. ComfyUI finds it through a link. Each machine fetches into a name
    of its own, and gives the file its name when it is verified.
    """

    def __init__(self, places: Places, path: str) -> None:
        # GLOWPLUG_ROOT is set where a machine is only a folder: then its mounts are in it, too.
        mount = os.environ.get("GLOWPLUG_ROOT", "") + os.path.normpath(os.sep + path)
        self.folder = os.path.join(mount, "glowplug")
        self._owner = places.own_name()
        self._room = self._find_room(mount)

    def _find_room(self, mount: str) -> Optional[int]:
        """Bytes that are free; None when it is not there or not ours to write: then the machine's own disk will do."""
        try:
            os.stat(mount)
            os.makedirs(self.folder, exist_ok=True)
            if os.access(self.folder, os.W_OK | os.X_OK):
                return shutil.disk_usage(self.folder).free
            log.warning("%s cannot be written", self.folder)
        except OSError as error:
            log.warning("the volume cannot be used: %s", error)
        return None

    def path_of(self, sha256: Optional[str]) -> Optional[str]:
        known = re.fullmatch("[0-9a-f]{64}", sha256 or "")
        return os.path.join(self.folder, known.group(0)) if known and self._room is not None else None

    def keep(self, name: str, size: int, sha256: Optional[str]) -> Optional[Kept]:
        """Where to keep a file; None for the machine's own disk, where it may lie already."""
        path = self.path_of(sha256)
        if path is None or self._room is None or (os.path.isfile(name) and not os.path.islink(name)):
            return None
        part = f"{path}.{self._owner}.part"
        if not any(os.path.isfile(there) for there in (path, part)):
            if size > self._room:
                log.warning("%s does not fit onto the volume", name)
                return None
            self._room -= size
        return Kept(path, part)

    def clear(self, journals: List[str]) -> None:
        """Remove what machines that are long gone left half done, by the clock of the volume itself."""
        now = next((os.stat(journal).st_mtime for journal in journals if os.path.isfile(journal)), None)
        if now is None:
            return
        for entry in os.scandir(self.folder):
            is_left = ".part" in entry.name and f".{self._owner}." not in entry.name  # ours may be under way
            with contextlib.suppress(FileNotFoundError):
                if is_left and entry.stat().st_mtime < now - LEFT_BEHIND_S:
                    os.unlink(entry.path)


def volume_of(places: Places, request: Event) -> Optional[Volume]:
    return Volume(places, str(request["volume"])) if request.get("volume") else None


def missing_bytes(places: Places, request: Event) -> int:
    """How much of a manifest is not on the disk yet, nor on a volume."""
    missing = 0
    volume = volume_of(places, request)
    for entry in request.get("files", []):
        path = places.below(str(request["dest"]), entry["path"], volume)
        kept = volume.path_of(entry.get("sha256")) if volume is not None else None
        if kept is not None and os.path.isfile(kept) and os.path.getsize(kept) == int(entry["size"]):
            continue
        there = 0
        for candidate in (path, path + ".part"):
            if os.path.isfile(candidate):
                there = max(there, os.stat(candidate).st_blocks * 512)  # .part is sparse
        missing += max(0, int(entry["size"]) - there)
    return missing


# ---------------------------------------------------------------------------------------------------------------------
# Installing and running ComfyUI
# ---------------------------------------------------------------------------------------------------------------------


class Installer:
    """Puts ComfyUI onto a machine whose image lacks it. A step that was done with the same input is not done again."""

    def __init__(self, places: Places, request: Event, publish: Publish) -> None:
        self._places = places
        self._request = request
        self._publish = publish
        self._marks = places.in_state("installed.json")
        self._log = places.in_state("install.log")

    def run(self) -> Event:
        request = self._request
        origin = [request["repository"], request["commit"]]
        torch = [request.get("torch", []), request.get("index_url", "")]
        self._step("clone", origin, self._clone)
        self._step("torch", torch, self._torch)
        self._step("requirements", origin + torch, self._requirements)
        return {}

    def _step(self, name: str, inputs: List[Any], do: Callable[[], None]) -> None:
        self._publish({"event": "step", "step": name, "state": "running"})
        if read_json(self._marks).get(name) != inputs:
            do()
            write_json(self._marks, dict(read_json(self._marks), **{name: inputs}))
        self._publish({"event": "step", "step": name, "state": "done"})

    def _clone(self) -> None:
        """Fetch just that commit; where the server does not serve single commits, everything."""
        repository, commit = str(self._request["repository"]), str(self._request["commit"])
        shutil.rmtree(self._places.source, ignore_errors=True)  # an interrupted clone leaves locks behind
        git = ["git", "-C", self._places.source]
        self._command("clone", ["git", "init", "--quiet", self._places.source])
        try:
            self._command("clone", [*git, "fetch", "--quiet", "--depth", "1", "--", repository, commit])
            wanted = "FETCH_HEAD"
        except Failure:
            refs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
            self._command("clone", [*git, "fetch", "--quiet", "--", repository, *refs])
            wanted = commit
        self._command("clone", [*git, "checkout", "--quiet", "--detach", wanted])
        if re.fullmatch("[0-9a-f]{40}", commit):
            self._command("clone", [*git, "diff", "--quiet", commit, "HEAD"])

    def _torch(self) -> None:
        """A venv that sees what the image has installed, so that a PyTorch which is new enough stays."""
        venv = [sys.executable, "-m", "venv", "--clear", "--system-site-packages", "--without-pip", self._places.venv]
        self._command("torch", venv)
        python = os.path.join(self._places.venv, "bin", "python")
        try:
            self._command("torch", [python, "-m", "pip", "--version"])  # the image's own will do
        except Failure:
            self._command("torch", [python, "-m", "ensurepip"])
        wanted = [str(name) for name in self._request.get("torch", [])]
        index = self._request.get("index_url")
        if wanted:
            self._pip("torch", (["--index-url", str(index)] if index else []) + wanted)

    def _requirements(self) -> None:
        self._pip("requirements", ["-r", os.path.join(self._places.source, "requirements.txt")])

    def _pip(self, step: str, arguments: List[str]) -> None:
        python = os.path.join(self._places.venv, "bin", "python")
        self._command(step, [python, "-m", "pip", "install", "--progress-bar", "off", *arguments])

    def _command(self, step: str, argv: List[str]) -> None:
        with open(self._log, "wb") as output:
            output.write("$ {}\n".format(" ".join(map(shlex.quote, argv))).encode())
            output.flush()
            try:
                child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._places.environment(),
                    cwd=self._places.root,
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure(step + "_failed", str(error)) from error
            self._wait(step, child)

    def _wait(self, step: str, child: "subprocess.Popen[bytes]") -> None:
        try:
            status = child.wait(COMMAND_S)
        except subprocess.TimeoutExpired:
            end_group(child.pid, signal.SIGKILL)
            child.wait()
            raise Failure(step + "_failed", f"not done after {COMMAND_S:.0f} s: {tail(self._log)}") from None
        if status:
            said = tail(self._log)
            code = "disk_full" if "No space left on device" in said else step + "_failed"
            raise Failure(code, f"exit status {status}: {said}")


def end_group(group: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(group, number)


def birth_of(pid: int) -> Optional[str]:
    """When a living process started, in the kernel's ticks: tells it from a later one of the same number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


class ComfyUI:
    """The one ComfyUI of this machine. It outlives the agent; the record of it is a file."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._record = places.in_state("comfyui.json")
        self._log = places.in_state("comfyui.log")
        self._lock = threading.Lock()
        self._child: Optional["subprocess.Popen[bytes]"] = None

    def running(self) -> Optional[Event]:
        """Its pid and port while its process lives."""
        if self._child is not None:
            self._child.poll()  # reap it
        record = read_json(self._record)
        born = record.get("born")  # None when it was dead before we could look
        return record if born is not None and birth_of(record["pid"]) == born else None

    def start(self, request: Event) -> Event:
        with self._lock:
            return self._until_it_answers(self.running() or self._launch(request), request)

    def restart(self, request: Event) -> Event:
        """End it and start a fresh one, once a cause: whoever asks again, not knowing how it went, gets that one."""
        with self._lock:
            record = self.running()
            if record is None or record.get("cause") != str(request.get("cause", "")):
                self._end()
                record = self._launch(request)
            return self._until_it_answers(record, request)

    def _until_it_answers(self, record: Event, request: Event) -> Event:
        deadline = time.monotonic() + float(request.get("limit_s", COMFYUI_S))
        while time.monotonic() < deadline:
            if self.running() is None:
                raise Failure("comfyui_died", tail(self._log))
            if answers(record["port"]):
                return {"port": record["port"], "pid": record["pid"]}
            time.sleep(0.05)
        self._end()  # the next call starts a fresh one
        raise Failure("comfyui_silent", tail(self._log))

    def _launch(self, request: Event) -> Event:
        for name in ("models", "input", "output", "temp", "user", "custom_nodes"):
            os.makedirs(os.path.join(self._places.comfyui, name), exist_ok=True)
        port = free_port()
        own = ["--listen", "127.0.0.1", "--port", str(port), "--base-directory", self._places.comfyui]
        argv = self._command(request) + own + ["--disable-metadata"] + [str(one) for one in request.get("args", [])]
        with contextlib.suppress(OSError):
            os.unlink(self._log)
        with open(self._log, "ab") as output:  # appending, so that it can be cut while it is written
            try:
                self._child = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._places.environment(),
                    cwd=self._places.comfyui,
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure("comfyui_died", str(error)) from error
        cause = str(request.get("cause", ""))
        record = {"pid": self._child.pid, "born": birth_of(self._child.pid), "port": port, "cause": cause}
        write_json(self._record, record)
        return record

    def _command(self, request: Event) -> List[str]:
        start = shlex.split(str(request.get("start", "")))
        if start and shutil.which(start[0]):
            return start
        main = os.path.join(self._places.source, "main.py")
        if os.path.isfile(main):
            return [os.path.join(self._places.venv, "bin", "python"), main]
        raise Failure("no_comfyui", "neither {!r} nor an installed ComfyUI is there".format(" ".join(start)))

    def stop(self) -> None:
        with self._lock:
            self._end()

    def _end(self) -> None:
        record = self.running()
        if record is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):  # the second also for helpers that outlive the first
                end_group(record["pid"], number)
                deadline = time.monotonic() + STOP_S
                while self.running() is not None and time.monotonic() < deadline:
                    time.sleep(0.05)

    def keep_house(self) -> None:
        """Bound the log that nobody else bounds."""
        with contextlib.suppress(OSError):
            if os.path.getsize(self._log) > COMFYUI_LOG_BYTES:
                os.truncate(self._log, 0)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether a ComfyUI answers there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/system_stats")
        answer = connection.getresponse()
        return answer.status == 200 and "system" in json.loads(answer.read(MIB))
    except (http.client.HTTPException, OSError, ValueError, TypeError):
        return False
    finally:
        connection.close()


# ---------------------------------------------------------------------------------------------------------------------
# Looking around
# ---------------------------------------------------------------------------------------------------------------------


def probe(places: Places, request: Event) -> Event:
    """
    What this machine is, and how fast its disk and its link are where the request says how much to try.

    No GPU at all is an empty name.
    """
    start = shlex.split(str(request.get("start", "")))
    seen = {
        "gpu": "",
        "vram_mib": 0,
        "driver": "",
        "gpus": 0,
        "disk_free": shutil.disk_usage(places.root).free,
        "missing": missing_bytes(places, request),
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "cpus": os.cpu_count() or 1,
        "has_start": bool(start and shutil.which(start[0])),
    }
    seen.update(ask_nvidia())
    if request.get("disk_bytes"):
        seen.update(try_disk(places, int(request["disk_bytes"]), float(request["sample_s"])))
    if request.get("link_bytes") and seen["missing"]:
        seen.update(try_link(request["files"], int(request["link_bytes"]), float(request["sample_s"])))
    return seen


def try_disk(places: Places, count: int, seconds: float) -> Event:
    """Write a file, see it onto the disk, and remove it."""
    path, block = places.in_state("probe.bin"), os.urandom(BLOCK)
    began, written = time.monotonic(), 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < min(count, LARGEST_SAMPLE) and time.monotonic() - began < seconds:
                written += file.write(block[: count - written])
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in FULL:
            raise
        raise Failure("disk_broken", str(error)) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return {"disk_bps": int(written / max(time.monotonic() - began, 0.001))}


def try_link(files: List[Event], count: int, seconds: float) -> Event:
    """Read a little of the largest file from its mirrors, over a few connections, and keep none of it."""
    entry = max(files, key=lambda each: int(each["size"]))
    urls, share = entry["urls"], min(count, LARGEST_SAMPLE, int(entry["size"])) // SAMPLERS
    if not urls or not share:
        return {}
    until = time.monotonic() + min(seconds, LONGEST_SAMPLE_S)
    samples = [Sample(urls[number % len(urls)], number * share, share) for number in range(SAMPLERS)]
    threads = [threading.Thread(target=sample.run, daemon=True) for sample in samples]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    for sample in samples:
        sample.connection.abort()  # whoever is not done by now is slow, and was counted as such
    return {
        "link_bytes": sum(sample.count for sample in samples),
        "link_bps": int(sum(sample.speed(until) for sample in samples)),
        "link_problem": next((sample.problem for sample in samples if sample.problem), ""),
    }


class Sample:
    """One connection that measures: bytes, and since when they come."""

    def __init__(self, url: str, first: int, share: int) -> None:
        self.url = url
        self.first = first
        self.share = share
        self.connection = Connection()
        self.count = 0
        self.began = 0.0
        self.ended = 0.0
        self.problem = ""

    def run(self) -> None:
        try:
            with contextlib.closing(self.connection) as connection:
                self._read(connection)
        except (http.client.HTTPException, OSError, ValueError, BadAnswer) as error:
            self.problem = f"{type(error).__name__}: {error}"[:200]

    def _read(self, connection: Connection) -> None:
        asked = time.monotonic()
        answer, _ = connection.get(self.url, self.first, self.first + self.share - 1)
        if answer.status not in (200, 206) or "text/html" in answer.getheader("Content-Type", ""):
            raise BadAnswer(f"{answer.status} {answer.getheader('Content-Type', '')}")
        self.began = asked
        while self.count < self.share:
            read = len(answer.read1(min(READ, self.share - self.count)))
            if not read:
                break
            self.count += read
        self.ended = time.monotonic()

    def speed(self, until: float) -> float:
        """Bytes a second; a connection that was cut off has had all the time there was."""
        return self.count / max((self.ended or until) - self.began, 0.001) if self.began else 0.0


def ask_nvidia() -> Event:
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=True)
        lines = answer.stdout.decode(errors="replace").strip().splitlines()
        name, vram, driver = (part.strip() for part in lines[0].rsplit(",", 2))
        return {"gpu": name, "vram_mib": int(float(vram)), "driver": driver, "gpus": len(lines)}
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        log.warning("nvidia-smi: %s", error)
        return {}


# ---------------------------------------------------------------------------------------------------------------------
# The daemon
# ---------------------------------------------------------------------------------------------------------------------


class Work:
    """One request that is worked on, and what became of it; any number of callers follow."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._kept: List[Event] = []
        self._progress: Optional[Event] = None
        self._progresses = 0

    def publish(self, event: Event) -> None:
        """Every event is kept for late callers, of progress only the newest."""
        with self._changed:
            if event["event"] == "progress":
                self._progress = event
                self._progresses += 1
            else:
                self._kept.append(event)
            self._changed.notify_all()

    def follow(self) -> Iterator[Event]:
        kept = progresses = 0
        while True:
            with self._changed:
                while (len(self._kept), self._progresses) == (kept, progresses):
                    self._changed.wait()
                fresh = self._kept[kept:]
                if self._progress is not None and self._progresses != progresses:
                    fresh.insert(0, self._progress)
                kept, progresses = len(self._kept), self._progresses
            for event in fresh:
                yield event
                if event["event"] in ("done", "failed"):
                    return


class Claims:
    """Which files are being fetched: two manifests may name the same one, or two of the same bytes on a volume."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken: Set[str] = set()

    @contextlib.contextmanager
    def of(self, request: Event) -> Iterator[None]:
        """Wait until nobody else has one of its files."""
        dest = str(request["dest"])
        names = {os.path.normpath(os.path.join(dest, entry["path"])) for entry in request["files"]}
        if request.get("volume"):
            names |= {entry["sha256"] for entry in request["files"] if entry.get("sha256")}
        with self._changed:
            self._changed.wait_for(lambda: not names & self._taken)
            self._taken |= names
        try:
            yield
        finally:
            with self._changed:
                self._taken -= names
                self._changed.notify_all()


class Agent:
    """The daemon: answers callers on a Unix socket, and looks after what runs."""

    def __init__(self, places: Places, version: str) -> None:
        self.places = places
        self.version = version
        self.comfyui = ComfyUI(places)
        self._works: Dict[str, Work] = {}
        self._lock = threading.Lock()
        self._claims = Claims()
        self._fetches: List[Fetch] = []  # that are under way
        self._callers = threading.BoundedSemaphore(CALLERS)

    def serve(self, listener: socket.socket) -> NoReturn:
        listener.settimeout(HOUSEKEEPING_S)
        while True:
            try:
                caller, _ = listener.accept()
            except socket.timeout:
                self.comfyui.keep_house()
                continue
            if not self._callers.acquire(blocking=False):
                caller.close()
                continue
            threading.Thread(target=self._answer, args=(caller,), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        request: Event = {}
        try:
            with caller, caller.makefile("rwb") as stream:
                asked = json.loads(stream.readline(LONGEST_REQUEST) or b"null")
                if isinstance(asked, dict):
                    request = asked
                    for event in self._work_on(request).follow():
                        stream.write(json.dumps(event).encode() + b"\n")
                        stream.flush()
        except (OSError, ValueError) as error:
            log.info("a caller left: %s", error)
        finally:
            self._callers.release()
            if request.get("op") in ("stop", "retire"):
                self._leave()

    def _work_on(self, request: Event) -> Work:
        """The work of this request: the one that is under way, or a new one."""
        key = json.dumps(identity_of(request), sort_keys=True)
        with self._lock:
            work = self._works.get(key)
            if work is None:
                work = self._works[key] = Work()
                threading.Thread(target=self._do, args=(key, work, request), daemon=True).start()
            elif request.get("op") == "fetch":
                for fetch in self._fetches:
                    fetch.renew(request)
            return work

    def _do(self, key: str, work: Work, request: Event) -> None:
        try:
            last = dict(self._operate(request, work.publish), event="done")
        except Failure as failure:
            last = {"event": "failed", "code": failure.code, "detail": failure.detail}
        except Exception as error:
            log.exception("an operation broke")
            last = {"event": "failed", "code": "agent_error", "detail": repr(error)}
        log.info("%s: %s", request.get("op"), {name: last[name] for name in last if name != "detail"})
        with self._lock:
            del self._works[key]
        work.publish(last)

    def _operate(self, request: Event, publish: Publish) -> Event:
        operation = OPERATIONS.get(str(request.get("op")))
        if operation is None:
            raise Failure("bad_request", "no such operation: {!r}".format(request.get("op")))
        try:
            return operation(self, request, publish)
        except OSError as error:
            raise disk_failure(error) from error

    def hello(self) -> Event:
        return {"agent": self.version, "pid": os.getpid()}

    def fetch(self, request: Event, publish: Publish) -> Event:
        """Side by side with other fetches, but for one of the same file."""
        with self._claims.of(request):
            fetch = Fetch(self.places, request)
            with self._lock:
                beside = list(self._fetches)
                self._fetches.append(fetch)
            try:
                return fetch.run(publish, beside)
            finally:
                with self._lock:
                    self._fetches.remove(fetch)

    def status(self) -> Event:
        comfyui = self.comfyui.running()
        if comfyui is not None:
            comfyui = {"pid": comfyui["pid"], "port": comfyui["port"], "answers": answers(comfyui["port"])}
        with self._lock:
            works = sorted(json.loads(key)["op"] for key in self._works)
        free = shutil.disk_usage(self.places.root).free
        return dict(self.hello(), comfyui=comfyui, works=works, disk_free=free)

    def stop(self) -> Event:
        self.comfyui.stop()
        return self.hello()

    def _leave(self) -> NoReturn:
        """End at once: whatever is under way is resumed by the next agent."""
        with contextlib.suppress(OSError):
            os.unlink(self.places.in_state(SOCKET))
        os._exit(0)


OPERATIONS: Dict[str, Callable[["Agent", Event, Publish], Event]] = {
    "hello": lambda agent, _request, _publish: agent.hello(),
    "probe": lambda agent, request, _publish: probe(agent.places, request),
    "fetch": lambda agent, request, publish: agent.fetch(request, publish),
    "install": lambda agent, request, publish: Installer(agent.places, request, publish).run(),
    "comfyui": lambda agent, request, _publish: agent.comfyui.start(request),
    "restart": lambda agent, request, _publish: agent.comfyui.restart(request),
    "status": lambda agent, _request, _publish: agent.status(),
    "stop": lambda agent, _request, _publish: agent.stop(),
    "retire": lambda agent, _request, _publish: agent.hello(),  # leaves ComfyUI running
}


def identity_of(request: Event) -> Event:
    """What makes two requests the same work: not the addresses, which are signed anew each time."""
    files = [{name: entry[name] for name in entry if name != "urls"} for entry in request.get("files", [])]
    return dict(request, files=files) if files else request


# ---------------------------------------------------------------------------------------------------------------------
# The command line
# ---------------------------------------------------------------------------------------------------------------------


def dial(places: Places) -> socket.socket:
    """Connect to the daemon. A socket's path may have only 107 bytes, so it is opened from its folder."""
    os.chdir(places.state)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(SOCKET)
    except OSError:
        connection.close()
        raise
    return connection


def ask(places: Places, op: str) -> Event:
    """One short question to the daemon; empty when none answers."""
    try:
        with dial(places) as connection, connection.makefile("rwb") as stream:
            connection.settimeout(STOP_S)
            stream.write(json.dumps({"op": op}).encode() + b"\n")
            stream.flush()
            answer = json.loads(stream.readline(LONGEST_REQUEST) or b"{}")
            return answer if isinstance(answer, dict) else {}
    except (OSError, ValueError):
        return {}


def start(places: Places) -> int:
    """Have a daemon of this very file run, and say which."""
    os.umask(0o077)
    os.makedirs(places.state, mode=0o700, exist_ok=True)
    os.chmod(places.state, 0o700)
    with open(THIS_FILE, "rb") as file:
        version = hashlib.sha256(file.read()).hexdigest()[:16]
    with open(places.in_state("start.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        there = ask(places, "hello")
        if there.get("agent") != version:
            if there:
                ask(places, "retire")
            there = launch(places, version)
    print(json.dumps({"agent": there["agent"], "pid": there["pid"]}), flush=True)
    return 0


def launch(places: Places, version: str) -> Event:
    """Fork the daemon off, out of the login's session, and wait until it listens."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        if os.fork() == 0:
            run_daemon(places, version, writer)
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.readline()
    if not answer:
        said = tail(places.in_state("agent.log"))
        raise SystemExit(f"the agent did not start: {said}")
    return dict(json.loads(answer))


def run_daemon(places: Places, version: str, ready: int) -> None:
    """Never returns. Nothing of the login's terminal or pipes stays open, or SSH would wait for us."""
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.chdir(places.state)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):
            os.dup2(nowhere, standard)
        os.closerange(3, ready)
        os.closerange(ready + 1, MOST_FILES)  # the starter's lock among them
        begin_log(places)
        alone = open(places.in_state("agent.lock"), "w")  # noqa: SIM115 - held as long as the process lives
        fcntl.flock(alone, fcntl.LOCK_EX)  # a retired one may take a moment to go, and so may its fetchers
        places.alone = alone.fileno()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(SOCKET)
        listener.listen(CALLERS)
        agent = Agent(places, version)
        os.write(ready, json.dumps(agent.hello()).encode() + b"\n")
        os.close(ready)
        log.info("agent %s runs, pid %s", version, os.getpid())
        agent.serve(listener)
    except BaseException:
        log.exception("the agent broke")
    finally:
        os._exit(1)


def begin_log(places: Places) -> None:
    handler = logging.handlers.RotatingFileHandler(places.in_state("agent.log"), maxBytes=LOG_BYTES, backupCount=1)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def call(places: Places) -> int:
    """Pass one request on and its events back; 0 when it ends well."""
    request = sys.stdin.buffer.readline(LONGEST_REQUEST)
    try:
        with dial(places) as connection:
            connection.sendall(request.strip() + b"\n")
            event = json.loads(pass_on(connection) or b"{}").get("event")
    except (OSError, ValueError):
        event = None
    if event not in ("done", "failed"):
        print(json.dumps({"event": "failed", "code": "agent_gone", "detail": "the agent does not run"}), flush=True)
    return 0 if event == "done" else 1


def pass_on(connection: socket.socket) -> bytes:
    """Copy events to standard output as they come; gives the last line. Ends us when nobody reads them any more."""
    last = b""
    watch = select.poll()
    watch.register(connection, select.POLLIN)
    watch.register(1, 0)  # tells of errors alone: our caller is gone, and the work goes on without it
    while True:
        ready = dict(watch.poll())
        if 1 in ready:
            os._exit(1)
        data = connection.recv(64 * KIB)
        if not data:
            return last.strip().rpartition(b"\n")[2]
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        last = (last + data)[-LONGEST_REQUEST:]


def main() -> int:
    parser = argparse.ArgumentParser(description="The agent of a rented machine.")
    parser.add_argument("command", choices=["start", "call", "fetcher"])
    parser.add_argument("--root", required=True)
    arguments = parser.parse_args()
    if arguments.command == "fetcher":
        run_fetcher()
    return {"start": start, "call": call}[arguments.command](Places(arguments.root))


if __name__ == "__main__":
    sys.exit(main())
