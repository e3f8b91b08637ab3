// hcl.cjs NODE_MODULES: standard input, which is HCL, as JSON, read by HashiCorp's own parser. What is no HCL is told with its
// place, and status 1.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { parse } = createRequire(process.argv[2])('@cdktf/hcl2json');

parse('standard input', readFileSync(0, 'utf8'))
  .then((read) => console.log(JSON.stringify(read)))
  .catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
