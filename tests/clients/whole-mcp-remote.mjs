// mcp-remote between a program that speaks MCP on its standard streams and this server: the whole protocol through it,
// with a key in a header or signed in by its browser.
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, target } from './journey.mjs';
import { clientV1 } from './whole-v1.mjs';
import { whole } from './whole.mjs';

const at = target({ keyed: false });
const bin = join(import.meta.dirname, 'node_modules', 'mcp-remote', 'dist', 'proxy.js');
const home = await mkdtemp(join(tmpdir(), 'mcp-remote-'));

/** A port to come back to. It has to be the same for every run: the registration names it. */
const port = await new Promise((resolve, reject) => {
  const server = createServer().once('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const { AEGIS_BROWSER, AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED, PATH } = process.env;
const kind = {
  label: 'mcp-remote',
  modern: false,
  stops: 'with the connection',
  open: handlers => clientV1(new StdioClientTransport({
    command: process.execPath,
    args: [bin, at.url, String(port), '--allow-http', ...(at.key ? ['--header', `Authorization:Bearer ${at.key}`] : [])],
    env: {
      AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED, PATH,
      AEGIS_ACCESS: 'write',
      BROWSER: AEGIS_BROWSER,
      HOME: home,
      MCP_REMOTE_CONFIG_DIR: home,
    },
    stderr: 'ignore',
  }), handlers),
};
await run(`mcp-remote ${at.key ? 'with a key' : 'signed in'}`, whole(kind, at), { leave: false });
await rm(home, { recursive: true, force: true, maxRetries: 5 });
process.exit();
