/** The section 'Launch'. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useId, useRef } from 'react';

import { isLaunchable, type LaunchModel } from '../models/launch';
import { ParameterFields } from '../parts/parameter_fields';
import { LaunchPlace } from '../parts/launch_place';
import { ErrorAlert } from '../parts/error_alert';
import { RunDetails } from '../parts/run_details';
import type { ISectionProps } from '../parts/section';
import { serverText } from '../parts/server_text';
import { useSignals } from '../parts/signals';
import type { ITask, RunKind } from '../types';

/** The delay after the last edit before the settings are requested, in milliseconds. */
const DEBOUNCE = 300;

/** The section 'Launch': what is launched and where, and the launch that was started last. */
export function LaunchSection({ model, trans }: ISectionProps): JSX.Element {
  const { launch, deploy, notebook, settings, host } = model;
  useSignals(launch.changed, notebook.changed);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = () => {
      clearTimeout(timer);
      timer = setTimeout(() => void launch.refresh(), DEBOUNCE);
    };
    settings.changed.connect(later);
    notebook.changed.connect(later);
    void launch.refresh();
    return () => {
      clearTimeout(timer);
      settings.changed.disconnect(later);
      notebook.changed.disconnect(later);
    };
  }, [launch, notebook, settings]);
  const details = launch.launched && (
    <RunDetails
      key={launch.launched.id}
      runs={launch.runs}
      watch={launch.launched}
      deploy={deploy}
      host={host}
      trans={trans}
      onClose={() => {
        launch.close();
        button.current?.focus();
      }}
      onFollowed={run => {
        launch.show(run);
        button.current?.focus();
      }}
    />
  );
  if (!notebook.path) {
    return (
      <>
        <p>
          {trans.__('Open the notebook that you want to launch. Unsaved changes are saved first.')}
        </p>
        {details}
      </>
    );
  }
  const isPossible = launch.kind === 'notebook' || launch.task !== '';
  return (
    <>
      <form
        className="jp-fairing-az-launch"
        aria-label={trans.__('Launch')}
        onSubmit={event => {
          event.preventDefault();
          if (isPossible && !launch.isStarting) {
            void launch.start();
          }
        }}
      >
        <Kinds launch={launch} trans={trans} />
        {launch.kind === 'notebook' ? (
          <ParameterFields
            parameters={launch.parameters}
            typed={launch.typed}
            trans={trans}
            onType={(name, text) => launch.type(name, text)}
          />
        ) : (
          <TaskFields launch={launch} trans={trans} />
        )}
        <LaunchPlace resolved={launch.resolved} trans={trans} />
        <ErrorAlert error={launch.error} trans={trans} onRetry={() => void launch.refresh(true)} />
        <div className="jp-fairing-az-actions">
          <button
            ref={button}
            type="submit"
            className="jp-mod-styled jp-mod-accept"
            aria-disabled={!isPossible || launch.isStarting}
          >
            {launch.isStarting
              ? trans.__('Launching…')
              : notebook.isDirty
                ? trans.__('Save and launch')
                : trans.__('Launch')}
          </button>
        </div>
        <ErrorAlert error={launch.startError} trans={trans} />
      </form>
      {details}
    </>
  );
}

function Kinds({
  launch,
  trans
}: {
  readonly launch: LaunchModel;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const id = useId();
  const kinds: readonly (readonly [RunKind, string])[] = [
    ['notebook', trans.__('Whole notebook')],
    ['train', trans.__('Train a class')],
    ['deploy', trans.__('Deploy a class')]
  ];
  return (
    <fieldset className="jp-fairing-az-choices">
      <legend>{trans.__('What to launch')}</legend>
      {kinds.map(([kind, word]) => (
        <label key={kind} htmlFor={`${id}-${kind}`} className="jp-fairing-az-choice">
          <input
            id={`${id}-${kind}`}
            type="radio"
            name={id}
            checked={launch.kind === kind}
            onChange={() => launch.choose(kind)}
          />
          {word}
        </label>
      ))}
    </fieldset>
  );
}

function TaskFields({
  launch,
  trans
}: {
  readonly launch: LaunchModel;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const id = useId();
  const { kind, possible } = launch;
  const others = launch.tasks.filter(task => !isLaunchable(task, kind));
  const chosen = possible.find(task => task.name === launch.task);
  return (
    <>
      {possible.length > 0 ? (
        <div className="jp-fairing-az-entry">
          <label htmlFor={`${id}-task`}>{trans.__('Class')}</label>
          <select
            id={`${id}-task`}
            className="jp-mod-styled"
            value={launch.task}
            aria-describedby={`${id}-reason`}
            onChange={event => launch.chooseTask(event.target.value)}
          >
            {possible.map(task => (
              <option key={task.task} value={task.name}>
                {task.kind === 'function' ? trans.__('%1 (function)', task.name) : task.name}
              </option>
            ))}
          </select>
          <p id={`${id}-reason`} className="jp-fairing-az-quiet">
            {serverText(chosen?.reason ?? '', trans)}
          </p>
        </div>
      ) : (
        <p role="status">
          {launch.isLoading
            ? trans.__('Loading classes…')
            : kind === 'train'
              ? trans.__(
                  'This notebook has no class or function that can be trained. Add a class with a train() method.'
                )
              : trans.__(
                  'This notebook has no class that can be deployed. Add a class with a predict() method.'
                )}
        </p>
      )}
      {others.length > 0 && (
        <details className="jp-fairing-az-more">
          <summary>{otherTasks(others, kind, trans)}</summary>
          <ul className="jp-fairing-az-reasons">
            {others.map(task => (
              <li key={task.task}>
                <code>{task.name}</code> {serverText(task.reason, trans)}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div className="jp-fairing-az-entry">
        <label htmlFor={`${id}-files`}>{trans.__('Input files')}</label>
        <textarea
          id={`${id}-files`}
          className="jp-mod-styled"
          rows={2}
          spellCheck={false}
          value={launch.inputFiles}
          aria-describedby={`${id}-files-help`}
          onChange={event => launch.typeFiles(event.target.value)}
        />
        <p id={`${id}-files-help`} className="jp-fairing-az-quiet">
          {trans.__('Files that the class needs, one per line, relative to the notebook’s folder.')}
        </p>
      </div>
    </>
  );
}

/** Say how many classes and functions can't be launched in a way. */
function otherTasks(others: readonly ITask[], kind: RunKind, trans: TranslationBundle): string {
  const count = others.length;
  const isFunctions = others.every(task => task.kind === 'function');
  if (kind === 'deploy') {
    return isFunctions
      ? trans._n('%1 function can’t be deployed', '%1 functions can’t be deployed', count)
      : trans._n(
          '%1 class or function can’t be deployed',
          '%1 classes or functions can’t be deployed',
          count
        );
  }
  return isFunctions
    ? trans._n('%1 function can’t be trained', '%1 functions can’t be trained', count)
    : trans._n(
        '%1 class or function can’t be trained',
        '%1 classes or functions can’t be trained',
        count
      );
}
