/** What a fill will change in the notebook, and the button that does it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import type { PanelModel } from '../models/panel';
import { Diff } from './diff';
import { ErrorMessage, Message } from './message';
import { serverText } from './server_text';
import { useSignals } from './signals';

/** The part 'Changes to the notebook'. */
export function FillPreview(props: {
  readonly model: PanelModel;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { model, trans } = props;
  const { settings, notebook } = model;
  const { fill } = settings;
  useSignals(fill.changed, settings.changed);
  const { plan, error } = fill;
  const isReady = plan?.changed === true && !fill.isApplying && !notebook.isReadOnly;
  const apply = async () => {
    if (isReady && (await settings.apply(true)) === 'applied') {
      notebook.focus();
    }
  };
  return (
    <section className="jp-fairing-az-fill" aria-labelledby="jp-fairing-az-fill-heading">
      <h3 id="jp-fairing-az-fill-heading">{trans.__('Changes to the notebook')}</h3>
      {error && error.code !== 'nothing-to-fill' ? (
        <ErrorMessage error={error} trans={trans} onRetry={() => settings.refresh()} />
      ) : null}
      {plan?.changed ? <Diff text={plan.diff} label={trans.__('Changed lines')} /> : null}
      {plan?.warnings.map(warning => (
        <Message key={warning} kind="warning" trans={trans}>
          {serverText(warning, trans)}
        </Message>
      ))}
      <div role="status">
        <FillStatus model={model} trans={trans} />
      </div>
      <div className="jp-fairing-az-buttons">
        <button
          type="button"
          className="jp-mod-styled jp-mod-accept"
          aria-disabled={!isReady}
          onClick={() => void apply()}
        >
          {trans.__('Apply')}
        </button>
        {fill.outcome === 'applied' && notebook.isDirty ? (
          <button
            type="button"
            className="jp-fairing-az-button"
            onClick={event => {
              const bar = event.currentTarget.parentElement;
              // The button goes once the notebook is saved.
              bar?.querySelector('button')?.focus();
              notebook
                .save()
                .catch((reason: unknown) => model.host.notify(String(reason), 'error'));
            }}
          >
            {trans.__('Save the notebook')}
          </button>
        ) : null}
      </div>
    </section>
  );
}

function FillStatus(props: {
  readonly model: PanelModel;
  readonly trans: TranslationBundle;
}): JSX.Element | null {
  const { model, trans } = props;
  const { fill } = model.settings;
  const { plan, error, outcome } = fill;
  const empty = (text: string) => <p className="jp-fairing-az-empty">{text}</p>;
  if (!model.notebook.panel) {
    return empty(trans.__('Open a notebook to write these settings into it.'));
  }
  if (model.notebook.isReadOnly) {
    return (
      <Message kind="warning" trans={trans}>
        {trans.__('This notebook is read-only. Save a copy and fill the copy.')}
      </Message>
    );
  }
  if (outcome === 'applied') {
    return (
      <Message kind="success" trans={trans}>
        {fill.undoPlace === 'cell'
          ? trans.__('Applied. To undo, press Ctrl+Z in the cell.')
          : trans.__(
              'Applied. To undo, choose Edit > Undo Cell Operation, or press Esc and then Z in the notebook.'
            )}
      </Message>
    );
  }
  if (outcome === 'changed-meanwhile') {
    return (
      <Message kind="warning" trans={trans}>
        {trans.__(
          'Not applied: the notebook or the form changed in the meantime. Review the new changes, then choose Apply again.'
        )}
      </Message>
    );
  }
  if (model.settings.isTypedWrong) {
    return empty(trans.__('Correct the errors above to see what will change.'));
  }
  // The server plans nothing, and so names no cell that it has seen, where no source sets anything.
  if (error?.code === 'nothing-to-fill' || plan?.before_digest === '') {
    return empty(trans.__('No changes yet. Edit a setting or choose a profile.'));
  }
  if (plan) {
    return plan.changed
      ? null
      : empty(trans.__('Nothing to change: the notebook already has these settings.'));
  }
  return error ? null : empty(trans.__('Comparing with the notebook…'));
}
