// Two processes of a stock runtime on one state directory, and surroundings that fail: nothing is counted, used or
// recorded twice, nothing is lost, and what cannot be kept is refused.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Browser } from './browser.mjs';
import { run } from './journey.mjs';

const setting = name => {
  assert.ok(process.env[name], `set ${name}: tests/clients/edge.sh does`);
  return process.env[name];
};
const runtime = setting('EDGE_WASMTIME');
const component = setting('EDGE_COMPONENT');
const program = setting('EDGE_PROGRAM');
const KEY = randomBytes(24).toString('hex');
const work = mkdtempSync(join(tmpdir(), 'edge-'));
const running = new Set();

async function freePort() {
  const server = createServer();
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise(closed => server.close(closed));
  return port;
}

/** Serve the component on this state directory. `limit` bounds files in blocks of 1 KiB, as a full disk does. */
async function serve(state, settings = {}, { limit, port: wanted } = {}) {
  const port = wanted ?? await freePort();
  const all = {
    GITEA_URL: setting('GITEA_URL'), STATE_DIR: '/state', PUBLIC_BASE_URL: `http://127.0.0.1:${port}`,
    GITEA_TOKEN: setting('GITEA_TOKEN'), MCP_API_KEYS: `journey=${KEY}`,
    RATE_LIMIT_PER_MINUTE: '100000', TOKEN_RATE_LIMIT_PER_MINUTE: '100000', MAX_AUTH_FAILURES: '1000', ...settings,
  };
  const args = ['serve', '-Scli', '--allow-precompiled', '--addr', `127.0.0.1:${port}`, '--dir', `${state}::/state`];
  for (const [name, value] of Object.entries(all)) args.push('--env', `${name}=${value}`);
  args.push(component);
  // The signal that a file beyond the limit sends is ignored, so that writing fails as on a full disk.
  const bounded = limit === undefined ? '' : `trap '' XFSZ; ulimit -f ${limit}; `;
  const child = spawn('bash', ['-c', `${bounded}exec "$@"`, 'serve', runtime, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const said = [];
  await new Promise((listening, failed) => {
    child.once('exit', () => failed(new Error(`the runtime ended: ${said.join('')}`)));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        said.push(data);
        if (said.join('').includes('Serving HTTP')) listening();
      });
    }
  });
  const stop = signal => new Promise(ended => {
    running.delete(child);
    child.removeAllListeners('exit');
    child.once('exit', ended);
    child.kill(signal ?? 'SIGTERM');
  });
  return { url: `http://127.0.0.1:${port}`, port, stop, said: () => said.join('') };
}

/** Call a tool by one request; the status and what was answered. */
async function call(server, name = 'list_branches', token = KEY) {
  const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { owner: 'alice', repo: 'demo' } } };
  const answer = await fetch(`${server.url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`, 'content-type': 'application/json', 'mcp-protocol-version': '2025-06-18',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, text, ok: answer.status === 200 && text.includes('"isError":false') };
}

const fresh = name => {
  const state = join(work, name);
  mkdirSync(state);
  return state;
};
const log = state => readFileSync(join(state, 'audit.log'), 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));

/** The program's own word on the log: its chain is whole. */
async function assertValid(state) {
  // Without a signing key the proof has a gap, which its exit code tells too.
  const verify = promisify(execFile)(program, ['audit', 'verify', join(state, 'audit.log')]);
  const { stdout } = await verify.catch(error => error);
  assert.match(stdout, /^verdict +valid/);
  const lines = log(state);
  assert.deepEqual(lines.map(line => line.seq), lines.map((_, at) => at + 1));
}

/** So many at once, again and again, until all are done. */
async function together(count, width, work) {
  const results = [];
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < count) results.push(await work(next++));
  }));
  return results;
}

