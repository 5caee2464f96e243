// Owns the page "what others see": audiences as they stand, what each partner finds of us now, what
// left and who decided it; pausing and withdrawing. Changing an audience is audience.js's.
import { get, post } from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import { on } from '/shared/events.js';
import { dateTime, t } from '/shared/i18n.js';
import { confirmSuggested, editAudience, memberLabel } from '/audience.js';
import { act, badge, choice, dialog, keepAges, message, once, table } from '/shared/parts.js';
import { rowNode, rowTable } from '/rows.js';
import { actorWords, coded, precisionWords, Words } from '/shared/words.js';

const AUDIT_DAYS = 14;
const AUDIT_PAGES = 20;
const AUDIT_SHOWN = 60;

class Page {
  constructor(words, { me, signal, guard }) {
    this.words = words;
    this.admin = me.role === 'admin';
    this.guard = guard;
    this.signal = signal;
    this.said = message();
    this.findings = el('div', {});
    this.audiences = el('div', { class: 'cards' });
    this.partner = choice(t('sharing.partner'), [], '');
    this.partner.input.addEventListener('change', () => guard(this.look()));
    this.preview = el('div', {});
    this.audit = el('div', {});
    this.top = el('div', { class: 'buttons' });
    this.load = once(() => this.loadAll());
  }

  async loadAll() {
    const [policy, partners, status, checked] = await Promise.all([get('/v1/policy'), get('/v1/partners'), get('/v1/status'), get('/v1/policy/check')]);
    Object.assign(this, { policy, partners, status });
    this.drawTop();
    this.drawFindings(checked.findings);
    const focus = this.audiences.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
    replace(this.audiences, policy.audiences.map((a) => this.audience(a)));
    if (focus) [...this.audiences.querySelectorAll('[data-focus]')].find((b) => b.dataset.focus === focus)?.focus();
    this.offer();
    await this.look();
  }

  // Says what was done, and shows how it stands now.
  done = async (text) => {
    this.said.say(text);
    await this.load();
  };

  drawTop() {
    const { policy } = this;
    if (!this.admin || this.top.firstChild) return;
    replace(this.top, el('button', { type: 'button', onclick: () => editAudience(null, this.policy, this.partners, this.words, this.done) }, t('audience.add')),
      policy.version === 0 && act(t('sharing.suggested'), () => confirmSuggested(0, this.words, this.done), { class: 'quiet' }));
  }

  drawFindings(findings) {
    const shown = findings.filter((f) => f.code !== 'withdrawn' && f.code !== 'paused');
    const line = (f) => el('li', { class: f.level === 'problem' ? 'bad' : null },
      coded('finding', f.code, { subject: f.code === 'unshared' || f.code === 'service-gone' ? this.words.serviceLabel(f.subject) : f.subject }));
    replace(this.findings, shown.length > 0 && [el('h2', {}, t('sharing.findings')), el('ul', {}, shown.map(line))]);
  }

  // ---- audiences ----

  audience(a) {
    const paused = this.status.paused.find((p) => p.audience === a.name);
    const withdrawn = this.status.withdrawn.find((w) => w.audience === a.name && !w.resumes);
    const members = a.members.map((name) => {
      const partner = this.partners.find((p) => p.name === name);
      return el('li', {}, memberLabel(name), ' ', partner && !partner.approved && badge('unknown', t('partner.notApproved'), '!'),
        partner && partner.state !== 'admitted' && badge('none', coded('partner', partner.state), '■'));
    });
    const state = withdrawn ? badge('none', t('audience.withdrawn', { when: dateTime(withdrawn.since) }), '■')
      : paused ? badge('some', t('audience.paused', { when: dateTime(paused.since) }), '▲') : badge('good', t('audience.active'), '●');
    return el('section', { class: 'card audience', 'aria-label': t('audience.named', { name: a.name }) },
      el('h3', {}, a.name), el('p', {}, state, withdrawn && !withdrawn.sent && el('span', { class: 'of' }, ` ${t('audience.notSent')}`)),
      el('dl', {}, el('dt', {}, t('audience.precision')), el('dd', {}, precisionWords(a.precision, a.bands)),
        el('dt', {}, t('audience.services')), el('dd', {}, a.services.map((s) => this.words.serviceLabel(s)).join(', ')),
        el('dt', {}, t('audience.history')), el('dd', {}, t(a.history ? 'word.yes' : 'word.no')),
        el('dt', {}, t('audience.members')), el('dd', {}, a.members.length ? el('ul', { class: 'plain' }, members) : t('audience.nobody'))),
      this.admin && el('div', { class: 'buttons' },
        el('button', { type: 'button', 'data-focus': `edit ${a.name}`, 'aria-label': t('audience.changeNamed', { name: a.name }), onclick: () => editAudience(a, this.policy, this.partners, this.words, this.done) }, t('audience.edit')),
        !withdrawn && act(t(paused ? 'audience.resume' : 'audience.pause'), () => this.pause(a.name, Boolean(paused)), { class: 'quiet', 'data-focus': `pause ${a.name}` }),
        act(t(withdrawn ? 'audience.again' : 'audience.withdraw'), () => this.withdraw(a.name, Boolean(withdrawn)), { class: 'quiet', 'data-focus': `withdraw ${a.name}` })));
  }

