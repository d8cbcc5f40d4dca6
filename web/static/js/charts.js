// The charts of a page. Each figure says where its spec is (internal/charts describes one); all of a page share one
// crosshair, a drag in one of them is the time range of the page from then on, and what is new is put in without drawing
// the figure anew.
import uPlot from 'uplot';
import { apart, moment, times, unit } from './units.js';

const charts = new Map(); // figure → { plot, spec, hidden }
const together = uPlot.sync('page');
const slow = 200; // ms before a figure says that it loads
const tall = 190; // px; the style sheet has it too

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

// marks draws a line for each event that somebody noted, such as a deploy, and what it was where there is room.
function marks(chart) {
  return (u) => {
    const { ctx, bbox } = u;
    const scale = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour('foreground');
    ctx.lineWidth = scale;
    ctx.font = `${11 * scale}px system-ui, sans-serif`;
    ctx.textBaseline = 'top';
    ctx.textAlign = 'left';
    let free = bbox.left; // where the text before ends
    for (const mark of chart.spec.marks ?? []) {
      const x = Math.round(u.valToPos(mark.at, 'x', true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.setLineDash([3 * scale, 3 * scale]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const text = mark.text.length > 24 ? `${mark.text.slice(0, 23)}…` : mark.text;
      const wide = ctx.measureText(text).width + 8 * scale;
      const left = x + wide > bbox.left + bbox.width ? x - wide : x;
      if (left < free) continue;
      ctx.fillStyle = colour('card'); // no line of the grid goes through the text
      ctx.fillRect(left + 2 * scale, bbox.top, wide - 4 * scale, 14 * scale);
      ctx.fillStyle = colour('foreground');
      ctx.fillText(text, left + 4 * scale, bbox.top + scale);
      free = left + wide;
    }
    ctx.restore();
  };
}

const shortest = 60; // seconds that a page shows at least

// zoom makes what was selected the range of the page, in its address. What is too short is widened around its middle.
function zoom(u) {
  if (u.select.width < 8) return;
  let [from, to] = [u.select.left, u.select.left + u.select.width].map((x) => Math.round(u.posToVal(x, 'x')));
  if (to - from < shortest) {
    from = Math.round((from + to - shortest) / 2);
    to = from + shortest;
  }
  const url = new URL(location.href);
  for (const name of ['range', 'step']) url.searchParams.delete(name); // a step for the longer time would hide what one looks for
  for (const [name, at] of [['from', from], ['to', to]]) {
    url.searchParams.set(name, new Date(at * 1000).toISOString().replace('.000', ''));
  }
  location.assign(url);
}

function options(figure, chart) {
  const { spec } = chart;
  const units = [...new Set(spec.lines.map((line) => line.unit))]; // the first has its axis on the left, the other on the right
  const line = { stroke: colour('border'), width: 1 };
  const axis = { stroke: colour('muted-foreground'), grid: line, ticks: { ...line, size: 4 }, font: '11px system-ui, sans-serif' };
  const range = (u, low, high) => [Math.min(0, low ?? 0), high > 0 ? high * 1.1 : 1];
  return {
    width: figure.clientWidth,
    height: tall,
    padding: [8, units.length > 1 ? 0 : 22, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: together.key, setSeries: false }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { range: () => [chart.spec.from, Math.max(chart.spec.to, chart.spec.from + chart.spec.step)] }, ...Object.fromEntries(units.map((name) => [name, { range }])) },
    axes: [
      { ...axis, size: 40, space: 64, values: (u, marks, _, space, step) => times(marks, step) },
      ...units.map((name, i) => ({
        ...axis, scale: name, side: i === 0 ? 3 : 1, size: 64, space: 32, incrs: apart(name), grid: { ...line, show: i === 0 },
        values: (u, values) => unit(name).axis(values),
      })),
    ],
    series: [{}, ...spec.lines.map((line) => ({
      label: line.label, scale: line.unit, stroke: colour(line.color), fill: spec.stack ? colour(line.color) : undefined, width: 1.5,
      points: { show: (u, i) => alone(u.data[i]), size: 5 }, dash: line.dashed ? [5, 5] : undefined, spanGaps: false, alpha: spec.stack ? 0.85 : 1,
    }))],
    bands: spec.stack ? spec.lines.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })) : undefined,
    hooks: {
      setCursor: [(u) => legend(chart, u.cursor.idx)],
      setSelect: [zoom],
      draw: [marks(chart)],
    },
  };
}

// alone says whether a line has so few values that some would be no line: they are drawn as points.
function alone(values) {
  return values.some((v, i) => v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);
}

// legend says the values under the crosshair, or the last ones that are known.
function legend(chart, at) {
  chart.spec.lines.forEach((line, i) => {
    const value = at === null || at === undefined ? line.values.findLast((v) => v !== null) : line.values[at];
    chart.buttons[i].querySelector('[data-value]').textContent = unit(line.unit).text(value ?? null);
  });
  if (at === null || at === undefined) {
    chart.when.textContent = '';
    return;
  }
  const begins = chart.spec.from + at * chart.spec.step;
  const near = (chart.spec.marks ?? []).filter((mark) => mark.at >= begins && mark.at < begins + chart.spec.step).map((mark) => mark.text);
  chart.when.textContent = [moment(begins), ...near].join(' · ');
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
  chart.when = figure.querySelector('[data-when]');
}

