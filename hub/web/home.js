// Owns the first page: what is available per service and region, how much of the network that
// stands for, whose figures expired and who never reported; for the operator or as published.
import { get, post } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { dateTime, t } from '/shared/i18n.js';
import { act, badge, message, once } from '/shared/parts.js';
import { Words } from '/shared/words.js';
import { byService, serviceTable } from '/figures.js';
import { published, rows, viewHelp, viewSwitch } from '/view.js';

const AGAIN_MS = 60000;

function expiredNode(cover, service) {
  const found = cover.filter((m) => m.services[service]?.expired > 0);
  if (!found.length) return null;
  return el('p', { class: 'names' }, badge('unknown', t('home.expired'), '?'), ' ',
    found.map((m) => t('home.expiredOf', { name: m.member, current: m.services[service].current, expired: m.services[service].expired })).join('; '));
}

function neverNode(cover) {
  const found = cover.filter((m) => !m.reported);
  if (!found.length) return el('p', {}, badge('good', t('home.allReported'), '✓'));
  return [el('p', {}, t('home.neverWhat', { count: found.length })), el('ul', { class: 'never' }, found.map((m) => el('li', {}, m.member)))];
}

function services(words, found, cover) {
  const shown = byService(found);
  return words.services.map((s) => el('section', { class: 'service' }, el('h2', {}, words.serviceLabel(s.code)),
    el('p', { class: 'help' }, words.definition(s.code)),
    shown.has(s.code) ? serviceTable(t('home.caption', { unit: words.unit(s.code) }), shown.get(s.code), published()) : el('p', {}, badge('unknown', t('home.nothing'), '?')),
    expiredNode(cover, s.code)));
}

// When it was published last, and when it will be again.
function publishing({ every, last_at: last, next_at: next, fault }) {
  return [el('p', { class: 'help' }, last ? t('home.publishedLast', { when: dateTime(last) }) : t('home.publishedNever'), ' ',
    !every ? t('home.publishedByHand') : next ? t('home.publishedNext', { when: dateTime(next) }) : ''),
  fault && el('p', { class: 'error' }, t('home.publishFault'), ' ', el('span', { lang: 'en' }, fault))];
}

export async function render(main, { me, signal, guard }) {
  const top = el('div', {});
  const list = el('div', {});
  const never = el('div', {});
  const said = message();
  let words = null;
  const load = once(async () => {
    const [found, cover, status] = await Promise.all([rows(), get('/v1/coverage'), get('/v1/status')]);
    words ??= new Words(await get('/v1/charter'));
    replace(top, viewHelp(), el('p', { class: 'help' }, t('home.asOf', { when: dateTime(Date.now()) })), published() && publishing(status.publishing), published() && me.role === 'admin' && el('p', {}, act(t('home.publish'), async () => {
      await post('/v1/published', {});
      said.say(t('home.publishedNow'));
      await load();
    }, { class: 'quiet' })));
    replace(list, services(words, found, published() ? [] : cover));
    replace(never, neverNode(cover));
  });
  replace(main, el('h1', {}, t('home.title')), viewSwitch(() => guard(load())), top, said.box, list,
    el('h2', {}, t('home.never')), never);
  on(signal, ['status', 'members'], () => guard(load()));
  const timer = setInterval(() => guard(load()), AGAIN_MS); // figures expire without any event
  signal.addEventListener('abort', () => clearInterval(timer));
  on(signal, ['charter'], () => {
    words = null;
    guard(load());
  });
  await load();
}
