// Times that say how long ago they were go on ticking; the exact moment stands in their title.
const units = [[86_400, 'd'], [3600, 'h'], [60, 'm'], [1, 's']];

// words writes a span in its two largest units, as the server does: "3 m 12 s".
export function words(seconds) {
  let rest = Math.max(0, Math.round(seconds));
  const parts = [];
  for (const [size, unit] of units) {
    if (rest < size && !(unit === 's' && parts.length === 0)) continue;
    parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
    if (parts.length === 2 || (parts.length === 1 && size === 1)) break;
  }
  return parts.join(' ');
}

function tick() {
  const now = Date.now() + Number(document.body?.dataset.skew ?? 0);
  for (const time of document.querySelectorAll('time[data-ago], time[data-age]')) {
    const at = Date.parse(time.dateTime);
    const seconds = (now - at) / 1000;
    const text = 'age' in time.dataset ? words(seconds) : Math.abs(seconds) < 1 ? 'now' : seconds > 0 ? `${words(seconds)} ago` : `in ${words(-seconds)}`;
    if (time.textContent !== text) time.textContent = text;
    if (!time.dataset.local) {
      time.dataset.local = '1';
      time.title = `${new Date(at).toLocaleString()} · ${time.title}`;
    }
  }
}

// The server's clock and this machine's may differ: the page says when it was made.
const made = Date.parse(document.body.dataset.now ?? '');
if (made) document.body.dataset.skew = String(made - Date.now());
tick();
setInterval(tick, 1000);
document.addEventListener('fetchq:live', tick);
