"""The official Python SDK: the whole protocol in both eras, with a key or signed in."""

import asyncio
import logging
import sys
import warnings
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import PromptsListChanged, ResourcesListChanged, ToolsListChanged
from mcp_types import LOG_LEVEL_META_KEY, ElicitResult

from shared import MODES
from sign_in import URL
from sign_in_python import Person
from whole import KEY, Kind, lists_change, tell

# It says that logging is deprecated in the newer era each time that the older one asks for it.
warnings.filterwarnings("ignore", message="The logging capability is deprecated")
# What comes for a search that was given up is told at length when the connection closes.
logging.getLogger("mcp").setLevel(logging.CRITICAL)
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
        """Hear what changes, for as long as the context lasts. By HTTP+SSE it is told anyway."""
        if not self.modern:
            yield
            return
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


def kind(mode, by_events=False):
    """The SDK in one era; `by_events` by HTTP+SSE of 2024-11-05, where answers come on one stream."""
    modern = mode != "legacy"
    url = f"{URL}/sse" if by_events else URL
    person = None if KEY else Person(mode, access="write", url=url)

    @asynccontextmanager
    async def opened(heard):
        proof = {"headers": {"Authorization": f"Bearer {KEY}"}} if KEY else {"auth": person.auth()}
        async with AsyncExitStack() as stack:
            if by_events:
                transport = sse_client(url, **proof)
            else:
                http = await stack.enter_async_context(httpx2.AsyncClient(timeout=60, **proof))
                transport = streamable_http_client(url, http_client=http)
            client = await stack.enter_async_context(Client(transport, mode=mode, **handlers(heard)))
            assert client.protocol_version == MODES[mode], client.protocol_version
            yield Session(client, stack, modern)

    label = f"the Python SDK ({'HTTP+SSE' if by_events else MODES[mode]})"
    stops = "at once" if modern else "with the connection"
    # By Streamable HTTP in the older era it opens a stream only where the server gave it a session id, and this server
    # keeps no sessions.
    without = () if modern or by_events else (lists_change,)
    return Kind(label=label, modern=modern, open=opened, stops=stops, without=without)


if __name__ == "__main__":
    sys.exit(asyncio.run(tell("python", [kind("legacy"), kind("auto"), kind("legacy", by_events=True)])))
