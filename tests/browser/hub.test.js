// Tests the hub's pages in a real browser, with a real hub and two agents: figures and coverage, who
// expired or never reported, both views, the public page, both languages, a phone's width, hostile
// names, accessibility.
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Network } from './network.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const bin = process.env.PLEK_BIN_DIR ?? join(root, 'build/dev');
const shots = process.env.PLEK_SHOTS; // a folder: write what the pages look like there
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const US = 'De Haven';
const EVIL = '<img src=x onerror="window.pwned=1">';
const PASSWORD = 'een lange zin van woorden';

let net, browser, context, page, faults;

const hub = (...args) => net.command('plek-hub', [...args, '--dir', net.hubDir]);
const url = (path = '/') => `http://${net.hubAt}${path}`;

before(async () => {
  net = new Network(bin, join(root, 'docs/examples/charter-shelters-homes.json'));
  await net.makeHub('Noord');
  for (const name of [US, EVIL]) await net.add(name);
  await net.at(US, ['site', 'set', US, '--region', 'noord']);
  await net.policy(US, [{ name: 'hub', members: ['@hub'], services: ['*'], precision: 'exact' }]);
  await net.at(US, ['set', 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', '--site', US]);
  await hub('user', 'add', 'balie', '--role', 'admin').then((said) => { net.invite = /#invite=[\w-]+/.exec(said)[0]; });
  browser = await chromium.launch({ executablePath: process.env.PLEK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  await open();
  await page.goto(url(`/${net.invite}`));
  for (const field of await page.locator('input[type=password]').all()) await field.fill(PASSWORD);
  await page.locator('form button').click();
  await page.getByRole('heading', { level: 1, name: 'Beschikbaar in het netwerk' }).waitFor();
});

after(async () => {
  await browser?.close();
  await net?.end();
});

async function open(options = {}) {
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'nl-NL', timezoneId: 'Europe/Amsterdam', ...options });
  context.setDefaultTimeout(15000);
  faults = [];
  page = await context.newPage();
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR/.test(message.text())) faults.push(message.text());
  });
}

async function go(id) {
  await page.goto(url(`/#/${id}`));
  await page.locator('main h1').waitFor();
}

async function reads(locator, wanted) {
  let text = '';
  for (let i = 0; i < 150; i++) {
    text = await locator.textContent({ timeout: 1000 }).catch(() => '');
    if (text.includes(wanted)) return text;
    await page.waitForTimeout(100);
  }
  return assert.fail(`waited in vain for ${wanted}, found: ${text}`);
}

async function shot(name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

async function accessible(what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target).join(' ')}`), []);
}

const main = () => page.locator('main');
const whole = () => page.locator('section.service tbody tr').first();

test('overview: figures with a light, coverage beside them, who never reported', async () => {
  await go('home');
  await reads(whole(), '1 van 2 locaties actueel, 0 verlopen, 1 nooit gemeld');
  await reads(whole(), '4');
  assert.equal(await whole().locator('.mark').textContent(), '●');
  await reads(page.locator('.never'), EVIL);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  await shot('hub-home');
  await accessible('home');
});

test('overview: a new figure stands there by itself', async () => {
  await go('home');
  await net.at(US, ['set', 'night-shelter', 'free=9', 'occupied=11', '--site', US]);
  await reads(whole(), '9');
});

test('as published: nothing of fewer than k members is shown', async () => {
  await go('home');
  await page.getByLabel('Zoals gepubliceerd').check();
  await reads(whole(), 'niet gepubliceerd');
  await page.getByRole('button', { name: 'Nu publiceren' }).click();
  await reads(main(), 'Gepubliceerd.');
  await reads(whole(), 'niet gepubliceerd');
  await shot('hub-published');
  await accessible('published');
  await page.getByLabel('Voor de beheerder').check();
  await reads(whole(), '1 van 2 locaties');
});

test('over time and network: a table beside the picture, members, charter, users', async () => {
  await go('trend');
  await reads(main(), 'vandaag, tot nu');
  assert.equal(await page.locator('svg.chart').count(), 1);
  await shot('hub-trend');
  await accessible('trend');
  await go('network');
  await reads(main(), EVIL);
  await reads(main(), 'Verbonden');
  await reads(main(), 'Handvest');
  await shot('hub-network');
  await accessible('network');
  await go('users');
  await reads(main(), 'balie');
  await accessible('users');
});

test('a phone, dark, in English: nothing is wider than the screen', async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: 'dark' });
  await go('home');
  await page.getByLabel('Taal').selectOption('en');
  await reads(main(), 'Available in the network');
  for (const id of ['home', 'trend', 'network', 'users']) {
    await go(id);
    await page.locator('main table').first().waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360, id);
    await shot(`hub-${id}-360`);
    await accessible(`${id} on a phone`);
  }
  assert.deepEqual(faults, []);
});

test('the public page is not there, until the settings say so', async () => {
  assert.equal((await fetch(url('/public'))).status, 404);
  assert.equal((await fetch(url('/public.html'))).status, 404);
  assert.equal((await fetch(url('/v1/public/aggregate'))).status, 404);
  assert.equal((await fetch(url('/v1/published'))).status, 401);
  await net.stop('hub');
  appendFileSync(join(net.hubDir, 'hub.conf'), '\npublic = yes\n');
  await net.startHub();
  await context.close();
  await open();
  await page.goto(url('/public'));
  await reads(main(), 'niet gepubliceerd');
  assert.ok(!(await main().textContent()).includes(US));
  await accessible('public');
  await shot('hub-public');
  assert.deepEqual(faults, []);
});
