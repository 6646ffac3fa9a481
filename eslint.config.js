import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Time, chance and the process come in through ports, so that whole swarms run in virtual time. */
const viaPort = 'comes in through a port (daemon/ports); only daemon/io and the entries touch the real one'

const noEnums = {
  selector: 'TSEnumDeclaration',
  message: 'No enums: a union of strings says the same and vanishes.',
}

const outsideWorld = {
  'no-restricted-globals': [
    'error',
    ...[
      'setTimeout',
      'clearTimeout',
      'setInterval',
      'clearInterval',
      'setImmediate',
      'clearImmediate',
      'performance',
      'process',
      'fetch',
      'crypto',
      'globalThis',
      'global',
    ].map((name) => ({ name, message: `${name} ${viaPort}.` })),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: `Time ${viaPort}.` },
    { object: 'Math', property: 'random', message: `Chance ${viaPort}.` },
  ],
  'no-restricted-syntax': [
    'error',
    noEnums,
    { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: `Time ${viaPort}.` },
    { selector: "CallExpression[callee.name='Date']", message: `Time ${viaPort}.` },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        ...['node:timers', 'node:timers/promises', 'node:process', 'node:perf_hooks'].map((name) => ({
          name,
          message: `It ${viaPort}.`,
        })),
        ...['randomBytes', 'randomInt', 'randomUUID', 'randomFillSync', 'getRandomValues'].map(
          (importName) => ({
            name: 'node:crypto',
            importNames: [importName],
            message: `Chance ${viaPort}.`,
          }),
        ),
      ],
    },
  ],
}

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'test/support/stubs/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    // What the compiler does not already tell.
    rules: {
      'for-direction': 'error',
      'no-async-promise-executor': 'error',
      'no-constant-binary-expression': 'error',
      'no-debugger': 'error',
      'no-dupe-else-if': 'error',
      'no-duplicate-case': 'error',
      'no-empty': 'error',
      'no-fallthrough': 'error',
      'no-irregular-whitespace': 'error',
      'no-loss-of-precision': 'error',
      'no-misleading-character-class': 'error',
      'no-prototype-builtins': 'error',
      'no-self-assign': 'error',
      'no-self-compare': 'error',
      'no-unsafe-finally': 'error',
      'no-unsafe-optional-chaining': 'error',
      'no-useless-escape': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'use-isnan': 'error',
    },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ['vitest.config.ts'] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // It takes a flavoured number (shared/units.ts) for an object.
      '@typescript-eslint/no-unsafe-unary-minus': 'off',
      // Implementations of an asynchronous port need no await of their own.
      '@typescript-eslint/require-await': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'TSEnumDeclaration',
          message: 'No enums: a union of strings says the same and vanishes.',
        },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
    },
  },
  {
    name: 'the brain sees time, chance and the process through ports only',
    files: ['daemon/**/*.ts', 'shared/**/*.ts'],
    ignores: [
      'daemon/io/**',
      'daemon/main.ts',
      'daemon/bin.ts',
      'daemon/program.ts',
      'daemon/restore.ts',
      // Code of threads of their own.
      'daemon/disk/{hash-worker,check-worker,lane,serve}.ts',
      'daemon/db/thread.ts',
      // And of a process of its own, with who starts it.
      'daemon/db/{carrier,carry}.ts',
    ],
    rules: outsideWorld,
  },
  {
    name: 'tests may be brief',
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
      'no-console': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', module: 'writable' } },
  },
)
