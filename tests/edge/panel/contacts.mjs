// What an operator does about who is told.

import assert from 'node:assert/strict';
import { run, signIn } from './browser.mjs';

// Another address and other events for who is told; a slip is told beside the form, and what was typed stays.
async function change(panel, { who, name, mail, wrong, renamed }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  await page.goto('/contacts');
  await page.click(`tr:has(th:text-is("${name}")) a.button`);
  const [link, language] = [page.url(), await page.inputValue('#language')];
  await page.fill('#name', renamed);
  // A browser would not let it go; whoever has another might.
  await page.locator('#mail').evaluate((field) => { field.type = 'text'; });
  await page.fill('#mail', wrong);
  await page.check('input[name=event][value=expired]');
  await page.selectOption('#language', 'de');
  await page.click('main button.main');
  const trouble = await page.innerText('.trouble');
  assert.equal(await page.inputValue('#name'), renamed);
  assert.ok(await page.isChecked('input[name=event][value=expired]'));
  await page.fill('#mail', mail);
  await page.check('input[name=event][value=mismatch]');
  await page.click('main button.main');
  await page.waitForURL(/done=contact-changed/);
  const row = (await page.innerText(`tr:has(th:text-is("${renamed}"))`)).replace(/\s+/g, ' ');

  // As people see it who have a script, in both languages.
  const found = [];
  for (const locale of ['en-GB', 'de-DE']) {
    const visitor = await signIn(panel, { locale }, who);
    await visitor.goto(link);
    found.push(...await panel.judged(visitor, `contact-${locale}`));
  }
  return { trouble, row, language, found };
}

await run({ change });
