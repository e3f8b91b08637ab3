import { setTimeout as pause } from 'node:timers/promises';
import express from 'express';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import { rateLimit } from 'express-rate-limit';
import { jwtVerify } from 'jose';
import type { Config } from './config.js';
import type { Jobs } from './jobs.js';
import type { Log } from './log.js';
import { kinds, type Library } from './media.js';
import { metricsPage, timed, type Metrics } from './metrics.js';
import type { Uploads } from './uploads.js';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LONGEST_EXPORT = 600; // seconds

class Refused extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

function signedIn(secret: Uint8Array): RequestHandler {
  return async (request, _response, next) => {
    const [, token] = /^Bearer (\S+)$/.exec(request.get('authorization') ?? '') ?? [];
    try {
      await jwtVerify(token ?? '', secret, { algorithms: ['HS256'] });
    } catch {
      throw new Refused(401, 'a valid token is needed');
    }
    next();
  };
}

function idOf(text: unknown): string {
  if (typeof text !== 'string' || !UUID.test(text)) throw new Refused(404, 'no such medium');
  return text;
}

// The library, a line for each medium, spread over as many seconds as the client asks for: a backup takes its time so that the
// others do not wait for the database. It is the request that is still under way when a container is told to stop.
function exportMedia(library: Library, log: Log): RequestHandler {
  return async (request, response) => {
    const seconds = Number(request.query.seconds ?? 0);
    if (!(seconds >= 0 && seconds <= LONGEST_EXPORT)) throw new Refused(400, `seconds are 0 to ${LONGEST_EXPORT}`);
    const end = Date.now() + seconds * 1000;
    response.type('application/x-ndjson');
    response.flushHeaders();
    log.info({ seconds }, 'export begins');
    const media = await library.list();
    for (const [index, medium] of media.entries()) {
      if (response.destroyed) return;
      response.write(JSON.stringify(medium) + '\n');
      await pause(Math.max(0, end - Date.now()) / (media.length - index));
    }
    await pause(Math.max(0, end - Date.now()));
    response.end(JSON.stringify({ exported: media.length }) + '\n');
    log.info({ media: media.length }, 'export ends');
  };
}

function api(config: Config, library: Library, uploads: Uploads, jobs: Jobs, log: Log) {
  const router = express.Router();
  const signed = signedIn(config.jwtSecret);
  if (config.rateLimit > 0) {
    router.use(rateLimit({ windowMs: 15 * 60 * 1000, limit: config.rateLimit, standardHeaders: 'draft-8', legacyHeaders: false }));
  }
  router.get('/health', (_request, response) => {
    response.json({ status: 'ok', uptime: Math.round(process.uptime()) });
  });
  router.get('/media', async (_request, response) => {
    response.json(await library.list());
  });
  router.get('/media/export', exportMedia(library, log));
  router.get('/media/:id', async (request, response) => {
    const medium = await library.find(idOf(request.params.id));
    if (!medium) throw new Refused(404, 'no such medium');
    response.json(medium);
  });
  router.post('/media', signed, express.json({ limit: '64kb' }), async (request, response) => {
    const { title, kind } = request.body ?? {};
    if (typeof title !== 'string' || title === '' || !kinds.includes(kind)) {
      throw new Refused(400, `a medium has a title and a kind, one of ${kinds.join(', ')}`);
    }
    const medium = await library.add(title, kind);
    await jobs.describe(medium.id);
    response.status(201).json(medium);
  });
  router.put('/media/:id/file', signed, async (request, response) => {
    const id = idOf(request.params.id);
    if (!await library.find(id)) throw new Refused(404, 'no such medium');
    await uploads.store(id, request);
    await jobs.describe(id);
    response.status(202).json({ id });
  });
  return router;
}

export function makeApp(config: Config, library: Library, uploads: Uploads, jobs: Jobs, metrics: Metrics, log: Log) {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', 1); // one proxy before us: whom the limit counts is whom nginx names
  app.use(timed(metrics));
  app.get('/metrics', metricsPage(metrics, config.metricsToken));
  app.use('/api', api(config, library, uploads, jobs, log));
  app.use(() => {
    throw new Refused(404, 'no such page');
  });
  const failed: ErrorRequestHandler = (error, _request, response, _next) => {
    const status = error.status ?? 500;
    if (status >= 500) log.error({ error: error.message }, 'request failed');
    if (response.headersSent) response.destroy();
    else response.status(status).json({ error: status >= 500 ? 'something went wrong here' : error.message });
  };
  app.use(failed);
  return app;
}
