"""The tree over the lines, the keys, and signed checkpoints (`docs/audit-format.md`, "Checkpoints")."""

import base64
import binascii
import functools
import hashlib
import re

import ed25519
from line import is_stamp

NOTE = re.compile(
    rb"(aegis-audit/([0-9a-f]{32})\n([0-9]{1,20})\n([A-Za-z0-9+/]{43}=)\nnumber ([0-9]{1,20})\ntime ([^\n]{24})\n)"
    rb"\n((?:\xe2\x80\x94 [^\n]+\n)+)"
)
SIGNATURE = re.compile(rb"^\xe2\x80\x94 [^\n]*\n", re.MULTILINE)
LONGEST = 8192
SECTOR = 512
KEY = re.compile(r"aegis-audit/([0-9a-f]{32})\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)")


class Tree:
    """The tree of RFC 6962 over the lines so far, as the roots of its complete subtrees, the largest first."""

    def __init__(self, size=0, roots=()):
        self.size, self.roots = size, list(roots)

    def add(self, entry_hash):
        """One line more."""
        node = hashlib.sha256(b"\0" + bytes.fromhex(entry_hash)).digest()
        size = self.size
        while size & 1:
            node = _node(self.roots.pop(), node)
            size >>= 1
        self.roots.append(node)
        self.size += 1

    def root(self):
        """The root over all lines so far."""
        if not self.roots:
            return hashlib.sha256(b"").digest()
        return functools.reduce(lambda right, left: _node(left, right), reversed(self.roots))


def _node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def _base64(text):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


class Key:
    """A public key as it is written."""

    def __init__(self, text):
        """Raises ValueError where `text` is none."""
        found = KEY.fullmatch(text) if isinstance(text, str) else None
        raw = _base64(found[3]) if found else None
        if raw is None or len(raw) != 33 or raw[0] != 1:
            raise ValueError("this is no key")
        self.text, self.log_id, self.public = text, found[1], raw[1:]
        self.name = "aegis-audit/" + found[1]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        if self.id.hex() != found[2]:
            raise ValueError("the key has another id")

    def signed(self, message, signature):
        """Whether this key signed `message`."""
        return _valid(self.public, message, signature)

    def hands_over(self, new, signature):
        """Whether this key signed that `new` comes after it. `signature` is in base64."""
        raw = _base64(signature)
        return raw is not None and self.signed(b"aegis-audit handover v1\n" + new.encode() + b"\n", raw)


@functools.lru_cache(maxsize=65536)
def _valid(public, message, signature):
    return ed25519.valid(public, message, signature)


class Checkpoint:
    """One signed note."""

    def __init__(self, found):
        self.message, self.log_id = found[1], found[2].decode()
        self.size, self.number = int(found[3]), int(found[5])
        self.root = _base64(found[4].decode())
        self.time = found[6].decode("utf-8", "replace")
        self.signatures = found[7].decode("utf-8", "replace").split("\n")[:-1]
        self.known = [_signature(line) for line in self.signatures]
        plain = str(self.size).encode() == found[3] and str(self.number).encode() == found[5]
        self.sound = plain and self.root is not None and is_stamp(self.time) and None not in self.known
        self.sound = self.sound and len(found[0]) <= LONGEST

    def signed_by(self, key):
        """Whether one of its signatures is a valid one of `key`."""
        given = [raw for name, raw in self.known if name == key.name and raw[:4] == key.id]
        return any(key.signed(self.message, raw[4:]) for raw in given)


def _signature(line):
    """The name and the bytes of a signature line, or None where it is none."""
    parts = line.split(" ")
    raw = _base64(parts[2]) if len(parts) == 3 else None
    return (parts[1], raw) if parts[1] and "+" not in parts[1] and raw and len(raw) >= 4 else None


def hole(raw, begin):
    """Whether sectors are missing behind `begin`: zeros from there or from a sector on, to a sector or to the end."""
    at = begin
    while (at := raw.find(b"\0", at)) >= 0:
        end = at
        while end < len(raw) and raw[end] == 0:
            end += 1
        if (at == begin or at % SECTOR == 0) and (end == len(raw) or end % SECTOR == 0):
            return True
        at = end
    return False


def checkpoints(raw):
    """The checkpoints that stand one behind the other in `raw`, and whether what is behind them is harmless: nothing,
    or a note that was never finished."""
    notes, at = [], 0
    while found := NOTE.match(raw, at):
        note = Checkpoint(found)
        if not note.sound:
            return notes, hole(raw, at)
        notes.append(note)
        at = found.end()
    return notes, SIGNATURE.search(raw, at) is None or hole(raw, at)
