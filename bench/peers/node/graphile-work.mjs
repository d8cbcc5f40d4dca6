// One process of graphile-worker's: it works when it is told to, says when its first job came, and stops when it is told to.
import { Logger, run } from 'graphile-worker';

const worker = JSON.parse(process.argv[2]);
let runner;
let first = true;
process.on('message', async (word) => {
  if (word === 'go') {
    runner = await run({
      preset: { worker: { ...worker, connectionString: process.env.DATABASE_URL, logger: new Logger(() => () => {}) } },
      noHandleSignals: true,
      taskList: {
        bench() {
          if (first) process.send('working');
          first = false;
        },
      },
    });
    return;
  }
  await runner.stop();
  process.exit(0);
});
process.send('ready');
