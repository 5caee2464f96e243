// Owns following /v1/events: one stream for the whole app. What a name means stands in docs/web.md.
import { me } from '/shared/api.js';

const names = ['picture', 'lines', 'sites', 'status', 'policy', 'partners', 'users', 'tokens', 'members', 'charter'];
const followers = new Set();
const AGAIN_MS = 3000;
let source = null;
let waiting = null;

function tell(name) {
  for (const f of followers) if (name === null || f.names.includes(name)) f.act(name);
}

// act(name) runs upon each of these events until the signal aborts; with null after a time without
// connection, when anything may have changed.
export function on(signal, wanted, act) {
  const follower = { names: wanted, act };
  followers.add(follower);
  signal.addEventListener('abort', () => followers.delete(follower), { once: true });
}

export function connect() {
  if (source) return;
  let lost = false;
  source = new EventSource('/v1/events');
  for (const name of names) source.addEventListener(name, () => tell(name));
  source.addEventListener('open', () => {
    if (lost) tell(null);
    lost = false;
  });
  source.addEventListener('error', () => {
    lost = true;
    if (source?.readyState !== EventSource.CLOSED) return; // it tries again by itself
    disconnect();
    waiting ??= setTimeout(comeBack, AGAIN_MS);
  });
}

// Refused: logged out, too many at a time, or nobody answers yet. `me` tells a log-out to everybody.
async function comeBack() {
  waiting = null;
  try {
    await me();
  } catch (error) {
    if (error.code !== 'login') waiting ??= setTimeout(comeBack, AGAIN_MS);
    return;
  }
  connect();
  tell(null);
}

export function disconnect() {
  clearTimeout(waiting);
  waiting = null;
  source?.close();
  source = null;
}
