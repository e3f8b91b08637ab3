// What the figure http asks: the least server of Node's own http, at the port of its argument. One record on stdout when it listens, as the workload
// has it; the end of stdin is its end.
const fs = require('fs');
const http = require('http');

const server = http.createServer((request, response) => response.end('hello\n'));
server.keepAliveTimeout = 60000; // it waits for its turn
server.listen(Number(process.argv[2]), '127.0.0.1', () => {
  const record = Buffer.alloc(8);
  record.writeBigInt64LE(process.hrtime.bigint());
  fs.writeSync(1, record);
});
process.stdin.on('end', () => process.exit(0)).resume();
