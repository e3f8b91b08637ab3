'use strict';
// A migration: it fails while there is no database, and would fail where it has run before.

const { appendFileSync } = require('node:fs');
const { Client } = require('pg');

async function migrate() {
  appendFileSync(process.env.TRIES, 'x');
  const client = new Client();
  await client.connect();
  await client.query('CREATE TABLE visits (path text NOT NULL)');
  await client.query("INSERT INTO visits VALUES ('of the migration')");
  await client.end();
  console.log('migrated');
}

migrate().catch((error) => {
  console.error(`migrate: ${error.code ?? error.message}`);
  process.exit(1);
});