  async pause(audience, undo) {
    if (undo) {
      await post('/v1/pause', { audience, undo });
      await this.done(t('audience.resumed', { name: audience }));
      return;
    }
    dialog(t('pause.title', { name: audience }), [el('p', {}, t('pause.what')), el('p', { class: 'warn' }, t('pause.truth'))], [{
      label: t('audience.pause'),
      work: async () => {
        await post('/v1/pause', { audience });
        await this.done(t('audience.isPaused', { name: audience }));
      },
    }]);
  }

  async withdraw(audience, undo) {
    const dry = await post('/v1/withdraw', { audience, undo, dry_run: true });
    const names = dry.audiences[0]?.members.map(memberLabel) ?? [];
    const content = undo ? [el('p', {}, t('withdraw.again'))]
      : [el('p', {}, t('withdraw.what', { names: names.length ? names.join(', ') : t('audience.nobody') })), el('p', { class: 'warn' }, t('withdraw.truth'))];
    dialog(t(undo ? 'withdraw.undoTitle' : 'withdraw.title', { name: audience }), content, [{
      label: t(undo ? 'audience.again' : 'audience.withdraw'), danger: !undo,
      work: async () => {
        await post('/v1/withdraw', { audience, undo });
        await this.done(t(undo ? 'withdraw.undone' : 'withdraw.done', { name: audience }));
      },
    }]);
  }

  // ---- one partner ----

  offer() {
    const names = [...this.partners.filter((p) => p.state === 'admitted').map((p) => p.name), '@hub'];
    const now = names.includes(this.partner.input.value) ? this.partner.input.value : names[0];
    if ([...this.partner.input.options].map((o) => o.value).join('\n') !== names.join('\n'))
      replace(this.partner.input, names.map((name) => el('option', { value: name }, memberLabel(name))));
    this.partner.input.value = now;
  }

  why(name, rows) {
    const partner = this.partners.find((p) => p.name === name);
    const audiences = this.policy.audiences.filter((a) => a.members.includes(name));
    if (rows[0]?.why?.basis === 'directory') return t('preview.directory', { when: dateTime(rows[0].why.since) });
    if (partner && !partner.approved) return t('preview.notApproved');
    if (!audiences.length) return t('preview.noAudience');
    if (audiences.every((a) => this.status.withdrawn.some((w) => w.audience === a.name))) return t('preview.withdrawn');
    if (audiences.some((a) => this.status.paused.some((p) => p.audience === a.name))) return t('preview.paused');
    return '';
  }

  async look() {
    const partner = this.partner.input.value;
    const [rows, log] = await Promise.all([get('/v1/policy/preview', { partner }), this.recent(partner)]);
    if (partner !== this.partner.input.value) return;
    const body = el('tbody', { role: 'rowgroup' }, rows.map((row) => rowNode(row, this.words, true)));
    const name = memberLabel(partner);
    const why = this.why(partner, rows);
    replace(this.preview, el('p', { role: 'status' }, t('preview.count', { name, count: rows.length }), ' ', why),
      rows.length > 0 && rowTable(t('preview.caption', { name }), body));
    this.drawAudit(log, name);
  }

  // Newest first, of the last days.
  async recent(partner) {
    const from = new Date(Date.now() - AUDIT_DAYS * 86400000).toISOString().slice(0, 10);
    let rows = [];
    let after = null;
    for (let page = 0; page < AUDIT_PAGES; page++) {
      const answer = await get('/v1/audit', { partner, from, ...(after ? { after } : {}), limit: 500 });
      rows = [...rows, ...answer.rows].slice(-AUDIT_SHOWN);
      after = answer.next;
      if (!after) break;
    }
    return rows.reverse();
  }

  drawAudit(log, name) {
    const said = (r) => [coded('audit', r.event), r.entry && el('span', { class: 'of' }, ` ${t('audit.entry', { seq: r.entry.seq })}`)];
    const precision = (r) => (r.precision ? precisionWords(...splitBand(r.precision)) : '');
    replace(this.audit, log.length === 0 ? el('p', {}, t('audit.none', { count: AUDIT_DAYS }))
      : table(t('audit.caption', { name, count: AUDIT_DAYS }), ['audit.at', 'audit.what', 'audience.one', 'audience.precision', 'audience.services', 'audit.who'].map((k) => t(k)),
        log.map((r) => [dateTime(r.at), said(r), r.audience ?? '', precision(r), r.services.map((s) => this.words.serviceLabel(s)).join(', '), actorWords(r.actor)])));
  }
}

// "band [1,3,6]" of the journal -> kind and bounds.
function splitBand(text) {
  const found = /^band (\[.*\])$/.exec(text);
  return found ? ['band', JSON.parse(found[1])] : [text];
}

export async function render(main, context) {
  const words = new Words(await get('/v1/charter'));
  const page = new Page(words, context);
  replace(main, el('h1', {}, t('nav.sharing')), el('p', { class: 'help' }, t('sharing.intro')), page.said.box,
    page.findings, el('h2', {}, t('sharing.audiences')), page.audiences, page.top,
    el('h2', {}, t('sharing.perPartner')), page.partner.row, page.preview, el('h3', {}, t('sharing.left')), page.audit);
  on(context.signal, ['policy', 'partners', 'status', 'lines', 'sites'], () => context.guard(page.load()));
  keepAges(main, context.signal);
  await page.load();
}
