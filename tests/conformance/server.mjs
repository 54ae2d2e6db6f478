// The server scenarios of the official conformance suite, in every revision that it knows. A run passes with the score
// that its revision asks for, and no scenario of it may be missing. There are no expected failures. A scenario that warns
// or that has found nothing to try fails too, unless it is named here, and fails as well once it no longer does.
//
//   node server.mjs SUITE     (AEGIS_ORIGIN, AEGIS_KEY: the server; AEGIS_PID: its process; AEGIS_POLICY: its policy file)
import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proxy } from './proxy.mjs';

const [suite] = process.argv.slice(2);
const { AEGIS_ORIGIN: server, AEGIS_KEY: key, AEGIS_PID: pid, AEGIS_POLICY: policy } = process.env;

// No session id is handed out, as revisions from 2025-03-26 on allow, so these have nothing to try.
const SESSIONS = ['server-session-lifecycle', 'server-sse-multiple-streams'];

// `scored`: so many scenarios count, and all must pass. `also`: these do not count, and must pass too. `idle`: of both,
// those that have nothing to try.
const RUNS = [
  {
    name: 'requirements 2026-07-28',
    words: ['--requirements', '2026-07-28'],
    scored: 37,
    also: ['json-schema-2020-12', 'http-header-validation', 'http-custom-header-server-validation'],
    idle: [],
  },
  {
    name: 'requirements 2025-11-25',
    words: ['--requirements', '2025-11-25'],
    scored: 30,
    also: ['json-schema-2020-12', 'server-session-lifecycle'],
    idle: SESSIONS,
  },
  {
    name: 'all of 2025-06-18',
    words: ['--suite', 'all', '--spec-version', '2025-06-18'],
    scored: 27,
    also: [],
    idle: ['server-session-lifecycle'],
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

/** The summary as printed, what each scenario came to, and which of them do not count. */
function summary(said) {
  const [, lines = ''] = said.split('=== SUMMARY ===');
  const found = [...lines.matchAll(/^([✓✗]) (\S+): (\d+) passed, \d+ failed$/gm)];
  const scenarios = new Map(found.map(([, mark, name, tried]) => [name, { passed: mark === '✓', tried: tried > 0 }]));
  const unscored = [...lines.matchAll(/^ {2}[✓✗] (\S+) \(.*\)$/gm)].map(([, name]) => name);
  return { lines: lines.trim(), scenarios, unscored };
}

/** Warnings in what the suite wrote down, one folder for each scenario. */
function warnings(folder) {
  return readdirSync(folder).flatMap(name => {
    const [, scenario] = name.match(/^server-(.*)-\d{4}-\d\d-\d\dT[\d-]+Z$/);
    const checks = JSON.parse(readFileSync(join(folder, name, 'checks.json'), 'utf8'));
    const warned = checks.filter(check => check.status === 'WARNING');
    return warned.map(check => ({ scenario, message: check.errorMessage ?? check.details?.message ?? check.id }));
  });
}

/** Everything that is wrong with a run. */
function wrong({ scored, also, idle }, { scenarios, unscored }, warned) {
  const counted = [...scenarios.keys()].filter(name => !unscored.includes(name) || also.includes(name));
  const count = counted.length - also.length;
  const mayIdle = name => idle.includes(name);
  return [
    ...(count === scored ? [] : [`${count} scenarios count instead of ${scored}`]),
    ...also.filter(name => !scenarios.has(name)).map(name => `${name} was not run`),
    ...counted.filter(name => !scenarios.get(name).passed).map(name => `${name} failed`),
    ...counted
      .filter(name => scenarios.get(name).tried === mayIdle(name))
      .map(name => `${name} has ${mayIdle(name) ? 'something' : 'nothing'} to try`),
    ...warned
      .filter(({ scenario }) => counted.includes(scenario) && !mayIdle(scenario))
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
    const problems = wrong(run, found, warnings(folder));
    const scored = [...found.scenarios].filter(([name]) => !found.unscored.includes(name));
    const passed = scored.filter(([, { passed }]) => passed).length;
    console.log(`\n== ${run.name}\n${found.lines}`);
    if (problems.length > 0) console.log(`\n${said}`);
    for (const problem of problems) console.log(`problem: ${problem}`);
    console.log(`${problems.length === 0 ? 'PASS' : 'FAIL'} ${run.name}: ${passed} of ${run.scored}`);
    failed ||= problems.length > 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
close();
process.exit(failed ? 1 : 0);
