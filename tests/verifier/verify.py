#!/usr/bin/env python3
"""A second verifier of the audit log, written from docs/audit-format.md alone, with nothing but Python's library.

    verify.py [--anchor FILE]... [--key KEY] [--expired] [--json] PATH
    verify.py --cases < CASES

Exit codes are those of the document. With --cases each line of the input is a case in JSON, and each line of the output
its verdict: `files` (name to base64) is a log, kept for the cases that follow; `edits` ([name, at, cut, base64], from an
empty file where there is none, and [name] to remove one) change a copy of it for this case; `anchors` is a list of base64.
"""

import argparse
import base64
import gzip
import itertools
import json
import pathlib
import re
import sys

from chain import Chain, Problem, Segment
from note import Key, checkpoints

CLOSED = re.compile(r"(.+)-([0-9]{12,20})-([0-9]{12,20})\.(jsonl|checkpoints)")
BEGINNING = re.compile("aegis-audit/[0-9a-f]{32}[ \t]*([\r\n\\\\])")


class Unreadable(Exception):
    """Nothing can be said about this log."""


def verify(files, anchors=(), key=None, expired=False, stem="audit", alone=None):
    """The verdict on the log in `files` (name to contents), or on the one segment of it that `alone` names."""
    segments, kept = _sorted(files, stem)
    if alone is not None:
        segments = [segment for segment in segments if segment.name == alone]
    anchors = [("anchor", note) for raw in anchors for note in _anchors(raw)]
    notes = []
    for name, raw in kept:
        found, harmless = checkpoints(raw)
        if not harmless:
            return _verdict(Chain(), [Problem(name, None, "it holds something else than checkpoints")], [])
        notes += [(name, note) for note in found]
    chain = Chain({note.size for _, note in notes + anchors})
    try:
        for segment in segments:
            chain.segment(segment)
    except Problem as problem:
        return _verdict(chain, [problem], [])
    if chain.begins is None and not chain.torn:
        raise Unreadable("it holds no line at all")
    if alone is not None and alone != f"{stem}.log":
        # What was signed later says nothing about a segment in the middle.
        notes, anchors = ([one for one in many if one[1].size <= chain.sequence] for many in (notes, anchors))
    problems = [Problem(None, None, fault) for fault in _proof(chain, notes, anchors, key)]
    gaps = list(chain.gaps)
    if (chain.begins or 1) > 1 and not expired:
        gaps.append("earlier segments are missing")
    if not chain.keys:
        gaps.append("the lines name no key")
    elif not notes and not anchors:
        gaps.append("no checkpoint was given")
    return _verdict(chain, problems, gaps)


def _verdict(chain, problems, gaps):
    code = 1 if problems else 3 if chain.torn else 4 if gaps else 0
    told = [{"file": one.file, "line": one.line, "what": one.fault} for one in problems]
    return {
        "exit_code": code,
        "problem": told[0] if told else None,
        "problems": told,
        "gaps": gaps,
        "lines": chain.sequence - chain.begins + 1 if chain.begins else 0,
        "without_outcome": None if problems else chain.tickets.count,
    }


def _sorted(files, stem):
    segments, kept = [], []
    for name, raw in files.items():
        found = _closed(name)
        if found and found[1] == stem:
            numbers = int(found[2]), int(found[3])
            (segments if found[4] == "jsonl" else kept).append((numbers, name, raw))
    segments = [Segment(name, raw, *numbers) for numbers, name, raw in sorted(segments)]
    kept = [(name, raw) for _, name, raw in sorted(kept)]
    if f"{stem}.log" in files:
        segments.append(Segment(f"{stem}.log", files[f"{stem}.log"]))
    if f"{stem}.checkpoints" in files:
        kept.append((f"{stem}.checkpoints", files[f"{stem}.checkpoints"]))
    if not segments:
        raise Unreadable("no segment")
    return segments, kept


def _closed(name):
    """The parts of a closed file's name, where its numbers are written as the log writes them."""
    found = CLOSED.fullmatch(name)
    own = found and all(f"{int(part):012d}" == part and int(part) < 2**64 for part in found.group(2, 3))
    return found if own else None


def _anchors(raw):
    """The checkpoints in a file that somebody kept, wherever they stand in it, as they are or within JSON."""
    text, found = raw.decode("utf-8", "replace"), []
    for begin in BEGINNING.finditer(text):
        inner = text[begin.start() : begin.start() + 65536]
        if begin[1] == "\\":
            inner = _unescaped(inner)
        lines = [line.rstrip() for line in inner.split("\n")]
        blank = lines.index("") if "" in lines else len(lines)
        signed = itertools.takewhile(lambda line: line.startswith("\u2014 "), lines[blank + 1 :])
        note = "".join(line + "\n" for line in [*lines[:blank], "", *signed])
        found += checkpoints(note.encode())[0]
    if not found:
        raise Unreadable("an anchor holds no checkpoint")
    return found


