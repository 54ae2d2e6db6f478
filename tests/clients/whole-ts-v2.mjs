// The official TypeScript SDK, v2: the whole protocol in both eras, with a key or signed in.
import { Client, LOG_LEVEL_META_KEY, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import assert from 'node:assert/strict';
import { run, target } from './journey.mjs';
import { fresh } from './sign-in.mjs';
import { whole } from './whole.mjs';

const at = target({ keyed: false });
const eras = { legacy: { mode: 'legacy', version: '2025-11-25' }, '2026-07-28': { mode: 'auto', version: '2026-07-28' } };

function prepared(mode, { log, confirm, changed }) {
  const client = new Client(
    { name: 'whole-ts-v2', version: '1.0.0' },
    { versionNegotiation: { mode }, capabilities: confirm ? { elicitation: { form: {} } } : {} },
  );
  if (confirm) client.setRequestHandler('elicitation/create', request => confirm(request.params));
  if (log) client.setNotificationHandler('notifications/message', message => log(message.params));
  for (const list of changed ? ['tools', 'prompts', 'resources'] : []) {
    client.setNotificationHandler(`notifications/${list}/list_changed`, () => changed(list));
  }
  return client;
}

const made = options => new StreamableHTTPClientTransport(new URL(at.url), options);

/** How this client proves who it is: its key, or what it was given after a sign-in. */
async function proof(label, mode) {
  if (at.key) return { requestInit: { headers: { authorization: `Bearer ${at.key}` } } };
  const { provider, client } = await fresh({
    label,
    transport: authProvider => made({ authProvider }),
    connect: async transport => {
      const client = prepared(mode, {});
      await client.connect(transport);
      return client;
    },
    finish: (transport, url) => transport.finishAuth(new URL(url).searchParams),
  }, { access: 'write' });
  await client.close();
  return { authProvider: provider };
}

const FILTER = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

/** Listen as a modern client does; it knows when the server has heard it, and who ended it. */
async function listening(client) {
  const subscription = await client.listen(FILTER);
  assert.deepEqual(subscription.honoredFilter, FILTER);
  return {
    close: async () => {
      await subscription.close();
      assert.equal(await subscription.closed, 'local');
    },
  };
}

const cases = {};
for (const [era, { mode, version }] of Object.entries(eras)) {
  const label = `the TypeScript SDK v2 (${era})`;
  const modern = mode === 'auto';
  let options;
  const kind = {
    label,
    modern,
    // It tells both eras' answers alike.
    missing: -32602,
    stops: modern ? 'at once' : 'with the connection',
    open: async handlers => {
      options ??= await proof(label, mode);
      const client = prepared(mode, handlers);
      await client.connect(made(options));
      assert.equal(client.getNegotiatedProtocolVersion(), version);
      const call = (name, args, { onprogress, signal, level } = {}) => {
        const meta = modern && level && { [LOG_LEVEL_META_KEY]: level };
        return client.callTool({ name, arguments: args, ...(meta && { _meta: meta }) }, { onprogress, signal });
      };
      return { client, call, close: () => client.close(), ...(modern && { listen: () => listening(client) }) };
    },
  };
  for (const [what, body] of Object.entries(whole(kind, at))) cases[`${what}, ${era}`] = body;
}
await run(`typescript v2 ${at.key ? 'with a key' : 'signed in'}`, cases);
