// Measures Fetchq 4, which this Fetchq comes from, by its SQL functions: its client makes one call a document. Of its package only the SQL
// is used; package.json has pg in place of a dependency whose version is not published.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import pg from 'pg';
import { hold, orders, payload, pushed, repeat, tell, url } from './common.mjs';

const queue = 'bench';
const docs = `fetchq_data.${queue}__docs`;
const pool = new pg.Pool({ connectionString: url, max: 8 });
const size = 100; // documents of a pick, which one statement completes
const schema = createRequire(import.meta.url).resolve('fetchq/lib/functions/client/client.init.sql');
await pool.query(await readFile(schema, 'utf8'));
await pool.query('create extension if not exists "uuid-ossp"');
await pool.query('select * from fetchq.init()');
await pool.query('select * from fetchq.queue_create($1)', [queue]);

// values are rows for doc_push, which splices them into its statement and says 0 whatever goes wrong there.
let subjects = 0;
const values = (n) => Array.from({ length: n }, () => `('s${++subjects}', 0, '${JSON.stringify(payload)}', {DATA})`).join(', ');

async function push(n, date = 'now()') {
  const { rows } = await pool.query(`select * from fetchq.doc_push($1, 0, ${date}, $2)`, [queue, values(n)]);
  if (rows[0].queued_docs !== n) throw new Error(`of ${n} documents ${rows[0].queued_docs} were pushed`);
  return n;
}

async function fill(due, later) {
  for (let left = due; left > 0; left -= 1000) await push(Math.min(left, 1000));
  for (let left = later; left > 0; left -= 1000) await push(Math.min(left, 1000), `now() + interval '1 day'`);
  await pool.query('vacuum (analyze) ' + docs);
}

async function work(n) {
  const { rows } = await pool.query(`select subject from fetchq.doc_pick($1, 0, $2, '5m')`, [queue, n]);
  if (rows.length === 0) return 0;
  const done = await pool.query('select sum(fetchq.doc_complete($1, subject))::int as n from unnest($2::text[]) subject',
    [queue, rows.map((row) => row.subject)]);
  if (done.rows[0].n !== rows.length) throw new Error(`of ${rows.length} documents ${done.rows[0].n} were completed`);
  return rows.length;
}

async function drain(n, old) {
  await fill(orders.documents, 0);
  const release = old ? await hold() : () => {};
  const { rate } = await repeat(8, n === 1 ? orders.each : 60_000, () => work(n));
  await release();
  return { rate };
}

async function pick(due, later) {
  await fill(due, later);
  return repeat(1, orders.each, async () => {
    const { rows } = await pool.query(`select * from fetchq.doc_pick($1, 0, 1, '5m')`, [queue]);
    if (rows.length !== Math.min(due, 1)) throw new Error(`a pick brought ${rows.length} documents`);
    return 1;
  });
}

const figures = {
  ingest: () => pushed(docs, () => push(1000)),
  unique: () => pushed(docs, () => push(1000)),
  single: () => pushed(docs, () => push(1)),
  drain: () => drain(size),
  held: () => drain(size, true),
  one: () => drain(1),
  pick: () => pick(orders.documents, 0),
  later: () => pick(orders.documents, orders.planned),
  empty: () => pick(0, orders.planned),
};
for (const [name, measure] of Object.entries(figures)) {
  await pool.query('truncate ' + docs);
  tell(name, await measure());
}
await pool.end();
