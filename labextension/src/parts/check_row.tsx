/** One row of the checks: what was found, why it matters, and its cure. */
import type { TranslationBundle } from '@jupyterlab/translation';
import {
  caretDownIcon,
  caretRightIcon,
  checkIcon,
  circleEmptyIcon,
  copyIcon,
  errorIcon,
  infoIcon,
  type LabIcon
} from '@jupyterlab/ui-components';
import { useId, useRef, useState } from 'react';

import { warningIcon } from '../icon';
import type { ChecksModel } from '../models/checks';
import { mendOf } from '../models/mend';
import type { IHost } from '../models/panel';
import type { CheckStatus, ICheckResult, ICure } from '../types';
import { ErrorMessage } from './message';
import { SecretForm } from './secret_form';
import { serverText } from './server_text';

const ICONS: Readonly<Record<CheckStatus, LabIcon>> = {
  pass: checkIcon,
  warn: warningIcon,
  fail: errorIcon,
  skipped: circleEmptyIcon,
  unknown: infoIcon
};

/** One check. */
export function CheckRow(props: {
  readonly result: ICheckResult;
  readonly checks: ChecksModel;
  readonly host: IHost;
  readonly trans: TranslationBundle;
  /** Is called once a mending has begun to be checked: what had the keyboard may be gone. */
  readonly onMended: () => void;
}): JSX.Element {
  const { result, host, trans } = props;
  const id = useId();
  const words: Readonly<Record<CheckStatus, string>> = {
    pass: trans.__('passes'),
    warn: trans.__('warns'),
    fail: trans.__('fails'),
    skipped: trans.__('skipped'),
    unknown: trans.__('not known')
  };
  const needsAttention = result.status !== 'pass' && result.status !== 'skipped';
  const [chosen, setChosen] = useState<boolean | null>(null);
  const isOpen = chosen ?? needsAttention;
  const Icon = ICONS[result.status].react;
  const Caret = isOpen ? caretDownIcon.react : caretRightIcon.react;
  return (
    <li
      className={`jp-fairing-az-finding jp-fairing-az-finding-${result.status}`}
      data-check={result.check}
    >
      <button
        type="button"
        className="jp-fairing-az-finding-head"
        aria-expanded={isOpen}
        aria-controls={`${id}-body`}
        onClick={() => setChosen(!isOpen)}
      >
        <Caret tag="span" aria-hidden="true" />
        <Icon tag="span" className="jp-fairing-az-finding-icon" aria-hidden="true" />
        <span className="jp-fairing-az-finding-title">{serverText(result.title, trans)}</span>
        <span className="jp-fairing-az-finding-word">{words[result.status]}</span>
      </button>
      <div id={`${id}-body`} className="jp-fairing-az-finding-body" hidden={!isOpen}>
        {isOpen ? (
          <>
            <p>{serverText(result.message, trans)}</p>
            {result.why ? (
              <p className="jp-fairing-az-help">{serverText(result.why, trans)}</p>
            ) : null}
            {result.looked_at ? (
              <p className="jp-fairing-az-help">{trans.__('Looked at: %1', result.looked_at)}</p>
            ) : null}
            <Mend {...props} />
            <Cures fixes={result.fixes} host={host} trans={trans} />
          </>
        ) : null}
      </div>
    </li>
  );
}

function Cures(props: {
  readonly fixes: readonly ICure[];
  readonly host: IHost;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { fixes, host, trans } = props;
  if (fixes.length === 0) {
    return null;
  }
  const tools: Readonly<Record<ICure['tool'], string>> = {
    'fairing-azure': trans.__('In a terminal'),
    kubectl: trans.__('With kubectl'),
    az: trans.__('With the Azure CLI (az)'),
    text: ''
  };
  const steps = fixes.flatMap(cure => [
    { label: tools[cure.tool], text: cure.command },
    ...(cure.tool !== 'text' && cure.magic
      ? [{ label: trans.__('In a cell of the notebook'), text: cure.magic }]
      : [])
  ]);
  return (
    <div className="jp-fairing-az-cures">
      <strong>{trans.__('What to do')}</strong>
      {steps.map(({ label, text }) =>
        label === '' ? (
          <p key={text}>{serverText(text, trans)}</p>
        ) : (
          <div key={`${label} ${text}`} className="jp-fairing-az-cure">
            <span className="jp-fairing-az-help">{label}</span>
            <div className="jp-fairing-az-command">
              <code>{text}</code>
              <button
                type="button"
                className="jp-fairing-az-icon-button"
                aria-label={trans.__('Copy %1', text)}
                title={trans.__('Copy')}
                onClick={() => {
                  host.copy(text).then(
                    () => host.notify(trans.__('Copied.'), 'info'),
                    (reason: unknown) => host.notify(String(reason), 'error')
                  );
                }}
              >
                <copyIcon.react tag="span" />
              </button>
            </div>
          </div>
        )
      )}
    </div>
  );
}

function Mend(props: {
  readonly result: ICheckResult;
  readonly checks: ChecksModel;
  readonly trans: TranslationBundle;
  readonly onMended: () => void;
}): JSX.Element | null {
  const { result, checks, trans, onMended } = props;
  const opener = useRef<HTMLButtonElement>(null);
  const mend = mendOf(result);
  if (!mend) {
    return null;
  }
  const isHere = checks.mending === result.check;
  const close = () => {
    checks.closeMend();
    opener.current?.focus();
  };
  return (
    <>
      <div className="jp-fairing-az-buttons">
        <button
          ref={opener}
          type="button"
          className="jp-mod-styled jp-mod-accept"
          aria-label={trans.__('Mend: %1', serverText(result.title, trans))}
          aria-disabled={checks.isMending}
          {...(mend.kind === 'secrets' ? { 'aria-expanded': isHere } : {})}
          onClick={() => {
            if (checks.isMending) {
              return;
            }
            if (isHere && mend.kind === 'secrets') {
              close();
              return;
            }
            checks.openMend(result.check);
            if (mend.kind === 'attach') {
              onMended();
              void checks.mend(mend);
            }
          }}
        >
          {trans.__('Mend')}
        </button>
      </div>
      {isHere && mend.kind === 'attach' && checks.mendError ? (
        <div role="alert">
          <ErrorMessage error={checks.mendError} trans={trans} />
        </div>
      ) : null}
      {isHere && mend.kind === 'secrets' ? (
        <SecretForm
          onlySecret={mend.only_secret}
          isBusy={checks.isMending}
          error={checks.mendError}
          trans={trans}
          onCancel={close}
          onSend={values => {
            void checks.mend(mend, values).then(done => {
              if (done) {
                onMended();
              }
            });
          }}
        />
      ) : null}
    </>
  );
}
