/** The model of the section 'Launch'. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../api';
import type { ISources } from '../types';
import type { NotebookLink } from './notebook';
import type { RunsModel } from './runs';

/** The model of the section 'Launch'. */
export class LaunchModel implements IDisposable {
  constructor(readonly api: Api, readonly notebook: NotebookLink, readonly sources: () => ISources, readonly runs: RunsModel) {}

  /** Emitted when anything has changed that the section shows. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether this object is of no use any more. */
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Let everything go. */
  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}
