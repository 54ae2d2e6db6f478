// What a JavaScript client that signs in by itself must manage, whichever line of the SDK it is. A client is handed in
// as `connect(provider)`: it answers { client, transport } or throws the SDK's UnauthorizedError, and
// `finish(transport, url)` redeems what the browser came back with.
import assert from 'node:assert/strict';
import { Browser } from './browser.mjs';
import { answer, checkFile, read } from './journey.mjs';

const REDIRECT = 'http://127.0.0.1:43217/callback';
export const READ = 'read:repository';
export const BOTH = 'read:repository write:repository';

/** What the SDK asks an application to keep, and nothing more: no address, no id and no scope is given beforehand. */
export class Provider {
  redirectUrl = REDIRECT;
  // The URLs that a browser was sent to.
  sent = [];
  #kept = {};
  #state = 0;

  constructor(name, { method = 'none', document } = {}) {
    this.clientMetadata = {
      client_name: name,
      redirect_uris: [REDIRECT],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: method,
    };
    if (document) this.clientMetadataUrl = document;
  }

  state() {
    this.#state += 1;
    return `state ${this.#state} & more`;
  }
  clientInformation() {
    return this.#kept.client;
  }
  saveClientInformation(client) {
    this.#kept.client = client;
  }
  tokens() {
    return this.#kept.tokens;
  }
  saveTokens(tokens) {
    this.#kept.tokens = tokens;
  }
  saveCodeVerifier(verifier) {
    this.#kept.verifier = verifier;
  }
  codeVerifier() {
    return this.#kept.verifier;
  }
  saveDiscoveryState(state) {
    this.#kept.discovery = state;
  }
  discoveryState() {
    return this.#kept.discovery;
  }
  redirectToAuthorization(url) {
    this.sent.push(url.href);
  }
  invalidateCredentials(what) {
    for (const name of what === 'all' ? Object.keys(this.#kept) : [what]) delete this.#kept[name];
  }

  /** Keep other tokens than the server gave: what is lost or spoiled between two runs of a program. */
  spoil(changes) {
    this.#kept.tokens = { ...this.#kept.tokens, ...changes };
  }
}

/** An access token of the right form that this server never issued. */
export const SPOILED = `aegis_at_${'A'.repeat(160)}`;

/** Sign in: the SDK leaves for the browser, the browser comes back, the SDK redeems the code. */
async function through(provider, attempt, access) {
  const before = provider.sent.length;
  let left;
  try {
    await attempt();
  } catch (error) {
    left = error;
  }
  assert.match(`${left?.name} ${left?.message}`, /unauthorized/i, `the SDK went on without a browser: ${left?.stack}`);
  assert.equal(provider.sent.length, before + 1, 'the SDK sent the browser off more or less than once');
  const browser = new Browser();
  return { url: await browser.signIn(provider.sent.at(-1), access), consented: browser.consented };
}

const asked = provider => new URL(provider.sent.at(-1)).searchParams;

/** A provider that has signed in from nothing, and a client that is connected with it. */
export async function fresh(kind, { access, url: address, ...options } = {}) {
  const provider = new Provider(kind.label, options);
  const first = kind.transport(provider, address);
  const { url, consented } = await through(provider, () => kind.connect(first), access);
  await kind.finish(first, url);
  return { provider, consented, client: await kind.connect(kind.transport(provider, address)) };
}

/** How the shared journeys call a tool of an SDK's client. */
const calls = client => ({ callTool: (name, args) => client.callTool({ name, arguments: args }) });

/**
 * The cases of one SDK. `kind`: { label, transport(provider), connect(transport), finish(transport, url) }, and perhaps
 * beforeStepUp(provider) for what an application has to do by itself before that SDK asks for more, and confuses, the
 * message by which it gives up a call that another one has just renewed for.
 */
export function cases(kind, at, document) {
  const place = { owner: at.owner, repo: at.repo };
  return {
    'signs in from nothing, by dynamic registration, and reads': async () => {
      const { provider, consented, client } = await fresh(kind);
      assert.equal(consented, 'read', 'the page proposes more than was asked for');
      assert.equal(asked(provider).get('scope'), READ);
      assert.equal(asked(provider).get('resource'), at.url);
      assert.equal(provider.clientInformation().client_secret, undefined, 'a public client was given a secret');
      assert.equal(provider.tokens().scope, READ);
      assert.match(provider.tokens().access_token, /^aegis_at_/);
      await read(calls(client), at);
      const { repositories } = answer(await client.callTool({ name: 'list_repositories', arguments: {} }), 'list');
      assert.ok(repositories.some(repository => repository.full_name === `${at.owner}/${at.repo}`), 'not their own');
      await client.close();
    },

    'renews a token that is no longer good, without a browser': async () => {
      const { provider, client } = await fresh(kind);
      const old = provider.tokens();
      provider.spoil({ access_token: SPOILED });
      await read(calls(client), at);
      assert.notEqual(provider.tokens().access_token, SPOILED);
      assert.notEqual(provider.tokens().refresh_token, old.refresh_token, 'the refresh token did not rotate');
      assert.equal(provider.tokens().scope, READ);
      await client.close();
      const again = await kind.connect(kind.transport(provider));
      await read(calls(again), at);
      assert.equal(provider.sent.length, 1, 'somebody had to sign in again');
      await again.close();
    },

    'renews for many calls at once, and all of them work': async () => {
      const { provider, client } = await fresh(kind);
      provider.spoil({ access_token: SPOILED });
      const once = () => read(calls(client), at);
      // v1 takes a 401 that was on its way before another call had renewed for a second refusal; who uses it tries again.
      const tried = () => once().catch(error => (kind.confuses?.test(error.message) ? once() : Promise.reject(error)));
      await Promise.all(Array.from({ length: 5 }, tried));
      await client.close();
      // Whichever answer was kept last is good.
      const again = await kind.connect(kind.transport(provider));
      provider.spoil({ access_token: SPOILED });
      await read(calls(again), at);
      assert.equal(provider.sent.length, 1, 'somebody had to sign in again');
      await again.close();
    },

    ...Object.fromEntries([['a slash at its end', '/'], ['/sse at its end', '/sse']].map(([what, end]) => [
      `signs in at an address with ${what}`,
      async () => {
        const { provider, client } = await fresh(kind, { url: at.url + end });
        await read(calls(client), at);
        assert.equal(provider.tokens().scope, READ);
        await client.close();
      },
    ])),

    'asks the person again when nothing it holds is good': async () => {
      const { provider, client } = await fresh(kind);
      await client.close();
      const registered = provider.clientInformation().client_id;
      provider.spoil({ access_token: SPOILED, refresh_token: `aegis_rt_${'A'.repeat(43)}` });
      const second = kind.transport(provider);
      const { url } = await through(provider, () => kind.connect(second));
      await kind.finish(second, url);
      const again = await kind.connect(kind.transport(provider));
      await read(calls(again), at);
      assert.equal(provider.clientInformation().client_id, registered, 'the registration was lost with the tokens');
      await again.close();
    },

    'steps up to writes when a call needs them': async () => {
      const { provider, client } = await fresh(kind);
      kind.beforeStepUp?.(provider);
      const title = `Opened after a step-up by ${kind.label}`;
      const create = from => from.callTool({ name: 'create_issue', arguments: { ...place, title } });
      const { url, consented } = await through(provider, () => create(client));
      assert.deepEqual(asked(provider).get('scope').split(' ').sort(), BOTH.split(' '), 'not the union');
      assert.equal(consented, 'write', 'the page does not propose what was asked for');
      await kind.finish(client.transport, url);
      assert.deepEqual(provider.tokens().scope.split(' ').sort(), BOTH.split(' '));
      const made = answer(await create(client), 'create_issue');
      assert.equal(made.issue.title, title);
      const found = answer(
        await client.callTool({ name: 'get_issue', arguments: { ...place, issue_number: made.issue.number } }),
        'get_issue',
      );
      assert.equal(found.issue.title, title);
      assert.equal(found.issue.author, process.env.AEGIS_LOGIN, 'the issue is somebody else\'s');
      await client.close();
    },

    'works with writes at once when the person chooses them': async () => {
      const { provider, client } = await fresh(kind, { access: 'write' });
      assert.deepEqual(provider.tokens().scope.split(' ').sort(), BOTH.split(' '));
      const title = `Opened at once by ${kind.label}`;
      const made = answer(await client.callTool({ name: 'create_issue', arguments: { ...place, title } }), 'create_issue');
      assert.equal(made.issue.title, title);
      assert.equal(provider.sent.length, 1);
      await client.close();
    },

    ...Object.fromEntries(['client_secret_basic', 'client_secret_post'].map(method => [
      `registers with a secret and proves itself by ${method}`,
      async () => {
        const { provider, client } = await fresh(kind, { method });
        assert.ok(provider.clientInformation().client_secret, 'no secret was issued');
        await read(calls(client), at);
        provider.spoil({ access_token: SPOILED });
        await read(calls(client), at);
        assert.equal(provider.sent.length, 1, 'the secret does not renew');
        await client.close();
      },
    ])),

    'names itself by a document instead of registering': async () => {
      const { provider, client } = await fresh(kind, { document });
      assert.equal(asked(provider).get('client_id'), document);
      checkFile(answer(await client.callTool({ name: 'get_file_contents', arguments: { ...place, filepath: 'README.md' } }), 'read'), at);
      provider.spoil({ access_token: SPOILED });
      await read(calls(client), at);
      assert.equal(provider.sent.length, 1);
      await client.close();
    },
  };
}

/** The metadata document of these clients, which a server beside this one offers. */
export function documentUrl() {
  const { AEGIS_DOCUMENT: url } = process.env;
  assert.ok(url, 'set AEGIS_DOCUMENT to the https address of a client metadata document');
  return url;
}
