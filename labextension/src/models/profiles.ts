/** The profiles: settings that are kept under a name. */
import { Signal, type ISignal } from '@lumino/signaling';

import { asApiError, type Api, type ApiError } from '../api';
import type { IListedProfile, Values } from '../types';
import { Model } from './model';

type ProfilesApi = Pick<Api, 'profiles' | 'saveProfile' | 'deleteProfile' | 'activateProfile'>;

/** The model of the profiles. */
export class ProfilesModel extends Model {
  constructor(private readonly _api: ProfilesApi) {
    super();
  }

  /** Emitted when other values may be in force. */
  get valuesChanged(): ISignal<this, void> {
    return this._valuesChanged;
  }

  /** All profiles. */
  get all(): readonly IListedProfile[] {
    return this._all;
  }

  /** The profile that counts where none is named. */
  get active(): string | null {
    return this._active;
  }

  /** The profile that was chosen in this panel; null for the active one. */
  get chosen(): string | null {
    return this._chosen;
  }

  /** The profile that is in force in this panel. */
  get inForce(): string | null {
    return this._chosen ?? this._active;
  }

  /** Why the profile in force can't be read; empty if it can. */
  get problem(): string {
    return this._all.find(each => each.name === this.inForce)?.problem ?? '';
  }

  /** Why the last action failed; null if it succeeded. */
  get error(): ApiError | null {
    return this._error;
  }

  /** Whether something is being done. */
  get isBusy(): boolean {
    return this._isBusy;
  }

  /** Read the profiles. */
  load(): Promise<boolean> {
    return this._do(async () => undefined);
  }

  /** Choose the profile for this panel; null for the active one. */
  choose(name: string | null): void {
    if (name !== this._chosen) {
      this._chosen = name;
      this._error = null;
      this._changed.emit();
      this._valuesChanged.emit();
    }
  }

  /**
   * Make a profile or change some of its values, and choose it.
   *
   * @param name - Its name.
   * @param values - Its values, or what they are asked for with.
   */
  save(name: string, values: Values | (() => Promise<Values>)): Promise<boolean> {
    return this._do(async () => {
      await this._api.saveProfile(name, typeof values === 'function' ? await values() : values);
      this._chosen = name;
    });
  }

  /** Delete a profile. */
  remove(name: string): Promise<boolean> {
    return this._do(async () => {
      await this._api.deleteProfile(name);
      this._chosen = this._chosen === name ? null : this._chosen;
    });
  }

  /** Let a profile count where none is named; null for none. */
  activate(name: string | null): Promise<boolean> {
    return this._do(async () => {
      await this._api.activateProfile(name);
      this._chosen = null;
    });
  }

  private async _do(action: () => Promise<void>): Promise<boolean> {
    this._isBusy = true;
    this._error = null;
    this._changed.emit();
    try {
      await action();
      const found = await this._api.profiles();
      this._all = found.profiles;
      this._active = found.active;
      if (!this._all.some(profile => profile.name === this._chosen)) {
        this._chosen = null;
      }
    } catch (error) {
      this._error = asApiError(error);
    }
    this._isBusy = false;
    if (!this.isDisposed) {
      this._changed.emit();
      this._valuesChanged.emit();
    }
    return this._error === null;
  }

  private readonly _valuesChanged = new Signal<this, void>(this);
  private _all: readonly IListedProfile[] = [];
  private _active: string | null = null;
  private _chosen: string | null = null;
  private _error: ApiError | null = null;
  private _isBusy = false;
}
