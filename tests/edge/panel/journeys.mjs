// What people do at the panel, from the first page to the end.

import assert from 'node:assert/strict';
import { run, signIn } from './browser.mjs';

const PAGES = {
  sites: '/sites',
  certificates: '/certificates',
  add: '/certificates/add',
  requests: '/requests',
  'requests-new': '/requests/new',
  'requests-details': '/requests/new?step=details',
  contacts: '/contacts',
  links: '/links',
  organisations: '/organisations',
  users: '/users',
  alerts: '/alerts',
  rejected: '/rejected',
  timeline: '/timeline',
  reports: '/reports',
  elsewhere: '/elsewhere',
  'reports-watched': '/reports/watched',
  'reports-next': '/reports/next-daily',
  traffic: '/traffic',
  audit: '/audit',
  nowhere: '/nowhere',
};

// Every page, in every language, in light and dark: nothing that keeps anybody out, and nothing that runs and should not.
async function tour(panel, { more = {}, links = [], secrets = [] }) {
  const page = await panel.visitor();
  const found = [];
  const pages = { ...PAGES, ...more };
  for (const language of ['en', 'de']) {
    for (const [name, path] of Object.entries(pages)) {
      await page.goto(path);
      if ((await page.getAttribute('html', 'lang')) !== language) await page.click(`form.language button[value=${language}]`);
      assert.equal(await page.getAttribute('html', 'lang'), language, path);
      assert.equal(new URL(page.url()).pathname, new URL(path, panel.origin).pathname.replace(/^\/$/, '/sites'));
      const content = await page.content();
      for (const secret of secrets) assert.ok(!content.includes(secret), `${path} tells a secret`);
      found.push(...await panel.judged(page, `${name}-${language}`));
    }
  }
  for (const link of links) {
    await page.goto('/sites');
    assert.ok(await page.locator(`.alerts a[href="${link}"]`).count() > 0, `the bar leads to ${link}: ${await page.innerHTML('body')}`);
  }
  await everything(panel, secrets);
  const refused = page.refused.filter((line) => !line.includes('404'));
  return { found, refused };
}

// Follows every link there is, without a script: each leads somewhere, and nothing that is looked at tells a secret.
async function everything(panel, secrets) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  const [seen, next] = [new Set(), ['/']];
  while (next.length > 0) {
    const path = next.pop();
    if (seen.has(path)) continue;
    seen.add(path);
    assert.ok(seen.size < 300, `there is no end of links: ${path}`);
    const answer = await page.request.get(path, { headers: { accept: 'text/html' } });
    assert.equal(answer.status(), 200, path);
    const content = await answer.text();
    for (const secret of secrets) assert.ok(!content.includes(secret), `${path} tells a secret`);
    for (const [, href] of content.matchAll(/<a[^>]* href="(\/[^"#]*)/g)) next.push(href.replaceAll('&amp;', '&').replaceAll('&#38;', '&'));
  }
  assert.ok(seen.size > 15, `${seen.size} links`);
}

// A PFX, from the first page to the certificate that serves, and what a wrong password says.
async function upload(panel, { script, file, password, wrong }) {
  const page = await panel.visitor({ javaScriptEnabled: script });
  let steps = 0;
  const step = async (done) => { steps += 1; await done; };
  await step(page.goto('/'));
  assert.match(page.url(), /\/sites$/);
  // A slip first; it costs nothing and is told beside the form.
  await page.goto('/certificates/add');
  await page.setInputFiles('#file', file);
  await page.fill('#password', wrong);
  await page.click('button.main');
  const trouble = await page.innerText('.trouble');
  assert.match(trouble, /password/);
  await page.goto('/sites');

  await step(page.click('nav a[href="/certificates/add"]'));
  await step(page.setInputFiles('#file', file));
  await step(page.fill('#password', password));
  await step(page.click('button.main'));
  assert.match(page.url(), /\/certificates\/add\/[0-9a-f]{32}/);
  const judgement = await page.content();
  assert.match(judgement, /shop\.example/);
  assert.ok(!judgement.includes('PRIVATE KEY') && !judgement.includes(password), 'what is secret stays where it is');
  if (script) await panel.shot(page, 'judgement');
  await step(page.click('button.main'));
  assert.match(page.url(), /\/certificates\/[0-9a-f]{64}\?done=added/);
  assert.match(await page.innerText('.notice'), /live/);
  assert.deepEqual(page.refused.filter((line) => !line.includes('422')), []);
  return { steps };
}

async function confirmed(page) {
  await page.click('button.main');
  await page.click('button.main');
  await page.waitForURL(/done=added/);
}

async function apart(panel, { certificate, key }) {
  const page = await panel.visitor();
  await page.goto('/certificates/add');
  await page.click('summary >> nth=0');
  await page.setInputFiles('#certificate', certificate);
  await page.setInputFiles('#key', key);
  await confirmed(page);
}

async function paste(panel, { text }) {
  const page = await panel.visitor();
  await page.goto('/certificates/add');
  await page.click('summary >> nth=1');
  await page.fill('#text', text);
  await confirmed(page);
}

async function rollback(panel) {
  const page = await panel.visitor();
  await page.goto('/certificates');
  await page.click('tbody th a');
  await page.click('form[action$="/rollback"] button');
  await page.waitForURL(/done=went-back/);
  await panel.shot(page, 'certificate');
}

async function switching(panel, { site }) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  await page.goto(`/sites/${site}`);
  await page.click('a[href$="switch?to=self-signed"]');
  assert.match(await page.innerText('tbody'), /own authority/);
  await panel.shot(page, 'switch');
  await page.click('button.main');
  await page.waitForURL(/done=switched/);
  const source = async () => (await page.innerText('#switch + .table tr:has(.mark) th')).trim();
  const switched = await source();
  await page.click('form[action$="/unswitch"] button');
  await page.waitForURL(/done=switched/);
  return { switched, back: await source() };
}

