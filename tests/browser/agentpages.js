// Owns what the tests of the agent's pages share: a hub, our agent and three partners, somebody logged
// in, and how a page is looked at. The bindings `page` and its like change before each test.
import assert from 'node:assert/strict';
import { after, before, beforeEach } from 'node:test';
import { freePort } from './front.js';
import { BAKEN, bin, charter, checkAccess, EVIL, HAVEN as US, launch, picture, START } from './look.js';
import { Network } from './network.js';

export const pages = ['room', 'capacity', 'sharing', 'network'];
export const titles = { nl: ['Plek nu', 'Onze capaciteit', 'Wat anderen zien', 'Netwerk'], en: ['Room now', 'Our capacity', 'What others see', 'Network'] };

export const PASSWORD = 'vier rustige woorden samen';
export const users = { admin: 'beheer', editor: 'balie', viewer: 'gast' };

export let net, browser, at; // at: where our agent's own screens are
export let cookies; // role -> its session
export let context, page, faults;

async function makeNetwork() {
  net = new Network(bin, charter);
  await net.makeHub('Noord');
  for (const name of [US, BAKEN, START, EVIL]) await net.add(name);
  for (const name of [US, BAKEN, START]) for (const other of [US, BAKEN, START]) if (other !== name) await net.at(name, ['partner', 'approve', other]);
  await net.at(EVIL, ['partner', 'approve', US]);
  await net.at(BAKEN, ['site', 'set', BAKEN, '--region', 'noord', '--phone', '+31 50 000 0002', '--hours', 'ma-zo 8-22']);
  await net.at(START, ['site', 'set', START, '--region', 'oost', '--phone', '+31 50 000 0003']);
  const to = (members, precision) => [{ name: 'kring', members, services: ['*'], precision }];
  await net.policy(BAKEN, to([US], 'exact'));
  await net.policy(START, to([US], 'band'));
  await net.policy(EVIL, to([US], 'exact'));
  await net.policy(US, [{ name: 'partners', members: [BAKEN, START], services: ['*'], precision: 'exact' }]);
  await set(BAKEN, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', 'group=adults');
  await set(BAKEN, 'safe-place', 'free=0', 'occupied=6', 'status=full', 'note=bel eerst');
  await set(START, 'night-shelter', 'free=2', 'status=consult');
  await ours();
}

export const set = (name, service, ...rest) => net.at(name, ['set', service, ...rest, '--site', name]);

// Our own figures as the tests expect them at their beginning.
export async function ours() {
  await set(US, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting');
  await set(US, 'safe-place', 'total=6', 'occupied=6', 'held=0', 'blocked=0', 'status=full');
}

before(async () => {
  await makeNetwork();
  at = (await net.configure(US, `web.listen = "127.0.0.1:${await freePort()}"`)).web;
  cookies = {};
  for (const [role, user] of Object.entries(users)) cookies[role] = await net.logIn(US, user, role, PASSWORD);
  browser = await launch('--host-resolver-rules=MAP *.test 127.0.0.1');
});

after(async () => {
  await browser?.close();
  await net?.end();
});

// A browser of somebody with this role; null: of nobody yet.
export async function begin(options = {}, role = 'admin') {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'nl-NL', timezoneId: 'Europe/Amsterdam', ...options });
  context.setDefaultTimeout(15000);
  if (role) await context.addCookies([cookies[role]]);
  faults = [];
  page = await tab();
}

// Whatever a page throws, or the content policy refuses, is a fault.
export async function tab() {
  const made = await context.newPage();
  made.on('pageerror', (error) => faults.push(String(error)));
  made.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR|Cross-Origin-Opener-Policy/.test(message.text())) faults.push(message.text());
  });
  return made;
}

export const go = async (id, on = page, from = at) => {
  await on.goto(`${from}/#/${id}`);
  await on.locator('main h1').waitFor();
};

beforeEach(() => begin());
export const fine = () => assert.deepEqual(faults, []);

export const button = (where, name) => where.getByRole('button', { name, exact: true });
export const line = (name, on = page) => on.locator('article.line').filter({ has: on.getByRole('heading', { name, exact: true }) });
export const row = (who, service) => page.locator('tbody tr').filter({ hasText: who }).filter({ hasText: service });
export const night = () => row(BAKEN, 'Nachtopvang');
export const nightSays = (...more) => set(BAKEN, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', 'group=adults', ...more);

export const shot = (name, on = page) => picture(on, name, false);
export const accessible = (what) => checkAccess(page, what);
