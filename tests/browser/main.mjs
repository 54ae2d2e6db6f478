// The sign-in as people meet it: Chromium, TLS, the built program, the sample Gitea.

import assert from 'node:assert/strict';

import { check, finish } from './check.mjs';
import { looks } from './looks.mjs';
import { rows } from './rows.mjs';
import { Stage } from './stage.mjs';
import { ways } from './ways.mjs';

const stage = await Stage.open();
let left;
try {
  await rows(stage);
  await ways(stage);
  await looks(stage);
} finally {
  left = await stage.close();
}
await check('the sample Gitea was asked for nothing that the program must never ask', () => assert.equal(left.forge, ''));
process.exitCode = finish(62) ? 0 : 1;
