const eslint = require('@eslint/js');
const a11y = require('eslint-plugin-jsx-a11y');
const hooks = require('eslint-plugin-react-hooks');
const typescript = require('typescript-eslint');

const untranslated = require('./eslint.untranslated.js');

module.exports = typescript.config(
  { ignores: ['lib/', 'node_modules/', 'eslint.*.js', 'vitest.config.mts'] },
  eslint.configs.recommended,
  ...typescript.configs.recommendedTypeChecked,
  a11y.flatConfigs.recommended,
  {
    plugins: { 'react-hooks': hooks },
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './tests/tsconfig.json'] } },
    rules: {
      ...hooks.configs.recommended.rules,
      eqeqeq: ['error', 'always'],
      'no-console': ['error', { allow: ['warn', 'error'] }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_' }],
      '@typescript-eslint/naming-convention': [
        'error',
        {
          selector: 'interface',
          format: ['PascalCase'],
          custom: { regex: '^I[A-Z]', match: true }
        }
      ],
      // Lumino's signals take the object that the method belongs to as a second argument.
      '@typescript-eslint/unbound-method': 'off',
      // An interface may ask for a promise where this side has nothing to wait for.
      '@typescript-eslint/require-await': 'off',
      // Escape closes a form, wherever in it the keyboard is.
      'jsx-a11y/no-noninteractive-element-interactions': [
        'error',
        { handlers: ['onClick', 'onMouseDown', 'onMouseUp', 'onKeyDown'], form: ['onKeyDown'] }
      ],
      // A region that scrolls has to be reached by the keyboard: axe's rule scrollable-region-focusable.
      'jsx-a11y/no-noninteractive-tabindex': [
        'error',
        { tags: [], roles: ['tabpanel', 'region', 'log'], allowExpressionValues: true }
      ]
    }
  },
  {
    files: ['src/**'],
    rules: { 'no-restricted-syntax': ['error', ...untranslated] }
  },
  {
    // The generator has its own names.
    files: ['src/generated/**'],
    rules: { '@typescript-eslint/naming-convention': 'off' }
  },
  {
    // Node runs them as they are; no tsconfig has them.
    files: ['scripts/**'],
    extends: [typescript.configs.disableTypeChecked],
    languageOptions: { globals: { URL: 'readonly' } },
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' }
  },
  {
    files: ['tests/**'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'off' }
  }
);
