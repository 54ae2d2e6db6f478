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
import json
import pathlib
import re
import sys

from chain import Chain, Problem, Segment
from note import Key, checkpoints

CLOSED = re.compile(r"(.+)-([0-9]{12,})-([0-9]{12,})\.(jsonl|checkpoints)")


class Unreadable(Exception):
    """Nothing can be said about this log."""


def verify(files, anchors=(), key=None, expired=False, stem="audit"):
    """The verdict on the log in `files` (name to contents)."""
    segments, kept = _sorted(files, stem)
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
        found = CLOSED.fullmatch(name)
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


def _anchors(raw):
    """The checkpoints in a file that somebody kept: notes as they are, or lines of JSON with one in `checkpoint`."""
    found, _ = checkpoints(raw)
    for line in [] if found else raw.split(b"\n"):
        try:
            note = json.loads(line)["checkpoint"]
            found += checkpoints(note.encode())[0]
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    if not found:
        raise Unreadable("an anchor holds no checkpoint")
    return found


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
    path = pathlib.Path(path)
    if path.is_dir():
        files = {one.name: one for one in path.iterdir() if one.is_file()}
        stem = "audit"
    else:
        files, stem = {path.name: path}, path.name.split(".")[0]
        found = CLOSED.fullmatch(re.sub(r"\.gz$", "", path.name))
        if found:
            stem = found[1]
    read = {}
    for name, one in files.items():
        if name.endswith(".zst"):
            raise Unreadable("zstd is not read here: unpack it")
        raw = one.read_bytes()
        read[re.sub(r"\.gz$", "", name)] = gzip.decompress(raw) if name.endswith(".gz") else raw
    return read, stem


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
        files, stem = _read(given.path)
        anchors = [pathlib.Path(anchor).read_bytes() for anchor in given.anchor]
        verdict = verify(files, anchors, key, given.expired, stem)
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
