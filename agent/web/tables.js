// Owns tables in and out, below our capacity: downloads as CSV, and reading a CSV in by a profile,
// after showing what it would change. Must not read a table's cells: the daemon does.
import { del, get, post, put } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { errorText, t } from '/shared/i18n.js';
import { act, choice, table } from '/shared/parts.js';
import { coded } from '/shared/words.js';

const KEPT = 'plek.profile';
const SHOWN = 100; // lines of a report
const exports = ['lines', 'picture', 'history'];

// ---- out ----

async function download(what) {
  let text = '';
  let after = null;
  do {
    const part = await get('/v1/export', { what, ...(after ? { after } : {}) });
    text += part.text;
    after = part.next;
  } while (after);
  const url = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  el('a', { href: url, download: `plek-${what}-${new Date().toISOString().slice(0, 10)}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

// ---- in ----

function base64(bytes) {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

// The bytes as they are: the daemon knows what people's programs write.
async function send(file, profile, site, dry) {
  const { id, piece_max: most } = await post('/v1/imports', { file: file.name, profile: profile.text, profile_file: profile.name, dry_run: dry, ...(site ? { site } : {}) });
  const at = `/v1/imports/${id}`;
  try {
    const bytes = new Uint8Array(await file.arrayBuffer());
    for (let offset = 0; offset < bytes.length; offset += most)
      await put(at, { offset, data: base64(bytes.subarray(offset, offset + most)) });
    return await post(`${at}/commit`);
  } catch (failure) {
    await del(at).catch(() => {});
    throw failure;
  }
}

const faultText = (failure) => (failure.place && failure.line ? t('table.fault', { file: failure.place, line: failure.line, detail: failure.message }) : errorText(failure));

const changeText = (c) => t('table.change', { what: coded('line', c.key), from: c.old ?? t('figure.unknown'), to: c.new ?? t('figure.unknown') });

function reportNode(report, words) {
  const lines = report.lines.filter((l) => l.action !== 'unchanged');
  const rows = lines.slice(0, SHOWN).map((l) => [[words.serviceLabel(l.service), l.ward, l.place].filter(Boolean).join(', '), l.site, t(`table.${l.action}`), l.changes.map(changeText).join('; '), String(l.row)]);
  const left = lines.length - rows.length;
  return [el('p', { role: 'status' }, t(report.dry_run ? 'table.would' : 'table.did', { file: report.file, read: t('table.rows', { count: report.rows_read }), fresh: report.new, changed: report.changed, same: report.unchanged })),
    rows.length > 0 && table(t('table.caption'), ['table.line', 'line.site', 'table.action', 'table.changes', 'table.row'].map((k) => t(k)), rows),
    left > 0 && el('p', { class: 'help' }, t('table.left', { count: left }))];
}

function keptProfile() {
  try {
    return JSON.parse(localStorage.getItem(KEPT));
  } catch {
    return null;
  }
}

function keep(profile) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(profile));
  } catch { /* for this time only, then */ }
}

function chooser(id, label, accept, help) {
  const input = el('input', { type: 'file', id, accept, 'aria-describedby': `${id}-help` });
  return { input, row: el('div', { class: 'field' }, el('label', { for: id }, label), input, el('p', { class: 'help', id: `${id}-help` }, help)) };
}

// sites(): the names of ours as they are now.
function reader(words, sites, done) {
  let profile = keptProfile();
  const sheet = chooser('table-file', t('table.file'), '.csv,text/csv', '');
  const how = chooser('table-profile', t('table.profile'), '.json,application/json', profile ? t('table.kept', { name: profile.name }) : t('table.profileHelp'));
  const where = choice(t('line.site'), [], '');
  const offer = () => {
    const now = where.input.value;
    replace(where.input, [['', t('table.siteOf')], ...sites().map((name) => [name, name])].map(([v, text]) => el('option', { value: v, selected: v === now }, text)));
  };
  where.input.addEventListener('focus', offer);
  offer();
  const report = el('div', {});
  const error = el('p', { class: 'error', role: 'alert' });
  const guarded = (work) => async () => {
    error.textContent = '';
    replace(report);
    try {
      await work();
    } catch (failure) {
      error.textContent = faultText(failure);
    }
  };
  const store = guarded(async () => {
    replace(report, reportNode(await send(sheet.input.files[0], profile, where.input.value, false), words));
    keep(profile);
    await done();
  });
  const look = guarded(async () => {
    const [file] = sheet.input.files;
    const [own] = how.input.files;
    if (own) profile = { name: own.name, text: await own.text() };
    if (!file || !profile) {
      error.textContent = t(file ? 'table.noProfile' : 'table.noFile');
      (file ? how : sheet).input.focus();
      return;
    }
    const found = await send(file, profile, where.input.value, true);
    replace(report, reportNode(found, words), found.new + found.changed > 0 && act(t('table.store'), store));
  });
  for (const { input } of [sheet, how, where]) input.addEventListener('change', () => replace(report)); // it told of others
  return [el('h3', {}, t('table.in')), el('p', { class: 'help' }, t('table.inHelp')), sheet.row, how.row, where.row, error, act(t('table.look'), look), report];
}

// The panel; sites(): names of our sites; done() after something was stored.
export const tables = (words, editor, sites, done) => el('details', { class: 'panel' }, el('summary', {}, t('table.summary')),
  el('h3', {}, t('table.out')), el('p', { class: 'help' }, t('table.outHelp')),
  el('div', { class: 'buttons' }, exports.map((what) => act(t(`table.${what}`), () => download(what), { class: 'quiet' }))),
  editor && reader(words, sites, done));
