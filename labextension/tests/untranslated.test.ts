import { Linter } from 'eslint';
import { expect, it } from 'vitest';
import { parser } from 'typescript-eslint';

import untranslated from '../eslint.untranslated.js';

function linted(code: string): string[] {
  const messages = new Linter().verify(
    code,
    {
      files: ['**/*.tsx'],
      languageOptions: { parser, parserOptions: { ecmaFeatures: { jsx: true } } },
      rules: { 'no-restricted-syntax': ['error', ...untranslated] }
    },
    'part.tsx'
  );
  return messages.map(each => each.message);
}

it.each([
  'const a = <p>A text</p>;',
  "const a = <p>{'A text'}</p>;",
  "const a = <>{b ? '' : 'A text'}</>;",
  "const a = <>{b && 'A text'}</>;",
  "const a = <>{b ? c : d ? 'A text' : ''}</>;",
  'const a = <p>{`A text: ${b}`}</p>;',
  'const a = <p title="A text" />;',
  "const a = <p aria-label={b ? 'A text' : trans.__('Another')} />;",
  'const a = <input placeholder={`A text: ${b}`} />;',
  "host.notify('A text', 'error');",
  'model.host.confirm(`A text: ${b}`, trans.__("Another"), c);',
  "Notification.info('A text');",
  "commands.addCommand(id, { label: 'A text' });"
])('the rule finds %s', code => {
  expect(linted(code)).toEqual(['Translate it: trans.__(text).']);
});

it.each([
  "const a = <p className=\"b\" title={trans.__('A text')}>{trans.__('A text')} · {b}</p>;",
  "const a = <>{b === 'c' ? ` · ${d}` : null}</>;",
  "host.notify(trans.__('A text'), 'error');"
])('the rule passes %s', code => {
  expect(linted(code)).toEqual([]);
});
