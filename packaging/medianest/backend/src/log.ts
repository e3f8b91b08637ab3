import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Config } from './config.js';

// To standard output for the engine, and to a file that the operators of one machine read.
export function openLog(config: Config) {
  mkdirSync(config.logs, { recursive: true });
  const streams = [
    { level: 'trace' as const, stream: process.stdout },
    { level: 'trace' as const, stream: pino.destination({ dest: join(config.logs, 'backend.log'), sync: false }) },
  ];
  return pino({
    level: config.logLevel, base: { service: 'backend' }, messageKey: 'message', timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  }, pino.multistream(streams));
}

export type Log = ReturnType<typeof openLog>;
