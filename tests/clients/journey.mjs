// What every JavaScript client must see, whichever SDK and protocol era it speaks. A client is handed in as
// { listTools(), callTool(name, args) }, both answering what the SDK answered.
import assert from 'node:assert/strict';

/** How many tools there are; how many of them read, which is what is listed while changes are off; and how their names begin. */
export const TOOLS = 43, READING = 28;
const READS = /^(compare|get|list|search)_/;

/** The server under test, from the environment; the key is left out where people sign in. */
export function target({ keyed = true } = {}) {
  const { AEGIS_URL: url, AEGIS_KEY: key } = process.env;
  assert.ok(url && (key || !keyed), 'set AEGIS_URL to the /mcp endpoint and AEGIS_KEY to an API key');
  return {
    url,
    key,
    owner: process.env.AEGIS_OWNER ?? 'alice',
    repo: process.env.AEGIS_REPO ?? 'demo',
    // A text that stands in the README of that repository.
    readme: process.env.AEGIS_README ?? 'demo',
  };
}

/** The answer's object, after checking that it is no error and that both forms of it say the same. */
export function answer(result, what) {
  assert.ok(!result.isError, `${what} failed: ${JSON.stringify(result.content)}`);
  assert.equal(typeof result.structuredContent, 'object', `${what}: no structuredContent`);
  const text = result.content.find(block => block.type === 'text');
  assert.ok(text, `${what}: no text block`);
  assert.deepEqual(JSON.parse(text.text), result.structuredContent, `${what}: text and structuredContent differ`);
  return result.structuredContent;
}

export function checkTools(tools, expected = TOOLS) {
  assert.equal(new Set(tools.map(tool => tool.name)).size, expected);
  for (const tool of tools) {
    assert.ok(tool.description?.length > 10, `${tool.name} is not described`);
    assert.equal(tool.inputSchema?.type, 'object', `${tool.name} has no input schema`);
    // A hint that equals the specification's default may be left out.
    assert.equal(tool.annotations?.readOnlyHint ?? false, READS.test(tool.name), `${tool.name}: readOnlyHint`);
  }
}

export function checkFile(file, { readme }) {
  assert.equal(file.path, 'README.md');
  assert.equal(file.type, 'text');
  assert.match(file.commit, /^[0-9a-f]{40}([0-9a-f]{24})?$/);
  assert.ok(file.content.includes(readme), `README.md does not hold "${readme}": ${file.content.slice(0, 200)}`);
}

/** Read a file. */
export async function read(client, at) {
  const place = { owner: at.owner, repo: at.repo };
  checkFile(answer(await client.callTool('get_file_contents', { ...place, filepath: 'README.md' }), 'get_file_contents'), at);
}

/** The whole journey: list, read, write, read back what was written. */
export async function journey(client, at, label) {
  const place = { owner: at.owner, repo: at.repo };
  checkTools(await client.listTools());
  await read(client, at);

  const title = `Opened by ${label}`;
  const body = 'First line.\n\nSecond paragraph.';
  const made = answer(await client.callTool('create_issue', { ...place, title, body }), 'create_issue');
  assert.equal(made.issue.title, title);
  assert.ok(Number.isInteger(made.issue.number) && made.issue.number > 0, 'create_issue gave no number');
  assert.deepEqual(made.not_applied, []);

  const found = answer(
    await client.callTool('get_issue', { ...place, issue_number: made.issue.number }),
    'get_issue',
  );
  assert.equal(found.issue.number, made.issue.number);
  assert.equal(found.issue.title, title);
  assert.equal(found.issue.state, 'open');
  assert.equal(found.issue.body.replaceAll('\r\n', '\n'), body);

  const missing = await client.callTool('get_issue', { ...place, issue_number: 999999 });
  assert.equal(missing.isError, true, 'an issue that does not exist must be an error result');
}

/**
 * Run named cases one after the other and say how each went; the exit code tells whether all passed. The process ends
 * with the last suite, so one that has another to come says `leave: false`.
 */
export async function run(suite, cases, { leave = true } = {}) {
  for (const [name, body] of Object.entries(cases)) {
    try {
      await body();
      console.log(`PASS ${suite}: ${name}`);
    } catch (error) {
      const cause = error.cause ? `\n  caused by ${error.cause}` : '';
      console.log(`FAIL ${suite}: ${name}: ${error.stack ?? error}${cause}`.replaceAll('\n', '\n     '));
      process.exitCode = 1;
    }
  }
  // Some transports keep a socket open; the journeys are over.
  if (leave) setImmediate(() => process.exit());
}

/** A client without a key, or with a wrong one, must not get in. */
export async function refused(connect) {
  let failure;
  try {
    await connect();
  } catch (error) {
    failure = error;
  }
  assert.ok(failure, 'the server let a stranger in');
  assert.match(`${failure.name} ${failure.message} ${failure.code ?? ''} ${failure.status ?? ''}`, /401|unauthorized/i);
}
