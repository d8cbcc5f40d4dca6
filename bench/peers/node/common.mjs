// What both programs for Node.js share: orders, a pool, measured calls, an old snapshot.
import pg from 'pg';

export const url = process.env.DATABASE_URL;
// { documents, planned, payload, each }: counts, bytes, milliseconds
export const orders = JSON.parse(process.argv[2] ?? '{}');
export const pool = new pg.Pool({ connectionString: url, max: 4 });
export const payload = { text: 'x'.repeat(Math.max(orders.payload - '{"text":""}'.length, 1)) };
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// tell prints a figure for the program that started this one.
export function tell(figure, f) {
  process.stdout.write(`${JSON.stringify({ figure, ...f })}\n`);
}

export function percentiles(times) {
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.min(Math.floor(share * times.length), times.length - 1)];
  return { p50: at(0.5), p99: at(0.99) };
}

// repeat makes calls, n at once, until the time is up or one says that nothing is left. A call returns how many jobs it dealt with.
export async function repeat(n, ms, call) {
  const times = [];
  let total = 0;
  const began = performance.now();
  const worker = async () => {
    for (let first = true; performance.now() - began < ms; first = false) {
      const at = performance.now();
      const done = await call();
      if (done === 0) return;
      if (!first) times.push(performance.now() - at); // the first one connects
      total += done;
    }
  };
  await Promise.all(Array.from({ length: n }, worker));
  return { total, rate: total / ((performance.now() - began) / 1000), ...(times.length ? percentiles(times) : {}) };
}

// pushed measures pushes, and wants as many rows to stand in the table then.
export async function pushed(table, call) {
  const f = await repeat(8, orders.each, call);
  const { rows } = await pool.query(`select count(*)::int as n from ${table}`);
  if (rows[0].n !== f.total) throw new Error(`${f.total} jobs were pushed, and ${rows[0].n} stand in the table`);
  return f;
}

// hold begins a transaction that has taken its snapshot and does nothing more; it returns how to end it.
export async function hold() {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query('begin isolation level repeatable read');
  await client.query('select count(*) from pg_class');
  return () => client.end();
}

// measureWait takes the time from a push until arrive() was called with the moment at which the worker had the job.
export async function measureWait(push) {
  let arrived;
  const arrive = () => arrived?.(performance.now());
  const run = async () => {
    const times = [];
    for (const began = performance.now(); performance.now() - began < orders.each; ) {
      const there = new Promise((resolve) => { arrived = resolve; });
      const sent = performance.now();
      await push();
      const late = AbortSignal.timeout(20_000);
      late.addEventListener('abort', () => { throw new Error('a worker that waits got nothing'); });
      times.push((await there) - sent);
      await sleep(20);
    }
    return percentiles(times);
  };
  return { arrive, run };
}
