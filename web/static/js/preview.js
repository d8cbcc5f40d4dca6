// A file that is chosen for an import is shown before it is sent: its beginning goes to the server, which says what it would make of it.
const looked = 65_536; // bytes, as internal/operations has them
let asked = 0;

document.addEventListener('change', async (e) => {
  const form = e.target.form;
  const into = form?.querySelector('[data-preview]');
  const file = form?.querySelector('input[type="file"]')?.files[0];
  if (!into) return;
  const mine = ++asked;
  into.replaceChildren();
  if (!file) return;
  const query = new URLSearchParams({ name: file.name, size: file.size, format: form.elements.format.value });
  try {
    const answer = await fetch(`${into.dataset.preview}?${query}`, { method: 'POST', body: file.slice(0, looked), headers: { 'Hx-Request': 'true' } });
    const text = await answer.text();
    if (mine === asked && answer.ok) into.innerHTML = text;
  } catch {
    // the server is away: the form itself will say so
  }
});
