// Rows A1 to A5 of the table of attacks, as a browser lives through them.

import assert from 'node:assert/strict';

import { check } from './check.mjs';
import { approve, asked, atGitea, Client, cookies, heading, press, setCookies, signIn, upstream } from './person.mjs';
import { CLAUDE } from './stage.mjs';
import { html } from './wires.mjs';

const MCP = 'mcp.test';

/** A page of somebody else that sends a form here by itself. */
function posts(stage, to, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`);
  stage.front.hosts.set('evil.test', () =>
    html(`<form method="post" action="${to}">${inputs.join('')}</form><script>document.forms[0].submit()</script>`));
  return `${stage.origin('evil.test')}/`;
}

/** Opens a page that navigates on by itself, and waits for where it leads. */
async function carried(page, url, path) {
  const arrived = page.waitForResponse((response) => response.request().isNavigationRequest() && new URL(response.url()).pathname === path && response.status() !== 303);
  await page.goto(url);
  const answer = await arrived;
  await page.waitForSelector('h1');
  return answer;
}

/** A refusal set no cookie, led nowhere, and Gitea heard nothing. */
function nothingCame(answers, atGitea) {
  assert.deepEqual(setCookies(answers), []);
  assert.deepEqual(answers.filter((answer) => answer.headers.location), []);
  assert.deepEqual(atGitea, []);
}

export async function rows(stage) {
  const ours = stage.origin(MCP);

  await check('A1 a new client gets the consent page although another was approved, and Gitea hears nothing before', async () => {
    const page = await stage.page();
    const first = await Client.register(stage, MCP, 'The first');
    await signIn(page, first);
    const second = await Client.register(stage, MCP, 'The second');
    const [at, answers] = [stage.asked(), stage.answered()];
    await asked(page, second);
    assert.deepEqual(at(), []);
    assert.deepEqual(setCookies(answers()), []);
    // Gitea would have let it through without a question: that is what the page stands before.
    const arrived = stage.client.arrived.length;
    await approve(page);
    assert.deepEqual(at().filter((one) => one.from === 'browser').map((one) => one.path), ['/login/oauth/authorize']);
    assert.equal(stage.client.arrived.length, arrived + 1);
  });

  await check('A1 a remembered approval counts for its own client alone', async () => {
    const page = await stage.page();
    const claude = new Client(stage, 'reader.test', `${stage.origin('localhost')}/oauth/client.json`, CLAUDE);
    await signIn(page, claude);
    assert.equal(await heading(page), 'Claude is connected');
    await page.goto(claude.url());
    assert.equal(await heading(page), 'Claude is connected');
    const other = await Client.register(stage, 'reader.test', 'Not Claude', CLAUDE);
    const at = stage.asked();
    await asked(page, other);
    assert.deepEqual(at(), []);
  });

  await check('A1 saying no is told to the client, and Gitea never hears of it', async () => {
    const page = await stage.page();
    const client = await Client.register(stage, MCP, 'A client');
    const at = stage.asked();
    await asked(page, client);
    await press(page, 'button[value=deny]');
    const told = stage.client.arrived.at(-1).searchParams;
    assert.deepEqual([told.get('error'), told.get('code'), told.get('iss')], ['access_denied', null, ours]);
    assert.deepEqual(at(), []);
  });

  await check("A2 a link from another's approval ends on a page, without a code, and is on record", async () => {
    const [attacker, victim] = [await stage.page(), await stage.page()];
    const client = await Client.register(stage, MCP, 'Of the attacker');
    await asked(attacker, client);
    const answers = stage.answered();
    await approve(attacker);
    const link = upstream(answers());
    const [from, arrived] = [stage.audit(MCP).length, stage.client.arrived.length];
    await victim.goto(link.href);
    const answer = await atGitea(victim);
    assert.equal(new URL(answer.url()).pathname, '/oauth/callback');
    assert.equal(answer.status(), 400);
    assert.match(await victim.$eval('main', (main) => main.textContent), /browser in which you pressed Approve/);
    assert.equal(stage.client.arrived.length, arrived);
    assert.equal((await stage.recorded(MCP, 'state_other_browser', from)).event, 'security_event');
  });

  await check('A2 a sign-in of their own does not open it for the other', async () => {
    const [attacker, victim] = [await stage.page(), await stage.page()];
    const client = await Client.register(stage, MCP, 'Of the attacker');
    await asked(victim, client);
    await approve(victim);
    assert.equal((await cookies(victim, ours)).length, 1);
    await asked(attacker, client);
    const answers = stage.answered();
    await approve(attacker);
    const link = upstream(answers());
    const arrived = stage.client.arrived.length;
    await victim.goto(link.href);
    assert.equal((await atGitea(victim)).status(), 400);
    assert.equal(stage.client.arrived.length, arrived);
  });

  await check('A3 a form that another site sends by itself approves nothing', async () => {
    const [attacker, victim] = [await stage.page(), await stage.page()];
    const client = await Client.register(stage, MCP, 'Of the attacker');
    await asked(attacker, client);
    const request = await attacker.$eval('input[name=request]', (input) => input.value);
    const from = stage.audit(MCP).length;
    const [at, answers] = [stage.asked(), stage.answered()];
    const there = posts(stage, `${ours}/oauth/authorize`, { request, decision: 'approve', access: 'read' });
    const answer = await carried(victim, there, '/oauth/authorize');
    assert.equal(answer.status(), 403);
    nothingCame(answers(), at());
    assert.deepEqual(await cookies(victim, ours), []);
    await stage.recorded(MCP, 'consent_foreign', from);
  });

  for (const [name, value, status, reason] of [
    ['without its request', null, 400, 'consent_malformed'],
    ['with a request that nobody sealed', 'AAAA', 403, 'consent_forged'],
    ['with a request that another server sealed', 'foreign', 403, 'consent_forged'],
  ]) {
    await check(`A3 an approval ${name} approves nothing`, async () => {
      const [page, elsewhere] = [await stage.page(), await stage.page()];
      await asked(elsewhere, await Client.register(stage, 'reader.test', 'A client'));
      const foreign = await elsewhere.$eval('input[name=request]', (input) => input.value);
      await asked(page, await Client.register(stage, MCP, 'A client'));
      await page.$eval('input[name=request]', (input, set) => (set === null ? input.remove() : (input.value = set)),
        value === 'foreign' ? foreign : value);
      const from = stage.audit(MCP).length;
      const [at, answers] = [stage.asked(), stage.answered()];
      assert.equal((await approve(page)).status(), status);
      nothingCame(answers(), at());
      await stage.recorded(MCP, reason, from);
    });
  }

  await check('A3 an approval by GET approves nothing', async () => {
    const page = await stage.page();
    const client = await Client.register(stage, MCP, 'A client');
    await asked(page, client);
    const request = await page.$eval('input[name=request]', (input) => input.value);
    const [at, answers] = [stage.asked(), stage.answered()];
    const query = new URLSearchParams({ request, decision: 'approve', access: 'read' });
    assert.equal((await page.goto(`${ours}/oauth/authorize?${query}`)).status(), 400);
    nothingCame(answers(), at());
    // Beside a whole request, what is left of it asks for nothing but the page.
    query.delete('request');
    assert.equal((await page.goto(`${client.url()}&${query}`)).status(), 200);
    assert.match(await heading(page), /^Connect/);
    nothingCame(answers(), at());
  });

  await check('A4 Chromium shows no page of ours in a frame, of another origin or of our own', async () => {
    const client = await Client.register(stage, MCP, 'A client');
    const urls = [client.url(), `${ours}/oauth/callback?state=x`, client.url({ redirect_uri: 'https://evil.test/' })];
    for (const url of urls) {
      for (const origin of [stage.origin('evil.test'), ours]) {
        stage.front.hosts.set('evil.test', () => html(`<iframe src="${url.replaceAll('&', '&amp;')}"></iframe>`));
        const page = await stage.page();
        const complaints = [];
        page.on('console', (message) => complaints.push(message.text()));
        await page.goto(`${origin}/frame-of-a-test?of=${encodeURIComponent(url)}`);
        const frames = page.frames().filter((frame) => frame !== page.mainFrame());
        assert.equal(frames.length, 1);
        assert.match(frames[0].url(), /^chrome-error:/, `${origin} framed ${url}`);
        assert.match(complaints.join('\n'), /frame/i);
      }
    }
  });

  await check('A4 the policy lets no script run, not even one that got into the page', async () => {
    const page = await stage.page();
    const answer = await asked(page, await Client.register(stage, MCP, 'A client'));
    const policy = answer.headers()['content-security-policy'];
    assert.equal(answer.headers()['x-frame-options'], 'DENY');
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /script-src|unsafe|\*/);
    const outcome = await page.evaluate(async () => {
      const refused = [];
      document.addEventListener('securitypolicyviolation', (event) => refused.push(event.effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'document.title = "it ran"';
      const image = document.createElement('img');
      image.setAttribute('onerror', 'document.title = "it ran"');
      image.src = 'data:,no';
      document.body.append(script, image);
      for (let turn = 0; turn < 100 && refused.length < 3; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
      return { refused, title: document.title };
    });
    assert.deepEqual([...new Set(outcome.refused)].sort(), ['img-src', 'script-src-attr', 'script-src-elem']);
    assert.match(outcome.title, /^Connect/);
  });

  await check('A4 a name with markup is shown as text', async () => {
    for (const given of ['<img src=x onerror=alert(1)>', '</title></h1><script>alert(1)</script>', '"><u>&amp;</u>']) {
      const page = await stage.page();
      page.on('dialog', () => assert.fail('a dialog'));
      await asked(page, await Client.register(stage, MCP, given));
      assert.equal(await page.$eval('h1 bdi', (element) => element.textContent), given);
      assert.equal(await page.$eval('h1', (element) => element.children.length), 1);
      assert.equal((await page.$$('script, img, u')).length, 0);
    }
  });

  await check('A5 the cookie comes with the approval, is __Host-, Secure, HttpOnly, Lax, short, and goes with the callback', async () => {
    const page = await stage.page();
    await asked(page, await Client.register(stage, MCP, 'A client'));
    assert.deepEqual(await cookies(page, ours), []);
    await approve(page);
    const kept = await cookies(page, ours);
    assert.equal(kept.length, 1);
    const [cookie] = kept;
    assert.match(cookie.name, /^__Host-aegis-flow-/);
    assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path, cookie.domain], [true, true, 'Lax', '/', MCP]);
    assert.ok(cookie.expires > 0 && cookie.expires <= Date.now() / 1000 + 600, `it lives until ${cookie.expires}`);
    await atGitea(page);
    assert.equal(await heading(page), 'Your assistant is connected');
    assert.deepEqual(await cookies(page, ours, 'flow'), []);
  });

  await check('A5 two sign-ins at once have a cookie each, and each ends its own', async () => {
    const profile = await stage.profile();
    const [one, two] = [await profile.newPage(), await profile.newPage()];
    const client = await Client.register(stage, MCP, 'A client');
    await asked(one, client);
    await asked(two, client, { state: 'second' });
    const answers = stage.answered();
    await approve(one);
    const first = upstream(answers());
    await approve(two);
    const both = await cookies(one, ours, 'flow');
    assert.equal(new Set(both.map((cookie) => cookie.name)).size, 2);
    // Gitea remembers one address to go back to after signing in: that of the second.
    await atGitea(one);
    assert.equal(stage.client.arrived.at(-1).searchParams.get('state'), 'second');
    assert.equal((await cookies(one, ours, 'flow')).length, 1);
    await two.goto(first.href);
    assert.equal(stage.client.arrived.at(-1).searchParams.get('state'), 'the-client-s-own');
    assert.deepEqual(await cookies(one, ours, 'flow'), []);
  });

  await check('A5 the cookie of a remembered approval is guarded the same way', async () => {
    const page = await stage.page();
    const claude = new Client(stage, 'reader.test', `${stage.origin('localhost')}/oauth/client.json`, CLAUDE);
    await signIn(page, claude);
    const kept = await cookies(page, stage.origin('reader.test'), 'approved');
    assert.equal(kept.length, 1);
    assert.match(kept[0].name, /^__Host-aegis-approved-/);
    const { secure, httpOnly, sameSite, path } = kept[0];
    assert.deepEqual([secure, httpOnly, sameSite, path], [true, true, 'Lax', '/']);
  });
}
