/** One endpoint: how it is, where it predicts, and a call to try it. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { copyIcon } from '@jupyterlab/ui-components';
import { useId, useRef, useState } from 'react';

import { keyOf, type EndpointsModel, type ITrial } from '../models/endpoints';
import type { IHost } from '../models/panel';
import type { LogApi } from '../models/log';
import type { StepState } from '../models/progress';
import type { IEndpoint } from '../types';
import { LogPane } from './log_view';
import { Message } from './message';
import { ErrorAlert } from './error_alert';
import { ScrollRegion } from './regions';
import { Icon, StateIcon } from './run_state';
import { serverText } from './server_text';
import { age, useNow } from './times';
import { shownValue } from './values_table';

/** What an endpoint gets. */
export interface IEndpointItemProps {
  readonly endpoint: IEndpoint;
  readonly endpoints: EndpointsModel;
  readonly api: LogApi;
  readonly host: IHost;
  readonly trans: TranslationBundle;
  /** Is called after it was deleted. */
  readonly onDeleted: () => void;
}

/** One endpoint. */
export function EndpointItem(props: IEndpointItemProps): JSX.Element {
  const { endpoint, endpoints, api, host, trans, onDeleted } = props;
  const id = useId();
  const now = useNow(true, 30000);
  const [open, setOpen] = useState<'' | 'trial' | 'log'>('');
  const logButton = useRef<HTMLButtonElement>(null);
  const isDeleting = endpoints.deleting.has(keyOf(endpoint));
  const place =
    endpoint.place === 'here'
      ? trans.__('on this machine')
      : trans.__('in the cluster, namespace %1', endpoint.namespace);
  const created = Date.parse(endpoint.created) / 1000;
  const copy = () => {
    void host.copy(endpoint.url).then(
      () => host.notify(trans.__('Copied: %1', endpoint.url), 'info'),
      (error: unknown) => host.notify(String(error), 'error')
    );
  };
  const remove = async () => {
    const title = trans.__('Delete the endpoint %1?', endpoint.name);
    const body = trans.__('The endpoint %1 will stop. This can’t be undone.', place);
    if (
      !isDeleting &&
      (await host.confirm(title, body, trans.__('Delete'))) &&
      (await endpoints.delete(endpoint))
    ) {
      host.notify(trans.__('Endpoint %1 deleted.', endpoint.name), 'success');
      onDeleted();
    }
  };
  return (
    <li className="jp-fairing-az-endpoint" aria-labelledby={`${id}-name`}>
      <div className="jp-fairing-az-run-line">
        <h3 id={`${id}-name`} className="jp-fairing-az-run-name" title={endpoint.name}>
          {endpoint.name}
        </h3>
        <span className="jp-fairing-az-endpoint-state">
          <StateIcon state={STATES[endpoint.state]} /> {stateWord(endpoint.state, trans)}
        </span>
      </div>
      <p className="jp-fairing-az-quiet">
        {[place, endpoint.owner, Number.isFinite(created) ? age(created, now, trans) : '']
          .filter(Boolean)
          .join(' · ')}
      </p>
      {endpoint.detail && <p>{serverText(endpoint.detail, trans)}</p>}
      {endpoint.url && (
        <p className="jp-fairing-az-run-line">
          <code className="jp-fairing-az-code" title={endpoint.url}>
            {endpoint.url}
          </code>
          <button
            type="button"
            className="jp-fairing-az-tool"
            title={trans.__('Copy the address')}
            aria-label={trans.__('Copy the address of %1', endpoint.name)}
            onClick={copy}
          >
            <Icon icon={copyIcon} />
          </button>
        </p>
      )}
      {endpoint.public && (
        <Message kind="warning" trans={trans}>
          {trans.__('Public:')} {trans.__('anyone who has this address can use it.')}
        </Message>
      )}
      <div
        className="jp-fairing-az-actions"
        role="group"
        aria-label={trans.__('Actions for %1', endpoint.name)}
      >
        <button
          type="button"
          className="jp-mod-styled"
          aria-expanded={open === 'trial'}
          onClick={() => setOpen(open === 'trial' ? '' : 'trial')}
        >
          {trans.__('Test call')}
        </button>
        {endpoint.run && (
          <button
            ref={logButton}
            type="button"
            className="jp-mod-styled"
            aria-expanded={open === 'log'}
            onClick={() => setOpen(open === 'log' ? '' : 'log')}
          >
            {trans.__('Log')}
          </button>
        )}
        <button
          type="button"
          className="jp-mod-styled"
          aria-disabled={isDeleting}
          onClick={() => void remove()}
        >
          {isDeleting ? trans.__('Deleting…') : trans.__('Delete')}
        </button>
      </div>
      {open === 'trial' && (
        <Trial
          endpoint={endpoint}
          endpoints={endpoints}
          trial={endpoints.trial(endpoint)}
          trans={trans}
        />
      )}
      {open === 'log' && (
        <LogPane
          api={api}
          id={endpoint.run}
          host={host}
          trans={trans}
          onClose={() => {
            setOpen('');
            logButton.current?.focus();
          }}
        />
      )}
    </li>
  );
}

