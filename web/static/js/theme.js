// Runs before the page is drawn: the theme that was chosen, or the system's, without a flash of the other one.
const dark = matchMedia('(prefers-color-scheme: dark)');

function chosen() {
  return /(?:^|; )theme=(light|dark)/.exec(document.cookie)?.[1] ?? 'system';
}

function apply() {
  const theme = chosen();
  document.documentElement.classList.toggle('dark', theme === 'dark' || (theme === 'system' && dark.matches));
}

dark.addEventListener('change', apply);
document.addEventListener('fetchq:theme', apply);
apply();
