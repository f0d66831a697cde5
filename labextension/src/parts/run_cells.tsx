/** How far the run of a notebook is, cell by cell. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { memo, useState } from 'react';

import type { ICellStep, IProgress } from '../models/progress';
import type { IRun } from '../types';
import { ScrollRegion } from './regions';
import { StateIcon, stateWord } from './run_state';
import { span } from './times';

/** A bar, the cell that is executed, and a table of all. */
export function RunCells(props: {
  readonly run: IRun;
  readonly progress: IProgress;
  readonly now: number;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { run, progress, now, trans } = props;
  const [isOpen, setIsOpen] = useState(false);
  const cells = progress.cells ?? run.cells;
  const last = progress.steps.at(-1);
  const cell = last?.cell ?? run.cell;
  if (cells === null || cell === null) {
    return null;
  }
  const isDone = run.state === 'succeeded' || last?.state === 'succeeded';
  const done = run.state === 'succeeded' ? cells : isDone ? cell : cell - 1;
  const words = trans.__('Cell %1 of %2', cell, cells);
  const isTicking = run.is_active && last?.state === 'running';
  return (
    <div className="jp-fairing-az-cells">
      <div className="jp-fairing-az-run-line">
        <span>
          {words}
          {run.state === 'failed' ? ` · ${trans.__('failed')}` : ''}
        </span>
        <span className="jp-fairing-az-quiet">
          {isTicking ? span(now - last.started, trans) : ''}
        </span>
      </div>
      <div
        className="jp-fairing-az-bar"
        role="progressbar"
        aria-label={trans.__('Cells executed')}
        aria-valuemin={0}
        aria-valuemax={cells}
        aria-valuenow={done}
        aria-valuetext={words}
      >
        <div style={{ width: `${cells > 0 ? (100 * done) / cells : 0}%` }} />
      </div>
      {run.is_active && last?.code && <code className="jp-fairing-az-code">{last.code}</code>}
      {progress.steps.length > 0 && (
        <details
          className="jp-fairing-az-more"
          onToggle={event => setIsOpen(event.currentTarget.open)}
        >
          <summary>{trans.__('Cells and durations')}</summary>
          {isOpen && <CellTable steps={progress.steps} trans={trans} />}
        </details>
      )}
    </div>
  );
}

/** A table of all cells that were begun; drawn anew only when a cell begins or ends. */
const CellTable = memo(function CellTable(props: {
  readonly steps: readonly ICellStep[];
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { steps, trans } = props;
  return (
    <ScrollRegion className="jp-fairing-az-scroll" label={trans.__('Cells and durations')}>
      <table className="jp-fairing-az-figures">
        <thead>
          <tr>
            <th scope="col">{trans.__('Cell')}</th>
            <th scope="col">{trans.__('Code')}</th>
            <th scope="col">{trans.__('Duration')}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map(step => (
            <tr key={step.cell}>
              <th scope="row">
                <StateIcon state={step.state} />
                <span className="jp-fairing-az-unseen">{stateWord(step.state, trans)} </span>
                {step.cell}
              </th>
              <td title={step.message || step.code}>
                <code className="jp-fairing-az-code">{step.code}</code>
              </td>
              <td>{step.duration === null ? '' : span(step.duration, trans)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollRegion>
  );
});
