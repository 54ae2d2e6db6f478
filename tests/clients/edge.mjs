// What the composed component must show under a stock runtime: the tools, a file, and who stays out.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { READING, checkTools, read, refused, run, target } from './journey.mjs';

const at = target();

async function connect(mode, key) {
  const headers = { authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(at.url), { requestInit: { headers } });
  const client = new Client({ name: 'journey-edge', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

const cases = {};
for (const [name, mode] of Object.entries({ legacy: 'legacy', '2026-07-28': { pin: '2026-07-28' } })) {
  cases[`tools and a file, ${name}`] = async () => {
    const client = await connect(mode, at.key);
    checkTools((await client.listTools()).tools, READING);
    await read({ callTool: (tool, args) => client.callTool({ name: tool, arguments: args }) }, at);
    await client.close();
  };
}
cases['wrong key'] = () => refused(() => connect('legacy', 'wrong'));
cases['every read left an intent and an outcome in the audit log'] = async () => {
  const log = await readFile(join(process.env.AEGIS_STATE_DIR, 'audit.log'), 'utf8');
  const calls = log.trimEnd().split('\n').map(line => JSON.parse(line)).filter(line => line.tool === 'get_file_contents');
  assert.deepEqual(calls.map(line => line.status), ['pending', 'success', 'pending', 'success']);
  assert.equal(calls[0].ticket, calls[1].ticket);
  assert.ok(calls[1].calls.length > 0 && calls[1].calls.every(call => call.status === 200), 'no calls are recorded');
  for (const secret of [at.key, process.env.GITEA_TOKEN]) {
    assert.ok(!log.includes(secret), 'a secret stands in the audit log');
  }
};
await run('edge', cases);
