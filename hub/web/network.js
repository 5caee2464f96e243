// Owns the page "network": who the members are and who is in touch, what the hub refused, the
// charter in force.
import { get } from '/shared/api.js';
import { charterNode } from '/shared/charter.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { dateTime, t } from '/shared/i18n.js';
import { age, badge, keepAges, once, table } from '/shared/parts.js';
import { coded } from '/shared/words.js';

const states = { admitted: ['good', '✓'], suspended: ['some', '▲'], removed: ['none', '■'] };

function memberRow(m, reported) {
  const [kind, sign] = states[m.state] ?? ['unknown', '?'];
  return [m.name, coded('role', m.role), badge(kind, coded('member', m.state), sign),
    m.connected ? badge('good', t('member.connected'), '●') : m.state === 'admitted' ? badge('none', t('member.away'), '■') : '',
    m.last_seen ? age(m.last_seen) : t('age.never'),
    reported.has(m.name) ? t(reported.get(m.name) ? 'word.yes' : 'word.no') : '', el('code', { class: 'fingerprint' }, m.fingerprint)];
}

function members(list, cover) {
  const reported = new Map(cover.map((c) => [c.member, c.reported]));
  const heads = ['name', 'role', 'state', 'contact', 'seen', 'reported', 'fingerprint'].map((k) => t(`member.${k}`));
  return table(t('member.count', { count: list.length }), heads, list.map((m) => memberRow(m, reported)));
}

function troubles(status) {
  const told = [...status.forks.map((f) => el('li', {}, t('trouble.fork', { name: f.member ?? '?', when: dateTime(f.found_at) }))),
    ...status.troubles.map((x) => el('li', {}, `${x.member ?? '?'}: `, el('span', { lang: 'en' }, x.detail), ' ', el('span', { class: 'of' }, t('trouble.times', { count: x.count, when: dateTime(x.last_at) })))),
    ...Object.entries(status.rejections).map(([code, count]) => el('li', { class: 'of' }, t('trouble.refused', { code, count })))];
  return told.length ? el('ul', { class: 'told' }, told) : el('p', {}, badge('good', t('trouble.none'), '✓'));
}

export async function render(main, { signal, guard }) {
  const list = el('div', {});
  const trouble = el('div', {});
  const facts = el('div', {});
  const charter = el('div', {});
  const load = once(async () => {
    const [status, found, cover] = await Promise.all([get('/v1/status'), get('/v1/members'), get('/v1/coverage')]);
    replace(facts, el('dl', { class: 'facts' }, el('dt', {}, t('hub.connected')), el('dd', {}, t('hub.connectedOf', { connected: status.connected, count: status.members.admitted })),
      el('dt', {}, t('hub.fingerprint')), el('dd', {}, el('code', { class: 'fingerprint' }, status.fingerprint))));
    replace(list, members(found, cover));
    replace(trouble, troubles(status));
  });
  const loadCharter = async () => replace(charter, charterNode(await get('/v1/charter')));
  replace(main, el('h1', {}, t('nav.network')), facts, el('h2', {}, t('hub.members')), list, el('h2', {}, t('hub.troubles')), trouble, el('h2', {}, t('hub.charter')), charter);
  on(signal, ['status', 'members'], () => guard(load()));
  on(signal, ['charter'], () => guard(loadCharter()));
  keepAges(main, signal);
  await Promise.all([load(), loadCharter()]);
}
