import { defineConfig } from 'vitest/config'

/** Needs ports, processes and the machine's time to itself. */
const alone = { maxWorkers: 1, fileParallelism: false }

export default defineConfig({
  test: {
    globalSetup: ['test/support/built.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    passWithNoTests: false,
    // Tests that say they may run side by side: whole daemons, which wait most of the time.
    maxConcurrency: 7,
    // Groups run one after another: first everything small, then whole daemons, then real clients.
    projects: [
      {
        extends: true,
        test: {
          name: 'small',
          include: ['test/{unit,property,contract,sim,fuzz}/**/*.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/{e2e,faults}/**/*.test.ts'],
          sequence: { groupOrder: 1 },
          ...alone,
        },
      },
      // Each test there names itself as skipped where its client is not installed. TORRENTINO_INTEROP=0 leaves
      // them out, and says nothing of them.
      ...(process.env['TORRENTINO_INTEROP'] === '0'
        ? []
        : [
            {
              extends: true as const,
              test: {
                name: 'interop',
                include: ['test/interop/**/*.test.ts'],
                sequence: { groupOrder: 2 },
                // Each file has a network of its own and waits for other programs most of the time.
                maxWorkers: 2,
              },
            },
          ]),
    ],
  },
})
