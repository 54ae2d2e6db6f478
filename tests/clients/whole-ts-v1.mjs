// The official TypeScript SDK, v1 line: the whole protocol by both of its transports over HTTP, with a key or signed in.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import assert from 'node:assert/strict';
import { read, run, target } from './journey.mjs';
import { fresh } from './sign-in.mjs';
import { clientV1 } from './whole-v1.mjs';
import { whole } from './whole.mjs';

const at = target({ keyed: false });
const transports = {
  'Streamable HTTP': { made: options => new StreamableHTTPClientTransport(new URL(at.url), options), version: '2025-11-25' },
  'HTTP+SSE': { made: options => new SSEClientTransport(new URL(`${at.url}/sse`), options) },
};

/** How this client proves who it is: its key, or what it was given after a sign-in by the same transport. */
async function proof(label, made) {
  if (at.key) return { requestInit: { headers: { authorization: `Bearer ${at.key}` } } };
  const { provider, client } = await fresh({
    label,
    transport: authProvider => made({ authProvider }),
    connect: async transport => {
      const client = new Client({ name: 'whole-ts-v1', version: '1.0.0' });
      await client.connect(transport);
      return client;
    },
    finish: (transport, url) => transport.finishAuth(new URL(url).searchParams.get('code')),
  }, { access: 'write' });
  await client.close();
  return { authProvider: provider };
}

/** A connection whose stream the test can break; `opened` hears of it once its client has read what came first. */
function breakable(answer, opened) {
  const reader = answer.body.getReader();
  let fail;
  const broken = new Promise((_, reject) => { fail = reject; });
  broken.catch(() => {});
  const stream = { first: undefined, cut: () => fail(new Error('the connection is gone')) };
  let pulls = 0;
  const body = new ReadableStream({
    async pull(controller) {
      pulls += 1;
      // It asks for more when it has dealt with what it had.
      if (pulls === 2) opened(stream);
      try {
        const { done, value } = await Promise.race([reader.read(), broken]);
        if (done) return controller.close();
        stream.first ??= new TextDecoder().decode(value);
        controller.enqueue(value);
      } catch (error) {
        await reader.cancel().catch(() => {});
        throw error;
      }
    },
    cancel: reason => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return new Response(body, { status: answer.status, headers: answer.headers });
}

/** An SSE stream that breaks under a client: it opens another one by itself, and works on. */
async function reconnects(made, options) {
  const streams = [];
  let opened = () => {};
  const watched = async (url, init) => {
    const answer = await fetch(url, init);
    if (!answer.headers.get('content-type')?.startsWith('text/event-stream')) return answer;
    return breakable(answer, stream => {
      streams.push(stream);
      opened();
    });
  };
  const client = new Client({ name: 'whole-ts-v1', version: '1.0.0' });
  await client.connect(made({ ...options, fetch: watched }));
  const calls = { callTool: (name, args) => client.callTool({ name, arguments: args }) };
  await read(calls, at);
  assert.equal(streams.length, 1);
  const again = new Promise(resolve => { opened = resolve; });
  streams[0].cut();
  await again;
  assert.equal(streams.length, 2);
  for (const { first } of streams) assert.match(first, /^event: endpoint\ndata: \/mcp\/sse\?stream=\S+\n\n$/);
  assert.notEqual(streams[0].first, streams[1].first, 'the same stream again');
  await read(calls, at);
  await client.close();
}

const cases = {};
for (const [name, { made, version }] of Object.entries(transports)) {
  let options;
  const label = `the TypeScript SDK v1 (${name})`;
  const kind = {
    label,
    modern: false,
    stops: 'with the connection',
    open: async handlers => {
      options ??= await proof(label, made);
      const transport = made(options);
      const session = await clientV1(transport, handlers);
      if (version) assert.equal(transport.protocolVersion, version);
      return session;
    },
  };
  for (const [what, body] of Object.entries(whole(kind, at))) cases[`${what}, ${name}`] = body;
  if (name === 'HTTP+SSE') cases[`a stream that breaks, ${name}`] = () => reconnects(made, options);
}
await run(`typescript v1 ${at.key ? 'with a key' : 'signed in'}`, cases);
