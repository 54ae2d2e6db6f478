// The MCP inspector's command line in both eras, and its lint of tool schemas. One process for each call, as a
// person would use it.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { journey, run, target } from './journey.mjs';

const at = target();
const bin = join(import.meta.dirname, 'node_modules', '.bin', 'mcp-inspector');
const home = await mkdtemp(join(tmpdir(), 'inspector-'));

async function inspector(key, ...args) {
  const common = ['--cli', '--server-url', at.url, '--transport', 'http', '--format', 'json', '--stored-auth-only'];
  const auth = ['--header', `Authorization: Bearer ${key}`];
  const env = { PATH: process.env.PATH, HOME: home, MCP_CATALOG_PATH: join(home, 'mcp.json') };
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...common, ...auth, ...args], {
    env,
    timeout: 120_000,
    maxBuffer: 16 << 20,
  });
  return JSON.parse(stdout).result;
}

function call(era, key = at.key) {
  const of = (method, ...args) => inspector(key, '--protocol-era', era, '--method', method, ...args);
  return {
    listTools: async () => (await of('tools/list')).tools,
    // Tool errors are an answer and an exit code; the answer is what counts here.
    callTool: async (name, args) => {
      const pairs = Object.entries(args).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      try {
        return await of('tools/call', '--tool-name', name, '--tool-arg', ...pairs);
      } catch (error) {
        if (!error.stdout) throw error;
        return JSON.parse(error.stdout).result;
      }
    },
  };
}

const cases = {};
for (const era of ['legacy', 'auto', 'modern']) {
  cases[`journey, ${era}`] = () => journey(call(era), at, `the inspector (${era})`);
}
cases['tool schemas are portable'] = () => inspector(at.key, '--method', 'tools/list', '--strict');
cases['wrong key'] = async () => {
  const failed = error => {
    // The inspector asks to log in when it is answered 401.
    assert.match(String(error.stderr), /auth_required|401/);
    return error.code === 3;
  };
  await assert.rejects(inspector('wrong', '--method', 'tools/list'), failed);
};
await run('inspector', cases);
await rm(home, { recursive: true, force: true });
