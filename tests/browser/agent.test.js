// Tests the agent's pages in a real browser, with a real hub and real agents: every page and action,
// both languages, a phone's width, the keyboard alone, accessibility, hostile text, lost connections.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Front, freePort } from './front.js';
import { Network } from './network.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
const bin = process.env.PLEK_BIN_DIR ?? join(root, 'build/dev');
const shots = process.env.PLEK_SHOTS; // a folder: write what the pages look like there
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const US = 'De Haven';
const BAKEN = 'Het Baken';
const START = 'Nieuwe Start';
const EVIL = '<img src=x onerror="window.pwned=1">';
const pages = ['room', 'capacity', 'sharing', 'network'];
const titles = { nl: ['Plek nu', 'Onze capaciteit', 'Wat anderen zien', 'Netwerk'], en: ['Room now', 'Our capacity', 'What others see', 'Network'] };

const PASSWORD = 'vier rustige woorden samen';
const users = { admin: 'beheer', editor: 'balie', viewer: 'gast' };

let net, browser, at; // at: where our agent's own screens are
let cookies; // role -> its session
let context, page, faults;

async function makeNetwork() {
  net = new Network(bin, join(root, 'docs/examples/charter-shelters-homes.json'));
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

const set = (name, service, ...rest) => net.at(name, ['set', service, ...rest, '--site', name]);

// Our own figures as the tests expect them at their beginning.
async function ours() {
  await set(US, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting');
  await set(US, 'safe-place', 'total=6', 'occupied=6', 'held=0', 'blocked=0', 'status=full');
}

before(async () => {
  await makeNetwork();
  at = (await net.configure(US, `web.listen = "127.0.0.1:${await freePort()}"`)).web;
  cookies = {};
  for (const [role, user] of Object.entries(users)) cookies[role] = await net.logIn(US, user, role, PASSWORD);
  browser = await chromium.launch({ executablePath: process.env.PLEK_CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1'] });
});

after(async () => {
  await browser?.close();
  await net?.end();
});

// A browser of somebody with this role; null: of nobody yet.
async function begin(options = {}, role = 'admin') {
  await context?.close();
  context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'nl-NL', timezoneId: 'Europe/Amsterdam', ...options });
  context.setDefaultTimeout(15000);
  if (role) await context.addCookies([cookies[role]]);
  faults = [];
  page = await tab();
}

// Whatever a page throws, or the content policy refuses, is a fault.
async function tab() {
  const made = await context.newPage();
  made.on('pageerror', (error) => faults.push(String(error)));
  made.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR|Cross-Origin-Opener-Policy/.test(message.text())) faults.push(message.text());
  });
  return made;
}

const go = async (id, on = page, from = at) => {
  await on.goto(`${from}/#/${id}`);
  await on.locator('main h1').waitFor();
};

beforeEach(() => begin());
const fine = () => assert.deepEqual(faults, []);

// Waits for a condition about the page's text, and says what stood there when it does not come.
async function reads(locator, wanted) {
  let text = '';
  for (let i = 0; i < 150; i++) {
    text = await locator.textContent().catch(() => '');
    if (wanted instanceof RegExp ? wanted.test(text) : text.includes(wanted)) return text;
    await page.waitForTimeout(100);
  }
  assert.fail(`waited in vain for ${wanted}, found: ${text}`);
}

const button = (where, name) => where.getByRole('button', { name, exact: true });
const line = (name, on = page) => on.locator('article.line').filter({ has: on.getByRole('heading', { name, exact: true }) });
const row = (who, service) => page.locator('tbody tr').filter({ hasText: who }).filter({ hasText: service });

async function shot(name, on = page) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await on.screenshot({ path: join(shots, `${name}.png`), fullPage: false });
}

async function accessible(what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  assert.deepEqual(found.violations.map((v) => `${what}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target).join(' ')}`), []);
}

// ---- room now ----

test('room: figures at their precision, status, age, freshness, whom to call', async () => {
  await go('room');
  const exact = row(BAKEN, 'Nachtopvang');
  await reads(exact, '4 vrij van 20');
  assert.match(await exact.textContent(), /Neemt op/);
  assert.match(await exact.textContent(), /geleden|zojuist/);
  assert.match(await exact.textContent(), /Actueel/);
  assert.match(await exact.textContent(), /ma-zo 8-22/);
  assert.match(await exact.textContent(), /Doelgroep: Volwassenen/);
  assert.equal(await exact.getByRole('link').getAttribute('href'), 'tel:+31500000002');
  await reads(row(START, 'Nachtopvang'), '1–2 vrij (in klassen)');
  await reads(row(START, 'Nachtopvang'), 'In overleg');
  // A shape of its own for each level, not colour alone.
  assert.equal(await exact.locator('.mark').textContent(), '●');
  assert.equal(await row(BAKEN, 'Veilige opvang').locator('.mark').textContent(), '■');
  await reads(row(BAKEN, 'Veilige opvang'), 'bel eerst');
  await shot('room');
  fine();
});

test('room: the daemon filters by service, attribute, number and region', async () => {
  await go('room');
  const count = page.locator('main .count');
  await reads(count, '3 regels gevonden');
  await page.getByLabel('Voorziening').selectOption('night-shelter');
  await reads(count, '2 regels gevonden');
  await page.getByLabel('Doelgroep').selectOption('adults');
  await reads(count, '1 regel gevonden');
  await page.getByLabel('Doelgroep').selectOption('');
  await page.getByLabel('Minstens').fill('3');
  await reads(count, '1 regel gevonden');
  await page.getByLabel('Minstens').fill('drie');
  await reads(page.locator('.filters .error').first(), 'Vul een getal in');
  await page.getByLabel('Minstens').fill('');
  await page.getByLabel('Regio').selectOption('oost');
  await reads(count, '1 regel gevonden');
  await page.getByLabel('Regio').selectOption('');
  await page.getByLabel('Voorziening').selectOption('');
  await page.getByLabel('Alleen wie nu mensen opneemt').check();
  await reads(count, '2 regels gevonden');
  // Kept while one looks at another page.
  await go('network');
  await go('room');
  await reads(count, '2 regels gevonden');
  fine();
});

test('room: a partner changes a figure and it stands there by itself, the focus stays', async () => {
  await go('room');
  const exact = row(BAKEN, 'Nachtopvang');
  await reads(exact, '4 vrij');
  await exact.getByRole('link').focus();
  await set(BAKEN, 'night-shelter', 'free=9', 'occupied=11', 'status=admitting', 'group=adults');
  await reads(exact, '9 vrij');
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('href')), 'tel:+31500000002');
  await set(BAKEN, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', 'group=adults');
  await reads(exact, '4 vrij');
  fine();
});