function Trial(props: {
  readonly endpoint: IEndpoint;
  readonly endpoints: EndpointsModel;
  readonly trial: ITrial;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { endpoint, endpoints, trial, trans } = props;
  const id = useId();
  const { answer } = trial;
  return (
    <form
      className="jp-fairing-az-trial"
      onSubmit={event => {
        event.preventDefault();
        void endpoints.call(endpoint);
      }}
    >
      <div className="jp-fairing-az-entry">
        <label htmlFor={`${id}-rows`}>{trans.__('Sample rows')}</label>
        <textarea
          id={`${id}-rows`}
          className="jp-mod-styled"
          rows={4}
          spellCheck={false}
          value={trial.data}
          aria-describedby={`${id}-help`}
          aria-invalid={trial.error !== null}
          onChange={event => endpoints.type(endpoint, event.target.value)}
        />
        <p id={`${id}-help`} className="jp-fairing-az-quiet">
          {trans.__('CSV with a header line, or JSON such as [[1, 2.5]]')}
        </p>
      </div>
      <div className="jp-fairing-az-actions">
        <button
          type="submit"
          className="jp-mod-styled jp-mod-accept"
          aria-disabled={trial.isAsking}
        >
          {trial.isAsking ? trans.__('Predicting…') : trans.__('Predict')}
        </button>
      </div>
      <ErrorAlert error={trial.error} trans={trans} />
      <div role="status">
        {answer && (
          <>
            <p>{trans.__('Answered in %1 s.', answer.latency.toFixed(3))}</p>
            <ScrollRegion className="jp-fairing-az-answer" label={trans.__('Predictions')}>
              <ol>
                {answer.values.slice(0, 200).map((value, at) => (
                  <li key={at}>
                    <code>{shownValue(value)}</code>
                  </li>
                ))}
              </ol>
            </ScrollRegion>
            {answer.values.length > 200 && (
              <p>{trans.__('and %1 more', answer.values.length - 200)}</p>
            )}
          </>
        )}
      </div>
    </form>
  );
}

const STATES: Readonly<Record<IEndpoint['state'], StepState>> = {
  ready: 'succeeded',
  succeeded: 'succeeded',
  running: 'running',
  pending: 'waiting',
  failed: 'failed',
  broken: 'failed',
  stopped: 'skipped',
  deleting: 'skipped'
};

function stateWord(state: IEndpoint['state'], trans: TranslationBundle): string {
  switch (state) {
    case 'ready':
      return trans.__('ready');
    case 'pending':
      return trans.__('pending');
    case 'failed':
      return trans.__('failed');
    case 'running':
      return trans.__('running');
    case 'succeeded':
      return trans.__('succeeded');
    case 'stopped':
      return trans.__('stopped');
    case 'deleting':
      return trans.__('deleting');
    case 'broken':
      return trans.__('broken');
  }
}
