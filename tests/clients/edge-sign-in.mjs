// People sign in at the composed component under a stock runtime: the official TypeScript SDK finds the documents,
// registers, sends a browser off, redeems, renews and steps up, in both protocol eras. Clients that name themselves by a
// document are not taken there, so that case is left out.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { run, target } from './journey.mjs';
import { cases } from './sign-in.mjs';

const at = target({ keyed: false });

for (const mode of ['legacy', 'auto']) {
  const kind = {
    label: `the portable component (${mode})`,
    transport: (provider, url = at.url) => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider }),
    connect: async transport => {
      const client = new Client({ name: 'sign-in-edge', version: '1.0.0' }, { versionNegotiation: { mode } });
      await client.connect(transport);
      return client;
    },
    finish: (transport, url) => transport.finishAuth(new URL(url).searchParams),
  };
  const all = Object.entries(cases(kind, at)).filter(([name]) => !name.includes('document'));
  const named = Object.fromEntries(all.map(([name, body]) => [`${name}, ${mode}`, body]));
  await run(process.env.EDGE_RUNTIME ?? 'edge', named, { leave: mode === 'auto' });
}
