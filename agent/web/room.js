// Owns the page "room now": filters that the daemon applies, rows by the page, live, and what is
// said while the picture cannot be renewed. Must not rank or judge rows: the daemon does.
import { get } from '/shared/api.js';
import { el, field, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';
import * as alerts from '/alerts.js';
import { check, choice, keepAges, once } from '/shared/parts.js';
import { keyOf, nextEnd, rowAt, rowNode, rowTable } from '/rows.js';
import { pick, whenWords, Words } from '/shared/words.js';

const PAGE = 100; // rows at first, and at each "more"
const MOST = 300; // rows on the page; who needs more has to say what is looked for
const SLICE = 25; // rows made at a time, so that the page answers in between
const RENEW_MS = 60000; // freshness changes without any news
const CALM_MS = 1000; // between two looks when news comes thick and fast
const LONGEST_MS = 0x7fffffff; // of a timer
const KEPT = 'plek.room';

function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}

// What goes into the query, of what the form says.
export function queryOf(filter) {
  const query = {};
  for (const key of ['service', 'min', 'region']) if (filter[key]) query[key] = filter[key];
  if (filter.taking) query.taking = '1';
  const where = Object.entries(filter.where ?? {}).filter(([, v]) => v).map(([k, v]) => `${k}=${v}`);
  if (filter.service && where.length) query.where = where.join(',');
  return query;
}

class Filters {
  constructor(words, changed) {
    this.words = words;
    this.filter = kept();
    if (!words.service(this.filter.service)) this.filter.service = '';
    this.changed = changed;
    this.regions = [];
    this.attributes = el('div', { class: 'contents' });
    this.node = el('form', { class: 'filters', role: 'search', 'aria-label': t('room.filters'), onsubmit: (e) => e.preventDefault() });
    this.build();
  }

  set(change) {
    Object.assign(this.filter, change);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.filter));
    } catch { /* for this time only, then */ }
    this.changed();
  }

  select(label, name, options) {
    const made = choice(label, [['', t('room.any')], ...options], this.filter[name] ?? '', { name });
    made.input.addEventListener('change', () => {
      this.set(name === 'service' ? { service: made.input.value, where: {} } : { [name]: made.input.value });
      if (name === 'service') this.drawAttributes();
    });
    return made;
  }

  attribute(attribute) {
    const options = attribute.values.map((v) => [v.code ?? v, pick(v.label) || (v.code ?? v)]);
    const made = choice(pick(attribute.label) || attribute.name, [['', t('room.any')], ...options], this.filter.where?.[attribute.name] ?? '', { name: `where-${attribute.name}` });
    made.input.addEventListener('change', () => this.set({ where: { ...this.filter.where, [attribute.name]: made.input.value } }));
    return made.row;
  }

  // Those of the service; the choice of the service itself stays, somebody has the keyboard in it.
  drawAttributes() {
    replace(this.attributes, (this.words.service(this.filter.service)?.attributes ?? []).map((a) => this.attribute(a)));
  }

  build() {
    const min = field(t('room.min'), { name: 'min', inputmode: 'numeric', size: 4, value: this.filter.min ?? '', autocomplete: 'off' });
    min.input.addEventListener('input', () => {
      const fine = /^\d*([.,]\d+)?$/.test(min.input.value.trim());
      min.fail(fine ? '' : t('room.minWrong'));
      if (fine) this.set({ min: min.input.value.trim().replace(',', '.') });
    });
    const taking = check(t('room.taking'), this.filter.taking, { name: 'taking' });
    taking.input.addEventListener('change', () => this.set({ taking: taking.input.checked }));
    this.region = this.select(t('room.region'), 'region', this.regions.map((r) => [r, r]));
    replace(this.node, this.select(t('row.service'), 'service', this.words.services.map((s) => [s.code, pick(s.label) || s.code])).row,
      this.attributes, min.row, this.region.row, taking.row);
    this.drawAttributes();
  }

  // The regions there are, without touching a list that somebody has open for nothing.
  offer(regions) {
    const all = this.filter.region && !regions.includes(this.filter.region) ? [...regions, this.filter.region] : regions;
    if (JSON.stringify(all) === JSON.stringify(this.regions)) return;
    this.regions = all;
    replace(this.region.input, [['', t('room.any')], ...all.map((r) => [r, r])].map(([v, text]) =>
      el('option', { value: v, selected: v === (this.filter.region ?? '') }, text)));
  }

  words_() {
    const { filter, words } = this;
    const parts = [filter.service ? words.serviceLabel(filter.service) : t('service.all')];
    for (const [name, value] of Object.entries(filter.where ?? {})) if (value) parts.push(words.valueLabel(filter.service, name, value));
    if (filter.region) parts.push(filter.region);
    if (filter.min) parts.push(t('alert.atLeast', { min: filter.min }));
    return parts.join(', ');
  }
}

class Rows {
  // ended(): a row has just expired.
  constructor(words, ended) {
    this.words = words;
    this.ended = ended;
    this.rows = [];
    this.ahead = 0;
    this.body = el('tbody', { role: 'rowgroup' });
    this.shown = new Map();
    this.turn = 0;
  }