const night = () => row(BAKEN, 'Nachtopvang');
const nightSays = (...more) => set(BAKEN, 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', 'group=adults', ...more);

// Expired is unknown: its age and what it last said stand there, no figure, nothing green.
async function expired(found) {
  await reads(found, 'Verlopen: onbekend');
  await reads(found, 'laatst bekend: 4');
  await reads(found, /geleden|zojuist/);
  assert.equal(await found.locator('.figure .number').textContent(), 'onbekend');
  assert.equal(await found.locator('.figure.good, .badge.good').count(), 0, 'an expired row is green');
}

test('room: a figure that expires while one looks becomes unknown, and is not counted', async () => {
  await go('room');
  await reads(night(), '4 vrij');
  await nightSays('--valid', '8s');
  await reads(page.locator('main .count'), '3 regels gevonden');
  const narrow = await tab();
  await go('room', narrow);
  await narrow.getByLabel('Voorziening').selectOption('night-shelter');
  await narrow.getByLabel('Minstens').fill('3');
  await reads(narrow.locator('main .count'), '1 regel gevonden');
  await expired(night());
  await reads(narrow.locator('main .count'), '0 regels gevonden');
  await shot('expired');
  await nightSays();
  await reads(night(), '4 vrij');
  await reads(narrow.locator('main .count'), '1 regel gevonden');
  fine();
});

test('room: it expires too while nobody answers', async () => {
  const front = await new Front(at.replace('http://', '')).listen();
  await go('room', page, front.url);
  await reads(night(), '4 vrij');
  const until = await night().getAttribute('data-until');
  await nightSays('--valid', '8s');
  for (let i = 0; i < 70 && await night().getAttribute('data-until') === until; i++) await page.waitForTimeout(100);
  front.pull();
  await expired(night());
  assert.match(await row(BAKEN, 'Veilige opvang').textContent(), /0 vrij/, 'the others stand');
  front.plug();
  await nightSays();
  await reads(night(), '4 vrij');
  front.close();
});

test('room: whose fingerprint was not compared is marked', async () => {
  await set(EVIL, 'home', 'free=1');
  await go('room');
  await reads(row('<img', 'Woning'), 'Niet gecontroleerd');
  assert.equal(await row(BAKEN, 'Nachtopvang').getByText('Niet gecontroleerd').count(), 0);
  fine();
});

test('room: an alert tells in words and sound when there is room, not before', async () => {
  await page.addInitScript(() => {
    globalThis.rings = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function ring(...args) { globalThis.rings += 1; return start.apply(this, args); };
  });
  await go('room');
  await page.getByLabel('Voorziening').selectOption('safe-place');
  await page.getByText('Waarschuw mij als er plek vrijkomt').click();
  await button(page, 'Waarschuw mij').click();
  await reads(page.locator('.panel [role=status]'), 'U wordt gewaarschuwd: Veilige opvang');
  const before_ = await page.evaluate(() => globalThis.rings);
  assert.ok(before_ > 0, 'one hears at once how it will sound');
  // It looks after it on other pages too.
  await page.getByRole('link', { name: 'Netwerk' }).click();
  assert.equal(await page.locator('.alarms p').count(), 0);
  await set(BAKEN, 'safe-place', 'free=2', 'occupied=4', 'status=admitting');
  await reads(page.locator('.alarms'), `Plek vrij (Veilige opvang): ${BAKEN}`);
  assert.ok(await page.evaluate(() => globalThis.rings) > before_, 'no sound');
  assert.match(await page.title(), /Plek vrij/);
  await button(page.locator('.alarms'), 'Gezien').click();
  assert.equal(await page.locator('.alarms p').count(), 0);
  // The same room once more is no news.
  await set(BAKEN, 'safe-place', 'free=1', 'occupied=5', 'status=admitting');
  await page.getByRole('link', { name: 'Plek nu' }).click();
  await reads(row(BAKEN, 'Veilige opvang'), '1 vrij');
  await page.waitForTimeout(1500);
  assert.equal(await page.locator('.alarms p').count(), 0);
  await page.getByRole('button', { name: /^Verwijder waarschuwing/ }).click();
  await set(BAKEN, 'safe-place', 'free=0', 'occupied=6', 'status=full', 'note=bel eerst');
  fine();
});

// ---- our capacity ----

test('capacity: two clicks change a figure, the total stays, undo brings the older one back', async () => {
  await ours();
  await go('capacity');
  const night = line('Nachtopvang');
  await reads(night.locator('.line-state'), '4 vrij van 20');
  await shot('capacity');
  await button(night, 'Bezet: een meer').click();
  assert.equal(await night.locator('input[name=free]').inputValue(), '3');
  await button(night, 'Bewaren').click();
  await reads(night.locator('.message'), 'Bewaard: 3 vrij.');
  await reads(night.locator('.line-state'), '3 vrij van 20');
  await button(night, 'Ongedaan maken').click();
  await reads(night.locator('.message'), 'Teruggezet');
  await reads(night.locator('.line-state'), '4 vrij van 20');
  fine();
});

test('capacity: free, occupied or total, whichever is known; held, blocked, need, note', async () => {
  await go('capacity');
  const safe = line('Veilige opvang');
  const fill = async (values) => {
    for (const [name, value] of Object.entries(values)) await safe.locator(`[name=${name}]`).fill(value);
    await button(safe, 'Bewaren').click();
  };
  await safe.locator('summary').click();
  await fill({ total: '10', occupied: '', free: '', held: '', blocked: '' });
  await reads(safe.locator('.line-state'), 'onbekend');
  await fill({ occupied: '5', held: '1', blocked: '2', blocked_reason: 'lekkage', blocked_until: '2030-01-02T10:00', need: '3', next_free: '2030-01-03T09:00', note: 'bel eerst' });
  await reads(safe.locator('.line-state'), '2 vrij van 10');
  const stored = JSON.parse(await net.at(US, ['lines', '--json'])).find((l) => l.service === 'safe-place');
  assert.equal(stored.blocked_reason, 'lekkage');
  assert.equal(Date.parse(stored.blocked_until), Date.parse('2030-01-02T10:00+01:00'));
  assert.equal(stored.need, 3);
  assert.equal(stored.note, 'bel eerst');
  await fill({ note: 'cliënt 123456782' });
  await reads(safe.locator('.f-note .error'), 'burgerservicenummer');
  assert.equal(await safe.locator('[name=note]').getAttribute('aria-invalid'), 'true');
  await fill({ note: 'bel eerst', free: 'veel' });
  await reads(safe.locator('.f-free .error'), 'Vul een getal in');
  await button(safe, 'Laat zoals het was').click();
  assert.match(await safe.textContent(), /geheim adres/, 'the definition stands beside the fields');
  assert.match(await safe.locator('[name=free]').getAttribute('aria-describedby'), /definition/);
  fine();
});

test('capacity: what is due comes first; "still holds" for one and for all', async () => {
  await ours();
  await set(US, 'home', 'free=1', '--valid', '1s');
  await page.waitForTimeout(1200);
  await go('capacity');
  await reads(page.locator('article.line').first().locator('h3'), 'Woning');
  await reads(page.locator('main .count'), '1 regel is bijna verlopen of verlopen');
  await button(page, 'Alles klopt nog').click();
  await reads(page.locator('main > .message'), /2 regels bevestigd.*1 verlopen regel/);
  await reads(line('Woning').locator('.line-state'), 'onbekend');
  await button(line('Woning'), 'Klopt nog').click();
  await reads(line('Woning').locator('.message'), 'Bevestigd.');
  fine();
});

test('capacity: two tabs at one line, the second is told and nothing is lost', async () => {
  await ours();
  await go('capacity');
  const other = await tab();
  await go('capacity', other);
  const mine = line('Nachtopvang');
  const theirs = line('Nachtopvang', other);
  await theirs.locator('input[name=free]').fill('7');
  await mine.locator('input[name=free]').fill('1');
  await button(mine, 'Bewaren').click();
  await reads(mine.locator('.line-state'), '1 vrij');
  await reads(theirs.locator('.message'), /intussen gewijzigd: 1 vrij/);
  assert.equal(await theirs.locator('input[name=free]').inputValue(), '7', 'what was typed is gone');
  await reads(mine.locator('.line-state'), '1 vrij');
  await button(theirs, 'Bewaar toch het mijne').click();
  await reads(theirs.locator('.line-state'), '7 vrij');
  await reads(mine.locator('.line-state'), '7 vrij');
  // Without the news in between, the daemon refuses.
  await mine.locator('input[name=free]').fill('2');
  await set(US, 'night-shelter', 'free=6', 'occupied=14', 'status=admitting');
  await button(mine, 'Bewaren').click();
  await reads(mine.locator('.message'), /intussen gewijzigd: 6 vrij/);
  assert.equal(JSON.parse(await net.at(US, ['lines', '--json'])).find((l) => l.service === 'night-shelter').free, 6);
  await button(mine, 'Neem die stand over').click();
  await reads(mine.locator('.line-state'), '6 vrij');
  fine();
});

test('capacity: a new line, a site and its card; places below a line', async () => {
  await go('capacity');
  await page.getByText('Locatie toevoegen').click();
  const site = page.locator('details').filter({ has: page.getByText('Locatie toevoegen') });
  await site.getByLabel('Naam').fill('De Haven Oost');
  await site.getByLabel('Telefoon').fill('+31 50 000 0009');
  await button(site, 'Bewaren').click();
  await page.getByRole('heading', { name: 'De Haven Oost' }).waitFor();
  await page.getByText('Regel toevoegen').click();
  const fresh = page.locator('details').filter({ has: page.getByText('Regel toevoegen') });
  await fresh.getByLabel('Locatie').selectOption('De Haven Oost');
  await fresh.getByLabel('Voorziening').selectOption('night-shelter');
  await fresh.getByLabel('Afdeling (mag leeg)').fill('Zolder');
  await fresh.getByLabel('Vrij').fill('2');
  await button(fresh, 'Toevoegen').click();
  await reads(line('Nachtopvang, Zolder').locator('.line-state'), '2 vrij');
  await fresh.getByLabel('Afdeling (mag leeg)').fill('Zolder');
  await button(fresh, 'Toevoegen').click();
  await reads(fresh.locator('[role=alert]'), 'Deze regel is er al.');
  await net.at(US, ['place', 'add', 'safe-place', 'K1', '--site', 'De Haven Oost']);
  const places = page.getByRole('region', { name: 'De Haven Oost' }).locator('article').filter({ hasText: 'Veilige opvang' });
  await places.getByLabel('K1').selectOption('occupied');
  await reads(places.locator('.line-state'), '0 vrij van 1');
  assert.equal(await places.locator('input[name=free]').isDisabled(), true);
  fine();
});

test('capacity: a table is read in after a look at what it changes, and goes out again', async () => {
  await ours();
  const file = (name, text) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text, 'latin1') });
  const profile = { format: 1, service: 'night-shelter', ward: { column: 'Afdeling' }, columns: { free: 'Vrij', occupied: 'Bezet' } };
  await go('capacity');
  const panel = page.locator('details').filter({ has: page.getByText('Tabellen inlezen en downloaden') });
  await panel.locator('summary').click();
  await button(panel, 'Bekijk wat er verandert').click();
  await reads(panel.locator('p.error'), /Kies eerst een (tabel|profiel)/);
  await panel.getByLabel('Profiel (JSON)').setInputFiles(file('profiel.json', JSON.stringify(profile)));
  await panel.getByLabel('Locatie').focus();
  await panel.getByLabel('Locatie').selectOption(US);
  await panel.getByLabel('Tabel (CSV)').setInputFiles(file('bedden.csv', 'Afdeling;Vrij;Bezet\nB\xe9guinage;veel;8\n'));
  await button(panel, 'Bekijk wat er verandert').click();
  await reads(panel.locator('p.error'), 'bedden.csv, regel 2:');
  await panel.getByLabel('Tabel (CSV)').setInputFiles(file('bedden.csv', 'Afdeling;Vrij;Bezet\nB\xe9guinage;2;8\n'));
  await button(panel, 'Bekijk wat er verandert').click();
  await reads(panel, 'bedden.csv: 1 rij gelezen. Nieuw: 1, gewijzigd: 0');
  await reads(panel.locator('table'), 'Nachtopvang, Béguinage');
  assert.equal(await line('Nachtopvang, Béguinage').count(), 0, 'it was stored before it was confirmed');
  await accessible('tables');
  await shot('tables');
  await button(panel, 'Inlezen').click();
  await reads(panel, 'is ingelezen. Nieuw: 1');
  await reads(line('Nachtopvang, Béguinage').locator('.line-state'), '2 vrij');
  // The profile is kept for the next time.
  await page.reload();
  await panel.locator('summary').click();
  await panel.getByLabel('Locatie').focus();
  await panel.getByLabel('Locatie').selectOption(US);
  await panel.getByLabel('Tabel (CSV)').setInputFiles(file('bedden.csv', 'Afdeling;Vrij;Bezet\nB\xe9guinage;1;9\n'));
  await button(panel, 'Bekijk wat er verandert').click();
  await reads(panel.locator('table'), 'Vrij: 2 wordt 1');
  for (const [name, wanted] of [['Onze regels', 'Béguinage'], ['Wat partners melden', BAKEN], ['Onze eerdere cijfers', 'Béguinage']]) {
    const [saved] = await Promise.all([page.waitForEvent('download'), button(panel, name).click()]);
    assert.match(saved.suggestedFilename(), /^plek-(lines|picture|history)-\d{4}-\d\d-\d\d\.csv$/);
    assert.ok(readFileSync(await saved.path(), 'utf8').includes(wanted), `${name} lacks ${wanted}`);
  }
  fine();
});

