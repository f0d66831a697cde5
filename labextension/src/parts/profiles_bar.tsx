/** Chooses, makes, changes and deletes profiles. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { useRef, useState } from 'react';

import type { IHost } from '../models/panel';
import type { SettingsModel } from '../models/settings';
import { ErrorMessage, Message } from './message';
import { serverText } from './server_text';
import { useSignals } from './signals';

/** The profiles above the form. */
export function ProfilesBar(props: {
  readonly settings: SettingsModel;
  readonly host: IHost;
  readonly trans: TranslationBundle;
}): JSX.Element {
  const { settings, host, trans } = props;
  const { profiles } = settings;
  useSignals(profiles.changed, settings.changed);
  const [isNaming, setNaming] = useState(false);
  const select = useRef<HTMLSelectElement>(null);
  const naming = useRef<HTMLButtonElement>(null);
  const { active, inForce } = profiles;
  const close = () => {
    setNaming(false);
    naming.current?.focus();
  };
  const save = async (name: string): Promise<boolean> => {
    const done = await profiles.save(name, () => settings.profileValues());
    if (done) {
      host.notify(trans.__('Settings saved as profile %1.', name), 'success');
    }
    return done;
  };
  const remove = async (name: string) => {
    const body = trans.__('The profile %1 will be deleted for all notebooks on this server.', name);
    const yes = await host.confirm(trans.__('Delete the profile?'), body, trans.__('Delete'));
    if (yes && (await profiles.remove(name))) {
      host.notify(trans.__('Profile %1 deleted.', name), 'success');
    }
    select.current?.focus();
  };
  const activate = async (name: string | null) => {
    await profiles.activate(name);
    select.current?.focus();
  };
  return (
    <div className="jp-fairing-az-profiles">
      <div className="jp-fairing-az-field">
        <label htmlFor="jp-fairing-az-profile">{trans.__('Profile')}</label>
        <select
          ref={select}
          id="jp-fairing-az-profile"
          className="jp-fairing-az-input"
          value={profiles.chosen === active ? '' : (profiles.chosen ?? '')}
          onChange={event => profiles.choose(event.target.value || null)}
        >
          <option value="">
            {active ? trans.__('%1 (active)', active) : trans.__('(no active profile)')}
          </option>
          {profiles.all
            .filter(profile => profile.name !== active)
            .map(profile => (
              <option key={profile.name} value={profile.name}>
                {profile.name}
              </option>
            ))}
        </select>
      </div>
      <div className="jp-fairing-az-buttons">
        <button
          ref={naming}
          type="button"
          className="jp-fairing-az-button"
          aria-expanded={isNaming}
          onClick={() => setNaming(!isNaming)}
        >
          {trans.__('Save as…')}
        </button>
        {inForce ? (
          <>
            <button
              type="button"
              className="jp-fairing-az-button"
              title={trans.__('Save the settings to the profile %1', inForce)}
              onClick={() => void save(inForce)}
            >
              {trans.__('Save')}
            </button>
            <button
              type="button"
              className="jp-fairing-az-button"
              title={
                inForce === active
                  ? trans.__('Use no profile by default')
                  : trans.__('Use the profile %1 by default', inForce)
              }
              onClick={() => void activate(inForce === active ? null : inForce)}
            >
              {inForce === active ? trans.__('Make inactive') : trans.__('Make active')}
            </button>
            <button
              type="button"
              className="jp-fairing-az-button"
              title={trans.__('Delete the profile %1', inForce)}
              onClick={() => void remove(inForce)}
            >
              {trans.__('Delete')}
            </button>
          </>
        ) : null}
      </div>
      {isNaming ? (
        <NameForm
          trans={trans}
          onCancel={close}
          onSave={async name => {
            const body = trans.__('Its values will be replaced by those in the form.');
            const isTaken = profiles.all.some(profile => profile.name === name);
            const title = trans.__('Profile %1 already exists.', name);
            if (isTaken && !(await host.confirm(title, body, trans.__('Replace')))) {
              return;
            }
            if (await save(name)) {
              close();
              select.current?.focus();
            }
          }}
        />
      ) : null}
      <div role="alert">
        {profiles.problem ? (
          <Message kind="warning" trans={trans}>
            {serverText(profiles.problem, trans)}
          </Message>
        ) : null}
        {profiles.error ? <ErrorMessage error={profiles.error} trans={trans} /> : null}
      </div>
    </div>
  );
}

function NameForm(props: {
  readonly trans: TranslationBundle;
  readonly onSave: (name: string) => Promise<void>;
  readonly onCancel: () => void;
}): JSX.Element {
  const { trans, onSave, onCancel } = props;
  const [name, setName] = useState('');
  return (
    <form
      className="jp-fairing-az-inline-form"
      aria-label={trans.__('New profile')}
      onSubmit={event => {
        event.preventDefault();
        if (name.trim()) {
          void onSave(name.trim());
        }
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          onCancel();
        }
      }}
    >
      <div className="jp-fairing-az-field">
        <label htmlFor="jp-fairing-az-profile-name">{trans.__('Name of the profile')}</label>
        <input
          id="jp-fairing-az-profile-name"
          ref={input => {
            // Once, as it appears: the button that opened the form stays where it is.
            if (input && !input.dataset['seen']) {
              input.dataset['seen'] = 'yes';
              input.focus();
            }
          }}
          className="jp-fairing-az-input"
          type="text"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder={trans.__('for example %1', 'team-a')}
          value={name}
          onChange={event => setName(event.target.value)}
        />
      </div>
      <div className="jp-fairing-az-buttons">
        <button type="submit" className="jp-mod-styled jp-mod-accept" disabled={!name.trim()}>
          {trans.__('Save')}
        </button>
        <button type="button" className="jp-fairing-az-button" onClick={onCancel}>
          {trans.__('Cancel')}
        </button>
      </div>
    </form>
  );
}
