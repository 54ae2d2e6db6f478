"""The official Python SDK over standard input and output: it starts AEGIS_PROGRAM itself, in every era that it speaks."""

import asyncio
import os
import sys
import traceback

from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from shared import MODES, journey

STARTED = StdioServerParameters(
    command=os.environ["AEGIS_PROGRAM"], args=["stdio", "--env-file", os.environ["AEGIS_ENV_FILE"]]
)


async def visit(mode):
    """One client, one process."""
    async with Client(stdio_client(STARTED), mode=mode) as client:
        assert client.protocol_version == MODES[mode], client.protocol_version
        await journey(client, f"the Python SDK by pipes ({mode})")


async def main():
    """Every mode."""
    failed = False
    for mode in MODES:
        try:
            await visit(mode)
            print(f"PASS python by pipes: {mode}", flush=True)
        except Exception:
            failed = True
            text = traceback.format_exc().strip().replace("\n", "\n     ")
            print(f"FAIL python by pipes: {mode}: {text}", flush=True)
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
