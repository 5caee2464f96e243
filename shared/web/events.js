// Owns following /v1/events: one stream for the whole app. What a name means stands in docs/web.md.
import { me } from '/shared/api.js';

const names = ['picture', 'lines', 'sites', 'status', 'policy', 'partners', 'users', 'tokens', 'members', 'charter'];
const followers = new Set();
const SOON_MS = 300; // a stream that stood was cut
const AGAIN_MS = 3000; // one that never came about
let source = null;
let refused = false;
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

// A stream that ends is followed by a question, so that the screen knows at once whether anybody is
// there; it begins anew when somebody is.
export function connect() {
  if (source) return;
  let opened = false;
  source = new EventSource('/v1/events');
  for (const name of names) source.addEventListener(name, () => tell(name));
  source.addEventListener('open', () => { opened = true; });
  source.addEventListener('error', () => {
    disconnect();
    refused = !opened;
    waiting = setTimeout(comeBack, opened ? SOON_MS : AGAIN_MS);
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
  source.addEventListener('open', () => tell(null), { once: true });
  if (refused) tell(null); // there may be no stream for us: then this is how we look
}

export function disconnect() {
  clearTimeout(waiting);
  waiting = null;
  source?.close();
  source = null;
}
