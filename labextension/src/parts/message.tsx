/** Messages of the panel: an icon, a word and a text, and what to do next. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { checkIcon, errorIcon, infoIcon, type LabIcon } from '@jupyterlab/ui-components';
import type { ReactNode } from 'react';

import type { ApiError } from '../api';
import { warningIcon } from '../icon';
import { serverText } from './server_text';

/** The kinds of messages. */
export type MessageKind = 'error' | 'warning' | 'info' | 'success';

const ICONS: Readonly<Record<MessageKind, LabIcon>> = {
  error: errorIcon,
  warning: warningIcon,
  info: infoIcon,
  success: checkIcon
};

/** A message; icon and word say its kind, not colour alone. */
export function Message(props: {
  readonly kind: MessageKind;
  readonly trans: TranslationBundle;
  readonly children: ReactNode;
}): JSX.Element {
  const { kind, trans, children } = props;
  const words: Readonly<Record<MessageKind, string>> = {
    error: trans.__('Error'),
    warning: trans.__('Warning'),
    info: trans.__('Note'),
    success: trans.__('Done')
  };
  const Icon = ICONS[kind].react;
  return (
    <div className={`jp-fairing-az-message jp-fairing-az-message-${kind}`}>
      <Icon tag="span" className="jp-fairing-az-message-icon" aria-hidden="true" />
      <div className="jp-fairing-az-message-text">
        <strong>{words[kind]}:</strong> {children}
      </div>
    </div>
  );
}

/** An error, and what to do about it. */
export function ErrorMessage(props: {
  readonly error: ApiError;
  readonly trans: TranslationBundle;
  readonly onRetry?: (() => void) | undefined;
}): JSX.Element {
  const { error, trans, onRetry } = props;
  const isMissing = error.status === 404 && error.code === 'http';
  const message = isMissing
    ? trans.__('The server extension fairing_az_jupyter is not running.')
    : serverText(error.message, trans);
  const hint = isMissing
    ? trans.__(
        'In a terminal, run: jupyter server extension enable fairing_az_jupyter. Then restart Jupyter.'
      )
    : serverText(error.hint, trans);
  return (
    <Message kind="error" trans={trans}>
      {message}
      {hint ? <p className="jp-fairing-az-hint">{hint}</p> : null}
      {error.errors.map(each => (
        <p key={each.field} className="jp-fairing-az-hint">
          {each.field}: {serverText(each.message, trans)} {serverText(each.hint, trans)}
        </p>
      ))}
      {onRetry ? (
        <p>
          <button type="button" className="jp-fairing-az-button" onClick={onRetry}>
            {trans.__('Try again')}
          </button>
        </p>
      ) : null}
    </Message>
  );
}
