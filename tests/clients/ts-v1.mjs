// The official TypeScript SDK, v1 line: always the initialize handshake.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import assert from 'node:assert/strict';
import { journey, refused, run, target } from './journey.mjs';

const at = target();

async function connect(key) {
  const transport = new StreamableHTTPClientTransport(new URL(at.url), {
    requestInit: { headers: key ? { authorization: `Bearer ${key}` } : {} },
  });
  const client = new Client({ name: 'journey-ts-v1', version: '1.0.0' });
  await client.connect(transport);
  return { client, transport };
}

await run('typescript v1', {
  'journey with initialize': async () => {
    const { client, transport } = await connect(at.key);
    assert.equal(transport.protocolVersion, '2025-11-25');
    await client.ping();
    await journey(
      {
        listTools: async () => (await client.listTools()).tools,
        callTool: (name, args) => client.callTool({ name, arguments: args }),
      },
      at,
      'the TypeScript SDK v1',
    );
    await client.close();
  },
  'no key': () => refused(() => connect()),
  'wrong key': () => refused(() => connect('wrong')),
});
