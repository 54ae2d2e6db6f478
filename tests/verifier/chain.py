"""The lines of a log as one chain over its files (`docs/audit-format.md`, "Verifying")."""

import re

from line import Fault, parse, whole, HASH
from note import Key, Tree, hole

LOG_ID = re.compile(r"[0-9a-f]{32}")
ZEROS = "0" * 64


class Problem(Exception):
    """Damage: where it is (`line` counts from 1 in `file`, None for no line) and what."""

    def __init__(self, file, line, fault):
        super().__init__(fault)
        self.file, self.line, self.fault = file, line, fault


class Segment:
    """One file of lines. `first` and `last` are what its name states, or None for the active one."""

    def __init__(self, name, raw, first=None, last=None):
        self.name, self.raw, self.first, self.last = name, raw, first, last


class Chain:
    """What the lines so far said. The tree's root is kept after each number of lines in `sizes`."""

    def __init__(self, sizes=()):
        self.log_id, self.sequence, self.hash = None, 0, ZEROS
        self.begins, self.number, self.tree = None, 0, Tree()
        # Each key with the line that names it.
        self.keys, self.gaps, self.problems, self.torn = [], [], [], False
        # Number of the last checkpoint that a line tells of.
        self.told = 0
        self.sizes, self.roots, self.tickets = sizes, {}, Tickets()

    def segment(self, segment):
        """Goes on with one file. Raises Problem at the first damage."""
        raw, at, line, first, ended = segment.raw, 0, 0, None, False
        while at < len(raw):
            if segment.last is not None and first and self.sequence == segment.last and not ended:
                # Never acknowledged, whatever it is.
                self.torn = True
                break
            end = raw.find(b"\n", at) + 1 or len(raw)
            line += 1
            fault = self._fault(parse(raw[at:end]), line, ended)
            if fault is None:
                first, ended = first or self.sequence, self.ended
                at = end
            elif _torn(raw, at):
                self.torn = True
                break
            else:
                raise Problem(segment.name, line, fault)
        if segment.last is not None and (first, self.sequence) != (segment.first, segment.last):
            raise Problem(segment.name, None, "it does not hold the lines that its name states")

    def _fault(self, members, line, ended):
        """Takes the next line, or says what is wrong with it."""
        if isinstance(members, Fault):
            return str(members)
        if ended:
            return "it stands behind segment_close"
        try:
            self._line(members, line == 1)
        except Fault as fault:
            return str(fault)
        return None

    def _line(self, members, begins):
        event, sequence = members["event"], whole(members["seq"])
        opens = event == "segment_open"
        if opens and not begins:
            raise Fault("segment_open stands within a file")
        if begins and not opens and not (event == "log_open" and sequence == 1):
            raise Fault("it is no beginning of a file")
        unknown = self.begins is None and opens
        before = (sequence - 1, members["prev_hash"]) if unknown else (self.sequence, self.hash)
        if (sequence - 1, members["prev_hash"]) != before:
            raise Fault("it does not carry on the line before")
        if event in ("log_open", "segment_open"):
            self._log_id(members)
        if opens:
            self._segment_open(members, sequence)
        elif begins:
            self.number = 1
        if self.begins is None:
            self.begins = sequence
            self._root()
        if event in ("log_open", "segment_open", "key_handover"):
            self._claims(members, event, sequence)
        self.tickets.line(members, sequence)
        self.sequence, self.hash = sequence, members["entry_hash"]
        self.ended = event == "segment_close"
        self.tree.add(members["entry_hash"])
        self._root()

    def _root(self):
        if self.tree.size in self.sizes:
            self.roots[self.tree.size] = self.tree.root()

    def _log_id(self, members):
        log_id = members.get("log_id")
        if not isinstance(log_id, str) or not LOG_ID.fullmatch(log_id):
            raise Fault("it names no log_id")
        if log_id != (self.log_id or log_id):
            raise Fault("it is of another log")
        self.log_id = log_id

    def _segment_open(self, members, sequence):
        number, tree = whole(members.get("number")), members.get("tree")
        if whole(members.get("last_seq")) != sequence - 1:
            raise Fault("it has another last_seq")
        if number is None or number < 2 or (self.begins is not None and number != self.number + 1):
            raise Fault("it has another number")
        proper = isinstance(tree, list) and len(tree) == (sequence - 1).bit_count()
        if not proper or not all(isinstance(root, str) and HASH.fullmatch(root) for root in tree):
            raise Fault("it has no proper tree")
        given = Tree(sequence - 1, [bytes.fromhex(root) for root in tree])
        if self.begins is None:
            self.tree = given
        elif given.roots != self.tree.roots:
            raise Fault("it has another tree")
        self.number = number

    def _claims(self, members, event, sequence):
        """What the line says of keys and checkpoints."""
        signed = members.get("signed")
        if event != "key_handover" and isinstance(signed, dict):
            self.told = whole(signed.get("number")) or self.told
        try:
            key = Key(members.get("key"))
        except ValueError:
            return
        if self.keys and self.keys[-1][1].text == key.text:
            return
        signature = members.get("signature") if event == "key_handover" else None
        if self.keys and isinstance(signature, str):
            if not self.keys[-1][1].hands_over(key.text, signature):
                self.problems.append(f"line {sequence} names a key that the key before did not sign for")
        elif self.keys or event == "key_handover":
            self.gaps.append(f"line {sequence} names a key that nobody signed for")
        self.keys.append((sequence, key))

    def key_of(self, size):
        """The key that must have signed a checkpoint of `size` lines; None where no line names one."""
        named = [key for sequence, key in self.keys if sequence <= size]
        first = self.keys[0][1] if self.keys else None
        return named[-1] if named else first


class Tickets:
    """Calls without an outcome (`docs/audit-format.md`, "Calls without an outcome")."""

    def __init__(self):
        self.named, self.count, self.listed = set(), 0, 0

    def line(self, members, sequence):
        """Takes the next line of the log."""
        event, ticket = members["event"], members.get("ticket")
        if event == "segment_open":
            if sequence > 1 and self.count == 0 and not self.named:
                self.count = whole(members.get("open_count")) or 0
            self._names(members)
        elif event == "open_tickets":
            self._names(members)
        elif event == "tool_invocation" and members.get("status") == "pending":
            if isinstance(ticket, str) and ticket not in self.named:
                self.named.add(ticket)
                self.count += 1
        elif event == "tool_invocation":
            self._closes(ticket, not (members.get("late") is True or members.get("reason") == "audit_unavailable"))
        elif event == "outcome_unknown" and isinstance(ticket, str):
            self._closes(ticket, False)
        elif event == "outcome_unknown":
            self.count -= min(whole(members.get("count")) or 0, self.count - len(self.named))

    def _names(self, members):
        items = members.get("open")
        for item in items if isinstance(items, list) else ():
            ticket = item.get("ticket") if isinstance(item, dict) else None
            if isinstance(ticket, str) and len(self.named) < self.count:
                self.named.add(ticket)

    def _closes(self, ticket, also_unnamed):
        if ticket in self.named:
            self.named.discard(ticket)
            self.count -= 1
        elif also_unnamed and self.count > len(self.named):
            self.count -= 1


def _torn(raw, begin):
    """Whether what follows `begin` is the rest of a write that was interrupted."""
    rest = raw[begin:]
    if hole(raw, begin):
        return True
    if b"\n" in rest and b"\0" not in rest:
        return False
    return all(isinstance(parse(line + b"\n"), Fault) for line in rest.split(b"\n")[:-1])
