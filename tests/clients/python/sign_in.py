"""What the Python clients share: the server under test, what an answer must hold, and how cases are told."""

import asyncio
import json
import os
import traceback
from urllib.parse import parse_qs, urlsplit

URL = os.environ["AEGIS_URL"]
LOGIN = os.environ["AEGIS_LOGIN"]
DOCUMENT = os.environ.get("AEGIS_DOCUMENT")
PLACE = {"owner": os.environ.get("AEGIS_OWNER", "alice"), "repo": os.environ.get("AEGIS_REPO", "demo")}
README = os.environ.get("AEGIS_README", "demo")
READ, BOTH = {"read:repository"}, {"read:repository", "write:repository"}

# Access and refresh tokens of the right form that the server never issued.
SPOILED = "aegis_at_" + "A" * 160
SPOILED_REFRESH = "aegis_rt_" + "A" * 43


async def browse(url, access=None):
    """Sign in at an authorize URL as a browser would; the URL that the client is waiting for."""
    choice = {} if access is None else {"AEGIS_ACCESS": access}
    process = await asyncio.create_subprocess_exec(
        os.environ["AEGIS_NODE"],
        os.environ["AEGIS_SIGN_IN"],
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **choice},
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().strip()


def parameters(url):
    """The parameters of a URL, each of which may stand there once."""
    found = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert all(len(values) == 1 for values in found.values()), url
    return {name: values[0] for name, values in found.items()}


def answer(content, structured):
    """The answer's object, after checking that both forms of it say the same."""
    text = next(block.text for block in content if block.type == "text")
    assert json.loads(text) == structured, "text and structured content differ"
    return structured


async def read(call):
    """Read a file; `call` takes a tool's name and arguments and answers the result's object."""
    file = await call("get_file_contents", {**PLACE, "filepath": "README.md"})
    assert file["path"] == "README.md" and file["type"] == "text", file
    assert README in file["content"], file["content"][:200]


async def write(call, title):
    """Open an issue and read it back: it is the person's own."""
    made = await call("create_issue", {**PLACE, "title": title})
    assert made["issue"]["title"] == title, made
    found = await call("get_issue", {**PLACE, "issue_number": made["issue"]["number"]})
    assert (found["issue"]["title"], found["issue"]["author"]) == (title, LOGIN), found


async def tell(suite, cases):
    """Run named cases one after the other and say how each went."""
    failed = False
    for name, case in cases.items():
        try:
            await asyncio.wait_for(case(), timeout=120)
            print(f"PASS {suite}: {name}", flush=True)
        except BaseException:
            failed = True
            text = traceback.format_exc().strip().replace("\n", "\n     ")
            print(f"FAIL {suite}: {name}: {text}", flush=True)
    return 1 if failed else 0
