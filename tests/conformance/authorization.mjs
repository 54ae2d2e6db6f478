// The authorization-server scenarios of the official conformance suite, for every way in which a client may prove itself,
// with clients that the operator wrote down and with clients that register. Somebody signs in at the URL that the suite
// prints. No check may be anything but a success: warnings and skipped ones count as failures.
//
//   node authorization.mjs SUITE KNOWN_FILE     (AEGIS_ORIGIN: the server; AEGIS_PUBLIC: the origin it goes by)
//
// The suite sends no secret to a server that lists `none`, whatever the client is. So it comes in through a proxy that
// narrows that one list in the metadata to the method under test, and notes which one was used; nothing else is changed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Browser } from './browser.mjs';
import { run } from './journey.mjs';

const [suite, knownFile] = process.argv.slice(2);
const { AEGIS_ORIGIN: server, AEGIS_PUBLIC: issuer } = process.env;
const known = JSON.parse(readFileSync(knownFile, 'utf8'));
const METADATA = '/.well-known/oauth-authorization-server';
const METHODS = ['none', 'client_secret_basic', 'client_secret_post'];
// The suite listens here for what the browser brings.
const PORT = 43_317;
// What each run of the suite must report, and nothing besides.
const CHECKS = ['authorization-code-grant', 'authorization-server-metadata', 'authorization-server-metadata-cimd'];

/** Which method a token request uses. */
function methodOf(headers, body) {
  if (headers.authorization) return /^Basic /.test(headers.authorization) ? 'client_secret_basic' : headers.authorization;
  return new URLSearchParams(body).has('client_secret') ? 'client_secret_post' : 'none';
}

const shown = { method: undefined, used: [] };
const proxy = http.createServer(async (request, response) => {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  const body = Buffer.concat(pieces);
  if (request.url === '/oauth/token') shown.used.push(methodOf(request.headers, body.toString()));
  const onward = http.request(server + request.url, { method: request.method, headers: request.headers }, async answer => {
    const parts = [];
    for await (const part of answer) parts.push(part);
    let content = Buffer.concat(parts);
    if (request.url === METADATA && shown.method) {
      const metadata = JSON.parse(content);
      assert.deepEqual(metadata.token_endpoint_auth_methods_supported, METHODS);
      content = Buffer.from(JSON.stringify({ ...metadata, token_endpoint_auth_methods_supported: [shown.method] }));
    }
    response.writeHead(answer.statusCode, { ...answer.headers, 'content-length': content.length });
    response.end(content);
  });
  onward.on('error', () => response.destroy());
  onward.end(body);
});

/** Register a client that proves itself in this way. */
async function registered(method) {
  const answer = await fetch(`${issuer}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: `Conformance by ${method}`,
      redirect_uris: [`http://127.0.0.1:${PORT}/callback`],
      token_endpoint_auth_method: method,
    }),
  });
  const client = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(client));
  return { id: client.client_id, secret: client.client_secret };
}

/** One run of the suite; the checks that it reports. */
async function conform({ id, secret }, resource) {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const words = ['authorization', '--url', issuer, '--client-id', id, '--port', String(PORT), '--output-dir', folder];
  if (secret) words.push('--client-secret', secret);
  if (resource) words.push('--resource', resource);
  const child = spawn(process.execPath, [suite, ...words], { stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  let said = '';
  let visit;
  const heard = piece => {
    said += piece;
    const [url] = said.match(/^http:\/\/\S+\/oauth\/authorize\?\S+(?=\s)/m) ?? [];
    if (url && !visit) {
      const browser = new Browser();
      // A sign-in that fails leaves the suite waiting for five minutes: end it.
      visit = browser.signIn(url).then(arrived => browser.arrive(arrived)).catch(error => {
        child.kill();
        return error;
      });
    }
  };
  child.stdout.setEncoding('utf8').on('data', heard);
  child.stderr.setEncoding('utf8').on('data', heard);
  const code = await new Promise(resolve => child.on('close', resolve));
  const failed = await visit;
  if (failed instanceof Error) throw failed;
  try {
    assert.equal(code, 0, said);
    const files = readdirSync(folder, { recursive: true }).filter(name => name.endsWith('checks.json'));
    return files.flatMap(name => JSON.parse(readFileSync(join(folder, name), 'utf8')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const cases = {};
for (const method of METHODS) {
  const one = (client, resource) => async () => {
    Object.assign(shown, { method, used: [] });
    const checks = await conform(await client(), resource);
    const bad = checks.filter(check => check.status !== 'SUCCESS');
    assert.deepEqual(bad.map(check => `${check.id}: ${check.status}: ${check.errorMessage}`), []);
    assert.deepEqual(checks.map(check => check.id).sort(), CHECKS);
    assert.deepEqual(shown.used, [method], 'the suite proved itself in another way than was meant');
  };
  cases[`a client that the operator wrote down, by ${method}`] = one(
    async () => known.find(client => client.method === method),
    `${issuer}/mcp`,
  );
  cases[`a client that registers, by ${method}`] = one(() => registered(method));
}
cases['metadata as it is, unchanged'] = async () => {
  Object.assign(shown, { method: undefined, used: [] });
  const checks = await conform(known.find(client => client.method === 'none'), issuer);
  assert.deepEqual(checks.map(check => `${check.id} ${check.status}`).sort(), CHECKS.map(id => `${id} SUCCESS`));
};

await new Promise(resolve => proxy.listen(new URL(issuer).port, '127.0.0.1', resolve));
await run('conformance of the authorization server', cases);
