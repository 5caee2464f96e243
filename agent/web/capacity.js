// Owns the page "our capacity": own lines by site, what is due first, confirming all of them, sites'
// cards. A line's own form is line.js's.
import { get, post, put } from '/shared/api.js';
import { el, field, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { errorText, t } from '/shared/i18n.js';
import { keyOf, Line, nameOf, newLine } from '/line.js';
import { keepAges, message, once } from '/shared/parts.js';
import { tables } from '/tables.js';
import { Words } from '/shared/words.js';

const urgency = { expired: 0, due: 1, current: 2 };
const order = (a, b) => urgency[a.freshness] - urgency[b.freshness] || a.valid_until.localeCompare(b.valid_until);
const LONGEST_MS = 0x7fffffff; // of a timer
const cardKeys = ['name', 'region', 'phone', 'hours', 'reports', 'note'];
const cardLimits = { name: 60, region: 20, phone: 40, hours: 80, reports: 120, note: 200 };

const aboutWords = (site) => [site.region, site.phone, site.hours].filter(Boolean).join(' · ');

// A site's card, or the form for a new site.
function card(site, done) {
  const said = message();
  const fields = cardKeys.map((key) => [key, field(t(`site.${key}`), { value: site?.[key] ?? '', maxlength: cardLimits[key], autocomplete: 'off' },
    key === 'note' || key === 'reports' ? t(`site.${key}Help`) : '')]);
  const submit = async (event) => {
    event.preventDefault();
    const change = {};
    for (const [key, f] of fields) {
      f.fail('');
      if (f.input.value.trim() !== (site?.[key] ?? '')) change[key] = f.input.value.trim();
    }
    if (!Object.keys(change).length) return;
    try {
      if (site) await put('/v1/sites', change, { site: site.name });
      else await post('/v1/sites', change);
      said.say(t('site.saved'));
      await done();
    } catch (failure) {
      const found = fields.find(([key]) => key === failure.place);
      if (found) found[1].fail(errorText(failure));
      else said.say(errorText(failure), 'bad');
      found?.[1].input.focus();
    }
  };
  return el('details', { class: 'panel' }, el('summary', {}, t(site ? 'site.card' : 'site.new')),
    el('form', { novalidate: true, onsubmit: submit }, el('div', { class: 'fields wide' }, fields.map(([, f]) => f.row)), said.box,
      el('button', { type: 'submit' }, t('line.save'))));
}

// Confirms one by one, each as it was seen, so that nothing is confirmed that changed in between.
async function confirmAll(lines, words, said) {
  const wanted = lines.filter((l) => l.freshness !== 'expired' && words.service(l.service));
  const failed = [];
  for (const line of wanted) {
    try {
      await post('/v1/confirm', { site: line.site, service: line.service, ward: line.ward ?? '', revision: line.revision });
    } catch (failure) {
      if (failure.code === 'offline' || failure.code === 'login') throw failure;
      failed.push(nameOf(line, words));
    }
  }
  const expired = lines.filter((l) => l.freshness === 'expired').length;
  const parts = [t('capacity.confirmed', { count: wanted.length - failed.length })];
  if (expired) parts.push(t('capacity.expiredLeft', { count: expired }));
  if (failed.length) parts.push(t('capacity.notConfirmed', { names: failed.join('; ') }));
  said.say(parts.join(' '), failed.length || expired ? 'warn' : 'good');
}

class Page {
  constructor(words, context) {
    this.words = words;
    this.signal = context.signal;
    this.guard = context.guard;
    this.editor = context.me.role !== 'viewer';
    this.cards = new Map(); // key of a line -> Line
    this.sections = new Map(); // site -> { node, list }
    this.list = el('div', {});
    this.due = el('p', { class: 'count', role: 'status' });
    this.said = message();
    this.extra = el('div', {});
    this.sitesSaid = '';
    this.sites = [];
    this.load = once(() => this.look());
  }

  async look() {
    const [lines, sites, places] = await Promise.all([get('/v1/lines'), get('/v1/sites'), get('/v1/places')]);
    this.lines = lines;
    this.sites = sites.map((s) => s.name);
    for (const line of lines) {
      const key = keyOf(line);
      if (!this.cards.has(key)) this.cards.set(key, new Line(line, this.words, { editor: this.editor, reload: () => this.load() }));
      this.cards.get(key).take(line, places.filter((p) => keyOf(p) === key));
    }
    this.arrange(lines, sites);
    this.awaitEnd();
    const waiting = lines.filter((l) => l.freshness !== 'current').length;
    const said = lines.length ? t(waiting ? 'capacity.due' : 'capacity.fine', { count: waiting }) : t('capacity.none');
    if (this.due.textContent !== said) this.due.textContent = said;
  }

  // The next figure that ends: it says so even if nobody answers then.
  awaitEnd() {
    const ends = [...this.cards.values()].map((card) => card.ends).filter((end) => end > Date.now());
    clearTimeout(this.timer);
    if (!ends.length || this.signal.aborted) return;
    this.timer = setTimeout(() => {
      for (const card of this.cards.values()) card.drawState();
      this.guard(this.load());
    }, Math.min(Math.min(...ends) - Date.now() + 10, LONGEST_MS));
  }

  // What is due first comes first, and with it its site. Nothing moves while somebody types.
  arrange(lines, sites) {
    for (const site of sites) this.sections.get(site.name)?.about.replaceChildren(aboutWords(site));
    if (this.list.contains(document.activeElement) && this.sections.size && lines.every((l) => this.sections.get(l.site)?.list.contains(this.cards.get(keyOf(l)).node))) return;
    const sorted = [...lines].sort(order);
    const names = [...new Set([...sorted.map((l) => l.site), ...sites.map((s) => s.name)])];
    for (const name of names) {
      const section = this.section(name, sites.find((s) => s.name === name));
      replace(section.list, sorted.filter((l) => l.site === name).map((l) => this.cards.get(keyOf(l)).node));
    }
    replace(this.list, names.map((name) => this.sections.get(name).node));
    this.drawExtra(sites);
  }

  section(name, site) {
    const card_ = JSON.stringify(site);
    const had = this.sections.get(name);
    if (had?.card === card_) return had;
    const list = el('div', { class: 'lines' });
    const about = el('p', { class: 'help' }, site ? aboutWords(site) : '');
    const node = el('section', { 'aria-label': name }, el('h2', {}, name), about, list,
      this.editor && site && card(site, () => this.load()));
    const made = { node, list, about, card: card_ };
    this.sections.set(name, made);
    return made;
  }

  drawExtra(sites) {
    const said = sites.map((s) => s.name).join('\n');
    if (!this.editor || (said === this.sitesSaid && this.extra.firstChild)) return;
    this.sitesSaid = said;
    replace(this.extra, newLine(this.words, sites, () => this.load()), card(null, () => this.load()));
  }
}

export async function render(main, context) {
  const { signal, guard } = context;
  const words = new Words(await get('/v1/charter'));
  const page = new Page(words, context);
  const all = el('button', { type: 'button', onclick: () => guard(confirmAll(page.lines, words, page.said).finally(() => page.load())) }, t('capacity.confirmAll'));
  replace(main, el('h1', {}, t('nav.capacity')), el('div', { class: 'buttons' }, page.due, page.editor && all), page.said.box, page.list, page.extra, tables(words, page.editor, () => page.sites, () => page.load()));
  on(signal, ['lines', 'sites', 'charter'], () => guard(page.load()));
  const timer = setInterval(() => guard(page.load()), 60000);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    clearTimeout(page.timer);
  });
  keepAges(main, signal);
  await page.load();
}
