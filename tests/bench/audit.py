#!/usr/bin/env python3
"""How fast the audit log is written and verified, as ratios to what this machine does in the same run.

    tests/bench/audit.py PROGRAM DIRECTORY OUTPUT [SECONDS]

Writing is compared with fio's fdatasync rate on the volume of DIRECTORY, verifying with `openssl speed -evp sha256
-bytes 512`. It needs fio and openssl. Aims: 0.4 of fio at one caller, 20,000 lines a second and a p99 of 15 ms at 64;
0.7 of openssl for the chain alone, 0.5 with checkpoints, 1.6 times as fast on two processors.
"""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import time


def fio(directory, seconds):
    """Syncs a second, and the p99 of one in milliseconds."""
    name = os.path.join(directory, "fio")
    command = ["fio", "--name=sync", f"--filename={name}", "--rw=write", "--bs=512", "--size=64m", "--fdatasync=1",
               "--ioengine=psync", "--time_based", f"--runtime={seconds}", "--output-format=json"]
    job = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["jobs"][0]
    os.remove(name)
    return job["write"]["iops"], job["sync"]["lat_ns"]["percentile"]["99.000000"] / 1e6


def openssl(seconds):
    """Bytes of SHA-256 a second in pieces of 512 bytes, on one processor."""
    command = ["openssl", "speed", "-seconds", str(seconds), "-evp", "sha256", "-bytes", "512", "-mr"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.search(r"\+F:\d+:sha256:([0-9.]+)", out).group(1))


def verify(program, path, threads):
    """Seconds on the clock and of processors that verifying took."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([program, "audit", "verify", str(path), "--threads", str(threads)], capture_output=True, text=True)
    took, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    # 4: a log whose checkpoints were left out.
    if done.returncode not in (0, 4):
        sys.exit(f"verify exits {done.returncode}: {done.stdout}{done.stderr}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    program, directory, output = sys.argv[1:4]
    seconds = int(sys.argv[4]) if len(sys.argv) == 5 else 5
    syncs, sync_p99 = fio(directory, seconds)
    command = [program, "audit", "measure", directory, "--seconds", str(seconds), "--keep", "--json"]
    measured = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    folder = pathlib.Path(measured["kept"])
    try:
        log = folder / "log-64"
        size = sum(file.stat().st_size for file in log.glob("audit*.*l*") if file.suffix in (".log", ".jsonl"))
        sha256 = openssl(seconds)
        signed = verify(program, log, 1)
        two = verify(program, log, 2)
        for checkpoints in log.glob("*.checkpoints"):
            checkpoints.unlink()
        chain = verify(program, log, 1)
    finally:
        shutil.rmtree(folder)
    one, many = measured["log"]
    found = {
        "fio": {"syncs_per_second": syncs, "p99_ms": sync_p99},
        "alone": measured["alone"], "one_caller": one, "many_callers": many,
        "one_caller_of_fio": one["per_second"] / syncs,
        "verify": {
            "bytes": size, "openssl_sha256_bytes_per_second": sha256,
            "chain_of_openssl": size / chain[0] / sha256, "chain_of_openssl_by_processor_time": size / chain[1] / sha256,
            "signed_of_openssl": size / signed[0] / sha256, "signed_of_openssl_by_processor_time": size / signed[1] / sha256,
            "two_threads_of_one": signed[0] / two[0],
        },
    }
    pathlib.Path(output).write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