const cases = {
  'two processes write one audit log, and every call is in it once': async () => {
    const state = fresh('two');
    const both = [await serve(state), await serve(state)];
    const results = await together(40, 8, at => call(both[at % 2]));
    assert.equal(results.filter(result => result.ok).length, 40, results.find(result => !result.ok)?.text);
    await assertValid(state);
    const outcomes = log(state).filter(line => line.status === 'success').map(line => line.ticket);
    assert.equal(new Set(outcomes).size, 40);
    await Promise.all(both.map(server => server.stop()));
  },

  'two processes admit as many requests as one limit allows, and no more': async () => {
    const state = fresh('limit');
    const limited = { TOKEN_RATE_LIMIT_PER_MINUTE: '10' };
    const both = [await serve(state, limited), await serve(state, limited)];
    const results = await together(40, 8, at => call(both[at % 2]));
    const admitted = results.filter(result => result.ok).length;
    assert.ok(results.every(result => result.ok || result.status === 429), 'neither an answer nor a limit');
    // The minute may have ended in between: then there is a second window.
    const windows = readdirSync(join(state, 'limits')).filter(name => name.startsWith('principal-'));
    const counted = windows.map(name => readdirSync(join(state, 'limits', name)).length);
    assert.ok(counted.every(count => count <= 10) && admitted <= 10 * Math.max(counted.length, 2));
    if (counted.length === 1 && counted[0] === 10) assert.ok(admitted === 10 || admitted === 20, `${admitted}`);
    await Promise.all(both.map(server => server.stop()));
  },

  'a process that is killed in the middle leaves nothing that another one waits for or loses': async () => {
    const state = fresh('killed');
    const answered = [];
    for (let round = 0; round < 6; round += 1) {
      const doomed = await serve(state);
      const calls = Array.from({ length: 12 }, () => call(doomed).then(result => answered.push(result), () => {}));
      while (answered.length <= round) await Promise.race(calls);
      await doomed.stop('SIGKILL');
      await Promise.allSettled(calls);
    }
    const next = await serve(state);
    assert.ok((await call(next)).ok);
    await assertValid(state);
    const outcomes = log(state).filter(line => line.status === 'success').length;
    assert.ok(outcomes >= answered.filter(result => result.ok).length + 1, 'an answered call is not in the log');
    await next.stop();
  },

  'a log that was cut or lost stops every call, and says what to do': async () => {
    const state = fresh('cut');
    const server = await serve(state);
    for (let nth = 0; nth < 12; nth += 1) assert.ok((await call(server)).ok);
    const whole = readFileSync(join(state, 'audit.log'));
    writeFileSync(join(state, 'audit.log'), whole.subarray(0, 100));
    assert.ok(!(await call(server)).ok);
    assert.match(server.said(), /it was cut or moved/);
    writeFileSync(join(state, 'audit.log'), whole);
    assert.ok((await call(server)).ok);
    await assertValid(state);
    await server.stop();
  },

  'lines that a killed process did not get into the log are put there by the next one': async () => {
    const state = fresh('torn');
    const server = await serve(state);
    assert.ok((await call(server)).ok);
    const whole = readFileSync(join(state, 'audit.log'));
    writeFileSync(join(state, 'audit.log'), whole.subarray(0, whole.length - 200));
    assert.ok((await call(server)).ok);
    assert.ok(readFileSync(join(state, 'audit.log')).subarray(0, whole.length).equals(whole));
    await assertValid(state);
    await server.stop();
  },

  'on a full disk every call is refused, and goes on when there is room': async () => {
    const state = fresh('full');
    const full = await serve(state, {}, { limit: 0 });
    const refused = await call(full);
    assert.ok(!refused.ok, 'a call went on without a record');
    await full.stop();
    const roomy = await serve(state);
    assert.ok((await call(roomy)).ok);
    await assertValid(state);
    await roomy.stop();
  },

  'a disk that fills up loses nothing that was answered': async () => {
    const state = fresh('filling');
    // The log reaches this while the small files of the journal still fit.
    const filling = await serve(state, {}, { limit: 12 });
    const results = await together(30, 1, () => call(filling));
    const answered = results.filter(result => result.ok).length;
    assert.ok(answered > 0 && answered < 30, `${answered} of 30 were answered`);
    await filling.stop();
    const roomy = await serve(state);
    assert.ok((await call(roomy)).ok);
    await assertValid(state);
    assert.ok(log(state).filter(line => line.status === 'success').length >= answered + 1);
    await roomy.stop();
  },

  'without a state directory, or with one that cannot be written, every call is refused': async () => {
    for (const [state, settings] of [['/proc', {}], [fresh('named'), { STATE_DIR: '/elsewhere' }]]) {
      const server = await serve(state, settings);
      const refused = await call(server);
      assert.ok(!refused.ok && !refused.text.includes('branches'), refused.text);
      // What it says comes through a pipe of its own.
      for (let tries = 0; tries < 200 && !/cannot make|offers no/.test(server.said()); tries++) {
        await new Promise(resolve => setTimeout(resolve, 25));
      }
      assert.match(server.said(), /cannot make the directory|offers no directory/);
      await server.stop();
    }
  },

  'a code, a refresh token and a grant of Gitea are used once, whichever of two processes is asked': async () => {
    const state = fresh('once');
    const port = Number(setting('EDGE_SIGN_IN_PORT'));
    const sign = Object.fromEntries(setting('EDGE_SIGN_IN').split('\n').filter(Boolean).map(line => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }));
    const first = await serve(state, sign, { port });
    const second = await serve(state, { ...sign, PUBLIC_BASE_URL: first.url });
    const both = [first, second];
    const redirect = 'http://127.0.0.1:43217/callback';
    const registered = await (await fetch(`${first.url}/register`, {
      method: 'POST', headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'hostile', redirect_uris: [redirect], token_endpoint_auth_method: 'none' }),
    })).json();
    const client_id = registered.client_id;
    // The form is posted to one process under the name of the other: both call themselves the same.
    const post = (server, form) => fetch(`${server.url}/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ client_id, ...form }),
    }).then(async answer => ({ status: answer.status, body: await answer.json() }));
    const signIn = async () => {
      const verifier = randomBytes(32).toString('base64url');
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      const asked = new URL(`${first.url}/oauth/authorize`);
      for (const [name, value] of Object.entries({
        response_type: 'code', client_id, redirect_uri: redirect, code_challenge: challenge, state: 'state',
        code_challenge_method: 'S256', scope: 'read:repository', resource: `${first.url}/mcp`,
      })) asked.searchParams.set(name, value);
      const back = new URL(await new Browser().signIn(asked.href));
      return { grant_type: 'authorization_code', code: back.searchParams.get('code'), code_verifier: verifier, redirect_uri: redirect };
    };
    const holds = token => call(second, 'list_branches', token).then(result => result.ok);

    // One of many redemptions at once succeeds; the others are replays, which end what it gave.
    const form = await signIn();
    const redeemed = await together(10, 10, at => post(both[at % 2], form));
    const good = redeemed.filter(answer => answer.status === 200);
    assert.equal(good.length, 1, JSON.stringify(redeemed));
    assert.ok(redeemed.every(answer => answer.status === 200 || answer.body.error === 'invalid_grant'));
    assert.equal(await holds(good[0].body.access_token), false, 'a replayed code left its tokens alive');

    // Gitea's own tokens are so short here that every call renews the grant, and Gitea ends a grant that two renew at once.
    const kept = (await post(first, await signIn())).body;
    const renewed = await together(12, 6, at => call(both[at % 2], 'list_branches', kept.access_token));
    assert.ok(renewed.every(result => result.ok), renewed.find(result => !result.ok)?.text);

    // Of many refreshes at once all get the same successor; the token before it is theft later on.
    const tokens = (await post(first, await signIn())).body;
    assert.ok(await holds(tokens.access_token));
    const refresh = token => ({ grant_type: 'refresh_token', refresh_token: token });
    const refreshed = await together(6, 6, at => post(both[at % 2], refresh(tokens.refresh_token)));
    assert.deepEqual(refreshed.map(answer => answer.status), Array(6).fill(200), JSON.stringify(refreshed));
    const successors = new Set(refreshed.map(answer => answer.body.refresh_token));
    assert.equal(successors.size, 1);
    const next = (await post(second, refresh([...successors][0]))).body;
    assert.equal((await post(first, refresh(tokens.refresh_token))).body.error, 'invalid_grant');
    assert.equal(await holds(next.access_token), false, 'a family whose token was stolen is alive');
    await assertValid(state);
    await Promise.all(both.map(server => server.stop()));
  },
};

try {
  await run('edge, hostile surroundings', cases, { leave: false });
} finally {
  for (const child of running) child.kill('SIGKILL');
  rmSync(work, { recursive: true, force: true });
}
process.exit();
