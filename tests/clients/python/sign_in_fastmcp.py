"""FastMCP's client, signing in by itself: it opens "the browser" and listens for what comes back, as on a desk."""

import asyncio
import logging
import os
import sys
import warnings
from contextlib import asynccontextmanager
from pathlib import Path

# The program that a desktop would start, without waiting for its end.
os.environ["BROWSER"] = f"{os.environ['AEGIS_BROWSER']} %s &"
os.environ["FASTMCP_LOG_LEVEL"] = "ERROR"

from fastmcp import Client
from fastmcp.client.auth import OAuth
from key_value.aio.stores.memory import MemoryStore

from sign_in import BOTH, DOCUMENT, READ, SPOILED, SPOILED_REFRESH, URL, answer, parameters, read, tell, write

# It says that a store in memory is lost with the program, and each case is one.
warnings.filterwarnings("ignore", message="Using in-memory token storage")
logging.getLogger("mcp").setLevel(logging.ERROR)
VISITED = Path(os.environ["AEGIS_VISITED"])


def visits():
    """Every URL that a browser was started with."""
    return [parameters(url) for url in VISITED.read_text().split()] if VISITED.exists() else []


class Person:
    """A program on somebody's desk, with the store that it keeps."""

    def __init__(self, **options):
        self.options = options
        self.store = MemoryStore()
        self.before = len(visits())

    def asked(self):
        return visits()[self.before :]

    @asynccontextmanager
    async def start(self):
        auth = OAuth(client_name="FastMCP", token_storage=self.store, callback_timeout=60, **self.options)
        async with Client(URL, auth=auth) as client:

            async def call(tool, arguments):
                result = await client.call_tool(tool, arguments)
                return answer(result.content, result.structured_content)

            yield auth, call


async def from_nothing():
    person = Person()
    async with person.start() as (auth, call):
        await read(call)
        tokens = await auth.token_storage_adapter.get_tokens()
    (asked,) = person.asked()
    assert set(asked["scope"].split()) == READ and asked["resource"] == URL, asked
    assert set(tokens.scope.split()) == READ, tokens.scope


async def renews():
    person = Person()
    async with person.start() as (auth, call):
        await read(call)
        old = await auth.token_storage_adapter.get_tokens()
        # A program that was closed until its token's time was over.
        await auth.token_storage_adapter.set_tokens(old.model_copy(update={"access_token": SPOILED, "expires_in": -1}))
    async with person.start() as (auth, call):
        await read(call)
        tokens = await auth.token_storage_adapter.get_tokens()
    assert len(person.asked()) == 1, "somebody had to sign in again"
    assert tokens.refresh_token != old.refresh_token and tokens.access_token != SPOILED


async def asks_again():
    person = Person()
    async with person.start() as (auth, call):
        await read(call)
        old = await auth.token_storage_adapter.get_tokens()
        spoiled = {"access_token": SPOILED, "refresh_token": SPOILED_REFRESH}
        await auth.token_storage_adapter.set_tokens(old.model_copy(update=spoiled))
    async with person.start() as (auth, call):
        await read(call)
    first, second = person.asked()
    assert first["client_id"] == second["client_id"], "the registration was lost with the tokens"


async def steps_up():
    person = Person()
    async with person.start() as (auth, call):
        await read(call)
        await write(call, "Opened after a step-up by FastMCP")
    assert [set(asked["scope"].split()) for asked in person.asked()] == [READ, BOTH], person.asked()


async def by_document():
    # A document may not be fetched again for each port: loopback redirects match without it.
    person = Person(client_metadata_url=DOCUMENT)
    async with person.start() as (_, call):
        await read(call)
    assert [asked["client_id"] for asked in person.asked()] == [DOCUMENT]


async def main():
    return await tell(
        "fastmcp signs in",
        {
            "signs in from nothing, by dynamic registration, and reads": from_nothing,
            "renews a token whose time is over, without a browser": renews,
            "asks the person again when nothing it holds is good": asks_again,
            "steps up to writes when a call needs them": steps_up,
            "names itself by a document instead of registering": by_document,
        },
    )


sys.exit(asyncio.run(main()))
