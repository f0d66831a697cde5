/** The model of the section 'Runs'. */
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { Api } from '../api';


/** The model of the section 'Runs'. */
export class RunsModel implements IDisposable {
  constructor(readonly api: Api) {}

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
