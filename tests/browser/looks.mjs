// Every page that somebody can come to: readable for everybody, at every width, in light and dark. Screenshots are left
// in AEGIS_SHOTS to be looked at.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

import { check } from './check.mjs';
import { errors } from './errors.mjs';
import { asked, Client } from './person.mjs';
import { CLAUDE } from './stage.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SHOTS = process.env.AEGIS_SHOTS;

const LONG = `http://127.0.0.1:49152/oauth/callback/with/a/path/that/is/long/${'0123456789'.repeat(6)}`;

const WIDE = { width: 1000, height: 900 };
// Without `isMobile`, which would load the page again; many pages are there once.
const NARROW = { width: 360, height: 740 };

/** The consent page in each of its forms: name, server, client, what it asks. */
async function consents(stage) {
  const register = (server, name, redirect) => Client.register(stage, server, name, redirect);
  const document = (server) => new Client(stage, server, `${stage.origin('localhost')}/oauth/client.json`, CLAUDE);
  const write = { scope: 'read:repository write:repository' };
  return [
    ['consent-read-only', await register('reader.test', 'Claude Code'), {}],
    ['consent-read-or-write', await register('mcp.test', 'Claude Code'), {}],
    ['consent-asks-to-write', await register('mcp.test', 'Claude Code'), write],
    ['consent-unverified-site', await register('mcp.test', 'Claude', CLAUDE), {}],
    ['consent-document', document('mcp.test'), write],
    ['consent-document-read-only', document('reader.test'), {}],
    ['consent-loopback-long', await register('mcp.test', 'A name that somebody chose to be very very long, to see', LONG), {}],
    ['consent-without-a-name', await register('mcp.test', undefined), {}],
  ].map(([name, client, changed]) => ({ name, status: 200, reach: (page) => asked(page, client, changed) }));
}

/** Violations that axe finds, in words. */
async function axe(page, rules) {
  const found = await page.evaluate((only) => globalThis.axe.run(only ? { runOnly: only } : {}), rules);
  assert.ok(found.passes.length >= (rules?.length ?? 10), 'axe has looked');
  return found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.target.join(' ')).join(', ')}`);
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Consent pages in every look; refusals share a frame, so two of theirs show it. */
const pictured = (reason, scheme, width) => SHOTS && (!reason || (scheme === 'light') === (width === 'wide'));

async function look(stage, { name, reason, status, reach }) {
  const page = await stage.page();
  const complaints = [];
  page.on('console', (message) => complaints.push(message.text()));
  await page.setViewport(WIDE);
  const answer = await reach(page);
  assert.equal(answer.status(), status, await page.$eval('body', (body) => body.innerText));
  // Pages of refusals say which one it is; it is the reason of the audit line too.
  if (reason) assert.equal(await page.$eval('.operator code', (code) => code.textContent), reason);
  const headers = answer.headers();
  assert.match(headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
  assert.equal(headers['cache-control'], 'no-store');
  // The stylesheet is let through by its hash: without it there would be no width.
  assert.notEqual(await page.$eval('main', (main) => getComputedStyle(main).maxWidth), 'none');
  assert.deepEqual(complaints.filter((text) => /polic|Refused/i.test(text)), []);
  assert.match(await page.$eval('footer', (footer) => footer.textContent), /Request id \S{8,}/);
  await page.evaluate(AXE);
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    for (const [width, viewport] of [['wide', WIDE], ['narrow', NARROW]]) {
      await page.setViewport(viewport);
      assert.ok((await overflow(page)) <= 0, `it scrolls sideways at ${viewport.width} px`);
      if (pictured(reason, scheme, width)) await page.screenshot({ path: join(SHOTS, `${name}-${scheme}-${width}.png`), fullPage: true });
    }
    // Only the colours differ in the dark.
    assert.deepEqual(await axe(page, scheme === 'dark' ? ['color-contrast'] : undefined), [], scheme);
  }
  // 320 px is what 1280 px are at a zoom of 400 % (WCAG 2.2, 1.4.10).
  await page.setViewport({ width: 320, height: 740 });
  assert.ok((await overflow(page)) <= 0, 'it scrolls sideways at 320 px');
  await page.browserContext().close();
}

export async function looks(stage) {
  for (const one of [...(await consents(stage)), ...(await errors(stage))]) {
    await check(`${one.name}: no axe violation, no scrolling sideways, in light and dark`, () => look(stage, one));
  }
}
