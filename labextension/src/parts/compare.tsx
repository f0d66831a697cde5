/** Runs beside each other: where their parameters differ, and what they have found. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import { useEffect, useRef } from 'react';

import type { IComparison } from '../types';
import { Closable, ScrollRegion } from './regions';
import { Icon, runName, StateIcon, stateWord } from './run_state';
import { span } from './times';
import { shownValue } from './values_table';

/** A table with a column for each run; which value is the best is for the user to say. */
export function Comparison(props: {
  readonly comparison: IComparison;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): JSX.Element {
  const { comparison, trans, onClose } = props;
  const { runs, parameters, metrics } = comparison;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [comparison]);
  const groups = [
    { caption: trans.__('Parameters that differ'), names: parameters, of: 'parameters' as const },
    { caption: trans.__('Metrics'), names: metrics, of: 'metrics' as const }
  ];
  return (
    <Closable
      className="jp-fairing-az-comparison"
      label={trans.__('Comparison of runs')}
      onClose={onClose}
    >
      <div className="jp-fairing-az-run-line">
        <h3 ref={heading} tabIndex={-1} className="jp-fairing-az-run-name">
          {trans._n('%1 run', '%1 runs side by side', runs.length)}
        </h3>
        <button
          type="button"
          className="jp-fairing-az-tool"
          title={trans.__('Close the comparison')}
          aria-label={trans.__('Close the comparison')}
          onClick={onClose}
        >
          <Icon icon={closeIcon} />
        </button>
      </div>
      <ScrollRegion className="jp-fairing-az-scroll" label={trans.__('Table of runs')}>
        <table className="jp-fairing-az-figures">
          <thead>
            <tr>
              <th scope="col">{trans.__('Run')}</th>
              {runs.map(run => (
                <th key={run.id} scope="col" title={run.id}>
                  {runName(run)}
                  <br />
                  <span className="jp-fairing-az-quiet">{run.id}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">{trans.__('State')}</th>
              {runs.map(run => (
                <td key={run.id}>
                  <StateIcon state={run.state} /> {stateWord(run.state, trans)}
                </td>
              ))}
            </tr>
            <tr>
              <th scope="row">{trans.__('Duration')}</th>
              {runs.map(run => (
                <td key={run.id}>{run.duration === null ? '–' : span(run.duration, trans)}</td>
              ))}
            </tr>
          </tbody>
          {groups
            .filter(group => group.names.length > 0)
            .map(group => (
              <tbody key={group.of}>
                <tr>
                  <th scope="colgroup" colSpan={runs.length + 1} className="jp-fairing-az-quiet">
                    {group.caption}
                  </th>
                </tr>
                {group.names.map(name => (
                  <tr key={name}>
                    <th scope="row">{name}</th>
                    {runs.map(run => (
                      <td key={run.id} title={JSON.stringify(run[group.of][name])}>
                        {shownValue(run[group.of][name])}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            ))}
        </table>
      </ScrollRegion>
      {parameters.length === 0 && <p>{trans.__('All parameters are the same.')}</p>}
      {metrics.length === 0 && <p>{trans.__('No run reported a metric.')}</p>}
    </Closable>
  );
}
