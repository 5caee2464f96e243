// Tests in a real browser what an agent shares and with whom it speaks: partners, lost connections,
// users and their sessions, TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { Front, freePort } from './front.js';
import {
  accessible, at, begin, button, context, fine, go, line, net, night, nightSays, ours, page, PASSWORD, row, set, shot, tab, users,
} from './agentpages.js';
import { BAKEN, EVIL, HAVEN as US, reads, START } from './look.js';

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
  const evil = page.locator('tbody tr').filter({ hasText: EVIL });
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

const accountPage = async (old, next, on = page) => {
  await on.getByLabel('Huidig wachtwoord').fill(old);
  await on.getByLabel('Nieuw wachtwoord', { exact: true }).fill(next);
  await on.getByLabel('Nog een keer').fill(next);
  await button(on, 'Opslaan').click();
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
  await accountPage(PASSWORD, next, other);
  await reads(other.locator('main'), 'Uw wachtwoord is veranderd.');
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
