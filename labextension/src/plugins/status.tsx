/** The item of the status bar that shows while something runs; keeps the runs up to date and finds the selected one again. */
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IStatusBar, TextItem } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';

import type { RunsModel } from '../models/runs';
import { runName } from '../parts/run_state';
import { useSignals } from '../parts/signals';
import { IFairingPanel } from '../tokens';
import type { IRun, Json } from '../types';

/** What the item says; empty if nothing runs. */
export function statusText(active: readonly IRun[], trans: TranslationBundle): string {
  const first = active[0];
  if (!first) {
    return '';
  }
  const isFar = first.cell !== null && first.cells !== null;
  const one = isFar ? `${runName(first)} ${first.cell}/${first.cells}` : runName(first);
  return trans._n('%1 run: %2', '%1 runs: %2', active.length, one);
}

/** The item of the status bar. */
export function StatusItem(props: {
  readonly runs: RunsModel;
  readonly trans: TranslationBundle;
  readonly onClick: () => void;
}): JSX.Element | null {
  const { runs, trans, onClick } = props;
  useSignals(runs.activeChanged);
  const text = statusText(runs.active, trans);
  if (!text) {
    return null;
  }
  return (
    <TextItem
      role="button"
      tabIndex={0}
      source={text}
      title={trans.__('Show runs')}
      aria-label={trans.__('%1. Show runs', text)}
      onClick={onClick}
      onKeyDown={event => {
        if (event.key === 'Enter' || event.key === ' ') {
          event.preventDefault();
          onClick();
        }
      }}
    />
  );
}

/** Follows the active runs, whether or not there is a status bar. */
export const statusPlugin: JupyterFrontEndPlugin<void> = {
  id: 'fairing-az-jupyter:status',
  description: 'Shows active runs in the status bar.',
  autoStart: true,
  requires: [IFairingPanel],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    panel: IFairingPanel,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ) => {
    const trans = (translator ?? nullTranslator).load('fairing-az-jupyter');
    const { runs } = panel.model;
    keepState(runs, `fairing-az-jupyter:runs:${app.serviceManager.serverSettings.baseUrl}`);
    if (runs.selected) {
      panel.model.toggle('runs', true);
    }
    const onVisibility = () => runs.pause(document.hidden);
    document.addEventListener('visibilitychange', onVisibility);
    void app.restored.then(() => runs.connect());
    if (statusBar) {
      const item = ReactWidget.create(
        <StatusItem runs={runs} trans={trans} onClick={() => panel.show('runs')} />
      );
      item.addClass('jp-fairing-az-status');
      statusBar.registerStatusItem('fairing-az-jupyter:status', {
        item,
        align: 'left',
        rank: 90,
        isActive: () => runs.active.length > 0,
        activeStateChanged: runs.activeChanged
      });
    }
  }
};

/** Keep over a reload of the page which run is looked at; a browser that stores nothing loses only that. */
export function keepState(runs: RunsModel, key: string): void {
  let kept = '';
  try {
    kept = sessionStorage.getItem(key) ?? '';
    runs.restore(kept ? (JSON.parse(kept) as Json) : undefined);
  } catch {
    kept = '';
  }
  runs.changed.connect(() => {
    const state = JSON.stringify(runs.state);
    if (state !== kept) {
      kept = state;
      try {
        sessionStorage.setItem(key, state);
      } catch {
        // Full, or not allowed: the next reload begins without a selected run.
      }
    }
  });
}
