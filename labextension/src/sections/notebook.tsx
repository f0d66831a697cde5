/** The section 'Notebook': which notebook is beside the panel, and its parameters as they are. */
import { refreshIcon } from '@jupyterlab/ui-components';

import { ErrorMessage } from '../parts/message';
import type { ISectionProps } from '../parts/section';
import { useSignals } from '../parts/signals';
import type { IParameter } from '../types';
import { Fragment } from 'react';

/** The section 'Notebook'. */
export function NotebookSection({ model, trans }: ISectionProps): JSX.Element {
  const { settings, notebook } = model;
  useSignals(settings.changed);
  if (!notebook.panel) {
    return (
      <p className="jp-fairing-az-empty">
        {trans.__('No notebook is open. Open or create one to see its parameters here.')}
      </p>
    );
  }
  const name = notebook.path.split('/').pop() ?? notebook.path;
  const cell = notebook.parametersCell;
  const { parameters, parametersError } = settings;
  return (
    <>
      <div className="jp-fairing-az-notebook" title={notebook.path}>
        <strong className="jp-fairing-az-notebook-name">{name}</strong>
        {notebook.isDirty ? (
          <span className="jp-fairing-az-badge">{trans.__('unsaved')}</span>
        ) : null}
        {cell >= 0 ? (
          <button
            type="button"
            className="jp-fairing-az-link"
            onClick={() => {
              notebook.reveal(cell);
              notebook.focus();
            }}
          >
            {trans.__('Go to the parameters cell')}
          </button>
        ) : null}
      </div>
      {!notebook.isReady || (!parameters && !parametersError) ? (
        <p className="jp-fairing-az-empty" role="status">
          {trans.__('Reading the notebook…')}
        </p>
      ) : null}
      {parametersError ? (
        <ErrorMessage error={parametersError} trans={trans} onRetry={() => settings.refresh()} />
      ) : null}
      {parameters && !parameters.has_cell ? (
        <p className="jp-fairing-az-empty">
          {trans.__(
            'This notebook has no cell tagged “parameters”. To add one, edit a setting under Settings and choose Apply.'
          )}
        </p>
      ) : null}
      {parameters?.has_cell ? (
        parameters.parameters.length > 0 ? (
          <ParametersTable parameters={parameters.parameters} trans={trans} />
        ) : (
          <p className="jp-fairing-az-empty">
            {trans.__(
              'The parameters cell sets no parameters. To fill it, edit a setting under Settings and choose Apply.'
            )}
          </p>
        )
      ) : null}
      {parameters ? (
        <button
          type="button"
          className="jp-fairing-az-button jp-fairing-az-with-icon"
          onClick={() => settings.refresh()}
        >
          <refreshIcon.react tag="span" />
          {trans.__('Refresh')}
        </button>
      ) : null}
    </>
  );
}

function ParametersTable({
  parameters,
  trans
}: {
  readonly parameters: readonly IParameter[];
  readonly trans: ISectionProps['trans'];
}): JSX.Element {
  const isTyped = parameters.some(parameter => parameter.type);
  return (
    <table className="jp-fairing-az-table jp-fairing-az-parameters">
      <caption className="jp-fairing-az-hidden">{trans.__('Parameters of the notebook')}</caption>
      <thead>
        <tr>
          <th scope="col">{trans.__('Name')}</th>
          <th scope="col">{trans.__('Value')}</th>
          {isTyped ? <th scope="col">{trans.__('Type')}</th> : null}
        </tr>
      </thead>
      <tbody>
        {parameters.map(parameter => (
          <tr key={parameter.name}>
            <th scope="row">
              <code>
                <Breakable name={parameter.name} />
              </code>
            </th>
            <td>
              <code>{parameter.default}</code>
              {parameter.help ? <div className="jp-fairing-az-help">{parameter.help}</div> : null}
            </td>
            {isTyped ? <td>{parameter.type}</td> : null}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A name that breaks after its underscores, where the panel is narrow. */
function Breakable({ name }: { readonly name: string }): JSX.Element {
  return (
    <>
      {name.split(/(?<=_)(?!_|$)/).map((part, index) => (
        <Fragment key={index}>
          {index > 0 ? <wbr /> : null}
          {part}
        </Fragment>
      ))}
    </>
  );
}
