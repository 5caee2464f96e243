// Owns the first page: the members of the network and whether they are in touch.
import { get } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { t } from '/shared/i18n.js';

async function load(main) {
  const members = await get('/v1/members');
  replace(main, el('h1', {}, t('home.title')),
    el('p', {}, t('home.members', { count: members.length })));
}

export function render(main, context) {
  on(context.signal, ['status'], () => context.guard(load(main)));
  return load(main);
}
