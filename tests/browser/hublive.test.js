// Tests the hub's pages over time and by the keyboard: every page and action without a mouse, two
// tabs, a hub that is killed and comes back, figures that expire while somebody looks, publishing by
// itself, roles, hostile names in everything that is done.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HubPages, PASSWORD, titles } from './hubpages.js';
import { BAKEN, EVIL, HAVEN, reads, START } from './look.js';

const lab = new HubPages();
const main = (on) => lab.main(on);
const whole = (on) => lab.whole(on);
const banner = (on = lab.page) => on.locator('.banner');

before(() => lab.begin());
after(() => lab.end());

// ---- the keyboard alone ----

// What has the focus, as a screen reader would say it, and whether it can be seen.
const focused = () => lab.page.evaluate(() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return {
    tag: at.tagName,
    name: (at.getAttribute('aria-label') ?? (at.labels?.[0] ?? at).textContent).trim(),
    seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 && box.width > 0 && box.bottom > 0 && box.right > 0,
    top: Math.round(box.top + scrollY),
  };
});

// Tab, until what has this name has the focus; everything on the way shows that it has it.
async function tabTo(name, key = 'Tab') {
  const met = [];
  for (let i = 0; i < 60; i++) {
    await lab.page.keyboard.press(key);
    const at = await focused();
    if (at.tag === 'BODY') continue;
    met.push(at);
    assert.ok(at.seen, `the focus cannot be seen on ${at.tag} ${at.name}`);
    if (at.name === name) return met;
  }
  return assert.fail(`no way by ${key} to ${name}: ${met.map((at) => at.name).join(', ')}`);
}

const press = (key) => lab.page.keyboard.press(key);
const type = (text) => lab.page.keyboard.type(text);

test('the keyboard alone: a first password, then the skip link and all four pages', async () => {
  await lab.open();
  const { page } = lab;
  await page.goto(lab.url(`/${await lab.invite('balie')}`));
  await page.getByRole('heading', { name: 'Kies een wachtwoord' }).waitFor();
  assert.equal((await focused()).name, 'Nieuw wachtwoord');
  await type('kort');
  await press('Enter');
  await reads(main(), 'Vul dit in.');
  assert.equal((await focused()).name, 'Nog een keer', 'the focus goes to what is missing');
  await type('kort');
  await press('Enter');
  await reads(main(), 'Te kort');
  assert.equal((await focused()).name, 'Nieuw wachtwoord');
  await press('Control+A');
  await type(PASSWORD);
  await tabTo('Nog een keer');
  await press('Control+A');
  await type(PASSWORD);
  await press('Enter');
  await reads(page.locator('main h1'), titles.nl.home);
  await page.reload();
  await reads(page.locator('main h1'), titles.nl.home);
  await press('Tab');
  assert.equal((await focused()).name, 'Naar de inhoud');
  await press('Enter');
  assert.equal((await focused()).tag, 'MAIN');
  await tabTo('Voor de beheerder');
  await page.reload();
  await reads(page.locator('main h1'), titles.nl.home);
  for (const [label, title] of [['Verloop', titles.nl.trend], ['Netwerk', titles.nl.network], ['Gebruikers', titles.nl.users], ['Overzicht', titles.nl.home]]) {
    await tabTo(label);
    await press('Enter');
    await reads(page.locator('main h1'), title);
    assert.equal((await focused()).tag, 'MAIN', 'the focus goes to what is new');
    await tabTo('Naar de inhoud', 'Shift+Tab');
  }
});

test('the keyboard alone: the order is that of the page', async () => {
  await lab.go('trend');
  await lab.page.reload();
  await reads(main(), 'Nachtopvang, Hele netwerk');
  const met = await tabTo('Periode');
  assert.deepEqual(met.map((at) => at.name), ['Naar de inhoud', 'Overzicht', 'Verloop', 'Netwerk', 'Gebruikers', 'balie', 'Uitloggen', 'Taal', 'Voor de beheerder', 'Voorziening', 'Regio', 'Periode']);
});