// Reports without a script: as they would go out, one that is made now, the switch of a URL with its reason, the downloads.
async function reports(panel, { host }) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  await page.goto('/reports');
  const listed = async () => (await page.innerText('table[aria-labelledby=next] tbody tr >> nth=0')).trim();
  const before = await listed();
  await page.click('nav a[href="/reports"]');
  await page.click('a[href="/reports/watched"]');
  await page.fill('#q', host);
  await page.click('form.filter button');
  const row = () => page.locator('tbody tr', { hasText: host });
  assert.equal(await page.locator('tbody tr').count(), 1);
  await row().locator('input[name=reason]').fill('  ');
  await row().locator('form.row button').click();
  assert.match(await page.innerText('.trouble'), /reason/);
  await row().locator('input[name=reason]').fill('moved to <b>another</b> provider');
  await row().locator('form.row button').click();
  assert.match(await page.innerText('.notice'), /leave the URL out/);
  assert.match(await row().innerText(), /moved to <b>another<\/b> provider/);
  await panel.shot(page, 'reports-switched');
  await page.goto('/reports');
  const after = await listed();
  await page.locator('table[aria-labelledby=next] tr', { hasText: 'Daily' }).locator('button').click();
  assert.match(await page.innerText('.notice'), /on its way/);
  await panel.shot(page, 'report-made');
  const made = { url: new URL(page.url()).pathname, lines: await page.innerText('table[aria-labelledby=lines]'), mail: await page.innerText('pre') };
  const downloads = {};
  for (const kind of ['csv', 'json']) {
    const answer = await page.request.get(`${made.url}/${kind}`);
    assert.match(answer.headers()['content-disposition'], new RegExp(`attachment; filename="[a-z0-9-]+\\.${kind}"`));
    downloads[kind] = await answer.text();
  }
  await page.goto('/reports/watched');
  await row().locator('form.row button').click();
  assert.match(await page.innerText('.notice'), /again/);
  return { before, after, made, downloads };
}

// A URL that others serve: a slip is told beside the form, one is added, looked at, left alone and forgotten, each with a reason.
async function elsewhere(panel, { url, own }) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  await page.goto('/reports');
  await page.click('a[href="/elsewhere"]');
  const add = async (address) => {
    await page.fill('#url', address);
    await page.fill('#reason', 'our <i>provider</i>');
    await page.click('button.main');
  };
  await add(own);
  assert.match(await page.innerText('.trouble'), /host of the site/);
  assert.equal(await page.inputValue('#url'), own);
  await add(url);
  assert.match(await page.innerText('.notice'), /watched from now on/);
  const row = () => page.locator('tbody tr', { hasText: url });
  await row().locator('form[action$="/look"] button').click();
  const state = (await row().locator('.mark').innerText()).trim();
  assert.match(await row().innerText(), /our <i>provider<\/i>/);
  await panel.shot(page, 'elsewhere');
  await row().locator('input[name=reason]').fill('later');
  await row().locator('button[formaction$="/watched"]').click();
  assert.match(await row().innerText(), /left out/);
  await row().locator('input[name=reason]').fill('for good');
  await row().locator('button.danger').click();
  assert.match(await page.innerText('.notice'), /no more/);
  assert.equal(await row().count(), 0);
  return { state };
}

