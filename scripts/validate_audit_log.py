#!/usr/bin/env python3
"""Check one file of the audit log: that its lines are whole, in order, and carry on one another.

Written from docs/audit-format.md alone, with nothing but Python's standard library, as a second opinion on
`aegis-mcp audit verify`. It checks the form of each line, its hash, the chain of the lines, and what a segment says of
the tree before it, and prints the tree's size and root, which a checkpoint of that size must state.

It checks no signature: a log that somebody cut at its end, or wrote anew from its first line on, passes here, and does
not pass `aegis-mcp audit verify` with its checkpoints.
"""

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import stat
import sys
from datetime import datetime

HONEST, TAMPERED, UNREADABLE, TORN = 0, 1, 2, 3
SECTOR = 512
MAX_LINE = 8192
MAX_DEPTH = 8
ZERO = "0" * 64
HIDDEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
TOKEN = re.compile(
    r'"(?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?'
    r"|true|false|null|[\[\]{},:]"
)
ENDING = re.compile(rb',"prev_hash":"([0-9a-f]{64})","entry_hash":"([0-9a-f]{64})"}')
HEX32 = re.compile(r"[0-9a-f]{32}")
HEX64 = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.[0-9]{3}Z")


class Broken(Exception):
    """A line that breaks a rule."""


