/** One field of the settings' form. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { undoIcon } from '@jupyterlab/ui-components';
import { useRef } from 'react';

import type { IFieldError, IFieldSource, ISetting, Json } from '../types';
import { kindOf, textOf, valueOf, type IFieldKind } from './property';
import { serverText } from './server_text';

/** What a field gets. */
export interface IFieldProps {
  readonly name: string;
  readonly property: ISetting;
  readonly value: Json;
  readonly isTyped: boolean;
  readonly source: IFieldSource | null;
  readonly error: IFieldError | null;
  readonly isMissing: boolean;
  readonly trans: TranslationBundle;
  readonly onChange: (value: Json) => void;
  readonly onReset: () => void;
}

/** One field: label, where the value comes from, control, help, and what is wrong. */
export function Field(props: IFieldProps): JSX.Element {
  const { name, property, value, isTyped, error, isMissing, trans } = props;
  const kind = kindOf(property);
  const id = `jp-fairing-az-field-${name}`;
  const title = serverText(property.title, trans);
  const frame = useRef<HTMLDivElement>(null);
  const toControl = () => frame.current?.querySelector<HTMLElement>('input, select')?.focus();
  const change = (next: Json) => {
    props.onChange(next);
    toControl();
  };
  const control = (
    <Control
      id={id}
      kind={kind}
      property={property}
      value={value}
      isTyped={isTyped}
      isWrong={error !== null}
      describedBy={`${id}-help${error ? ` ${id}-error` : ''}`}
      trans={trans}
      onChange={props.onChange}
      onReset={props.onReset}
    />
  );
  // A box that is ticked stands before its label, as everywhere.
  const isSwitch = kind.control === 'switch';
  return (
    <div className="jp-fairing-az-field" ref={frame} data-field={name}>
      <div className="jp-fairing-az-field-head">
        {isSwitch ? control : null}
        <label id={`${id}-label`} htmlFor={id} title={property.notebook_name}>
          {title}
        </label>
        <Badge source={props.source} isTyped={isTyped} trans={trans} />
        {isTyped ? (
          <button
            type="button"
            className="jp-fairing-az-icon-button"
            aria-label={trans.__('Reset')}
            aria-describedby={`${id}-label`}
            title={trans.__('Discard this change')}
            onClick={() => {
              props.onReset();
              toControl();
            }}
          >
            <undoIcon.react tag="span" />
          </button>
        ) : null}
      </div>
      {isSwitch ? null : control}
      {error ? (
        <div id={`${id}-error`} className="jp-fairing-az-field-error">
          <strong>{trans.__('Error')}:</strong> {serverText(error.message, trans)}{' '}
          {serverText(error.hint, trans)}
        </div>
      ) : null}
      {error?.suggestion ? (
        <button
          type="button"
          className="jp-fairing-az-button"
          onClick={() => change(valueOf(error.suggestion, kind))}
        >
          {trans.__('Use %1', error.suggestion)}
        </button>
      ) : null}
      <div id={`${id}-help`} className="jp-fairing-az-help">
        {isMissing ? <strong>{trans.__('Required for a launch.')} </strong> : null}
        {serverText(property.description, trans)}
      </div>
    </div>
  );
}

/** Where a value comes from. */
function Badge(props: {
  readonly source: IFieldSource | null;
  readonly isTyped: boolean;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { source, isTyped, trans } = props;
  const from = isTyped ? 'argument' : source?.source;
  // The name stands first; what the value is in place of follows.
  const profile = source?.detail.split('; ')[0];
  if (!from) {
    return null;
  }
  const words: Readonly<Record<IFieldSource['source'], string>> = {
    argument: trans.__('form'),
    'parameters cell': trans.__('parameters cell'),
    environment: trans.__('environment'),
    profile: profile ? trans.__('profile %1', profile) : trans.__('profile'),
    cluster: trans.__('cluster'),
    default: trans.__('default')
  };
  const word = words[from];
  const detail = !isTyped && source?.detail ? ` (${source.detail})` : '';
  return (
    <span
      className="jp-fairing-az-badge"
      title={trans.__('This value comes from: %1', `${word}${detail}`)}
    >
      {word}
    </span>
  );
}

interface IControlProps {
  readonly id: string;
  readonly kind: IFieldKind;
  readonly property: ISetting;
  readonly value: Json;
  readonly isTyped: boolean;
  readonly isWrong: boolean;
  readonly describedBy: string;
  readonly trans: TranslationBundle;
  readonly onChange: (value: Json) => void;
  readonly onReset: () => void;
}

function Control(props: IControlProps): JSX.Element {
  const { id, kind, property, value, isTyped, onChange, trans } = props;
  const text = textOf(value);
  const shared = {
    id,
    className: `jp-fairing-az-input${isTyped ? '' : ' jp-mod-inherited'}`,
    'aria-describedby': props.describedBy,
    'aria-invalid': props.isWrong
  };
  if (kind.control === 'fixed') {
    return <input {...shared} type="text" readOnly value={textOf(kind.choices[0] ?? null)} />;
  }
  if (kind.control === 'switch') {
    return (
      <input
        {...shared}
        className="jp-fairing-az-checkbox"
        type="checkbox"
        checked={value === true}
        onChange={event => onChange(event.target.checked)}
      />
    );
  }
  if (kind.control === 'choice') {
    const isKnown = kind.choices.some(choice => textOf(choice) === text);
    return (
      <select
        {...shared}
        value={text}
        onChange={event => onChange(valueOf(event.target.value, kind))}
      >
        {kind.isNullable || text === '' ? <option value="">{trans.__('(none)')}</option> : null}
        {!isKnown && text !== '' ? <option value={text}>{text}</option> : null}
        {kind.choices.map(choice => (
          <option key={textOf(choice)} value={textOf(choice)}>
            {textOf(choice)}
          </option>
        ))}
      </select>
    );
  }
  const example = property.examples[0];
  return (
    <input
      {...shared}
      type="text"
      inputMode={kind.control === 'number' ? 'numeric' : 'text'}
      autoComplete="off"
      autoCapitalize="none"
      spellCheck={false}
      value={text}
      placeholder={example === undefined ? '' : trans.__('for example %1', textOf(example))}
      onChange={event => onChange(valueOf(event.target.value, kind))}
      onBlur={() => {
        // Nothing typed where something is needed: the next source's value is in force, so show it.
        if (isTyped && value === '') {
          props.onReset();
        }
      }}
    />
  );
}