function say(figure, state, text = '') {
  figure.dataset.state = state;
  figure.querySelector('[data-say]').textContent = text;
}

// same says whether a spec has the lines that are drawn already.
function same(a, b) {
  return a.stack === b.stack && a.lines.length === b.lines.length &&
    a.lines.every((line, i) => ['label', 'color', 'unit'].every((name) => line[name] === b.lines[i][name]));
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
    before.spec = spec; // the scales read it
    before.address = figure.dataset.chart;
    before.plot.setData(columns(spec, before.hidden));
    legend(before, before.plot.cursor.idx);
    return;
  }
  before?.plot.destroy();
  const chart = { spec, address: figure.dataset.chart, hidden: before?.spec.lines.length === spec.lines.length ? before.hidden : new Set() };
  charts.set(figure, chart);
  buildLegend(figure, chart);
  say(figure, 'drawn');
  chart.plot = new uPlot(options(figure, chart), columns(spec, chart.hidden), figure.querySelector('[data-canvas]'));
  legend(chart, null);
}

// seen is the last step of which a chart has a value.
function seen({ spec }) {
  const last = Math.max(...spec.lines.map((line) => line.values.findLastIndex((v) => v !== null)));
  return last < 0 ? null : spec.from + last * spec.step;
}

// whole puts what is new of a chart behind what is known, or returns nothing where they do not belong together.
function whole(old, news) {
  if (!news.first) return news;
  const gone = old ? (news.from - old.from) / old.step : -1; // steps that have left the chart
  if (!old || old.step !== news.step || !Number.isInteger(gone) || gone < 0 || !same(old, news)) return null;
  for (const [i, line] of news.lines.entries()) {
    const known = old.lines[i].values.slice(gone, gone + news.first);
    line.values = [...known, ...Array(news.first - known.length).fill(null), ...line.values];
  }
  delete news.first;
  return news;
}

const most = 8; // charts that are asked for at once
const healing = 300_000; // ms after which a chart is read anew: what came late for an old step is in it then

// load asks for charts; with anew not only for what is new of them.
async function load(list, anew) {
  const waiting = setTimeout(() => list.filter((f) => !charts.has(f)).forEach((f) => say(f, 'loading', 'Loading…')), slow);
  const fails = (figure, text) => { if (!charts.has(figure)) say(figure, 'failed', text); };
  try {
    const query = list.map((figure) => {
      const chart = charts.get(figure);
      const from = chart && !anew && figure.dataset.chart === chart.address ? seen(chart) : null;
      return `c=${encodeURIComponent(figure.dataset.chart + (from === null ? '' : `&after=${from}`))}`;
    });
    const answer = await fetch(`/charts/data?${query.join('&')}`, { headers: { Accept: 'application/json' }, redirect: 'manual', signal: AbortSignal.timeout(15_000) });
    if (!answer.ok) throw new Error('The server cannot say now; this chart tries again by itself.');
    const again = [];
    for (const [i, told] of (await answer.json()).entries()) {
      const figure = list[i];
      if (told.status !== 200) fails(figure, told.detail);
      else {
        const spec = whole(charts.get(figure)?.spec, told.spec);
        if (spec) draw(figure, spec);
        else again.push(figure);
      }
    }
    if (again.length > 0) await load(again, true);
  } catch (e) {
    for (const figure of list) fails(figure, e.name === 'Error' ? e.message : 'The server does not answer; this chart tries again by itself.');
  } finally {
    clearTimeout(waiting);
  }
}

function figures() {
  return [...document.querySelectorAll('figure[data-chart]')];
}

let asked = 0;
let healed = 0;
function refresh() {
  asked = Date.now();
  const anew = asked - healed >= healing;
  if (anew) healed = asked;
  for (const figure of charts.keys()) {
    if (figure.isConnected) continue;
    charts.get(figure).plot.destroy();
    charts.delete(figure);
  }
  const all = figures();
  for (let i = 0; i < all.length; i += most) load(all.slice(i, i + most), anew);
}

// gap is how long there is nothing new to see, in ms: a step is ten seconds at least, and in an hour it is hardly a pixel wide.
function gap() {
  if (charts.size === 0 || figures().some((f) => f.dataset.state === 'failed')) return 10_000;
  const shortest = Math.min(...[...charts.values()].map(({ spec }) => spec.to - spec.from));
  return Math.min(Math.max(1000 * shortest / 120, 10_000), 60_000);
}

document.addEventListener('fetchq:live', () => {
  if (document.body.dataset.still === undefined && Date.now() - asked >= gap()) refresh();
});

new ResizeObserver(() => {
  for (const [figure, { plot }] of charts) if (plot.width !== figure.clientWidth) plot.setSize({ width: figure.clientWidth, height: tall });
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
