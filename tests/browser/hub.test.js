// Tests the hub's pages in a real browser, with a real hub and four agents: every page and what it
// shows, charts and what stands there without them, both views, the public page, both languages, a
// phone's width, hostile names, accessibility.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { HubPages, titles } from './hubpages.js';
import { EVIL, HAVEN, reads, root } from './look.js';

const lab = new HubPages();
const main = () => lab.main();
const whole = () => lab.whole();

before(async () => {
  await lab.begin();
  await lab.open();
  await lab.enter('balie', 'admin');
});

after(() => lab.end());

test('overview: figures with a light, coverage beside them, who never reported', async () => {
  await lab.go('home');
  await reads(whole(), '3 van 4 locaties actueel, 0 verlopen, 1 nooit gemeld');
  await reads(whole(), '9–11');
  assert.equal(await whole().locator('.mark').textContent(), '●');
  await reads(lab.page.locator('.never'), EVIL);
  assert.equal(await lab.page.evaluate(() => window.pwned), undefined);
  await lab.shot('hub-home');
  await lab.accessible('home');
});

test('overview: a new figure stands there by itself', async () => {
  await lab.set(HAVEN, 'night-shelter', 'free=9', 'occupied=11');
  await reads(whole(), '14–16');
});

test('as published: what was published last, and nothing of fewer than k members', async () => {
  const { page } = lab;
  await lab.go('home');
  await page.getByLabel('Zoals gepubliceerd').check();
  await reads(whole(), 'niet gepubliceerd');
  await page.getByRole('button', { name: 'Nu publiceren' }).click();
  await reads(main(), 'Gepubliceerd.');
  await reads(whole(), '14–16');
  await reads(page.locator('section.service').nth(1), 'niet gepubliceerd');
  await lab.shot('hub-published');
  await lab.accessible('published');
  await page.getByLabel('Voor de beheerder').check();
  await reads(whole(), '3 van 4 locaties');
});

const bare = async () => (await (await fetch(lab.url('/uplot.js'))).text()).includes('export default null');

test('over time: a chart of the days, the same figures in a table', async (t) => {
  const { page } = lab;
  await lab.go('trend');
  await reads(main(), 'vandaag, tot nu');
  await reads(main(), 'kan nog veranderen');
  if (await bare()) {
    t.skip('built without uPlot: packaging/setup installs it');
    return;
  }
  await page.locator('.chart canvas').waitFor();
  const said = await page.locator('.chart').getAttribute('aria-label');
  assert.match(said, /van 20 van de 30 dagen is iets bekend/);
  assert.match(said, /Laatst: 14–16 op/);
  const box = await page.locator('.chart .u-over').boundingBox();
  for (const back of [40, 10]) await page.mouse.move(box.x + box.width - back, box.y + box.height / 2);
  await reads(page.locator('.under'), '14–16, 3 van 4 locaties actueel');
  await lab.shot('hub-trend');
  await lab.accessible('trend');
  await page.getByLabel('Regio').selectOption('oost');
  await reads(main(), 'Nachtopvang, oost');
  await page.getByLabel('Periode').selectOption('7');
  await page.locator('.chart[aria-label*="Nachtopvang, oost: van 7 van de 7 dagen"]').waitFor();
  await page.getByLabel('Voorziening').selectOption('home');
  await reads(main(), 'Woning, Hele netwerk');
  await reads(main(), 'Van deze dagen is niets bekend.');
  await page.getByLabel('Voorziening').selectOption('night-shelter');
});

test('network and users: who is connected, the charter, who may log in', async () => {
  const { page } = lab;
  await lab.go('network');
  await reads(main(), EVIL);
  await reads(main(), 'Verbonden');
  await reads(main(), 'Afspraken');
  await lab.shot('hub-network');
  await lab.accessible('network');
  await lab.go('users');
  await reads(main(), 'balie');
  await lab.shot('hub-users');
  await lab.accessible('users');
  assert.deepEqual(await page.evaluate(() => window.pwned), undefined);
});

for (const [language, colour] of [['en', 'dark'], ['nl', 'light']]) {
  test(`a phone, ${colour}, in ${language}: nothing is wider than the screen`, async () => {
    const { page } = lab;
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: colour });
    await lab.go('home');
    await page.locator('header select').selectOption(language);
    for (const [id, title] of Object.entries(titles[language])) {
      await lab.go(id);
      await reads(page.locator('main h1'), title);
      await page.locator('main table').first().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= 360, id);
      await lab.shot(`hub-${id}-360-${language}`);
      await lab.accessible(`${id} on a phone`);
    }
    assert.deepEqual(lab.faults, []);
  });
}

test('all that a browser loads of the hub is small', async () => {
  const paths = ['/uplot.js', '/uplot.css', ...readdirSync(join(root, 'hub/web')).map((name) => `/${name}`), ...readdirSync(join(root, 'shared/web')).map((name) => `/shared/${name}`)];
  let bytes = 0;
  for (const path of paths.filter((p) => p !== '/public.html')) {
    const answer = await fetch(lab.url(path));
    assert.equal(answer.status, 200, path);
    bytes += (await answer.arrayBuffer()).byteLength;
  }
  console.log(`assets: ${bytes} bytes`);
  assert.ok(bytes < 200 * 1024, `${bytes} bytes`);
});

test('without the charts\' library the tables are there', async () => {
  const stub = join(lab.net.dir, 'stub');
  await promisify(execFile)('cmake', [`-DFROM=${join(lab.net.dir, 'nowhere')}`, `-DOUT=${stub}`, '-P', join(root, 'packaging/cmake/uplot.cmake')]);
  await lab.net.stop('hub');
  await lab.net.startHub('--web-root', stub);
  const { page } = lab;
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.reload();
  await lab.go('trend');
  await reads(main(), 'vandaag, tot nu');
  assert.equal(await page.locator('canvas').count(), 0);
  assert.equal(await page.locator('.panel:visible').count(), 0);
  await lab.accessible('trend without charts');
  assert.deepEqual(lab.faults, []);
});

test('the public page is not there, until the settings say so', async () => {
  for (const path of ['/public', '/public.html', '/v1/public/aggregate']) assert.equal((await fetch(lab.url(path))).status, 404);
  assert.equal((await fetch(lab.url('/v1/published'))).status, 401);
  await lab.configure('public = yes');
  await lab.context.close();
  await lab.open();
  await lab.page.goto(lab.url('/public'));
  await reads(main(), '14–16');
  await reads(main(), 'niet gepubliceerd');
  assert.ok(!(await main().textContent()).includes(HAVEN));
  await lab.accessible('public');
  await lab.shot('hub-public');
  assert.deepEqual(lab.faults, []);
});
