#!/usr/bin/env python3
"""Make an API key for MCP_API_KEYS.

Runs `aegis-mcp generate-key` where the program is found (built in this checkout, or on PATH); otherwise makes
a key of the same form here. The key goes to standard output, the advice to standard error.
"""

import argparse
import base64
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path


def name_of_client(text: str) -> str:
    """A name as MCP_API_KEYS takes it."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text):
        raise argparse.ArgumentTypeError("use 1 to 64 letters, digits, dots, underscores and hyphens")
    return text


def program() -> str | None:
    """Where aegis-mcp is, if anywhere."""
    built = Path(__file__).resolve().parent.parent / "target" / "dist" / "aegis-mcp"
    return str(built) if built.is_file() else shutil.which("aegis-mcp")


def main() -> int:
    parser = argparse.ArgumentParser(description="Make an API key for MCP_API_KEYS.")
    parser.add_argument("--name", type=name_of_client, help="the client's name, shown in the audit log")
    name = parser.parse_args().name
    found = program()
    if found:
        arguments = [found, "generate-key"] + (["--name", name] if name else [])
        return subprocess.run(arguments, check=False).returncode
    key = "aegis_key_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode("ascii")
    print(f"{name}={key}" if name else key)
    print(
        "# Add it to MCP_API_KEYS in .env (several are separated by commas), restart, and give the client the key "
        "as its bearer token. It is not shown again.",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
