import { beforeEach, expect, test } from 'vitest';

import { ApiError } from '../src/api';
import { OutputsModel } from '../src/models/outputs';
import { RunsModel } from '../src/models/runs';
import { aFile, FakeRuns } from './fake_runs';

let server: FakeRuns;
let outputs: OutputsModel;
let asked: string[][];

beforeEach(() => {
  server = new FakeRuns();
  server.written = [aFile('model.dat'), aFile('plots/loss.png', 7)];
  outputs = new OutputsModel(server, 'a');
  asked = [];
});

function confirm(isSure: boolean) {
  return async (files: readonly { name: string }[]) => {
    asked.push(files.map(file => file.name));
    return Promise.resolve(isSure);
  };
}

function became(): Record<string, string> {
  return Object.fromEntries(
    (outputs.copied?.files ?? []).map(file => [file.name, file.outcome] as const)
  );
}

/** A copying that ends only when it is cancelled. */
async function untilCancelled(signal: AbortSignal): Promise<void> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')));
  });
}

test('nobody is asked where nothing would be replaced', async () => {
  await outputs.refresh();
  await outputs.copy([], null, confirm(true));
  expect(asked).toEqual([]);
  expect(server.fetches).toEqual([{ files: [], folder: null }]);
  expect(became()).toEqual({ 'model.dat': 'fetched', 'plots/loss.png': 'fetched' });
});

test('a file of the user’s is replaced only after they were asked, and nothing else with it', async () => {
  server.existing = ['model.dat'];
  await outputs.refresh();
  await outputs.copy([], null, confirm(true));
  expect(asked).toEqual([['model.dat']]);
  expect(server.fetches[1]).toEqual({ files: ['model.dat'], folder: null, overwrite: true });
  expect(became()).toEqual({ 'model.dat': 'fetched', 'plots/loss.png': 'fetched' });
});

test('a file of the user’s stays where they say no, and the others are copied', async () => {
  server.existing = ['model.dat'];
  await outputs.refresh();
  await outputs.copy([], null, confirm(false));
  expect(server.fetches).toHaveLength(1);
  expect(became()).toEqual({ 'model.dat': 'rejected', 'plots/loss.png': 'fetched' });
});

test('what overwrite would not help is not asked about', async () => {
  const reason = 'it is hidden, and Jupyter shows no hidden files';
  server.rejected = [
    { name: '.x', size: 1, outcome: 'rejected', reason, replaceable: false, contents_path: null }
  ];
  await outputs.refresh();
  await outputs.copy([], null, confirm(true));
  expect(asked).toEqual([]);
  expect(became()['.x']).toBe('rejected');
});

test('copying shows what it copies, and a second one does not begin meanwhile', async () => {
  server.slowly = untilCancelled;
  await outputs.refresh();
  const done = outputs.copy(['plots/loss.png'], null, confirm(true));
  expect(outputs.copying).toMatchObject({ name: 'plots/loss.png', count: 1, size: 7 });
  await outputs.copy([], null, confirm(true));
  expect(server.fetches).toHaveLength(1);
  outputs.cancel();
  await done;
  expect(outputs.copying).toBeNull();
  expect(outputs.wasCancelled).toBe(true);
  expect(outputs.error).toBeNull();
});

test('an error of the server is kept until the next copying', async () => {
  await outputs.refresh();
  server.failure = new ApiError(503, 'no-storage', 'No storage account.', 'Set one.');
  await outputs.copy([], null, confirm(true));
  expect(outputs.error?.code).toBe('no-storage');
  expect(outputs.files).toHaveLength(2);
  server.failure = null;
  await outputs.copy([], null, confirm(true));
  expect(outputs.error).toBeNull();
});

test('a run that kept nothing has no error, but a reason', async () => {
  server.written = null;
  expect(await outputs.refresh()).toBe(false);
  expect(outputs.error).toBeNull();
  expect(outputs.nothing?.message).toContain('has kept none');
});

test('a file that is gone is not downloaded', async () => {
  await outputs.refresh();
  expect(await outputs.urlOf('model.dat')).toBe('/runs/a/outputs/file?name=model.dat');
  server.written = [];
  expect(await outputs.urlOf('model.dat')).toBeNull();
});

test('copying continues while other runs are looked at', async () => {
  const runs = new RunsModel(server.api);
  const one = runs.outputs('one');
  server.slowly = untilCancelled;
  void one.copy([], null, confirm(true));
  for (let at = 0; at < 20; at++) {
    runs.outputs(`other-${at}`);
  }
  expect(runs.outputs('one')).toBe(one);
  expect(one.isDisposed).toBe(false);
  runs.dispose();
  expect(one.isDisposed).toBe(true);
});
