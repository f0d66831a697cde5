/** The section 'Checks': everything that a launch needs, and the cure of what is missing. */
import { useRef } from 'react';

import type { ChecksModel } from '../models/checks';
import { CheckRow } from '../parts/check_row';
import { ErrorMessage, Message } from '../parts/message';
import type { ISectionProps } from '../parts/section';
import { serverText } from '../parts/server_text';
import { useSignals } from '../parts/signals';
import type { ISecretChange } from '../types';

/** The statuses that need nobody's attention. */
const CALM: ReadonlySet<string> = new Set(['pass', 'skipped']);

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
    result => !checks.onlyAttention || !CALM.has(result.status) || result.check === checks.mending
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
            'Looks at every secret, permission and Azure resource that a launch needs. Nothing is changed.'
          )}
        </p>
      ) : null}
      <Summary checks={checks} trans={trans} />
      {checks.state !== 'none' && checks.path !== model.notebook.path ? (
        <Message kind="info" trans={trans}>
          {checks.path
            ? trans.__('These results are for %1.', checks.path)
            : trans.__('These results are for no notebook.')}
        </Message>
      ) : null}
      <div role="status">
        {checks.mended.map(change => (
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
          {trans.__('Only what needs attention')}
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
            onMended={() => run.current?.focus()}
          />
        ))}
      </ul>
    </>
  );
}

/** Tells how far the checks are; it is read out as it changes. */
function Summary(props: {
  readonly checks: ChecksModel;
  readonly trans: ISectionProps['trans'];
}): JSX.Element {
  const { checks, trans } = props;
  const { all, fail, warn, unknown } = checks.counts;
  const expected = Math.max(checks.expected ?? 0, all);
  const parts: string[] = [];
  if (checks.state === 'running') {
    parts.push(
      checks.expected === null
        ? trans._n('Checking: %1 done', 'Checking: %1 done', all)
        : trans.__('Checking: %1 of %2 done', all, expected)
    );
  } else if (checks.state === 'cancelled') {
    parts.push(trans._n('Cancelled: %1 was done', 'Cancelled: %1 were done', all));
  } else if (checks.state === 'done') {
    parts.push(trans.__('%1 of %2 done', all, expected));
  } else if (checks.state === 'broken' && all > 0) {
    parts.push(trans._n('Broken off: %1 was done', 'Broken off: %1 were done', all));
  }
  if (all > 0) {
    parts.push(
      ...(fail > 0 ? [trans._n('%1 fails', '%1 fail', fail)] : []),
      ...(warn > 0 ? [trans._n('%1 warns', '%1 warn', warn)] : []),
      ...(unknown > 0 ? [trans._n('%1 is not known', '%1 are not known', unknown)] : []),
      ...(fail + warn + unknown === 0 && checks.state === 'done' ? [trans.__('all is well')] : [])
    );
  }
  return (
    <p role="status" className="jp-fairing-az-summary">
      {parts.join(', ')}
      {checks.isConnected ? '' : ` ${trans.__('(connecting again…)')}`}
    </p>
  );
}
