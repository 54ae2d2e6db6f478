"""The official Python SDK in every era that it speaks, against the server at AEGIS_URL."""

import asyncio
import os
import sys
import traceback

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client

from shared import MODES, journey

URL = os.environ["AEGIS_URL"]
KEY = os.environ["AEGIS_KEY"]


async def visit(mode, key, seen=None):
    """One connection; the statuses of all answers go to `seen`."""

    async def note(response):
        if seen is not None:
            seen.append(response.status_code)

    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(headers=headers, timeout=60, event_hooks={"response": [note]}) as http:
        async with Client(streamable_http_client(URL, http_client=http), mode=mode) as client:
            assert client.protocol_version == MODES[mode], client.protocol_version
            await journey(client, f"the Python SDK ({mode})")


async def refused(mode):
    """A wrong key must not get in."""
    seen = []
    try:
        await visit(mode, "wrong", seen)
    except Exception:  # the SDK does not say why; the wire does
        assert seen and set(seen) == {401}, seen
        return
    raise AssertionError("the server let a stranger in")


async def main():
    """Every mode, then every mode with a wrong key."""
    failed = False
    cases = [(f"journey, {mode}", visit(mode, KEY)) for mode in MODES]
    cases += [(f"wrong key, {mode}", refused(mode)) for mode in MODES]
    for name, case in cases:
        try:
            await case
            print(f"PASS python: {name}", flush=True)
        except Exception:
            failed = True
            text = traceback.format_exc().strip().replace("\n", "\n     ")
            print(f"FAIL python: {name}: {text}", flush=True)
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
