// Owns how a row of the aggregate is said: a light with its shape and figure, coverage beside it,
// tables of services and regions. Must not fetch or change anything.
import { el } from '/shared/dom.js';
import { dateTime, t } from '/shared/i18n.js';
import { badge, table } from '/shared/parts.js';
import { mark, number } from '/shared/words.js';

const known = (value) => value !== null && value !== undefined;

// { text, level } of what is available; both bounds may be missing, or the upper one.
export function available(row) {
  const { low, high } = row.available ?? {};
  if (!known(low)) return { text: t('figure.unknown'), level: 'unknown' };
  const text = !known(high) ? t('figure.from', { low: number(low) })
    : Number(low) === Number(high) ? number(low) : t('figure.band', { low: number(low), high: number(high) });
  return { text, level: Number(low) > 0 ? 'good' : known(high) && Number(high) <= 0 ? 'none' : 'some' };
}

const lights = { good: 'light.green', some: 'light.orange', none: 'light.red' };

export function figureNode(row) {
  if (row.suppressed) return badge('unknown', t('home.suppressed'), '–');
  const { text, level } = available(row);
  return el('span', { class: `figure ${level}` },
    el('span', { class: 'mark', 'aria-hidden': 'true' }, mark[level]), el('span', { class: 'number' }, text),
    lights[level] && el('span', { class: 'of' }, t(lights[level])));
}

// "41 of 53 sites current, 3 expired, 9 never reported"; of a region nobody knows who never reported.
export function coverage(row) {
  if (!known(row.sites_current)) return '';
  const { sites_current: current, sites_expired: expired, sites_never: never } = row;
  const whole = row.region === null && known(never);
  const sites = current + expired + (whole ? never : 0);
  return [t('coverage.current', { current, count: sites }), t('coverage.expired', { number: expired }),
    whole && t('coverage.never', { number: never })].filter(Boolean).join(', ');
}

const parts = ['total', 'occupied', 'held', 'blocked', 'need'];

function details(row) {
  const said = parts.filter((p) => known(row[p])).map((p) => t(`part.${p}`, { number: number(row[p]) }));
  return said.join(', ');
}

// On a phone a row of figures is a few lines, not a tall card.
export function briefTable(caption, heads, rows) {
  const made = table(caption, heads, rows);
  made.classList.add('brief');
  return made;
}

export const regionName = (region) => region ?? t('home.whole');

// One service: the whole network first, then its regions.
export function serviceTable(caption, rows, published) {
  const heads = [t('home.region'), t('row.room'), t('home.coverage'), t('home.organisations'), t(published ? 'home.since' : 'home.details')];
  return briefTable(caption, heads, rows.map((row) => [regionName(row.region), figureNode(row), coverage(row),
    known(row.members) ? String(row.members) : '', published ? row.published_at && dateTime(row.published_at) : details(row)]));
}

export function byService(rows) {
  const found = new Map();
  for (const row of rows) {
    if (!found.has(row.service)) found.set(row.service, []);
    found.get(row.service).push(row);
  }
  return found;
}
