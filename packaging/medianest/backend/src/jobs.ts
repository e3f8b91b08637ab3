import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Log } from './log.js';
import type { Library } from './media.js';
import type { Metrics } from './metrics.js';
import type { Uploads } from './uploads.js';

const QUEUE = 'media';
// Everything that one backend does, every other hears: a browser is at one of them, the job may run at another.
const CHANNEL = 'medianest:described';

// BullMQ has connections of its own, with null so that a worker waits for Redis as long as it takes.
const connection = (url: string) => ({ url, maxRetriesPerRequest: null });

export class Jobs {
  private readonly queue: Queue;
  private readonly worker: Worker;
  private readonly publisher: Redis;
  private readonly subscriber: Redis;

  constructor(url: string, library: Library, uploads: Uploads, metrics: Metrics, log: Log) {
    const complain = (error: Error) => log.warn({ error: error.message }, 'redis');
    this.publisher = new Redis(url).on('error', complain);
    this.subscriber = new Redis(url).on('error', complain);
    this.queue = new Queue(QUEUE, { connection: connection(url) }).on('error', complain);
    this.worker = new Worker(QUEUE, async (job) => {
      const { bytes, sha256 } = await uploads.measure(job.data.id);
      const described = await library.describe(job.data.id, bytes, sha256);
      if (described) await this.publisher.publish(CHANNEL, JSON.stringify(described));
    }, { connection: connection(url), concurrency: 4 });
    this.worker.on('error', complain);
    this.worker.on('completed', () => metrics.jobs.inc({ result: 'completed' }));
    this.worker.on('failed', (job, error) => {
      metrics.jobs.inc({ result: 'failed' });
      log.error({ job: job?.id, error: error.message }, 'job failed');
    });
  }

  async describe(id: string): Promise<void> {
    await this.queue.add('describe', { id }, {
      attempts: 5, backoff: { type: 'exponential', delay: 500 }, removeOnComplete: 1000, removeOnFail: 1000,
    });
  }

  async onDescribed(hear: (media: string) => void): Promise<void> {
    this.subscriber.on('message', (_channel, message) => hear(message));
    await this.subscriber.subscribe(CHANNEL);
  }

  // A job that has begun is finished first.
  async close(): Promise<void> {
    await this.worker.close();
    await this.queue.close();
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }
}
