// Keeps what is marked live up to date: when the stream says that something changed, the page asks for itself again and
// takes over what differs. It stops while that would be in somebody's way, and says so.
import htmx from 'htmx.org';
import { Idiomorph } from 'idiomorph';

const live = document.getElementById('live');
const control = document.getElementById('refresh');
const lostBanner = document.getElementById('lost');
const troubled = document.getElementById('trouble'); // stands in the rail of every page
const leastGap = 2000; // ms between two refreshes
const toldGap = 1500; // ms after which one may follow what the stream tells, every two seconds or, where many watch, more seldom: all who show the same ask then, and share an answer
const longestTry = 16_000; // ms between two tries while the server is away
const settling = 120_000; // ms for which rates over a minute go on changing after the last change
const longest = 30_000; // ms without a refresh, since ages and lines of the last 15 minutes move on by themselves

let mode = localStorage.getItem('refresh') ?? 'live';
let arrived = Date.now(); // when what stands here was known to be as it is
let made = arrived; // when it was made
let moved = arrived; // when something in it changed last
let version = live?.dataset.version; // what the page has at least, as the stream of events names it
let lost = false;
let tries = 0; // in a row that found no server
let tried = 0; // when the last try began
let stale = false; // something changed since the page was made
let asking = false;
let say = () => {}; // tells the stream that this tab is to be seen, or not; it begins at once then

const labels = { live: 'Live', 5: 'Every 5 s', 30: 'Every 30 s', paused: 'Paused' };

