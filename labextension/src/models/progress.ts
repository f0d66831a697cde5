/** What the events of a run add up to: its cells, the phases of a launch, and what was said last. */
import type { IRunEvent, Json } from '../types';
import { stripAnsi } from './log_lines';

/** How a cell or a phase is. */
export type StepState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped';

/** One cell. Times are seconds since 1970, durations are seconds. */
export interface ICellStep {
  readonly cell: number;
  readonly code: string;
  readonly state: StepState;
  readonly started: number;
  readonly duration: number | null;
  readonly message: string;
}

/** One phase of a launch. */
export interface IPhaseStep {
  readonly name: string;
  readonly state: StepState;
  readonly started: number;
  readonly duration: number | null;
  readonly message: string;
  /** The last report of the cluster while the phase is running. */
  readonly latest?: string;
}

/** One line of what happens: of a pod, or of the log. */
export interface IFeedLine {
  readonly time: number;
  readonly source: 'pod' | 'log';
  readonly name: string;
  readonly text: string;
  /** The reason of an event of a pod: one that is reported again while it lasts is one line. */
  readonly reason?: string;
}

/** What is known of a run by its events. */
export interface IProgress {
  readonly cells: number | null;
  readonly steps: readonly ICellStep[];
  readonly phases: readonly IPhaseStep[];
  readonly metrics: Readonly<Record<string, Json>>;
  readonly feed: readonly IFeedLine[];
}

/** Lines of the feed that are kept: a glance at what happens; the log has all. */
export const MOST_FEED = 100;

/** What is known before the first event. */
export const NO_PROGRESS: IProgress = { cells: null, steps: [], phases: [], metrics: {}, feed: [] };

/** The phases in the order in which a launch goes through them. */
export const PHASES = ['context', 'build', 'push', 'schedule', 'run', 'serve'] as const;

const PHASE_STATES: Readonly<Record<string, StepState>> = {
  started: 'running',
  finished: 'succeeded',
  skipped: 'skipped',
  failed: 'failed'
};

/** Add one event. */
export function advance(before: IProgress, event: IRunEvent): IProgress {
  switch (event.kind) {
    case 'run-started':
      // A lost run is started again, and its events are appended to the same file.
      return {
        ...NO_PROGRESS,
        feed: before.feed,
        phases: before.phases,
        cells: event.cells ?? before.cells
      };
    case 'cell-started':
      return withCell(before, event, 'running');
    case 'cell-retried':
      return withCell(before, event, 'running');
    case 'cell-finished':
      return withCell(before, event, 'succeeded');
    case 'cell-failed':
      return withCell(before, event, 'failed');
    case 'metric':
      return event.name === undefined
        ? before
        : { ...before, metrics: { ...before.metrics, [event.name]: event.value ?? null } };
    case 'phase':
      return withPhase(before, event);
    case 'pod-event': {
      const reason = textOf(event.value);
      const message = event.message ?? '';
      const text = [reason, message].filter(Boolean).join(': ');
      const feed = before.feed.filter(
        line => line.source !== 'pod' || line.name !== event.name || line.reason !== reason
      );
      return {
        ...before,
        feed: fed(feed, event.time, 'pod', event.name ?? '', text, reason),
        phases: before.phases.map(phase =>
          phase.state === 'running' ? { ...phase, latest: message || reason } : phase
        )
      };
    }
    case 'output':
      return { ...before, feed: fed(before.feed, event.time, 'log', '', event.text ?? '') };
    case 'run-failed':
    case 'run-cancelled':
      return closed(before, event);
    default:
      return before;
  }
}

/** The phases to show: those that came, in their order, and while the launch is running those that may come. */
export function timeLine(
  progress: IProgress,
  kind: string,
  isActive: boolean
): readonly IPhaseStep[] {
  const rank = (name: string) => {
    const at = (PHASES as readonly string[]).indexOf(name);
    return at < 0 ? PHASES.length : at;
  };
  const seen = [...progress.phases].sort((a, b) => rank(a.name) - rank(b.name));
  if (!isActive || kind === 'notebook') {
    return seen;
  }
  const last = seen.reduce((most, step) => Math.max(most, rank(step.name)), -1);
  const end = kind === 'train' ? 'serve' : 'run';
  const coming = PHASES.filter((name, at) => at > last && name !== end).map(name => {
    return { name, state: 'waiting' as const, started: 0, duration: null, message: '' };
  });
  return [...seen, ...coming];
}

function withCell(before: IProgress, event: IRunEvent, state: StepState): IProgress {
  const cell = event.cell;
  if (cell === undefined) {
    return before;
  }
  const at = before.steps.findIndex(step => step.cell === cell);
  const known = before.steps[at];
  const begins = event.kind === 'cell-started';
  const step: ICellStep = {
    cell,
    code: begins ? (event.text ?? '') : (known?.code ?? ''),
    state,
    started: begins || !known ? event.time : known.started,
    duration:
      state === 'running' ? null : (event.duration ?? (known ? event.time - known.started : null)),
    message: event.message ?? ''
  };
  const steps = known
    ? before.steps.map((each, index) => (index === at ? step : each))
    : [...before.steps, step];
  return { ...before, steps, cells: event.cells ?? before.cells };
}

function withPhase(before: IProgress, event: IRunEvent): IProgress {
  const name = event.name;
  const state = PHASE_STATES[textOf(event.value)];
  if (!name || !state) {
    return before;
  }
  const known = before.phases.find(phase => phase.name === name);
  const started = state === 'running' || !known ? event.time : known.started;
  const duration =
    state === 'running' || state === 'skipped'
      ? null
      : (event.duration ?? Math.max(0, event.time - started));
  const message = event.message || (state === 'running' ? '' : (known?.message ?? ''));
  const phase: IPhaseStep = { name, state, started, duration, message };
  const phases = known
    ? before.phases.map(each => (each.name === name ? phase : each))
    : [...before.phases, phase];
  return { ...before, phases };
}

/** What was still running when the run ended has not succeeded. */
function closed(before: IProgress, event: IRunEvent): IProgress {
  const close = <T extends ICellStep | IPhaseStep>(step: T): T =>
    step.state === 'running'
      ? { ...step, state: 'failed', duration: Math.max(0, event.time - step.started) }
      : step;
  return { ...before, steps: before.steps.map(close), phases: before.phases.map(close) };
}

/** The feed with a text more; a text that ends within a line is gone on with by the next one. */
function fed(
  before: readonly IFeedLine[],
  time: number,
  source: IFeedLine['source'],
  name: string,
  text: string,
  reason = ''
): readonly IFeedLine[] {
  // Only its end can be seen; the whole of a text of megabytes is not worth splitting.
  const tail = stripAnsi(text.length > 20000 ? text.slice(-20000) : text);
  const lines = tail
    .split(/\r?\n/)
    .map(line => line.slice(line.lastIndexOf('\r') + 1))
    .filter(line => line.trim() !== '')
    .slice(-MOST_FEED)
    .map(line => ({ time, source, name, text: line.slice(0, 500), reason }));
  if (!lines.length) {
    return before;
  }
  const after = [...before, ...lines];
  const last = before.at(-1);
  if (last && last.time > time) {
    after.sort((a, b) => a.time - b.time);
  }
  return after.slice(-MOST_FEED);
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
