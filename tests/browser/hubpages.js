// Owns what the tests of the hub's pages share: a hub with three providers that report and one that
// never does, somebody logged in at the hub's own listener, and how a page is looked at.
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Network } from './network.js';

const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '../..');
const bin = process.env.PLEK_BIN_DIR ?? join(root, 'build/dev');
const shots = process.env.PLEK_SHOTS; // a folder: write what the pages look like there
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const HAVEN = 'De Haven';
export const BAKEN = 'Het Baken';
export const START = 'Nieuwe Start';
export const EVIL = '<img src=x onerror="window.pwned=1">';
export const PASSWORD = 'een lange zin van woorden';
export const titles = {
  nl: { home: 'Beschikbaar in het netwerk', trend: 'Verloop', network: 'Netwerk', users: 'Gebruikers' },
  en: { home: 'Available in the network', trend: 'Over time', network: 'Network', users: 'Users' },
};
const DAYS = 20; // of past figures

export class HubPages {
  constructor() {
    this.net = new Network(bin, join(root, 'docs/examples/charter-shelters-homes.json'));
  }

  hub(...args) { return this.net.command('plek-hub', [...args, '--dir', this.net.hubDir]); }

  url(path = '/') { return `http://${this.net.hubAt}${path}`; }

  set(name, service, ...rest) { return this.net.at(name, ['set', service, ...rest, '--site', name]); }

  async begin() {
    const { net } = this;
    await net.makeHub('Noord');
    for (const name of [HAVEN, BAKEN, START, EVIL]) await net.add(name);
    await Promise.all([[HAVEN, 'noord'], [BAKEN, 'noord'], [START, 'oost']].map(async ([name, region]) => {
      await net.at(name, ['site', 'set', name, '--region', region]);
    }));
    for (const [name, precision] of [[HAVEN, 'exact'], [BAKEN, 'exact'], [START, 'band']]) // one file for all
      await net.policy(name, [{ name: 'hub', members: ['@hub'], services: ['*'], precision, history: true }]);
    await Promise.all([[HAVEN, 4], [BAKEN, 2], [START, 3]].map(async ([name, free]) => {
      await this.past(name, free);
      await this.set(name, 'night-shelter', `free=${free}`, `occupied=${20 - free}`, 'status=admitting');
    }));
    await this.set(HAVEN, 'safe-place', 'free=0', 'occupied=6', 'status=full');
    this.browser = await chromium.launch({ executablePath: process.env.PLEK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  }

  // One figure for each of the last days but one of them, as an own history that is read again.
  past(name, free) {
    const at = (i) => `${new Date(Date.now() - i * 86400000).toISOString().slice(0, 10)}T11:00:00Z`;
    const rows = [];
    for (let i = DAYS; i > 0; i--)
      if (i !== 9) rows.push([name, '', 'night-shelter', '', '', '', free + (i * 7) % 5, '', '', '', 'admitting', at(i), `${at(i - 1).slice(0, 10)}T10:00:00Z`].join(','));
    const file = join(this.net.dir, `past-${this.net.dirOf(name).slice(-1)}.csv`);
    writeFileSync(file, `site,ward,service,total,occupied,x,free,held,blocked,need,status,observed_at,valid_until\n${rows.join('\n')}\n`);
    return this.net.at(name, ['import', file, '--profile', join(root, 'docs/examples/profile-own-history.json'), '--history']);
  }

  async end() {
    await this.browser?.close();
    await this.net.end();
  }

  // hub.conf gets these lines; the hub begins anew with them.
  async configure(...lines) {
    await this.net.stop('hub');
    appendFileSync(join(this.net.hubDir, 'hub.conf'), `\n${lines.join('\n')}\n`);
    await this.net.startHub();
  }

  async invite(name, role = 'admin') {
    return /#invite=[\w-]+/.exec(await this.hub('user', 'add', name, '--role', role))[0];
  }

  // A browser of its own. Whatever its pages throw, or the content policy refuses, is a fault.
  async open(options = {}) {
    this.context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'nl-NL', timezoneId: 'Europe/Amsterdam', ...options });
    this.context.setDefaultTimeout(30000);
    this.faults = [];
    this.page = await this.tab();
  }

  async tab() {
    const made = await this.context.newPage();
    made.on('pageerror', (error) => this.faults.push(String(error)));
    made.on('console', (message) => {
      if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) this.faults.push(message.text());
    });
    return made;
  }

  // With a password of its own, by a new user's link.
  async enter(name, role) {
    const link = await this.invite(name, role);
    await this.page.goto(this.url(`/${link}`));
    for (const field of await this.page.locator('input[type=password]').all()) await field.fill(PASSWORD);
    await this.page.locator('form button').click();
    await this.page.getByRole('heading', { level: 1, name: titles.nl.home }).waitFor();
  }

  async go(id, on = this.page) {
    await on.goto(this.url(`/#/${id}`));
    await on.locator('main h1').waitFor();
  }

  main(on = this.page) { return on.locator('main'); }

  // The whole network's row of the first service.
  whole(on = this.page) { return on.locator('section.service tbody tr').first(); }

  async shot(name, on = this.page) {
    if (!shots) return;
    mkdirSync(shots, { recursive: true });
    await on.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
  }

  async accessible(what, on = this.page) {
    await on.evaluate(axe);
    const found = await on.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target).join(' ')}`), []);
  }
}

// Waits until the text is there; says what stood there when it does not come.
export async function reads(locator, wanted, seconds = Number(process.env.PLEK_BROWSER_WAIT ?? 60)) {
  let text = '';
  for (const until = Date.now() + seconds * 1000; Date.now() < until;) {
    text = await locator.textContent({ timeout: 1000 }).catch(() => '');
    if (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted)) return text;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  return assert.fail(`waited in vain for ${wanted}, found: ${text}`);
}
