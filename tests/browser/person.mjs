// A client that asks, and a person who answers in Chromium.

import { createHash } from 'node:crypto';
import assert from 'node:assert/strict';

const VERIFIER = 'dBjftJeZ4CVP-mBqKs1XuSOBDH5ELZmWn1tqGZJYNmE';
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** A client of a server: registered, or known by its document. */
export class Client {
  constructor(stage, server, id, redirect) {
    Object.assign(this, { stage, server, id, redirect });
  }

  static async register(stage, server, name, redirect = stage.client.redirect) {
    const answer = await fetch(`http://127.0.0.1:${stage.ports.get(server)}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: name, redirect_uris: [redirect], token_endpoint_auth_method: 'none' }),
    });
    const text = await answer.text();
    assert.equal(answer.status, 201, text);
    return new Client(stage, server, JSON.parse(text).client_id, redirect);
  }

  /** The address that the client opens, with parameters changed, or left out by null. */
  url(changed = {}) {
    const all = {
      response_type: 'code', client_id: this.id, redirect_uri: this.redirect, code_challenge: CHALLENGE,
      code_challenge_method: 'S256', state: 'the-client-s-own', scope: 'read:repository', ...changed,
    };
    const given = Object.entries(all).filter(([, value]) => value !== null);
    return `${this.stage.origin(this.server)}/oauth/authorize?${new URLSearchParams(given)}`;
  }

  /** Redeems a code; the access token. */
  async redeem(code) {
    const answer = await fetch(`http://127.0.0.1:${this.stage.ports.get(this.server)}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code', code, redirect_uri: this.redirect, client_id: this.id, code_verifier: VERIFIER,
      }),
    });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  }
}

/** The heading of a page. */
export const heading = (page) => page.$eval('h1', (element) => element.textContent);

/** Does something that leads to another page; what that answered. */
export async function leads(page, action) {
  // A tab behind another one gets no input.
  await page.bringToFront();
  const [answer] = await Promise.all([page.waitForNavigation(), action()]);
  return answer;
}

/** Presses a button and arrives. */
export const press = (page, selector) => leads(page, () => page.click(selector));

/** The consent page of a client. */
export async function asked(page, client, changed) {
  const answer = await page.goto(client.url(changed));
  assert.equal(answer.status(), 200, await answer.text());
  assert.match(await heading(page), /^Connect .* to Gitea\?$/);
  return answer;
}

/** Approves; where the browser is then. */
export async function approve(page, access) {
  if (access) await page.click(`input[value=${access}]`);
  return press(page, 'button[value=approve]');
}

/** Signs in at Gitea and authorizes there, as far as it asks. */
export async function atGitea(page, login = 'alice') {
  let answer;
  if (await page.$('#user_name')) {
    await page.type('#user_name', login);
    await page.type('#password', `${login}-has-a-password`);
    answer = await press(page, 'form button');
  }
  if (await page.$('#authorize-app')) answer = await press(page, '#authorize-app');
  return answer;
}

/** The whole way; the last answer. */
export async function signIn(page, client, { login, access, changed } = {}) {
  await asked(page, client, changed);
  const answer = await approve(page, access);
  return (await atGitea(page, login)) ?? answer;
}

/** Cookies that Chromium keeps for an origin, of a kind if one is named: `flow` or `approved`. */
export async function cookies(page, origin, kind = '') {
  const all = await page.browserContext().cookies();
  const host = new URL(origin).hostname;
  return all.filter(({ domain, name }) => domain.replace(/^\./, '') === host && name.includes(`-${kind}`));
}

/** Where the last approval on a server led: Gitea's address, with our state in it. */
export function upstream(answers) {
  const sent = answers.findLast((answer) => answer.method === 'POST' && answer.status === 303);
  assert.ok(sent, 'an approval');
  return new URL(sent.headers.location);
}

export const setCookies = (answers) => answers.flatMap((answer) => answer.headers['set-cookie'] ?? []);
