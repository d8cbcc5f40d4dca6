// A shared worker: one stream of events for all tabs of a browser, since HTTP/1.1 allows six connections to a host. It is
// open while at least one tab is to be seen.
const tabs = new Map(); // port → { visible, heard }
const forgotten = 90_000; // ms after which a tab that says nothing is gone: hidden ones may speak once a minute
let source = null;
let latest = null; // what the stream told last, for tabs that come later
let retry = 1000;
let timer = 0;

function tell(message) {
  for (const port of tabs.keys()) port.postMessage(message);
}

function wanted() {
  return [...tabs.values()].some((tab) => tab.visible);
}

function open() {
  clearTimeout(timer);
  if (source || !wanted()) return;
  source = new EventSource('/events');
  for (const kind of ['hello', 'changed', 'beat', 'over']) {
    source.addEventListener(kind, (e) => {
      retry = 1000;
      latest = JSON.parse(e.data);
      tell({ kind, data: latest });
    });
  }
  source.addEventListener('error', () => {
    close();
    tell({ kind: 'lost' });
    retry = Math.min(2 * retry, 30_000);
    timer = setTimeout(open, retry);
  });
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = latest = null;
}

function hear(port, message) {
  if (message === 'bye') tabs.delete(port);
  else {
    if (!tabs.has(port) && latest) port.postMessage({ kind: 'hello', data: latest });
    tabs.set(port, { visible: message === 'visible', heard: Date.now() });
  }
  if (wanted()) open();
  else close();
}

setInterval(() => {
  for (const [port, tab] of tabs) if (Date.now() - tab.heard > forgotten) tabs.delete(port);
  if (!wanted()) close();
}, 15_000);

self.addEventListener('connect', (e) => {
  const [port] = e.ports;
  port.addEventListener('message', ({ data }) => hear(port, data));
  port.start();
});
