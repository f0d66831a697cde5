import { expect, test } from 'vitest';

import { advance, MOST_FEED, NO_PROGRESS, timeLine, type IProgress } from '../src/models/progress';
import type { IRunEvent } from '../src/types';

function after(...events: IRunEvent[]): IProgress {
  return events.reduce(advance, NO_PROGRESS);
}

test('cells are running, succeeded or failed, with their code and duration', () => {
  const { steps, cells } = after(
    { kind: 'cell-started', time: 1, cell: 1, cells: 3, text: 'import numpy' },
    { kind: 'cell-finished', time: 2, cell: 1, cells: 3, duration: 0.9 },
    { kind: 'cell-started', time: 2, cell: 2, cells: 3, text: '1 / 0' },
    { kind: 'cell-failed', time: 5, cell: 2, cells: 3, message: 'ZeroDivisionError' }
  );
  expect(cells).toBe(3);
  expect(steps.map(step => [step.cell, step.code, step.state, step.duration])).toEqual([
    [1, 'import numpy', 'succeeded', 0.9],
    [2, '1 / 0', 'failed', 3]
  ]);
});

test('a cell that is tried again runs', () => {
  const { steps } = after(
    { kind: 'cell-started', time: 1, cell: 1, text: 'f()' },
    { kind: 'cell-retried', time: 2, cell: 1, message: 'died' }
  );
  expect(steps[0]?.state).toBe('running');
});

test('a run that begins anew begins with no cells', () => {
  const progress = after(
    { kind: 'run-started', time: 1, cells: 3 },
    { kind: 'cell-started', time: 2, cell: 1, text: 'f()' },
    { kind: 'run-started', time: 9, cells: 3 }
  );
  expect(progress.steps).toEqual([]);
});

test('the last value of a metric counts, also if it is none', () => {
  const { metrics } = after(
    { kind: 'metric', time: 1, name: 'loss', value: 0.5 },
    { kind: 'metric', time: 2, name: 'loss', value: 0.25 },
    { kind: 'metric', time: 3, name: 'note' }
  );
  expect(metrics).toEqual({ loss: 0.25, note: null });
});

test('a phase has its duration and its last message', () => {
  const { phases } = after(
    { kind: 'phase', time: 10, name: 'build', value: 'started' },
    { kind: 'phase', time: 12.5, name: 'build', value: 'finished', message: 'image:1' }
  );
  expect(phases).toEqual([
    { name: 'build', state: 'succeeded', started: 10, duration: 2.5, message: 'image:1' }
  ]);
});

test('phases stand in their order, and those that may come stand behind while the launch goes on', () => {
  const progress = after(
    { kind: 'phase', time: 1, name: 'push', value: 'started' },
    { kind: 'phase', time: 2, name: 'context', value: 'finished' }
  );
  const names = (active: boolean) =>
    timeLine(progress, 'train', active).map(phase => `${phase.name} ${phase.state}`);
  expect(names(true)).toEqual([
    'context succeeded',
    'push running',
    'schedule waiting',
    'run waiting'
  ]);
  expect(names(false)).toEqual(['context succeeded', 'push running']);
});

test('a phase of an unknown name or state does no harm', () => {
  const progress = after(
    { kind: 'phase', time: 1, name: 'polish', value: 'started' },
    { kind: 'phase', time: 1, name: 'build', value: 'exploded' }
  );
  expect(timeLine(progress, 'deploy', false).map(phase => phase.name)).toEqual(['polish']);
});

test('what was still going on when the run failed has failed', () => {
  const { phases, steps } = after(
    { kind: 'phase', time: 1, name: 'build', value: 'started' },
    { kind: 'cell-started', time: 2, cell: 1 },
    { kind: 'run-cancelled', time: 4, message: 'cancelled' }
  );
  expect([phases[0]?.state, phases[0]?.duration, steps[0]?.state]).toEqual(['failed', 3, 'failed']);
});

test('events of pods and lines of the log stand by time', () => {
  const { feed } = after(
    { kind: 'output', time: 1, stream: 'stdout', text: 'one\r\n\u001b[31mtwo\u001b[0m\n' },
    { kind: 'output', time: 5, stream: 'stdout', text: 'three\n' },
    { kind: 'pod-event', time: 3, name: 'pod-1', value: 'Pulling', message: 'image:1' }
  );
  expect(feed.map(line => line.text)).toEqual(['one', 'two', 'Pulling: image:1', 'three']);
});

test('a wait that is reported again is one line, and stands at its phase while that goes on', () => {
  const waits = (time: number, minutes: number) => ({
    kind: 'pod-event' as const,
    time,
    name: 'fairing-job-1-x',
    value: 'unschedulable',
    message: `No node takes it. Waiting for ${minutes} min so far, at most 30 min.`
  });
  const begun = { kind: 'phase' as const, time: 1, name: 'schedule', value: 'started' };
  const during = after(begun, waits(2, 1), waits(62, 2));
  expect(during.feed.map(line => line.text)).toEqual([
    'unschedulable: No node takes it. Waiting for 2 min so far, at most 30 min.'
  ]);
  expect(during.phases[0]?.latest).toContain('Waiting for 2 min so far');
  const ended = { kind: 'phase' as const, time: 63, name: 'schedule', value: 'finished' };
  expect(after(begun, waits(2, 1), ended).phases[0]).toEqual({
    name: 'schedule',
    state: 'succeeded',
    started: 1,
    duration: 62,
    message: ''
  });
});

test('a run that prints without end costs no more memory', () => {
  let progress = NO_PROGRESS;
  for (let time = 0; time < 5000; time++) {
    progress = advance(progress, { kind: 'output', time, text: `${'x'.repeat(1000)}\n`.repeat(3) });
  }
  expect(progress.feed).toHaveLength(MOST_FEED);
  expect(JSON.stringify(progress).length).toBeLessThan(100_000);
});