def members(pairs: list) -> dict:
    """An object; no name may stand in it twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Broken("a name stands twice in one object")
    return found


def whole(text: str):
    """A whole number. What has more digits than any counter is none that matters."""
    return int(text) if len(text) < 25 else text


def only_tokens(text: str) -> bool:
    """Whether there is nothing between the tokens of a JSON text, and each is one of the grammar."""
    at = 0
    while at < len(text):
        token = TOKEN.match(text, at)
        if not token:
            return False
        at = token.end()
    return True


def looked_through(value, depth: int) -> None:
    """No value may nest too deep, and no surrogate may stand alone."""
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH:
            raise Broken("it nests too deep")
        for name in value if isinstance(value, dict) else ():
            looked_through(name, depth + 1)
        for item in value.values() if isinstance(value, dict) else value:
            looked_through(item, depth + 1)
    elif isinstance(value, str) and re.search("[\ud800-\udfff]", value):
        raise Broken("a surrogate stands alone")


def time_of(text) -> bool:
    """Whether a text is a time as the log writes it."""
    found = TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        return found is not None and datetime(*map(int, found.groups())).year >= 1970
    except ValueError:
        return False


class Line:
    """One line whose form and own hash are valid."""

    def __init__(self, raw: bytes):
        if len(raw) > MAX_LINE:
            raise Broken("the line is too long")
        if not raw.endswith(b"\n"):
            raise Broken("the line has no line feed")
        raw = raw[:-1]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise Broken("the line is not UTF-8") from None
        if HIDDEN.search(text) or not only_tokens(text):
            raise Broken("not the strict JSON of the format")
        try:
            self.members = json.loads(text, object_pairs_hook=members, parse_int=whole)
        except (ValueError, RecursionError):
            raise Broken("not JSON") from None
        if not isinstance(self.members, dict):
            raise Broken("not an object")
        looked_through(self.members, 0)
        names = list(self.members)
        if names[:4] != ["v", "seq", "ts", "event"] or names[-2:] != ["prev_hash", "entry_hash"] or len(names) < 6:
            raise Broken("the members are not in order")
        if not raw.startswith(b'{"v":1,'):
            raise Broken("the format version is not 1")
        self.seq, self.event = self.members["seq"], self.members["event"]
        if not isinstance(self.seq, int) or isinstance(self.seq, bool) or not 0 <= self.seq < 2**64:
            raise Broken("seq is not a whole number")
        if not time_of(self.members["ts"]):
            raise Broken("ts is not a time")
        if not isinstance(self.event, str) or not re.fullmatch("[a-z_]{1,32}", self.event):
            raise Broken("event is not a name")
        ending = ENDING.fullmatch(raw, len(raw) - 160)
        if not ending:
            raise Broken("prev_hash or entry_hash does not have its form")
        self.prev, self.hash = ending[1].decode(), ending[2].decode()
        if hashlib.sha256(b"aegis-audit/v1\n" + raw[:-81]).hexdigest() != self.hash:
            raise Broken("entry_hash does not match the line: the line was changed")


class Tree:
    """The tree of RFC 6962 over the lines, as the roots of its complete subtrees."""

    def __init__(self, size: int, peaks: list):
        self.size, self.peaks = size, peaks

    def push(self, line: str) -> None:
        node = hashlib.sha256(b"\0" + bytes.fromhex(line)).digest()
        size = self.size
        while size & 1:
            node = hashlib.sha256(b"\1" + self.peaks.pop() + node).digest()
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> str:
        if not self.peaks:
            return base64.b64encode(hashlib.sha256(b"").digest()).decode()
        node = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            node = hashlib.sha256(b"\1" + left + node).digest()
        return base64.b64encode(node).decode()


class Segment:
    """What the lines so far say."""

    def __init__(self):
        self.last = self.tree = self.log_id = None
        self.lines = 0

    def take(self, line: Line) -> None:
        opens = line.event == "segment_open"
        if self.last is None:
            self.begin(line, opens)
        else:
            if self.last.event == "segment_close":
                raise Broken("a line after segment_close")
            if opens:
                raise Broken("segment_open within a segment")
            if line.seq != self.last.seq + 1:
                raise Broken(f"seq is {line.seq} where {self.last.seq + 1} must stand")
            if line.prev != self.last.hash:
                raise Broken("prev_hash is not the entry_hash of the line before")
        if opens or line.event == "log_open":
            log_id = line.members.get("log_id")
            if not isinstance(log_id, str) or not HEX32.fullmatch(log_id) or self.log_id not in (None, log_id):
                raise Broken("log_id is missing or another")
            self.log_id = log_id
        self.tree.push(line.hash)
        self.last = line
        self.lines += 1

    def begin(self, line: Line, opens: bool) -> None:
        """The first line: the beginning of a log or of a segment."""
        if not opens:
            if line.event != "log_open" or line.seq != 1 or line.prev != ZERO:
                raise Broken("the file begins with neither log_open at seq 1 nor segment_open")
            self.tree = Tree(0, [])
            return
        before, tree, number = line.seq - 1, line.members.get("tree"), line.members.get("number")
        if before < 0 or line.members.get("last_seq") != before:
            raise Broken("last_seq contradicts seq")
        if not isinstance(number, int) or isinstance(number, bool) or number < 2:
            raise Broken("number is not that of a segment")
        if not isinstance(tree, list) or len(tree) != bin(before).count("1"):
            raise Broken("tree has not as many hashes as it must have")
        if not all(isinstance(peak, str) and HEX64.fullmatch(peak) for peak in tree):
            raise Broken("tree does not hold hashes")
        self.tree = Tree(before, [bytes.fromhex(peak) for peak in tree])


def pieces(file):
    """The lines of a file, each with its line feed; a longer one in pieces, so that memory is bounded."""
    while piece := file.readline(MAX_LINE):
        yield piece


class Hole:
    """Looks for sectors that a disk never wrote: zeros from the beginning of the look or from a sector on, to a sector
    or to the end of the file."""

    def __init__(self, begin: int):
        self.begin = self.at = begin
        self.run, self.found = None, False

    def read(self, piece: bytes):
        if b"\0" not in piece and self.run is None:
            self.at += len(piece)
            return
        for byte in piece:
            edge = self.at % SECTOR == 0
            if byte == 0:
                self.run = edge or self.at == self.begin if self.run is None else self.run
            elif self.run is not None:
                self.found |= self.run and edge
                self.run = None
            self.at += 1

    def is_there(self) -> bool:
        return self.found or self.run is True


def unfinished(offset: int, first: bytes, rest) -> bool:
    """Whether an interrupted write explains the bytes from the first bad line, at this offset, to the end."""
    line_feed = zero = valid = False
    hole, piece = Hole(offset), first
    while piece:
        line_feed |= piece.endswith(b"\n")
        zero |= b"\0" in piece
        hole.read(piece)
        try:
            Line(piece)
            valid = True
        except Broken:
            pass
        piece = next(rest, b"")
    return hole.is_there() or (not valid and (not line_feed or zero))


def check(file) -> int:
    segment, rest, offset = Segment(), pieces(file), 0
    for piece in rest:
        try:
            segment.take(Line(piece))
            offset += len(piece)
        except Broken as fault:
            number = segment.lines + 1
            if not unfinished(offset, piece, rest):
                print(f"DAMAGED: line {number}: {fault}")
                return TAMPERED
            print(f"valid, {segment.lines} lines, with a torn tail that was never acknowledged")
            return TORN
    if segment.last is None:
        print("not verified: the file holds no line", file=sys.stderr)
        return UNREADABLE
    print(f"valid: {segment.lines} lines, seq {segment.last.seq - segment.lines + 1} to {segment.last.seq}")
    print(f"log {segment.log_id}, last hash {segment.last.hash}")
    print(f"tree size {segment.tree.size}, root {segment.tree.root()}")
    return HONEST


def regular(path: str):
    """A file to read. A pipe or a device may have no end, and opening a pipe waits for somebody who writes to it."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError("it is no regular file")
    return file


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code: 0 honest, 1 damaged, 2 not readable, 3 honest with an unfinished write at its end.",
    )
    parser.add_argument("--path", required=True, metavar="FILE", help="a segment or the active file; .gz is read too")
    path = parser.parse_args().path
    try:
        with regular(path) as plain, gzip.open(plain) if path.endswith(".gz") else plain as file:
            return check(file)
    except (OSError, EOFError) as error:
        print(f"{path} cannot be read: {error}", file=sys.stderr)
        return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