// hindrance is why a refresh would be in the way now, or nothing.
function hindrance() {
  if (mode === 'paused') return 'paused';
  if (document.hidden) return 'the tab is hidden';
  if (document.querySelector('dialog[open]')) return 'a dialog is open';
  if (document.querySelector('.menu:popover-open')) return 'a menu is open';
  if (document.querySelector('.sheet:popover-open')) return 'the filters are open';
  if (live.querySelector('input[data-row]:checked')) return 'rows are selected';
  if (live.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return 'you are typing';
  return '';
}

function show() {
  const age = Math.round((Date.now() - arrived) / 1000);
  if (lostBanner) {
    lostBanner.hidden = !lost;
    lostBanner.querySelector('[data-age]').textContent = `${age} s`;
  }
  if (!control) return;
  const why = mode === 'paused' ? '' : hindrance();
  control.querySelector('[data-mode]').textContent = lost ? 'Connection lost' : why ? 'Waiting' : labels[mode];
  const text = why ? `Waiting: ${why}. Data of ${age} s ago.` : `Data of ${age} s ago.`;
  control.title = text;
  control.querySelector('[data-arrived]').textContent = age < 1 ? 'now' : `${age} s ago`;
  control.dataset.state = lost ? 'lost' : why ? 'waiting' : mode === 'paused' ? 'paused' : 'live';
  for (const item of document.querySelectorAll('#refresh-menu [data-refresh]')) {
    item.setAttribute('aria-checked', String(item.dataset.refresh === mode));
  }
}

function setLost(now) {
  if (!now) tries = 0;
  if (lost === now) return;
  lost = now;
  show();
}

export async function refresh() {
  if (!live || asking) return;
  asking = true;
  tried = Date.now();
  tries++; // until the answer is here
  stale = false; // what changes from here on may not be in the answer
  let taken = false;
  try {
    const answer = await fetch(location.href, { headers: { 'Fetchq-Live': '1' }, redirect: 'manual', signal: AbortSignal.timeout(15_000) });
    if (answer.type === 'opaqueredirect' || answer.status === 401) {
      location.reload(); // signed out: the page leads to where one signs in
      return;
    }
    if (answer.status >= 500) {
      setLost(true);
      return;
    }
    const text = await answer.text();
    if (hindrance() && mode !== 'paused') return;
    Idiomorph.morph(live, text, {
      morphStyle: 'innerHTML',
      ignoreActiveValue: true,
      // What a person has opened stays open.
      callbacks: {
        beforeAttributeUpdated: (name, node) => !(name === 'open' && node.tagName === 'DETAILS'),
        beforeNodeMorphed: (node) => !(node.dataset && 'drawn' in node.dataset), // a script has drawn into it
      },
    });
    htmx.process(live); // links that are new, or lead elsewhere now, open in the dialog too
    arrived = made = Date.now();
    version = answer.headers.get('Fetchq-Version');
    taken = true;
    if (lost) say(); // the server is back before the stream tries again
    setLost(false);
    document.dispatchEvent(new CustomEvent('fetchq:live'));
  } catch {
    setLost(true);
  } finally {
    asking = false;
    if (!taken) stale = true;
    show();
  }
}

function tick(least = leastGap) {
  const age = Date.now() - arrived;
  if (live.querySelector('[data-under-way]')) stale = true; // its progress is nobody's change
  const due = mode === 'live' ? stale && Date.now() - made >= least : age >= Number(mode) * 1000;
  const gap = Math.min(leastGap * 2 ** tries, longestTry);
  if (lost ? Date.now() - tried >= gap : due) {
    if (!hindrance()) refresh();
  }
  show();
}

// concerns says whether a change of these queues is shown on this page; an empty list means any.
function concerns(queues) {
  const shown = live?.dataset.queue;
  return !shown || queues.length === 0 || queues.includes(shown);
}

// mark shows in the rail, and on the button that opens it on a phone, how many queues are in trouble.
function mark(queues) {
  for (const each of document.querySelectorAll('[data-marks="trouble"]')) {
    each.hidden = queues === 0;
    each.querySelector('[data-n]').textContent = queues.toLocaleString('en');
  }
}

// hear takes what the stream says: its own events, and "lost" when it broke off.
function hear({ kind, data }) {
  setLost(kind === 'lost');
  if (kind === 'over') location.reload();
  if (!data) return;
  mark(data.trouble);
  const now = Date.now();
  switch (kind) {
    case 'hello':
      if (data.version !== version) stale = true; // nobody told this page what changed between
      break;
    case 'changed':
      if (!concerns(data.queues ?? [])) break;
      stale = true;
      moved = now;
      if (live) tick(toldGap);
      break;
    case 'beat':
      if (now - made < 2 * leastGap) break; // what was told has just been shown
      if (now - moved < settling || now - made > longest) stale = true;
      else if (!asking) arrived = now; // nothing has changed since: what stands here is as of now
  }
}

function connect() {
  if (window.SharedWorker) {
    const { port } = new SharedWorker(document.body.dataset.stream, { name: 'fetchq' });
    port.addEventListener('message', ({ data }) => hear(data));
    port.start();
    say = () => port.postMessage(document.hidden ? 'hidden' : 'visible');
    document.addEventListener('visibilitychange', say);
    addEventListener('pagehide', () => port.postMessage('bye'));
    addEventListener('pageshow', say);
    setInterval(say, 30_000);
    say();
    return;
  }
  let source = null; // a browser without shared workers: a stream of this tab alone
  say = () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else if (!source) {
      source = new EventSource('/events');
      for (const kind of ['hello', 'changed', 'beat', 'over']) {
        source.addEventListener(kind, (e) => hear({ kind, data: JSON.parse(e.data) }));
      }
      source.addEventListener('error', () => hear({ kind: 'lost' }));
    }
  };
  document.addEventListener('visibilitychange', say);
  say();
}

if (live) {
  document.addEventListener('click', (e) => {
    const item = e.target.closest('[data-refresh]');
    if (!item) return;
    mode = item.dataset.refresh;
    localStorage.setItem('refresh', mode);
    document.getElementById('refresh-menu').hidePopover();
    show();
    if (mode !== 'paused') refresh();
  });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) stale = true;
  });
  setInterval(() => tick(), 500);
  for (const kind of ['toggle', 'close', 'change']) document.addEventListener(kind, show, true); // the control says at once that it waits
}
if (troubled) {
  connect();
  show();
}

// Back may take a page from memory as it was, perhaps of a session that is over: the server says what may be seen.
addEventListener('pageshow', (e) => {
  if (!e.persisted) return;
  if (live) refresh();
  else location.reload();
});
