/** The section 'Checks': everything that a launch needs, and how to fix what is missing. */
import { useRef } from 'react';

import type { ChecksModel } from '../models/checks';
import { CheckRow } from '../parts/check_row';
import { ErrorMessage, Message } from '../parts/message';
import type { ISectionProps } from '../parts/section';
import { serverText } from '../parts/server_text';
import { useSignals } from '../parts/signals';
import type { ISecretChange } from '../types';

/** The statuses that need no attention. */
const NO_ATTENTION: ReadonlySet<string> = new Set(['pass', 'skipped']);

/** The section 'Checks'. */
export function ChecksSection({ model, trans }: ISectionProps): JSX.Element {
  const { checks } = model;
  useSignals(checks.changed, model.notebook.changed);
  const run = useRef<HTMLButtonElement>(null);
  const outcomes: Readonly<Record<ISecretChange['outcome'], string>> = {
    created: trans.__('created'),
    updated: trans.__('updated'),
    unchanged: trans.__('unchanged')
  };
  const isRunning = checks.state === 'running';
  const shown = checks.results.filter(
    result =>
      !checks.onlyAttention || !NO_ATTENTION.has(result.status) || result.check === checks.fixing
  );
  return (
    <>
      <div className="jp-fairing-az-buttons">
        <button
          ref={run}
          type="button"
          className="jp-mod-styled jp-mod-accept"
          aria-disabled={isRunning}
          onClick={() => {
            if (!isRunning) {
              void checks.start();
            }
          }}
        >
          {checks.state === 'none' ? trans.__('Run checks') : trans.__('Run checks again')}
        </button>
        {isRunning ? (
          <button
            type="button"
            className="jp-fairing-az-button"
            onClick={() => {
              run.current?.focus();
              checks.cancel();
            }}
          >
            {trans.__('Cancel')}
          </button>
        ) : null}
      </div>
      {checks.state === 'none' ? (
        <p className="jp-fairing-az-empty">
          {trans.__(
            'Checks every Secret, permission and Azure resource that a launch needs. Changes nothing.'
          )}
        </p>
      ) : null}
      <Summary checks={checks} trans={trans} />
      {checks.state !== 'none' && checks.path !== model.notebook.path ? (
        <Message kind="info" trans={trans}>
          {checks.path
            ? trans.__('These results are for %1.', checks.path)
            : trans.__('These results are not for a notebook.')}
        </Message>
      ) : null}
      <div role="status">
        {checks.fixed.map(change => (
          <Message key={`${change.kind} ${change.name}`} kind="success" trans={trans}>
            {change.kind} {change.name}: {outcomes[change.outcome]}.{' '}
            {serverText(change.note, trans)}
          </Message>
        ))}
      </div>
      <div role="alert">
        {checks.error ? <ErrorMessage error={checks.error} trans={trans} /> : null}
      </div>
      {checks.results.length > 0 ? (
        <label className="jp-fairing-az-attention">
          <input
            type="checkbox"
            className="jp-fairing-az-checkbox"
            checked={checks.onlyAttention}
            onChange={event => {
              checks.onlyAttention = event.target.checked;
            }}
          />
          {trans.__('Show only what needs attention')}
        </label>
      ) : null}
      {checks.results.length > 0 && shown.length === 0 ? (
        <p className="jp-fairing-az-empty">{trans.__('Nothing needs attention.')}</p>
      ) : null}
      <ul
        className="jp-fairing-az-checks"
        aria-label={trans.__('Results')}
        hidden={shown.length === 0}
      >
        {shown.map(result => (
          <CheckRow
            key={result.check}
            result={result}
            checks={checks}
            host={model.host}
            trans={trans}
            onFixed={() => run.current?.focus()}
          />
        ))}
      </ul>
    </>
  );
}

/** Says how far the checks are; it is read out as it changes. */
function Summary(props: {
  readonly checks: ChecksModel;
  readonly trans: ISectionProps['trans'];
}): JSX.Element {
  const { checks, trans } = props;
  const progress = progressText(checks, trans);
  const counts = countsText(checks, trans);
  return (
    <p role="status" className="jp-fairing-az-summary">
      {[progress, counts].filter(Boolean).join(' ')}
      {checks.isConnected ? '' : ` ${trans.__('(reconnecting…)')}`}
    </p>
  );
}

/** How far the checks are; empty when they are complete. */
function progressText(checks: ChecksModel, trans: ISectionProps['trans']): string {
  const { all } = checks.counts;
  switch (checks.state) {
    case 'running':
      return checks.expected === null
        ? trans.__('Checking: %1 done.', all)
        : trans.__('Checking: %1 of %2 done.', all, Math.max(checks.expected, all));
    case 'cancelled':
      return trans._n('Cancelled after %1 check.', 'Cancelled after %1 checks.', all);
    case 'broken':
      return all > 0
        ? trans._n(
            'Stopped by an error after %1 check.',
            'Stopped by an error after %1 checks.',
            all
          )
        : '';
    case 'done':
      return (checks.expected ?? 0) > all
        ? trans.__('%1 of %2 done.', all, checks.expected ?? 0)
        : '';
    default:
      return '';
  }
}

/** How many checks have which status, the worst first. */
function countsText(checks: ChecksModel, trans: ISectionProps['trans']): string {
  const { fail, warn, unknown, pass, skipped } = checks.counts;
  const cluster = checks.results.find(result => result.check === 'cluster')?.status;
  const needCluster = cluster === 'fail' || cluster === 'unknown';
  return [
    ...(fail > 0 ? [trans._n('%1 failed', '%1 failed', fail)] : []),
    ...(unknown > 0 ? [trans._n('%1 unknown', '%1 unknown', unknown)] : []),
    ...(warn > 0 ? [trans._n('%1 warning', '%1 warnings', warn)] : []),
    ...(pass > 0 ? [trans._n('%1 passed', '%1 passed', pass)] : []),
    ...(skipped > 0
      ? [
          needCluster
            ? trans._n('%1 skipped (needs the cluster)', '%1 skipped (need the cluster)', skipped)
            : trans._n('%1 skipped', '%1 skipped', skipped)
        ]
      : [])
  ].join(', ');
}
