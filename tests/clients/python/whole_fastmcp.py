"""FastMCP's client: the whole protocol in both eras, with a key or signed in by "the browser" that it opens."""

import asyncio
import logging
import os
import sys
import warnings
from contextlib import AsyncExitStack, asynccontextmanager

# The program that a desktop would start, without waiting for its end.
os.environ["BROWSER"] = f"{os.environ['AEGIS_BROWSER']} %s &"
os.environ["FASTMCP_LOG_LEVEL"] = "ERROR"
# What the person chooses on the page.
os.environ["AEGIS_ACCESS"] = "write"

from fastmcp import Client
from fastmcp.client.auth import BearerAuth, OAuth
from fastmcp.client.elicitation import ElicitResult
from key_value.aio.stores.memory import MemoryStore
from mcp_types import LOG_LEVEL_META_KEY

from shared import MODES
from sign_in import URL
from whole import KEY, Kind, lists_change, tell

# It says that a store in memory is lost with the program.
warnings.filterwarnings("ignore", message="Using in-memory token storage")
warnings.filterwarnings("ignore", message="The logging capability is deprecated")
logging.getLogger("mcp").setLevel(logging.ERROR)


class Session:
    """One connection."""

    def __init__(self, client, stack, modern):
        self.client, self.close, self.modern = client, stack.aclose, modern

    async def tools(self):
        return await self.client.list_tools()

    async def call(self, name, arguments, progress=None, level=None):
        meta = {LOG_LEVEL_META_KEY: level} if level and self.modern else None
        return await self.client.call_tool_mcp(name, arguments, progress_handler=progress, meta=meta)

    async def resources(self):
        return await self.client.list_resources()

    async def templates(self):
        return await self.client.list_resource_templates()

    async def read(self, uri):
        return await self.client.read_resource(uri)

    async def prompts(self):
        return await self.client.list_prompts()

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, reference, name, value, known):
        return (await self.client.complete(reference, {"name": name, "value": value}, known)).values

    async def set_level(self, level):
        await self.client.set_logging_level(level)


def handlers(heard):
    """What a client does with what comes, for those that can be asked."""
    if heard is None:
        return {}

    async def confirm(message, response_type, params, context):
        heard.questions.append(params)
        action, content = heard.reply
        return ElicitResult(action=action, content=content)

    async def log(params):
        heard.log(params)

    async def message(message):
        heard.announced(getattr(message, "method", "/"))

    return {"elicitation_handler": confirm, "log_handler": log, "message_handler": message}


def kind(mode):
    """FastMCP's client in one era."""
    modern = mode != "legacy"
    store = MemoryStore()

    @asynccontextmanager
    async def opened(heard):
        auth = BearerAuth(KEY) if KEY else OAuth(client_name="FastMCP", token_storage=store, callback_timeout=60)
        async with AsyncExitStack() as stack:
            client = Client(URL, auth=auth, mode=mode, **handlers(heard))
            await stack.enter_async_context(client)
            assert client.protocol_version == MODES[mode], client.protocol_version
            yield Session(client, stack, modern)

    label = f"FastMCP ({MODES[mode]})"
    stops = "at once" if modern else "with the connection"
    # It has no way to listen in the newer era, and none without a session id in the older one. In the newer it asks for
    # messages of every level by itself.
    return Kind(label=label, modern=modern, open=opened, stops=stops, hears_all=modern, without=(lists_change,))


if __name__ == "__main__":
    sys.exit(asyncio.run(tell("fastmcp", [kind(mode) for mode in ("legacy", "auto")])))
