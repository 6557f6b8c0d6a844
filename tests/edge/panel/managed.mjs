// A site whose certificates are ordered by the edge, from its page.

import assert from 'node:assert/strict';
import { run, signIn } from './browser.mjs';

async function managed(panel, { who, site }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  const source = [];
  const now = async () => (await page.innerText('#switch + .table tr:has(.mark) th')).trim();
  const open = async () => { await page.goto(`/sites/${site}`); };

  // What would be served, before anything is changed.
  await open();
  source.push(await now());
  await page.click('a[href$="switch?to=managed"]');
  assert.match(await page.innerText('tbody'), new RegExp(site.replaceAll('.', '\\.')));
  await panel.shot(page, 'preview');
  await open();
  source.push(await now());

  await page.click('a[href$="switch?to=managed"]');
  await page.click('button.main');
  await page.waitForURL(/done=switched/);
  source.push(await now());

  // Looked at again and again until it is issued, as people do.
  const serving = async () => (await page.innerText('section[aria-labelledby=hosts] tbody a.mono')).trim();
  const marks = () => page.locator('section[aria-labelledby=history] tbody .mark').allInnerTexts();
  const issued = async (orders) => {
    for (;;) {
      await open();
      const all = await marks();
      if (all.filter((text) => text === 'issued').length >= orders && (await states()).includes('Completed')) return;
    }
  };
  const states = () => page.locator('section[aria-labelledby=standing] .mark').allInnerTexts();
  await issued(1);
  const first = await serving();
  await panel.shot(page, 'issued');
  // Of two that are dated alike the fingerprint may speak for the first.
  for (const second = () => Math.floor(Date.now() / 1000), seen = second(); second() === seen;) await open();
  await page.click('form[action$="/renew"] button');
  await page.waitForURL(/done=ordered/);
  await issued(2);
  // What serves is another one when the next look has found it.
  for (;;) {
    await open();
    if ((await serving()) !== first) break;
  }
  const [second, history] = [await serving(), await marks()];
  const found = [];
  for (const locale of ['en-GB', 'de-DE']) {
    const visitor = await signIn(panel, { locale }, who);
    await visitor.goto(page.url());
    found.push(...await panel.judged(visitor, `managed-${locale}`));
  }
  return { source, first, second, history, found };
}

await run({ managed });
