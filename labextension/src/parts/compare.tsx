/** Runs beside each other: where their parameters and what they were made of differ, and what they have found. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import { useEffect, useRef } from 'react';

import type { IComparison, IDifference } from '../types';
import { Closable, ScrollRegion } from './regions';
import { Icon, runName, StateIcon, stateWord } from './run_state';
import { serverText } from './server_text';
import { readableSize } from './sizes';
import { span } from './times';
import { shownValue } from './values_table';

/** What runs are made of, in the order in which it is shown. */
const ASPECTS = [
  'code',
  'data',
  'image',
  'packages',
  'settings'
] as const satisfies readonly IDifference['aspect'][];
/** As many digits of a digest as tell two apart. */
const DIGEST = 12;

/** A table with a column for each run; which value is the best is for the user to say. */
export function Comparison(props: {
  readonly comparison: IComparison;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
}): JSX.Element {
  const { comparison, trans, onClose } = props;
  const { runs, parameters, metrics, differences, unknown } = comparison;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), [comparison]);
  const groups = [
    { caption: trans.__('Parameters that differ'), names: parameters, of: 'parameters' as const },
    { caption: trans.__('Metrics'), names: metrics, of: 'metrics' as const }
  ];
  // Of fewer than two nothing can be the same.
  const isKnown = runs.length - unknown.length > 1;
  const same = isKnown
    ? ASPECTS.filter(aspect => !differences.some(each => each.aspect === aspect))
    : [];
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
          {ASPECTS.map(aspect => ({
            aspect,
            found: differences.filter(each => each.aspect === aspect)
          }))
            .filter(group => group.found.length > 0)
            .map(group => (
              <tbody key={group.aspect}>
                <tr>
                  <th scope="colgroup" colSpan={runs.length + 1} className="jp-fairing-az-quiet">
                    {aspectTitle(group.aspect, trans)}
                  </th>
                </tr>
                {group.found.map(each => (
                  <tr key={each.name}>
                    <th scope="row" title={differenceName(each, trans)}>
                      {differenceName(each, trans)}
                    </th>
                    {each.values.map((value, column) => (
                      <td key={runs[column]?.id ?? column} title={value ?? ''}>
                        {madeOf(each, value, trans)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            ))}
        </table>
      </ScrollRegion>
      {unknown.map(run => (
        <p key={run}>{trans.__('%1 does not tell what it was made of.', run)}</p>
      ))}
      {same.length > 0 && (
        <p>
          {same.length === ASPECTS.length
            ? trans.__('Code, data, image, packages and settings are the same.')
            : trans.__('The same: %1.', same.map(aspect => aspectWord(aspect, trans)).join(', '))}
        </p>
      )}
      {parameters.length === 0 && <p>{trans.__('All parameters are the same.')}</p>}
      {metrics.length === 0 && <p>{trans.__('No run reported a metric.')}</p>}
    </Closable>
  );
}

/** The word for what runs are made of, in a list. */
function aspectWord(aspect: IDifference['aspect'], trans: TranslationBundle): string {
  const words: Readonly<Record<IDifference['aspect'], string>> = {
    code: trans.__('code'),
    data: trans.__('data'),
    image: trans.__('image'),
    packages: trans.__('packages'),
    settings: trans.__('settings')
  };
  return words[aspect];
}

function aspectTitle(aspect: IDifference['aspect'], trans: TranslationBundle): string {
  const titles: Readonly<Record<IDifference['aspect'], string>> = {
    code: trans.__('Code that differs'),
    data: trans.__('Data that differ'),
    image: trans.__('Images that differ'),
    packages: trans.__('Packages that differ'),
    settings: trans.__('Settings that differ')
  };
  return titles[aspect];
}

/** What differs: a name of the user's or of a package, or one of the words that the server has for it. */
function differenceName(each: IDifference, trans: TranslationBundle): string {
  return each.aspect === 'code' || each.aspect === 'image'
    ? serverText(each.name, trans)
    : each.name;
}

/** What a run was made of, shortened as far as it still differs from others. */
function madeOf(each: IDifference, value: string | null, trans: TranslationBundle): string {
  if (value === null) {
    return '–';
  }
  const file = /^([0-9a-f]{64}) (\d+)$/.exec(value);
  if (each.aspect === 'data' && file) {
    const [, digest = '', size = ''] = file;
    return trans.__('%1 (%2)', digest.slice(0, DIGEST), readableSize(Number(size), trans));
  }
  return each.name === 'digest' ? value.replace(/^sha256:/, '').slice(0, DIGEST) : value;
}
