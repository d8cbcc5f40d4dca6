// Keeps what is marked live up to date: when the stream says that something changed, the page asks for itself again and
// takes over what differs. It stops while that would be in somebody's way, and says so.
import { Idiomorph } from 'idiomorph';

const live = document.getElementById('live');
const control = document.getElementById('refresh');
const lostBanner = document.getElementById('lost');
const leastGap = 2000; // ms between two refreshes

let mode = localStorage.getItem('refresh') ?? 'live';
let arrived = Date.now();
let lost = false;
let stale = false; // something changed since the page arrived
let asking = false;
let say = () => {}; // tells the stream that this tab is to be seen, or not; it begins at once then

const labels = { live: 'Live', 5: 'Every 5 s', 30: 'Every 30 s', paused: 'Paused' };

// hindrance is why a refresh would be in the way now, or nothing.
function hindrance() {
  if (mode === 'paused') return 'paused';
  if (document.hidden) return 'the tab is hidden';
  if (document.querySelector('dialog[open]')) return 'a dialog is open';
  if (document.querySelector('.menu:popover-open')) return 'a menu is open';
  if (live.querySelector('input[data-row]:checked')) return 'rows are selected';
  if (live.contains(document.activeElement) && /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName)) return 'you are typing';
  return '';
}

function show() {
  if (!control) return;
  const why = mode === 'paused' ? '' : hindrance();
  control.querySelector('[data-mode]').textContent = lost ? 'Connection lost' : why ? 'Waiting' : labels[mode];
  const age = Math.round((Date.now() - arrived) / 1000);
  const text = why ? `Waiting: ${why}. Data of ${age} s ago.` : `Data of ${age} s ago.`;
  control.title = text;
  control.dataset.state = lost ? 'lost' : why ? 'waiting' : mode === 'paused' ? 'paused' : 'live';
  for (const item of document.querySelectorAll('#refresh-menu [data-refresh]')) {
    item.setAttribute('aria-checked', String(item.dataset.refresh === mode));
  }
  lostBanner.hidden = !lost;
  if (lost) lostBanner.querySelector('[data-age]').textContent = `${age} s`;
}

function setLost(now) {
  if (lost === now) return;
  lost = now;
  show();
}

export async function refresh() {
  if (!live || asking) return;
  asking = true;
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
    if (hindrance() && mode !== 'paused') {
      stale = true;
      return;
    }
    Idiomorph.morph(live, text, {
      morphStyle: 'innerHTML',
      ignoreActiveValue: true,
      // What a person has opened stays open.
      callbacks: { beforeAttributeUpdated: (name, node) => !(name === 'open' && node.tagName === 'DETAILS') },
    });
    arrived = Date.now();
    stale = false;
    if (lost) say(); // the server is back before the stream tries again
    setLost(false);
    document.dispatchEvent(new CustomEvent('fetchq:live'));
  } catch {
    setLost(true);
  } finally {
    asking = false;
    show();
  }
}

function tick() {
  const age = Date.now() - arrived;
  const due = mode === 'live' ? stale && age >= leastGap : age >= Number(mode) * 1000;
  if (lost ? age >= leastGap : due) {
    if (!hindrance()) refresh();
  }
  show();
}

// concerns says whether a change of these queues is shown on this page; an empty list means any.
function concerns(queues) {
  const shown = live.dataset.queue;
  return !shown || queues.length === 0 || queues.includes(shown);
}

function hear(message) {
  switch (message.kind) {
    case 'changed':
      setLost(false);
      if (concerns(message.queues)) stale = true;
      break;
    case 'open':
      if (lost || Date.now() - arrived > 1000) stale = true; // nobody told what changed meanwhile
      setLost(false);
      break;
    case 'beat':
      setLost(false);
      if (!stale) arrived = Date.now(); // nothing has changed since: what stands here is as of now
      break;
    case 'lost':
      setLost(true);
      break;
    case 'over':
      location.reload();
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
      source.addEventListener('open', () => hear({ kind: 'open' }));
      source.addEventListener('changed', (e) => hear({ kind: 'changed', queues: JSON.parse(e.data) }));
      source.addEventListener('beat', () => hear({ kind: 'beat' }));
      source.addEventListener('over', () => hear({ kind: 'over' }));
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
  connect();
  setInterval(tick, 500);
  show();
}

// Back may take a page from memory as it was, perhaps of a session that is over: the server says what may be seen.
addEventListener('pageshow', (e) => {
  if (!e.persisted) return;
  if (live) refresh();
  else location.reload();
});