async function request(panel, { site, company }) {
  const page = await panel.visitor();
  await page.goto('/requests');
  await page.click('a.main');
  await page.check(`input[name=site][value="${site}"]`);
  await page.click('button.main');
  // A slip in one field is told at that field, and the others stay.
  for (const [field, value] of Object.entries(company)) await page.fill(`#${field}`, value);
  await page.fill('#country', 'Germany');
  await page.click('button.main');
  assert.match(await page.innerText('#country-mistake'), /two/i);
  assert.equal(await page.inputValue('#organisation'), company.organisation);
  await page.fill('#country', company.country);
  await page.click('button.main');
  await page.waitForURL(/\/requests\/[^/]+\?done=requested/);
  await panel.shot(page, 'request');
  const csr = await page.inputValue('#pem');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('a[href$="/request.csr"]')]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const id = decodeURIComponent(new URL(page.url()).pathname.split('/').pop());
  return { id, csr: csr.trim(), downloaded: Buffer.concat(chunks).toString().trim() };
}

async function answer(panel, { id, wrong, file }) {
  const page = await panel.visitor({ javaScriptEnabled: false });
  await page.goto('/requests');
  await page.click(`a:text-is("${id}")`);
  await page.setInputFiles('#file', wrong);
  await page.click('form[action$="/answer"] button');
  assert.match(await page.innerText('.flaws'), /key/);
  await page.goto(`/requests/${encodeURIComponent(id)}`);
  await page.setInputFiles('#file', file);
  await page.click('form[action$="/answer"] button');
  await page.waitForURL(/\/certificates\/add\//);
  await page.click('button.main');
  await page.waitForURL(/done=completed/);
  return { status: (await page.innerText('dl .mark')).trim() };
}

async function prefilled(panel, { site }) {
  const page = await panel.visitor();
  await page.goto(`/requests/new?site=${site}`);
  const told = {};
  for (const field of ['organisation', 'country', 'names']) told[field] = await page.inputValue(`#${field}`);
  return told;
}

// Goes on with the Tab key alone until something has the focus.
async function tabTo(page, selector) {
  for (let presses = 0; presses < 200; presses += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`the Tab key does not lead to ${selector}`);
}

// A PFX, with the keyboard alone, by somebody who has signed in.
async function keyboard(panel, { who, file, password }) {
  const page = await signIn(panel, {}, who);
  await tabTo(page, 'nav a[href="/certificates/add"]');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/certificates\/add/);
  await tabTo(page, '#file');
  // The window in which files are chosen is the system's.
  await page.setInputFiles('#file', file);
  await tabTo(page, '#password');
  await page.keyboard.type(password);
  await tabTo(page, 'main button.main');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/certificates\/add\/[0-9a-f]{32}/);
  await tabTo(page, 'main button.main');
  await page.keyboard.press('Enter');
  await page.waitForURL(/done=added/);
  assert.deepEqual(page.refused, []);
}

// What an operator does in a session, without a script: each form holds the session's token.
async function session(panel, { who, site, proof }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  const notice = async (done) => { await page.waitForURL(new RegExp(`done=${done}`)); return page.innerText('.notice'); };
  // The file by which Apple sees whose the domain is: put, seen, removed.
  await page.goto(`/sites/${site}`);
  await page.setInputFiles('#proof-file', proof);
  await page.fill('#expires', '2099-12-31');
  await page.click('form[action$="/proof"] button');
  await notice('shown');
  const seen = await page.innerText('#proof ~ p');
  await panel.shot(page, 'proof');
  return { seen, url: page.url() };
}

async function removeProof(panel, { who, site }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  await page.goto(`/sites/${site}`);
  await page.click('form[action$="/proof/remove"] button');
  await page.waitForURL(/done=hidden/);
  return { left: await page.locator('form[action$="/proof/remove"]').count() };
}

// The certificate with its key, behind a password.
async function exporting(panel, { who, password }) {
  const page = await signIn(panel, {}, who);
  await page.goto('/certificates');
  await page.click('tbody th a');
  await page.fill('#password', password);
  await page.fill('#again', password);
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('form[action$="/export"] button')]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  return { name: download.suggestedFilename(), pfx: Buffer.concat(chunks).toString('base64') };
}

// Somebody who is told by mail: added, tried, removed.
async function contact(panel, { who, name, mail }) {
  const page = await signIn(panel, { javaScriptEnabled: false }, who);
  await page.goto('/contacts');
  await page.fill('#name', name);
  await page.fill('#mail', mail);
  await page.click('form[action="/contacts"] button');
  await page.waitForURL(/done=contact-made/);
  await page.click('form[action$="/test"] button');
  await page.waitForURL(/done=contact-told/);
  await panel.shot(page, 'contacts');
  await page.click('form[action$="/remove"] button');
  await page.waitForURL(/done=contact-removed/);
  return { left: await page.locator('form[action$="/test"]').count() };
}

await run({ keyboard, session, removeProof, exporting, contact, tour, upload, apart, paste, rollback, switch: switching, request, answer, prefilled, reports, elsewhere });