test('the keyboard alone: which figures, which days, publishing, the language', async () => {
  const { page } = lab;
  await press('ArrowDown');
  await reads(main(), 'Nachtopvang, Hele netwerk');
  assert.equal(await page.getByLabel('Periode').inputValue(), '90');
  await tabTo('Regio', 'Shift+Tab');
  await press('ArrowDown');
  await reads(main(), 'Nachtopvang, noord');
  await tabTo('Voorziening', 'Shift+Tab');
  await press('ArrowDown');
  await reads(main(), 'Veilige opvang, ');
  await tabTo('Overzicht', 'Shift+Tab');
  await press('Enter');
  await reads(page.locator('main h1'), titles.nl.home);
  await tabTo('Voor de beheerder');
  await press('ArrowDown');
  await reads(main(), 'Er is nog niets gepubliceerd.');
  await tabTo('Nu publiceren');
  await press('Space');
  await reads(main(), 'Gepubliceerd.');
  await reads(whole(), '9–11');
  await reads(main(), 'Laatst gepubliceerd: ');
  assert.equal((await focused()).name, 'Nu publiceren', 'the focus stays where it was');
  await tabTo('Zoals gepubliceerd', 'Shift+Tab');
  await press('ArrowUp');
  await reads(whole(), '3 van 4 locaties');
  await tabTo('Taal', 'Shift+Tab');
  await press('ArrowDown');
  await reads(page.locator('main h1'), titles.en.home);
  assert.equal((await focused()).name, 'Language');
  await press('ArrowUp');
  await reads(page.locator('main h1'), titles.nl.home);
});

// Closes the box that shows a link or a token once.
async function handOver(title) {
  await reads(lab.page.locator('dialog'), title);
  const secret = await lab.page.locator('dialog input').inputValue();
  await press('Escape');
  await lab.page.locator('dialog').waitFor({ state: 'detached' });
  return secret;
}

