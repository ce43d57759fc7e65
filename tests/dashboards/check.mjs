// node check.mjs FOLDER: checks every board in the folder against the types in schema.ts. Says what does not fit, and exits with 1.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Ajv from 'ajv';
import { createGenerator } from 'ts-json-schema-generator';

// Names of types are not unique among the files of @grafana/schema, so that none is given to the outside.
const schemaOf = (type) => createGenerator({ path: 'schema.ts', type, skipTypeCheck: true, expose: 'none' }).createSchema(type);

const ajv = new Ajv({ allErrors: true, strict: false });
const board = schemaOf('Board');
// "TODO: this should just be a normal query target", says @grafana/schema: it is one, with the data source's own members.
const annotation = JSON.stringify(board).replace(/"matchAny":/g, '"query":{},"rawQuery":{},"fromAnnotations":{},"textColumn":{},"refId":{},"matchAny":');
const fitsBoard = ajv.compile(JSON.parse(annotation));
const fitsPanels = ajv.compile(schemaOf('Panels'));

const problems = [];
const check = (where, fits, value) => {
  if (!fits(value)) for (const { instancePath, message, params } of fits.errors) problems.push(`${where}${instancePath} ${message} ${JSON.stringify(params)}`);
};

const folder = process.argv[2];
const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
for (const file of files) {
  const content = JSON.parse(readFileSync(join(folder, file), 'utf8'));
  check(file, fitsBoard, content);
  for (const panel of content.panels.filter(({ type }) => type !== 'row')) {
    check(`${file}: ${panel.title}: `, fitsPanels, { [panel.type]: { options: panel.options, custom: panel.fieldConfig.defaults.custom } });
  }
}
for (const problem of problems) console.error(problem);
console.log(`${files.length} boards, ${problems.length} problems`);
process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0;
