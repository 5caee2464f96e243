// Owns how rows of find look: who, what, how much, how old, whom to call. Used by "room now" and by
// the preview of what a partner sees. Everything in a row was written by somebody else. Must not judge
// rows, but for what ends while nobody answers.
import { el } from '/shared/dom.js';
import { t } from '/shared/i18n.js';
import { age, badge, figureNode, freshBadge, phoneNode, statusBadge } from '/shared/parts.js';
import { figure, whenWords } from '/shared/words.js';

export const keyOf = (row) => JSON.stringify([row.member, row.site, row.service, row.ward]);

const figures = ['available', 'band', 'light', 'total', 'occupied', 'held', 'blocked', 'need'];

// The row as it is at a moment: its end passes whether or not the daemon can be asked.
export function rowAt(row, now) {
  if (row.freshness === 'expired' || !(Date.parse(row.valid_until) <= now)) return row;
  const known = Object.fromEntries(figures.map((key) => [key, row[key]]));
  return { ...row, ...Object.fromEntries(figures.map((key) => [key, null])), freshness: 'expired', last: known };
}

// The next moment at which one of these ends; Infinity: none does.
export const nextEnd = (rows, now) => Math.min(...rows.map((row) => Date.parse(row.valid_until)).filter((end) => end > now));

const cell = (head, ...content) => el('td', { role: 'cell', 'data-head': t(head) }, content);

function room(row) {
  if (row.freshness !== 'expired') return figureNode(row);
  const last = row.last && figure(row.last);
  return [figureNode({}), row.last && el('span', { class: 'of block' }, t('figure.last', { figure: last.text }))];
}

function extras(row) {
  const parts = [];
  if (row.held) parts.push(t('row.held', { number: row.held }));
  if (row.blocked) parts.push(t('row.blocked', { number: row.blocked }) + (row.blocked_reason ? ` (${row.blocked_reason})` : '')
    + (row.blocked_until ? ` ${t('row.until', { when: whenWords(row.blocked_until) })}` : ''));
  if (row.need) parts.push(t('row.need', { number: row.need }));
  if (row.next_free) parts.push(t('row.nextFree', { when: whenWords(row.next_free) }));
  return [...parts.map((text) => el('span', { class: 'of block' }, text)), row.note && el('span', { class: 'note block' }, row.note)];
}

function who(row, own) {
  const site = row.site === row.member ? null : row.site;
  return el('th', { scope: 'row', role: 'rowheader' },
    el('span', { class: 'who' }, own ? row.site : row.member),
    !own && site && el('span', { class: 'of block' }, site),
    row.ward && el('span', { class: 'of block' }, row.ward),
    row.region && el('span', { class: 'of block' }, row.region),
    row.verified ? null : badge('unknown', t('row.unverified'), '!'));
}

function call(row) {
  return [row.phone ? phoneNode(row.phone) : el('span', { class: 'of' }, t('row.noPhone')),
    row.hours && el('span', { class: 'of block' }, row.hours),
    row.reports && el('span', { class: 'of block' }, t('row.reports', { reports: row.reports })),
    row.site_note && el('span', { class: 'note block' }, row.site_note)];
}

export function rowNode(row, words, own = false) {
  return el('tr', { role: 'row', class: `row ${row.freshness}`, 'data-until': row.valid_until },
    el('td', { role: 'cell', class: 'room', 'data-head': t('row.room') }, room(row)),
    who(row, own),
    cell('row.service', el('span', {}, words.serviceLabel(row.service)),
      words.attributes(row).map((text) => el('span', { class: 'of block' }, text)), extras(row)),
    cell('row.status', statusBadge(row.status, row.freshness === 'expired')),
    cell('row.age', age(row.observed_at), ' ', freshBadge(row.freshness),
      row.reports_again && el('span', { class: 'of block' }, t('row.reportsAgain', { when: whenWords(row.reports_again) }))),
    cell('row.call', call(row)));
}

export function rowTable(caption, body) {
  const heads = ['row.room', 'row.who', 'row.service', 'row.status', 'row.age', 'row.call'];
  return el('table', { class: 'rows stack', role: 'table' }, el('caption', { class: 'hidden' }, caption),
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, heads.map((h) => el('th', { scope: 'col', role: 'columnheader' }, t(h))))), body);
}
