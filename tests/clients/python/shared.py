"""What the Python SDK must see, however it is connected."""

import json
import os

# How many tools there are, and what the names of those that only read begin with.
TOOLS = 43
READS = ("compare_", "get_", "list_", "search_")
MODES = {"legacy": "2025-11-25", "auto": "2026-07-28", "2026-07-28": "2026-07-28"}

PLACE = {"owner": os.environ.get("AEGIS_OWNER", "alice"), "repo": os.environ.get("AEGIS_REPO", "demo")}
README = os.environ.get("AEGIS_README", "demo")


def answer(result, what):
    """The answer's object, after checking that it is no error and that both forms of it say the same."""
    assert not result.is_error, f"{what} failed: {result.content}"
    text = next(block.text for block in result.content if block.type == "text")
    assert json.loads(text) == result.structured_content, f"{what}: text and structuredContent differ"
    return result.structured_content


async def journey(client, label):
    """List, read, write, read back what was written."""
    tools = (await client.list_tools()).tools
    assert len({tool.name for tool in tools}) == TOOLS, [tool.name for tool in tools]
    for tool in tools:
        assert tool.description, tool.name
        # A hint that equals the specification's default may be left out.
        assert bool(tool.annotations.read_only_hint) is tool.name.startswith(READS), tool.name

    file = answer(await client.call_tool("get_file_contents", {**PLACE, "filepath": "README.md"}), "get_file_contents")
    assert file["path"] == "README.md" and file["type"] == "text", file
    assert README in file["content"], file["content"][:200]

    title, body = f"Opened by {label}", "First line.\n\nSecond paragraph."
    made = answer(await client.call_tool("create_issue", {**PLACE, "title": title, "body": body}), "create_issue")
    assert made["issue"]["title"] == title and made["not_applied"] == [], made
    number = made["issue"]["number"]
    found = answer(await client.call_tool("get_issue", {**PLACE, "issue_number": number}), "get_issue")["issue"]
    assert (found["number"], found["title"], found["state"]) == (number, title, "open"), found
    assert found["body"].replace("\r\n", "\n") == body, found

    missing = await client.call_tool("get_issue", {**PLACE, "issue_number": 999999})
    assert missing.is_error, "an issue that does not exist must be an error result"
