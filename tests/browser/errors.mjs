// How to come to each page that says what went wrong.

import { html, members, refusal } from './wires.mjs';
import { approve, asked, atGitea, Client, cookies, signIn, upstream } from './person.mjs';
import { CLAUDE } from './stage.mjs';

const MCP = 'mcp.test';
const TOKEN = '/login/oauth/access_token';
const INTROSPECT = '/login/oauth/introspect';
const READ_SET = 'openid profile read:user read:repository read:issue read:organization';

/** Goes to a page of another site that sends a form here. */
async function sent(stage, page, to, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  stage.front.hosts.set('evil.test', () => html(`<form method="post" action="${to}">${inputs.join('')}<button>Go</button></form>`));
  await page.goto(`${stage.origin('evil.test')}/`);
  const [answer] = await Promise.all([page.waitForNavigation(), page.click('button')]);
  return answer;
}

/** A sign-in up to Gitea; the state that it carries. */
async function begun(stage, page, client) {
  await asked(page, client);
  const answers = stage.answered();
  await approve(page);
  return upstream(answers()).searchParams.get('state');
}

export async function errors(stage) {
  const ours = stage.origin(MCP);
  const client = await Client.register(stage, MCP, 'A client');
  const reader = await Client.register(stage, 'reader.test', 'A client');
  const closed = await Client.register(stage, 'closed.test', 'A client');
  const busy = await Client.register(stage, 'busy.test', 'A client');
  const document = (path) => new Client(stage, MCP, path, CLAUDE);
  const at = (url) => (page) => page.goto(url);
  const callback = (query) => `${ours}/oauth/callback?${new URLSearchParams(query)}`;
  // A sign-in in which Gitea answers one request in its own way.
  const through = (path, change, options) => (page) => {
    stage.witness.next(path, change);
    return signIn(page, client, options);
  };
  // The consent page with something in its form set otherwise, then approved.
  const tampered = (of, change) => async (page) => {
    await asked(page, of);
    await page.evaluate(change);
    return approve(page);
  };

  const kinds = [
    ['authorize_malformed', 400, at(`${ours}/oauth/authorize?client_id=%ff`)],
    ['authorize_repeated_parameter', 400, at(`${client.url()}&scope=read:repository`)],
    ['client_id_missing', 400, at(client.url({ client_id: null }))],
    ['client_unknown', 400, at(client.url({ client_id: 'd1.nobody' }))],
    ['client_host_not_allowed', 400, at(document('https://elsewhere.example/client.json').url())],
    ['client_document_unusable', 400, at(document(`${stage.origin('localhost')}/oauth/missing.json`).url())],
    ['redirect_uri_missing', 400, at(client.url({ redirect_uri: null }))],
    ['redirect_uri_refused', 400, at(client.url({ redirect_uri: 'https://claude.ai@evil.test/' }))],
    ['redirect_uri_not_registered', 400, at(client.url({ redirect_uri: CLAUDE }))],
    ['rate_limited', 429, async (page) => {
      await page.goto(busy.url());
      return page.goto(busy.url());
    }],
    ['consent_foreign', 403, (page) => sent(stage, page, `${ours}/oauth/authorize`, { decision: 'approve' })],
    ['consent_malformed', 400, tampered(client, () => document.querySelector('input[name=request]').remove())],
    ['consent_forged', 403, tampered(client, () => { document.querySelector('input[name=request]').value = 'AAAA'; })],
    ['consent_writes_off', 403, tampered(reader, () => {
      const access = Object.assign(document.createElement('input'), { type: 'hidden', name: 'access', value: 'write' });
      document.querySelector('form').append(access);
    })],
    ['callback_malformed', 400, at(callback({ code: 'gta_x' }))],
    ['state_invalid', 400, at(callback({ code: 'gta_x', state: 'nobody' }))],
    ['state_other_browser', 400, async (page) => {
      const other = await stage.page();
      const state = await begun(stage, other, client);
      await other.browserContext().close();
      return page.goto(callback({ code: 'gta_x', state }));
    }],
    ['state_used', 400, async (page) => {
      const state = await begun(stage, page, client);
      const kept = await cookies(page, ours, 'flow');
      await atGitea(page);
      await page.browserContext().setCookie(...kept);
      return page.goto(callback({ code: 'gta_x', state }));
    }],
    ['gitea_error', 502, async (page) => page.goto(callback({ error: 'server_error', state: await begun(stage, page, client) }))],
    ['gitea_code_refused', 400, through(TOKEN, refusal(400, 'unauthorized_client'))],
    ['gitea_application_refused', 502, through(TOKEN, refusal(400, 'invalid_client'))],
    ['gitea_unavailable', 503, through(TOKEN, () => ({ status: 503, headers: {}, body: Buffer.from('down') }))],
    ['identity_invalid', 502, through(TOKEN, members(({ id_token: token }) => ({ id_token: `${token.slice(0, -8)}AAAAAAAA` })))],
    ['grant_too_narrow', 403, through(INTROSPECT, members(() => ({ scope: 'openid profile read:user' })))],
    ['grant_too_wide', 403, through(INTROSPECT, members(({ scope }) => ({ scope: `${scope} sudo` })))],
    ['write_not_granted', 200, through(INTROSPECT, members(() => ({ scope: READ_SET })), { access: 'write' })],
    ['sign_in_not_allowed', 403, (page) => signIn(page, closed)],
    ['unknown_host', 421, at(client.url().replace(MCP, 'other.test'))],
    ['method_not_allowed', 405, (page) => sent(stage, page, `${ours}/oauth/callback`, { state: 'x' })],
  ];
  return kinds.map(([reason, status, reach]) => ({ name: reason.replaceAll('_', '-'), reason, status, reach }));
}
