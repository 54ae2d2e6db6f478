// The server scenarios of the official conformance suite, in every revision that it knows. A run passes with the score
// that its revision asks for, and no scenario of it may be missing; there are no expected failures, and a warning that is
// not named here is a failure too.
//
//   node server.mjs SUITE     (AEGIS_ORIGIN, AEGIS_KEY: the server; AEGIS_PID: its process; AEGIS_POLICY: its policy file)
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proxy } from './proxy.mjs';

const [suite] = process.argv.slice(2);
const { AEGIS_ORIGIN: server, AEGIS_KEY: key, AEGIS_PID: pid, AEGIS_POLICY: policy } = process.env;

// `scored`: so many scenarios count, and all must pass. `also`: these do not count, and must pass too. `warned`: in these
// scenarios something is not done that may be done, and why that is so.
const RUNS = [
  {
    name: 'requirements 2026-07-28',
    words: ['--requirements', '2026-07-28'],
    scored: 37,
    also: ['json-schema-2020-12', 'http-header-validation', 'http-custom-header-server-validation'],
    warned: {},
  },
  {
    name: 'requirements 2025-11-25',
    words: ['--requirements', '2025-11-25'],
    scored: 30,
    also: ['json-schema-2020-12'],
    warned: {},
  },
  {
    name: 'all of 2025-06-18',
    words: ['--suite', 'all', '--spec-version', '2025-06-18'],
    scored: 27,
    also: [],
    warned: {},
  },
];

// The operator's part: while the suite listens, the policy changes, and the host is told to read it again.
const CHANGES = ['test_trigger_tool_change', 'test_trigger_prompt_change'];
let changes = 0;
const onTool = async name => {
  if (!CHANGES.includes(name)) return;
  changes += 1;
  appendFileSync(policy, `# change ${changes}\n`);
  process.kill(Number(pid), 'SIGHUP');
};

/** Run the suite; what it printed. */
async function conform(url, words, folder) {
  const all = [suite, 'server', '--url', `${url}/mcp`, '--output-dir', folder, ...words];
  const child = spawn(process.execPath, all, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 300_000 });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', piece => (said += piece));
  await new Promise(resolve => child.on('close', resolve));
  return said;
}

/** The summary: `{ scenario: passed }`, in order, and which of them do not count. */
function summary(said) {
  const [, lines = ''] = said.split('=== SUMMARY ===');
  const found = lines.matchAll(/^([✓✗]) (\S+): \d+ passed, \d+ failed$/gm);
  const scenarios = Object.fromEntries([...found].map(([, mark, name]) => [name, mark === '✓']));
  const unscored = [...lines.matchAll(/^ {2}[✓✗] (\S+) \(.*\)$/gm)].map(([, name]) => name);
  return { lines: lines.trim(), scenarios, unscored };
}

/** Warnings in what the suite wrote down, as `scenario: message`. */
function warnings(folder, scenarios) {
  return readdirSync(folder).flatMap(name => {
    const scenario = scenarios.filter(one => name.includes(one)).sort((a, b) => b.length - a.length)[0];
    const checks = JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8'));
    const warned = checks.filter(check => check.status === 'WARNING');
    return warned.map(check => ({ scenario, message: check.errorMessage ?? check.details?.message ?? check.id }));
  });
}

/** Everything that is wrong with a run. */
function wrong(run, { scenarios, unscored }, warned) {
  const names = Object.keys(scenarios);
  const scored = names.filter(name => !unscored.includes(name));
  const counted = [...scored, ...run.also];
  const missing = run.also.filter(name => !names.includes(name));
  return [
    ...(scored.length === run.scored ? [] : [`${scored.length} scenarios were scored instead of ${run.scored}`]),
    ...missing.map(name => `${name} was not run`),
    ...counted.filter(name => scenarios[name] === false).map(name => `${name} failed`),
    ...warned
      .filter(({ scenario }) => counted.includes(scenario) && !run.warned[scenario])
      .map(({ scenario, message }) => `${scenario} warned: ${message}`),
  ];
}

const { url, close } = await proxy({ server, key, onTool });
let failed = false;
for (const run of RUNS) {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  try {
    const said = await conform(url, run.words, folder);
    const found = summary(said);
    const problems = wrong(run, found, warnings(folder, Object.keys(found.scenarios)));
    const passed = Object.keys(found.scenarios).filter(name => !found.unscored.includes(name) && found.scenarios[name]);
    console.log(`\n== ${run.name}\n${found.lines}`);
    if (problems.length > 0) console.log(`\n${said}`);
    for (const problem of problems) console.log(`problem: ${problem}`);
    console.log(`${problems.length === 0 ? 'PASS' : 'FAIL'} ${run.name}: ${passed.length} of ${run.scored}`);
    failed ||= problems.length > 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
close();
process.exit(failed ? 1 : 0);
