/** The model of the section 'Settings'. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../api';
import type { ISources } from '../types';
import type { NotebookLink } from './notebook';

/** The model of the section 'Settings'. */
export class SettingsModel implements IDisposable {
  constructor(readonly api: Api, readonly notebook: NotebookLink) {}

  /** Emitted when anything has changed that the section shows. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Where settings come from. */
  sources(): ISources {
    return { notebook: this.notebook.source(), profile: null, values: {} };
  }

  /** Let everything go. */
  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}
