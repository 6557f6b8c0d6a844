// Somebody with a role for one organisation.

import assert from 'node:assert/strict';
import { run, signIn } from './browser.mjs';

async function tenant(panel, { who, foreign, for_the_edge: forTheEdge, file, request, own }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  const told = [];
  const look = async (place) => {
    const answer = await page.goto(place);
    // What was asked for is not repeated by whoever does not have it.
    if (answer.status() === 200 && (await page.content()).includes('theirs')) told.push(place);
    return answer.status();
  };
  const offered = await page.locator('header nav a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  for (const place of forTheEdge) {
    assert.ok(!offered.includes(place), `${place} is offered`);
    assert.ok([403, 404].includes(await look(place)), place);
  }
  for (const place of [...offered, ...own, `/requests/${request}`, '/alerts', '/reports/next-daily', '/reports/watched']) {
    assert.equal(await look(place), 200, place);
  }
  await look('/sites');
  assert.deepEqual(await page.locator('tbody th a').allInnerTexts(), ['ours.example']);
  const bar = await page.innerText('.alerts');
  await look('/timeline');
  assert.match(await page.innerText('main'), /ours\.example/);
  await look('/reports/next-daily');
  assert.match(await page.innerText('main'), /ours\.example/);
  const statuses = [];
  for (const place of foreign) statuses.push(await look(place));

  // The next certificate, more validation, a link for whoever brings the one after.
  await page.goto('/certificates/add');
  await page.setInputFiles('#file', file);
  await page.click('button.main');
  await page.click('button.main');
  await page.waitForURL(/done=added/);
  await page.goto('/sites/ours.example');
  await page.selectOption('#level', 'dv');
  await page.click('form[action$="/minimum"] button');
  await page.click('button.main');
  await page.waitForURL(/done=demanded/);
  await page.goto('/links');
  await page.fill('#site', 'ours.example');
  await page.fill('#note', 'for our supplier');
  await page.click('main button.main');
  assert.match(await page.innerText('.notice'), /\/hand-in\//);
  // For another's site he makes none.
  await page.fill('#site', 'theirs.example');
  await page.click('main button.main');
  assert.equal(await page.locator('tbody tr').count(), 1);
  await panel.shot(page, 'links');

  const found = [];
  const visitor = await signIn(panel, {}, who);
  for (const place of ['/sites', '/sites/ours.example', '/alerts']) {
    await visitor.goto(place);
    found.push(...await panel.judged(visitor, `tenant${place.replaceAll('/', '-')}`));
  }
  return { bar, foreign: statuses, told, found };
}

await run({ tenant });
