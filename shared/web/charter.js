// Owns how the charter in force is shown: its purpose, bounds and services with their definitions.
// Must not fetch or change anything.
import { el } from '/shared/dom.js';
import { t } from '/shared/i18n.js';
import { table } from '/shared/parts.js';
import { pick, Words } from '/shared/words.js';

export function charterNode(charter) {
  const words = new Words(charter);
  const facts = [['charter.version', charter.version], ['charter.k', t('charter.members', { count: charter.k })], ['charter.longest', charter.longest_validity],
    ['charter.keep', t('charter.days', { count: charter.keep_days })], ['charter.zone', charter.time_zone]];
  return [el('p', {}, pick(charter.name)), el('p', { class: 'help' }, pick(charter.purpose)),
    el('dl', { class: 'facts' }, facts.filter(([, v]) => v !== undefined).map(([key, value]) => [el('dt', {}, t(key)), el('dd', {}, String(value))])),
    table(t('charter.services'), [t('row.service'), t('charter.definition'), t('charter.unit'), t('charter.validity')],
      words.services.map((s) => [pick(s.label) || s.code, pick(s.definition), words.unit(s.code), s.validity ?? '']))];
}
