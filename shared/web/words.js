// Owns how values are said in words: the charter's labels, figures at their precision,
// ages, statuses. Must not fetch or change anything.
import { current, formatter, locale, t } from '/shared/i18n.js';

// A text of the charter: a string, or an object by language.
export const pick = (text) => (typeof text === 'string' ? text : text?.[current()] ?? text?.nl ?? text?.en ?? '');

const byCode = (list, key, code) => list?.find((entry) => entry[key] === code);

export class Words {
  constructor(charter) {
    this.charter = charter;
    this.services = charter?.services ?? [];
  }

  service(code) { return byCode(this.services, 'code', code); }

  serviceLabel(code) { return code === '*' ? t('service.all') : pick(this.service(code)?.label) || code; }

  definition(code) { return pick(this.service(code)?.definition); }

  attribute(code, name) { return byCode(this.service(code)?.attributes, 'name', name); }

  attributeLabel(code, name) { return pick(this.attribute(code, name)?.label) || name; }

  valueLabel(code, name, value) {
    const found = this.attribute(code, name)?.values?.find((v) => (v.code ?? v) === value);
    return pick(found?.label) || value;
  }

  attributes(row) {
    return Object.entries(row.attributes ?? {}).map(([name, value]) =>
      `${this.attributeLabel(row.service, name)}: ${this.valueLabel(row.service, name, value)}`);
  }

  // "bedden", "uur per week"
  unit(code) {
    const service = this.service(code);
    return t(`unit.${service?.unit ?? 'place'}${service?.period ? '.week' : ''}`);
  }
}

const steps = (precision) => Number(precision.split(':')[1]);

// What a row says of its room: { text, detail, level } with level good, some, none or unknown.
// Whoever cannot see colours has the text; `mark` is a shape of its own for each level.
export function figure(row) {
  if (row.available !== null && row.available !== undefined) {
    const value = Number(row.available);
    const rounded = row.precision?.startsWith('rounded') && value >= 0;
    const decimals = (String(row.available).split('.')[1] ?? '').length;
    const to = rounded && (value + steps(row.precision) - 10 ** -decimals).toFixed(decimals);
    const text = rounded ? t('figure.rounded', { from: number(row.available), to: number(to) }) : number(row.available);
    const detail = rounded ? t('figure.roundedTo', { step: steps(row.precision) })
      : row.total !== null && row.total !== undefined ? t('figure.of', { total: number(row.total) }) : '';
    return { text, detail, level: value > 0 ? 'good' : rounded ? 'some' : 'none' };
  }
  if (row.band) {
    const [low, high] = row.band;
    const text = high === null ? t('figure.from', { low }) : low === high ? String(low) : t('figure.band', { low, high });
    return { text: Number(high) === 0 && high !== null ? t('figure.none') : text, detail: t('figure.banded'), level: Number(low) > 0 ? 'good' : 'none' };
  }
  if (row.light) return { text: t(`light.${row.light}`), detail: t('figure.light'), level: { green: 'good', orange: 'some', red: 'none' }[row.light] };
  return { text: t('figure.unknown'), detail: '', level: 'unknown' };
}

export const mark = { good: '●', some: '▲', none: '■', unknown: '?' };

export const number = (value) => (typeof value === 'string' && current() === 'nl' ? value.replace('.', ',') : String(value));

// "exact", "rounded:5", "band", "light" with the bounds of a band.
export function precisionWords(precision, bands) {
  const [kind, step] = (precision ?? '').split(':');
  if (kind === 'band') return t('precision.band', { bands: bandWords(bands ?? [1, 3, 6]) });
  return t(`precision.${kind}`, { step: step ?? '' });
}

// The same in a word or two: "precies", "afgerond op 5".
export function precisionShort(precision) {
  const [kind, step] = precision.split(':');
  return t(`precision.${kind}.short`, { step: step ?? '' });
}

export function bandWords(bands) {
  const parts = bands.map((low, i) => (i + 1 === bands.length ? t('figure.from', { low })
    : bands[i + 1] - 1 === low ? String(low) : t('figure.band', { low, high: bands[i + 1] - 1 })));
  return [t('figure.none'), ...parts].join(', ');
}

const time = (value, options) => formatter(Intl.DateTimeFormat, locale(), options).format(new Date(value));
export const clock = (value) => time(value, { hour: '2-digit', minute: '2-digit' });

const dayOf = (ms) => new Date(ms).setHours(0, 0, 0, 0);

// "zojuist", "5 minuten geleden", "gisteren 16:40", "vr 16:40", "12 nov 16:40".
export function ageWords(value, now = Date.now()) {
  if (!value) return t('age.never');
  const then = new Date(value).getTime();
  const minutes = Math.floor((now - then) / 60000);
  if (minutes < 1) return t('age.now');
  if (minutes < 60) return t('age.minutes', { count: minutes });
  const days = Math.round((dayOf(now) - dayOf(then)) / 86400000);
  if (days === 0) return t('age.hours', { count: Math.floor(minutes / 60) });
  if (days === 1) return t('age.yesterday', { time: clock(then) });
  if (days < 7) return time(then, { weekday: 'short', hour: '2-digit', minute: '2-digit' });
  return time(then, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
}

// A code of the daemon in words; as it is when there are none for it yet.
export function coded(group, code, values) {
  const said = t(`${group}.${code}`, values);
  return said === `${group}.${code}` ? code : said;
}

// "user:beheer" -> "beheer"; whoever works at the computer itself has only a number there.
export function actorWords(actor) {
  const [, kind, name] = /^(user|token|uid):(.*)$/.exec(actor ?? '') ?? [];
  if (kind === 'user') return name;
  return kind ? t(`actor.${kind}`, { name }) : actor ?? '';
}

// When something ends or comes: "18:00", "ma 09:00", "12 dec 09:00".
export function whenWords(value) {
  const days = Math.round((dayOf(new Date(value)) - dayOf(Date.now())) / 86400000);
  const at = { hour: '2-digit', minute: '2-digit' };
  if (days === 0) return time(value, at);
  if (Math.abs(days) < 7) return time(value, { weekday: 'short', ...at });
  return time(value, { day: 'numeric', month: 'short', ...at });
}

// A link to call: only what a telephone dials goes into the address.
export const dial = (phone) => phone?.replace(/(?!^\+)\D/g, '') ?? '';
