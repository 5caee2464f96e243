// Tests in a real browser what an agent's pages show and what is entered there: room now, our capacity,
// with a thousand partners too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Front } from './front.js';
import {
  accessible, at, begin, button, fine, go, line, net, night, nightSays, ours, page, row, set, shot, tab,
} from './agentpages.js';
import { BAKEN, EVIL, HAVEN as US, reads, root, START } from './look.js';

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
  await reads(row(EVIL, 'Woning'), 'Niet gecontroleerd');
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

// Line i of many as agent/judged.c packs it.
function packedLine(i, now) {
  const text = (t) => Buffer.from(`\0${String.fromCharCode(t.length)}${t}\0`, 'latin1');
  const site = Math.floor(i / 10);
  const place = [text(`Huis ${site}`), text(`regio${site % 10}`), text('night-shelter')];
  const numbers = Buffer.alloc(32);
  [100000 + i, now, now + 86400000, i % 7].forEach((n, k) => numbers.writeBigInt64BE(BigInt(n), 8 * k));
  const moved = i % 10 === 0;
  return Buffer.concat([Buffer.from([moved ? 1 : 0]), ...(moved ? place : []), numbers, Buffer.from([1, 0, 1]),
    text(`afdeling ${i % 10}`), text('')]);
}

test('a thousand partners with ten services each: rows come by the page, the rest stays away', async () => {
  await net.stop(US);
  // As if one partner had that many sites and lines: it is the number that matters here.
  const packed = `${net.dirOf(US)}.packed`;
  const now = Date.now();
  writeFileSync(packed, Buffer.concat(Array.from({ length: 10000 }, (_, i) => packedLine(i, now))));
  execFileSync('sqlite3', [join(net.dirOf(US), 'agent.db'), `
    CREATE TEMP TABLE p AS SELECT picture AS id FROM seen_site WHERE name = '${BAKEN}' LIMIT 1;
    CREATE TEMP TABLE n AS SELECT value AS i FROM generate_series(0, 9999);
    INSERT INTO seen_site SELECT p.id, 1000 + i, 'Huis ' || i, 'regio' || (i % 10), '', '', '', '' FROM p, n WHERE i < 1000;
    INSERT INTO seen_line(id, picture, site, service, ward, attributes, available, blocked_reason, blocked_until_ms,
    next_free_ms, note, status, light, observed_ms, valid_until_ms) SELECT 100000 + i, p.id, 1000 + i / 10,
    'night-shelter', 'afdeling ' || (i % 10), '', i % 7, '', 0, 0, '', 1, 0, ${now}, ${now} + 86400000 FROM p, n;
    UPDATE seen_judged SET lines = CAST(lines || readfile('${packed}') AS BLOB) WHERE picture = (SELECT id FROM p);`]);
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
