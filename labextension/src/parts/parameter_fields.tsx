/** Values for the parameters of a notebook that is launched whole. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useId } from 'react';

import type { IParameter } from '../types';

/** One field for each parameter; an empty one leaves it as the notebook has it. */
export function ParameterFields(props: {
  readonly parameters: readonly IParameter[];
  readonly typed: Readonly<Record<string, string>>;
  readonly trans: TranslationBundle;
  readonly onType: (name: string, text: string) => void;
}): JSX.Element | null {
  const { parameters, typed, trans, onType } = props;
  const id = useId();
  if (!parameters.length) {
    return null;
  }
  const given = parameters.filter(parameter => (typed[parameter.name] ?? '').trim() !== '').length;
  return (
    <details className="jp-fairing-az-more">
      <summary>
        {given > 0
          ? trans._n('Parameters: %1 changed', 'Parameters: %1 changed', given)
          : trans.__('Parameters: as in the notebook')}
      </summary>
      <p className="jp-fairing-az-quiet">
        {trans.__('Leave a field empty to keep the notebook’s value.')}
      </p>
      {parameters.map(({ name, type, help, default: own }) => (
        <div key={name} className="jp-fairing-az-entry">
          <label htmlFor={`${id}-${name}`}>
            {name}
            {type ? <span className="jp-fairing-az-quiet"> {type}</span> : null}
          </label>
          <input
            id={`${id}-${name}`}
            type="text"
            className="jp-mod-styled"
            spellCheck={false}
            autoComplete="off"
            value={typed[name] ?? ''}
            placeholder={own}
            {...(help ? { 'aria-describedby': `${id}-${name}-help` } : {})}
            onChange={event => onType(name, event.target.value)}
          />
          {help && (
            <p id={`${id}-${name}-help`} className="jp-fairing-az-quiet">
              {help}
            </p>
          )}
        </div>
      ))}
    </details>
  );
}
