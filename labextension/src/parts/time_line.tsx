/** The time line of a launch: its phases, and what its pods and its log have said last. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { timeLine, type IProgress } from '../models/progress';
import type { IRun } from '../types';
import { ScrollRegion } from './regions';
import { StateIcon, stateWord } from './run_state';
import { serverText } from './server_text';
import { clock, span } from './times';

/** The phases in their order. */
export function TimeLine(props: {
  readonly run: IRun;
  readonly progress: IProgress;
  readonly now: number;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { run, progress, now, trans } = props;
  const phases = timeLine(progress, run.kind, run.is_active);
  if (!phases.length) {
    return null;
  }
  return (
    <ol className="jp-fairing-az-phases" aria-label={trans.__('Phases of the launch')}>
      {phases.map(phase => {
        const isRunning = phase.state === 'running';
        const message = phase.message || (isRunning && run.is_active ? phase.latest : '');
        const seconds = phase.duration ?? (isRunning && run.is_active ? now - phase.started : null);
        return (
          <li key={phase.name} {...(isRunning ? { 'aria-current': 'step' as const } : {})}>
            <span className="jp-fairing-az-phase">
              <StateIcon state={phase.state} />
              <span className="jp-fairing-az-phase-name">{phaseWord(phase.name, trans)}</span>
              <span className="jp-fairing-az-quiet">
                {stateWord(phase.state, trans)}
                {seconds === null ? '' : ` · ${span(seconds, trans)}`}
              </span>
            </span>
            {message && (
              <span className="jp-fairing-az-phase-message">{serverText(message, trans)}</span>
            )}
          </li>
        );
      })}
    </ol>
  );
}

/** What pods and the log have said last, by time. */
export function Feed({
  progress,
  trans
}: {
  readonly progress: IProgress;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const isOfPods = progress.feed.some(line => line.source === 'pod');
  if (!isOfPods) {
    return null;
  }
  return (
    <details className="jp-fairing-az-more" open>
      <summary>{trans.__('Events')}</summary>
      <ScrollRegion
        className="jp-fairing-az-feed"
        label={trans.__('Latest pod events and log lines')}
      >
        <ol>
          {[...progress.feed].reverse().map((line, at) => (
            <li key={progress.feed.length - at} className={`jp-fairing-az-feed-${line.source}`}>
              <span className="jp-fairing-az-quiet">{clock(line.time)}</span>{' '}
              {line.source === 'pod' && <span title={line.name}>{trans.__('pod:')} </span>}
              {line.text}
            </li>
          ))}
        </ol>
      </ScrollRegion>
    </details>
  );
}

/** The word for a phase. */
export function phaseWord(name: string, trans: TranslationBundle): string {
  switch (name) {
    case 'context':
      return trans.__('Pack files');
    case 'build':
      return trans.__('Build image');
    case 'push':
      return trans.__('Push image');
    case 'schedule':
      return trans.__('Schedule pod');
    case 'run':
      return trans.__('Run');
    case 'serve':
      return trans.__('Serve');
    default:
      return name;
  }
}
