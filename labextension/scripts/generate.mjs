/**
 * Writes src/generated/api.ts, the types of the server's requests, answers and events, from docs/openapi.json.
 *
 * With --check it writes nothing, and fails if the file is not what the document says.
 */
import { readFile, writeFile } from 'node:fs/promises';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import openapiTS, { astToString } from 'openapi-typescript';
import prettier from 'prettier';
import ts from 'typescript';

const SOURCE = new URL('../../docs/openapi.json', import.meta.url);
const TARGET = new URL('../src/generated/api.ts', import.meta.url);
const HEADER = `/**
 * The types of requests, answers and events, as docs/openapi.json describes them.
 *
 * Made by \`npm run generate\`; do not edit.
 */
`;

/** TypeScript knows a type that holds itself in a list only by an alias. */
const JSON_TYPE = `/** Any value that JSON knows. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };`;

/** Give each stream a schema with its events by name: OpenAPI 3.1 has no other place for them than \`x-events\`. */
function withEvents(document) {
  const operations = Object.values(document.paths).flatMap(path => Object.values(path));
  for (const stream of operations.flatMap(operation =>
    Object.values(operation.responses).map(response => response.content?.['text/event-stream'])
  )) {
    if (stream) {
      const { 'x-events': properties } = stream;
      stream.schema = { type: 'object', properties, required: Object.keys(properties) };
      delete stream['x-events'];
    }
  }
  return document;
}

const document = withEvents(JSON.parse(await readFile(SOURCE, 'utf-8')));
const nodes = await openapiTS(document, {
  exportType: true,
  immutable: true,
  // What has a default may be left out of a request; of an answer the document says what is always there.
  defaultNonNullable: false,
  inject: JSON_TYPE,
  transform: (_, { path }) =>
    path === '#/components/schemas/Json' ? ts.factory.createTypeReferenceNode('Json') : undefined
});
const path = fileURLToPath(TARGET);
const options = await prettier.resolveConfig(path);
const made = await prettier.format(HEADER + astToString(nodes), { ...options, filepath: path });

if (!process.argv.includes('--check')) {
  await writeFile(TARGET, made);
} else if ((await readFile(TARGET, 'utf-8').catch(() => '')) !== made) {
  process.stderr.write(
    'labextension/src/generated/api.ts is not what docs/openapi.json says.\n' +
      'Write it anew: cd labextension && npm run generate\n'
  );
  process.exitCode = 1;
}
