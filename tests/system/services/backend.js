'use strict';
// A backend that lives on its database, and at TERM finishes what it has begun.

const express = require('express');
const { Pool } = require('pg');

const pool = new Pool();
pool.on('error', (error) => console.error(`database: ${error.code ?? error.message}`)); // an idle connection was cut
const app = express();

app.get('/visits', async (request, response) => {
  const { rows } = await pool.query('SELECT count(*)::int AS visits FROM visits');
  response.json(rows[0]);
});

// As long as the database takes; it is asked again behind that.
app.get('/slow', async (request, response) => {
  console.log('slow begins');
  await pool.query('SELECT pg_sleep(1)');
  await pool.query("INSERT INTO visits VALUES ('slow')");
  const { rows } = await pool.query('SELECT count(*)::int AS visits FROM visits');
  response.json(rows[0]);
  console.log('slow ends');
});

const server = app.listen(4000, '127.0.0.1', () => console.log('backend listens'));

process.on('SIGTERM', () => {
  server.close(async () => {
    await pool.end();
    console.log('backend leaves');
    process.exit(0);
  });
  server.closeIdleConnections();
});
