// The MCP inspector's command line: what one command can ask and print, in both eras, and its lint of tool schemas. With a
// key in a header, or with the token that it was given when it opened "the browser".
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import assert from 'node:assert/strict';
import { answer, checkTools, read, run, target } from './journey.mjs';

const at = target({ keyed: false });
const place = { owner: at.owner, repo: at.repo };
const bin = join(import.meta.dirname, 'node_modules', '.bin', 'mcp-inspector');
const home = await mkdtemp(join(tmpdir(), 'inspector-'));
const { AEGIS_BROWSER, AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED, PATH } = process.env;
const env = {
  AEGIS_ACCESS: 'write', AEGIS_LOGIN, AEGIS_PASSWORD, AEGIS_VISITED,
  BROWSER: AEGIS_BROWSER,
  HOME: home,
  MCP_AUTO_OPEN_ENABLED: 'true',
  MCP_CATALOG_PATH: join(home, 'mcp.json'),
  MCP_INSPECTOR_SECRET_STORE: 'file',
  PATH,
};

async function inspector(...args) {
  const common = ['--cli', '--server-url', at.url, '--transport', 'http', '--format', 'json'];
  const auth = at.key ? ['--stored-auth-only', '--header', `Authorization: Bearer ${at.key}`] : ['--use-stored-auth'];
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...common, ...auth, ...args], {
    env,
    timeout: 60_000,
    maxBuffer: 16 << 20,
  });
  return JSON.parse(stdout).result;
}

/** Sign in as on a desk: it waits at its own address for the browser that it opens. */
async function signIn() {
  const command = [bin, '--cli', '--server-url', at.url, '--transport', 'http', '--format', 'json', '--method', 'tools/list'];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, timeout: 60_000, maxBuffer: 16 << 20 });
  checkTools(JSON.parse(stdout).result.tools);
}

const pairs = values => Object.entries(values).map(([name, value]) => `${name}=${value}`);

const refusals = { legacy: /not_confirmed: /, modern: /WRITE_CONFIRMATION|elicitation/i };

/** What the lists and views hold, in one era. */
function of(era) {
  const ask = (method, ...args) => inspector('--protocol-era', era, '--method', method, ...args);
  const call = async (name, args) => {
    const words = Object.entries(args).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    try {
      return await ask('tools/call', '--tool-name', name, '--tool-arg', ...words);
    } catch (error) {
      // An error of a tool is an answer and an exit code; the answer is what counts here.
      if (!error.stdout) throw error;
      return JSON.parse(error.stdout).result;
    }
  };
  return {
    tools: async () => {
      checkTools((await ask('tools/list')).tools);
      await read({ callTool: call }, at);
      const { branches } = answer(await call('list_branches', place), 'list_branches');
      assert.deepEqual(branches.map(branch => branch.name).sort(), ['b1', 'feature/one', 'main']);
    },
    resources: async () => {
      assert.equal((await ask('resources/templates/list')).resourceTemplates.length, 5);
      assert.deepEqual((await ask('resources/list')).resources, []);
      const { contents } = await ask('resources/read', '--uri', `gitea://${at.owner}/${at.repo}/issues/1`);
      assert.match(contents[0].text, /# Issue 1: Issue number 1\n[\s\S]*\nBody of 1\n$/);
    },
    prompts: async () => {
      assert.equal((await ask('prompts/list')).prompts.length, 5);
      const filled = pairs({ ...place, number: '36', focus: 'security' });
      const { messages } = await ask('prompts/get', '--prompt-name', 'review_pull_request', '--prompt-args', ...filled);
      assert.match(messages[0].content.text, /^Review pull request 36 of alice\/demo in Gitea\. Look above all at: security\./);
    },
    'a write that it cannot be asked about': async () => {
      const title = `Unasked by the inspector (${era}${at.key ? '' : ', signed in'})`;
      let told;
      try {
        told = JSON.stringify(await ask('tools/call', '--tool-name', 'create_issue', '--tool-arg', ...pairs({ ...place, title })));
      } catch (error) {
        told = `${error.stdout}${error.stderr}`;
      }
      // In the older era nobody answers the question that its command is asked; in the newer it says that it cannot be.
      assert.match(told, refusals[era]);
      const { issues } = answer(await call('list_issues', { ...place, limit: 50 }), 'list_issues');
      assert.deepEqual(issues.filter(issue => issue.title === title), []);
    },
  };
}

if (!at.key) await signIn();
const cases = {};
for (const era of ['legacy', 'modern']) {
  for (const [what, body] of Object.entries(of(era))) cases[`${what}, ${era}`] = body;
  cases[`tool schemas are portable, ${era}`] = async () => {
    checkTools((await inspector('--protocol-era', era, '--method', 'tools/list', '--strict')).tools);
  };
}
await run(`inspector ${at.key ? 'with a key' : 'signed in'}`, cases, { leave: false });
await rm(home, { recursive: true, force: true });
process.exit();
