// Owns the page "network": how this agent is connected, what waits to be sent, what a person must
// know, who the members are and whether we know them by their fingerprint, the charter.
import { get, post } from '/shared/api.js';
import { charterNode } from '/shared/charter.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { dateTime, t } from '/shared/i18n.js';
import { act, age, badge, check, dialog, keepAges, message, once, table } from '/shared/parts.js';
import { coded } from '/shared/words.js';

const CLOCK_OFF_MS = 5 * 60000;

const fingerprint = (text) => el('code', { class: 'fingerprint' }, text);

function clockWords(hub) {
  const ms = hub.clock_offset_ms;
  if (ms === null) return t('net.clockUnknown');
  if (Math.abs(ms) < 2000) return t('net.clockFine');
  const seconds = Math.round(Math.abs(ms) / 1000);
  const minutes = Math.round(seconds / 60);
  return t(ms > 0 ? 'net.clockBehind' : 'net.clockAhead', { how: seconds < 120 ? t('net.seconds', { count: seconds }) : t('net.minutes', { count: minutes }) });
}

function connection(status) {
  const { hub, outbox } = status;
  const waits = outbox.entries + outbox.dirty_audiences;
  const rows = [
    ['net.hub', hub.connected ? badge('good', t('net.connected'), '●') : badge('none', t('net.lost'), '■'), hub.since && t('net.since', { when: dateTime(hub.since) })],
    ['net.address', hub.address ?? t('status.unknown')],
    ['net.outbox', waits === 0 ? t('net.outboxEmpty') : t('net.outboxWaits', { count: waits })],
    ['net.clock', Math.abs(hub.clock_offset_ms ?? 0) > CLOCK_OFF_MS ? badge('none', clockWords(hub), '■') : clockWords(hub)],
    ['net.picture', status.picture_at ? age(status.picture_at) : t('age.never')],
    ['net.feed', t('net.feedAt', { seq: status.feed.seq, acked: status.feed.acked_seq })],
  ];
  return el('dl', { class: 'facts' }, rows.map(([key, ...what]) => [el('dt', {}, t(key)), el('dd', {}, what.filter(Boolean).flatMap((w) => [w, ' ']))]));
}

function alarms(status) {
  const told = [...status.alarms.map((a) => el('li', {}, el('strong', {}, coded('alarm', a.code)), a.subject && ` ${a.subject}`,
    el('span', { class: 'of block' }, t('net.since', { when: dateTime(a.since) })), el('span', { class: 'help block', lang: 'en' }, a.detail))),
  ...(status.trust?.waiting ?? []).map((w) => el('li', {}, t('net.waiting', { name: w.member, audiences: w.audiences.join(', '), when: dateTime(w.not_before) }))),
  ...status.no_key.map((k) => el('li', {}, t('net.noKey', { name: k.member, when: dateTime(k.since) }))),
  ...Object.entries(status.refusals).map(([code, r]) => el('li', { class: 'of' }, t('net.refused', { code, count: r.count ?? r })))];
  return told.length ? el('ul', { class: 'told' }, told) : el('p', {}, badge('good', t('net.noAlarms'), '✓'));
}

class Page {
  constructor({ me, guard }) {
    this.admin = me.role === 'admin';
    this.guard = guard;
    this.said = message();
    this.connection = el('div', {});
    this.alarms = el('div', {});
    this.own = el('div', {});
    this.members = el('div', {});
    this.load = once(() => this.look());
  }

  async look() {
    const [status, partners] = await Promise.all([get('/v1/status'), get('/v1/partners')]);
    replace(this.connection, connection(status));
    replace(this.alarms, alarms(status));
    replace(this.own, el('dl', { class: 'facts' }, el('dt', {}, t('net.we')), el('dd', {}, status.member ?? '', status.role && ` (${coded('role', status.role)})`),
      el('dt', {}, t('net.ourFingerprint')), el('dd', {}, status.fingerprint && fingerprint(status.fingerprint)),
      el('dt', {}, t('net.hubFingerprint')), el('dd', {}, status.network_fingerprint && fingerprint(status.network_fingerprint))));
    const focus = this.members.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    replace(this.members, this.table(partners));
    if (focus) [...this.members.querySelectorAll('[data-focus]')].find((b) => b.dataset.focus === focus)?.focus();
  }

