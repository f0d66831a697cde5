/** One run: how it is, how far it is, what it was given and has found, why it failed, and what can be done. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, copyIcon } from '@jupyterlab/ui-components';
import { useEffect, useId, useRef, useState } from 'react';

import { stripAnsi } from '../models/log_lines';
import { DeployModel } from '../models/deploy';
import type { OutputsModel } from '../models/outputs';
import type { IHost } from '../models/panel';
import type { RunWatch } from '../models/run_watch';
import type { RunsModel } from '../models/runs';
import type { IRun, IRunError } from '../types';
import { DeployForm } from './deploy_form';
import { FocusHandover } from './kept_focus';
import { LogPane } from './log_view';
import { Closable, ScrollRegion } from './regions';
import { ErrorAlert } from './error_alert';
import { RunCells } from './run_cells';
import { RunFiles } from './run_files';
import { Icon, kindWord, runName, StateIcon, stateWord } from './run_state';
import { serverText } from './server_text';
import { useSignals } from './signals';
import { Feed, TimeLine } from './time_line';
import { span, useNow } from './times';
import { ValuesTable } from './values_table';

/** What the details get. */
export interface IRunDetailsProps {
  readonly runs: RunsModel;
  readonly watch: RunWatch;
  readonly deploy: DeployModel;
  readonly host: IHost;
  readonly trans: TranslationBundle;
  readonly onClose: () => void;
  /** Is called with the new run after this one was repeated, or what it has trained was deployed. */
  readonly onFollowed?: (run: IRun) => void;
}

