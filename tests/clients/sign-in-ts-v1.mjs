// The official TypeScript SDK, v1 line, signing in by itself.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { run, target } from './journey.mjs';
import { cases, documentUrl } from './sign-in.mjs';

const at = target({ keyed: false });

const kind = {
  label: 'the TypeScript SDK v1',
  transport: (provider, url = at.url) => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider }),
  connect: async transport => {
    const client = new Client({ name: 'sign-in-ts-v1', version: '1.0.0' });
    await client.connect(transport);
    return client;
  },
  // This line of the SDK answers 403 insufficient_scope by renewing what it has, which never grants more, and gives up. It
  // sends the person to the browser once it holds no refresh token.
  beforeStepUp: provider => provider.spoil({ refresh_token: undefined }),
  confuses: /401 after successful authentication/,
  finish: (transport, url) => transport.finishAuth(new URL(url).searchParams.get('code')),
};

await run('typescript v1 signs in', cases(kind, at, documentUrl()));
