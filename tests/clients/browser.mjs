// The browser's part of a sign-in, without a screen: follow the authorize URL to our consent page, approve, sign in at
// Gitea and approve there, and stop at the client's own redirect URI. It fills the forms that the pages hold and sends
// what a browser would send; it knows no address of the server but the ones it is led to.
//
//   node browser.mjs AUTHORIZE_URL [--arrive]      prints the URL that the client is waiting for
//
// AEGIS_LOGIN and AEGIS_PASSWORD name the person; AEGIS_ACCESS=read or write is what they choose on our page, by default
// what the page proposes. `--arrive` also asks for the client's URL, for a client that listens there.
import assert from 'node:assert/strict';
import http from 'node:http';
import { fileURLToPath } from 'node:url';

const MOST_STEPS = 20;
// How long a client may take to listen at its redirect URI, and how often that is tried, in milliseconds.
const PATIENCE = 20_000;
const PAUSE = 50;
const MOST_BYTES = 1 << 20;

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const decoded = text =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal));
  });

/** The attributes of one tag. */
function attributes(tag) {
  const found = {};
  for (const [, name, quoted, single, bare] of tag.matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g)) {
    found[name.toLowerCase()] = decoded(quoted ?? single ?? bare ?? '');
  }
  return found;
}

/** Every form of a page: where it goes, and its fields with what the page filled in. */
export function formsOf(page) {
  return [...page.body.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, head, inner]) => {
    const { action = '', method = 'get' } = attributes(head);
    const controls = [...inner.matchAll(/<(input|button)\b([^>]*)>/gi)].map(([, kind, tag]) => {
      const control = attributes(tag);
      return { ...control, type: control.type ?? (kind.toLowerCase() === 'button' ? 'submit' : 'text') };
    });
    return { action: new URL(action || page.url, page.url).href, method: method.toLowerCase(), controls };
  });
}

/** What a form sends with these choices; a choice that the form does not offer is a mistake. */
function filled(form, choices) {
  const fields = new URLSearchParams();
  for (const { name, type, value = type === 'checkbox' ? 'on' : '', checked } of form.controls) {
    if (!name) continue;
    const chosen = choices[name];
    const picked = ['submit', 'radio', 'checkbox'].includes(type)
      ? (chosen === undefined ? checked !== undefined : chosen === value)
      : true;
    if (picked) fields.append(name, type === 'hidden' || chosen === undefined ? value : chosen);
  }
  for (const [name, value] of Object.entries(choices)) {
    assert.ok(fields.getAll(name).includes(value), `the form for ${form.action} offers no ${name}=${value}`);
  }
  return fields;
}

/** A browser that nobody has used yet. */
export class Browser {
  // Cookies are kept by host name alone: they do not know ports.
  #cookies = new Map();

  /** Ask for a URL; a redirect is not followed. */
  async open(url, { body, from } = {}) {
    const to = new URL(url);
    assert.equal(to.protocol, 'http:', `${url} is not on this machine`);
    const headers = {
      accept: 'text/html,application/xhtml+xml',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-site': from ? (new URL(from).origin === to.origin ? 'same-origin' : 'same-site') : 'none',
    };
    const jar = this.#cookies.get(to.hostname) ?? new Map();
    this.#cookies.set(to.hostname, jar);
    if (jar.size > 0) headers.cookie = [...jar].map(pair => pair.join('=')).join('; ');
    if (body !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      headers['content-length'] = Buffer.byteLength(body);
      headers.origin = new URL(from).origin;
    }
    const answer = await new Promise((resolve, reject) => {
      const asked = http.request(to, { method: body === undefined ? 'GET' : 'POST', headers, timeout: 30_000 }, resolve);
      asked.on('error', reject).on('timeout', () => asked.destroy(new Error(`no answer from ${to.origin}`)));
      asked.end(body);
    });
    let text = '';
    for await (const piece of answer.setEncoding('utf8')) {
      text += piece;
      assert.ok(text.length <= MOST_BYTES, `${url} never ends`);
    }
    this.#keep(jar, answer.headers['set-cookie'] ?? []);
    const { location } = answer.headers;
    return { url: to.href, status: answer.statusCode, body: text, location: location && new URL(location, to).href };
  }

  #keep(jar, cookies) {
    for (const cookie of cookies) {
      const [pair, ...rest] = cookie.split(';');
      const name = pair.slice(0, pair.indexOf('=')).trim();
      if (rest.some(part => /^\s*max-age\s*=\s*-?0*\s*$/i.test(part))) jar.delete(name);
      else jar.set(name, pair.slice(pair.indexOf('=') + 1).trim());
    }
  }

  submit(page, form, choices) {
    assert.equal(form.method, 'post', `a form for ${form.action} that is not sent by POST`);
    return this.open(form.action, { body: filled(form, choices).toString(), from: page.url });
  }

  /**
   * From the authorize URL to the URL at which the client is waiting, as the person in the environment. `access` is what
   * they choose on our page; `consented` says afterwards what was approved there.
   */
  async signIn(authorize, access = process.env.AEGIS_ACCESS) {
    const { AEGIS_LOGIN: login, AEGIS_PASSWORD: password } = process.env;
    assert.ok(login && password, 'set AEGIS_LOGIN and AEGIS_PASSWORD to a person at Gitea');
    const redirect = new URL(authorize).searchParams.get('redirect_uri');
    assert.ok(redirect, 'the authorize URL names no redirect_uri');
    this.consented = undefined;
    let page = await this.open(authorize);
    for (let step = 0; step < MOST_STEPS; step += 1) {
      if (!page.location) page = await this.#answer(page, { login, password, access });
      else if (page.location.split('?')[0] === redirect) return page.location;
      else page = await this.open(page.location, { from: page.url });
    }
    throw new Error('the sign-in goes round in circles');
  }

  /** Ask for the client's own URL, as soon as it listens there. */
  async arrive(url) {
    for (const until = Date.now() + PATIENCE; ; await new Promise(resolve => setTimeout(resolve, PAUSE))) {
      try {
        return await this.open(url);
      } catch (error) {
        if (error.code !== 'ECONNREFUSED' || Date.now() > until) throw error;
      }
    }
  }

  /** Fill in whichever of the three forms a page holds. */
  async #answer(page, { login, password, access }) {
    const forms = formsOf(page);
    const having = name => forms.find(form => form.controls.some(control => control.name === name));
    const told = `${page.status} at ${page.url}: ${page.body.replace(/<style[\s\S]*?<\/style>|<[^>]+>|\s+/g, ' ')}`;
    assert.equal(page.status, 200, told);
    const consent = having('decision');
    if (consent) {
      const offered = consent.controls.filter(control => control.name === 'access');
      this.consented = access ?? offered.find(control => control.checked !== undefined)?.value ?? 'read';
      const choices = { decision: 'approve', ...(offered.length > 0 && { access: this.consented }) };
      return this.submit(page, consent, choices);
    }
    if (having('user_name')) return this.submit(page, having('user_name'), { user_name: login, password });
    if (having('granted')) return this.submit(page, having('granted'), { granted: 'true' });
    throw new Error(`no way on from ${told}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [url, ...flags] = process.argv.slice(2);
  const browser = new Browser();
  const arrived = await browser.signIn(url);
  if (flags.includes('--arrive')) {
    const page = await browser.arrive(arrived);
    assert.ok(page.status < 400, `the client answered its own redirect with ${page.status}: ${page.body}`);
  }
  console.log(arrived);
}
