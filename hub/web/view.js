// Owns for whom figures are shown: the operator's own view, or what was published. Kept in this
// browser. Must not show any figure.
import { get } from '/shared/api.js';
import { el } from '/shared/dom.js';
import { t } from '/shared/i18n.js';

const KEPT = 'plek.hub.view';
const views = ['operator', 'published'];
let view = 'operator';
try {
  view = views.find((v) => v === localStorage.getItem(KEPT)) ?? view;
} catch { /* a browser may keep nothing */ }

export const published = () => view === 'published';

// A group of radio buttons; changed() runs after a choice.
export function viewSwitch(changed) {
  return el('fieldset', { class: 'view' }, el('legend', {}, t('view.title')), views.map((v) => el('label', { class: 'check' },
    el('input', { type: 'radio', name: 'view', value: v, checked: v === view, onchange: () => {
      view = v;
      try {
        localStorage.setItem(KEPT, v);
      } catch { /* for this time only, then */ }
      changed();
    } }), el('span', {}, t(`view.${v}`)))));
}

export const viewHelp = () => el('p', { class: 'help' }, t(`view.${view}Help`));

// All rows of a question in this view, however many pieces they come in.
export async function rows(query = {}) {
  const path = published() ? '/v1/published' : '/v1/aggregate';
  const found = [];
  for (let from = query.from; ;) {
    const answer = await get(path, from ? { ...query, from } : query);
    found.push(...(Array.isArray(answer) ? answer : answer.rows));
    if (!answer.next) return found;
    from = answer.next;
  }
}
