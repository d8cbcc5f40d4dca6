// The theme, the rail, and copying: what a script can do at once. Without it, the forms behind them do the same.
const year = 31_536_000; // seconds

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${year}; samesite=lax${location.protocol === 'https:' ? '; secure' : ''}`;
}

const themes = ['system', 'light', 'dark'];

function setTheme(theme) {
  remember('theme', theme);
  document.dispatchEvent(new CustomEvent('fetchq:theme'));
  for (const item of document.querySelectorAll('[data-theme]')) item.setAttribute('aria-checked', String(item.dataset.theme === theme));
}

document.addEventListener('click', async (e) => {
  const theme = e.target.closest('[data-theme]');
  if (theme) {
    e.preventDefault();
    setTheme(theme.dataset.theme);
    return;
  }
  if (e.target.closest('[data-theme-next]')) {
    const now = /(?:^|; )theme=(\w+)/.exec(document.cookie)?.[1] ?? 'system';
    setTheme(themes[(themes.indexOf(now) + 1) % themes.length]);
    return;
  }
  if (e.target.closest('[data-fold]')) {
    const root = document.documentElement;
    const folded = root.dataset.rail !== 'folded';
    if (folded) root.dataset.rail = 'folded';
    else delete root.dataset.rail;
    remember('rail', folded ? 'folded' : 'open');
    return;
  }
  const copy = e.target.closest('[data-copy]');
  if (copy) {
    const what = document.getElementById(copy.dataset.copy);
    const before = copy.textContent;
    try {
      await navigator.clipboard.writeText('exact' in what.dataset ? what.textContent : what.textContent.trim());
      copy.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(what); // without TLS browsers let no script copy, but a person can
      copy.textContent = 'Selected';
    }
    setTimeout(() => (copy.textContent = before), 1500);
  }
});

// A select that is a filter by itself; on a phone the others of its sheet are chosen first.
document.addEventListener('change', (e) => {
  if (e.target.closest('[data-submit]') && !e.target.closest('.sheet:popover-open')) e.target.form.requestSubmit();
});

// The tab that is chosen may stand beside the edge of a phone.
for (const tab of document.querySelectorAll('.tabs-line a[aria-current]')) {
  const line = tab.parentElement;
  line.scrollLeft = Math.max(tab.offsetLeft - line.offsetLeft - (line.clientWidth - tab.offsetWidth) / 2, 0);
}