test('capacity: who may only look gets no fields', async () => {
  await begin({}, 'viewer');
  await go('capacity');
  await reads(line('Nachtopvang').locator('.line-state'), 'vrij');
  assert.equal(await page.locator('main form').count(), 0);
  await go('sharing');
  await page.getByRole('region', { name: 'Kring partners' }).waitFor();
  assert.equal(await page.locator('main button').count(), 0);
  await go('network');
  await page.locator('tbody tr').first().waitFor();
  assert.equal(await page.locator('main button').count(), 0);
  fine();
});

// ---- what others see ----

test('sharing: per partner exactly what they find, and what left', async () => {
  await ours();
  await go('sharing');
  await page.getByLabel('Wat ziet').selectOption(BAKEN);
  await reads(page.locator('main'), `${BAKEN} ziet nu`);
  const found = async () => JSON.parse(await net.at(BAKEN, ['find', '--json'])).filter((r) => r.member === US).length;
  const shown = page.locator('table.rows tbody tr');
  for (let i = 0; i < 100 && await found() !== await shown.count(); i++) await page.waitForTimeout(100);
  assert.equal(await shown.count(), await found());
  await reads(page.locator('table').last(), 'Cijfers verstuurd');
  await reads(page.locator('table').last(), 'Partner goedgekeurd');
  await shot('sharing');
  fine();
});