  // `at`: the daemon's time, by which rows are judged.
  take(rows, at) {
    this.rows = rows;
    this.ahead = Date.parse(at) - Date.now();
    return this.look();
  }

  // What ends, ends here too, should nobody answer.
  look() {
    const now = Date.now() + this.ahead;
    clearTimeout(this.timer);
    const end = nextEnd(this.rows, now);
    if (end < Infinity) this.timer = setTimeout(() => { this.look(); this.ended(); }, Math.min(end - now + 10, LONGEST_MS));
    return this.show(this.rows.map((row) => rowAt(row, now)));
  }

  // Keeps the rows that say the same, so that nothing jumps and the focus stays. Others stand as they
  // were until it is their turn; a newer picture takes over.
  async show(rows) {
    const turn = ++this.turn;
    const next = new Map(); // key -> { text, row, node: null while not made, old: what stands there until then }
    for (const row of rows) {
      const key = keyOf(row);
      const { age_s: _, ...rest } = row;
      const text = JSON.stringify(rest);
      const had = this.shown.get(key);
      next.set(key, had?.node && had.text === text ? had : { text, row, node: null, old: had?.node ?? had?.old });
    }
    for (const [key, { node, old }] of this.shown) if (!next.has(key)) (node ?? old)?.remove();
    this.shown = next;
    let at = this.body.firstChild;
    let made = 0;
    for (const entry of next.values()) {
      if (!entry.node && made++ % SLICE === SLICE - 1) await new Promise((resolve) => { setTimeout(resolve); });
      if (turn !== this.turn) return;
      entry.node ??= rowNode(entry.row, this.words);
      this.place(entry, at);
      at = entry.node.nextSibling;
    }
  }

  place(entry, at) {
    const { node, old } = entry;
    const focused = old?.contains(document.activeElement);
    if (old && old !== at) old.remove();
    if (at !== node) this.body.insertBefore(node, at);
    if (old === at && old) old.remove();
    if (focused) node.querySelector('a')?.focus();
    delete entry.old;
  }
}

// Whether what is shown is the network's newest, in words; nothing when it is. wasConnected: this
// page saw a connection, so the loss is the time; else it may have been lost before the agent began.
function pictureState(status, failedSince, wasConnected) {
  if (failedSince) return t('room.noAgent', { time: whenWords(failedSince) });
  if (!status || status.hub.connected) return '';
  const since = wasConnected ? status.hub.since : status.picture_at;
  return since ? t('room.offline', { time: whenWords(since) }) : t('room.never');
}

export async function render(main, { signal, guard }) {
  const words = new Words(await get('/v1/charter'));
  const rows = new Rows(words, () => soon());
  const count = el('p', { class: 'count', role: 'status' });
  const state = el('p', { class: 'state', role: 'status' });
  const more = el('button', { type: 'button', class: 'quiet', hidden: true }, '');
  const refine = el('p', { class: 'help', hidden: true }, t('room.refine'));
  let limit = PAGE;
  let asOf = null;
  let wasConnected = false;
  let lookAgain = null;

  const load = once(async () => {
    const query = { ...queryOf(filters.filter), limit };
    let answer, status;
    try {
      [answer, status] = await Promise.all([get('/v1/room', query), get('/v1/status')]);
    } catch (failure) {
      if (failure.code === 'offline' && asOf) state.textContent = pictureState(null, asOf);
      throw failure;
    }
    if (signal.aborted) return;
    asOf = Date.now();
    filters.offer(answer.regions);
    const said = t('room.count', { count: answer.total });
    if (count.textContent !== said) count.textContent = said;
    wasConnected ||= status.hub.connected;
    state.textContent = pictureState(status, null, wasConnected);
    const left = answer.total - answer.rows.length;
    more.hidden = left <= 0 || limit >= MOST;
    more.textContent = t('room.more', { count: Math.min(left, PAGE) });
    refine.hidden = left <= 0 || limit < MOST;
    await rows.take(answer.rows, answer.at);
  });
  const filters = new Filters(words, () => { limit = PAGE; guard(load()); });
  more.addEventListener('click', () => { limit = Math.min(limit + PAGE, MOST); guard(load()); });
  const soon = () => {
    lookAgain ??= setTimeout(() => { lookAgain = null; guard(load()); }, CALM_MS);
  };

  replace(main, el('h1', {}, t('nav.room')), state, filters.node,
    alerts.panel(signal, () => ({ query: queryOf({ ...filters.filter, min: filters.filter.min || '1', taking: true }), text: filters.words_() })),
    count, rowTable(t('nav.room'), rows.body), more, refine);
  on(signal, ['picture', 'status', 'charter', 'partners'], soon);
  const timer = setInterval(soon, RENEW_MS);
  addEventListener('offline', () => guard(load()), { signal });
  addEventListener('online', () => guard(load()), { signal });
  keepAges(main, signal);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    clearTimeout(lookAgain);
    clearTimeout(rows.timer);
  });
  await load();
}
