// Passkeys: a form marked data-passkey asks the device, and goes to the server with what it answers. Without this script, or in a browser
// that has no passkeys, it stays hidden.
const able = typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential;

const ask = {
  // get signs in: the server first says what is to be signed.
  async get() {
    const answer = await fetch('/login/passkey/begin', { method: 'POST' });
    if (answer.status === 429) throw new Error('There were too many sign-ins from your address; wait a minute and try again.');
    if (!answer.ok) throw new Error('The server does not answer as it should; reload the page and try again.');
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json()) });
  },
  async create(form) {
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.options)) });
  },
};

// why says in words what a browser calls by names.
function why(e) {
  if (e.name === 'InvalidStateError') return 'This device has a passkey of yours already.';
  if (e.name === 'NotAllowedError') return 'Nothing was done: it was called off, it took too long, or this device has no passkey for it.';
  if (e.name === 'SecurityError') return 'The browser allows no passkeys at this address.';
  return e.message;
}

for (const form of document.querySelectorAll('form[data-passkey]')) {
  form.hidden = !able;
  const said = form.querySelector('[role="alert"]');
  form.addEventListener('submit', async (e) => {
    e.preventDefault();
    const button = form.querySelector('button');
    button.disabled = true;
    said.hidden = true;
    try {
      const made = await ask[form.dataset.passkey](form);
      form.elements.credential.value = JSON.stringify(made.toJSON());
      form.submit();
    } catch (failed) {
      said.textContent = why(failed);
      said.hidden = false;
      button.disabled = false;
    }
  });
}
if (!able) for (const said of document.querySelectorAll('[data-passkey-unable]')) said.hidden = false;
