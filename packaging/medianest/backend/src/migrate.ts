// Brings the database to where the files in migrations/ say, each file once and whole, in the order of their names.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { databaseUrl } from './config.js';

const LOCK = 0x6d6e; // of who migrates: several containers may start at once

interface Migration {
  name: string;
  sql: string;
  sha256: string;
}

async function readMigrations(directory: string): Promise<Migration[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(names.map(async (name) => {
    const sql = await readFile(join(directory, name), 'utf8');
    return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
  }));
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)', [migration.name, migration.sha256]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw new Error(`${migration.name}: ${(error as Error).message}`);
  }
}

async function migrate(client: pg.Client, migrations: Migration[]): Promise<string[]> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]); // gone with the connection
  await client.query(`CREATE TABLE IF NOT EXISTS schema_migrations
    (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`);
  const { rows } = await client.query('SELECT name, sha256 FROM schema_migrations');
  const known = new Map<string, string>(rows.map(({ name, sha256 }) => [name, sha256]));
  const applied: string[] = [];
  for (const migration of migrations) {
    const before = known.get(migration.name);
    if (before === undefined) {
      await apply(client, migration);
      applied.push(migration.name);
    } else if (before !== migration.sha256) {
      throw new Error(`${migration.name} is not what was applied by that name: add a new file instead`);
    }
  }
  return applied;
}

const say = (level: string, message: string, more = {}) => console.log(JSON.stringify({ level, service: 'migrate', message, ...more }));
const client = new pg.Client({ connectionString: databaseUrl(), connectionTimeoutMillis: 5000 });
try {
  const migrations = await readMigrations(process.argv[2] ?? 'migrations');
  await client.connect();
  const applied = await migrate(client, migrations);
  say('info', 'migrated', { applied, known: migrations.length });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  say('error', message || String(code));
  process.exitCode = 1;
} finally {
  await client.end().catch(() => {});
}
