import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export function makeMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: 'medianest_http_request_duration_seconds', help: 'How long requests took.', labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.025, 0.1, 0.5, 2.5, 10], registers,
    }),
    jobs: new Counter({ name: 'medianest_jobs_total', help: 'Jobs by their result.', labelNames: ['result'], registers }),
    sockets: new Gauge({ name: 'medianest_sockets', help: 'Clients connected for events.', registers }),
  };
}

export type Metrics = ReturnType<typeof makeMetrics>;

export function timed(metrics: Metrics): RequestHandler {
  return (request, response, next) => {
    const end = metrics.requests.startTimer();
    // The route, not the path: a label for each id would be a series for each.
    response.on('close', () => end({ method: request.method, route: request.route?.path ?? 'none', status: response.statusCode }));
    next();
  };
}

const digest = (text: string) => createHash('sha256').update(text).digest();

// Hashes are of one length and are compared in a time that tells nothing of the token.
export function metricsPage(metrics: Metrics, token: string): RequestHandler {
  const wanted = digest(`Bearer ${token}`);
  return async (request, response) => {
    if (!timingSafeEqual(digest(request.get('authorization') ?? ''), wanted)) {
      response.status(401).set('WWW-Authenticate', 'Bearer').json({ error: 'a token is needed' });
      return;
    }
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  };
}
