'use strict';
// A service as MediaNest's backend is: prom-client's page on /metrics, behind a bearer token where TOKEN is set.
// FORMAT=openmetrics: the same with exemplars.

const http = require('node:http');
const prometheus = require('prom-client');

const openmetrics = process.env.FORMAT === 'openmetrics';
const register = new prometheus.Registry(
  openmetrics ? prometheus.Registry.OPENMETRICS_CONTENT_TYPE : prometheus.Registry.PROMETHEUS_CONTENT_TYPE);
const common = { registers: [register], enableExemplars: openmetrics };

prometheus.collectDefaultMetrics({ register });
const requests = new prometheus.Counter({ name: 'http_requests_total', help: 'Requests, "quoted" \\ and\nbroken.',
  labelNames: ['route'], ...common });
const duration = new prometheus.Histogram({ name: 'http_request_duration_seconds', help: 'How long.',
  buckets: [0.1, 1, 10], labelNames: ['route'], ...common });
new prometheus.Summary({ name: 'queue_seconds', help: 'How long in the queue.', percentiles: [0.5, 0.99],
  registers: [register] }).observe(2);
new prometheus.Gauge({ name: 'jobs', help: 'Now.', registers: [register] }).set(3);
new prometheus.Counter({ name: 'jobs_total', help: 'Ever.', registers: [register] }).inc(7);

const labels = { route: '/a "b" \\ c\nd ä 🐢' };
if (openmetrics) {
  requests.inc({ labels, value: 1, exemplarLabels: { trace_id: 'abc' } });
  duration.observe({ labels, value: 0.5, exemplarLabels: { trace_id: 'def' } });
} else {
  requests.inc(labels);
  duration.observe(labels, 0.5);
}

http.createServer(async (req, res) => {
  if (process.env.TOKEN && req.headers.authorization !== `Bearer ${process.env.TOKEN}`) {
    res.writeHead(401).end();
    return;
  }
  res.setHeader('Content-Type', register.contentType);
  res.end(await register.metrics());
}).listen(Number(process.env.PORT), '127.0.0.1');
