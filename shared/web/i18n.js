// Owns the texts of the screens in the reader's language. The switch is kept in this browser.

export const languages = ['nl', 'en'];
const KEPT = 'plek.language';
let texts = {};
let language = 'nl';

function wanted() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch { /* a browser may keep nothing */ }
  const found = [kept, ...navigator.languages].map((l) => l?.slice(0, 2).toLowerCase());
  return found.find((l) => languages.includes(l)) ?? 'nl';
}

async function read(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

export async function load() {
  language = wanted();
  const parts = await Promise.all([read(`/shared/${language}.json`), read(`/${language}.json`)]);
  texts = Object.assign({}, ...parts);
  document.documentElement.lang = language;
}

export function choose(next) {
  try {
    localStorage.setItem(KEPT, next);
  } catch { /* for this time only, then */ }
  return load();
}

export const current = () => language;
// How dates and times are written: a day before its month, 24 hours.
export const locale = () => (language === 'en' ? 'en-GB' : language);

// Intl's objects are slow to make, and a page of rows needs the same few thousands of times.
const made = new Map();
export function formatter(Kind, locale, options) {
  const key = `${Kind.name} ${locale} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Kind(locale, options));
  return made.get(key);
}

// t('rows', { count: 2 }) takes 'rows.one' or 'rows.other' where they exist.
export function t(key, values = {}) {
  const plural = 'count' in values
    ? `${key}.${formatter(Intl.PluralRules, language).select(values.count)}` : key;
  const text = texts[plural] ?? texts[`${key}.other`] ?? texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? String(values[name]) : all));
}

// What went wrong, in words: the screen's own text for the code, else what the daemon says (English).
export function errorText(error) {
  const key = `error.${error.code ?? 'internal'}`;
  const seconds = Math.ceil((error.retryMs ?? 0) / 1000);
  return key in texts ? t(key, { seconds, detail: error.message }) : error.message;
}

export const dateTime = (value) =>
  formatter(Intl.DateTimeFormat, locale(), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(value));

const steps = [['day', 86400000], ['hour', 3600000], ['minute', 60000]];
// "3 hours ago", "in 2 days"; below a minute: now.
export function ago(value, now = Date.now()) {
  const past = new Date(value).getTime() - now;
  const format = formatter(Intl.RelativeTimeFormat, language, { numeric: 'auto' });
  for (const [unit, ms] of steps) if (Math.abs(past) >= ms) return format.format(Math.round(past / ms), unit);
  return format.format(0, 'minute');
}
