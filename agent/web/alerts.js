// Owns "tell me when there is room": what somebody asked to be told, kept in this browser, looked
// after on every page, said in words and with a sound. What is asked is answered by the daemon.
import { get, news } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';
import { keyOf } from '/rows.js';

const KEPT = 'plek.alerts';
const MOST = 20;
const ROWS = 200;
let list = [];
let sound = null;
let title = null;
const changed = new EventTarget();
const box = el('div', { class: 'alarms', role: 'alert' });

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify(list));
  } catch { /* for this time only, then */ }
  changed.dispatchEvent(new Event('change'));
}

// Two tones, without a file. A browser lets a page make noise once it was clicked.
function ring() {
  try {
    sound ??= new AudioContext();
    sound.resume();
    for (const [at, pitch] of [[0, 660], [0.25, 880], [0.6, 660], [0.85, 880]]) {
      const tone = sound.createOscillator();
      const volume = sound.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.25, sound.currentTime + at);
      volume.gain.exponentialRampToValueAtTime(0.001, sound.currentTime + at + 0.22);
      tone.connect(volume).connect(sound.destination);
      tone.start(sound.currentTime + at);
      tone.stop(sound.currentTime + at + 0.25);
    }
  } catch { /* no sound here: the words stand on the screen */ }
}

function tell(alert, rows) {
  const who = rows.slice(0, 3).map((row) => [row.member, row.ward].filter(Boolean).join(', ')).join('; ');
  const note = el('p', {}, el('strong', {}, t('alert.room', { what: alert.text })), ` ${who} `,
    el('a', { href: '#/room' }, t('alert.look')), ' ',
    el('button', { type: 'button', class: 'quiet', onclick: () => { note.remove(); if (!box.firstChild) settle(); } }, t('alert.seen')));
  if (!box.isConnected) document.body.append(box);
  box.append(note);
  title ??= document.title;
  document.title = `● ${t('alert.title')}`;
  if (alert.sound) ring();
}

function settle() {
  if (title !== null) document.title = title;
  title = null;
}

// Only what was not there at the last look is news.
async function look(alert) {
  const { rows } = await get('/v1/room', { ...alert.query, limit: ROWS });
  const keys = rows.map(keyOf);
  const fresh = alert.seen ? rows.filter((row) => !alert.seen.includes(keyOf(row))) : [];
  alert.seen = keys;
  if (fresh.length) tell(alert, fresh);
  return rows.length;
}

async function lookAll() {
  for (const alert of list) await look(alert).catch(() => {});
  if (list.length) keep();
}

let soon = null;
export function begin() {
  try {
    list = (JSON.parse(localStorage.getItem(KEPT)) ?? []).filter((a) => a.query && a.text).slice(0, MOST);
  } catch { /* none, then */ }
  on(new AbortController().signal, ['picture'], () => {
    soon ??= setTimeout(() => { soon = null; lookAll(); }, 500);
  });
  news.addEventListener('login', () => replace(box));
}

// The form on the page "room now". asked() gives the filters as they stand: { query, text }.
export function panel(signal, asked) {
  const entries = el('ul', { class: 'plain' });
  const said = el('p', { class: 'help', role: 'status' });
  const loud = el('input', { type: 'checkbox', checked: true, id: 'alert-sound' });
  const show = () => {
    replace(entries, list.map((alert) => el('li', {}, alert.text, ` (${t(alert.sound ? 'alert.loud' : 'alert.silent')}) `,
      el('button', { type: 'button', class: 'quiet small', 'aria-label': t('alert.removeNamed', { what: alert.text }), onclick: () => {
        list = list.filter((a) => a !== alert);
        keep();
        said.textContent = t('alert.removed');
      } }, t('alert.remove')))));
  };
  const add = async () => {
    const { query, text } = asked();
    const alert = { query, text, sound: loud.checked, seen: null };
    if (alert.sound) ring();
    list = [...list.filter((a) => JSON.stringify(a.query) !== JSON.stringify(query)), alert].slice(-MOST);
    const there = await look(alert).catch(() => 0);
    keep();
    said.textContent = there ? t('alert.already', { count: there }) : t('alert.set', { what: text });
  };
  changed.addEventListener('change', show, { signal });
  show();
  return el('details', { class: 'panel', open: list.length > 0 }, el('summary', {}, t('alert.summary')),
    el('p', { class: 'help' }, t('alert.help')),
    el('div', { class: 'buttons' }, el('button', { type: 'button', onclick: add }, t('alert.add')),
      el('label', { class: 'check', for: 'alert-sound' }, loud, el('span', {}, t('alert.sound')))), said, entries);
}
