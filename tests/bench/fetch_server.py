"""
One file over HTTP or HTTPS with ranges, from several processes, as fast as this computer can send it.

``python -m tests.bench.fetch_server FILE PROCESSES [CERTIFICATE KEY]`` says its port, and ends with its standard input.
Without TLS the kernel sends from the page cache by itself; with it a record at a time is ciphered from a mapping.
"""

import mmap
import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Readline = Callable[[int], bytes]

BACKLOG = 256
LONGEST_HEAD = 64 * 1024
STEP = 1024 * 1024
"""Bytes that TLS is given at once."""
IDLE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    file: int
    mapped: memoryview
    size: int
    tls: ssl.SSLContext | None


def main() -> None:
    name, processes, *pair = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    children: list[int] = []
    for _ in range(int(processes) - 1):
        child = os.fork()
        if child == 0:
            children.clear()
            break
        children.append(child)
    served = _opened(Path(name), pair)
    threading.Thread(target=_accept, args=(listener, served), daemon=True).start()
    sys.stdin.buffer.read()  # whoever started us holds the other end
    for child in children:
        os.waitpid(child, 0)  # so that what they took counts as ours
    os._exit(0)


def _opened(path: Path, pair: list[str]) -> Served:
    file = os.open(path, os.O_RDONLY)
    tls = None
    if pair:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*pair)
    mapped = memoryview(mmap.mmap(file, 0, prot=mmap.PROT_READ))
    return Served(file=file, mapped=mapped, size=len(mapped), tls=tls)


def _accept(listener: socket.socket, served: Served) -> None:
    while True:
        caller, _ = listener.accept()
        caller.settimeout(IDLE_S)
        threading.Thread(target=_talk, args=(caller, served), daemon=True).start()


def _talk(plain: socket.socket, served: Served) -> None:
    """Answer one request after another, until the caller leaves."""
    try:
        with plain, _secured(plain, served) as caller, caller.makefile("rb") as heads:
            while head := _head(heads.readline):
                _answer(caller, served, head)
    except OSError:
        return


def _secured(plain: socket.socket, served: Served) -> socket.socket:
    return served.tls.wrap_socket(plain, server_side=True) if served.tls else plain


def _head(readline: Readline) -> bytes:
    """The next request; empty when there is no more."""
    head = b""
    while line := readline(LONGEST_HEAD):
        head += line
        if line == b"\r\n":
            return head
    return b""


def _answer(caller: socket.socket, served: Served, head: bytes) -> None:
    found = re.search(rb"(?im)^range: *bytes=(\d+)-(\d*)", head)
    first, last = found.groups() if found else (b"0", b"")
    start, end = int(first), min(served.size, int(last) + 1) if last else served.size
    status = f"206 Partial Content\r\nContent-Range: bytes {start}-{end - 1}/{served.size}" if found else "200 OK"
    said = f"HTTP/1.1 {status}\r\nAccept-Ranges: bytes\r\nContent-Length: {end - start}\r\n\r\n"
    caller.sendall(said.encode())
    _send(caller, served, start, end)


def _send(caller: socket.socket, served: Served, start: int, end: int) -> None:
    if served.tls is None:
        with os.fdopen(os.dup(served.file), "rb", buffering=0) as file:
            caller.sendfile(file, start, end - start)  # tells the kernel where from; nothing is read here
        return
    for at in range(start, end, STEP):
        caller.sendall(served.mapped[at : min(at + STEP, end)])


if __name__ == "__main__":
    main()
