// How the values of a chart are written: short on an axis, whole in its legend.
const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

// scaled writes a value in the largest of several units that it reaches.
function scaled(value, steps) {
  const [size, word] = steps.find(([least]) => Math.abs(value) >= least) ?? steps.at(-1);
  return `${Number((value / size).toPrecision(3))} ${word}`;
}

// number writes a value with three digits that mean something where it is small.
const number = (v) => (Math.abs(v) < 1 ? fine : plain).format(v);

const spans = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'm'], [1000, 's'], [1, 'ms'], [0.001, 'µs']];
const sizes = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B']];

const units = {
  count: { axis: (v) => compact.format(v), text: number },
  rate: { axis: (v) => `${compact.format(v)}/s`, text: (v) => `${number(v)}/s` },
  ms: { axis: (v) => scaled(v, spans), text: (v) => scaled(v, spans) },
  bytes: { axis: (v) => scaled(v, sizes), text: (v) => scaled(v, sizes) },
  bytes_rate: { axis: (v) => `${scaled(v, sizes)}/s`, text: (v) => `${scaled(v, sizes)}/s` },
};

// unit returns how values of a unit are written; what is not known is a dash.
export function unit(name) {
  const known = units[name] ?? units.count;
  return {
    axis: (values) => values.map((v) => (v === null ? '' : v === 0 ? '0' : known.axis(v))),
    text: (v) => (v === null || v === undefined ? '–' : v === 0 ? '0' : known.text(v)),
  };
}

const decades = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** (from + i))).flat();
const durations = [...decades(-4, 2), ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200].map((s) => s * 1000),
  ...decades(0, 6).map((d) => d * 86_400_000)];
const doublings = Array.from({ length: 60 }, (_, i) => 2 ** i);

// apart is how far the marks of an axis may stand apart, so that each is a round number of its unit; undefined: as everywhere.
export function apart(name) {
  return { ms: durations, bytes: doublings, bytes_rate: doublings }[name];
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const seconds = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const date = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

// moment writes a time of this browser's zone, in seconds since 1970.
export function moment(at) {
  const t = new Date(at * 1000);
  return `${date.format(t)} ${seconds.format(t)}`;
}

// times writes the marks of an axis that stand that many seconds apart: the hour, and the date where it changes.
export function times(marks, step) {
  let before = '';
  return marks.map((at) => {
    const t = new Date(at * 1000);
    const day = date.format(t);
    if (step >= 86_400) return day;
    const hour = (step < 60 ? seconds : clock).format(t);
    const text = day === before ? hour : `${hour}\n${day}`;
    before = day;
    return text;
  });
}
