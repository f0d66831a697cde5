/** The section 'Endpoints'. */
import { refreshIcon } from '@jupyterlab/ui-components';
import { useEffect, useRef } from 'react';

import { keyOf } from '../models/endpoints';
import { EndpointItem } from '../parts/endpoint_item';
import { Message } from '../parts/message';
import { ErrorAlert } from '../parts/error_alert';
import { Icon } from '../parts/run_state';
import type { ISectionProps } from '../parts/section';
import { serverText } from '../parts/server_text';
import { useSignals } from '../parts/signals';

/** How long after the runs have changed the endpoints are asked for, in milliseconds: a deployment ends with one. */
const DEBOUNCE = 1500;

/** The section 'Endpoints': what was deployed, and a call to try it. */
export function EndpointsSection({ model, trans }: ISectionProps): JSX.Element {
  const { endpoints, runs, host, api } = model;
  useSignals(endpoints.changed);
  const refresh = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    void endpoints.refresh();
    let known = '';
    let timer: ReturnType<typeof setTimeout> | undefined;
    const onActive = () => {
      const now = runs.active
        .filter(run => run.kind === 'deploy')
        .map(run => `${run.id} ${run.endpoint}`)
        .join();
      if (now !== known) {
        known = now;
        clearTimeout(timer);
        timer = setTimeout(() => void endpoints.refresh(), DEBOUNCE);
      }
    };
    runs.activeChanged.connect(onActive);
    return () => {
      clearTimeout(timer);
      runs.activeChanged.disconnect(onActive);
    };
  }, [endpoints, runs]);
  const found = endpoints.endpoints;
  return (
    <>
      <div className="jp-fairing-az-run-line">
        <span role="status" className="jp-fairing-az-quiet">
          {endpoints.isLoading
            ? trans.__('Loading endpoints…')
            : found
              ? trans._n('%1 endpoint', '%1 endpoints', found.length)
              : ''}
        </span>
        <button
          ref={refresh}
          type="button"
          className="jp-fairing-az-tool"
          title={trans.__('Refresh')}
          aria-label={trans.__('Refresh the list of endpoints')}
          onClick={() => void endpoints.refresh()}
        >
          <Icon icon={refreshIcon} />
        </button>
      </div>
      <ErrorAlert error={endpoints.error} trans={trans} onRetry={() => void endpoints.refresh()} />
      {endpoints.note && (
        <div role="status">
          <Message kind="warning" trans={trans}>
            {trans.__('This list may be incomplete:')} {serverText(endpoints.note, trans)}
          </Message>
        </div>
      )}
      {found && found.length > 0 && (
        <ul className="jp-fairing-az-endpoints">
          {found.map(endpoint => (
            <EndpointItem
              key={keyOf(endpoint)}
              endpoint={endpoint}
              endpoints={endpoints}
              api={api}
              host={host}
              trans={trans}
              onDeleted={() => refresh.current?.focus()}
            />
          ))}
        </ul>
      )}
      {found?.length === 0 && !endpoints.isLoading && (
        <p>{trans.__('No endpoints yet. To create one, choose “Deploy a class” under Launch.')}</p>
      )}
    </>
  );
}
