import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'jsdom',
    include: ['tests/**/*.test.{ts,tsx}'],
    setupFiles: ['tests/setup.ts'],
    testTimeout: 10000,
    restoreMocks: true,
    // Yjs says so of every cell that is not in a notebook by now, which is how JupyterLab makes cells.
    onConsoleLog: log => !/Add Yjs type to a document|Not same Y\.Doc/.test(log),
    // Their modules name each other without the file's ending, which Node itself does not resolve.
    server: { deps: { inline: [/@jupyter/, /@lumino/, /@rjsf/, /@codemirror/] } }
  }
});
