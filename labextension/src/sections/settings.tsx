/** The section 'Settings': a form made from the settings' JSON schema, and what it will change. */
import { Field } from '../parts/field';
import { FillPreview } from '../parts/fill_preview';
import { ErrorMessage, Message } from '../parts/message';
import { ProfilesBar } from '../parts/profiles_bar';
import type { ISectionProps } from '../parts/section';
import { serverText } from '../parts/server_text';
import { useSignals } from '../parts/signals';
import type { ISchema, ISetting } from '../types';
import { useState } from 'react';

type Entry = readonly [string, ISetting];

/** The section 'Settings'. */
export function SettingsSection({ model, trans }: ISectionProps): JSX.Element {
  const { settings } = model;
  useSignals(settings.changed);
  const { schema, error } = settings;
  const retry = () => (schema ? settings.refresh() : void settings.load());
  if (!schema) {
    return (
      <div role="status">
        {error ? (
          <ErrorMessage error={error} trans={trans} onRetry={retry} />
        ) : (
          <p className="jp-fairing-az-empty">{trans.__('Loading the settings…')}</p>
        )}
      </div>
    );
  }
  return (
    <>
      <ProfilesBar settings={settings} host={model.host} trans={trans} />
      <form
        className="jp-fairing-az-form"
        aria-label={trans.__('Settings')}
        noValidate
        autoComplete="off"
        onSubmit={event => event.preventDefault()}
      >
        <SettingsForm schema={schema} model={model} trans={trans} />
        <FormStatus model={model} trans={trans} />
      </form>
      {error ? <ErrorMessage error={error} trans={trans} onRetry={retry} /> : null}
      <FillPreview model={model} trans={trans} />
    </>
  );
}

/** Says how many settings need attention, also to who does not see it. */
function FormStatus({ model, trans }: ISectionProps): JSX.Element {
  const { settings } = model;
  const errors = settings.resolved?.errors ?? [];
  const known = settings.schema?.properties ?? {};
  const typed = Object.keys(settings.typed).length;
  return (
    <>
      <div role="status" className="jp-fairing-az-form-status">
        {errors.length > 0 ? (
          <Message kind="error" trans={trans}>
            {trans._n('%1 setting is invalid.', '%1 settings are invalid.', errors.length)}
          </Message>
        ) : null}
        {errors
          .filter(each => !(each.field in known))
          .map(each => (
            <Message key={`${each.field} ${each.message}`} kind="error" trans={trans}>
              {each.field ? `${each.field}: ` : ''}
              {serverText(each.message, trans)} {serverText(each.hint, trans)}
            </Message>
          ))}
      </div>
      {typed > 0 ? (
        <div className="jp-fairing-az-buttons">
          <span className="jp-fairing-az-help">
            {trans._n('%1 unsaved change.', '%1 unsaved changes.', typed)}
          </span>
          <button
            type="button"
            className="jp-fairing-az-button"
            onClick={event => {
              const form = event.currentTarget.form;
              settings.resetAll();
              form?.querySelector<HTMLElement>('[data-field] [id]')?.focus();
            }}
          >
            {trans.__('Discard')}
          </button>
        </div>
      ) : null}
    </>
  );
}

function SettingsForm(props: ISectionProps & { readonly schema: ISchema }): JSX.Element {
  const { schema, model, trans } = props;
  const { settings } = model;
  const entries: readonly Entry[] = Object.entries(schema.properties);
  const isMain = ([, property]: Entry) => property.cell === 'always';
  const more = entries.filter(entry => !isMain(entry));
  const needsCare = ([name]: Entry) => settings.errorOf(name) !== null;
  const wrong = more.filter(needsCare).length;
  const typed = more.filter(([name]) => name in settings.typed).length;
  const [isOpen, setOpen] = useState(false);
  const notes = [
    ...(typed > 0 ? [trans._n('%1 changed', '%1 changed', typed)] : []),
    ...(wrong > 0 ? [trans._n('%1 invalid', '%1 invalid', wrong)] : [])
  ];
  return (
    <>
      <Groups entries={entries.filter(isMain)} {...props} />
      {more.length > 0 ? (
        <details
          className="jp-fairing-az-more"
          open={isOpen || wrong > 0}
          onToggle={event => setOpen(event.currentTarget.open)}
        >
          <summary>
            {trans.__('More settings')}
            {notes.length > 0 ? ` (${notes.join(', ')})` : ''}
          </summary>
          <Groups entries={more} {...props} />
        </details>
      ) : null}
    </>
  );
}

function Groups(props: ISectionProps & { readonly entries: readonly Entry[] }): JSX.Element {
  const { model, trans, entries } = props;
  const { settings } = model;
  const missing = new Set(settings.resolved?.missing ?? []);
  const groups = new Map<string, Entry[]>();
  for (const entry of entries) {
    const group = entry[1].group;
    groups.set(group, [...(groups.get(group) ?? []), entry]);
  }
  return (
    <>
      {[...groups].map(([group, members]) => (
        <fieldset key={group} className="jp-fairing-az-group">
          {group ? <legend>{serverText(group, trans)}</legend> : null}
          {members.map(([name, property]) => (
            <Field
              key={name}
              name={name}
              property={property}
              value={settings.value(name)}
              isTyped={name in settings.typed}
              source={settings.source(name)}
              error={settings.errorOf(name)}
              isMissing={missing.has(name)}
              trans={trans}
              onChange={value => settings.set(name, value)}
              onReset={() => settings.reset(name)}
            />
          ))}
        </fieldset>
      ))}
    </>
  );
}