test('sharing: the difference is shown before it is confirmed', async () => {
  await go('sharing');
  const circle = page.getByRole('region', { name: 'Kring partners' });
  await circle.getByRole('button', { name: 'Kring partners wijzigen' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Hoe precies').selectOption('rounded');
  await dialog.getByLabel('Afronden op').fill('1');
  await button(dialog, 'Bekijk het verschil').click();
  await reads(dialog, 'Vul een getal van 2 of meer in.');
  await dialog.getByLabel('Afronden op').fill('5');
  await dialog.getByLabel(START).uncheck();
  await button(dialog, 'Bekijk het verschil').click();
  await reads(dialog, 'Dit verandert er');
  await reads(dialog, `Gaat eruit: ${START}`);
  await reads(dialog, `${BAKEN}, Alle voorzieningen: nu precies, straks afgerond op 5`);
  await reads(dialog, 'Wat al gezien is, blijft gezien.');
  await shot('difference');
  await button(dialog, 'Annuleren').click();
  assert.equal(JSON.parse(await net.at(US, ['policy', 'show', '--json'])).audiences[0].precision, 'exact', 'it changed without a confirmation');
  await circle.getByRole('button', { name: 'Kring partners wijzigen' }).click();
  await dialog.getByLabel('Hoe precies').selectOption('rounded');
  await button(dialog, 'Bekijk het verschil').click();
  await button(dialog, 'Toepassen').click();
  await reads(circle, 'Afgerond op 5');
  await page.getByLabel('Wat ziet').selectOption(BAKEN);
  await reads(page.locator('table.rows'), '0–4 vrij (afgerond op 5)');
  // Somebody else applied one meanwhile: nothing is overwritten.
  await circle.getByRole('button', { name: 'Kring partners wijzigen' }).click();
  await dialog.getByLabel('Hoe precies').selectOption('light');
  await net.policy(US, [{ name: 'partners', members: [BAKEN, START], services: ['*'], precision: 'exact' }]);
  await button(dialog, 'Bekijk het verschil').click();
  await reads(dialog.locator('[role=alert]'), 'intussen gewijzigd');
  await button(dialog, 'Annuleren').click();
  await reads(circle, 'Precies');
  fine();
});

test('sharing: a new audience, and removing it', async () => {
  await go('sharing');
  await button(page, 'Nieuwe kring').click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Naam').fill('Twee woorden');
  await button(dialog, 'Bekijk het verschil').click();
  await reads(dialog, 'Gebruik alleen kleine letters');
  await dialog.getByLabel('Naam').fill('hub');
  await dialog.getByLabel('de hub (telt op voor het netwerk)').check();
  await button(dialog, 'Bekijk het verschil').click();
  await reads(dialog, 'Nieuwe kring: hub');
  await button(dialog, 'Toepassen').click();
  const circle = page.getByRole('region', { name: 'Kring hub' });
  await reads(circle, 'In klassen: geen, 1–2, 3–5, 6 of meer');
  await circle.getByRole('button', { name: 'Kring hub wijzigen' }).click();
  await button(dialog, 'Kring opheffen').click();
  await reads(dialog, 'Opgeheven kring: hub');
  await button(dialog, 'Toepassen').click();
  await circle.waitFor({ state: 'detached' });
  fine();
});

test('sharing: pause and resume, withdraw and share again, with the truth about it', async () => {
  await ours();
  const seen = async () => JSON.parse(await net.at(BAKEN, ['find', '--json'])).filter((r) => r.member === US);
  const until = async (condition) => {
    for (let i = 0; i < 150; i++) {
      if (condition(await seen())) return;
      await page.waitForTimeout(100);
    }
    assert.fail(`waited in vain, found ${JSON.stringify(await seen())}`);
  };
  const free = (rows) => rows.find((r) => r.service === 'night-shelter')?.available;
  await until((rows) => free(rows) === 4);
  await go('sharing');
  const circle = page.getByRole('region', { name: 'Kring partners' });
  const dialog = page.getByRole('dialog');
  await button(circle, 'Pauzeren').click();
  await reads(dialog, 'houden zij tot het verloopt');
  await button(dialog, 'Pauzeren').click();
  await reads(circle, 'Gepauzeerd sinds');
  await set(US, 'night-shelter', 'free=8', 'occupied=12', 'status=admitting');
  await page.getByLabel('Wat ziet').selectOption(BAKEN);
  await reads(page.locator('main'), 'zij houden wat zij hadden tot het verloopt');
  await button(circle, 'Hervatten').click();
  await reads(circle, 'Wordt gedeeld');
  await until((rows) => free(rows) === 8);
  await button(circle, 'Intrekken').click();
  await reads(dialog, 'Wat gezien is, blijft gezien');
  await reads(dialog, BAKEN);
  await shot('withdraw');
  await button(dialog, 'Intrekken').click();
  await reads(circle, 'Ingetrokken op');
  await until((rows) => rows.length === 0);
  await reads(page.locator('table').last(), 'Intrekking verstuurd');
  await button(circle, 'Weer delen').click();
  await button(dialog, 'Weer delen').click();
  await reads(circle, 'Wordt gedeeld');
  await until((rows) => free(rows) === 8);
  fine();
});

// ---- network ----

test('network: fingerprints to compare, approval only after it, withdrawing it', async () => {
  await go('network');
  const status = JSON.parse(await net.at(US, ['status', '--json']));
  await reads(page.locator('main'), status.fingerprint);
  await reads(page.locator('main'), status.network_fingerprint);
  const evil = page.locator('tbody tr').filter({ hasText: '<img' });
  const print = await evil.locator('code').textContent();
  await reads(evil, 'Niet goedgekeurd');
  await shot('network');
  await evil.getByRole('button', { name: / weigeren$/ }).click();
  const dialog = page.getByRole('dialog');
  await button(dialog, 'Weigeren').click();
  await reads(evil, '✕ Geweigerd');
  await evil.getByRole('button', { name: / goedkeuren$/ }).click();
  await reads(dialog, print);
  await button(dialog, 'Goedkeuren').click();
  await reads(dialog.locator('[role=alert]'), 'Vink eerst aan');
  await dialog.getByRole('checkbox').check();
  await button(dialog, 'Goedkeuren').click();
  await reads(evil, '✓ Goedgekeurd');
  await evil.getByRole('button', { name: / intrekken$/ }).click();
  await reads(dialog, 'Wat gezien is, blijft gezien.');
  await button(dialog, 'Intrekken').click();
  await reads(evil, 'Niet goedgekeurd');
  await reads(page.locator('main'), 'Zien waar vannacht een opvangplek is');
  await reads(page.locator('main'), 'Een slaapplek voor de komende nacht');
  fine();
});

test('network: without the hub every page says so and works on, and goes on by itself', async () => {
  await ours();
  await go('room');
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  await net.stop('hub');
  await reads(page.locator('main .state'), /Geen verbinding met het netwerk: u ziet het beeld van \d\d:\d\d/);
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  await shot('offline');
  await go('network');
  await reads(page.locator('main'), 'Geen verbinding');
  await go('capacity');
  const night = line('Nachtopvang');
  await button(night, 'Vrij: een meer').click();
  await button(night, 'Bewaren').click();
  await reads(night.locator('.line-state'), '5 vrij');
  await go('network');
  await reads(page.locator('main'), /\d+ berichte?n? wacht/);
  await net.startHub();
  await go('room');
  await page.waitForFunction(() => document.querySelector('main .state')?.textContent === '', null, { timeout: 60000 });
  await go('network');
  await reads(page.locator('main'), 'alles is aangekomen');
  fine();
});

test('a lost connection to the agent is said, the last picture stays, and it refreshes afterwards', async () => {
  const front = await new Front(at.replace('http://', '')).listen();
  await go('room', page, front.url);
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  front.pull();
  await page.getByLabel('Voorziening').selectOption('night-shelter');
  await reads(page.locator('main .state'), /Plek antwoordt niet: u ziet het beeld van \d\d:\d\d/);
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  await set(BAKEN, 'night-shelter', 'free=6', 'occupied=14', 'status=admitting', 'group=adults');
  front.plug();
  await page.waitForFunction(() => document.querySelector('main .state')?.textContent === '', null, { timeout: 60000 });
  await reads(row(BAKEN, 'Nachtopvang'), '6 vrij');
  await nightSays();
  front.close();
});

test('the agent is killed and begins again: the page says so, goes on, and nobody logs in anew', async () => {
  await ours();
  await go('capacity');
  const mine = line('Nachtopvang');
  await mine.locator('input[name=free]').fill('2');
  await net.stop(US, 'SIGKILL');
  await button(mine, 'Bewaren').click();
  await reads(mine.locator('.message'), 'Plek antwoordt niet');
  await reads(page.locator('.banner'), /Wat u ziet is van .*\d\d:\d\d en kan verouderd zijn/);
  assert.equal(await mine.locator('input[name=free]').inputValue(), '2', 'what was typed is gone');
  await net.startAgent(US);
  await page.waitForFunction(() => document.querySelector('.banner').textContent === '', null, { timeout: 60000 });
  await button(mine, 'Bewaren').click();
  await reads(mine.locator('.line-state'), '2 vrij van 20');
  await ours();
});

const accountPage = async (old, next) => {
  await page.getByLabel('Huidig wachtwoord').fill(old);
  await page.getByLabel('Nieuw wachtwoord', { exact: true }).fill(next);
  await page.getByLabel('Nog een keer').fill(next);
  await button(page, 'Opslaan').click();
};

test('account: the first log-in by a link, users, tokens, roles, a new password, log-out', async () => {
  await begin({}, null);
  const token = await net.invite(US, 'hoofd', 'admin');
  const password = PASSWORD;
  const web = at;
  await page.goto(`${at}/#invite=${token}`);
  await page.getByLabel('Nieuw wachtwoord').fill(password);
  await page.getByLabel('Nog een keer').fill(password);
  await page.getByRole('button').first().click();
  await reads(page.locator('h1'), 'Plek nu');
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  await page.getByRole('link', { name: 'Onze capaciteit' }).click();
  const night = line('Nachtopvang');
  await button(night, 'Klopt nog').click();
  await reads(night.locator('.message'), 'Bevestigd.');
  await reads(night.locator('.line-state'), 'door hoofd');
  await page.getByRole('link', { name: 'Gebruikers' }).click();
  await page.getByRole('heading', { name: 'Gebruiker toevoegen' }).waitFor();
  await accessible('users');
  const adding = page.locator('form').filter({ hasText: 'Rol' }).first();
  await adding.getByLabel('Naam').fill('bram');
  await adding.getByLabel('Rol').selectOption('viewer');
  await button(adding, 'Toevoegen').click();
  const dialog = page.getByRole('dialog');
  const link = await dialog.getByRole('textbox').inputValue();
  assert.ok(link.startsWith(`${web}/#invite=`), link);
  await button(dialog, 'Sluiten').click();
  await reads(page.getByRole('table', { name: 'Gebruikers' }), 'uitgenodigd');
  await shot('users');
  await page.getByLabel('Naam van het programma').fill('epd');
  await button(page, 'Maken').click();
  assert.ok((await dialog.getByRole('textbox').inputValue()).length > 20);
  await button(dialog, 'Sluiten').click();
  await page.getByRole('button', { name: 'epd verwijderen' }).click();
  await button(dialog, 'Verwijderen').click();
  await reads(page.locator('main'), 'Er zijn geen sleutels.');
  await page.getByRole('link', { name: 'hoofd' }).click();
  await accountPage('iets anders dan dat', 'vijf andere rustige woorden samen');
  await reads(page.locator('main .error').first(), 'Dit is niet uw huidige wachtwoord.');
  assert.equal(await page.getByLabel('Huidig wachtwoord').getAttribute('aria-invalid'), 'true');
  await accountPage(password, 'vijf andere rustige woorden samen');
  await reads(page.locator('main'), 'Uw wachtwoord is veranderd.');
  await button(page, 'Uitloggen').click();
  await reads(page.locator('h1'), 'Inloggen');
  // A viewer reads, and is not offered what it may not do.
  await page.goto(link);
  await page.reload();
  await page.getByLabel('Nieuw wachtwoord').fill(password);
  await page.getByLabel('Nog een keer').fill(password);
  await page.getByRole('button').first().click();
  await reads(row(BAKEN, 'Nachtopvang'), '4 vrij');
  await page.getByRole('link', { name: 'Onze capaciteit' }).click();
  await reads(line('Nachtopvang').locator('.line-state'), 'vrij');
  assert.equal(await page.locator('main form').count(), 0);
  assert.equal(await page.getByRole('link', { name: 'Gebruikers' }).count(), 0);
  fine();
});

test('account: a new password in one tab, the others go on; a log-out that fails is said', async () => {
  await ours();
  const front = await new Front(at.replace('http://', '')).listen();
  const next = 'zes heel andere woorden samen';
  await begin({}, null);
  await context.addCookies([await net.logIn(US, 'wissel', 'editor', PASSWORD)]);
  await go('capacity');
  const other = await tab();
  await go('me', other, front.url);
  await page.getByRole('link', { name: 'wissel' }).waitFor();
  const first = page;
  page = other;
  await accountPage(PASSWORD, next);
  await reads(other.locator('main'), 'Uw wachtwoord is veranderd.');
  page = first;
  // This tab knows nothing of it, and what it saves is saved.
  await button(line('Nachtopvang'), 'Bezet: een meer').click();
  await button(line('Nachtopvang'), 'Bewaren').click();
  await reads(line('Nachtopvang').locator('.line-state'), '3 vrij van 20');
  // Nobody answers: still logged in, and told so.
  front.pull();
  await button(other, 'Uitloggen').click();
  await reads(other.locator('.banner'), 'U bent nog ingelogd');
  assert.equal(await other.getByLabel('Gebruikersnaam').count(), 0, 'as if logged out');
  front.plug();
  await button(other, 'Uitloggen').click();
  await reads(other.locator('h1'), 'Inloggen');
  // The other tab hears of it with the next thing it does, and somebody else's session is not its own.
  await other.getByLabel('Gebruikersnaam').fill(users.editor);
  await other.getByLabel('Wachtwoord').fill(PASSWORD);
  await button(other, 'Inloggen').click();
  await reads(other.locator('h1'), 'Plek nu');
  await button(line('Nachtopvang'), 'Klopt nog').click();
  await reads(page.locator('.banner'), 'intussen iemand anders ingelogd');
  await page.getByRole('link', { name: users.editor }).waitFor();
  assert.equal(JSON.parse(await net.at(US, ['lines', '--json'])).find((l) => l.service === 'night-shelter').actor, 'user:wissel');
  front.close();
  await ours();
  fine();
});

// ---- all pages ----

test('both languages: the browser\'s, and the switch is kept', async () => {
  for (const [locale, language] of [['nl-NL', 'nl'], ['en-GB', 'en'], ['fr-FR', 'nl']]) {
    await begin({ locale });
    for (const [i, id] of pages.entries()) {
      await go(id);
      await reads(page.locator('h1'), titles[language][i]);
      assert.equal(await page.locator('html').getAttribute('lang'), language);
      assert.doesNotMatch(await page.locator('main').textContent(), /\b(nav|row|room|line|net|audience|audit|status|figure|charter|finding)\.[a-zA-Z]+\b/, 'a text is missing');
    }
  }
  await begin();
  await go('room');
  await page.getByLabel('Taal').selectOption('en');
  await reads(page.locator('h1'), 'Room now');
  await page.reload();
  await reads(page.locator('h1'), 'Room now');
  fine();
});

test('a phone: no page scrolls sideways at 360 px, in either language', async () => {
  for (const locale of ['nl-NL', 'en-GB']) {
    await begin({ locale, viewport: { width: 360, height: 740 } });
    for (const id of pages) {
      await go(id);
      await page.waitForTimeout(500);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(over <= 0, `${id} in ${locale} is ${over} px too wide`);
      if (locale === 'nl-NL' && id === 'room') await shot('room-phone');
      if (locale === 'nl-NL' && id === 'capacity') await shot('capacity-phone');
    }
  }
  fine();
});

test('accessibility: no page and no dialog breaks a rule, light or dark', async () => {
  for (const colorScheme of ['light', 'dark']) {
    await begin({ colorScheme, reducedMotion: 'reduce' });
    for (const id of pages) {
      await go(id);
      await page.waitForTimeout(500);
      await page.evaluate(() => document.querySelectorAll('main details').forEach((d) => { d.open = true; }));
      await accessible(`${id} ${colorScheme}`);
    }
    await go('sharing');
    await page.getByRole('button', { name: 'Kring partners wijzigen' }).click();
    await accessible(`audience ${colorScheme}`);
    await button(page.getByRole('dialog'), 'Bekijk het verschil').click();
    await reads(page.getByRole('dialog'), 'Er verandert niets.');
    await accessible(`difference ${colorScheme}`);
  }
  fine();
});

test('keyboard: the skip link is first, every control can be reached, dialogs give the focus back', async () => {
  await go('sharing');
  await page.getByRole('region', { name: 'Kring partners' }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  const reached = new Set();
  const wanted = await page.evaluate(() => [...document.querySelectorAll('main button, main select, main input, main summary')].filter((e) => !e.disabled && e.checkVisibility()).length);
  for (let i = 0; i < wanted + 5; i++) {
    await page.keyboard.press('Tab');
    const what = await page.evaluate(() => {
      const e = document.activeElement;
      const outline = getComputedStyle(e).outlineStyle;
      return e.closest('main') ? [[...document.querySelectorAll('*')].indexOf(e), outline] : null;
    });
    if (!what) continue;
    assert.notEqual(what[1], 'none', 'the focus cannot be seen');
    reached.add(what[0]);
  }
  assert.ok(reached.size >= wanted, `reached ${reached.size} of ${wanted} controls`);
  const edit = page.getByRole('button', { name: 'Kring partners wijzigen' });
  await edit.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.ok(await edit.evaluate((e) => e === document.activeElement), 'the focus did not come back');
  fine();
});

// ---- the keyboard alone: nothing is clicked, filled in or focused by a script ----

async function tabTo(target) {
  await target.waitFor();
  const key = await target.evaluate((e) => (document.activeElement.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_PRECEDING ? 'Shift+Tab' : 'Tab'));
  for (let i = 0; i < 250; i++) {
    const state = await target.evaluate((e) => (e === document.activeElement ? getComputedStyle(e).outlineStyle : null));
    if (state) {
      assert.notEqual(state, 'none', 'the focus cannot be seen');
      return;
    }
    await page.keyboard.press(key);
  }
  assert.fail(`the keyboard does not reach ${target}`);
}

async function press(target, key = 'Enter') {
  await tabTo(target);
  await page.keyboard.press(key);
}

async function type(target, text) {
  await tabTo(target);
  await page.keyboard.press('Control+A');
  await page.keyboard.type(text);
}

// In a list the first letters choose.
async function pick(target, text) {
  await tabTo(target);
  await page.keyboard.type(text);
}

const visit = async (name, title = name) => {
  await press(page.getByRole('link', { name, exact: true }));
  await reads(page.locator('h1'), title);
};

test('keyboard: log in, search, an alert', async () => {
  await net.logIn(US, 'toetsen', 'editor', PASSWORD);
  await begin({}, null);
  await page.goto(at);
  await type(page.getByLabel('Gebruikersnaam'), 'toetsen');
  await type(page.getByLabel('Wachtwoord'), PASSWORD);
  await page.keyboard.press('Enter');
  await reads(page.locator('h1'), 'Plek nu');
  const count = page.locator('main .count');
  await reads(count, /[34] regels gevonden/);
  await pick(page.getByLabel('Voorziening'), 'Nacht');
  await reads(count, '2 regels gevonden');
  await pick(page.getByLabel('Doelgroep'), 'Volw');
  await reads(count, '1 regel gevonden');
  await press(page.getByLabel('Doelgroep'), 'Home');
  await type(page.getByLabel('Minstens'), '3');
  await reads(count, '1 regel gevonden');
  await pick(page.getByLabel('Regio'), 'oost');
  await reads(count, '0 regels gevonden');
  await press(page.getByLabel('Regio'), 'Home');
  await press(page.getByLabel('Alleen wie nu mensen opneemt'), 'Space');
  await reads(count, '1 regel gevonden');
  await press(page.getByText('Waarschuw mij als er plek vrijkomt'));
  await press(page.getByLabel('Met geluid'), 'Space');
  await press(button(page, 'Waarschuw mij'));
  await reads(page.locator('.panel [role=status]'), 'Waarschuwing staat aan');
  await press(page.getByRole('button', { name: /^Verwijder waarschuwing/ }));
  await tabTo(night().getByRole('link'));
  await press(button(page, 'Uitloggen'));
  await reads(page.locator('h1'), 'Inloggen');
  fine();
});

test('keyboard: our capacity, two keys for a change', async () => {
  await ours();
  await go('room');
  await visit('Onze capaciteit');
  const mine = line('Nachtopvang');
  const free = mine.locator('input[name=free]');
  await tabTo(free);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await reads(mine.locator('.line-state'), '3 vrij van 20');
  assert.ok(await page.evaluate(() => document.activeElement.closest('article.line') !== null), 'the focus was lost');
  await press(button(mine, 'Ongedaan maken'));
  await reads(mine.locator('.line-state'), '4 vrij van 20');
  await tabTo(free);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  assert.equal(await mine.locator('input[name=occupied]').inputValue(), '18');
  await page.keyboard.press('Escape');
  assert.equal(await free.inputValue(), '4');
  await pick(mine.getByLabel('Status'), 'In ov');
  await press(mine.locator('summary'));
  await type(mine.locator('input[name=held]'), '1');
  await type(mine.locator('input[name=blocked]'), '2');
  await type(mine.locator('input[name=blocked_reason]'), 'lekkage');
  await tabTo(mine.locator('input[name=blocked_until]'));
  await page.keyboard.type('02022030');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.type('1000A');
  await type(mine.locator('input[name=need]'), '3');
  await pick(mine.getByLabel('Doelgroep'), 'Vrouwen');
  await type(mine.locator('input[name=note]'), 'bel eerst');
  await page.keyboard.press('Enter');
  await reads(mine.locator('.message'), 'Bewaard');
  const stored = JSON.parse(await net.at(US, ['lines', '--json'])).find((l) => l.service === 'night-shelter');
  assert.deepEqual([stored.status, stored.held, stored.blocked, stored.blocked_reason, stored.need, stored.note, stored.attributes.group],
    ['consult', 1, 2, 'lekkage', 3, 'bel eerst', 'women']);
  assert.equal(Date.parse(stored.blocked_until), Date.parse('2030-02-02T10:00+01:00'));
  await press(button(mine, 'Klopt nog'));
  await reads(mine.locator('.message'), 'Bevestigd.');
  await press(button(page, 'Alles klopt nog'));
  await reads(page.locator('main > .message'), 'bevestigd');
  const fresh = page.locator('details').filter({ has: page.getByText('Regel toevoegen') });
  await press(fresh.locator('summary'));
  await pick(fresh.getByLabel('Voorziening'), 'Wo');
  await type(fresh.getByLabel('Afdeling (mag leeg)'), 'Kelder');
  await type(fresh.getByLabel('Vrij'), '1');
  await press(button(fresh, 'Toevoegen'));
  await reads(line('Woning, Kelder').locator('.line-state'), '1 vrij');
  const card = page.getByRole('region', { name: US, exact: true }).locator('details').filter({ has: page.getByText('Gegevens van deze locatie') });
  await press(card.locator('summary'));
  await type(card.getByLabel('Telefoon'), '+31 50 000 0001');
  await page.keyboard.press('Enter');
  await reads(page.getByRole('region', { name: US, exact: true }), '+31 50 000 0001');
  await net.at(US, ['set', 'night-shelter', 'free=4', 'occupied=16', 'status=admitting', 'group=', '--site', US]);
  fine();
});

test('keyboard: what others see, and the network', async () => {
  await go('room');
  await visit('Wat anderen zien');
  const dialog = page.getByRole('dialog');
  await press(button(page, 'Nieuwe kring'));
  await type(dialog.getByLabel('Naam'), 'hub');
  await press(dialog.getByLabel('de hub (telt op voor het netwerk)'), 'Space');
  await pick(dialog.getByLabel('Hoe precies'), 'Afg');
  await type(dialog.getByLabel('Afronden op'), '5');
  await press(button(dialog, 'Bekijk het verschil'));
  await reads(dialog, 'Nieuwe kring: hub');
  await press(button(dialog, 'Toepassen'));
  const circle = page.getByRole('region', { name: 'Kring hub' });
  await reads(circle, 'Afgerond op 5');
  await press(button(circle, 'Pauzeren'));
  await press(button(dialog, 'Pauzeren'));
  await reads(circle, 'Gepauzeerd sinds');
  await press(button(circle, 'Hervatten'));
  await reads(circle, 'Wordt gedeeld');
  await press(button(circle, 'Intrekken'));
  await reads(dialog, 'Wat gezien is, blijft gezien');
  await press(button(dialog, 'Intrekken'));
  await reads(circle, 'Ingetrokken op');
  await press(button(circle, 'Weer delen'));
  await press(button(dialog, 'Weer delen'));
  await reads(circle, 'Wordt gedeeld');
  await press(circle.getByRole('button', { name: 'Kring hub wijzigen' }));
  await press(button(dialog, 'Kring opheffen'));
  await press(button(dialog, 'Toepassen'));
  await circle.waitFor({ state: 'detached' });
  await pick(page.getByLabel('Wat ziet'), 'Nieuwe');
  await reads(page.locator('main'), `${START} ziet nu`);
  await visit('Netwerk');
  const evil = page.locator('tbody tr').filter({ hasText: '<img' });
  await press(evil.getByRole('button', { name: / weigeren$/ }));
  await press(button(dialog, 'Weigeren'));
  await reads(evil, '✕ Geweigerd');
  await press(evil.getByRole('button', { name: / goedkeuren$/ }));
  await press(dialog.getByRole('checkbox'), 'Space');
  await press(button(dialog, 'Goedkeuren'));
  await reads(evil, '✓ Goedgekeurd');
  await press(evil.getByRole('button', { name: / intrekken$/ }));
  await press(button(dialog, 'Intrekken'));
  await reads(evil, 'Niet goedgekeurd');
  fine();
});

test('keyboard: users, tokens, a password, the language', async () => {
  await begin({}, null);
  await context.addCookies([await net.logIn(US, 'chef', 'admin', PASSWORD)]);
  await go('room');
  await visit('Gebruikers');
  const dialog = page.getByRole('dialog');
  const adding = page.locator('form').filter({ hasText: 'Rol' }).first();
  await type(adding.getByLabel('Naam'), 'tijdelijk');
  await pick(adding.getByLabel('Rol'), 'cijfers');
  await press(button(adding, 'Toevoegen'));
  await tabTo(dialog.getByRole('textbox'));
  await page.keyboard.press('Escape');
  await pick(page.getByLabel('Rol van tijdelijk'), 'kijken');
  for (let i = 0; i < 100 && !/tijdelijk +viewer/.test(await net.at(US, ['user', 'list'])); i++) await page.waitForTimeout(100);
  assert.match(await net.at(US, ['user', 'list']), /tijdelijk +viewer/);
  await press(page.getByRole('button', { name: 'Nieuw wachtwoord voor tijdelijk' }));
  await press(button(dialog, 'Sluiten'));
  await press(page.getByRole('button', { name: 'tijdelijk verwijderen' }));
  await press(button(dialog, 'Verwijderen'));
  await page.getByLabel('Rol van tijdelijk').waitFor({ state: 'detached' });
  await type(page.getByLabel('Naam van het programma'), 'rooster');
  await press(button(page, 'Maken'));
  await press(button(dialog, 'Sluiten'));
  await press(page.getByRole('button', { name: 'rooster verwijderen' }));
  await press(button(dialog, 'Verwijderen'));
  await reads(page.locator('main'), 'Er zijn geen sleutels.');
  await press(page.getByRole('link', { name: 'chef' }));
  await type(page.getByLabel('Huidig wachtwoord'), PASSWORD);
  await type(page.getByLabel('Nieuw wachtwoord', { exact: true }), 'vijf andere rustige woorden samen');
  await type(page.getByLabel('Nog een keer'), 'vijf andere rustige woorden samen');
  await page.keyboard.press('Enter');
  await reads(page.locator('main'), 'Uw wachtwoord is veranderd.');
  await pick(page.getByLabel('Taal'), 'Eng');
  await page.getByRole('link', { name: 'Room now' }).waitFor();
  fine();
});

// ---- TLS, and names ----

const certificate = (name) => {
  const [key, cert] = ['key', 'cert'].map((part) => join(net.dir, `${part}.pem`));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-keyout', key, '-out', cert,
    '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`], { stdio: 'ignore' });
  return { key, cert };
};

test('by its own name over TLS: log-in, a secure cookie, live; no other name, no password in the open', async () => {
  const { key, cert } = certificate('plek.baken.test');
  const port = await freePort();
  await net.configure(BAKEN, `web.listen = "127.0.0.1:${port}"`, `web.cert = "${cert}"`, `web.key = "${key}"`, 'web.hosts = "plek.baken.test"');
  const token = await net.invite(BAKEN, 'beheer', 'admin');
  await begin({ ignoreHTTPSErrors: true }, null);
  await page.goto(`https://plek.baken.test:${port}/#invite=${token}`);
  await page.getByLabel('Nieuw wachtwoord').fill(PASSWORD);
  await page.getByLabel('Nog een keer').fill(PASSWORD);
  await page.getByRole('button').first().click();
  await reads(page.locator('h1'), 'Plek nu');
  const [cookie, ...others] = await context.cookies();
  assert.equal(others.length, 0);
  assert.ok(cookie.name.startsWith('__Host-') && cookie.secure && cookie.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
  const ourNight = row(US, 'Nachtopvang').filter({ hasText: 'van 20' }); // there are others of ours by now
  await set(US, 'night-shelter', 'free=6', 'occupied=14', 'status=admitting');
  await reads(ourNight, '6 vrij van 20');
  await ours();
  await reads(ourNight, '4 vrij van 20');
  await page.reload();
  await reads(ourNight, '4 vrij van 20');
  assert.equal((await page.goto(`https://plek.ander.test:${port}/`)).status(), 421);
  // Without TLS a name is good for looking, not for a password.
  const open = await freePort();
  await net.configure(START, `web.listen = "127.0.0.1:${open}"`, 'web.hosts = "plek.start.test"');
  await page.goto(`http://plek.start.test:${open}/`);
  await page.getByLabel('Gebruikersnaam').fill('beheer');
  await page.getByLabel('Wachtwoord').fill(PASSWORD);
  await button(page, 'Inloggen').click();
  await reads(page.locator('main [role=alert]'), 'niet versleuteld');
  fine();
});

// ---- what others write ----

test('hostile text in every field a partner controls is shown as text', async () => {
  const bad = '<script>window.pwned=1</script><b onclick=x>';
  // An agent of somebody's own making need not check what it sends as ours does.
  await net.stop(EVIL);
  const q = (text) => `'${text.replaceAll("'", "''")}'`;
  execFileSync('sqlite3', [join(net.dirOf(EVIL), 'agent.db'), `UPDATE site SET phone = ${q('"><img src=x onerror=pwned=1>')}, hours = ${q(bad)}, region = ${q('<i>regio</i>')}, note = ${q(bad)}, reports = ${q(bad)}, name = ${q('<u>huis</u>')}`]);
  await net.startAgent(EVIL);
  const says = (...args) => net.at(EVIL, ['set', ...args]);
  await says('night-shelter', 'free=1', 'blocked=1', `blocked_reason=${bad}`, `note=${bad}`, '--ward', '<svg onload=pwned=1>');
  await says('home', 'free=2', `note=${'W'.repeat(270)}`, '--ward', 'X'.repeat(60));
  await begin({ viewport: { width: 360, height: 740 } });
  await go('room');
  const evil = row('<svg onload=pwned=1>', 'Nachtopvang');
  const text = await reads(evil, bad);
  for (const shown of [EVIL, '<u>huis</u>', '<i>regio</i>', '"><img src=x onerror=pwned=1>']) assert.ok(text.includes(shown), `${shown} is not shown as text: ${text}`);
  assert.equal(await page.locator('main img, main script, main svg, main b, main i, main u').count(), 0);
  assert.doesNotMatch(await evil.locator('a').count() ? await evil.locator('a').getAttribute('href') : '', /javascript|</);
  await reads(row('X'.repeat(60), 'Woning'), 'W'.repeat(270));
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), 'long text makes the page wide');
  await page.getByLabel('Regio').selectOption('<i>regio</i>');
  for (let i = 0; i < 100 && (await page.locator('tbody tr').filter({ hasNotText: '<i>regio</i>' }).count()) > 0; i++) await page.waitForTimeout(100);
  assert.ok(await page.locator('tbody tr').count() > 0);
  assert.equal(await page.locator('tbody tr').filter({ hasNotText: '<i>regio</i>' }).count(), 0);
  await page.getByLabel('Regio').selectOption('');
  for (const id of ['sharing', 'network']) {
    await go(id);
    await reads(page.locator('main'), EVIL);
    assert.equal(await page.locator('main img').count(), 0);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${id} becomes wide`);
  }
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  fine();
});

test('hostile text in the charter is shown as text, wherever it stands', async () => {
  const charter = JSON.parse(readFileSync(net.charter, 'utf8'));
  const bad = (text) => `<img src=x onerror=pwned=1>${text}`;
  const both = (label) => ({ nl: bad(label.nl), en: bad(label.en) });
  charter.name = bad(charter.name);
  charter.purpose = both(charter.purpose);
  for (const service of charter.services) {
    service.label = both(service.label);
    service.definition = both(service.definition);
    for (const attribute of service.attributes ?? []) {
      attribute.label = both(attribute.label);
      for (const value of attribute.values) if (value.label) value.label = both(value.label);
    }
  }
  const file = join(net.dir, 'charter.json');
  writeFileSync(file, JSON.stringify(charter));
  await net.command('plek-hub', ['charter', 'publish', file, '--dir', net.hubDir]);
  for (let i = 0; i < 100 && !(await net.at(US, ['charter', 'show', '--json'])).includes('pwned'); i++) await page.waitForTimeout(100);
  await begin({ viewport: { width: 360, height: 740 } });
  await go('room');
  await page.getByLabel('Voorziening').selectOption('night-shelter');
  await reads(row(BAKEN, 'Nachtopvang'), bad('Volwassenen'));
  assert.ok(await page.getByLabel(bad('Doelgroep')).count() > 0);
  await go('capacity');
  await reads(page.locator('main'), bad('Een slaapplek voor de komende nacht'));
  await go('sharing');
  await page.getByLabel('Wat ziet').selectOption(BAKEN);
  await reads(page.locator('table.rows'), bad('Nachtopvang'));
  await go('network');
  await reads(page.locator('main'), bad('Zien waar vannacht'));
  for (const id of pages) {
    await go(id);
    await page.waitForTimeout(300);
    assert.equal(await page.locator('main img').count(), 0);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${id} becomes wide`);
  }
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  fine();
});

test('a thousand partners with ten services each: rows come by the page, the rest stays away', async () => {
  await net.stop(US);
  // As if one partner had that many sites and lines: it is the number that matters here.
  execFileSync('sqlite3', [join(net.dirOf(US), 'agent.db'), `
    WITH p AS (SELECT picture AS id FROM seen_site WHERE name = '${BAKEN}' LIMIT 1),
    n AS (SELECT value AS v FROM generate_series(1000, 1999))
    INSERT INTO seen_site SELECT p.id, n.v, 'Huis ' || n.v, 'regio' || (n.v % 10), '', '', '', '' FROM p, n;
    WITH p AS (SELECT picture AS id FROM seen_site WHERE name = '${BAKEN}' LIMIT 1),
    n AS (SELECT value AS v FROM generate_series(1000, 1999)), w AS (SELECT value AS w FROM generate_series(1, 10))
    INSERT INTO seen_line(picture, site, service, region, ward, attributes, available, blocked_reason, blocked_until_ms,
    next_free_ms, note, status, light, observed_ms, valid_until_ms) SELECT p.id, n.v, 'night-shelter', 'regio' || (n.v % 10),
    'afdeling ' || w.w, '', n.v % 7, '', 0, 0, '', 1, 0, unixepoch() * 1000, unixepoch() * 1000 + 86400000 FROM p, n, w;`]);
  await net.startAgent(US);
  await page.addInitScript(() => {
    globalThis.longest = 0;
    globalThis.tasks = [];
    new PerformanceObserver((list) => { for (const e of list.getEntries()) { globalThis.tasks.push(`${Math.round(e.startTime)}:${Math.round(e.duration)}`); globalThis.longest = Math.max(globalThis.longest, e.duration); } }).observe({ type: 'longtask', buffered: true });
  });
  await go('room');
  await reads(page.locator('main .count'), /^100\d\d regels gevonden/);
  await page.waitForFunction(() => document.querySelectorAll('table.rows tbody tr').length === 100);
  for (let shown = 200; shown <= 300; shown += 100) {
    await button(page, 'Toon er nog 100').click();
    await page.waitForFunction((n) => document.querySelectorAll('table.rows tbody tr').length === n, shown);
  }
  await reads(page.locator('main'), 'zoek gerichter');
  // News while they stand there.
  await set(START, 'night-shelter', 'free=3', 'status=consult');
  await page.waitForTimeout(3000);
  await page.getByLabel('Regio').selectOption('regio3');
  await reads(page.locator('main .count'), '1000 regels gevonden');
  console.log(await page.evaluate(() => globalThis.tasks.join(' ')));
  console.log(`longest task of the page with 10,000 rows: ${Math.round(await page.evaluate(() => globalThis.longest))} ms`);
  fine();
});

test('all that a browser loads is small', () => {
  let bytes = 0;
  for (const folder of ['agent/web', 'shared/web'])
    for (const name of readdirSync(join(root, folder))) bytes += statSync(join(root, folder, name)).size;
  console.log(`assets: ${bytes} bytes`);
  assert.ok(bytes < 200 * 1024, `${bytes} bytes`);
});
