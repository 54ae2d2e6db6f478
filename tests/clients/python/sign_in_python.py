"""The official Python SDK, signing in by itself in both protocol eras. It checks the issuer that comes back."""

import asyncio
import sys
from contextlib import asynccontextmanager

import httpx2
from mcp.client import Client
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, TokenStorage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

from sign_in import BOTH, DOCUMENT, READ, SPOILED_REFRESH, URL, answer, browse, parameters, read, tell, write

REDIRECT = "http://127.0.0.1:43219/callback"


class Kept(TokenStorage):
    """What a program keeps between two runs."""

    def __init__(self):
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client_info):
        self.client = client_info

    def scopes(self):
        return set(self.tokens.scope.split())

    def spoil(self, **changes):
        self.tokens = self.tokens.model_copy(update=changes)


class Person:
    """A program on somebody's desk, and what it has asked them so far."""

    def __init__(self, mode, method="none", document=None, access=None, url=URL):
        self.mode, self.document, self.access = mode, document, access
        self.url = url
        self.kept = Kept()
        self.asked = []
        self.back = None
        self.metadata = OAuthClientMetadata(
            client_name="The Python SDK",
            redirect_uris=[REDIRECT],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method=method,
        )

    async def leave(self, url):
        self.asked.append(parameters(url))
        self.back = parameters(await browse(url, self.access))

    async def come_back(self):
        return AuthorizationCodeResult(code=self.back["code"], state=self.back["state"], iss=self.back["iss"])

    def auth(self):
        """How one run of the program proves who it is: what it kept is all that it knows."""
        return OAuthClientProvider(
            server_url=self.url,
            client_metadata=self.metadata.model_copy(),
            storage=self.kept,
            redirect_handler=self.leave,
            callback_handler=self.come_back,
            client_metadata_url=self.document,
        )

    @asynccontextmanager
    async def start(self):
        """One run of the program: a way to call tools."""
        async with httpx2.AsyncClient(auth=self.auth(), timeout=60) as http:
            async with Client(streamable_http_client(URL, http_client=http), mode=self.mode) as client:

                async def call(tool, arguments):
                    result = await client.call_tool(tool, arguments)
                    assert not result.is_error, f"{tool} failed: {result.content}"
                    return answer(result.content, result.structured_content)

                yield call


def cases(mode):
    """The cases in one protocol era."""

    async def from_nothing():
        person = Person(mode)
        async with person.start() as call:
            await read(call)
        (asked,) = person.asked
        assert set(asked["scope"].split()) == READ and asked["resource"] == URL, asked
        assert person.kept.client.client_secret is None and person.kept.scopes() == READ, person.kept.tokens.scope

    async def renews():
        person = Person(mode)
        async with person.start() as call:
            await read(call)
        old = person.kept.tokens.refresh_token
        # The SDK renews by itself when it knows that a token's time is over.
        person.kept.spoil(access_token="", expires_in=0)
        async with person.start() as call:
            await read(call)
            await read(call)
        assert len(person.asked) == 1, "somebody had to sign in again"
        assert person.kept.tokens.refresh_token != old and person.kept.scopes() == READ

    async def asks_again():
        person = Person(mode)
        async with person.start() as call:
            await read(call)
        registered = person.kept.client.client_id
        person.kept.spoil(access_token="", refresh_token=SPOILED_REFRESH)
        async with person.start() as call:
            await read(call)
        assert len(person.asked) == 2 and person.kept.client.client_id == registered

    async def steps_up():
        person = Person(mode)
        async with person.start() as call:
            await read(call)
            await write(call, f"Opened after a step-up by the Python SDK ({mode})")
        assert [set(asked["scope"].split()) for asked in person.asked] == [READ, BOTH], person.asked
        assert person.kept.scopes() == BOTH

    def with_secret(method):
        async def case():
            person = Person(mode, method=method)
            async with person.start() as call:
                await read(call)
            assert person.kept.client.client_secret, "no secret was issued"
            person.kept.spoil(access_token="", expires_in=0)
            async with person.start() as call:
                await read(call)
            assert len(person.asked) == 1, "the secret does not renew"

        return case

    async def by_document():
        person = Person(mode, document=DOCUMENT)
        async with person.start() as call:
            await read(call)
        assert [asked["client_id"] for asked in person.asked] == [DOCUMENT]

    return {
        f"signs in from nothing, by dynamic registration, and reads, {mode}": from_nothing,
        f"renews a token whose time is over, without a browser, {mode}": renews,
        f"asks the person again when nothing it holds is good, {mode}": asks_again,
        f"steps up to writes when a call needs them, {mode}": steps_up,
        f"registers with a secret and proves itself by client_secret_basic, {mode}": with_secret("client_secret_basic"),
        f"registers with a secret and proves itself by client_secret_post, {mode}": with_secret("client_secret_post"),
        f"names itself by a document instead of registering, {mode}": by_document,
    }


async def main():
    return await tell("python signs in", {**cases("legacy"), **cases("auto")})


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
