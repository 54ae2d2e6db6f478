// How fast a server answers one tool call after the other, and how much memory it took: the figures of docs/edge.md.
//
//   AEGIS_URL=... AEGIS_KEY=... node edge-measure.mjs NAME PID...     prints one line; PID... are the server's processes
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

const [name, ...pids] = process.argv.slice(2);
const CALLS = 200;
const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_branches', arguments: { owner: 'alice', repo: 'demo' } } };

async function call() {
  const began = performance.now();
  const answer = await fetch(process.env.AEGIS_URL, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${process.env.AEGIS_KEY}`, 'content-type': 'application/json',
      'mcp-protocol-version': '2025-06-18', accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(text.includes('"isError":false'), text);
  return performance.now() - began;
}

for (let nth = 0; nth < 10; nth += 1) await call();
const took = [];
for (let nth = 0; nth < CALLS; nth += 1) took.push(await call());
took.sort((one, other) => one - other);
const kilobytes = pids.map(pid => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]));
const memory = kilobytes.reduce((sum, one) => sum + one, 0) / 1024;
console.log(`${name}: p50 ${took[CALLS / 2].toFixed(1)} ms, p95 ${took[CALLS * 0.95].toFixed(1)} ms, ${memory.toFixed(0)} MB at most`);
