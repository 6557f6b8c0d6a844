// What an operator does at the page of one site.

import assert from 'node:assert/strict';
import { run, signIn } from './browser.mjs';

// Asks for more of the site's certificates after a look at what would serve, and takes it back.
async function minimum(panel, { who, site }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  const asks = [];
  const asked = async () => asks.push((await page.innerText('section[aria-labelledby=minimum] .mark')).trim());
  await page.goto(`/sites/${site}`);
  await asked();
  await page.selectOption('#level', 'ev');
  await page.click('form[action$="/minimum"] button');
  await page.waitForURL(/minimum\?level=ev/);
  const [before, behind] = [await page.innerText('tbody td >> nth=0'), await page.innerText('tbody td >> nth=1')];
  assert.notEqual(before, behind);
  assert.match(before, /^dv/);
  assert.match(behind, /^ev/);
  assert.match(await page.innerText('section[aria-labelledby=below] ul'), /^dv/);
  const found = await panel.judged(await scripted(panel, who, page.url()), 'minimum');
  await page.click('button.main');
  await page.waitForURL(/done=demanded/);
  await asked();
  await panel.shot(page, 'asked');
  await page.click('form[method=post][action$="/minimum"] button');
  await page.waitForURL(/done=demanded/);
  await asked();
  return { asks, found };
}

// The same page with a script, which axe needs.
async function scripted(panel, who, url) {
  const page = await signIn(panel, {}, who);
  await page.goto(url);
  return page;
}

await run({ minimum });
