/** The history as a grid of which only the visible rows are in the page. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';

import type { IRun } from '../types';
import { stripAnsi } from '../models/log_lines';
import { runName, StateIcon, stateWord } from './run_state';
import { serverText } from './server_text';
import { age, span, useNow } from './times';
import { shownValue } from './values_table';

/** The height of a row, in pixels; the style sheet has it too. */
export const ROW_HEIGHT = 40;
/** The most rows that are visible at once. */
const MOST_ROWS = 7;
/** Rows that are in the page above and below the visible ones. */
const MARGIN = 4;

/** What an error quotes output with. */
const QUOTED = '  | ';

/** What the list gets. */
export interface IRunListProps {
  readonly runs: readonly IRun[];
  readonly total: number;
  readonly selected: string | null;
  readonly chosen: ReadonlySet<string>;
  readonly trans: TranslationBundle;
  readonly onSelect: (id: string) => void;
  readonly onChoose: (id: string, chosen: boolean) => void;
  /** Is called when the end is near; with true if the user wants to go to the very end. */
  readonly onMore: (all: boolean) => void;
}

/** The history. */
export function RunList(props: IRunListProps): JSX.Element {
  const { runs, total, selected, chosen, trans, onSelect, onChoose, onMore } = props;
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const [scroll, setScroll] = useState(0);
  const [activeId, setActiveId] = useState<string | null>(selected);
  const [wantsEnd, setWantsEnd] = useState(false);
  const now = useNow(runs.length > 0, runs.some(run => run.is_active) ? 1000 : 30000);
  const height = Math.max(1, Math.min(runs.length, MOST_ROWS)) * ROW_HEIGHT;
  const first = Math.max(0, Math.floor(scroll / ROW_HEIGHT) - MARGIN);
  const behind = Math.min(runs.length, Math.ceil((scroll + height) / ROW_HEIGHT) + MARGIN);
  // A run keeps its place under the cursor also when newer ones come above it.
  const found = runs.findIndex(run => run.id === activeId);
  const active = found < 0 ? 0 : found;

  const go = (to: number) => {
    const at = Math.min(Math.max(0, to), runs.length - 1);
    const run = runs[at];
    if (!run) {
      return;
    }
    setActiveId(run.id);
    const top = at * ROW_HEIGHT;
    const node = box.current;
    if (node) {
      const least = top + ROW_HEIGHT - height;
      node.scrollTop = Math.min(Math.max(node.scrollTop, least), top);
      setScroll(node.scrollTop);
    }
  };

  useEffect(() => {
    if ((wantsEnd || behind >= runs.length) && runs.length < total) {
      onMore(wantsEnd);
    }
    if (wantsEnd && runs.length >= total) {
      setWantsEnd(false);
      go(runs.length - 1);
    }
    // `go` and `onMore` are made anew at each drawing and mean the same.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [behind, runs.length, total, wantsEnd]);

  const onKeyDown = (event: KeyboardEvent) => {
    const run = runs[active];
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: runs.length - 1
    };
    const to = moves[event.key];
    if (to !== undefined) {
      setWantsEnd(event.key === 'End' && runs.length < total);
      go(to);
    } else if (event.key === 'Enter' && run) {
      onSelect(run.id);
    } else if (event.key === ' ' && run) {
      onChoose(run.id, !chosen.has(run.id));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const rows = runs.slice(first, behind);
  const isInPage = rows.some(run => run.id === runs[active]?.id);
  return (
    <div
      ref={box}
      className="jp-fairing-az-runs"
      role="grid"
      tabIndex={0}
      aria-label={trans.__('Runs. Press Enter to show a run, Space to select it for comparison.')}
      aria-rowcount={total}
      aria-colcount={2}
      {...(isInPage ? { 'aria-activedescendant': `${id}-${runs[active]?.id}` } : {})}
      style={{ height }}
      onScroll={event => setScroll(event.currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div role="presentation" style={{ height: runs.length * ROW_HEIGHT, position: 'relative' }}>
        {rows.map((run, at) => (
          <Row
            key={run.id}
            id={`${id}-${run.id}`}
            run={run}
            index={first + at}
            isActive={first + at === active}
            isSelected={run.id === selected}
            isChosen={chosen.has(run.id)}
            now={now}
            trans={trans}
            onSelect={() => {
              setActiveId(run.id);
              onSelect(run.id);
            }}
            onChoose={isChosen => onChoose(run.id, isChosen)}
          />
        ))}
      </div>
    </div>
  );
}

function Row(props: {
  readonly id: string;
  readonly run: IRun;
  readonly index: number;
  readonly isActive: boolean;
  readonly isSelected: boolean;
  readonly isChosen: boolean;
  readonly now: number;
  readonly trans: TranslationBundle;
  readonly onSelect: () => void;
  readonly onChoose: (chosen: boolean) => void;
}): JSX.Element {
  const { id, run, index, isActive, isSelected, isChosen, now, trans, onSelect, onChoose } = props;
  const name = listedName(run, trans);
  const result = resultOf(run, trans);
  const marks = [isActive ? 'jp-mod-active' : '', isSelected ? 'jp-mod-selected' : ''].join(' ');
  return (
    // The grid itself takes the keys; the pointer's click is only the shorter way.
    // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      id={id}
      role="row"
      aria-rowindex={index + 1}
      aria-selected={isSelected}
      className={`jp-fairing-az-run ${marks}`}
      style={{ top: index * ROW_HEIGHT, height: ROW_HEIGHT }}
      onClick={onSelect}
    >
      <span role="gridcell" aria-colindex={1} className="jp-fairing-az-run-choice">
        {/* The row's click would show the run; choosing it must not. */}
        <input
          type="checkbox"
          tabIndex={-1}
          checked={isChosen}
          aria-label={trans.__('Compare %1', name)}
          onClick={event => event.stopPropagation()}
          onChange={event => onChoose(event.target.checked)}
        />
      </span>
      <span role="gridcell" aria-colindex={2} className="jp-fairing-az-run-text">
        <span className="jp-fairing-az-run-line">
          <span className="jp-fairing-az-run-name" title={run.notebook}>
            {name}
          </span>
          <span className="jp-fairing-az-quiet">
            <StateIcon state={run.state} /> {stateWord(run.state, trans)}
          </span>
        </span>
        <span className="jp-fairing-az-run-line jp-fairing-az-quiet">
          <span className="jp-fairing-az-run-name" title={result}>
            {[age(run.created, now, trans), tookOf(run, now, trans), result]
              .filter(Boolean)
              .join(' · ')}
          </span>
          <code title={run.id}>{handleOf(run)}</code>
        </span>
      </span>
    </div>
  );
}

/** What a run is called in the list: by the user, else the class that was launched, or the notebook. */
function listedName(run: IRun, trans: TranslationBundle): string {
  const task = run.task.split(':').at(-1);
  if (!run.name && task && run.kind !== 'notebook') {
    return run.kind === 'train' ? trans.__('train %1', task) : trans.__('deploy %1', task);
  }
  const name = runName(run);
  return run.point === null ? name : trans.__('%1, point %2', name, run.point);
}

/** The end of a run's identifier, as commands take it; of a sweep's point the number alone would be that of many. */
function handleOf(run: IRun): string {
  return run.id
    .split('-')
    .slice(run.sweep ? -2 : -1)
    .join('-');
}

function tookOf(run: IRun, now: number, trans: TranslationBundle): string {
  const seconds =
    run.duration ?? (run.is_active && run.started !== null ? now - run.started : null);
  return seconds === null ? '' : span(seconds, trans);
}

/** Why a run failed, in the last line of it; else what it reported, how far it is, or the endpoint that it made. */
function resultOf(run: IRun, trans: TranslationBundle): string {
  if (run.error?.message) {
    return serverText(lastLine(stripAnsi(run.error.message)), trans);
  }
  if (run.unattended) {
    return trans.__('not watched: job %1', run.job);
  }
  const metrics = Object.entries(run.metrics).map(
    ([name, value]) => `${name}=${shownValue(value)}`
  );
  if (metrics.length) {
    return metrics.join(', ');
  }
  return run.is_active && run.cell !== null && run.cells !== null
    ? trans.__('cell %1 of %2', run.cell, run.cells)
    : run.endpoint;
}

/** The last line of what an error quotes: that is what the program raised; else the error's own text. */
function lastLine(message: string): string {
  const lines = message.split('\n');
  const quoted = lines
    .filter(line => line.startsWith(QUOTED))
    .map(line => line.slice(QUOTED.length));
  const last = quoted.reverse().find(line => line.trim() !== '') ?? message;
  return last.replace(/\s+/g, ' ').trim();
}
