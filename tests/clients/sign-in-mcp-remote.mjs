// mcp-remote, which gives a program that speaks MCP on its standard streams a server that people sign in at. It opens
// "the browser" of the desk it runs on, and listens for what comes back.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { answer, read, run, target } from './journey.mjs';
import { BOTH, READ, SPOILED, documentUrl } from './sign-in.mjs';

const at = target({ keyed: false });
const place = { owner: at.owner, repo: at.repo };
const bin = join(import.meta.dirname, 'node_modules', 'mcp-remote', 'dist', 'proxy.js');
const sorted = scope => scope.split(' ').sort().join(' ');

// Below the ports that systems hand out by themselves, so that nobody's outgoing connection sits on one.
let ports = 23_231;

/** The next port that nobody listens on; mcp-remote wants to be told one. */
async function freePort() {
  for (;;) {
    const port = ports++;
    const free = await new Promise(resolve => {
      const server = createServer().once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
    if (free) return port;
  }
}

/**
 * A desk: the folder where mcp-remote keeps what it was given, the browser that it opens, and a port to come back to,
 * so that a browser that comes late never reaches the next one.
 */
class Desk {
  static async new() {
    const desk = new Desk();
    desk.port = await freePort();
    desk.home = await mkdtemp(join(tmpdir(), 'mcp-remote-'));
    desk.before = (await desk.visits()).length;
    return desk;
  }

  async visits() {
    const text = await readFile(process.env.AEGIS_VISITED, 'utf8').catch(() => '');
    return text.split('\n').filter(Boolean).slice(this.before ?? 0).map(url => new URL(url).searchParams);
  }

  /** One run of mcp-remote; `access` is what the person chooses on our page, otherwise what it proposes. */
  async start({ access, options = [] } = {}) {
    const { AEGIS_BROWSER, AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED, PATH } = process.env;
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [bin, at.url, String(this.port), '--allow-http', ...options],
      env: {
        AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED, PATH,
        ...(access && { AEGIS_ACCESS: access }),
        BROWSER: AEGIS_BROWSER,
        HOME: this.home,
        MCP_REMOTE_CONFIG_DIR: this.home,
      },
      stderr: 'pipe',
    });
    let said = '';
    transport.stderr.on('data', piece => { said += piece; });
    const client = new Client({ name: 'sign-in-mcp-remote', version: '1.0.0' });
    try {
      await client.connect(transport, { timeout: 60_000 });
    } catch (error) {
      throw new Error(`mcp-remote did not connect: ${said}`, { cause: error });
    }
    const call = async (name, args) => {
      try {
        return await client.callTool({ name, arguments: args }, undefined, { timeout: 60_000 });
      } catch (error) {
        throw new Error(`${name} failed: ${error.message}\n${said}`, { cause: error });
      }
    };
    return { callTool: call, close: () => client.close() };
  }

  async #file(name) {
    const [folder] = (await readdir(this.home)).filter(entry => entry.startsWith('mcp-remote'));
    const [file] = (await readdir(join(this.home, folder))).filter(entry => entry.endsWith(name));
    return join(this.home, folder, file);
  }

  async kept(name) {
    return JSON.parse(await readFile(await this.#file(name), 'utf8'));
  }

  async spoil(changes) {
    const tokens = await this.kept('tokens.json');
    await writeFile(await this.#file('tokens.json'), JSON.stringify({ ...tokens, ...changes }));
  }

  leave() {
    return rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Open an issue and read it back: it is the person's own. */
async function write(client, title) {
  const made = answer(await client.callTool('create_issue', { ...place, title }), 'create_issue');
  const number = made.issue.number;
  const { issue } = answer(await client.callTool('get_issue', { ...place, issue_number: number }), 'get_issue');
  assert.equal(issue.title, title);
  assert.equal(issue.author, process.env.AEGIS_LOGIN);
}

const cases = {
  'signs in from nothing, by dynamic registration, and reads': async desk => {
    const client = await desk.start();
    await read(client, at);
    await client.close();
    const [asked, ...more] = await desk.visits();
    assert.equal(more.length, 0);
    assert.equal(asked.get('scope'), READ);
    assert.equal(asked.get('resource'), at.url);
    assert.equal((await desk.kept('tokens.json')).scope, READ);
  },

  'works with writes at once when the person chooses them': async desk => {
    const client = await desk.start({ access: 'write' });
    await write(client, 'Opened at once through mcp-remote');
    await client.close();
    assert.equal((await desk.visits()).length, 1);
    assert.equal(sorted((await desk.kept('tokens.json')).scope), BOTH);
  },

  'renews a token that is no longer good, without a browser': async desk => {
    await (await desk.start()).close();
    const old = await desk.kept('tokens.json');
    await desk.spoil({ access_token: SPOILED });
    const client = await desk.start();
    await read(client, at);
    await client.close();
    const tokens = await desk.kept('tokens.json');
    assert.notEqual(tokens.access_token, SPOILED);
    assert.notEqual(tokens.refresh_token, old.refresh_token, 'the refresh token did not rotate');
    assert.equal((await desk.visits()).length, 1, 'somebody had to sign in again');
  },

  'asks the person again when nothing it holds is good': async desk => {
    await (await desk.start()).close();
    await desk.spoil({ access_token: SPOILED, refresh_token: `aegis_rt_${'A'.repeat(43)}` });
    const client = await desk.start();
    await read(client, at);
    await client.close();
    assert.equal((await desk.visits()).length, 2);
  },

  // It overrides what a 403 asks for where that is the whole list of the server's scopes, so the person who wants writes
  // says so in its options.
  'asks for writes when its options name them, and works': async desk => {
    const reader = await desk.start();
    await read(reader, at);
    await reader.close();
    const options = ['--static-oauth-client-metadata', JSON.stringify({ scope: BOTH })];
    const client = await desk.start({ options });
    await write(client, 'Opened after a change of options through mcp-remote');
    await client.close();
    assert.deepEqual((await desk.visits()).map(asked => sorted(asked.get('scope'))), [READ, BOTH]);
    assert.equal(sorted((await desk.kept('tokens.json')).scope), BOTH);
  },

  'names itself by a document instead of registering': async desk => {
    const client = await desk.start({ options: ['--client-metadata-url', documentUrl()] });
    await read(client, at);
    await client.close();
    const [asked] = await desk.visits();
    assert.equal(asked.get('client_id'), documentUrl());
  },
};

const onADesk = body => async () => {
  const desk = await Desk.new();
  try {
    await body(desk);
  } finally {
    await desk.leave();
  }
};
await run('mcp-remote signs in', Object.fromEntries(Object.entries(cases).map(([name, body]) => [name, onADesk(body)])));
