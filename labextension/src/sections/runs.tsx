/** The section 'Runs'. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { refreshIcon } from '@jupyterlab/ui-components';
import { useEffect, useId, useRef } from 'react';

import { isRunsState, RUN_STATES, type RunsModel } from '../models/runs';
import { Comparison } from '../parts/compare';
import { ErrorAlert } from '../parts/error_alert';
import { RunDetails } from '../parts/run_details';
import { RunList } from '../parts/run_list';
import { Icon, stateWord } from '../parts/run_state';
import type { ISectionProps } from '../parts/section';
import { useSignals } from '../parts/signals';

/** The section 'Runs': the history, and the run that was chosen of it. */
export function RunsSection({ model, trans }: ISectionProps): JSX.Element {
  const { runs, deploy, notebook, host } = model;
  useSignals(runs.changed, notebook.changed);
  const list = useRef<HTMLDivElement>(null);
  const compareButton = useRef<HTMLButtonElement>(null);
  const focusList = () => list.current?.querySelector<HTMLElement>('[role=grid], button')?.focus();
  const path = notebook.path;
  const isOfNotebook = runs.filter.notebook !== '';
  useEffect(() => {
    runs.connect();
    void runs.refresh();
  }, [runs]);
  useEffect(() => {
    if (isOfNotebook) {
      void runs.setFilter({ notebook: path });
    }
  }, [runs, path, isOfNotebook]);
  const chosen = [...runs.chosen];
  return (
    <>
      <Filter runs={runs} path={path} trans={trans} />
      <ErrorAlert error={runs.error} trans={trans} onRetry={() => void runs.refresh()} />
      {!runs.isConnected && (
        <p role="status" className="jp-fairing-az-quiet">
          {trans.__('Connection lost. This list may be out of date.')}
        </p>
      )}
      <div ref={list}>
        {runs.runs.length > 0 && (
          <RunList
            runs={runs.runs}
            total={runs.total}
            selected={runs.selected?.id ?? null}
            chosen={runs.chosen}
            trans={trans}
            onSelect={id => runs.select(id)}
            onChoose={(id, isChosen) => runs.choose(id, isChosen)}
            onMore={all => void runs.loadMore(all)}
          />
        )}
      </div>
      <p role="status" className="jp-fairing-az-quiet">
        {summary(runs, trans)}
      </p>
      {chosen.length > 0 && (
        <div className="jp-fairing-az-actions" role="group" aria-label={trans.__('Selected runs')}>
          <button
            ref={compareButton}
            type="button"
            className="jp-mod-styled"
            disabled={chosen.length < 2}
            onClick={() => void runs.compare(chosen)}
          >
            {trans._n('Compare %1 run', 'Compare %1 runs', chosen.length)}
          </button>
          <button
            type="button"
            className="jp-mod-styled"
            onClick={() => {
              runs.chooseNone();
              focusList();
            }}
          >
            {trans.__('Clear')}
          </button>
          {chosen.length < 2 && (
            <span className="jp-fairing-az-quiet">{trans.__('Select one more run.')}</span>
          )}
        </div>
      )}
      {runs.selected === null && <ErrorAlert error={runs.actionError} trans={trans} />}
      {runs.comparison && (
        <Comparison
          comparison={runs.comparison}
          trans={trans}
          onClose={() => {
            void runs.compare([]);
            (
              compareButton.current ?? list.current?.querySelector<HTMLElement>('[role=grid]')
            )?.focus();
          }}
        />
      )}
      {runs.selected && (
        <RunDetails
          key={runs.selected.id}
          runs={runs}
          watch={runs.selected}
          deploy={deploy}
          host={host}
          trans={trans}
          onClose={() => {
            runs.select(null);
            focusList();
          }}
          onFollowed={focusList}
        />
      )}
    </>
  );
}

function Filter(props: {
  readonly runs: RunsModel;
  readonly path: string;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { runs, path, trans } = props;
  const id = useId();
  return (
    <div className="jp-fairing-az-run-filter" role="group" aria-label={trans.__('Filter runs')}>
      <label className="jp-fairing-az-unseen" htmlFor={`${id}-state`}>
        {trans.__('State')}
      </label>
      <select
        id={`${id}-state`}
        className="jp-mod-styled"
        value={runs.filter.state}
        onChange={event => {
          const state = event.target.value;
          if (isRunsState(state)) {
            void runs.setFilter({ state });
          }
        }}
      >
        <option value="">{trans.__('all states')}</option>
        <option value="active">{trans.__('active')}</option>
        {RUN_STATES.map(state => (
          <option key={state} value={state}>
            {stateWord(state, trans)}
          </option>
        ))}
      </select>
      <label className="jp-fairing-az-choice">
        <input
          type="checkbox"
          checked={runs.filter.notebook !== ''}
          disabled={!path && runs.filter.notebook === ''}
          onChange={event => void runs.setFilter({ notebook: event.target.checked ? path : '' })}
        />
        {trans.__('this notebook')}
      </label>
      <button
        type="button"
        className="jp-fairing-az-tool"
        title={trans.__('Refresh')}
        aria-label={trans.__('Refresh the list of runs')}
        onClick={() => void runs.refresh()}
      >
        <Icon icon={refreshIcon} />
      </button>
    </div>
  );
}

function summary(runs: RunsModel, trans: TranslationBundle): string {
  if (!runs.isReady) {
    return runs.error ? '' : trans.__('Loading runs…');
  }
  if (runs.total > 0) {
    return trans._n('%1 run', '%1 runs', runs.total);
  }
  return runs.filter.state || runs.filter.notebook
    ? trans.__('No runs match. Choose another state, or show all notebooks.')
    : trans.__(
        'No runs yet. Start one under Launch, or run “fairing-azure run NOTEBOOK” in a terminal.'
      );
}
