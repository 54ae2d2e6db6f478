// Everything that a run needs, started and ended by its own process ids: the sample Gitea, the built program under
// four settings behind TLS, and Chromium.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

import { until } from './check.mjs';
import { certificates } from './tls.mjs';
import { client, front, html, witness } from './wires.mjs';

const dist = process.env.AEGIS_DIST;

/** Name of each server and the settings in which they differ. */
const SERVERS = {
  // Writes can be chosen.
  'mcp.test': { WRITE_MODE: 'true', WRITE_REPOSITORY_WHITELIST: 'alice/demo' },
  'reader.test': {},
  'closed.test': { SIGNIN_ALLOW: 'carol' },
  'busy.test': { LOGIN_RATE_LIMIT_PER_MINUTE: '1' },
};

const FREE = { LOGIN_RATE_LIMIT_PER_MINUTE: '1000000', REGISTER_RATE_LIMIT_PER_MINUTE: '1000000', RATE_LIMIT_PER_MINUTE: '1000000' };

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class Stage {
  children = [];
  audits = new Map();
  ports = new Map();

  static async open() {
    const stage = new Stage();
    // An interrupted run must leave nothing behind.
    for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) {
      process.on(signal, () => stage.close().then(() => process.exit(code)));
    }
    try {
      await stage.#start();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async #start() {
    this.folder = mkdtempSync(join(tmpdir(), 'aegis-browser-'));
    const names = Object.keys(SERVERS);
    const tls = certificates(this.folder, [...names, 'localhost', 'evil.test', 'other.test', 'claude.ai']);
    this.front = await front(tls);
    this.client = await client();
    const audit = join(this.folder, 'mcp.test', 'audit.log');
    const callbacks = names.flatMap((name) => ['--app', `${this.origin(name)}/oauth/callback`]);
    const gitea = await freePort();
    const forge = await this.#spawn('forge', ['--json', '--port', String(gitea), '--audit', audit, ...callbacks], {});
    const tour = JSON.parse(await until('the sample Gitea', () => forge.out.endsWith('}\n') && forge.out));
    this.gitea = tour.url;
    this.witness = await witness(gitea);
    for (const [at, name] of names.entries()) {
      await this.#serve(name, tour.applications[at], tls.authority);
    }
    this.front.hosts.set('localhost', (request) => this.#documents(request));
    this.front.hosts.set('other.test', this.ports.get('mcp.test'));
    this.front.hosts.set('claude.ai', () => html('<main><h1>Claude is connected</h1></main>'));
    this.browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      headless: true,
      args: [
        `--ignore-certificate-errors-spki-list=${tls.spki}`,
        `--host-resolver-rules=MAP *.test 127.0.0.1, MAP claude.ai 127.0.0.1:${this.front.port}, MAP 127.0.0.1:${gitea} 127.0.0.1:${this.witness.browser}`,
        '--disable-quic',
        // Containers have little of it.
        '--disable-dev-shm-usage',
        // Chromium does not sandbox itself for root, who runs containers of CI.
        ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
      ],
    });
  }

  /** Client metadata documents, at a host that the servers fetch from. */
  #documents(request) {
    const url = `${this.origin('localhost')}${request.url}`;
    const document = {
      client_id: url,
      client_name: 'Claude',
      redirect_uris: [CLAUDE],
      token_endpoint_auth_method: 'none',
    };
    if (request.url !== '/oauth/client.json') return { status: 404, headers: {}, body: Buffer.from('no\n') };
    return { status: 200, headers: { 'content-type': 'application/json' }, body: Buffer.from(JSON.stringify(document)) };
  }

  async #serve(name, app, authority) {
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    this.audits.set(name, join(folder, 'audit.log'));
    const port = await freePort();
    const child = await this.#spawn('aegis-mcp', ['serve'], {
      GITEA_URL: this.gitea,
      GITEA_INTERNAL_URL: `http://127.0.0.1:${this.witness.server}`,
      OAUTH_MODE: 'true',
      GITEA_OAUTH_CLIENT_ID: app.client_id,
      GITEA_OAUTH_CLIENT_SECRET: app.client_secret,
      OAUTH_STATE_SECRET: `a-secret-of-the-browser-checks-for-${name}`,
      PUBLIC_BASE_URL: this.origin(name),
      MCP_PORT: String(port),
      AUDIT_LOG_PATH: this.audits.get(name),
      DCR_STORAGE_PATH: join(folder, 'dcr_clients.json'),
      GUEST_CACHE_DIR: join(dist, 'guests'),
      CIMD_ALLOWED_HOSTS: `localhost:${this.front.port}`,
      CIMD_ALLOW_PRIVATE_ADDRESSES: 'true',
      SSL_CERT_FILE: authority,
      ...FREE,
      ...SERVERS[name],
    });
    await until(`${name} listens`, () => {
      if (child.exitCode !== null) throw new Error(`${name} did not start:\n${child.log}`);
      return child.log.includes('"event":"listening"');
    });
    this.ports.set(name, port);
    this.front.hosts.set(name, Object.assign((request) => this.#framing(request), { port }));
  }

  /** Pages of a test at the very origin of a server, which has none that would frame anything. */
  #framing(request) {
    const url = new URL(request.url, 'https://x');
    if (url.pathname !== '/frame-of-a-test') return undefined;
    return html(`<iframe src="${url.searchParams.get('of').replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>`);
  }

  async #spawn(program, words, env) {
    const child = spawn(join(dist, program), words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    Object.assign(child, { log: '', out: '' });
    child.stdout.on('data', (data) => { child.out += data; });
    child.stderr.on('data', (data) => { child.log += data; });
    this.children.push(child);
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', () => reject(new Error(`${join(dist, program)} is missing: run make build`)));
    });
    return child;
  }

  /** The origin of a name behind TLS. */
  origin(name) {
    return `https://${name}:${this.front.port}`;
  }

  /** A browser that knows nobody. */
  async profile() {
    return this.browser.createBrowserContext();
  }

  /** A new tab of a new profile. */
  async page() {
    return (await this.profile()).newPage();
  }

  /** What Gitea has been asked since: call it, do something, call what it returns. */
  asked() {
    const from = this.witness.seen.length;
    return () => this.witness.seen.slice(from);
  }

  /** What the program answered since. */
  answered() {
    const from = this.front.seen.length;
    return () => this.front.seen.slice(from);
  }

  /** Audit lines of a server so far. */
  audit(name) {
    const text = readFileSync(this.audits.get(name), 'utf8');
    return text.slice(0, text.lastIndexOf('\n') + 1).split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Waits for an audit line with this reason, after the first `from` lines. */
  async recorded(name, reason, from) {
    return until(`an audit line ${reason}`, () => this.audit(name).slice(from).find((line) => line.reason === reason));
  }

  /** Ends everything; what the sample Gitea has to complain about. */
  async close() {
    await this.browser?.close().catch(() => {});
    const [forge, ...servers] = this.children;
    for (const child of [...servers, forge].filter(Boolean)) {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(child === forge ? 'SIGINT' : 'SIGTERM');
        const grim = setTimeout(() => child.kill('SIGKILL'), 10_000);
        await ended;
        clearTimeout(grim);
      }
    }
    this.front?.close();
    this.witness?.close();
    this.client?.close();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
    return { forge: forge?.log ?? '', servers: servers.map((child) => child.log).join('') };
  }
}

/** The redirect of the client that its document describes. */
export const CLAUDE = 'https://claude.ai/api/mcp/auth_callback';
