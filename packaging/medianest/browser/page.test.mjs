// The frontend as a browser shows it. The library is answered by a server of the test's own, and once by nobody.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createListener } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const FRONTEND = process.env.FRONTEND ?? '/app/frontend-production/server.js';
const BROWSER = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium-browser', '/usr/bin/chromium'].find(existsSync);
// A container without user namespaces has no room for the browser's own sandbox, and nothing foreign is visited.
const OPTIONS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update', '--disable-quic'];
const library = [{ id: '1', title: 'Metropolis', kind: 'film', bytes: '42' }, { id: '2', title: '<b>Dune</b>', kind: 'book', bytes: null }];

const backend = createServer((request, response) => {
  response.setHeader('Content-Type', 'application/json').end(JSON.stringify(library));
});
let frontend;
let address;

async function freePort() {
  const listener = createListener().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  return port;
}

async function shown() {
  const profile = await mkdtemp(join(tmpdir(), 'browser-'));
  try {
    const { stdout } = await promisify(execFile)(BROWSER, [...OPTIONS, `--user-data-dir=${profile}`, '--dump-dom', address],
      { timeout: 120_000 });
    return stdout;
  } finally {
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

before(async () => {
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const port = await freePort();
  address = `http://127.0.0.1:${port}/`;
  frontend = spawn(process.execPath, [FRONTEND], {
    stdio: 'inherit',
    env: { ...process.env, NODE_ENV: 'production', HOSTNAME: '127.0.0.1', PORT: port, BACKEND_URL: `http://127.0.0.1:${backend.address().port}` },
  });
  while (!await fetch(`${address}api/health`).then((answer) => answer.ok, () => false)) {
    assert.equal(frontend.exitCode, null, 'the frontend has ended');
    await pause(100);
  }
});

after(async () => {
  frontend.kill();
  await once(frontend, 'exit');
});

test('the library is shown, and its titles are text', async () => {
  const page = await shown();
  assert.match(page, /<h1>MediaNest<\/h1>/);
  assert.match(page, /<td>Metropolis<\/td><td>film<\/td><td>42<\/td>/);
  assert.match(page, /<td>&lt;b&gt;Dune&lt;\/b&gt;<\/td><td>book<\/td><td>not yet known<\/td>/);
});

test('without a backend the page says so', async () => {
  backend.closeAllConnections();
  await new Promise((resolve) => backend.close(resolve));
  assert.match(await shown(), /The library does not answer at the moment/);
});
