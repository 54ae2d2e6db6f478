// The official TypeScript SDK, v2: the initialize handshake, discovery with fallback, and 2026-07-28 alone.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import assert from 'node:assert/strict';
import { journey, refused, run, target } from './journey.mjs';

const at = target();

async function connect(mode, key) {
  const transport = new StreamableHTTPClientTransport(new URL(at.url), {
    requestInit: { headers: key ? { authorization: `Bearer ${key}` } : {} },
  });
  const client = new Client({ name: 'journey-ts-v2', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

const modes = { legacy: 'legacy', auto: 'auto', '2026-07-28 alone': { pin: '2026-07-28' } };
const versions = { legacy: '2025-11-25', auto: '2026-07-28', '2026-07-28 alone': '2026-07-28' };

const cases = {};
for (const [name, mode] of Object.entries(modes)) {
  cases[`journey, ${name}`] = async () => {
    const client = await connect(mode, at.key);
    assert.equal(client.getNegotiatedProtocolVersion(), versions[name]);
    await journey(
      {
        listTools: async () => (await client.listTools()).tools,
        callTool: (tool, args) => client.callTool({ name: tool, arguments: args }),
      },
      at,
      `the TypeScript SDK v2 (${name})`,
    );
    await client.close();
  };
  cases[`wrong key, ${name}`] = () => refused(() => connect(mode, 'wrong'));
}
await run('typescript v2', cases);
