'use strict';
// Reads an array of OTLP/HTTP JSON bodies from standard input by OpenTelemetry's own protobuf (otlp-transformer, generated
// from opentelemetry-proto), and prints what it has understood. A name that the schema has not, or a value of another
// type, does not come back from a turn through the wire format: then this ends with an error.

const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const root = require('@opentelemetry/otlp-transformer/build/src/generated/root');

const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
const ids = { traceId: 32, spanId: 16, parentSpanId: 16 };

// Ids are hexadecimal in OTLP's JSON, where protobuf's own has base64: the one difference of the two.
function eachId(request, change) {
  for (const { scopeSpans } of request.resourceSpans)
    for (const { spans } of scopeSpans)
      for (const span of spans)
        for (const name of Object.keys(ids))
          if (name in span)
            span[name] = change(span[name], ids[name]);
  return request;
}

function decode(body) {
  const said = JSON.parse(body);
  const typed = eachId(JSON.parse(body), (text, length) => {
    assert.match(text, new RegExp(`^[0-9a-f]{${length}}$`));
    return Buffer.from(text, 'hex');
  });
  const read = Request.decode(Request.encode(Request.fromObject(typed)).finish());
  const understood = eachId(Request.toObject(read, { longs: String }), (bytes) => Buffer.from(bytes).toString('hex'));
  assert.deepStrictEqual(understood, said);
  return understood;
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(decode)));
