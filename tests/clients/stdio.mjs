// The official TypeScript SDKs over standard input and output: each starts AEGIS_PROGRAM itself, as a client would.
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as PipesV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as PipesV2 } from '@modelcontextprotocol/client/stdio';
import assert from 'node:assert/strict';
import { journey, run } from './journey.mjs';

const program = process.env.AEGIS_PROGRAM;
const settings = process.env.AEGIS_ENV_FILE;
assert.ok(program && settings, 'set AEGIS_PROGRAM and AEGIS_ENV_FILE');
const at = { owner: 'alice', repo: 'demo', readme: 'demo' };
const started = { command: program, args: ['stdio', '--env-file', settings], stderr: 'ignore' };

async function whole(client, transport, label) {
  const faults = [];
  client.onerror = error => faults.push(error);
  await client.connect(transport);
  await journey(
    {
      listTools: async () => (await client.listTools()).tools,
      callTool: (name, args) => client.callTool({ name, arguments: args }),
    },
    at,
    label,
  );
  await client.close();
  // Anything on standard output that is not the protocol would be one.
  assert.deepEqual(faults, []);
}

const modes = { legacy: 'legacy', auto: 'auto', '2026-07-28 alone': { pin: '2026-07-28' } };
const versions = { legacy: '2025-11-25', auto: '2026-07-28', '2026-07-28 alone': '2026-07-28' };
const cases = {
  'v1, initialize': () =>
    whole(new ClientV1({ name: 'stdio-ts-v1', version: '1.0.0' }), new PipesV1(started), 'the TypeScript SDK v1 by pipes'),
};
for (const [name, mode] of Object.entries(modes)) {
  cases[`v2, ${name}`] = async () => {
    const client = new ClientV2({ name: 'stdio-ts-v2', version: '1.0.0' }, { versionNegotiation: { mode } });
    await whole(client, new PipesV2(started), `the TypeScript SDK v2 by pipes (${name})`);
    assert.equal(client.getNegotiatedProtocolVersion() ?? versions[name], versions[name]);
  };
}
await run('typescript by pipes', cases);
