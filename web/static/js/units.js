// How the values of a chart are written: short on an axis, whole in its legend.
const plain = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

// scaled writes a value in the largest of several units that it reaches.
function scaled(value, steps) {
  const [size, word] = steps.find(([least]) => Math.abs(value) >= least) ?? steps.at(-1);
  return `${Number((value / size).toPrecision(3))} ${word}`;
}

const spans = [[86_400_000, 'd'], [3_600_000, 'h'], [60_000, 'm'], [1000, 's'], [1, 'ms'], [0.001, 'µs']];
const sizes = [[2 ** 40, 'TiB'], [2 ** 30, 'GiB'], [2 ** 20, 'MiB'], [2 ** 10, 'KiB'], [1, 'B']];

const units = {
  count: { axis: (v) => compact.format(v), text: (v) => plain.format(v) },
  rate: { axis: (v) => compact.format(v), text: (v) => `${plain.format(v)}/s` },
  ms: { axis: (v) => (v === 0 ? '0' : scaled(v, spans)), text: (v) => (v === 0 ? '0 ms' : scaled(v, spans)) },
  bytes: { axis: (v) => (v === 0 ? '0' : scaled(v, sizes)), text: (v) => scaled(v, sizes) },
};

// unit returns how values of a unit are written; what is not known is a dash.
export function unit(name) {
  const known = units[name] ?? units.count;
  return {
    axis: (values) => values.map((v) => (v === null ? '' : known.axis(v))),
    text: (v) => (v === null || v === undefined ? '–' : known.text(v)),
  };
}
