// Builds what browsers get, into web/static/dist: one style sheet, the scripts, and the icons that templates name. Each
// file has a digest of its text in its name, so that browsers keep it for ever; manifest.json tells which is which.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const web = join(root, 'web');
const dist = join(web, 'static', 'dist');
const manifest = {};

// put writes a file under a name with its digest, and a compressed one beside it.
function put(name, content) {
  const body = Buffer.from(content);
  const digest = createHash('sha256').update(body).digest('hex').slice(0, 12);
  const dot = name.lastIndexOf('.');
  const hashed = `${name.slice(0, dot)}-${digest}${name.slice(dot)}`;
  writeFileSync(join(dist, hashed), body);
  writeFileSync(join(dist, `${hashed}.gz`), gzipSync(body, { level: 9 }));
  manifest[name] = hashed;
}

function style() {
  const cli = join(root, 'node_modules', '@tailwindcss', 'cli', 'dist', 'index.mjs');
  const source = join(web, 'static', 'css', 'app.css');
  put('app.css', execFileSync(process.execPath, [cli, '--input', source, '--minify'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] }));
}

function script(name, format) {
  const out = buildSync({
    entryPoints: [join(web, 'static', 'js', name)],
    bundle: true, minify: true, write: false, format, target: 'es2022', legalComments: 'none', logLevel: 'warning',
  });
  put(name, out.outputFiles[0].text);
}

// icons collects each name that stands in icon("name") or openLink(…, "name") of a template, or as an Icon in Go, into one sprite.
function icons() {
  const names = new Set();
  for (const folder of [join(web, 'templates'), join(root, 'internal', 'web')]) {
    for (const file of readdirSync(folder)) {
      if (!/\.(templ|go)$/.test(file) || /_(templ|test)\.go$/.test(file)) continue;
      const text = readFileSync(join(folder, file), 'utf8');
      for (const [, name] of text.matchAll(/(?:\bicon\(|\bIcon: *|openLink\([^\n]*?, )"([a-z0-9-]+)"/g)) names.add(name);
    }
  }
  const symbols = [...names].sort().map((name) => {
    const path = join(root, 'node_modules', 'lucide-static', 'icons', `${name}.svg`);
    if (!existsSync(path)) throw new Error(`there is no icon ${name} in lucide-static`);
    const inner = readFileSync(path, 'utf8').replace(/<!--.*?-->/s, '').replace(/<svg[^>]*>|<\/svg>/gs, '').replace(/\s+/g, ' ').trim();
    return `<symbol id="${name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${inner}</symbol>`;
  });
  put('icons.svg', `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join('')}</svg>\n`);
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
style();
script('app.js', 'iife');
script('theme.js', 'iife');
script('stream.js', 'iife');
script('charts.js', 'iife');
icons();
put('favicon.svg', readFileSync(join(web, 'static', 'favicon.svg')));
writeFileSync(join(dist, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