/** One run. */
export function RunDetails(props: IRunDetailsProps): JSX.Element {
  const { runs, watch, host, trans, onClose } = props;
  const outputs = runs.outputs(watch.id);
  useSignals(watch.changed, runs.changed, outputs.changed);
  const id = useId();
  const heading = useRef<HTMLHeadingElement>(null);
  const run = watch.run;
  const now = useNow(run?.is_active ?? false);
  useEffect(() => {
    const held = watch.hold();
    return () => held.dispose();
  }, [watch]);
  const keeps = run ? keepsFiles(run) : false;
  const isActive = run?.is_active ?? false;
  // On this machine files are kept when the run ends, in the cluster also before.
  const hasFiles = keeps && !(isActive && run?.place === 'here');
  useEffect(() => {
    if (hasFiles) {
      void outputs.refresh();
    }
  }, [outputs, hasFiles, isActive]);
  const close = (
    <button
      type="button"
      className="jp-fairing-az-tool"
      title={trans.__('Close')}
      aria-label={trans.__('Close the run')}
      onClick={onClose}
    >
      <Icon icon={closeIcon} />
    </button>
  );
  if (!run) {
    return (
      <div
        className="jp-fairing-az-run-details"
        role="group"
        aria-label={trans.__('Run %1', watch.id)}
      >
        <div className="jp-fairing-az-run-line">
          <p role="status">
            {watch.error ? trans.__('This run can’t be shown.') : trans.__('Loading the run…')}
          </p>
          {close}
        </div>
        <ErrorAlert error={watch.error} trans={trans} onRetry={() => watch.retry()} />
      </div>
    );
  }
  const seconds = run.duration ?? (run.started === null ? null : (run.ended ?? now) - run.started);
  return (
    <Closable className="jp-fairing-az-run-details" labelledBy={`${id}-name`} onClose={onClose}>
      <div className="jp-fairing-az-run-line">
        <h3
          id={`${id}-name`}
          ref={heading}
          tabIndex={-1}
          className="jp-fairing-az-run-name"
          title={run.notebook}
        >
          {runName(run)}
        </h3>
        {close}
      </div>
      <div className="jp-fairing-az-run-line jp-fairing-az-run-head">
        <span role="status">
          <StateIcon state={run.state} /> <strong>{stateWord(run.state, trans)}</strong>
        </span>
        <span className="jp-fairing-az-quiet">
          {[
            kindWord(run, trans),
            run.place === 'cluster' ? trans.__('in the cluster') : trans.__('on this machine'),
            // A number stays on the line of its unit.
            seconds === null ? '' : span(seconds, trans).replaceAll(' ', '\u00a0')
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </div>
      {!watch.isConnected && run.is_active && (
        <p role="status" className="jp-fairing-az-quiet">
          {trans.__('Connection lost. Reconnecting…')}
        </p>
      )}
      <Actions {...props} run={run} outputs={outputs} heading={heading} />
      <ErrorAlert error={runs.actionError} trans={trans} />
      <ErrorAlert error={watch.error} trans={trans} onRetry={() => watch.retry()} />
      <TimeLine run={run} progress={watch.progress} now={now} trans={trans} />
      <Feed progress={watch.progress} trans={trans} />
      <RunCells run={run} progress={watch.progress} now={now} trans={trans} />
      {run.state === 'lost' && (
        <p>
          {trans.__(
            'The process of this run ended without a result. Choose Retry to run it again.'
          )}
        </p>
      )}
      {run.error && <RunError error={run.error} trans={trans} />}
      {run.url && (
        <p className="jp-fairing-az-url">
          {trans.__('Endpoint %1:', run.endpoint)} <code>{run.url}</code>
        </p>
      )}
      <ValuesTable
        caption={trans.__('Metrics')}
        values={{ ...run.metrics, ...watch.progress.metrics }}
      />
      <ValuesTable caption={trans.__('Parameters')} values={run.parameters} />
      {keeps && <RunFiles run={run} outputs={outputs} host={host} trans={trans} />}
      <Identity run={run} host={host} trans={trans} />
    </Closable>
  );
}

/** Whether a run keeps files: a notebook on this machine writes them where they belong, a deployment writes none. */
function keepsFiles(run: IRun): boolean {
  return run.kind === 'train' || (run.kind === 'notebook' && run.place === 'cluster');
}

function Actions(
  props: IRunDetailsProps & {
    readonly run: IRun;
    readonly outputs: OutputsModel;
    readonly heading: React.RefObject<HTMLHeadingElement>;
  }
): JSX.Element {
  const { runs, run, outputs, deploy, host, trans, heading, onFollowed } = props;
  useSignals(deploy.changed);
  const [hasLog, setHasLog] = useState(false);
  const [asked, setAsked] = useState<'' | 'cancel' | 'retry'>('');
  const logButton = useRef<HTMLButtonElement>(null);
  const deployButton = useRef<HTMLButtonElement>(null);
  const isDeploying = deploy.run?.id === run.id;
  useEffect(() => setAsked(''), [run.id, run.is_active]);
  const ask = async (what: 'cancel' | 'retry') => {
    if (asked) {
      return;
    }
    setAsked(what);
    if (what === 'cancel') {
      await runs.cancel(run.id);
      // What was asked for shows in the run's state; after an error it can be asked for again.
      setAsked(runs.actionError ? '' : 'cancel');
      return;
    }
    const repeated = await runs.retry(run.id);
    setAsked('');
    if (repeated) {
      onFollowed?.(repeated);
      heading.current?.focus();
    }
  };
  const openResult = () => {
    if (run.output_path !== null) {
      void host
        .open(run.output_path)
        .catch((error: unknown) => host.notify(String(error), 'error'));
    } else {
      host.download(runs.api.executedUrl(run.id), `${run.id}.ipynb`);
    }
  };
  return (
    <>
      <div className="jp-fairing-az-actions" role="group" aria-label={trans.__('Run actions')}>
        {run.is_active ? (
          <FocusHandover key="cancel" to={heading}>
            <button
              type="button"
              className="jp-mod-styled"
              aria-disabled={asked === 'cancel'}
              onClick={() => void ask('cancel')}
            >
              {asked === 'cancel' ? trans.__('Cancelling…') : trans.__('Cancel')}
            </button>
          </FocusHandover>
        ) : (
          <FocusHandover key="retry" to={heading}>
            <button
              type="button"
              className="jp-mod-styled"
              aria-disabled={asked === 'retry'}
              onClick={() => void ask('retry')}
            >
              {trans.__('Retry')}
            </button>
          </FocusHandover>
        )}
        {run.kind === 'notebook' && !run.is_active && run.started !== null && (
          <button type="button" className="jp-mod-styled jp-mod-accept" onClick={openResult}>
            {run.output_path !== null ? trans.__('Open result') : trans.__('Download result')}
          </button>
        )}
        {DeployModel.isPossible(run) && outputs.files.length > 0 && (
          <button
            ref={deployButton}
            type="button"
            className="jp-mod-styled"
            aria-expanded={isDeploying}
            onClick={() => (isDeploying ? deploy.close() : void deploy.open(run))}
          >
            {trans.__('Deploy this model')}
          </button>
        )}
        <button
          ref={logButton}
          type="button"
          className="jp-mod-styled"
          aria-expanded={hasLog}
          onClick={() => setHasLog(!hasLog)}
        >
          {trans.__('Log')}
        </button>
      </div>
      {isDeploying && (
        <DeployForm
          deploy={deploy}
          trans={trans}
          onClose={() => {
            deploy.close();
            deployButton.current?.focus();
          }}
          onStarted={started => {
            onFollowed?.(started);
            heading.current?.focus();
          }}
        />
      )}
      {hasLog && (
        <LogPane
          key={run.id}
          api={runs.api}
          id={run.id}
          host={host}
          trans={trans}
          onClose={() => {
            setHasLog(false);
            logButton.current?.focus();
          }}
        />
      )}
    </>
  );
}

function RunError({
  error,
  trans
}: {
  readonly error: IRunError;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const traceback = stripAnsi((error.traceback ?? []).join('\n'));
  return (
    <div className="jp-fairing-az-run-error" role="group" aria-label={trans.__('Failure reason')}>
      <p>
        <strong>
          {error.cell === undefined || error.message?.startsWith(`Cell ${error.cell} `)
            ? trans.__('Error:')
            : trans.__('Error in cell %1:', error.cell)}
        </strong>{' '}
        {error.message === undefined
          ? trans.__('The run gave no reason for the failure. See its log.')
          : serverText(stripAnsi(error.message), trans)}
      </p>
      {error.hint && <p>{serverText(error.hint, trans)}</p>}
      {error.source && <pre className="jp-fairing-az-pre">{error.source}</pre>}
      {traceback && (
        <details className="jp-fairing-az-more">
          <summary>{trans.__('Traceback')}</summary>
          <ScrollRegion className="jp-fairing-az-pre" label={trans.__('Traceback')}>
            <pre>{traceback}</pre>
          </ScrollRegion>
        </details>
      )}
      {error.code && (
        <p className="jp-fairing-az-quiet">{trans.__('Error code: %1', error.code)}</p>
      )}
    </div>
  );
}

function Identity(props: {
  readonly run: IRun;
  readonly host: IHost;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { run, host, trans } = props;
  const copy = (text: string) => {
    void host.copy(text).then(
      () => host.notify(trans.__('Copied: %1', text), 'info'),
      (error: unknown) => host.notify(String(error), 'error')
    );
  };
  const command = `fairing-azure runs show ${run.id}`;
  return (
    <dl className="jp-fairing-az-identity">
      {[
        { word: trans.__('Run'), text: run.id, label: trans.__('Copy the run’s ID') },
        { word: trans.__('In a terminal'), text: command, label: trans.__('Copy the command') }
      ].map(({ word, text, label }) => (
        <div key={label}>
          <dt>{word}</dt>
          <dd>
            <code title={text}>{text}</code>
            <button
              type="button"
              className="jp-fairing-az-tool"
              title={label}
              aria-label={label}
              onClick={() => copy(text)}
            >
              <Icon icon={copyIcon} />
            </button>
          </dd>
        </div>
      ))}
      {run.retry_of && (
        <div>
          <dt>{trans.__('Retry of')}</dt>
          <dd>
            <code>{run.retry_of}</code>
          </dd>
        </div>
      )}
    </dl>
  );
}
