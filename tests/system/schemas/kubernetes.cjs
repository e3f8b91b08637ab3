// kubernetes.cjs NODE_MODULES: standard input, a JSON array of Kubernetes objects, against what is published of them. Each by
// the JSON Schema of its kind (patterns, enumerations, ranges), and all by TypeScript's types, which refuse a field that is not
// there. A line for each thing that is wrong, and status 1.
const { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const MODULES = process.argv[2];
const load = createRequire(MODULES);
const ts = load('typescript');

const packageOf = (group) => (group === 'monitoring.coreos.com' ? '@kubernetes-models/prometheus-operator' : 'kubernetes-models');

// apps/v1 is a module of that name, v1 is the core group.
const moduleOf = (object) => `${packageOf(object.apiVersion.split('/')[0])}/${object.apiVersion}`;

function byTheSchema(object) {
  try {
    new (load(moduleOf(object))[object.kind])(object).validate();
    return [];
  } catch (error) {
    return [`${object.kind} ${object.metadata.name}: ${error.message}`];
  }
}

function byTheTypes(objects) {
  const directory = mkdtempSync(join(tmpdir(), 'nest-types-'));
  try {
    symlinkSync(MODULES, join(directory, 'node_modules'));
    const text = objects.map((object, i) => `import { I${object.kind} as T${i} } from '${moduleOf(object)}/${object.kind}';
      export const o${i}: T${i} = ${JSON.stringify(object)};`);
    const file = join(directory, 'objects.ts');
    writeFileSync(file, text.join('\n'));
    const program = ts.createProgram([file], { noEmit: true, strict: true, skipLibCheck: true, types: [], lib: ['lib.es2020.d.ts'],
      module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, preserveSymlinks: true });
    return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const objects = JSON.parse(readFileSync(0, 'utf8'));
const wrong = [...objects.flatMap(byTheSchema), ...byTheTypes(objects)];
for (const line of wrong) console.log(line);
process.exitCode = wrong.length ? 1 : 0;
