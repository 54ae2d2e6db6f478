// Ways that people go besides the straight one: by keyboard, without script, twice, back, in a browser that forgets.

import assert from 'node:assert/strict';

import { check } from './check.mjs';
import { approve, asked, atGitea, Client, cookies, heading, leads, setCookies, signIn, upstream } from './person.mjs';
import { CLAUDE } from './stage.mjs';

const MCP = 'mcp.test';

/** What has the focus, told as a person would see it; whether it can be seen that it has. */
const focus = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const marked = element.closest('.choice') ?? element;
    const { outlineStyle, outlineWidth } = getComputedStyle(marked);
    const name = [element.tagName.toLowerCase(), element.name, element.value ?? element.getAttribute('href')];
    return { name: name.filter(Boolean).join(' '), visible: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 };
  });

/** Presses Tab until something has the focus; everything on the way must show that it has it. */
async function tabTo(page, name) {
  for (let turn = 0; turn < 12; turn += 1) {
    await page.keyboard.press('Tab');
    const at = await focus(page);
    assert.ok(at.visible, `the focus cannot be seen on ${at.name}`);
    if (at.name.startsWith(name)) return;
  }
  assert.fail(`Tab never comes to ${name}`);
}

export async function ways(stage) {
  const ours = stage.origin(MCP);

  await check('the whole sign-in works by keyboard alone and without script, and the assistant works as the person', async () => {
    const page = await stage.page();
    await page.setJavaScriptEnabled(false);
    const client = await Client.register(stage, MCP, 'A client');
    await asked(page, client, { scope: 'read:repository write:repository' });
    await page.bringToFront();
    await tabTo(page, 'input access');
    assert.deepEqual(await page.$$eval('input[name=access]', (all) => all.map((one) => one.checked)), [false, true]);
    await page.keyboard.press('ArrowUp');
    assert.deepEqual(await page.$$eval('input[name=access]', (all) => all.map((one) => one.checked)), [true, false]);
    await page.keyboard.press('ArrowDown');
    await tabTo(page, 'button decision approve');
    await leads(page, () => page.keyboard.press('Enter'));
    await page.focus('#user_name');
    await page.keyboard.type('carol');
    await page.focus('#password');
    await page.keyboard.type('carol-has-a-password');
    await leads(page, () => page.keyboard.press('Enter'));
    await page.focus('#authorize-app');
    await leads(page, () => page.keyboard.press('Enter'));
    assert.equal(await heading(page), 'Your assistant is connected');
    const tokens = await client.redeem(stage.client.arrived.at(-1).searchParams.get('code'));
    assert.equal(tokens.scope, 'read:repository write:repository');
    const answer = await fetch(`http://127.0.0.1:${stage.ports.get(MCP)}/mcp/tool/call`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tokens.access_token}` },
      body: JSON.stringify({ tool: 'get_repository_info', arguments: { owner: 'alice', repo: 'demo' } }),
    });
    assert.equal(answer.status, 200, await answer.text());
  });

  await check('Deny is reached by keyboard too', async () => {
    const page = await stage.page();
    await asked(page, await Client.register(stage, MCP, 'A client'));
    await page.bringToFront();
    await tabTo(page, 'button decision deny');
    await leads(page, () => page.keyboard.press('Space'));
    assert.equal(stage.client.arrived.at(-1).searchParams.get('error'), 'access_denied');
  });

  await check('a form leads through Gitea and back to every kind of client without the policy in its way', async () => {
    const port = stage.client.port;
    for (const [redirect, end] of [
      [stage.client.redirect, 'Your assistant is connected'],
      [`http://localhost:${port}/callback`, 'Your assistant is connected'],
      [CLAUDE, 'Claude is connected'],
    ]) {
      const page = await stage.page();
      const refused = [];
      page.on('console', (message) => refused.push(message.text()));
      const client = await Client.register(stage, MCP, 'A client', redirect);
      await signIn(page, client, { login: 'bob' });
      // The second time Gitea asks nothing, so the whole chain hangs on one submitted form.
      await asked(page, client, { prompt: 'consent' });
      await approve(page);
      assert.equal(await heading(page), end);
      assert.deepEqual(refused.filter((text) => /policy|Refused/i.test(text)), []);
    }
  });

  await check('a page that was opened twice can be approved in either window', async () => {
    const profile = await stage.profile();
    const [one, two] = [await profile.newPage(), await profile.newPage()];
    const client = await Client.register(stage, MCP, 'A client');
    await asked(one, client);
    await asked(two, client);
    await approve(one);
    await atGitea(one);
    assert.equal(await heading(one), 'Your assistant is connected');
    await approve(two);
    assert.equal(await heading(two), 'Your assistant is connected');
  });

  await check('a program that opens the callback first, without the cookie, does not use the sign-in up', async () => {
    const [page, scanner] = [await stage.page(), await stage.page()];
    const client = await Client.register(stage, MCP, 'A client');
    await asked(page, client);
    const answers = stage.answered();
    await approve(page);
    const state = upstream(answers()).searchParams.get('state');
    const looked = await scanner.goto(`${ours}/oauth/callback?${new URLSearchParams({ state, code: 'gta_looked' })}`);
    assert.equal(looked.status(), 400);
    await atGitea(page);
    assert.equal(await heading(page), 'Your assistant is connected');
  });

  await check('an embedded browser that drops the cookie gets a page that explains, and stays on it', async () => {
    const page = await stage.page();
    await asked(page, await Client.register(stage, MCP, 'A client'));
    await approve(page);
    await page.browserContext().deleteCookie(...(await cookies(page, ours)));
    const [at, arrived] = [stage.asked(), stage.client.arrived.length];
    const answer = await atGitea(page);
    assert.equal(answer.status(), 400);
    assert.equal(new URL(page.url()).pathname, '/oauth/callback');
    const text = await page.$eval('main', (main) => main.textContent);
    assert.match(text, /usual browser/);
    assert.match(text, /cookies allowed/);
    // No way round in circles: nothing was sent on, and Gitea was not asked for a token.
    assert.equal(stage.client.arrived.length, arrived);
    assert.deepEqual(at().filter((one) => one.from === 'server').map((one) => one.path), []);
  });

  await check('going back after the sign-in shows a page that explains, without a loop and without a second code', async () => {
    const page = await stage.page();
    const client = await Client.register(stage, MCP, 'A client');
    const answers = stage.answered();
    await signIn(page, client);
    const callback = answers().find((answer) => answer.path.startsWith('/oauth/callback'));
    const arrived = stage.client.arrived.length;
    // By address, as browsers restore a page; then by the button, as far as the history goes.
    const again = await page.goto(`${ours}${callback.path}`);
    assert.equal(again.status(), 400);
    assert.match(await page.$eval('main', (main) => main.textContent), /assistant says that it is connected/);
    assert.deepEqual(setCookies(stage.front.seen.slice(-1)), []);
    for (let turn = 0; turn < 4; turn += 1) {
      const before = page.url();
      await page.goBack({ timeout: 5000 }).catch(() => null);
      if (page.url() === before || page.url() === 'about:blank') break;
      assert.ok(await page.$('h1, h3, h4'), `a page at ${page.url()}`);
    }
    // Only the client's own page may have been loaded again, with the code that it already has.
    const codes = stage.client.arrived.slice(arrived - 1).map((url) => url.searchParams.get('code'));
    assert.equal(new Set(codes.filter(Boolean)).size, 1);
  });

  await check('a callback that is loaded twice at once ends in one code and one page that explains', async () => {
    const profile = await stage.profile();
    const page = await profile.newPage();
    const answers = stage.answered();
    const client = await Client.register(stage, MCP, 'A client');
    await asked(page, client);
    await approve(page);
    const kept = await cookies(page, ours, 'flow');
    await atGitea(page);
    // The browser that asked for it twice sent the cookie twice.
    await profile.setCookie(...kept);
    const callback = answers().find((answer) => answer.path.startsWith('/oauth/callback'));
    const again = await page.goto(`${ours}${callback.path}`);
    assert.equal(again.status(), 400);
    assert.equal(await heading(page), 'This sign-in was already used');
  });
}
