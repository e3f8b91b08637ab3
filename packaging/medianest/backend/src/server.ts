import { createServer } from 'node:http';
import pg from 'pg';
import { Server as Events } from 'socket.io';
import { makeApp } from './app.js';
import { readConfig } from './config.js';
import { Jobs } from './jobs.js';
import { openLog } from './log.js';
import { Library } from './media.js';
import { makeMetrics } from './metrics.js';
import { Uploads } from './uploads.js';

const config = readConfig();
const log = openLog(config);
const metrics = makeMetrics();
const pool = new pg.Pool({ connectionString: config.databaseUrl, max: 10, connectionTimeoutMillis: 5000 });
pool.on('error', (error) => log.warn({ error: error.message }, 'database')); // an idle connection was cut
const library = new Library(pool);
const uploads = new Uploads(config.uploads);
await uploads.prepare();
const jobs = new Jobs(config.redisUrl, library, uploads, metrics, log);
const server = createServer(makeApp(config, library, uploads, jobs, metrics, log));
const events = new Events(server, { serveClient: false });
events.on('connection', (socket) => {
  metrics.sockets.inc();
  socket.on('disconnect', () => metrics.sockets.dec());
});
await jobs.onDescribed((medium) => events.emit('described', JSON.parse(medium)));

// What has begun is finished, and then we leave. There is no timer here: a request that never ends is the deadline of PID 1,
// which is inside the engine's own and counts from the signal, not from when we come to arm something.
async function leave(signal: NodeJS.Signals) {
  log.info({ signal }, 'stopping');
  events.disconnectSockets(true); // a browser comes back by itself, to somebody who stays
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await closed;
  await jobs.close();
  await pool.end();
  log.info('stopped');
  log.flush(() => process.exit(0));
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, leave);
server.listen(config.port, config.host, () => log.info({ port: config.port }, 'listening'));
