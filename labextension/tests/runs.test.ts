import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { ApiError } from '../src/api';
import { RunsModel } from '../src/models/runs';
import type { Json } from '../src/types';
import { aRun, anActiveRun, FakeRuns, settled } from './fake_runs';

let server: FakeRuns;
let runs: RunsModel;

beforeEach(() => {
  vi.useFakeTimers();
  server = new FakeRuns();
  runs = new RunsModel(server.api);
});

afterEach(() => {
  runs.dispose();
  vi.useRealTimers();
});

function ids(): string[] {
  return runs.runs.map(run => run.id);
}

function report(...active: ReturnType<typeof aRun>[]): void {
  server.actives.at(-1)?.listener.onItem({ runs: active, changed: 1 }, '1');
}

test('the history comes page by page, and no run twice', async () => {
  server.all = Array.from({ length: 250 }, (_, at) => aRun(`r${at}`, { created: 5000 - at }));
  await runs.refresh();
  expect([runs.runs.length, runs.total]).toEqual([100, 250]);
  server.all.unshift(aRun('between', { created: 6000 }));
  await runs.loadMore();
  await runs.loadMore();
  expect(new Set(ids()).size).toBe(runs.runs.length);
  expect(runs.runs.at(-1)?.id).toBe('r249');
});

test('a run that begins stands at the top of the history at once', async () => {
  server.all = [aRun('old')];
  runs.connect();
  await runs.refresh();
  report(anActiveRun('new', { created: 2000 }));
  expect(ids()).toEqual(['new', 'old']);
  expect(runs.total).toBe(2);
});

test('a run that is not active any more is shown as it has ended', async () => {
  server.all = [anActiveRun('r1')];
  runs.connect();
  await runs.refresh();
  report(anActiveRun('r1', { cell: 7 }));
  expect(runs.runs[0]?.cell).toBe(7);
  server.all = [aRun('r1', { state: 'failed' })];
  report();
  await settled();
  expect(runs.runs[0]?.state).toBe('failed');
  expect(runs.active).toEqual([]);
});

test('old news do not wake a run that has ended', async () => {
  server.all = [aRun('r1')];
  runs.connect();
  await runs.refresh();
  report(anActiveRun('r1'));
  expect(runs.runs[0]?.state).toBe('succeeded');
});

test('only runs that the filter wants are listed, also of those that begin', async () => {
  server.all = [aRun('a', { state: 'failed' }), aRun('b')];
  runs.connect();
  await runs.setFilter({ state: 'failed' });
  report(anActiveRun('c', { created: 2000 }));
  expect(ids()).toEqual(['a']);
});

test('an active run leaves the list of active ones when it ends', async () => {
  server.all = [anActiveRun('a')];
  runs.connect();
  await runs.setFilter({ state: 'active' });
  expect(ids()).toEqual(['a']);
  server.all = [aRun('a')];
  report();
  await settled();
  expect([ids(), runs.total]).toEqual([[], 0]);
});

test('an answer for a filter that was changed meanwhile is dropped', async () => {
  server.all = [aRun('a', { state: 'failed' }), aRun('b')];
  const slow = runs.setFilter({ state: 'failed' });
  const quick = runs.setFilter({ state: 'succeeded' });
  await Promise.all([slow, quick]);
  expect(ids()).toEqual(['b']);
});

test('there is one stream of active runs however often it is asked for', () => {
  runs.connect();
  runs.connect();
  expect(server.actives).toHaveLength(1);
});

test('a selected run is followed', async () => {
  server.all = [anActiveRun('r1')];
  runs.select('r1');
  await settled();
  server.open[0]?.listener.onItem(
    { kind: 'cell-started', time: 1, cell: 4, cells: 12, text: 'fit()' },
    '70'
  );
  expect(runs.selected?.progress.steps[0]?.code).toBe('fit()');
});

