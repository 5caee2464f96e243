// Tests in a real browser whom an agent's pages serve: both languages, a phone's width, accessibility,
// the keyboard alone; and hostile text.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  accessible, at, begin, button, context, fine, go, line, net, night, ours, page, pages, PASSWORD, row, shot, titles,
} from './agentpages.js';
import { BAKEN, EVIL, HAVEN as US, reads, START } from './look.js';

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
  const evil = page.locator('tbody tr').filter({ hasText: EVIL });
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
  await pick(page.getByLabel('Taal'), 'E');
  await page.getByRole('link', { name: 'Room now' }).waitFor();
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
