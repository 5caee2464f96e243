// Owns talking to the daemon: one fetch with the session's token, errors with a code, and the news
// that a log-in is needed or that nobody answers. Must not know any page.

export const news = new EventTarget(); // 'login', 'user' (somebody else logged in), 'offline', 'online'
let csrf = '';
let user = null;
let offline = false;
let touched = Date.now();
export let heard = Date.now(); // when the daemon answered last
const AWAY_MS = 15 * 60 * 1000;

// A screen that loads again by itself while nobody is at it must not keep a session alive.
for (const name of ['pointerdown', 'keydown'])
  addEventListener(name, () => { touched = Date.now(); }, { capture: true, passive: true });

// code: as docs/protocol.md lists them, or 'offline'. place: the field or file it is about.
export class ApiError extends Error {
  constructor(code, detail, more = {}) {
    super(detail);
    this.code = code;
    this.place = more.file ?? '';
    this.line = more.line ?? 0;
    this.retryMs = more.retry_ms ?? 0;
  }
}

function tellOffline(now) {
  if (!now) heard = Date.now();
  if (now === offline) return;
  offline = now;
  news.dispatchEvent(new Event(now ? 'offline' : 'online'));
}

// A proxy's own page: the daemon behind it is not there.
const fromProxy = (response) => [502, 503, 504].includes(response.status) && !response.headers.get('content-type')?.includes('json');

async function read(response) {
  let body = null;
  try {
    body = await response.json();
  } catch {
    throw new ApiError('internal', `found an answer that is not JSON (${response.status})`);
  }
  if (response.ok) return body;
  const error = body.error ?? {};
  throw new ApiError(error.code ?? 'internal', error.detail ?? '', error);
}

async function send(method, path, { query, body }) {
  const url = query ? `${path}?${new URLSearchParams(query)}` : path;
  const headers = { accept: 'application/json' };
  if (Date.now() - touched > AWAY_MS) headers['x-plek-idle'] = '1';
  const options = { method, headers, credentials: 'same-origin', cache: 'no-store' };
  if (method !== 'GET') {
    headers['content-type'] = 'application/json';
    if (csrf) headers['x-plek-csrf'] = csrf;
    options.body = JSON.stringify(body ?? {});
  }
  let response;
  try {
    response = await fetch(url, options);
    if (fromProxy(response)) throw new Error('nobody behind the proxy');
  } catch {
    tellOffline(true);
    throw new ApiError('offline', 'nobody answers');
  }
  tellOffline(false);
  return read(response);
}

// Another tab of this browser began a new session: a new password, out and in again. This page goes
// on in it, as long as it is the same person's.
async function renew() {
  const before = user;
  await me();
  if (user !== before) throw new ApiError('user', `${user} logged in`);
}

export async function call(method, path, options = {}) {
  try {
    try {
      return await send(method, path, options);
    } catch (error) {
      if (error.code !== 'csrf' || user === null) throw error;
      await renew();
      return await send(method, path, options);
    }
  } catch (error) {
    if (error.code === 'login') news.dispatchEvent(new Event('login'));
    throw error;
  }
}

export const get = (path, query) => call('GET', path, { query });
export const post = (path, body, query) => call('POST', path, { body, query });
export const put = (path, body, query) => call('PUT', path, { body, query });
export const del = (path, body, query) => call('DELETE', path, { body, query });

function begin(me) {
  csrf = me.csrf;
  user = me.user;
  return me;
}

// Each answers {user, role, csrf, member, network}.
export async function me() {
  const now = await get('/v1/me');
  const other = user !== null && now.user !== user;
  begin(now);
  if (other) news.dispatchEvent(new Event('user'));
  return now;
}
export const login = async (user, password) => begin(await post('/v1/login', { user, password }));
export const accept = async (token, password) => begin(await post('/v1/invite', { token, password }));
// The user's other sessions end, and this one goes on under a new cookie.
export const changePassword = async (old, next) => begin(await post('/v1/password', { old, new: next }));
export async function logout() {
  await post('/v1/logout');
  csrf = '';
  user = null;
}