def _unescaped(text):
    """What stands in a string of JSON, perhaps within JSON, up to its end."""
    text = text.split('"')[0].rstrip("\\")
    for _ in range(3):
        try:
            text = json.loads(f'"{text}"')
        except ValueError:
            return ""
        if "\\" not in text:
            return text
    return ""


def _proof(chain, notes, anchors, key):
    """What the keys and checkpoints say against the lines, and against each other."""
    problems = list(chain.problems)
    if key is not None and key.text not in [named.text for _, named in chain.keys]:
        problems.append("the key that was given is none of this log")
    for file, note in notes + anchors:
        fault = _against_lines(chain, note)
        if fault:
            problems.append(f"{file}: checkpoint {note.number}: {fault}")
    numbers = [(note.number, note.size) for _, note in notes]
    if numbers and chain.begins == 1 and numbers[0][0] != 1:
        problems.append(f"the first checkpoint is number {numbers[0][0]}")
    for (number, size), (next_number, next_size) in zip(numbers, numbers[1:]):
        if next_number not in (number, number + 1) or next_size < size:
            problems.append(f"checkpoint {next_number} follows checkpoint {number}")
    if numbers and chain.told > numbers[-1][0]:
        problems.append(f"a line tells of checkpoint {chain.told}, which was not kept")
    if numbers and any(note.number > numbers[-1][0] for _, note in anchors):
        problems.append("an anchor is later than what was kept")
    return problems


def _against_lines(chain, note):
    if note.log_id != chain.log_id:
        return "it is one of another log"
    if note.size + 1 < (chain.begins or 1):
        return None
    key = chain.key_of(note.size)
    if key is None or not note.signed_by(key):
        return "it is not signed by the key of its size"
    if note.size > chain.sequence:
        return "lines were cut off"
    if chain.roots.get(note.size) != note.root:
        return "the log was written anew"
    return None


def _read(path):
    """The files of a log, and its stem."""
    path, alone, stem = pathlib.Path(path), None, "audit"
    if path.is_dir():
        files = list(path.iterdir())
    else:
        alone = re.sub(r"\.gz$", "", path.name)
        found = _closed(alone)
        if found:
            stem = found[1]
        else:
            # Any other file is taken for an active one.
            stem = alone[: -len(".log")] if alone.endswith(".log") else stem
            alone = f"{stem}.log"
        files = [path] + [one for one in path.parent.iterdir() if one.name.endswith(".checkpoints")]
    read = {}
    for one in files:
        name = re.sub(r"\.gz$", "", one.name)
        if one != path and not _closed(re.sub(r"\.zst$", "", name)):
            if one.name not in (f"{stem}.log", f"{stem}.checkpoints"):
                continue
        if name.endswith(".zst"):
            raise Unreadable("zstd is not read here: unpack it")
        if not one.is_file():
            raise Unreadable(f"{one.name} is no file")
        raw, name = one.read_bytes(), alone if one == path else name
        read[name] = gzip.decompress(raw) if one.name.endswith(".gz") else raw
    return read, stem, alone


def _cases():
    files = {}
    for given in sys.stdin.buffer:
        case = json.loads(given)
        if "files" in case:
            files = {name: base64.b64decode(raw) for name, raw in case["files"].items()}
        changed = dict(files)
        for edit in case.get("edits", ()):
            if len(edit) == 1:
                changed.pop(edit[0], None)
                continue
            name, at, cut, put = edit
            raw = changed.get(name, b"")
            changed[name] = raw[:at] + base64.b64decode(put) + raw[at + cut :]
        key = Key(case["key"]) if "key" in case else None
        anchors = [base64.b64decode(raw) for raw in case.get("anchors", ())]
        try:
            verdict = verify(changed, anchors, key, case.get("expired", False))
        except Unreadable as fault:
            verdict = {"exit_code": 2, "problem": None, "problems": [], "what": str(fault)}
        print(json.dumps(verdict), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Verify an audit log")
    parser.add_argument("--anchor", action="append", default=[])
    parser.add_argument("--key")
    parser.add_argument("--expired", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cases", action="store_true")
    parser.add_argument("path", nargs="?")
    given = parser.parse_args()
    if given.cases:
        return _cases()
    try:
        key = None
        if given.key:
            file = pathlib.Path(given.key)
            key = Key(file.read_text().strip() if file.is_file() else given.key)
        files, stem, alone = _read(given.path)
        anchors = [pathlib.Path(anchor).read_bytes() for anchor in given.anchor]
        verdict = verify(files, anchors, key, given.expired, stem, alone)
    except (OSError, EOFError, ValueError, TypeError, Unreadable) as fault:
        verdict = {"exit_code": 2, "problem": None, "problems": [], "what": str(fault)}
    if given.json:
        print(json.dumps(verdict))
    else:
        for problem in verdict["problems"]:
            print(f"{problem['file']}:{problem['line']}: {problem['what']}")
        for gap in verdict.get("gaps", ()):
            print(f"gap: {gap}")
    return sys.exit(verdict["exit_code"])


if __name__ == "__main__":
    main()
