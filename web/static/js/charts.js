// The charts of a page. Each figure says where its spec is (internal/charts describes one); all of a page share one
// crosshair, a drag in one of them is the time range of the page from then on, and what is new is put in without drawing
// the figure anew.
import uPlot from 'uplot';
import { unit } from './units.js';

const charts = new Map(); // figure → { plot, spec, hidden }
const together = uPlot.sync('page');
const slow = 200; // ms before a figure says that it loads

// colour reads a colour of the style sheet: "pending" is --pending.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

// columns turns a spec into what uPlot draws: times, then one list of values a line. Lines that are stacked stand on those after
// them, so that the first is on top; where one is not known it takes no room.
function columns(spec, hidden) {
  const times = spec.lines[0]?.values.map((_, i) => spec.from + i * spec.step) ?? [];
  const shown = spec.lines.map((line, i) => (hidden.has(i) ? line.values.map(() => null) : line.values));
  if (!spec.stack) return [times, ...shown];
  const sums = times.map(() => 0);
  const stacked = [];
  for (let n = shown.length - 1; n >= 0; n--) {
    stacked[n] = shown[n].map((v, i) => (v === null ? (sums[i] || null) : (sums[i] += v)));
  }
  return [times, ...stacked];
}

// marks draws a line for each event that somebody noted, such as a deploy.
function marks(chart) {
  return (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = colour('muted-foreground');
    ctx.setLineDash([4, 4]);
    for (const mark of chart.spec.marks ?? []) {
      const x = Math.round(u.valToPos(mark.at, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
}

// zoom makes what was selected the range of the page, in its address.
function zoom(u) {
  if (u.select.width < 8) return;
  const url = new URL(location.href);
  url.searchParams.delete('range');
  for (const [name, x] of [['from', u.select.left], ['to', u.select.left + u.select.width]]) {
    url.searchParams.set(name, new Date(Math.round(u.posToVal(x, 'x')) * 1000).toISOString().replace('.000', ''));
  }
  location.assign(url);
}

function options(figure, chart) {
  const { spec } = chart;
  const write = unit(spec.unit);
  const text = colour('muted-foreground');
  const axis = { stroke: text, grid: { stroke: colour('border'), width: 1 }, ticks: { stroke: colour('border'), width: 1 }, font: '11px system-ui, sans-serif' };
  return {
    width: figure.clientWidth,
    height: 180,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: together.key, setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { range: () => [spec.from, Math.max(spec.to, spec.from + spec.step)] }, y: { range: (u, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.05 : 1] } },
    axes: [axis, { ...axis, size: 62, values: (u, values) => write.axis(values) }],
    series: [{}, ...spec.lines.map((line) => ({
      label: line.label, stroke: colour(line.color), fill: spec.stack ? colour(line.color) : undefined, width: 1.5, points: { show: false },
      dash: line.dashed ? [5, 5] : undefined, spanGaps: false, alpha: spec.stack ? 0.85 : 1,
    }))],
    bands: spec.stack ? spec.lines.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })) : undefined,
    hooks: {
      setCursor: [(u) => legend(chart, u.cursor.idx)],
      setSelect: [zoom],
      drawClear: [marks(chart)],
    },
  };
}

// legend says the values under the crosshair, or the last ones that are known.
function legend(chart, at) {
  const write = unit(chart.spec.unit);
  chart.spec.lines.forEach((line, i) => {
    const value = at === null || at === undefined ? line.values.findLast((v) => v !== null) : line.values[at];
    chart.buttons[i].querySelector('[data-value]').textContent = write.text(value ?? null);
  });
  const when = at === null || at === undefined ? '' : new Date((chart.spec.from + at * chart.spec.step) * 1000).toLocaleString();
  chart.when.textContent = when;
}

