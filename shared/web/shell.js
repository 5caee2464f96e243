// Owns the frame of the screens: header, navigation, log-in, what is shown while nobody answers.
// Must not know what a page shows. A page is { id, label, role?, render(main, context) }, shown at
// '#/id/rest'; context is { me, rest, signal, guard }.
import * as api from '/shared/api.js';
import { el, replace } from '/shared/dom.js';
import * as events from '/shared/events.js';
import { choose, current, dateTime, errorText, languages, load, t } from '/shared/i18n.js';
import { invitation, inviteView, loginView, passwordView } from '/shared/login.js';

const ranks = ['viewer', 'editor', 'admin'];
let pages = [];
let me = null;
let leave = new AbortController();

const header = el('header', { class: 'top' });
const banner = el('div', { class: 'banner', role: 'status', 'aria-live': 'polite' });
const main = el('main', { id: 'main', tabindex: '-1' });

const allowed = (page) => ranks.indexOf(me.role) >= ranks.indexOf(page.role ?? 'viewer');

function place() {
  const [id, ...rest] = location.hash.replace(/^#\//, '').split('/').map(decodeURIComponent);
  const known = pages.filter(allowed);
  return { page: known.find((p) => p.id === id) ?? known[0], rest };
}

function languageSwitch() {
  const select = el('select', { 'aria-label': t('shell.language'), onchange: async (e) => {
    await choose(e.target.value);
    show();
    header.querySelector('select').focus();
  } },
    languages.map((l) => el('option', { value: l, selected: l === current() }, t(`language.${l}`))));
  return select;
}

function navigation(now) {
  return el('nav', { 'aria-label': t('shell.navigation') }, el('ul', {}, pages.filter(allowed).map((p) =>
    el('li', {}, el('a', { href: `#/${p.id}`, 'aria-current': p === now ? 'page' : null }, t(p.label))))));
}

// Whoever could not be logged out is still in, and has to know it.
async function logOut() {
  try {
    await api.logout();
  } catch (error) {
    if (error.code !== 'login' && error.code !== 'user')
      replace(banner, el('p', { class: 'error' }, t('shell.stillIn', { why: errorText(error) })));
    return;
  }
  me = null;
  show();
}

function showHeader(now) {
  const who = me && el('a', { class: 'who', href: '#/me', title: t('password.title') }, me.user);
  const out = me && el('button', { type: 'button', class: 'quiet', onclick: logOut }, t('shell.logout'));
  replace(header, el('a', { class: 'skip', href: '#main', onclick: (e) => { e.preventDefault(); main.focus(); } }, t('shell.skip')),
    el('span', { class: 'name' }, me?.network ?? 'Plek'), me && navigation(now), el('span', { class: 'end' }, who, out, languageSwitch()));
}

// Shows what a promise fails with; what was there stays.
function guard(promise) {
  return promise.then(() => true, (error) => {
    if (!['login', 'user', 'offline'].includes(error.code))
      replace(banner, el('p', { class: 'error' }, errorText(error)));
    return false;
  });
}

// Everybody's own password; not in the navigation, behind the name in the header.
function showPassword() {
  showHeader(null);
  document.title = `${t('password.title')} - ${me.network ?? 'Plek'}`;
  replace(banner);
  replace(main, passwordView(() => replace(main, el('p', { class: 'good', role: 'status' }, t('password.done')))));
}

async function showPage() {
  if (location.hash === '#/me') {
    showPassword();
    return;
  }
  const { page, rest } = place();
  showHeader(page);
  document.title = `${t(page.label)} - ${me.network ?? 'Plek'}`;
  replace(banner);
  replace(main, el('p', { class: 'help' }, t('shell.loading')));
  await guard(Promise.resolve(page.render(main, { me, rest, signal: leave.signal, guard })));
}

function entered(now) {
  me = now;
  history.replaceState(null, '', location.pathname);
  show();
}

// Draws everything anew: after a log-in, another page, another language.
async function show() {
  leave.abort();
  leave = new AbortController();
  const token = invitation();
  if (token || !me) {
    events.disconnect();
    showHeader(null);
    document.title = 'Plek';
    replace(main, token ? inviteView(token, entered) : loginView(entered));
    main.querySelector('input')?.focus();
    return;
  }
  events.connect();
  await showPage();
}

function follow() {
  api.news.addEventListener('login', () => {
    if (!me) return;
    me = null;
    show();
  });
  api.news.addEventListener('user', async () => {
    me = await api.me().catch(() => null);
    await show();
    replace(banner, el('p', { class: 'error' }, t('error.user')));
  });
  api.news.addEventListener('offline', () => replace(banner, el('p', { class: 'warn' }, t('shell.offline', { when: dateTime(api.heard) }))));
  api.news.addEventListener('online', () => replace(banner));
  addEventListener('hashchange', () => {
    show();
    if (me) main.focus();
  });
}

export async function start(options) {
  pages = options.pages;
  await load();
  document.body.replaceChildren(header, banner, main);
  follow();
  try {
    me = invitation() ? null : await api.me();
  } catch (error) {
    if (error.code !== 'login' && error.code !== 'offline') replace(banner, el('p', { class: 'error' }, errorText(error)));
  }
  await show();
}
