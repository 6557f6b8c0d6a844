// Somebody with the role admin, who signs in and looks after people.

import assert from 'node:assert/strict';
import { run } from './browser.mjs';

async function office(panel, { user, password }) {
  const page = await panel.visitor();
  const found = [];
  await page.goto('/organisations');
  assert.match(page.url(), /\/sign-in\?back=/);
  await page.fill('input[name=user]', user);
  await page.fill('input[name=password]', password);
  await page.click('main button');
  assert.match(page.url(), /\/organisations$/);
  found.push(...await panel.judged(page, 'organisations'));

  // A slip is told, and what was typed stays.
  await page.fill('#name', 'Shop GmbH');
  await page.fill('#sites', 'slip.example');
  await page.click('button.main');
  assert.match(await page.innerText('.trouble'), /slip\.example/);
  assert.equal(await page.inputValue('#name'), 'Shop GmbH');
  await page.fill('#sites', 'shop.example');
  await page.fill('#country', 'DE');
  await page.click('button.main');
  await page.click('tbody th a');
  found.push(...await panel.judged(page, 'organisation'));
  await page.fill('#name', 'Shop AG');
  await page.fill('#country', 'CH');
  await page.fill('#contacts', 'Anna; anna@shop.example; +41 1');
  await page.click('button.main');
  assert.equal(await page.inputValue('#contacts'), 'Anna; anna@shop.example; +41 1');

  await page.click('nav a[href="/users"]');
  await page.fill('#name', 'ben');
  await page.selectOption('#role', 'read');
  await page.selectOption('#organisation', { label: 'Shop AG' });
  await page.click('button.main');
  const first = (await page.innerText('.notice .mono')).trim();
  found.push(...await panel.judged(page, 'users'));
  await page.goto('/users');
  assert.ok(!(await page.content()).includes(first), 'it is shown once');
  const row = 'tr:has(th:text-is("ben"))';
  assert.match(await page.innerText(row), /read: Shop AG/);
  await page.selectOption(`${row} select[name=role]`, 'operate');
  await page.click(`${row} form[action$="/role"] button`);
  assert.match(await page.innerText(row), /operate: Shop AG/);
  await page.click(`${row} td a.button`);
  assert.equal(await page.locator('select[name=grant] option[selected]').innerText(), 'operate');
  found.push(...await panel.judged(page, 'user'));
  await page.click('form.language button[value=de]');
  found.push(...await panel.judged(page, 'user-de'));
  await page.click('form.language button[value=en]');
  await page.selectOption('select[name=grant]', { label: 'read' });
  await page.click('main button.main');
  assert.match(await page.innerText(row), /read: Shop AG/);
  await page.click(`${row} form[action$="/reset"] button`);
  const oneTime = (await page.innerText('.notice .mono')).trim();
  assert.notEqual(oneTime, first);
  await page.goto('/users');
  await page.fill('#name', 'carl');
  await page.click('button.main');
  await page.goto('/users');
  await page.click('tr:has(th:text-is("carl")) form[action$="/remove"] button');
  assert.equal(await page.locator('tr:has(th:text-is("carl"))').count(), 0);

  // Signed out is signed out.
  await page.click('form[action="/sign-out"] button');
  await page.goto('/users');
  assert.match(page.url(), /\/sign-in/);
  const refused = page.refused.filter((line) => !/(400|409)/.test(line));
  return { found, refused, oneTime };
}

await run({ office });