test('a run that is selected again goes on from where it was left', async () => {
  server.all = [anActiveRun('r1'), anActiveRun('r2')];
  runs.select('r1');
  await settled();
  server.open[0]?.listener.onItem({ kind: 'cell-started', time: 1, cell: 4, text: 'fit()' }, '70');
  runs.select('r2');
  runs.select('r1');
  expect(server.open.map(stream => [stream.id, stream.offset])).toEqual([['r1', '70']]);
  expect(runs.selected?.progress.steps).toHaveLength(1);
});

test('the end of a followed run shows in the history', async () => {
  server.all = [anActiveRun('r1')];
  await runs.refresh();
  runs.select('r1');
  server.open[0]?.listener.onEnd?.(aRun('r1', { state: 'cancelled' }));
  expect(runs.runs[0]?.state).toBe('cancelled');
  expect(runs.selected?.run?.state).toBe('cancelled');
});

test('a run that was selected before a reload is found again', async () => {
  server.all = [anActiveRun('r1')];
  runs.select('r1');
  const state = JSON.parse(JSON.stringify(runs.state)) as Json;
  const reloaded = new RunsModel(server.api);
  reloaded.restore(state);
  await settled();
  expect(reloaded.selected?.run?.id).toBe('r1');
  reloaded.dispose();
});

test.each([null, 'x', 3, [], { selected: 7 }, { state: {} }, undefined])(
  'a state that is none is passed over: %j',
  state => {
    runs.restore(state);
    expect(runs.state).toEqual({ selected: '', state: '' });
  }
);

test('a run that is gone says so, and does not hide the others', async () => {
  server.all = [aRun('r1')];
  await runs.refresh();
  runs.select('gone');
  await settled();
  expect(runs.selected?.error?.message).toContain('gone');
  expect(ids()).toEqual(['r1']);
});

test('a run that is started is selected and stands in the history', async () => {
  await runs.refresh();
  const run = await runs.start({ notebook: 'train.ipynb' });
  expect(runs.selected?.id).toBe(run.id);
  expect(ids()).toContain(run.id);
});

test('a run that is cancelled shows it', async () => {
  server.all = [anActiveRun('r1')];
  await runs.refresh();
  await runs.cancel('r1');
  expect(runs.runs[0]?.state).toBe('cancelled');
});

test('a repeated run is selected in place of the old one', async () => {
  server.all = [aRun('r1')];
  await runs.refresh();
  runs.select('r1');
  await runs.retry('r1');
  expect(runs.selected?.id).toBe('r1-again');
});

test('an error of the server is kept with its hint', async () => {
  server.failure = new ApiError(409, 'not-active', 'The run has ended.', 'Retry it.');
  await runs.cancel('r1');
  expect([runs.actionError?.message, runs.actionError?.hint]).toEqual([
    'The run has ended.',
    'Retry it.'
  ]);
});

test('a page that nobody sees holds no connection, and goes on where it was', async () => {
  server.all = [anActiveRun('r1')];
  runs.connect();
  runs.select('r1');
  server.open[0]?.listener.onItem({ kind: 'metric', time: 1, name: 'loss', value: 1 }, '33');
  runs.pause(true);
  expect([...server.open, ...server.actives.filter(stream => !stream.isDisposed)]).toEqual([]);
  runs.pause(false);
  expect(server.open.map(stream => stream.offset)).toEqual(['33']);
  expect(server.actives.filter(stream => !stream.isDisposed)).toHaveLength(1);
});

test('whoever looks at many runs holds one connection for the one that is selected', () => {
  server.all = Array.from({ length: 50 }, (_, at) => anActiveRun(`r${at}`));
  for (const run of server.all) {
    runs.select(run.id);
  }
  expect(server.open).toHaveLength(1);
});

test('everything is let go of at the end', () => {
  runs.connect();
  runs.select('r1');
  runs.dispose();
  expect([...server.open, ...server.actives.filter(stream => !stream.isDisposed)]).toEqual([]);
});

test('runs beside each other are shown until they are closed', async () => {
  server.all = [aRun('a'), aRun('b')];
  runs.choose('a', true);
  runs.choose('b', true);
  await runs.compare([...runs.chosen]);
  expect(runs.comparison?.runs.map(run => run.id)).toEqual(['a', 'b']);
  await runs.compare([]);
  expect(runs.comparison).toBeNull();
});
