// Runs checks one after another and tells each in one line. Nothing is skipped: a check that cannot run has failed.

const tally = { passed: 0, failed: 0 };

/** One check. Its name is a sentence about what must hold. */
export async function check(name, body) {
  try {
    await body();
    tally.passed += 1;
    console.log(`PASS ${name}`);
  } catch (error) {
    tally.failed += 1;
    const why = String(error?.message ?? error).trim().split('\n').slice(0, 12).join('\n     ');
    console.log(`FAIL ${name}\n     ${why}`);
  }
}

/** Prints the count; whether all passed, and no fewer than there should be. */
export function finish(least) {
  const ran = tally.passed + tally.failed;
  if (ran < least) {
    console.log(`FAIL only ${ran} checks ran of at least ${least}`);
    tally.failed += least - ran;
  }
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  return tally.failed === 0;
}

/** Asks until something is there. Waits only for what must come; the limit is never waited out when all is well. */
export async function until(what, ask) {
  const limit = Date.now() + 10_000;
  for (;;) {
    const found = await ask();
    if (found) return found;
    if (Date.now() > limit) throw new Error(`it never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
