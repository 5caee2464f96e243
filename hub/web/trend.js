// Owns the page of figures over time: one service, the whole network or a region, per day.
import { get } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';
import { choice, once, table } from '/shared/parts.js';
import { Words } from '/shared/words.js';
import { trendChart } from '/chart.js';
import { coverage, figureNode, regionName } from '/figures.js';
import { rows, viewHelp, viewSwitch } from '/view.js';

const periods = [7, 30, 90, 365];
const DAY_MS = 86400000;
const wanted = { service: '', region: '', days: 30 };

// The day in the charter's zone, as the hub counts days.
const dayAt = (ms, zone) => new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(ms);

const value = (bound) => (bound === null || bound === undefined ? null : Number(bound));

function points(from, to, found) {
  const byDay = new Map(found.map((row) => [row.day, row]));
  const list = [];
  for (let day = from; day <= to; day = new Date(Date.parse(day) + DAY_MS).toISOString().slice(0, 10)) {
    const row = byDay.get(day);
    list.push({ day, low: value(row?.available?.low), high: value(row?.available?.high) });
  }
  return list;
}

const stateOf = (row) => (row.suppressed ? '' : t(row.open ? 'trend.open' : row.final ? 'trend.final' : 'trend.ended'));

function draw(body, words, found, from, to) {
  const own = found.filter((row) => (row.region ?? '') === wanted.region);
  const label = `${words.serviceLabel(wanted.service)}, ${regionName(wanted.region || null)}`;
  const known = own.filter((row) => !row.suppressed && row.members + row.sites_current + row.sites_expired > 0).reverse();
  replace(body, viewHelp(), el('h2', {}, label), el('p', { class: 'help' }, t('trend.how')), el('div', { class: 'panel' }, trendChart(points(from, to, own), label)),
    known.length ? table(label, [t('trend.day'), t('row.room'), t('home.coverage'), t('home.organisations'), t('trend.state')],
      known.map((row) => [row.day, figureNode(row), coverage(row), String(row.members ?? ''), stateOf(row)])) : el('p', {}, t('trend.nothing')));
}

function pickRegions(select, found) {
  const regions = [...new Set(found.map((row) => row.region).filter(Boolean))].sort();
  if (!regions.includes(wanted.region)) wanted.region = '';
  replace(select, ['', ...regions].map((r) => el('option', { value: r, selected: r === wanted.region }, regionName(r || null))));
}

export async function render(main, { signal, guard }) {
  const charter = await get('/v1/charter');
  const words = new Words(charter);
  const body = el('div', {});
  if (!words.service(wanted.service)) wanted.service = words.services[0].code;
  const load = once(async () => {
    const now = Date.now();
    const from = dayAt(now - (wanted.days - 1) * DAY_MS, charter.time_zone);
    const found = await rows({ from, service: wanted.service });
    pickRegions(region.input, found);
    draw(body, words, found, from, dayAt(now, charter.time_zone));
  });
  const change = (key, read) => ({ onchange: (e) => {
    wanted[key] = read(e.target.value);
    guard(load());
  } });
  const service = choice(t('row.service'), words.services.map((s) => [s.code, words.serviceLabel(s.code)]), wanted.service, change('service', String));
  const region = choice(t('home.region'), [['', t('home.whole')]], '', change('region', String));
  const period = choice(t('trend.period'), periods.map((d) => [String(d), t('charter.days', { count: d })]), String(wanted.days), change('days', Number));
  replace(main, el('h1', {}, t('nav.trend')), viewSwitch(() => guard(load())), el('div', { class: 'fields' }, service.row, region.row, period.row), body);
  on(signal, ['status', 'charter'], () => guard(load()));
  await load();
}
