// What the composed component must show under a stock runtime to somebody with a key: all 43 tools, in both protocol
// eras, policy, who stays out, and the audit log that all of it leaves.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TOOLS, answer, checkTools, read, refused, run, target } from './journey.mjs';

const at = target();
const place = { owner: at.owner, repo: at.repo };

async function connect(mode, key) {
  const headers = { authorization: `Bearer ${key}` };
  const transport = new StreamableHTTPClientTransport(new URL(at.url), { requestInit: { headers } });
  const client = new Client({ name: 'journey-edge', version: '1.0.0' }, { versionNegotiation: { mode } });
  await client.connect(transport);
  return client;
}

/** Call every tool once, each with what the ones before it made; which ones were called. */
async function everyTool(client, label) {
  const called = new Set();
  const call = async (name, args = {}) => {
    called.add(name);
    return answer(await client.callTool({ name, arguments: args }), name);
  };
  const here = (name, args = {}) => call(name, { ...place, ...args });
  const name = `edge-${label}-${Date.now()}`;

  assert.ok((await call('list_repositories')).repositories.some(found => found.full_name === `${at.owner}/${at.repo}`));
  assert.equal((await here('get_repository_info')).repository.full_name, `${at.owner}/${at.repo}`);
  await here('get_repo_languages');
  await here('list_repo_topics');
  await call('list_organizations');
  await call('list_org_repositories', { org: process.env.AEGIS_ORG ?? 'acme' });
  await here('get_file_tree');
  await read({ callTool: (tool, args) => client.callTool({ name: tool, arguments: args }) }, at);
  called.add('get_file_contents');
  await here('search_code', { query: at.readme });
  const { commits: [commit] } = await here('list_commits', { limit: 1 });
  await here('get_commit_diff', { sha: commit.sha });
  await here('get_commit_status', { sha: commit.sha });
  await here('list_tags');
  const { branches } = await here('list_branches');
  assert.ok(branches.some(branch => branch.name === 'main'));

  const issue = (await here('create_issue', { title: name, body: 'First.\n\nSecond.' })).issue.number;
  const numbered = { issue_number: issue };
  assert.equal((await here('get_issue', numbered)).issue.title, name);
  assert.equal((await here('update_issue', { ...numbered, title: `${name} again` })).issue.title, `${name} again`);
  const { comment } = await here('create_issue_comment', { ...numbered, body: 'a comment' });
  await here('edit_issue_comment', { comment_id: comment.id, body: 'edited' });
  const { comments } = await here('list_issue_comments', numbered);
  assert.deepEqual(comments.map(found => found.body), ['edited']);
  await here('create_label', { name, color: '#00aabb' });
  await here('update_label', { name, description: 'changed' });
  await here('add_labels', { ...numbered, labels: [name] });
  assert.ok((await here('list_labels', { limit: 50 })).labels.length > 0);
  await here('remove_labels', { ...numbered, labels: [name] });
  await here('assign_issue', { ...numbered, assignees: [at.owner] });
  assert.ok((await here('list_issues', { limit: 50 })).issues.some(found => found.number === issue));
  await here('create_milestone', { title: name });
  assert.ok((await here('list_milestones', { limit: 50 })).milestones.some(found => found.title === name));

  await here('create_branch', { new_branch_name: name, old_branch_name: 'feature/one' });
  assert.equal((await here('get_branch', { branch: name })).branch.name, name);
  await here('compare_refs', { base: 'main', head: name });
  const opened = await here('create_pull_request', { base: 'main', head: name, title: name });
  const pull = { pull_number: opened.pull_request.number };
  assert.equal((await here('get_pull_request', pull)).pull_request.title, name);
  await here('list_pull_request_files', pull);
  await here('list_pull_request_commits', pull);
  await here('create_pr_comment', { ...pull, body: 'a comment' });
  assert.ok((await here('list_pull_requests', { limit: 50 })).pull_requests.length > 0);

  const { release } = await here('create_release', { tag_name: name, name });
  assert.equal((await here('edit_release', { release_id: release.id, body: 'notes' })).release.id, release.id);
  assert.equal((await here('get_release', { release_id: release.id })).release.name, name);
  await here('get_latest_release');
  assert.ok((await here('list_releases', { limit: 50 })).releases.some(found => found.id === release.id));
  return called;
}

const cases = {};
for (const [name, mode] of Object.entries({ legacy: 'legacy', '2026-07-28': { pin: '2026-07-28' } })) {
  cases[`all tools work, ${name}`] = async () => {
    const client = await connect(mode, at.key);
    const { tools } = await client.listTools();
    checkTools(tools);
    const called = await everyTool(client, name);
    assert.deepEqual(tools.map(tool => tool.name).filter(tool => !called.has(tool)), []);
    assert.equal(called.size, TOOLS);
    await client.close();
  };
}
cases['what the policy denies is denied'] = async () => {
  const client = await connect('legacy', at.key);
  const denied = async (name, args) => {
    const result = await client.callTool({ name, arguments: { ...place, repo: 'private-notes', ...args } });
    assert.equal(result.isError, true, `${name} was let through`);
    return JSON.stringify(result.content);
  };
  assert.match(await denied('get_repo_languages', {}), /policy/i);
  assert.match(await denied('create_issue', { title: 'never' }), /WRITE_REPOSITORY_WHITELIST/);
  await client.close();
};
cases['wrong key'] = () => refused(() => connect('legacy', 'wrong'));
cases['every call left an intent and an outcome in the audit log'] = async () => {
  const log = await readFile(join(process.env.AEGIS_STATE_DIR, 'audit.log'), 'utf8');
  const lines = log.trimEnd().split('\n').map(line => JSON.parse(line)).filter(line => line.event === 'tool_invocation');
  const intents = lines.filter(line => line.status === 'pending');
  const outcomes = new Map(lines.filter(line => line.status === 'success').map(line => [line.ticket, line]));
  assert.equal(new Set(intents.map(line => line.tool)).size, TOOLS);
  for (const intent of intents) {
    const outcome = outcomes.get(intent.ticket);
    assert.ok(outcome?.calls.length > 0, `${intent.tool} has no outcome with calls`);
  }
  for (const secret of [at.key, process.env.GITEA_TOKEN]) {
    assert.ok(!log.includes(secret), 'a secret stands in the audit log');
  }
};
await run(process.env.EDGE_RUNTIME ?? 'edge', cases);