function buildLegend(figure, chart) {
  const list = figure.querySelector('[data-legend]');
  list.replaceChildren();
  chart.buttons = chart.spec.lines.map((line, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.setAttribute('aria-pressed', String(!chart.hidden.has(i)));
    const swatch = document.createElement('span');
    swatch.className = line.dashed ? 'swatch dashed' : 'swatch';
    swatch.style.setProperty('--swatch', colour(line.color));
    const value = document.createElement('span');
    value.dataset.value = '';
    button.append(swatch, `${line.label} `, value);
    button.addEventListener('click', () => {
      if (!chart.hidden.delete(i)) chart.hidden.add(i);
      button.setAttribute('aria-pressed', String(!chart.hidden.has(i)));
      chart.plot.setData(columns(chart.spec, chart.hidden));
    });
    const item = document.createElement('li');
    item.append(button);
    list.append(item);
    return button;
  });
  chart.when = document.createElement('li');
  chart.when.className = 'when';
  list.append(chart.when);
}

function say(figure, state, text = '') {
  figure.dataset.state = state;
  figure.querySelector('[data-say]').textContent = text;
}

// same says whether a spec has the lines that are drawn already.
function same(a, b) {
  return a.unit === b.unit && a.stack === b.stack && a.lines.length === b.lines.length &&
    a.lines.every((line, i) => line.label === b.lines[i].label && line.color === b.lines[i].color);
}

function draw(figure, spec) {
  if (spec.lines.every((line) => line.values.every((v) => v === null))) {
    charts.get(figure)?.plot.destroy();
    charts.delete(figure);
    figure.querySelector('[data-legend]').replaceChildren();
    say(figure, 'empty', 'Nothing was measured in this time.');
    return;
  }
  const before = charts.get(figure);
  if (before && same(before.spec, spec)) {
    Object.assign(before.spec, spec); // the scales read it
    before.plot.setData(columns(spec, before.hidden));
    legend(before, before.plot.cursor.idx);
    return;
  }
  before?.plot.destroy();
  const chart = { spec, hidden: before?.spec.lines.length === spec.lines.length ? before.hidden : new Set() };
  charts.set(figure, chart);
  buildLegend(figure, chart);
  say(figure, 'drawn');
  chart.plot = new uPlot(options(figure, chart), columns(spec, chart.hidden), figure.querySelector('[data-canvas]'));
  legend(chart, null);
}

async function load(figure) {
  const waiting = setTimeout(() => !charts.has(figure) && say(figure, 'loading', 'Loading…'), slow);
  try {
    const answer = await fetch(figure.dataset.chart, { headers: { Accept: 'application/json' }, redirect: 'manual', signal: AbortSignal.timeout(15_000) });
    if (!answer.ok) throw new Error(answer.status === 422 ? (await answer.json()).detail : 'The server cannot say now; this chart tries again by itself.');
    draw(figure, await answer.json());
  } catch (e) {
    if (!charts.has(figure)) say(figure, 'failed', e.name === 'Error' ? e.message : 'The server does not answer; this chart tries again by itself.');
  } finally {
    clearTimeout(waiting);
  }
}

function figures() {
  return [...document.querySelectorAll('figure[data-chart]')];
}

let asked = 0;
function refresh() {
  asked = Date.now();
  for (const figure of charts.keys()) {
    if (figure.isConnected) continue;
    charts.get(figure).plot.destroy();
    charts.delete(figure);
  }
  figures().forEach(load);
}

// Steps are ten seconds long: nothing is new before.
document.addEventListener('fetchq:live', () => {
  if (document.body.dataset.still === undefined && Date.now() - asked >= 10_000) refresh();
});

new ResizeObserver(() => {
  for (const [figure, { plot }] of charts) if (plot.width !== figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: 180 });
}).observe(document.querySelector('.page'));

// Another theme has other colours.
function recolour() {
  for (const [figure, chart] of charts) {
    chart.plot.destroy();
    buildLegend(figure, chart);
    chart.plot = new uPlot(options(figure, chart), columns(chart.spec, chart.hidden), figure.querySelector('[data-canvas]'));
    legend(chart, null);
  }
}
document.addEventListener('fetchq:theme', () => requestAnimationFrame(recolour));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => requestAnimationFrame(recolour));

refresh();
