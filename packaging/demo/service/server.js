'use strict';
// A small Express service. It knows nothing of nest-init: what is refused below is refused by the container's PID 1.

const { execFile } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs/promises');
const { setTimeout: sleep } = require('node:timers/promises');
const express = require('express');
const prometheus = require('prom-client');

const PORT = Number(process.env.PORT ?? 4000);
const LONGEST_SLOW_MS = 30_000;

const log = (level, msg, fields = {}) =>
  process.stdout.write(JSON.stringify({ time: new Date().toISOString(), level, msg, ...fields }) + '\n');

prometheus.collectDefaultMetrics();
const requests = new prometheus.Counter({
  name: 'http_requests_total',
  help: 'Requests answered, by route and status.',
  labelNames: ['route', 'status'],
});

const app = express();
app.disable('x-powered-by');

app.use((req, res, next) => {
  const begin = process.hrtime.bigint();
  res.on('finish', () => {
    const route = req.route?.path ?? 'none';
    const ms = Number(process.hrtime.bigint() - begin) / 1e6;
    requests.inc({ route, status: res.statusCode });
    if (route !== '/api/health' && route !== '/metrics') // a line for every probe would bury the rest
      log('info', 'request', { method: req.method, route, status: res.statusCode, ms: Math.round(ms) });
  });
  next();
});

app.get('/', (req, res) => res.json({ service: 'nest-init-demo', pid: process.pid, uid: process.getuid() }));

app.get('/api/health', (req, res) => res.json({ status: 'ok', uptime: process.uptime() }));

app.get('/metrics', async (req, res) => {
  res.type(prometheus.register.contentType).send(await prometheus.register.metrics());
});

app.get('/slow', async (req, res) => {
  const ms = Math.min(Math.max(Number(req.query.ms) || 0, 0), LONGEST_SLOW_MS);
  log('info', 'slow request begins', { ms });
  await sleep(ms);
  res.json({ slept: ms });
});

// What a bug in a path check lets an attacker do: append to any file. An empty append leaves a file as it was.
app.post('/write', async (req, res) => {
  const path = String(req.query.path ?? '');
  try {
    await fs.appendFile(path, '');
    res.status(201).json({ path, written: true });
  } catch (err) {
    res.status(403).json({ path, error: err.code });
  }
});

// What a bug in an argument check lets an attacker do: run a program of the image. Node alone has no way to ask for
// a namespace; util-linux's unshare does it with one system call and needs no privilege for a user namespace.
app.post('/unshare', (req, res) => {
  execFile('/usr/bin/unshare', ['--user', process.execPath, '--version'], (err, stdout, stderr) => {
    if (err) res.status(403).json({ status: err.code, stderr: stderr.trim() });
    else res.json({ status: 0, stdout: stdout.trim() });
  });
});

const server = app.listen(PORT, (err) => {
  if (err) { // Express 5 hands listen's errors to its callback
    log('error', 'cannot listen', { port: PORT, code: err.code });
    process.exit(1);
  }
  log('info', 'listening', { port: PORT, pid: process.pid, uid: process.getuid() });
});

process.once('SIGTERM', async () => {
  log('info', 'SIGTERM: no new connection; requests in flight finish');
  server.close();
  server.closeIdleConnections(); // Node 18 leaves them to their keep-alive timeout
  await once(server, 'close');
  log('info', 'closed');
  process.exitCode = 0;
});
