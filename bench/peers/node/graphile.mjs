// Measures graphile-worker: batched add_jobs, a local queue and batched completion where it is to be fast.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
// The package exports neither: a pick is timed by the very query that its workers make.
import { getUtilsAndReleasersFromOptions } from '../node_modules/graphile-worker/dist/lib.js';
import { batchGetJobs } from '../node_modules/graphile-worker/dist/sql/getJobs.js';
import { hold, measureWait, orders, payload, pool, pushed, repeat, sleep, tell, url } from './common.mjs';

const logger = new Logger(() => () => {});
const jobs = 'graphile_worker._private_jobs';
const utils = await makeWorkerUtils({ connectionString: url, maxPoolSize: 8, logger });
await utils.migrate();

const many = (n, at) => Array.from({ length: n }, (_, i) => (
  { identifier: 'bench', payload, ...(at ? { runAt: new Date(at + i * 1000) } : {}) }));

let calls = 0;
const key = (i) => `https://bench.example/${i === 0 ? ++calls : calls}/${i}`;

async function fill(due, later) {
  const put = async (n, at) => {
    for (let left = n; left > 0; left -= 5000) await utils.addJobs(many(Math.min(left, 5000), at));
  };
  await put(due);
  await put(later, Date.now() + 86_400_000);
  await pool.query(`vacuum (analyze) ${jobs}`);
}

// drain lets processes of their own work until nothing is left or the time is up. It counts from the first job on.
async function drain(processes, preset, ms, old) {
  await fill(orders.documents, 0);
  const release = old ? await hold() : () => {};
  const children = Array.from({ length: processes }, () => fork(fileURLToPath(new URL('graphile-work.mjs', import.meta.url)), [JSON.stringify(preset)], { env: process.env }));
  await Promise.all(children.map((c) => new Promise((ready) => c.once('message', ready))));
  let began = 0;
  for (const c of children) {
    c.on('message', () => { began ||= performance.now(); });
    c.send('go');
  }
  let left = orders.documents;
  for (const from = performance.now(); left > 0 && performance.now() - from < ms; ) {
    await sleep(20);
    const { rows } = await pool.query(`select exists (select from ${jobs}) as some`);
    if (!rows[0].some) left = 0;
  }
  const took = (performance.now() - began) / 1000;
  if (left > 0) left = Number((await pool.query(`select count(*) from ${jobs}`)).rows[0].count);
  await Promise.all(children.map((c) => new Promise((ended) => { c.once('exit', ended); c.send('stop'); })));
  await release();
  return { rate: (orders.documents - left) / took };
}

// Two processes; measured against one, half and twice of each number, and a completion that waits for 20 ms.
const fast = { concurrentJobs: 50, maxPoolSize: 6, pollInterval: 100, localQueue: { size: 1000 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };

// pick is the query by which a worker fetches one job.
async function pick(due, later) {
  await fill(due, later);
  const [options, release] = await getUtilsAndReleasersFromOptions({ connectionString: url, maxPoolSize: 1, logger, taskList: { bench() {} } });
  const tasks = { bench() {} };
  const f = await repeat(1, orders.each, async () => {
    const found = await batchGetJobs(options, options.withPgClient, tasks, 'bench', null, 1);
    if (found.length !== Math.min(due, 1)) throw new Error(`a pick brought ${found.length} jobs`);
    return 1;
  });
  await release();
  return f;
}

async function wait() {
  const w = await measureWait(() => utils.addJob('bench', payload));
  const runner = await run({ connectionString: url, concurrency: 1, logger, noHandleSignals: true, taskList: { bench() { w.arrive(); } } });
  await sleep(1000); // it listens by then
  const f = await w.run();
  await runner.stop();
  return f;
}

const figures = {
  ingest: () => pushed(jobs, async () => (await utils.addJobs(many(1000))).length),
  unique: () => pushed(jobs, async () => (await utils.addJobs(many(1000).map((job, i) => ({ ...job, jobKey: key(i) })))).length),
  single: () => pushed(jobs, async () => { await utils.addJob('bench', payload); return 1; }),
  drain: () => drain(2, fast, 60_000),
  held: () => drain(2, fast, 60_000, true),
  one: () => drain(1, { concurrentJobs: 8, maxPoolSize: 10, pollInterval: 100 }, orders.each),
  pick: () => pick(orders.documents, 0),
  later: () => pick(orders.documents, orders.planned),
  empty: () => pick(0, orders.planned),
  wait,
};
for (const [name, measure] of Object.entries(figures)) {
  await pool.query(`truncate ${jobs}`);
  tell(name, await measure());
}
await utils.release();
await pool.end();
