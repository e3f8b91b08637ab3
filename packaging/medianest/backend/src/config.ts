// What the environment says. Nothing is guessed where that would be worse than not to start.

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

function count(name: string, otherwise: number): number {
  const value = process.env[name];
  if (!value) return otherwise;
  if (!/^[0-9]{1,9}$/.test(value)) throw new Error(`${name}=${value} is no number`);
  return Number(value);
}

export const databaseUrl = () => required('DATABASE_URL');

export function readConfig() {
  return {
    databaseUrl: databaseUrl(),
    redisUrl: required('REDIS_URL'),
    jwtSecret: new TextEncoder().encode(required('JWT_SECRET')),
    metricsToken: required('METRICS_TOKEN'),
    port: count('PORT', 4000),
    host: process.env.HOST || '0.0.0.0',
    uploads: process.env.UPLOADS || 'uploads',
    logs: process.env.LOGS || 'logs',
    logLevel: process.env.LOG_LEVEL || 'info',
    // Requests of one address in fifteen minutes; 0 is no limit.
    rateLimit: count('RATE_LIMIT', 100),
  };
}

export type Config = ReturnType<typeof readConfig>;
