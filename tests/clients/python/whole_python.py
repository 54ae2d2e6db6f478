"""The official Python SDK: the whole protocol in both eras, with a key or signed in."""

import asyncio
import sys
import warnings
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged
from mcp_types import LOG_LEVEL_META_KEY, ElicitResult

from shared import MODES
from sign_in import URL
from sign_in_python import Person
from whole import KEY, Kind, tell

# It says that logging is deprecated in the newer era each time that the older one asks for it.
warnings.filterwarnings("ignore", message="The logging capability is deprecated")
EVENTS = {ToolsListChanged: "tools", PromptsListChanged: "prompts", ResourcesListChanged: "resources"}


class Session:
    """One connection."""

    def __init__(self, client, stack, modern):
        self.client, self.close, self.modern = client, stack.aclose, modern

    async def tools(self):
        return (await self.client.list_tools()).tools

    async def call(self, name, arguments, progress=None, level=None):
        meta = {LOG_LEVEL_META_KEY: level} if level and self.modern else None
        return await self.client.call_tool(name, arguments, progress_callback=progress, meta=meta)

    async def resources(self):
        return (await self.client.list_resources()).resources

    async def templates(self):
        return (await self.client.list_resource_templates()).resource_templates

    async def read(self, uri):
        return (await self.client.read_resource(uri)).contents

    async def prompts(self):
        return (await self.client.list_prompts()).prompts

    async def prompt(self, name, arguments):
        return await self.client.get_prompt(name, arguments)

    async def complete(self, reference, name, value, known):
        result = await self.client.complete(reference, {"name": name, "value": value}, known)
        return result.completion.values

    async def set_level(self, level):
        await self.client.set_logging_level(level)

    @asynccontextmanager
    async def listen(self, heard):
        """Hear what changes, for as long as the context lasts."""
        wanted = {"tools_list_changed": True, "prompts_list_changed": True, "resources_list_changed": True}
        async with self.client.listen(**wanted) as subscription:
            assert subscription.honored.model_dump(exclude_none=True) == wanted, subscription.honored

            async def follow():
                async for event in subscription:
                    heard.announced(f"notifications/{EVENTS[type(event)]}/list_changed")

            following = asyncio.create_task(follow())
            yield
            following.cancel()


def handlers(heard):
    """What a client does with what comes, for those that can be asked."""
    if heard is None:
        return {}

    async def confirm(context, params):
        heard.questions.append(params)
        action, content = heard.reply
        return ElicitResult(action=action, content=content)

    async def log(params):
        heard.log(params)

    async def message(message):
        heard.announced(getattr(message, "method", "/"))

    return {"elicitation_callback": confirm, "logging_callback": log, "message_handler": message}


def kind(mode):
    """The SDK in one era."""
    modern = mode != "legacy"
    person = None if KEY else Person(mode, access="write")

    @asynccontextmanager
    async def opened(heard):
        proof = {"headers": {"Authorization": f"Bearer {KEY}"}} if KEY else {"auth": person.auth()}
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, **proof))
            client = Client(streamable_http_client(URL, http_client=http), mode=mode, **handlers(heard))
            await stack.enter_async_context(client)
            assert client.protocol_version == MODES[mode], client.protocol_version
            yield Session(client, stack, modern)

    label = f"the Python SDK ({MODES[mode]})"
    stops = "at once" if modern else "with the connection"
    # In the older era it opens a stream only where the server gave it a session id, and this server keeps no sessions.
    return Kind(label=label, modern=modern, open=opened, stops=stops, listens=modern)


if __name__ == "__main__":
    sys.exit(asyncio.run(tell("python", [kind(mode) for mode in ("legacy", "auto")])))
