// The official TypeScript SDK, v2, signing in by itself in both protocol eras. It checks the issuer that comes back.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { run, target } from './journey.mjs';
import { cases, documentUrl } from './sign-in.mjs';

const at = target({ keyed: false });

for (const mode of ['legacy', 'auto']) {
  const kind = {
    label: `the TypeScript SDK v2 (${mode})`,
    transport: (provider, url = at.url) => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider }),
    connect: async transport => {
      const client = new Client({ name: 'sign-in-ts-v2', version: '1.0.0' }, { versionNegotiation: { mode } });
      await client.connect(transport);
      return client;
    },
    finish: (transport, url) => transport.finishAuth(new URL(url).searchParams),
  };
  const all = Object.entries(cases(kind, at, documentUrl())).map(([name, body]) => [`${name}, ${mode}`, body]);
  await run('typescript v2 signs in', Object.fromEntries(all), { leave: mode === 'auto' });
}
