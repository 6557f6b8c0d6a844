// A browser at the panel: what every journey needs.
//
// The panel is reached as an operator reaches it from elsewhere, through a port that leads to admin.sock (`ssh -L`).

import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.env.NODE_PACKAGES, 'package.json'));
const { chromium } = require('playwright-core');
const axe = require('axe-core');

// A port that leads to a socket in the file system, or to an address.
function forward(socket) {
  const [, host, port] = socket.match(/^([\d.]+):(\d+)$/) || [];
  const server = createServer((client) => {
    const edge = host ? connect(Number(port), host) : connect(socket);
    client.pipe(edge).pipe(client);
    for (const end of [client, edge]) end.on('error', () => { client.destroy(); edge.destroy(); });
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

export class Panel {
  constructor(browser, server, shots, origin) {
    Object.assign(this, { browser, server, shots, origin });
  }

  static async open(socket, shots) {
    // Over the network, where one signs in, as an address.
    const server = socket.startsWith('http://') ? undefined : await forward(socket);
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    if (shots) mkdirSync(shots, { recursive: true });
    return new Panel(browser, server, shots, server ? `http://127.0.0.1:${server.address().port}` : socket);
  }

  // A visitor who has never been here.
  async visitor(options = {}) {
    const context = await this.browser.newContext({ locale: 'en-GB', baseURL: this.origin, ...options });
    context.setDefaultTimeout(60_000);
    const page = await context.newPage();
    page.refused = [];
    page.on('console', (message) => { if (message.type() === 'error') page.refused.push(message.text()); });
    page.on('pageerror', (error) => page.refused.push(String(error)));
    page.on('dialog', (dialog) => { page.refused.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(this.origin) && !url.startsWith('data:')) page.refused.push(`request to ${url}`);
    });
    return page;
  }

  async shot(page, name) {
    if (this.shots) await page.screenshot({ path: join(this.shots, `${name}.png`), fullPage: true });
  }

  // What axe has against the page in both colours.
  async judged(page, name) {
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe.source);
      const { passes, violations } = await page.evaluate(() => globalThis.axe.run());
      assert.ok(passes.length > 10, `${name}: axe has looked at it`);
      for (const violation of violations) {
        found.push(`${name} (${colorScheme}): ${violation.id}: ${violation.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`);
      }
      await this.shot(page, `${name}-${colorScheme}`);
    }
    // On a telephone nothing goes beyond the page's edge.
    const wide = page.viewportSize();
    await page.setViewportSize({ width: 390, height: 844 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) found.push(`${name}: ${over} pixels beyond the edge of a narrow page`);
    await this.shot(page, `${name}-narrow`);
    await page.setViewportSize(wide);
    return found;
  }

  async close() {
    await this.browser.close();
    this.server?.close();
  }
}

// Whoever signs in, and from then on does everything in that session.
export async function signIn(panel, options, { user, password }) {
  const page = await panel.visitor(options);
  await page.goto('/sites');
  assert.match(page.url(), /\/sign-in/);
  await page.fill('input[name=user]', user);
  await page.fill('input[name=password]', password);
  await page.click('form[action="/sign-in"] button');
  await page.waitForURL(/\/sites/);
  return page;
}

// Runs the journey that is asked for: its name, the socket, and what it needs to know, as JSON.
export async function run(journeys) {
  const [name, socket, told] = process.argv.slice(2);
  assert.ok(journeys[name], `there is no journey ${name}`);
  const panel = await Panel.open(socket, process.env.SCREENSHOTS && join(process.env.SCREENSHOTS, name));
  try {
    const result = await journeys[name](panel, JSON.parse(told || '{}'));
    console.log(JSON.stringify(result ?? {}));
  } finally {
    await panel.close();
  }
}
