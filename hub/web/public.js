// Owns the public page: what was published last, for anybody, without a log-in. Asks again each
// minute. Knows nothing but the one public route.
import { get } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { choose, current, errorText, languages, load, t } from '/shared/i18n.js';
import { badge } from '/shared/parts.js';
import { Words } from '/shared/words.js';
import { byService, serviceTable } from '/figures.js';

const AGAIN_MS = 60000;
const header = el('header', { class: 'top' });
const main = el('main', { id: 'main' });

function frame(network) {
  document.title = `${t('public.title')} - ${network}`;
  replace(header, el('span', { class: 'name' }, network), el('span', { class: 'end' },
    el('select', { 'aria-label': t('shell.language'), onchange: async (e) => { await choose(e.target.value); show(); } },
      languages.map((l) => el('option', { value: l, selected: l === current() }, t(`language.${l}`))))));
}

async function show() {
  try {
    const found = await get('/v1/public/aggregate');
    const words = new Words(found);
    const rows = byService(found.rows);
    frame(found.network);
    replace(main, el('h1', {}, t('public.title')), el('p', { class: 'help' }, t('public.what', { count: found.k })),
      words.services.map((s) => el('section', { class: 'service' }, el('h2', {}, words.serviceLabel(s.code)), el('p', { class: 'help' }, words.definition(s.code)),
        rows.has(s.code) ? serviceTable(t('home.caption', { unit: words.unit(s.code) }), rows.get(s.code), true) : el('p', {}, badge('unknown', t('home.nothing'), '?')))));
  } catch (error) {
    frame('Plek');
    replace(main, el('h1', {}, t('public.title')), el('p', { class: 'error', role: 'alert' }, errorText(error)));
  }
}

await load();
document.body.replaceChildren(header, main);
await show();
setInterval(show, AGAIN_MS);
