"""One line of the log by itself: its form and its own hash (`docs/audit-format.md`, "A line")."""

import datetime
import functools
import hashlib
import re

LONGEST = 8192
DEEPEST = 7
HIDDEN = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
STRING = re.compile(r'"((?:[^"\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
ESCAPE = re.compile(r'\\(u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|["\\/bfnrt])')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"0|[1-9][0-9]*")
STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
EVENT = re.compile(r"[a-z_]{1,32}")
HASH = re.compile(r"[0-9a-f]{64}")
END = re.compile(rb',"entry_hash":"([0-9a-f]{64})"\}\n')
SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
WORDS = {"true": True, "false": False, "null": None}


class Fault(Exception):
    """Why this is no line of the log."""


class Number(str):
    """A number as it is written."""


@functools.lru_cache(maxsize=16384)
def parse(raw):
    """The members of one line, `raw` with its line feed, or the Fault that it has."""
    try:
        return _checked(raw)
    except Fault as fault:
        return fault


def is_stamp(text):
    """Whether this is a time as the log writes it."""
    if not STAMP.fullmatch(text) or text < "1970":
        return False
    try:
        datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return False
    return text[17:19] < "60"


def whole(value):
    """The whole number that a member holds, or None."""
    if isinstance(value, Number) and WHOLE.fullmatch(value) and int(value) < 2**64:
        return int(value)
    return None


def _checked(raw):
    if not raw.endswith(b"\n"):
        raise Fault("has no line feed")
    if len(raw) > LONGEST:
        raise Fault("is too long")
    end = END.fullmatch(raw, max(len(raw) - 82, 0))
    if end is None:
        raise Fault("does not end with its hash")
    try:
        text = raw[:-1].decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("is not UTF-8") from None
    if HIDDEN.search(text):
        raise Fault("holds a hidden character")
    reader = _Reader(text)
    members = reader.value(0)
    if reader.at != len(text) or not isinstance(members, dict):
        raise Fault("is not one JSON object")
    names = list(members)
    if names[:4] != ["v", "seq", "ts", "event"] or names[-2:] != ["prev_hash", "entry_hash"] or len(names) < 6:
        raise Fault("has its members in another order")
    _first_members(members)
    digest = hashlib.sha256(b"aegis-audit/v1\n" + raw[:-82]).hexdigest()
    if digest.encode() != end[1]:
        raise Fault("has another hash")
    return members


def _first_members(members):
    if members["v"] != "1" or not isinstance(members["v"], Number):
        raise Fault("is of another version")
    if not whole(members["seq"]):
        raise Fault("has no number")
    for name, form in (("event", EVENT), ("prev_hash", HASH)):
        value = members[name]
        if isinstance(value, Number) or not isinstance(value, str) or not form.fullmatch(value):
            raise Fault(f"has no proper {name}")
    stamp = members["ts"]
    if isinstance(stamp, Number) or not isinstance(stamp, str) or not is_stamp(stamp):
        raise Fault("has no proper time")


class _Reader:
    """JSON without space, with the rules for names, escapes and depth."""

    def __init__(self, text):
        self.text, self.at = text, 0

    def value(self, level):
        head = self.text[self.at : self.at + 1]
        if head in ("{", "["):
            if level > DEEPEST:
                raise Fault("nests too deep")
            self.at += 1
            return self._object(level) if head == "{" else self._list(level)
        if head == '"':
            return self._string()
        number = NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return Number(number[0])
        for word, value in WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        raise Fault("is not JSON")

    def _object(self, level):
        members = {}
        while not self._ends("}", not members):
            name = self._string()
            if name in members:
                raise Fault("has a name twice")
            self._take(":")
            members[name] = self.value(level + 1)
        return members

    def _list(self, level):
        items = []
        while not self._ends("]", not items):
            items.append(self.value(level + 1))
        return items

    def _ends(self, bracket, first):
        if self.text.startswith(bracket, self.at):
            self.at += 1
            return True
        if not first:
            self._take(",")
        return False

    def _take(self, mark):
        if not self.text.startswith(mark, self.at):
            raise Fault("is not JSON")
        self.at += 1

    def _string(self):
        found = STRING.match(self.text, self.at)
        if found is None:
            raise Fault("is not JSON")
        self.at = found.end()
        return ESCAPE.sub(_decoded, found[1]) if "\\" in found[1] else found[1]


def _decoded(escape):
    mark = escape[1]
    if mark[0] != "u":
        return SHORT.get(mark, mark)
    high = int(mark[1:5], 16)
    if len(mark) > 5:
        return chr(0x10000 + ((high & 0x3FF) << 10) + (int(mark[7:], 16) & 0x3FF))
    if 0xD800 <= high <= 0xDFFF:
        raise Fault("has half a character")
    return chr(high)
