// The two wires that the checks listen on: TLS in front of the program, and the way to Gitea, from the program and
// from the browser alike.

import http from 'node:http';
import https from 'node:https';

const listen = (server) =>
  new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

const whole = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

/** Sends a request on as it is and gives the answer whole. */
async function forward(request, body, port) {
  const headers = { ...request.headers };
  const options = { host: '127.0.0.1', port, method: request.method, path: request.url, headers, agent: false };
  return new Promise((resolve, reject) => {
    const onward = http.request(options, async (answer) => {
      try {
        const { 'transfer-encoding': _, ...kept } = answer.headers;
        resolve({ status: answer.statusCode, headers: kept, body: await whole(answer) });
      } catch (error) {
        reject(error);
      }
    });
    onward.on('error', reject);
    onward.end(body);
  });
}

function give(response, answer) {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body.length });
  response.end(answer.body);
}

/** A page of a test, as HTML. */
export const html = (text) => ({
  status: 200,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  body: Buffer.from(`<!doctype html><html lang="en"><title>A test</title>${text}`),
});

/**
 * A proxy that ends TLS. `hosts` maps a name to the port of a program behind it, or to a function that answers itself;
 * it may be filled later. Every answer is kept in `seen`.
 */
export async function front({ cert, key }) {
  const hosts = new Map();
  const seen = [];
  const server = https.createServer({ cert, key }, async (request, response) => {
    const name = String(request.headers.host).split(':')[0];
    const place = hosts.get(name);
    try {
      const body = await whole(request);
      const own = typeof place === 'function' ? place(request, body) : undefined;
      const answer = own ?? (await forward(request, body, typeof place === 'function' ? place.port : place));
      seen.push({ name, method: request.method, path: request.url, asked: request.headers, ...answer });
      give(response, answer);
    } catch (error) {
      give(response, { status: 502, headers: {}, body: Buffer.from(String(error)) });
    }
  });
  const port = await listen(server);
  return { port, hosts, seen, close: () => server.closeAllConnections() ?? server.close() };
}

/**
 * A proxy before Gitea that keeps what was asked. `next(path, change)` changes the next answer of a path once: `change`
 * gets `{status, headers, body}` and returns another.
 */
export async function witness(forge) {
  const seen = [];
  const changes = [];
  const open = async (from) => {
    const server = http.createServer(async (request, response) => {
      try {
        const path = request.url.split('?')[0];
        // Browsers ask every site for it; the sample Gitea has no reason to be ready for that.
        if (path === '/favicon.ico') return give(response, { status: 404, headers: {}, body: Buffer.alloc(0) });
        seen.push({ from, method: request.method, path, url: request.url });
        const body = await whole(request);
        let answer = await forward(request, body, forge);
        const at = from === 'server' ? changes.findIndex((change) => change.path === path) : -1;
        if (at >= 0) answer = changes.splice(at, 1)[0].change(answer);
        give(response, answer);
      } catch (error) {
        give(response, { status: 502, headers: {}, body: Buffer.from(String(error)) });
      }
    });
    return { port: await listen(server), close: () => server.closeAllConnections() ?? server.close() };
  };
  const [server, browser] = [await open('server'), await open('browser')];
  return {
    seen,
    server: server.port,
    browser: browser.port,
    next: (path, change) => changes.push({ path, change }),
    waiting: () => changes.map((change) => change.path),
    close: () => [server, browser].forEach((one) => one.close()),
  };
}

/** Changes members of a JSON answer. */
export const members = (change) => (answer) => ({
  ...answer,
  body: Buffer.from(JSON.stringify({ ...JSON.parse(answer.body), ...change(JSON.parse(answer.body)) })),
});

/** An answer that refuses. */
export const refusal = (status, error) => () => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ error, error_description: 'as the test wants it' })),
});

/** The program of a client, which waits on loopback for its code. */
export async function client() {
  const arrived = [];
  const server = http.createServer((request, response) => {
    if (request.url.startsWith('/callback')) arrived.push(new URL(request.url, 'http://127.0.0.1'));
    give(response, html('<main><h1>Your assistant is connected</h1></main>'));
  });
  const port = await listen(server);
  return { port, arrived, redirect: `http://127.0.0.1:${port}/callback`, close: () => server.closeAllConnections() ?? server.close() };
}
