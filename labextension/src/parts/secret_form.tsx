/** Asks for a service principal's values, sends them, and keeps none. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useEffect, useId, useRef } from 'react';

import type { ApiError } from '../api';
import type { ISecretValues } from '../types';
import { ErrorMessage, Message } from './message';
import { serverText } from './server_text';

type Name = Exclude<keyof ISecretValues, 'expires'>;

/** What the form gets. */
export interface ISecretFormProps {
  /** Whether only the client secret is renewed. */
  readonly onlySecret: boolean;
  readonly isBusy: boolean;
  readonly error: ApiError | null;
  readonly trans: TranslationBundle;
  readonly onSend: (values: ISecretValues) => void;
  readonly onCancel: () => void;
}

/**
 * The form for a service principal.
 *
 * Its inputs are not React's: a secret stands in no state or property, and the input forgets it once it is sent.
 */
export function SecretForm(props: ISecretFormProps): JSX.Element {
  const { onlySecret, isBusy, error, trans, onSend, onCancel } = props;
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    const wrong = form.current?.querySelector<HTMLElement>('[aria-invalid=true]');
    (wrong ?? form.current?.querySelector('input'))?.focus();
  }, [error]);
  const labels: Readonly<Record<Name, string>> = {
    client_id: trans.__('Client ID'),
    client_secret: trans.__('Client secret'),
    tenant_id: trans.__('Tenant ID'),
    subscription_id: trans.__('Subscription ID')
  };
  const names: readonly Name[] = onlySecret
    ? ['client_secret']
    : ['client_id', 'client_secret', 'tenant_id', 'subscription_id'];
  const send = () => {
    const element = form.current;
    if (!element || isBusy) {
      return;
    }
    const given = new FormData(element);
    const values: { -readonly [N in keyof ISecretValues]: ISecretValues[N] } = {};
    for (const name of [...names, 'expires'] as const) {
      const value = given.get(name);
      if (typeof value === 'string' && value !== '') {
        values[name] = value;
      }
    }
    const secret = element.querySelector<HTMLInputElement>('input[type=password]');
    if (secret) {
      secret.value = '';
    }
    onSend(values);
  };
  return (
    <form
      ref={form}
      className="jp-fairing-az-inline-form"
      aria-label={trans.__('Service principal')}
      autoComplete="off"
      onSubmit={event => {
        event.preventDefault();
        send();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onCancel();
        }
      }}
    >
      {onlySecret ? null : (
        <p className="jp-fairing-az-help">
          {trans.__(
            'Leave a field empty to keep the value that the Secret in the cluster already has.'
          )}
        </p>
      )}
      {names.map(name => {
        const wrong = error?.errors.find(each => each.field === `values.${name}`);
        return (
          <div key={name} className="jp-fairing-az-field">
            <label htmlFor={`${id}-${name}`}>{labels[name]}</label>
            <input
              id={`${id}-${name}`}
              name={name}
              className="jp-fairing-az-input"
              type={name === 'client_secret' ? 'password' : 'text'}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              placeholder={error && name === 'client_secret' ? trans.__('Enter it again') : ''}
              aria-invalid={wrong !== undefined}
              aria-describedby={wrong ? `${id}-${name}-error` : undefined}
            />
            {wrong ? (
              <div id={`${id}-${name}-error`} className="jp-fairing-az-field-error">
                <strong>{trans.__('Error')}:</strong> {serverText(wrong.message, trans)}{' '}
                {serverText(wrong.hint, trans)}
              </div>
            ) : null}
          </div>
        );
      })}
      <div className="jp-fairing-az-field">
        <label htmlFor={`${id}-expires`}>{trans.__('Client secret expires on')}</label>
        <input
          id={`${id}-expires`}
          name="expires"
          className="jp-fairing-az-input"
          type="date"
          autoComplete="off"
          aria-describedby={`${id}-expires-help`}
        />
        <div id={`${id}-expires-help`} className="jp-fairing-az-help">
          {trans.__('Optional. If given, the checks warn before the secret expires.')}
        </div>
      </div>
      <div role="alert">
        {error && error.errors.length > 0 ? (
          <Message kind="error" trans={trans}>
            {serverText(error.message, trans)}
          </Message>
        ) : error ? (
          <ErrorMessage error={error} trans={trans} />
        ) : null}
      </div>
      <div className="jp-fairing-az-buttons">
        <button type="submit" className="jp-mod-styled jp-mod-accept" aria-disabled={isBusy}>
          {isBusy ? trans.__('Sending…') : trans.__('Fix')}
        </button>
        <button type="button" className="jp-fairing-az-button" onClick={onCancel}>
          {trans.__('Cancel')}
        </button>
      </div>
    </form>
  );
}