  table(partners) {
    if (!partners.length) return el('p', {}, t('net.alone'));
    const trust = { approved: ['good', '✓'], directory: ['some', '✓'], waiting: ['some', '◔'], refused: ['none', '✕'] };
    const basis = (p) => p.trust ?? (p.approved ? 'approved' : 'none');
    const state = (p) => [badge({ admitted: 'good', suspended: 'some', removed: 'none' }[p.state] ?? 'unknown', coded('partner', p.state), { admitted: '✓', suspended: '▲' }[p.state] ?? '■'), ' ',
      trust[basis(p)] ? badge(trust[basis(p)][0], t(`partner.${basis(p)}`), trust[basis(p)][1]) : badge('unknown', t('partner.notApproved'), '!')];
    const button = (kind, p, quiet) => act(t(`partner.${kind}`), () => this[kind](p), { class: quiet ? 'quiet' : null, 'data-focus': `${kind} ${p.key}`, 'aria-label': t(`partner.${kind}Named`, { name: p.name }) });
    const does = (p) => {
      if (!this.admin || p.state === 'removed') return '';
      if (p.approved) return button('forget', p, true);
      return el('span', { class: 'buttons' }, button('approve', p, false), basis(p) !== 'refused' && button('refuse', p, true));
    };
    return table(t('net.members'), ['net.name', 'net.role', 'net.state', 'net.fingerprint', 'net.seen', 'net.do'].map((k) => t(k)),
      partners.map((p) => [p.name, coded('role', p.role), state(p), fingerprint(p.fingerprint), p.last_seen ? age(p.last_seen) : t('age.never'), does(p)]));
  }

  async approve(p) {
    const read = check(t('approve.read', { name: p.name }), false);
    const opened = dialog(t('approve.title', { name: p.name }), [el('p', {}, t('approve.how')), el('p', {}, fingerprint(p.fingerprint)),
      el('p', { class: 'warn' }, t('approve.wrong')), read.row], [{
      label: t('partner.approve'),
      work: async () => {
        if (!read.input.checked) {
          read.input.focus();
          throw Object.assign(new Error(t('approve.first')), { code: 'approve-first' });
        }
        await post(`/v1/partners/${encodeURIComponent(p.key)}/approve`, { fingerprint: p.fingerprint });
        this.said.say(t('approve.done', { name: p.name }));
        await this.load();
      },
    }]);
    return opened;
  }

  async refuse(p) {
    dialog(t('refuse.title', { name: p.name }), [el('p', {}, t('refuse.what', { name: p.name })), el('p', { class: 'warn' }, t('forget.truth'))], [{
      label: t('partner.refuse'), danger: true,
      work: async () => {
        await post(`/v1/partners/${encodeURIComponent(p.key)}/refuse`, {});
        this.said.say(t('refuse.done', { name: p.name }));
        await this.load();
      },
    }]);
  }

  async forget(p) {
    dialog(t('forget.title', { name: p.name }), [el('p', {}, t('forget.what', { name: p.name })), el('p', { class: 'warn' }, t('forget.truth'))], [{
      label: t('partner.forget'), danger: true,
      work: async () => {
        await post(`/v1/partners/${encodeURIComponent(p.key)}/forget`, {});
        this.said.say(t('forget.done', { name: p.name }));
        await this.load();
      },
    }]);
  }
}

export async function render(main, context) {
  const page = new Page(context);
  const charter = el('div', {});
  const loadCharter = async () => replace(charter, charterNode(await get('/v1/charter')));
  replace(main, el('h1', {}, t('nav.network')), page.said.box,
    el('div', { class: 'two' }, el('section', {}, el('h2', {}, t('net.connection')), page.connection),
      el('section', {}, el('h2', {}, t('net.alarms')), page.alarms)),
    el('h2', {}, t('net.us')), page.own, el('p', { class: 'help' }, t('net.compare')),
    el('h2', {}, t('net.others')), page.members, el('h2', {}, t('net.charter')), charter);
  on(context.signal, ['status', 'partners', 'picture'], () => context.guard(page.load()));
  on(context.signal, ['charter'], () => context.guard(loadCharter()));
  keepAges(main, context.signal);
  await Promise.all([page.load(), loadCharter()]);
}
