/** What is asked before the files of a run are deployed: the class that serves them. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useId } from 'react';

import type { DeployModel } from '../models/deploy';
import type { IRun } from '../types';
import { ErrorAlert } from './error_alert';
import { LaunchPlace } from './launch_place';
import { Closable } from './regions';
import { useSignals } from './signals';

/** The class, where it will run, and the button. */
export function DeployForm(props: {
  readonly deploy: DeployModel;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
  readonly onStarted: (run: IRun) => void;
}): JSX.Element {
  const { deploy, trans, onClose, onStarted } = props;
  useSignals(deploy.changed);
  const id = useId();
  const isPossible = deploy.task !== '';
  const start = async () => {
    const started = await deploy.start();
    if (started) {
      onStarted(started);
    }
  };
  return (
    <Closable
      className="jp-fairing-az-deploy"
      label={trans.__('Deploy this model')}
      onClose={onClose}
    >
      <form
        onSubmit={event => {
          event.preventDefault();
          if (isPossible && !deploy.isStarting) {
            void start();
          }
        }}
      >
        {deploy.tasks.length > 0 ? (
          <div className="jp-fairing-az-entry">
            <label htmlFor={`${id}-task`}>{trans.__('Class')}</label>
            <select
              id={`${id}-task`}
              className="jp-mod-styled"
              value={deploy.task}
              onChange={event => deploy.choose(event.target.value)}
            >
              {deploy.tasks.map(task => (
                <option key={task.task} value={task.name}>
                  {task.name}
                </option>
              ))}
            </select>
          </div>
        ) : (
          <p role="status">
            {deploy.isLoading
              ? trans.__('Loading classes…')
              : deploy.error
                ? ''
                : trans.__(
                    'This notebook has no class that can be deployed. Add a class with a predict() method.'
                  )}
          </p>
        )}
        {isPossible && (
          <>
            <p className="jp-fairing-az-quiet">
              {trans.__('The endpoint gets the files that this run has written.')}
            </p>
            <LaunchPlace resolved={deploy.resolved} trans={trans} />
          </>
        )}
        <ErrorAlert error={deploy.error} trans={trans} />
        <div className="jp-fairing-az-actions">
          <button
            type="submit"
            className="jp-mod-styled jp-mod-accept"
            aria-disabled={!isPossible || deploy.isStarting}
          >
            {deploy.isStarting ? trans.__('Launching…') : trans.__('Deploy')}
          </button>
          <button type="button" className="jp-mod-styled" onClick={onClose}>
            {trans.__('Cancel')}
          </button>
        </div>
      </form>
    </Closable>
  );
}
