// Measures pg-boss: insert, fetch and complete of arrays where it is to be fast.
import { PgBoss } from 'pg-boss';
import { hold, measureWait, orders, payload, pool, pushed, repeat, sleep, tell, url } from './common.mjs';

const queue = 'bench';
const jobs = 'pgboss.job_common';
const fetched = 500; // jobs of a fetch; measured against 100, 200, 1,000 and 2,000
const boss = new PgBoss({ connectionString: url, max: 10, useListenNotify: true, schedule: false });
boss.on('error', (error) => { throw error; });
await boss.start();
await boss.createQueue(queue, { notify: false });
await boss.createQueue('waiting', { notify: true });
await boss.createQueue('unique', { policy: 'short' }); // one waiting job a key

const many = (n, at) => Array.from({ length: n }, (_, i) => ({ data: payload, ...(at ? { startAfter: new Date(at + i * 1000) } : {}) }));

let calls = 0;
const key = (i) => `https://bench.example/${i === 0 ? ++calls : calls}/${i}`;

async function fill(due, later) {
  const put = async (n, at) => {
    for (let left = n; left > 0; left -= 5000) await boss.insert(queue, many(Math.min(left, 5000), at));
  };
  await put(due);
  await put(later, Date.now() + 86_400_000);
  await pool.query('vacuum (analyze) ' + jobs);
}

async function work(size) {
  const found = await boss.fetch(queue, { batchSize: size });
  if (found.length > 0) await boss.complete(queue, found.map((job) => job.id));
  return found.length;
}

async function drain(size, ms, old) {
  await fill(orders.documents, 0);
  const release = old ? await hold() : () => {};
  const { rate } = await repeat(8, ms, () => work(size));
  await release();
  return { rate };
}

async function pick(due, later) {
  await fill(due, later);
  return repeat(1, orders.each, async () => {
    const found = (await boss.fetch(queue)).length;
    if (found !== Math.min(due, 1)) throw new Error(`a pick brought ${found} jobs`);
    return 1;
  });
}

async function wait() {
  const w = await measureWait(() => boss.send('waiting', payload));
  const id = await boss.work('waiting', { pollingIntervalSeconds: 0.5 }, async () => { w.arrive(); });
  await sleep(1000); // it listens by then
  const f = await w.run();
  await boss.offWork('waiting', { id });
  return f;
}

const figures = {
  ingest: () => pushed(jobs, async () => { await boss.insert(queue, many(1000)); return 1000; }),
  unique: () => pushed(jobs, async () => (await boss.insert('unique', many(1000).map((job, i) => ({ ...job, singletonKey: key(i) })), { returnId: true })).length),
  single: () => pushed(jobs, async () => { await boss.send(queue, payload); return 1; }),
  drain: () => drain(fetched, 60_000),
  held: () => drain(fetched, 60_000, true),
  one: () => drain(1, orders.each),
  pick: () => pick(orders.documents, 0),
  later: () => pick(orders.documents, orders.planned),
  empty: () => pick(0, orders.planned),
  wait,
};
for (const [name, measure] of Object.entries(figures)) {
  await pool.query('truncate ' + jobs);
  tell(name, await measure());
}
await boss.stop({ graceful: false });
await pool.end();
