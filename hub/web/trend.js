// Owns the page of figures over time: one service, the whole network or a region, per day.
import { get } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';
import { choice, once } from '/shared/parts.js';
import { Words } from '/shared/words.js';
import { dayWords, hasCharts, trendChart } from '/chart.js';
import { available, briefTable, coverage, figureNode, regionName } from '/figures.js';
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
    list.push({ day, low: value(row?.available?.low), high: value(row?.available?.high), text: available(row ?? {}).text, coverage: row ? coverage(row) : '' });
  }
  return list;
}

const stateOf = (row) => (row.suppressed ? '' : t(row.open ? 'trend.open' : row.final ? 'trend.final' : 'trend.ended'));

function daysTable(label, rows) {
  if (!rows.length) return el('p', {}, t('trend.nothing'));
  return briefTable(label, [t('trend.day'), t('row.room'), t('home.coverage'), t('home.organisations'), t('trend.state')],
    rows.map((row) => [dayWords(row.day), figureNode(row), coverage(row), String(row.members ?? ''), stateOf(row)]));
}

function pickRegions(select, found) {
  const regions = [...new Set(found.map((row) => row.region).filter(Boolean))].sort();
  if (!regions.includes(wanted.region)) wanted.region = '';
  replace(select, ['', ...regions].map((r) => el('option', { value: r, selected: r === wanted.region }, regionName(r || null))));
}

export async function render(main, { signal, guard }) {
  const charter = await get('/v1/charter');
  const words = new Words(charter);
  const help = el('div', {});
  const title = el('h2', {});
  const chart = trendChart(signal);
  const days = el('div', { class: 'days' });
  if (!words.service(wanted.service)) wanted.service = words.services[0].code;
  const load = once(async () => {
    const now = Date.now();
    const from = dayAt(now - (wanted.days - 1) * DAY_MS, charter.time_zone);
    const found = await rows({ from, service: wanted.service });
    pickRegions(region.input, found);
    const own = found.filter((row) => (row.region ?? '') === wanted.region);
    const label = `${words.serviceLabel(wanted.service)}, ${regionName(wanted.region || null)}`;
    replace(help, viewHelp(), hasCharts && el('p', { class: 'help' }, t('trend.how')));
    replace(title, label);
    chart.show(points(from, dayAt(now, charter.time_zone), own), label, words.service(wanted.service).decimals > 0);
    replace(days, daysTable(t('home.caption', { unit: words.unit(wanted.service) }), own.filter((row) => !row.suppressed && row.members + row.sites_current + row.sites_expired > 0).reverse()));
  });
  const change = (key, read) => ({ onchange: (e) => {
    wanted[key] = read(e.target.value);
    guard(load());
  } });
  const service = choice(t('row.service'), words.services.map((s) => [s.code, words.serviceLabel(s.code)]), wanted.service, change('service', String));
  const region = choice(t('home.region'), [['', t('home.whole')]], '', change('region', String));
  const period = choice(t('trend.period'), periods.map((d) => [String(d), t('charter.days', { count: d })]), String(wanted.days), change('days', Number));
  replace(main, el('h1', {}, t('nav.trend')), viewSwitch(() => guard(load())), el('div', { class: 'fields' }, service.row, region.row, period.row), help, title, chart.node, days);
  on(signal, ['status', 'charter'], () => guard(load()));
  await load();
}
