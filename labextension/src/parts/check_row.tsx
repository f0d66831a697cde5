/** One row of the checks: what was found, why it matters, and how to fix it. */
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
import { fixRequestOf } from '../models/fix';
import type { IHost } from '../models/panel';
import type { CheckStatus, ICheckResult, IFix } from '../types';
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
  /** Is called when the checks start again after a fix: the element with the focus may be gone. */
  readonly onFixed: () => void;
}): JSX.Element {
  const { result, host, trans } = props;
  const id = useId();
  const words: Readonly<Record<CheckStatus, string>> = {
    pass: trans.__('passed'),
    warn: trans.__('warning'),
    fail: trans.__('failed'),
    skipped: trans.__('skipped'),
    unknown: trans.__('unknown')
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
              <p className="jp-fairing-az-help">{trans.__('Checked: %1', result.looked_at)}</p>
            ) : null}
            <FixButton {...props} />
            <Fixes fixes={result.cures} host={host} trans={trans} />
          </>
        ) : null}
      </div>
    </li>
  );
}

function Fixes(props: {
  readonly fixes: readonly IFix[];
  readonly host: IHost;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { fixes, host, trans } = props;
  if (fixes.length === 0) {
    return null;
  }
  const tools: Readonly<Record<IFix['tool'], string>> = {
    'fairing-azure': trans.__('In a terminal'),
    kubectl: trans.__('With kubectl'),
    az: trans.__('With the Azure CLI (az)'),
    text: ''
  };
  const steps = fixes.flatMap(fix => [
    { label: tools[fix.tool], text: fix.command },
    ...(fix.tool !== 'text' && fix.magic
      ? [{ label: trans.__('In a notebook cell'), text: fix.magic }]
      : [])
  ]);
  return (
    <div className="jp-fairing-az-fixes">
      <strong>{trans.__('To fix it:')}</strong>
      {steps.map(({ label, text }) =>
        label === '' ? (
          <p key={text}>{serverText(text, trans)}</p>
        ) : (
          <div key={`${label} ${text}`} className="jp-fairing-az-fix">
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

function FixButton(props: {
  readonly result: ICheckResult;
  readonly checks: ChecksModel;
  readonly trans: TranslationBundle;
  readonly onFixed: () => void;
}): JSX.Element | null {
  const { result, checks, trans, onFixed } = props;
  const opener = useRef<HTMLButtonElement>(null);
  const fix = fixRequestOf(result);
  if (!fix) {
    return null;
  }
  const isHere = checks.fixing === result.check;
  const close = () => {
    checks.closeFix();
    opener.current?.focus();
  };
  return (
    <>
      <div className="jp-fairing-az-buttons">
        <button
          ref={opener}
          type="button"
          className="jp-mod-styled jp-mod-accept"
          aria-label={trans.__('Fix: %1', serverText(result.title, trans))}
          aria-disabled={checks.isFixing}
          {...(fix.kind === 'secrets' ? { 'aria-expanded': isHere } : {})}
          onClick={() => {
            if (checks.isFixing) {
              return;
            }
            if (isHere && fix.kind === 'secrets') {
              close();
              return;
            }
            checks.openFix(result.check);
            if (fix.kind === 'attach') {
              onFixed();
              void checks.fix(fix);
            }
          }}
        >
          {trans.__('Fix')}
        </button>
      </div>
      {isHere && fix.kind === 'attach' && checks.fixError ? (
        <div role="alert">
          <ErrorMessage error={checks.fixError} trans={trans} />
        </div>
      ) : null}
      {isHere && fix.kind === 'secrets' ? (
        <SecretForm
          onlySecret={fix.only_secret}
          isBusy={checks.isFixing}
          error={checks.fixError}
          trans={trans}
          onCancel={close}
          onSend={values => {
            void checks.fix(fix, values).then(done => {
              if (done) {
                onFixed();
              }
            });
          }}
        />
      ) : null}
    </>
  );
}
