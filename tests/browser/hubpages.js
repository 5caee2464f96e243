// Owns what the tests of the hub's pages share: a hub with three providers that report and one that
// never does, somebody logged in at the hub's own listener, and how a page is looked at.
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BAKEN, bin, charter, checkAccess, EVIL, HAVEN, launch, picture, root, START } from './look.js';
import { Network } from './network.js';

export const PASSWORD = 'een lange zin van woorden';
export const titles = {
  nl: { home: 'Beschikbaar in het netwerk', trend: 'Verloop', network: 'Netwerk', users: 'Gebruikers' },
  en: { home: 'Available in the network', trend: 'Over time', network: 'Network', users: 'Users' },
};
const DAYS = 20; // of past figures

export class HubPages {
  constructor() {
    this.net = new Network(bin, charter);
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
    this.browser = await launch();
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

  shot(name, on = this.page) { return picture(on, name, true); }

  accessible(what, on = this.page) { return checkAccess(on, what); }
}
