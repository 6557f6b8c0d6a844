// Somebody without an account who was given a link.

import assert from 'node:assert/strict';
import { run } from './browser.mjs';

// Hands a certificate in, from the link to the thanks, after a slip; nothing else of the edge is to be seen or reached.
async function handIn(panel, { path, file, password, wrong, secrets, foreign }) {
  const page = await panel.visitor({ javaScriptEnabled: true });
  const found = [];
  await page.goto(path);
  found.push(...await panel.judged(page, 'hand-in'));
  const first = await page.content();
  for (const word of foreign) assert.ok(!first.includes(word), `${word} is nobody's business`);
  assert.equal(await page.locator('nav').count(), 0);
  assert.equal(await page.locator('a').count(), 0, 'it leads nowhere');

  await page.setInputFiles('#file', file);
  await page.fill('#password', wrong);
  await page.click('button.main');
  assert.match(await page.innerText('.trouble'), /cannot be taken/);
  found.push(...await panel.judged(page, 'hand-in-slip'));

  await page.setInputFiles('#file', file);
  await page.fill('#password', password);
  await page.click('button.main');
  const judgement = await page.content();
  assert.match(judgement, /shop\.example/);
  for (const secret of [...secrets, password]) assert.ok(!judgement.includes(secret), 'what is secret stays where it is');
  found.push(...await panel.judged(page, 'hand-in-found'));
  await page.click('button.main');
  const thanks = await page.innerText('main');
  found.push(...await panel.judged(page, 'hand-in-done'));

  // The same address again, and any other page.
  await page.goto(path);
  const again = await page.innerText('main');
  await page.goto('/sites');
  assert.match(page.url(), /\/sign-in\?back=/);
  assert.ok(!(await page.content()).includes('shop.example'));
  const refused = page.refused.filter((line) => !/(409|422|404)/.test(line));
  return { found, refused, thanks, again };
}

// What is written in German, without a script.
async function german(panel, { path }) {
  const page = await panel.visitor({ javaScriptEnabled: false, locale: 'de-DE' });
  await page.goto(path);
  assert.equal(await page.getAttribute('html', 'lang'), 'de');
  return { text: await page.innerText('main') };
}

// An operator makes a link at the panel, and takes what was handed in by another.
async function operate(panel, { site, note }) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  await page.goto('/links');
  await panel.shot(page, 'links');
  await page.click('form[action$="/accept"] button');
  const states = await page.locator('tbody .mark').allInnerTexts();
  await page.fill('#site', 'slip.example');
  await page.fill('#note', note);
  await page.click('button.main:text("Make")');
  assert.match(await page.innerText('.trouble'), /slip\.example/);
  assert.equal(await page.inputValue('#note'), note);
  await page.fill('#site', site);
  await page.click('button.main:text("Make")');
  const path = await page.innerText('.notice a');
  await page.goto('/links');
  assert.ok(!(await page.content()).includes(path), 'it is shown once');
  return { path, states };
}

await run({ handIn, german, operate });