test('the keyboard alone: users and programs, own password, out and in', async () => {
  const { page } = lab;
  await lab.go('users');
  await page.reload();
  await reads(page.locator('main h1'), titles.nl.users);
  await tabTo('Naam');
  await press('Enter');
  await reads(main(), 'Vul dit in.');
  await type('kijker');
  await press('Enter');
  assert.match(await handOver('Link voor kijker'), /#invite=/);
  assert.deepEqual(await page.getByLabel('Rol van kijker').locator('option').allTextContents(), ['kijken', 'beheren']);
  await tabTo('Rol van kijker', 'Shift+Tab');
  await press('ArrowDown');
  await page.waitForFunction(() => document.querySelector('select[aria-label="Rol van kijker"]:focus')?.value === 'admin');
  await tabTo('Nieuw wachtwoord voor kijker');
  await press('Enter');
  await handOver('Link voor kijker');
  await tabTo('kijker verwijderen');
  await press('Enter');
  await reads(page.locator('dialog'), 'kan niet meer inloggen');
  await tabTo('Verwijderen');
  await press('Enter');
  await page.getByLabel('Rol van kijker').waitFor({ state: 'detached' });
  await tabTo('Naam van het programma');
  await type('rapport');
  await press('Enter');
  const token = await handOver('Sleutel van rapport');
  const asProgram = () => fetch(lab.url('/v1/members'), { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await asProgram()).status, 200);
  await page.reload();
  await reads(main(), 'rapport');
  await tabTo('rapport verwijderen');
  await press('Enter');
  await tabTo('Verwijderen');
  await press('Enter');
  await reads(main(), 'Er zijn geen sleutels.');
  assert.equal((await asProgram()).status, 401);
  await page.reload();
  await reads(main(), 'Er zijn geen sleutels.');
  await tabTo('balie');
  await press('Enter');
  await reads(page.locator('main h1'), 'Ander wachtwoord');
  await tabTo('Huidig wachtwoord');
  await type(PASSWORD);
  await tabTo('Nieuw wachtwoord');
  await type(`${PASSWORD} erbij`);
  await tabTo('Nog een keer');
  await type(`${PASSWORD} erbij`);
  await press('Enter');
  await reads(main(), 'Uw wachtwoord is veranderd.');
  await tabTo('Uitloggen', 'Shift+Tab');
  await press('Enter');
  await reads(page.locator('main h1'), 'Inloggen');
  assert.equal((await focused()).name, 'Gebruikersnaam');
  await lab.accessible('log-in');
  await lab.shot('hub-login');
  await type('balie');
  await tabTo('Wachtwoord');
  await type('iets heel anders');
  await press('Enter');
  await reads(main(), 'klopt niet');
  await press('Control+A');
  await type(`${PASSWORD} erbij`);
  await press('Enter');
  await reads(page.locator('main h1'), titles.nl.home);
  assert.deepEqual(lab.faults, []);
});

// ---- two tabs ----

test('two tabs: what is published in one stands in the other, and out is out in both', async () => {
  await lab.go('home');
  const other = await lab.tab();
  await lab.go('home', other);
  await other.getByLabel('Zoals gepubliceerd').check();
  await reads(whole(other), '9–11');
  for (const [name, free] of [[HAVEN, 8], [BAKEN, 8], [START, 1]]) await lab.set(name, 'night-shelter', `free=${free}`, 'occupied=1');
  await reads(whole(), '17–18');
  await lab.page.getByLabel('Zoals gepubliceerd').check();
  await reads(whole(), '9–11');
  await lab.page.getByRole('button', { name: 'Nu publiceren' }).click();
  await reads(whole(), '17–18');
  await reads(whole(other), '17–18');
  await lab.page.getByLabel('Voor de beheerder').check();
  await lab.page.getByRole('button', { name: 'Uitloggen' }).click();
  await reads(lab.page.locator('main h1'), 'Inloggen');
  await reads(other.locator('main h1'), 'Inloggen');
  await other.close();
});

test('who may only read sees everything and can change nothing', async () => {
  await lab.context.close();
  await lab.open();
  await lab.enter('lezer', 'viewer');
  assert.equal(await lab.page.getByRole('link', { name: 'Gebruikers' }).count(), 0);
  await lab.page.getByLabel('Zoals gepubliceerd').check();
  await reads(whole(), '17–18');
  assert.equal(await lab.page.getByRole('button', { name: 'Nu publiceren' }).count(), 0);
  await lab.page.getByLabel('Voor de beheerder').check();
  assert.deepEqual(lab.faults, []);
});

// ---- a hub that goes and comes ----

test('the hub is killed: the page says so and of when the picture is, and comes back by itself', async () => {
  await lab.go('home');
  await reads(whole(), '17–18');
  const hub = lab.net.running.get('hub');
  lab.net.running.delete('hub');
  const gone = new Promise((resolve) => { hub.once('exit', resolve); });
  hub.kill('SIGKILL');
  await gone;
  await reads(banner(), /Plek antwoordt niet\. Wat u ziet is van .*\d\d:\d\d/);
  await reads(whole(), '17–18');
  await lab.shot('hub-lost');
  await lab.accessible('lost');
  await lab.net.startHub();
  await lab.page.waitForFunction(() => document.querySelector('.banner').textContent === '');
  await lab.set(HAVEN, 'night-shelter', 'free=18', 'occupied=1');
  await reads(whole(), '27–28');
  await lab.go('network');
  await reads(main(), HAVEN);
  assert.equal(await lab.page.locator('header').getByText('lezer').count(), 1, 'still logged in');
  assert.deepEqual(lab.faults, []);
});

test('removed while the hub was away: the page asks for a log-in', async () => {
  await lab.net.stop('hub');
  await reads(banner(), 'Plek antwoordt niet.');
  await lab.hub('user', 'remove', 'lezer');
  await lab.net.startHub();
  await reads(lab.page.locator('main h1'), 'Inloggen');
});

// ---- time ----

test('a figure expires while the page is open: unknown, and by name whose', async () => {
  await lab.context.close();
  await lab.open();
  await lab.page.clock.install();
  await lab.enter('nacht', 'admin');
  await reads(whole(), '3 van 4 locaties actueel, 0 verlopen');
  await lab.set(BAKEN, 'night-shelter', 'free=5', 'occupied=2', '--valid', '20s');
  await reads(whole(), '24–25');
  await lab.net.stop(BAKEN);
  const said = lab.page.locator('section.service').first().locator('.names');
  // The page asks each minute, as nobody sends anything when a figure expires. Its clock is moved on.
  const expired = `${BAKEN} (1 verlopen, 0 actueel)`;
  for (let i = 0; i < 60 && !(await said.allTextContents()).join().includes(expired); i++) {
    await lab.page.clock.fastForward(60000);
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
  await reads(said, expired);
  await reads(whole(), '2 van 4 locaties actueel, 1 verlopen, 1 nooit gemeld');
  await reads(whole(), '19–20');
  await reads(lab.page.locator('.never'), EVIL);
  await lab.shot('hub-expired');
  await lab.accessible('expired');
  await lab.go('network');
  await reads(lab.page.locator('tr').filter({ hasText: BAKEN }), 'Niet verbonden');
});

test('the hub publishes by itself, and the page says when it will again', async () => {
  await lab.configure('publish.every = 1h');
  await lab.go('home');
  await lab.page.getByLabel('Zoals gepubliceerd').check();
  await reads(main(), /Laatst gepubliceerd: .*\. Volgende keer: /);
  await lab.shot('hub-schedule');
  await lab.page.getByLabel('Voor de beheerder').check();
  assert.equal(await lab.page.evaluate(() => window.pwned), undefined);
  assert.deepEqual(lab.faults, []);
});
