/** How a run or a step of it is: an icon and a word, never a colour alone. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  checkIcon,
  circleEmptyIcon,
  closeIcon,
  errorIcon,
  fastForwardIcon,
  offlineBoltIcon,
  runIcon,
  stopIcon,
  type LabIcon
} from '@jupyterlab/ui-components';

import type { StepState } from '../models/progress';
import type { IComparedRun, IRun, RunState } from '../types';

const ICONS: Readonly<Record<RunState | StepState, LabIcon>> = {
  waiting: circleEmptyIcon,
  running: runIcon,
  succeeded: checkIcon,
  failed: errorIcon,
  cancelled: stopIcon,
  lost: offlineBoltIcon,
  skipped: fastForwardIcon
};

/** An icon that says nothing that is not also written. */
export function Icon(props: { readonly icon: LabIcon; readonly className?: string }): JSX.Element {
  const Svg = props.icon.react;
  return (
    <span className={`jp-fairing-az-icon ${props.className ?? ''}`} aria-hidden="true">
      <Svg tag="span" />
    </span>
  );
}

/** The icon of a state. */
export function StateIcon({ state }: { readonly state: RunState | StepState }): JSX.Element {
  return <Icon icon={ICONS[state] ?? closeIcon} className={`jp-fairing-az-state-${state}`} />;
}

/** The word for a state. */
export function stateWord(state: RunState | StepState, trans: TranslationBundle): string {
  switch (state) {
    case 'waiting':
      return trans.__('waiting');
    case 'running':
      return trans.__('running');
    case 'succeeded':
      return trans.__('succeeded');
    case 'failed':
      return trans.__('failed');
    case 'cancelled':
      return trans.__('cancelled');
    case 'lost':
      return trans.__('lost');
    default:
      return trans.__('skipped');
  }
}

/** What a run is called: by the user, else the notebook's file name, or the class or function that was launched. */
export function runName(run: IComparedRun): string {
  if (run.name) {
    return run.name;
  }
  const file = run.notebook.split(/[\\/]/).at(-1) ?? run.notebook;
  return run.task && run.kind !== 'notebook' ? `${file}:${run.task.split(':').at(-1)}` : file;
}

/** What a run does, in a word. */
export function kindWord(run: IRun, trans: TranslationBundle): string {
  switch (run.kind) {
    case 'train':
      return trans.__('training');
    case 'deploy':
      return trans.__('deployment');
    default:
      return trans.__('notebook');
  }
}
